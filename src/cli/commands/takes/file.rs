//! The marks of a CSV, as the contact sheet saves it, or as a spreadsheet has saved that.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::csv_escape::restore;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::ledger::port::Batches;
use crate::ledger::{BatchKey, Marking, OpenLedger, TakeId, TakeMark, Unmarkable};
use crate::manifest::normal_id;
use crate::safe_open::{self, Opened};
use crate::screen::holds_secret;

use crate::cli::Failure;

use super::unmarkable;

/// A larger file holds something else.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// In which a spreadsheet may have saved it.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// What a row has to say; without a column of notes they stay as they are.
const COLUMNS: [&str; 4] = ["batch", "id", "take", "mark"];
const NOTE: &str = "note";

/// A file, row by row.
pub(super) struct MarkRows {
    source: SourceText,
    rows: Vec<MarkRow>,
}

/// What a file says.
#[derive(Default)]
pub(super) struct Said {
    /// Each take once.
    pub(super) markings: Vec<Marking>,
    /// The row of each, by its place.
    rows: Vec<usize>,
    /// What is wrong.
    pub(super) wrong: Vec<Diagnostic>,
}

/// A row, and where it stands.
struct MarkRow {
    bytes: std::ops::Range<usize>,
    batch: String,
    id: String,
    take: String,
    mark: String,
    note: Option<String>,
}

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<MarkRows, Failure> {
    let file = path.display().to_string();
    let wrong = |message: String| Failure::Input(vec![Diagnostic::error(&file, message)]);
    let mut bytes = Vec::new();
    let read = safe_open::open(path).and_then(|opened| match opened {
        Opened::File(file) => file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes),
        Opened::Pipe(pipe) => pipe.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes),
    });
    read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if u64::try_from(bytes.len()).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(wrong("larger than 64 MiB: it holds more than marks".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("not UTF-8: save it as CSV UTF-8".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let source = SourceText::new(file, text);
    let found = DELIMITERS.iter().map(|delimiter| rows_of(&source, *delimiter));
    let mut best: Option<Vec<Diagnostic>> = None;
    for found in found {
        match found {
            Ok(rows) => return Ok(MarkRows { source, rows }),
            // The delimiter that is it leaves the fewest columns missing.
            Err(errors) if best.as_ref().is_none_or(|best| errors.len() < best.len()) => best = Some(errors),
            Err(_) => {}
        }
    }
    Err(Failure::Input(best.unwrap_or_default()))
}

fn rows_of(source: &SourceText, delimiter: u8) -> Result<Vec<MarkRow>, Vec<Diagnostic>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(source.text.as_bytes());
    let error = |bytes: std::ops::Range<usize>, message: String| {
        Diagnostic::error(&source.file, message).at(source.place(bytes))
    };
    let unreadable = |failed: &csv::Error| vec![Diagnostic::error(&source.file, failed.to_string())];
    let header = reader.headers().map_err(|failed| unreadable(&failed))?;
    let columns: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
    let at = |name: &str| columns.iter().position(|column| column == name);
    let missing = COLUMNS.iter().filter(|name| at(name).is_none());
    let missing: Vec<Diagnostic> = missing
        .map(|name| {
            error(0..1, format!("there is no column {name}")).help("the columns are batch, id, take, mark, note")
        })
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(failed) => {
                wrong.extend(unreadable(&failed));
                break;
            }
        };
        let start = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let bytes = line_at(&source.text, start);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if record.len() != columns.len() {
            wrong.push(error(
                bytes,
                format!("the row has {} cells, and the header names {}", record.len(), columns.len()),
            ));
            continue;
        }
        let cell = |name: &str| at(name).and_then(|at| record.get(at)).map(|cell| restore(cell.trim()).to_owned());
        let [batch, id, take, mark] = COLUMNS.map(|name| cell(name).unwrap_or_default());
        rows.push(MarkRow { bytes, batch, id: normal_id(&id).into_owned(), take, mark, note: cell(NOTE) });
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

/// The first line from there on that is not blank.
fn line_at(text: &str, from: usize) -> std::ops::Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    let start = from.saturating_add(rest.len() - rest.trim_start_matches(['\r', '\n']).len());
    let end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    start..end
}

/// What the rows say. Of that `batch` alone, where one is named.
pub(super) fn markings(of: &MarkRows, ledger: &OpenLedger, batch: Option<&str>) -> Result<Said, Failure> {
    let mut known = BTreeMap::new();
    for batch in ledger.uncounted()? {
        known.insert(batch.name, batch.key);
    }
    let mut said = Said::default();
    let mut seen: BTreeMap<(BatchKey, TakeId), usize> = BTreeMap::new();
    for (at, row) in of.rows.iter().enumerate() {
        let mut wrong = Vec::new();
        let found = marking(row, &known, batch, &mut wrong);
        said.wrong.extend(wrong.into_iter().map(|message| of.error(row, message)));
        let Some(marking) = found else { continue };
        match seen.get(&(marking.batch, marking.take.clone())) {
            Some(before) if said.markings.get(*before) == Some(&marking) => {}
            Some(_) => said.wrong.push(of.error(row, format!("{} stands twice, and not alike", marking.take))),
            None => {
                seen.insert((marking.batch, marking.take.clone()), said.markings.len());
                said.markings.push(marking);
                said.rows.push(at);
            }
        }
    }
    Ok(said)
}

/// What a row says; else everything that is wrong with it stands in `wrong`.
fn marking(
    row: &MarkRow,
    known: &BTreeMap<String, BatchKey>,
    only: Option<&str>,
    wrong: &mut Vec<String>,
) -> Option<Marking> {
    let name = if row.batch.is_empty() { only.unwrap_or_default() } else { &row.batch };
    let batch = known.get(name).copied();
    match (name, batch, only) {
        ("", ..) => wrong.push("batch: empty; name it with --batch NAME".to_owned()),
        (name, _, Some(only)) if name != only => wrong.push(format!("batch: {name}, and --batch names {only}")),
        (name, None, _) => wrong.push(format!("batch: the ledger has no batch named {name}")),
        (_, Some(_), _) => {}
    }
    if row.id.is_empty() {
        wrong.push("id: empty".to_owned());
    }
    let take = row.take.parse().ok().filter(|take| *take > 0);
    if take.is_none() {
        wrong.push(format!("take: expected a number from 1 on, got \"{}\"", row.take));
    }
    let mark = match row.mark.to_lowercase().as_str() {
        "" => Some(None),
        word => word.parse::<TakeMark>().ok().map(Some),
    };
    if mark.is_none() {
        wrong.push(format!("mark: expected pick, reject or nothing, got \"{}\"", row.mark));
    }
    if row.note.as_deref().is_some_and(holds_secret) {
        wrong.push("note: it holds a macaroon or a private key, which does not belong there".to_owned());
    }
    let take = TakeId { id: row.id.clone(), take: take? };
    Some(Marking { batch: batch?, take, mark: mark?, note: row.note.clone() }).filter(|_| wrong.is_empty())
}

/// Rows whose takes cannot be marked.
pub(super) fn refused(of: &MarkRows, said: &Said, refused: Vec<(usize, Unmarkable)>) -> Vec<Diagnostic> {
    let told = |(at, why): (usize, Unmarkable)| {
        let row = of.rows.get(*said.rows.get(at)?)?;
        Some(of.error(row, unmarkable(&said.markings.get(at)?.take, why)))
    };
    refused.into_iter().filter_map(told).collect()
}

impl MarkRows {
    fn error(&self, row: &MarkRow, message: impl Into<String>) -> Diagnostic {
        let error = Diagnostic::error(&self.source.file, format!("{}; nothing was marked", message.into()));
        error.at(self.source.place(row.bytes.clone()))
    }
}
