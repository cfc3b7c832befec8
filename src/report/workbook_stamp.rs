//! Of which batch a workbook tells: its properties say so, and by them it is known again.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use quick_xml::escape::unescape;
use zip::ZipArchive;

use crate::safe_open::{self, Opened};

/// With what the words begin that stand in the properties of each workbook of ours.
const OURS: &str = "l402-batch ";
/// When each of them was made, as it says: whoever saves it anew notes the true time.
const MADE_AT: &str = "2000-01-01T00:00:00Z";
/// The part of a workbook that holds its properties, and how much of it is read.
const PROPERTIES: (&str, u64) = ("docProps/core.xml", 1 << 16);

/// The batch of which a workbook tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkbookOf {
    /// The batch's name.
    pub batch: String,
    /// The id of its ledger, in hex; `sandbox` for play money.
    pub ledger: String,
}

/// What stands where a workbook is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkbookThere {
    /// The same table of the same batch, as it was written: to write it again loses nothing.
    Ours,
    /// Another workbook of ours; what it says of itself.
    OfAnother(String),
    /// Nothing, no workbook of ours, or one that somebody has saved since.
    Foreign,
}

impl WorkbookOf {
    /// What a workbook with that table says of itself.
    pub(super) fn words(&self, table: &str) -> String {
        // What no XML can hold of a name is escaped as in a program's text.
        format!("{OURS}{table} of {:?} in {}", self.batch, self.ledger)
    }

    /// What stands where a workbook with that table is to go.
    #[must_use]
    pub fn there(&self, table: &str, path: &Path) -> WorkbookThere {
        let Some(properties) = properties(path) else { return WorkbookThere::Foreign };
        match property(&properties, "dc:description") {
            Some(words) if words == self.words(table) => {
                let is_as_written = property(&properties, "dcterms:modified").is_some_and(|at| at == MADE_AT);
                if is_as_written { WorkbookThere::Ours } else { WorkbookThere::Foreign }
            }
            Some(words) if words.starts_with(OURS) => WorkbookThere::OfAnother(words),
            _ => WorkbookThere::Foreign,
        }
    }
}

fn properties(path: &Path) -> Option<String> {
    let Ok(Opened::File(file)) = safe_open::open(path) else { return None };
    let mut zip = ZipArchive::new(BufReader::<File>::new(file)).ok()?;
    let (name, bytes_max) = PROPERTIES;
    let mut text = String::new();
    zip.by_name(name).ok()?.take(bytes_max).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The text of an element that is called so.
fn property(properties: &str, name: &str) -> Option<String> {
    let (_, element) = properties.split_once(&format!("<{name}"))?;
    let (_, text) = element.split_once('>')?;
    Some(unescape(text.split_once("</")?.0).ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::workbook_out::write;

    fn of(batch: &str, ledger: &str) -> WorkbookOf {
        WorkbookOf { batch: batch.to_owned(), ledger: ledger.to_owned() }
    }

    #[test]
    fn a_workbook_is_known_again_by_its_batch_ledger_and_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.xlsx");
        let june = of("<june> & \"co\u{1}\"", "ab12");
        assert_eq!(june.there("results", &path), WorkbookThere::Foreign, "nothing is there");
        let mut bytes = Vec::new();
        write(&mut bytes, ("results", &june), &mut |row| row.end()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(june.there("results", &path), WorkbookThere::Ours);
        let said = WorkbookThere::OfAnother(june.words("results"));
        for (other, table) in [
            (june.clone(), "receipts"),
            (of("july", "ab12"), "results"),
            (of(&june.batch, "cd34"), "results"),
            (of(&june.batch, "sandbox"), "results"),
        ] {
            assert_eq!(other.there(table, &path), said, "{table} of {other:?}");
        }
        std::fs::write(&path, "id,state\n").unwrap();
        assert_eq!(june.there("results", &path), WorkbookThere::Foreign);
    }

    #[test]
    fn what_somebody_has_saved_since_is_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.xlsx");
        let june = of("june", "ab12");
        let core = |modified: &str| {
            let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
            zip.start_file(PROPERTIES.0, zip::write::SimpleFileOptions::default()).unwrap();
            let text = format!(
                "<p><dc:description>{}</dc:description><dcterms:modified a=\"b\">{modified}</dcterms:modified></p>",
                june.words("results").replace('"', "&quot;")
            );
            std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
            zip.finish().unwrap();
            june.there("results", &path)
        };
        assert_eq!(core(MADE_AT), WorkbookThere::Ours);
        assert_eq!(core("2026-11-30T12:00:00Z"), WorkbookThere::Foreign);
    }
}
