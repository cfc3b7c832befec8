//! The shots of a contact sheet: takes of one job, and those of all that were planned as its further takes.

use std::collections::{HashMap, VecDeque};
use std::io;

use crate::ledger::TakeRow;
use crate::report::Rows;

/// What of a batch's takes tells where each shot ends.
pub(super) struct Shots {
    /// Of each job of which further takes may be planned ones, the place of the last take of all of them. A take that is planned no more
    /// stands where it stood, which may be far behind.
    last: HashMap<String, u64>,
}

/// A shot of which more takes may come.
struct Open {
    job: String,
    takes: Vec<TakeRow>,
}

impl Shots {
    /// Reads the rows once.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(super) fn of(rows: Rows<'_, TakeRow>) -> io::Result<Self> {
        let (mut last, mut place) = (HashMap::new(), 0);
        rows(&mut |take| {
            match take.planned_take() {
                (job, 1) => last.get_mut(job).into_iter().for_each(|known| *known = place),
                (job, _) => drop(last.insert(job.to_owned(), place)),
            }
            place += 1;
            Ok(())
        })?;
        Ok(Self { last })
    }

    /// Reads them again, and hands out each shot with its takes in their order; shots stand where their first take does. What is kept
    /// meanwhile are shots from the first on of which a take is still to come.
    ///
    /// # Errors
    /// Those of `each`, and where the rows cannot be read.
    pub(super) fn each(
        &self,
        rows: Rows<'_, TakeRow>,
        each: &mut dyn FnMut(Vec<TakeRow>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut open, mut place): (VecDeque<Open>, u64) = (VecDeque::new(), 0);
        rows(&mut |take| {
            let job = take.planned_take().0.to_owned();
            match open.iter_mut().rev().find(|shot| shot.job == job) {
                Some(shot) => shot.takes.push(take),
                None => open.push_back(Open { job: job.clone(), takes: vec![take] }),
            }
            let is_whole = |shot: &Open| self.last.get(&shot.job).map_or(shot.job != job, |last| *last <= place);
            while open.front().is_some_and(is_whole) {
                open.pop_front().map_or(Ok(()), |shot| hand_out(shot, each))?;
            }
            place += 1;
            Ok(())
        })?;
        open.into_iter().try_for_each(|shot| hand_out(shot, each))
    }
}

/// An id may look like a planned take's where there is no job of which it is one: then it is a shot by itself.
fn hand_out(Open { job, mut takes }: Open, each: &mut dyn FnMut(Vec<TakeRow>) -> io::Result<()>) -> io::Result<()> {
    takes.sort_by_key(|take| (take.planned_take().1, take.row.take));
    if takes.iter().any(|take| take.row.id == job) {
        return each(takes);
    }
    takes.chunk_by(|one, other| one.row.id == other.row.id).try_for_each(|takes| each(takes.to_vec()))
}
