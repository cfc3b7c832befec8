//! The marks of a CSV, as the contact sheet saves it, or as a spreadsheet has saved that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::diagnostic::{Diagnostic, Place};
use crate::ledger::port::{Batches, Views};
use crate::ledger::{BatchKey, Marking, OpenLedger, TakeId, TakeMark, Unmarkable};
use crate::manifest::{PlainColumns, PlainRow, normal_id, plain_rows};
use crate::plan::folded;
use crate::screen::holds_secret;

use crate::cli::{CommandError, Failure};

use super::unmarkable;

/// What a row has to say; without a column of notes they stay as they are.
const COLUMNS: PlainColumns<'static> = PlainColumns { needed: &["batch", "id", "take", "mark"], optional: &["note"] };

/// A file, row by row.
pub(super) struct MarkRows {
    file: String,
    rows: Vec<PlainRow>,
    /// What is wrong with other rows.
    wrong: Vec<Diagnostic>,
}

/// What a file says.
pub(super) struct Said {
    file: String,
    /// Each take once.
    pub(super) markings: Vec<Marking>,
    /// Where each stands.
    places: Vec<Place>,
    /// What is wrong.
    wrong: Vec<Diagnostic>,
}

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<MarkRows, Failure> {
    let (rows, wrong) = plain_rows(path, COLUMNS).map_err(unread)?;
    Ok(MarkRows { file: path.display().to_string(), rows, wrong })
}

/// The end of a file of which nothing is taken in.
fn unread(mut wrong: Vec<Diagnostic>) -> Failure {
    wrong.last_mut().into_iter().for_each(|last| last.message.push_str("; nothing was marked"));
    Failure::Input(wrong)
}

/// What the rows say. Of that `batch` alone, where one is named.
pub(super) fn markings(of: MarkRows, ledger: &OpenLedger, batch: Option<&str>) -> Result<Said, Failure> {
    let MarkRows { file, rows, wrong } = of;
    let known = ledger.uncounted()?.into_iter().map(|batch| (batch.name, batch.key)).collect();
    let mut said = Said { file, markings: Vec::new(), places: Vec::new(), wrong };
    let mut seen: BTreeMap<(BatchKey, TakeId), usize> = BTreeMap::new();
    for PlainRow { place, cells } in rows {
        let mut wrong = Vec::new();
        let found = marking(cells, &known, batch, &mut wrong);
        wrong.into_iter().for_each(|message| said.refuse(&place, message));
        let Some(marking) = found else { continue };
        match seen.get(&(marking.batch, marking.take.clone())) {
            Some(before) if said.markings.get(*before) == Some(&marking) => {}
            Some(_) => said.refuse(&place, format!("{} stands twice, and not alike", marking.take)),
            None => {
                seen.insert((marking.batch, marking.take.clone()), said.markings.len());
                said.markings.push(marking);
                said.places.push(place);
            }
        }
    }
    for key in known.values() {
        said.refuse_mistakable(ledger, *key)?;
    }
    Ok(said)
}

/// What a row says; else everything that is wrong with it stands in `wrong`.
fn marking(
    cells: Vec<Option<String>>,
    known: &BTreeMap<String, BatchKey>,
    only: Option<&str>,
    wrong: &mut Vec<String>,
) -> Option<Marking> {
    let [name, id, number, word, note] = <[_; 5]>::try_from(cells).ok()?;
    let [name, id, number, word] = [name, id, number, word].map(Option::unwrap_or_default);
    let name = if name.is_empty() { only.unwrap_or_default() } else { &name };
    let batch = known.get(name).copied();
    match (name, batch, only) {
        ("", ..) => wrong.push("batch: empty; name it with --batch NAME".to_owned()),
        (name, _, Some(only)) if name != only => wrong.push(format!("batch: {name}, and --batch names {only}")),
        (name, None, _) => wrong.push(format!("batch: the ledger has no batch named {name}")),
        (_, Some(_), _) => {}
    }
    if id.is_empty() {
        wrong.push("id: empty".to_owned());
    }
    let take = number.parse().ok().filter(|take| *take > 0);
    if take.is_none() {
        wrong.push(format!("take: expected a number from 1 on, got \"{number}\""));
    }
    let mark = match word.to_lowercase().as_str() {
        "" => Some(None),
        word => word.parse::<TakeMark>().ok().map(Some),
    };
    if mark.is_none() {
        wrong.push(format!("mark: expected pick, reject or nothing, got \"{word}\""));
    }
    if note.as_deref().is_some_and(holds_secret) {
        wrong.push("note: it holds a macaroon or a private key, which does not belong there".to_owned());
    }
    let take = TakeId { id: normal_id(&id).into_owned(), take: take? };
    Some(Marking { batch: batch?, take, mark: mark?, note }).filter(|_| wrong.is_empty())
}

impl Said {
    fn refuse(&mut self, place: &Place, message: impl Into<String>) {
        self.wrong.push(Diagnostic::error(&self.file, message).at(place.clone()));
    }

    /// Rows whose takes cannot be marked.
    pub(super) fn refuse_takes(&mut self, refused: Vec<(usize, Unmarkable)>) {
        for (at, why) in refused {
            if let (Some(marking), Some(place)) = (self.markings.get(at), self.places.get(at)) {
                let message = unmarkable(&marking.take, why);
                self.wrong.push(Diagnostic::error(&self.file, message).at(place.clone()));
            }
        }
    }

    /// Rows of a job whose id a spreadsheet, or a careless hand, may have made of another one's: which of the two is meant can be told only
    /// where the file has both.
    fn refuse_mistakable(&mut self, ledger: &OpenLedger, batch: BatchKey) -> Result<(), Failure> {
        let of_batch = self.markings.iter().zip(&self.places).filter(|(marking, _)| marking.batch == batch);
        let named: BTreeMap<&str, &Place> =
            of_batch.map(|(marking, place)| (marking.take.id.as_str(), place)).rev().collect();
        let mut alike: BTreeMap<String, BTreeSet<String>> =
            named.keys().map(|id| (folded(id).into_owned(), BTreeSet::new())).collect();
        if alike.is_empty() {
            return Ok(());
        }
        let read = ledger.latest_takes(batch, &mut |row| {
            alike.get_mut(&*folded(&row.id)).into_iter().for_each(|ids| _ = ids.insert(row.id.clone()));
            Ok(())
        })?;
        read.map_err(|error| CommandError::internal("ids cannot be kept in memory").because(error))?;
        let ids = |id: &str| alike.get(&*folded(id)).into_iter().flatten();
        for (id, place) in &named {
            let other = ids(id).find(|other| !named.contains_key(other.as_str()));
            let Some(other) = other else { continue };
            let message = if ids(id).any(|known| known == id) {
                format!(
                    "id: {id} and {other} are two jobs of the batch, which a spreadsheet takes for one: which of them is meant?"
                )
            } else {
                format!("id: the batch has no job {id}, and a spreadsheet may have made that of {other}")
            };
            let help =
                "keep rows of both in the file, as they are called; or mark it by `takes pick` or `takes reject`";
            self.wrong.push(Diagnostic::error(&self.file, message).at((*place).clone()).help(help));
        }
        Ok(())
    }

    /// All of it, where nothing is wrong.
    pub(super) fn checked(self) -> Result<Self, Failure> {
        if self.wrong.is_empty() { Ok(self) } else { Err(unread(self.wrong)) }
    }
}
