//! A plan is loaded, in one transaction of any store: what is known of its jobs is looked up in chunks, what becomes of them is
//! decided, and that is written.

use super::decide::load::{
    Discarding, Gone, LoadWrite, NewRow, OtherRow, Reading, Recognising, StoredTake, Unproven, accepted, discard_takes,
    leaves,
};
use super::decide::{Store, Unfit};
use super::{BatchKey, IdList, JobKey, PlanLoad, Retake};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// Rows that are looked up, decided and written together.
pub const CHUNK: usize = 256;
/// Pairs of ids that look alike that are reported at most.
pub const ALIKE_MAX: usize = 100;
/// Jobs without a row, or with another one, that are looked at together.
const PAGE: usize = 1_024;

/// The latest take of a job that a load has not found.
pub struct Unfound {
    pub key: JobKey,
    pub id: String,
    pub state: JobState,
    pub reason: Reason,
    /// Its place in the manifest of before.
    pub place: u64,
}

/// One transaction of a store, as the load of a batch sees it.
pub trait LoadDesk {
    /// Why it could not.
    type Error: From<Unfit>;

    /// Every take of each job of the batch whose latest take is not its first and is not bought.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn further(&mut self) -> Result<Vec<Vec<StoredTake>>, Self::Error>;

    /// One more load of the batch begins: gives its number, from 1, and what is known by receipts alone.
    ///
    /// # Errors
    /// Where it cannot be written, or there is no such batch.
    fn begin(&mut self) -> Result<(u64, Unproven), Self::Error>;

    /// Every take of each of these jobs, in their order; of a job that the batch does not have, none.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn stored(&mut self, retake: &Retake, jobs: &[PlannedJob]) -> Result<Vec<Vec<StoredTake>>, Self::Error>;

    /// Latest takes that this load has not found and that are bought or open, where it is known what their manifest gave; by their
    /// places.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn gone(&mut self) -> Result<Vec<Gone>, Self::Error>;

    /// The jobs that this load has added, by their places.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn new_rows(&mut self) -> Result<Vec<NewRow>, Self::Error>;

    /// Whether any take of the job of that id has that content.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn had(&mut self, id: &str, content: ContentHash) -> Result<bool, Self::Error>;

    /// Up to so many latest takes that this load has not found, after that one, by their places.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn unfound(&mut self, after: Option<(u64, JobKey)>, most: usize) -> Result<Vec<Unfound>, Self::Error>;

    /// Ids that this load has added beside older ones that differ only by case or leading zeros: (new, old).
    ///
    /// # Errors
    /// Where it cannot be read.
    fn alike(&mut self) -> Result<Vec<(String, String)>, Self::Error>;

    /// What the loads of the batch have found so far is accepted.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn accept(&mut self) -> Result<(), Self::Error>;

    /// Writes, in this order.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn apply(&mut self, writes: &[LoadWrite<'_>]) -> Result<(), Self::Error>;
}

/// One transaction of a store, where purchases are marked whose rows have become others.
pub trait MarkDesk: Store {
    /// Up to so many of these, of the batch or of all, in the order of keys after that one.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn other_rows(
        &mut self,
        batch: Option<BatchKey>,
        after: Option<JobKey>,
        most: usize,
    ) -> Result<Vec<OtherRow>, Self::Error>;
}

/// Loads a plan.
///
/// # Errors
/// Where the store cannot be used, or the plan does not fit it; inside, the first error of `jobs`. The transaction is to be rolled back.
pub fn load_plan<D: LoadDesk, E>(
    desk: &mut D,
    now: UnixMs,
    retake: &Retake,
    jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
) -> Result<Result<PlanLoad, E>, D::Error> {
    discard_all_takes(desk, &[Discarding::Unaccepted, Discarding::SetAside(now)])?;
    let (number, unproven) = desk.begin()?;
    let mut load = Load { desk, now, number, places: 0.., reading: Reading::of(retake, unproven) };
    match in_chunks(jobs, |chunk| load.add(chunk))? {
        Ok(()) => load.finish().map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// Loads those rows of a plan once more that stand at these places, ascending, where the load of that `number` has read the same plan and
/// nobody says a word: the others stay as they stand.
///
/// # Errors
/// As [`load_plan`].
pub fn load_again<D: LoadDesk, E>(
    desk: &mut D,
    now: UnixMs,
    number: u64,
    places: Vec<u64>,
    jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
) -> Result<Result<PlanLoad, E>, D::Error> {
    let mut wanted = places.iter().copied().peekable();
    let mut is_wanted = |place: u64, job: &Result<PlannedJob, E>| job.is_err() || wanted.next_if_eq(&place).is_some();
    let jobs = (0..).zip(jobs).filter_map(move |(place, job)| is_wanted(place, &job).then_some(job));
    let retake = Retake::default();
    let reading = Reading::of(&retake, Unproven::default());
    let mut load = Load { desk, now, number, places: places.iter().copied(), reading };
    Ok(in_chunks(jobs, |chunk| load.add(chunk))?.map(|()| load.reading.finish().0))
}

/// Hands out the rows of a plan in chunks, up to the first error.
///
/// # Errors
/// Where a chunk cannot be taken; inside, the first error of `jobs`, before which all rows were handed out.
pub fn in_chunks<E, F>(
    jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    mut take: impl FnMut(&[PlannedJob]) -> Result<(), F>,
) -> Result<Result<(), E>, F> {
    let mut chunk = Vec::with_capacity(CHUNK);
    for job in jobs {
        match job {
            Ok(job) => chunk.push(job),
            Err(error) => {
                take(&chunk)?;
                return Ok(Err(error));
            }
        }
        if chunk.len() == CHUNK {
            take(&chunk)?;
            chunk.clear();
        }
    }
    take(&chunk)?;
    Ok(Ok(()))
}

/// Takes back the takes of the batch that are meant by the first of these that means them.
///
/// # Errors
/// Where the store cannot be used.
pub fn discard_all_takes<D: LoadDesk>(desk: &mut D, which: &[Discarding]) -> Result<(), D::Error> {
    for takes in desk.further()? {
        let mut writes = which.iter().map(|which| discard_takes(*which, &takes));
        if let Some(writes) = writes.find(|writes| !writes.is_empty()) {
            desk.apply(&writes)?;
        }
    }
    Ok(())
}

/// A person accepts what the loads of the batch have found.
///
/// # Errors
/// Where the store cannot be used.
pub fn accept_takes<D: LoadDesk>(desk: &mut D, now: UnixMs) -> Result<(), D::Error> {
    for takes in desk.further()? {
        desk.apply(&accepted(now, &takes))?;
    }
    desk.accept()
}

/// Marks what is delivered and whose row asks for something else by now, of the batch or of all.
///
/// # Errors
/// Where the store cannot be used.
pub fn mark_changed<D: MarkDesk>(desk: &mut D, batch: Option<BatchKey>, now: UnixMs) -> Result<(), D::Error> {
    let mut after = None;
    loop {
        let page = desk.other_rows(batch, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.job.key);
        let writes: Vec<_> = page.into_iter().flat_map(|row| row.mark(now)).collect();
        desk.apply(&writes)?;
    }
}

/// Withdraws what is not bought and has no row any more, and notes its ids.
///
/// # Errors
/// Where the store cannot be used.
pub fn withdraw_gone<D: LoadDesk>(desk: &mut D, now: UnixMs, withdrawn: &mut IdList) -> Result<(), D::Error> {
    let mut after = None;
    loop {
        let page = desk.unfound(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.place, last.key));
        let mut writes = Vec::new();
        for Unfound { key, id, state, reason, .. } in &page {
            let left = leaves(now, *key, *state, *reason);
            if !left.is_empty() {
                withdrawn.add(id);
                writes.extend(left);
            }
        }
        desk.apply(&writes)?;
    }
}

/// A load under way.
struct Load<'a, D, P> {
    desk: &'a mut D,
    now: UnixMs,
    number: u64,
    /// The places of the rows to come.
    places: P,
    reading: Reading<'a>,
}

impl<D: LoadDesk, P: Iterator<Item = u64>> Load<'_, D, P> {
    fn add(&mut self, jobs: &[PlannedJob]) -> Result<(), D::Error> {
        let stored = self.desk.stored(self.reading.retake(), jobs)?;
        let mut writes = Vec::with_capacity(jobs.len());
        let mut ids = std::collections::HashSet::with_capacity(jobs.len());
        for ((job, takes), place) in jobs.iter().zip(stored).zip(&mut self.places) {
            if !ids.insert(&job.id) {
                return Err(Unfit::Contradiction(format!("the plan has two jobs of the id {}", job.id)).into());
            }
            let (learnt, ruling) = self.reading.row(job, takes)?;
            writes.extend(learnt.into_iter().map(|bought| LoadWrite::Learn { bought, job }));
            writes.extend(ruling.writes(self.now, job, place));
        }
        self.desk.apply(&writes)
    }

    fn finish(mut self) -> Result<PlanLoad, D::Error> {
        self.recognise()?;
        let withdrawn = &mut self.reading.report().withdrawn;
        withdraw_gone(self.desk, self.now, withdrawn)?;
        let reason = Reason::Changed;
        let (mut report, proved) = self.reading.finish();
        for (job, state) in proved {
            let (from, to, at) = (state, state, self.now);
            self.desk.apply(&[LoadWrite::Mark { job, reason }, LoadWrite::Transition { job, at, from, to, reason }])?;
        }
        if self.number > 1 && report.new > 0 {
            report.alike = self.desk.alike()?;
        }
        Ok(report)
    }

    /// Finds, for jobs of this load with made ids, the purchases that they were before, and puts those in their place.
    fn recognise(&mut self) -> Result<(), D::Error> {
        if self.number <= 1 || self.reading.report().new == 0 {
            return Ok(());
        }
        let mut recognising = Recognising::of(self.desk.gone()?);
        if recognising.is_empty() {
            return Ok(());
        }
        for new in self.desk.new_rows()? {
            let had = |id: &str, content| self.desk.had(id, content);
            if let Some(known) = self.reading.recognise(&mut recognising, &new, had)? {
                self.desk.apply(&known.writes(self.now, new.key))?;
            }
        }
        Ok(())
    }
}
