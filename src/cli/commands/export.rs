//! `export`: results, receipts and books, made anew from the ledger.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Hinted, chain};
use crate::ledger::port::Views;
use crate::ledger::{Batch, OpenLedger, OutputKind, files_of};
use crate::report::{
    BooksFile, BooksTemplate, FiatColumns, Output, TemplateError, check_outputs, named_paths, replace_whole,
};
use crate::safe_open::read_small;

use crate::cli::batch::files::{Manner, STDOUT, check as check_files, usual_paths, write};
use crate::cli::batch::receipt_guard::{check as check_receipts, keep_unknown};
use crate::cli::options::config::ExportOptions;
use crate::cli::{CommandError, ExitCode, Failure, Format, rates, target, terminal};

/// The option that names the books.
const BOOKS: &str = "books";
/// The largest template, in bytes.
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;

/// One batch, and how its files are written.
struct Export<'a> {
    options: &'a ExportOptions,
    ledger: OpenLedger,
    batch: Batch,
    template: Option<BooksTemplate>,
    fiat: Option<FiatColumns<'a>>,
}

/// Writes what is named, or both usual files, and says where.
pub(in crate::cli) fn execute(options: &ExportOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    let template = options.template.as_deref().map(template).transpose()?;
    let (rates, lacks) = (rates::of(&options.rates), RefCell::default());
    let fiat = rates.as_ref().map(|rates| FiatColumns::new(rates, &lacks));
    let export = Export { options, ledger, batch, template, fiat };
    let written = export.execute();
    if let Some(lack) = lacks.take() {
        let count = lack.count;
        terminal::say(&format!("warning: {count} rows have no amounts in fiat; the first one: {}\n", lack.why.told()));
    }
    written
}

impl Export<'_> {
    fn execute(&self) -> Result<ExitCode, Failure> {
        let options = self.options;
        let kinds = options.files.paths.iter().filter_map(|(kind, path)| Some((Some(kind), path.as_ref()?)));
        let named: Vec<(Option<OutputKind>, &PathBuf)> =
            kinds.chain(options.books.iter().map(|path| (None, path))).collect();
        if let Some((printed, _)) = named.iter().find(|(_, path)| *path == Path::new(STDOUT)) {
            if named.len() > 1 {
                return Err(CommandError::usage("`-` prints one of the files, and no other is written")
                    .hint("name `--results -`, `--receipts -` or `--books -` alone")
                    .into());
            }
            check_receipts(&self.ledger, &self.batch)?;
            let books = printed.is_none().then(|| self.books(false)).transpose()?;
            terminal::print(Format::Csv, |out| match (printed, &books) {
                (Some(kind), _) => self.write(*kind, false, out),
                (None, books) => out.write_all(books.as_deref().unwrap_or_default()),
            })?;
            return Ok(ExitCode::Done);
        }
        let is_books_alone = named.iter().all(|(kind, _)| kind.is_none()) && options.books.is_some();
        let files = if is_books_alone { Vec::new() } else { self.files()? };
        self.check_books(&files)?;
        check_receipts(&self.ledger, &self.batch)?;
        self.replace(&files)
    }

    /// Where results and receipts go, once nothing speaks against it.
    fn files(&self) -> Result<Vec<(OutputKind, PathBuf)>, Failure> {
        let (batch, asked) = (&self.batch, &self.options.files);
        let manifest = self.manifest();
        let usual = match &manifest {
            Some(path) => usual_paths(Some(&self.ledger), Some(batch), path, &batch.name, batch.sandbox)?,
            None => named_paths(&batch.name, batch.sandbox),
        };
        let paths = asked.or(&usual);
        let of = Some((&self.ledger, batch.name.as_str()));
        let kept = files_of(&self.options.ledger);
        let inputs = self.inputs(manifest.as_deref(), kept.iter().map(|file| file.file()));
        check_files(&paths, of, &batch.remembered.outputs, batch.sandbox, &inputs, asked)?;
        Ok(paths.iter().map(|(kind, path)| (kind, path.clone())).collect())
    }

    fn manifest(&self) -> Option<PathBuf> {
        (self.batch.manifest != "-").then(|| PathBuf::from(&self.batch.manifest))
    }

    /// What no file may replace.
    fn inputs<'p>(
        &'p self,
        manifest: Option<&'p Path>,
        ledger: impl Iterator<Item = &'p Path>,
    ) -> Vec<(&'static str, &'p Path)> {
        let mut inputs: Vec<_> = ledger.map(|file| ("the ledger", file)).collect();
        inputs.extend(manifest.map(|path| ("the manifest", path)));
        inputs.extend(self.options.template.as_deref().map(|path| ("the template", path)));
        inputs.extend(self.options.rates.file.as_deref().map(|path| ("the file of rates", path)));
        inputs
    }

    /// Books are a person's to replace: nothing in them tells whose they are.
    fn check_books(&self, files: &[(OutputKind, PathBuf)]) -> Result<(), Failure> {
        let Some(path) = &self.options.books else { return Ok(()) };
        let (manifest, kept) = (self.manifest(), files_of(&self.options.ledger));
        let mut inputs = self.inputs(manifest.as_deref(), kept.iter().map(|file| file.file()));
        let before = &self.batch.remembered.outputs.files;
        let written = |kind: OutputKind| Some((kind.into(), Path::new(before[kind].written_path()?)));
        inputs.extend(OutputKind::ALL.iter().filter_map(|kind| written(*kind)));
        let mut outputs: Vec<Output<'_>> =
            files.iter().map(|(kind, path)| Output { option: (*kind).into(), path, ours: true }).collect();
        outputs.push(Output { option: BOOKS, path, ours: false });
        Ok(check_outputs(&outputs, &inputs, self.options.files.overwrite)?)
    }

    /// Writes all of them. What cannot be made is said before anything is replaced, what cannot be replaced keeps nothing else from it.
    fn replace(&self, files: &[(OutputKind, PathBuf)]) -> Result<ExitCode, Failure> {
        let books = self.options.books.as_ref().map(|path| Ok::<_, Failure>((path, self.books(is_workbook(path))?)));
        let books = books.transpose()?;
        let receipts = files.iter().find(|(kind, _)| *kind == OutputKind::Receipts);
        if let Some(kept) = receipts.map(|(_, path)| keep_unknown(&self.ledger, path)).transpose()?.flatten() {
            terminal::say(&format!("warning: {kept}\n"));
        }
        let (mut text, mut failing) = (String::new(), Vec::new());
        let mut replace =
            |name: &str, path: &Path, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| match replace_whole(
                path, write,
            ) {
                Ok(_) => text.push_str(&format!("{name:<8}  {}\n", path.display())),
                Err(error) => failing.push(format!("{} cannot be replaced: {}", path.display(), chain(&error))),
            };
        for (kind, path) in files {
            replace((*kind).into(), path, &mut |out| self.write(*kind, is_workbook(path), out));
        }
        if let Some((path, bytes)) = &books {
            replace(BOOKS, path, &mut |out| out.write_all(bytes));
        }
        if !failing.is_empty() {
            let hint = "make room there, or name other files with --results, --receipts and --books";
            return Err(CommandError::unwritten(failing.join("; ")).hint(hint).into());
        }
        if !self.options.quiet {
            terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))?;
        }
        Ok(ExitCode::Done)
    }

    fn manner(&self, is_workbook: bool) -> Manner<'_> {
        Manner { is_workbook, every_take: self.options.every_take, fiat: self.fiat }
    }

    fn write(&self, kind: OutputKind, is_workbook: bool, out: &mut dyn Write) -> io::Result<()> {
        let of = (self.batch.key, &self.batch.remembered.layout);
        write(kind, &self.ledger, of, &self.manner(is_workbook), out)
    }

    /// The books as they are written.
    fn books(&self, is_workbook: bool) -> Result<Vec<u8>, Failure> {
        let layout = &self.batch.remembered.layout;
        let (mut bytes, key) = (Vec::new(), self.batch.key);
        let mut rows =
            |each: &mut dyn FnMut(_) -> io::Result<()>| self.ledger.receipts(key, each).map_err(io::Error::other)?;
        let made = match &self.template {
            Some(template) => template.write(&mut bytes, &self.batch.name, &layout.extra, self.fiat, &mut rows),
            None => BooksFile::new(layout.extra.clone(), self.manner(is_workbook).form(layout), self.fiat)
                .write(&mut bytes, &mut rows)
                .map_err(TemplateError::Io),
        };
        match made {
            Ok(()) => Ok(bytes),
            Err(TemplateError::Io(error)) => {
                Err(CommandError::unwritten("the books cannot be made").because(error).into())
            }
            Err(error) => Err(CommandError::usage_of(&error).into()),
        }
    }
}

/// The template of that name, or in that file.
fn template(named: &Path) -> Result<BooksTemplate, Failure> {
    if let Some(shipped) = named.to_str().and_then(BooksTemplate::shipped) {
        return shipped.map_err(|error| CommandError::usage_of(&error).into());
    }
    let unread = |why: &str| {
        let names: Vec<&str> = BooksTemplate::names().collect();
        CommandError::usage(format!("--template {}: {why}", named.display()))
            .hint(format!("name a file, or one of those that come with the program: {}", names.join(", ")))
    };
    let bytes = read_small(named, TEMPLATE_BYTES_MAX).map_err(|error| unread(&error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unread("it is not UTF-8"))?;
    BooksTemplate::new(named.display().to_string(), text).map_err(|error| CommandError::usage_of(&error).into())
}

/// Whether a file is a workbook, by its ending.
fn is_workbook(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"))
}
