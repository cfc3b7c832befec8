//! Where each file goes that is exported, and what none of them replaces.

use std::path::{Path, PathBuf};

use crate::ledger::port::Batches as _;
use crate::ledger::{Batch, OpenLedger, OutputKind, files_of};
use crate::manifest::rows_file_of;
use crate::report::{
    FileForm, Output, OutputPaths, WorkbookOf, WorkbookThere, check_outputs, form_of, named_paths, same_file,
};

use crate::cli::batch::files::{Owner, usual_paths};
use crate::cli::batch::own::held;
use crate::cli::options::config::ExportOptions;
use crate::cli::{CommandError, Failure};

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exported {
    /// A file as a run writes it.
    File(OutputKind),
    /// The books.
    Books,
}

impl Exported {
    /// The option that names its file, and what its table is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::File(kind) => kind.into(),
            Self::Books => "books",
        }
    }
}

/// A file that is exported.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) what: Exported,
    pub(super) path: PathBuf,
    pub(super) form: FileForm,
}

impl Place {
    /// The place, where its name fits what is written there.
    pub(super) fn new(what: Exported, path: &Path, options: &ExportOptions) -> Result<Self, CommandError> {
        let refused = |why: &str| CommandError::usage(format!("--{} {}: {why}", what.name(), path.display()));
        match form_of(path) {
            None => Err(refused("a workbook of that kind is read, and never written")
                .hint("name a file that ends in .xlsx, or in .csv")),
            Some(FileForm::Workbook) if what == Exported::Books && options.template.is_some() => {
                Err(refused("a template makes a text, and what ends in .xlsx is a workbook")
                    .hint("name the file by what the template writes, such as books.journal"))
            }
            Some(form) => Ok(Self { what, path: path.to_owned(), form }),
        }
    }

    /// Whether it may stand where results or receipts of that kind do.
    fn is_like(&self, kind: OutputKind) -> bool {
        self.form == FileForm::Text && self.what == Exported::File(kind)
    }

    fn refused(&self, why: &str) -> CommandError {
        let message = format!("--{} {} {why}", self.what.name(), self.path.display());
        CommandError::usage(message).hint("give another path")
    }
}

/// The files of a batch, as a person wants them.
pub(super) struct Places<'a> {
    pub(super) options: &'a ExportOptions,
    pub(super) ledger: &'a OpenLedger,
    pub(super) batch: &'a Batch,
    /// Of what its workbooks tell.
    pub(super) of: &'a WorkbookOf,
}

impl Places<'_> {
    /// All files that are written, once nothing speaks against any of them: books alone where only they are named.
    pub(super) fn checked(&self) -> Result<Vec<Place>, Failure> {
        let options = self.options;
        let mut places = Vec::new();
        if options.books.is_none() || options.files.paths.iter().any(|(_, path)| path.is_some()) {
            for (kind, path) in options.files.or(&self.usual()?).iter() {
                places.push(Place::new(Exported::File(kind), path, options)?);
            }
        }
        if let Some(path) = &options.books {
            places.push(Place::new(Exported::Books, path, options)?);
        }
        let batches = self.ledger.uncounted()?;
        let mut outputs = Vec::new();
        for place in &places {
            spare(place, &batches)?;
            outputs.push(Output { option: place.what.name(), path: &place.path, ours: self.is_ours(place)? });
        }
        let kept = files_of(&options.ledger);
        let mut inputs: Vec<_> = kept.iter().map(|file| ("the ledger", file.file())).collect();
        inputs.extend(self.manifest().map(|path| ("the manifest", path)));
        let rows = self.manifest().and_then(rows_file_of);
        inputs.extend(rows.as_deref().map(|rows| ("the manifest's rows", rows)));
        // Results that name their batch are replaced as results are.
        let typed = options.target.manifest.as_ref().map(|(path, _)| path.as_path());
        inputs.extend(typed.filter(|path| held(path).is_none()).map(|path| ("the manifest", path)));
        inputs.extend(options.template.as_deref().map(|path| ("the template", path)));
        inputs.extend(options.rates.file.as_deref().map(|path| ("the file of rates", path)));
        check_outputs(&outputs, &inputs, options.files.overwrite)?;
        Ok(places)
    }

    fn manifest(&self) -> Option<&Path> {
        Some(Path::new(&self.batch.manifest)).filter(|path| *path != Path::new("-"))
    }

    /// Where results and receipts go where nobody says.
    fn usual(&self) -> Result<OutputPaths, Failure> {
        let batch = self.batch;
        match self.manifest() {
            Some(path) => usual_paths(Some(self.ledger), Some(batch), path, &batch.name, batch.sandbox),
            None => Ok(named_paths(&batch.name, batch.sandbox)),
        }
    }

    /// Whether what stands there is replaced without a word.
    fn is_ours(&self, place: &Place) -> Result<bool, Failure> {
        match (place.form, place.what) {
            (FileForm::Workbook, what) => match self.of.there(what.name(), &place.path) {
                WorkbookThere::Ours => Ok(true),
                WorkbookThere::Foreign => Ok(false),
                WorkbookThere::OfAnother(words) => Err(place.refused(&format!("is another workbook: {words}")).into()),
            },
            (FileForm::Text, Exported::File(kind)) => {
                let (of, before) = (Some((self.ledger, self.batch.name.as_str())), &self.batch.remembered.outputs);
                Owner { of, before, is_play: self.batch.sandbox, asked: &self.options.files }.is_ours(kind, &place.path)
            }
            // Nothing in books tells whose they are.
            (FileForm::Text, Exported::Books) => Ok(false),
        }
    }
}

/// Results and receipts are replaced by their like alone, whatever a person says: from receipts it is known what was bought already.
fn spare(place: &Place, batches: &[Batch]) -> Result<(), Failure> {
    for batch in batches {
        for (kind, file) in batch.remembered.outputs.files.iter().filter(|(kind, _)| !place.is_like(*kind)) {
            if file.path.as_ref().is_some_and(|path| same_file(Path::new(path), &place.path)) {
                let why = format!(
                    "is where the batch {} has its {kind}: they are a CSV, and nothing else stands there",
                    batch.name
                );
                return Err(place.refused(&why).into());
            }
        }
    }
    match held(&place.path).filter(|kind| !place.is_like(*kind)) {
        Some(kind) => Err(place.refused(&format!("holds {kind}: nothing but {kind} as a CSV replaces them")).into()),
        None => Ok(()),
    }
}
