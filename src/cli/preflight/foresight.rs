//! What running a manifest would buy, and what it would leave out: by the same decisions as a run, and nothing is written.

use std::collections::HashSet;

use jiff::tz::TimeZone;

use crate::command::{about_batch, command};
use crate::l402::Network;
use crate::ledger::port::{Foresee, Foreseen, LoadedPlans, Views};
use crate::ledger::{
    BatchKey, ChosenRows, Compared, Counts, Duplicates, ForeseenHere, HeldBack, IdList, JobsThen, LoadError,
    OpenLedger, PlanLoad, Retake, StateCount, ToBuy,
};
use crate::manifest::{Duplicates as Word, Limits, Manifest};
use crate::money::{Sats, counted_are};
use crate::payer::NodeInfo;
use crate::plan::Plan;
use crate::plan::view::{LeftToBuy, Listed};
use crate::purchase::{JobState, Next, Reason, WalletId};
use crate::run::{Clock, SystemClock};

use crate::cli::batch::session::same_plan;
use crate::cli::exit::of_job;
use crate::cli::money::{Chosen, Fitting, Room};
use crate::cli::options::config::{Buying, Choice};
use crate::cli::preflight::planned::{left_alone_words, passed_over_words};
use crate::cli::preflight::trust;
use crate::cli::preflight::words::LeftOut;
use crate::cli::{ExitCode, Failure};

/// A manifest, and with which words it would be run.
pub(in crate::cli) struct RunToForesee<'a> {
    pub(in crate::cli) manifest: &'a Manifest,
    /// The batch's name, where it is known.
    pub(in crate::cli) name: Option<&'a str>,
    pub(in crate::cli) plan: &'a Plan,
    /// How a run would be told to buy it.
    pub(in crate::cli) buying: &'a Buying,
    pub(in crate::cli) retake: &'a Retake,
    /// What may be spent: of the manifest, or of the batch whose results it holds.
    pub(in crate::cli) limits: &'a Limits,
    /// Files are fetched.
    pub(in crate::cli) fetches: bool,
    /// Where the day of an edition begins.
    pub(in crate::cli) zone: &'a TimeZone,
    /// What it chooses, where it holds results of the batch.
    pub(in crate::cli) rows: Option<&'a ChosenRows>,
    /// The node that would pay, where it was asked already.
    pub(in crate::cli) node: Option<&'a NodeInfo>,
}

/// What a run would buy.
pub(in crate::cli) struct Foresight<'b> {
    foreseen: ForeseenHere<'b>,
    /// The batch's name, where it is known.
    name: Option<String>,
    edition: Option<String>,
    max_undelivered: u32,
    choice: Choice,
    /// Nothing is chosen.
    nothing: bool,
    /// A person's word: what is bought already under another name is bought once more.
    buys_duplicates: bool,
    /// What is bought already under another name.
    pub(in crate::cli) duplicates: Duplicates,
    /// Of a results file's rows, those that say something else than the ledger.
    rows: ChosenRows,
    /// Rows of a results file that are left out as another ledger's.
    left_out: u64,
    /// What no run of the batch brings on, by how it stands.
    stays: Vec<(JobState, Reason, IdList)>,
    /// What becomes of the words for origins, and the origins at which one lets a purchase begin.
    trusted: (Vec<String>, HashSet<String>),
    /// What is to be bought and was refused by its origin before.
    refused_before: Vec<(Reason, String)>,
    /// Another batch has the very same jobs.
    same_plan: Option<String>,
    /// Purchases that are open or in doubt, and are brought on first.
    open: u64,
}

/// Why a run would not end with 0, as far as that is known before. Whoever adds one says in `tests/e2e/causes.rs` how a run comes to
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A word was carried out before, or cannot be.
    Word,
    /// A word waits for an open purchase.
    Waiting,
    /// Bought already under another name.
    Duplicate,
    /// Bought or begun, and changed in the manifest since.
    Changed,
    /// Known by its receipt alone.
    Unproved,
    /// A row of a results file that says something else than the ledger, or whose job was withdrawn since.
    Row,
    /// A row of another ledger's results that says that it is bought.
    OtherLedger,
    /// Only a person can bring it on.
    Person,
    /// It costs more than one job may.
    JobLimit,
    /// Its endpoint or origin gets no more.
    Breaker,
    /// A limit lets only a part be bought.
    Limit,
    /// Its file could not be fetched before, and this run fetches none.
    Unfetched,
    /// It is not chosen, and stays as it is.
    Unchosen,
}

impl Cause {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::Word,
        Self::Waiting,
        Self::Duplicate,
        Self::Changed,
        Self::Unproved,
        Self::Row,
        Self::OtherLedger,
        Self::Person,
        Self::JobLimit,
        Self::Breaker,
        Self::Limit,
        Self::Unfetched,
        Self::Unchosen,
    ];
}

/// What a run would come to, as far as that is known before.
pub(in crate::cli) struct Foretold {
    /// What is bought together.
    pub(in crate::cli) left: LeftToBuy,
    /// What of it the limits hold.
    pub(in crate::cli) fitting: Fitting,
    /// How the run would end, as far as what it leaves out of what was asked for, and what no run brings on, decide that.
    code: ExitCode,
    /// How many jobs the batch would have.
    pub(in crate::cli) jobs: JobsThen,
    /// Those of them that would be delivered or open, and changed since.
    pub(in crate::cli) changed: u64,
    /// Those that would be left to buy, since they are not chosen.
    pub(in crate::cli) unchosen: u64,
    /// Why some of what is chosen cannot begin; with no reason where it may, later in the run.
    held: Vec<(Option<Reason>, String)>,
}

impl Foretold {
    /// How the run would end, as far as that is known. Where it `begins` to buy it meets what holds purchases back; one that is refused
    /// for what it is to buy, or waits for room, does not come so far.
    pub(in crate::cli) fn code(&self, begins: bool) -> ExitCode {
        let reasons = self.held.iter().filter(|_| begins).filter_map(|(reason, _)| *reason);
        reasons.map(|reason| of_job(JobState::Pending, reason)).fold(self.code, ExitCode::or_worse)
    }

    /// What it buys, as far as no limit keeps it from beginning: nothing where files of before lack room.
    pub(in crate::cli) const fn to_buy(&self, lacks_room: bool) -> LeftToBuy {
        if lacks_room { Fitting::of_nothing().fits } else { self.left }
    }

    /// What it leaves to another run, or to a person, in words.
    pub(in crate::cli) fn left_words(&self) -> Vec<String> {
        let mut said: Vec<String> = self.held.iter().map(|(_, words)| words.clone()).collect();
        let are = counted_are(self.unchosen, "job");
        said.extend((self.unchosen > 0).then(|| format!("{are} not chosen, and left to buy by another run")));
        said
    }
}

/// Jobs whose purchase has begun, and which a run brings on.
fn open_jobs(counts: &Counts) -> u64 {
    let of = |count: &&StateCount| count.state.is_open() && Next::of(count.state, count.reason) == Next::Rerun;
    counts.by_state.iter().filter(of).map(|count| count.jobs).sum()
}

/// Of the jobs that a results file chooses those that are wanted; all where none is named.
pub(in crate::cli) fn chosen_of(rows: &ChosenRows, wanted: &[String]) -> Vec<String> {
    let wanted: HashSet<&String> = wanted.iter().collect();
    rows.ids.iter().filter(|id| wanted.is_empty() || wanted.contains(id)).cloned().collect()
}

/// What loading the manifest would find to buy.
fn foreseen<'b>(
    ledger: &'b OpenLedger,
    batch: Option<BatchKey>,
    asked: &RunToForesee<'_>,
    edition: &str,
) -> Result<ForeseenHere<'b>, Failure> {
    let RunToForesee { plan, manifest, retake, buying, .. } = asked;
    if let Some((batch, digest)) = batch.zip(plan.digest(manifest))
        && retake.is_none()
        && buying.choice.trust.is_empty()
        && let Some(foreseen) = ledger.foresee_again(batch, digest)?
    {
        return Ok(foreseen);
    }
    ledger.foresee(batch, retake, edition, plan.jobs(*manifest)).map_err(|error| match error {
        LoadError::Plan(found) => Failure::Input(found),
        LoadError::Ledger(error) => error.into(),
    })
}

impl<'b> Foresight<'b> {
    /// Holds the manifest against the ledger: against that batch, or as a new one.
    pub(in crate::cli) fn of(
        ledger: &'b OpenLedger,
        batch: Option<BatchKey>,
        asked: &RunToForesee<'_>,
    ) -> Result<Self, Failure> {
        let (mut choice, max_undelivered) = (asked.buying.choice.clone(), asked.buying.pace.max_undelivered);
        let of_results = asked.rows.zip(batch);
        let (foreseen, edition) = match of_results {
            Some((chosen, batch)) => {
                choice.only = chosen_of(chosen, &choice.only);
                (ledger.foresee_rows(batch, chosen)?, None)
            }
            None => {
                let edition = crate::cli::preflight::duplicates::edition(asked.manifest, asked.zone)?;
                (foreseen(ledger, batch, asked, &edition)?, Some(edition))
            }
        };
        // A results file says nothing of that by itself.
        let word = choice.duplicates.or(asked.manifest.duplicates.filter(|_| of_results.is_none()));
        let mut foresight = Self {
            foreseen,
            name: asked.name.map(str::to_owned),
            edition,
            max_undelivered,
            nothing: of_results.is_some() && choice.only.is_empty(),
            buys_duplicates: word == Some(Word::Buy),
            choice,
            duplicates: Duplicates::default(),
            rows: of_results.map_or_else(ChosenRows::default, |(chosen, _)| chosen.clone()),
            left_out: if of_results.is_some() { 0 } else { asked.manifest.notes().left_out },
            stays: Vec::new(),
            trusted: Default::default(),
            refused_before: Vec::new(),
            same_plan: None,
            open: batch.map(|batch| ledger.counts(batch)).transpose()?.map_or(0, |counts| open_jobs(&counts)),
        };
        foresight.foreseen.hold_to_job_limit(asked.limits.max_sats_per_job.and_then(Sats::msat))?;
        foresight.stays = foresight.foreseen.stays(asked.fetches)?;
        foresight.refused_before = foresight.foreseen.refused_before()?;
        foresight.trusted = trust::foretold(&foresight.foreseen, &asked.buying.choice.trust, max_undelivered)?;
        if let Some(name) = asked.name.filter(|_| batch.is_none()) {
            let path = asked.manifest.path.display().to_string();
            foresight.same_plan = same_plan(ledger, name, &path, asked.plan)?;
        }
        foresight.compare(None)?;
        asked.node.map_or(Ok(()), |node| foresight.meet(node))?;
        Ok(foresight)
    }

    /// Compares with purchases on that network alone; of every one where it is not known.
    fn compare(&mut self, network: Option<Network>) -> Result<(), Failure> {
        let compared = Compared { edition: self.edition.clone(), network, only: &self.choice.only };
        self.duplicates = if self.nothing { Duplicates::default() } else { self.foreseen.compare(&compared)? };
        Ok(())
    }

    /// Whether duplicates are bought once more, as far as limits let them through.
    pub(in crate::cli) const fn buys_duplicates(&self) -> bool {
        self.buys_duplicates
    }

    /// The ids that alone are chosen, where any are.
    pub(in crate::cli) fn only(&self) -> HashSet<String> {
        self.choice.only.iter().cloned().collect()
    }

    /// What is bought, each job in the manifest's order.
    pub(in crate::cli) fn each(&self, each: &mut dyn FnMut(ToBuy) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.nothing { Ok(()) } else { self.foreseen.to_buy(self.buys_duplicates, each)? }
    }

    /// What is bought together, and what of it the limits hold; how the batch would stand, and how the run would end.
    pub(in crate::cli) fn told(&self, room: &Room) -> Result<Foretold, Failure> {
        self.told_listing(room, None)
    }

    /// The same, and each job that is bought, with whether the limits hold it, is put into `list`.
    pub(in crate::cli) fn told_listing(
        &self,
        room: &Room,
        list: Option<&mut Vec<Listed>>,
    ) -> Result<Foretold, Failure> {
        let origin_at = |place| Ok(self.foreseen.origin(place));
        let mut chosen = Chosen::of(&self.choice, room, &origin_at);
        let is_listed = list.is_some();
        chosen.list = list;
        let mut looked_at = HashSet::new();
        self.each(&mut |job| {
            if is_listed && looked_at.insert(job.place) {
                let held = self.held_back_at(job.place)?;
                chosen.held.extend(held.map(|held| (job.place, held.reason())));
            }
            chosen.add(job)
        })?;
        if self.nothing {
            self.foreseen.to_buy(false, &mut |job| chosen.leave(&job))??;
        }
        let mut held: Vec<(Option<Reason>, String)> =
            self.held_back(&chosen)?.iter().map(|held| (Some(held.reason()), held.to_string())).collect();
        held.extend(chosen.short_origins().into_iter().map(|short| (short.reason, short.words)));
        let code = Cause::ALL.into_iter().try_fold(ExitCode::Done, |code, cause| {
            Ok::<_, Failure>(self.brings(cause, &chosen)?.into_iter().fold(code, ExitCode::or_worse))
        })?;
        let are_changed = self.stays.iter().filter(|(_, reason, _)| *reason == Reason::Changed);
        let changed = are_changed
            .fold(self.foreseen.changed().saturating_add(self.foreseen.open_and_changed()), |all, (.., ids)| {
                all.saturating_add(ids.count)
            });
        let Chosen { left, fitting, unchosen, .. } = chosen;
        Ok(Foretold {
            left,
            fitting,
            code,
            jobs: self.foreseen.jobs_then(self.buys_duplicates)?,
            changed,
            unchosen,
            held,
        })
    }

    /// What holds purchases back for good, of what is chosen.
    fn held_back(&self, chosen: &Chosen<'_>) -> Result<Vec<HeldBack>, Failure> {
        chosen.places.iter().filter_map(|place| self.held_back_at(*place).transpose()).collect()
    }

    /// What holds purchases in such a place back for good.
    fn held_back_at(&self, place: i64) -> Result<Option<HeldBack>, Failure> {
        // A word lets one purchase begin there.
        let is_open = self.foreseen.origin(place).is_some_and(|origin| self.trusted.1.contains(&origin));
        Ok(if is_open { None } else { self.foreseen.breaker(SystemClock.now(), place, self.max_undelivered)? })
    }

    /// The node that would pay is known: what another one was asked to pay waits for that one, and only purchases on its network are
    /// compared with.
    pub(in crate::cli) fn meet(&mut self, node: &NodeInfo) -> Result<(), Failure> {
        self.know_node(&node.id)?;
        match self.duplicates.count {
            0 => Ok(()),
            _ => self.compare(Some(node.network)),
        }
    }

    fn know_node(&mut self, node: &WalletId) -> Result<(), Failure> {
        let other = (JobState::InDoubt, Reason::OtherNode);
        self.stays.retain(|(state, reason, _)| (*state, *reason) != other);
        let elsewhere = self.foreseen.at_other_nodes(node)?;
        if elsewhere.count > 0 {
            self.stays.push((other.0, other.1, elsewhere));
        }
        Ok(())
    }

    /// With what the cause would have the run end, where it is there, before anything begins.
    fn brings(&self, cause: Cause, chosen: &Chosen<'_>) -> Result<Vec<ExitCode>, Failure> {
        let (report, rows) = (self.report(), &self.rows);
        let words = LeftOut::of(report);
        let where_it_is = |is_there: bool, code: ExitCode| Vec::from_iter(is_there.then_some(code));
        let stays = |next: Next, is_delivered: bool| {
            let of = move |(state, reason, _): &&(JobState, Reason, IdList)| {
                Next::of(*state, *reason) == next && (*state == JobState::Delivered) == is_delivered
            };
            self.stays.iter().filter(of).map(|(state, reason, _)| of_job(*state, *reason))
        };
        Ok(match cause {
            Cause::Word => where_it_is(words.not_as_planned(), ExitCode::NotAsPlanned),
            Cause::Waiting => where_it_is(words.waiting, ExitCode::Unfinished),
            Cause::Duplicate => {
                let meant = u64::try_from(chosen.meant.len()).unwrap_or(u64::MAX);
                where_it_is(self.foreseen.set_aside()? > meant, ExitCode::NotAsPlanned)
            }
            Cause::Changed => {
                let is_there = report.changed.count > 0 || self.foreseen.open_and_changed() > 0;
                where_it_is(is_there, ExitCode::NotAsPlanned)
            }
            Cause::Unproved => {
                where_it_is(report.unproved.count > 0 || rows.unproved.count > 0, ExitCode::NotAsPlanned)
            }
            Cause::Row => where_it_is(rows.edited.count > 0 || rows.withdrawn.count > 0, ExitCode::NotAsPlanned),
            Cause::OtherLedger => where_it_is(self.left_out > 0, ExitCode::NotAsPlanned),
            Cause::Person => stays(Next::Person, false).chain(stays(Next::Person, true)).collect(),
            Cause::JobLimit => where_it_is(report.above_limit.count > 0, of_job(JobState::Refused, Reason::JobLimit)),
            // Met by what begins.
            Cause::Breaker => Vec::new(),
            Cause::Limit => where_it_is(chosen.fitting.reached.is_some(), ExitCode::Limit),
            Cause::Unfetched => stays(Next::Rerun, true).collect(),
            Cause::Unchosen => chosen.unchosen_codes.iter().copied().chain(stays(Next::Rerun, false)).collect(),
        })
    }

    /// What a run would say of what it finds, beside the duplicates.
    pub(in crate::cli) fn words(&self) -> Vec<String> {
        let is_same = self.same_plan.clone().filter(|_| self.duplicates.count > 0);
        let mut said = Vec::from_iter(is_same);
        said.extend(crate::cli::batch::session::load_words(self.report()));
        said.extend(self.trusted.0.iter().cloned());
        said.extend(self.refused_words());
        said.extend((self.open > 0).then(|| {
            let (are, them) = (counted_are(self.open, "job"), if self.open == 1 { "it" } else { "them" });
            format!(
                "{are} open or in doubt, and a run brings {them} on first: node and origin say then how that ends, and what does not \
                 end well decides how the run does (5 while a payment is in doubt, else 3 or 4)"
            )
        }));
        said.extend(left_alone_words(&self.rows));
        said.extend(passed_over_words(&self.rows));
        said.extend(crate::cli::preflight::words::elsewhere_words(self.left_out));
        let mut stay = IdList::default();
        let of_person = self.stays.iter().filter(|(state, reason, _)| Next::of(*state, *reason) == Next::Person);
        of_person.for_each(|(.., ids)| stay.join(ids));
        said.extend(crate::cli::batch::session::of_jobs(&stay, "that only a person can bring on"));
        let unfetched = (JobState::Delivered, Reason::NotDownloaded);
        let of_files = self.stays.iter().filter(|(state, reason, _)| (*state, *reason) == unfetched);
        said.extend(of_files.filter_map(|(.., ids)| self.unfetched_words(ids)));
        let none = IdList::default();
        let stopped = if self.buys_duplicates { &none } else { &self.duplicates.retaken };
        said.extend(crate::cli::batch::session::retaken_words(self.report(), stopped));
        said
    }

    /// What is said of files that a run without a folder leaves where they are.
    fn unfetched_words(&self, ids: &IdList) -> Option<String> {
        let download = command(&about_batch("download", self.name.as_deref()?));
        let words = format!(
            "delivered, whose file could not be fetched before: a run fetches files where --download names their folder, and \
             `{download}` what can be had"
        );
        crate::cli::batch::session::of_jobs(ids, &words)
    }

    /// What of the jobs that are asked for their origin refused before, by the reason.
    fn refused_words(&self) -> Vec<String> {
        let only = self.only();
        let mut refused: Vec<(Reason, IdList)> = Vec::new();
        for (reason, id) in self.refused_before.iter().filter(|(_, id)| only.is_empty() || only.contains(id)) {
            match refused.iter_mut().find(|(known, _)| known == reason) {
                Some((_, ids)) => ids.add(id),
                None => {
                    let mut ids = IdList::default();
                    ids.add(id);
                    refused.push((*reason, ids));
                }
            }
        }
        let words = |(reason, ids): &(Reason, IdList)| {
            let words = format!(
                "refused by the origin when last asked for ({}), and asked for once more: only that tells whether it refuses \
                 again",
                reason.as_str()
            );
            crate::cli::batch::session::of_jobs(ids, &words)
        };
        refused.iter().filter_map(words).collect()
    }

    /// What loading the manifest would report of what its batch has already.
    pub(in crate::cli) fn report(&self) -> &PlanLoad {
        self.foreseen.report()
    }
}
