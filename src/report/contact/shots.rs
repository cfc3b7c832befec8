//! The shots of a contact sheet: takes of one job, and those of all that were planned as its further takes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use crate::ledger::{TakeRow, UNKNOWN_CONTENT};
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
        let (mut open, mut firsts, mut place): (BTreeMap<u64, Open>, HashMap<String, u64>, u64) = Default::default();
        rows(&mut |take| {
            let job = take.planned_take().0.to_owned();
            let first = *firsts.entry(job.clone()).or_insert(place);
            open.entry(first).or_insert_with(|| Open { job: job.clone(), takes: Vec::new() }).takes.push(take);
            let is_whole = |shot: &Open| self.last.get(&shot.job).map_or(shot.job != job, |last| *last <= place);
            while let Some(shot) = open.first_entry().filter(|shot| is_whole(shot.get())) {
                let shot = shot.remove();
                firsts.remove(&shot.job);
                shot.hand_out(each)?;
            }
            place += 1;
            Ok(())
        })?;
        open.into_values().try_for_each(|shot| shot.hand_out(each))
    }
}

impl Open {
    /// A planned take asks for what its job does, or did before its row was edited. An id may look like one where there is no such job, and a
    /// person may have called a row so: then it is a shot by itself, behind the job's own.
    fn hand_out(mut self, each: &mut dyn FnMut(Vec<TakeRow>) -> io::Result<()>) -> io::Result<()> {
        self.takes.sort_by_key(|take| (take.planned_take().1, take.row.take));
        let of_job = self.takes.iter().filter(|take| take.row.id == self.job);
        let asked: HashSet<_> = of_job.map(|take| take.content).filter(|content| *content != UNKNOWN_CONTENT).collect();
        let (mut shot, mut others) = (Vec::new(), Vec::new());
        for takes in self.takes.chunk_by(|one, other| one.row.id == other.row.id) {
            let is_of_it = takes.iter().any(|take| take.row.id == self.job || asked.contains(&take.content));
            if is_of_it { shot.extend_from_slice(takes) } else { others.push(takes.to_vec()) }
        }
        std::iter::once(shot).filter(|shot| !shot.is_empty()).chain(others).try_for_each(each)
    }
}
