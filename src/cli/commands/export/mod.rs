//! `export`: results, receipts and books, made anew from the ledger.

mod places;

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Hinted, chain};
use crate::ledger::port::Views;
use crate::ledger::{Batch, OpenLedger, OutputKind};
use crate::report::{
    BooksFile, BooksTemplate, FiatColumns, FileForm, NoRoom, TemplateError, WorkbookOf, replace_whole,
};
use crate::safe_open::read_small;

use crate::cli::batch::files::{Manner, STDOUT, ledger_of, write};
use crate::cli::batch::receipt_guard::{check as check_receipts, keep_unknown};
use crate::cli::options::config::ExportOptions;
use crate::cli::{CommandError, ExitCode, Failure, Format, rates, target, terminal};
use places::{Exported, Place, Places};

/// The largest template, in bytes.
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;

/// One batch, and how its files are written.
struct Export<'a> {
    options: &'a ExportOptions,
    ledger: OpenLedger,
    batch: Batch,
    /// Of what its workbooks tell.
    of: WorkbookOf,
    template: Option<BooksTemplate>,
    fiat: Option<FiatColumns<'a>>,
}

/// Writes what is named, or both usual files, and says where.
pub(in crate::cli) fn execute(options: &ExportOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    let template = options.template.as_deref().map(template).transpose()?;
    let (rates, lacks) = (rates::of(&options.rates), RefCell::default());
    let fiat = rates.as_ref().map(|rates| FiatColumns::new(rates, &lacks));
    let of = WorkbookOf { batch: batch.name.clone(), ledger: ledger_of(&ledger, &batch.name)? };
    let export = Export { options, ledger, batch, of, template, fiat };
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
        let files = options.files.paths.iter().filter_map(|(kind, path)| Some((Exported::File(kind), path.as_ref()?)));
        let named: Vec<_> = files.chain(options.books.iter().map(|path| (Exported::Books, path))).collect();
        if let Some((what, path)) = named.iter().find(|(_, path)| *path == Path::new(STDOUT)) {
            if named.len() > 1 {
                return Err(CommandError::usage("`-` prints one of the files, and no other is written")
                    .hint("name `--results -`, `--receipts -` or `--books -` alone")
                    .into());
            }
            check_receipts(&self.ledger, &self.batch)?;
            let place = Place::new(*what, path, options)?;
            let made = self.made(&place)?;
            terminal::print(Format::Csv, |out| self.put(&place, made.as_deref(), out))?;
            return Ok(ExitCode::Done);
        }
        let places = Places { options, ledger: &self.ledger, batch: &self.batch, of: &self.of }.checked()?;
        check_receipts(&self.ledger, &self.batch)?;
        self.replace(&places)
    }

    /// Writes all of them. What cannot be made is said before anything is replaced, what cannot be replaced keeps nothing else from it.
    fn replace(&self, places: &[Place]) -> Result<ExitCode, Failure> {
        let mut made = Vec::new();
        for place in places {
            made.push((place, self.made(place)?));
        }
        let receipts = places.iter().find(|place| place.what == Exported::File(OutputKind::Receipts));
        if let Some(kept) = receipts.map(|place| keep_unknown(&self.ledger, &place.path)).transpose()?.flatten() {
            terminal::say(&format!("warning: {kept}\n"));
        }
        let (mut text, mut failing) = (String::new(), Vec::new());
        for (place, bytes) in &made {
            let path = place.path.display();
            match replace_whole(&place.path, |out| self.put(place, bytes.as_deref(), out)) {
                Ok(_) => text.push_str(&format!("{:<8}  {path}\n", place.what.name())),
                Err(error) => failing.push(format!("{path} cannot be replaced: {}", chain(&error))),
            }
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

    /// The whole file, where it may be that it cannot be made; a CSV of results or receipts streams, and has none.
    fn made(&self, place: &Place) -> Result<Option<Vec<u8>>, Failure> {
        if matches!((place.what, place.form), (Exported::File(_), FileForm::Text)) {
            return Ok(None);
        }
        let (mut bytes, name) = (Vec::new(), place.what.name());
        let Err(error) = self.make(place, &mut bytes) else { return Ok(Some(bytes)) };
        Err(match error {
            TemplateError::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<NoRoom>()) => {
                CommandError::usage(format!("--{name} {}: {error}; nothing was written", place.path.display()))
                    .hint("name a file that ends in .csv")
            }
            TemplateError::Io(error) => CommandError::unwritten(format!("the {name} cannot be made")).because(error),
            error => CommandError::usage_of(&error),
        }
        .into())
    }

    /// Puts what is made already, or makes it.
    fn put(&self, place: &Place, made: Option<&[u8]>, out: &mut dyn Write) -> io::Result<()> {
        match made {
            Some(bytes) => out.write_all(bytes),
            None => self.make(place, out).map_err(|error| match error {
                TemplateError::Io(error) => error,
                error => io::Error::other(error),
            }),
        }
    }

    fn make(&self, place: &Place, out: &mut dyn Write) -> Result<(), TemplateError> {
        let (key, layout) = (self.batch.key, &self.batch.remembered.layout);
        let workbook = (place.form == FileForm::Workbook).then_some(&self.of);
        let manner = Manner { workbook, every_take: self.options.every_take, fiat: self.fiat };
        let kind = match place.what {
            Exported::File(kind) => kind,
            Exported::Books => return self.books(&manner, out),
        };
        Ok(write(kind, &self.ledger, (key, layout), &manner, out)?)
    }

    fn books(&self, manner: &Manner<'_>, out: &mut dyn Write) -> Result<(), TemplateError> {
        let layout = &self.batch.remembered.layout;
        let mut rows = |each: &mut dyn FnMut(_) -> io::Result<()>| {
            self.ledger.receipts(self.batch.key, each).map_err(io::Error::other)?
        };
        match &self.template {
            Some(template) => template.write(out, &self.batch.name, &layout.extra, self.fiat, &mut rows),
            None => Ok(BooksFile::new(layout.extra.clone(), manner.form(layout), self.fiat).write(out, &mut rows)?),
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
