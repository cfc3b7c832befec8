//! Files of results that a person keeps, filters, edits, and runs as manifests.

use l402_batch::ledger::ResultRow;
use l402_batch::ledger::port::Views;
use l402_batch::manifest::ResultsRow;
use l402_batch::purchase::JobState;

use super::coverage::Sight;
use super::life::{Batch, Life, settings};
use super::rng::Rng;

/// Of whose results somebody thinks who writes a row into a file by hand.
const NOBODYS: &str = "nobodys";

impl Life {
    /// A person takes the batch's results to run them: as they stand now, or a file that was kept; filtered, and perhaps edited.
    /// False where there is nothing to run.
    pub fn takes_results(&mut self, at: usize) -> bool {
        let (Some(acts), batch) = (&mut self.acts, &mut self.batches[at]) else { return false };
        let Some(key) = batch.key.filter(|_| acts.below(5) == 0) else { return false };
        if !batch.papers.is_empty() && acts.below(3) == 0 {
            self.world.saw(Sight::ResultsKept);
            return true;
        }
        let ledger = self.disk.ledger.ledger();
        let mut rows = results(&ledger, key);
        drop(ledger);
        let all = rows.len();
        filter(acts, &mut rows);
        self.world.saw_if(rows.len() < all, Sight::ResultsFiltered);
        batch.papers = as_file(acts, &rows);
        !batch.papers.is_empty()
    }

    /// All results of the batch but what is delivered, as they stand now: a script's file.
    pub fn takes_undelivered(&mut self, at: usize) {
        let Some(key) = self.batches[at].key else { return };
        let mut rows = results(&self.disk.ledger.ledger(), key);
        rows.retain(|row| !is_delivered(row.state));
        self.batches[at].papers = rows.iter().map(|row| as_row(row, true)).collect();
    }

    /// A person runs results of a batch that the ledger does not know: a manifest like any other, but for what is bought.
    pub fn runs_results_elsewhere(&mut self) {
        let Some(acts) = self.acts.as_mut().filter(|_| self.batches.len() < super::user::BATCHES_MAX) else { return };
        if acts.below(6) > 0 {
            return;
        }
        let of: &Batch = acts.pick(&self.batches);
        let Some(key) = of.key else { return };
        let mut rows = results(&self.disk.ledger.ledger(), key);
        filter(acts, &mut rows);
        rows.retain(|row| matches!(row.state, JobState::Pending | JobState::Refused | JobState::Failed));
        let name = format!("results{}", self.batches.len());
        let Some(plan) = of.plan.of_results(&name, &rows) else { return };
        let shared = l402_batch::run::Budget { batch: None, ..of.settings.budget.clone() };
        let settings = settings(acts, &plan, shared);
        self.world.note(|| format!("the results in {name} are a manifest"));
        self.world.saw(Sight::ResultsElsewhere);
        self.batches.push(Batch::new(name, plan, settings));
    }
}

fn results(ledger: &l402_batch::ledger::sqlite::SqliteLedger, key: l402_batch::ledger::BatchKey) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    let read = ledger.results(key, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.expect("the ledger can be read").expect("rows can be kept");
    rows
}

const fn is_delivered(state: JobState) -> bool {
    matches!(state, JobState::Delivered | JobState::Downloaded)
}

/// All of them, those that are not delivered, those that are not bought, or any.
fn filter(acts: &mut Rng, rows: &mut Vec<ResultRow>) {
    match acts.below(4) {
        0 => {}
        1 => rows.retain(|row| !is_delivered(row.state)),
        2 => rows.retain(|row| matches!(row.state, JobState::Pending | JobState::Refused | JobState::Failed)),
        _ => rows.retain(|_| acts.below(2) == 0),
    }
}

/// The rows as the file has them: a column may be gone, a cell may be edited, and somebody may have written a row of his own.
fn as_file(acts: &mut Rng, rows: &[ResultRow]) -> Vec<ResultsRow> {
    let with_take = acts.below(4) > 0;
    let edited = (acts.below(4) == 0).then(|| acts.below(rows.len().max(1) as u64));
    let mut file: Vec<ResultsRow> = rows.iter().map(|row| as_row(row, with_take)).collect();
    if let Some(row) = edited.and_then(|at| file.get_mut(usize::try_from(at).unwrap_or(0)))
        && let Some((_, cell)) = row.params.first_mut()
    {
        cell.push_str(" edited");
    }
    if !file.is_empty() && acts.below(16) == 0 {
        let row = ResultsRow { id: NOBODYS.to_owned(), ..file[0].clone() };
        file.push(row);
    }
    file
}

/// The cells of a row by which it is compared.
fn as_row(row: &ResultRow, with_take: bool) -> ResultsRow {
    let take = if with_take { row.take.to_string() } else { String::new() };
    let params: Vec<(&str, String)> =
        row.params.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
    let cells = [("id", row.id.as_str()), ("take", &take), ("endpoint", &row.endpoint)];
    ResultsRow::of(cells.into_iter().chain(params.iter().map(|(name, cell)| (*name, cell.as_str()))))
}
