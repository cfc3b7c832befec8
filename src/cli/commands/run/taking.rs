//! What a run takes into the ledger. Before it is accepted that is only tried: written and taken back at once, so that the person, the
//! limits and the node hear exactly what it comes to. Once it is accepted it is written anew, in one transaction with the acceptance,
//! and only where it still comes to the same.
//!
//! Where nobody is to be asked, and the node has answered before, nothing is waited for between the trial and the acceptance: both are
//! one transaction then. What is in the way of that has it taken back, and is told as ever.

use std::collections::BTreeMap;

use crate::l402::Network;
use crate::ledger::port::{Batches, Fate, Loading, Views, Whole};
use crate::ledger::{
    Batch, ChosenRows, Counts, DownloadTo, Duplicates as FoundDuplicates, OpenLedger, OutputKind, PlanLoad, Retake,
};
use crate::manifest::{Duplicates, Limits, Manifest};
use crate::money::Msat;
use crate::payer::Payer;
use crate::plan::Plan;
use crate::plan::view::LeftToBuy;
use crate::report::OutputPaths;
use crate::run::{Clock, SystemClock};

use crate::cli::batch::download_setup::DownloadSetup;
use crate::cli::batch::files::Files;
use crate::cli::batch::receipt_guard::keep_unknown;
use crate::cli::batch::run_batch::Work;
use crate::cli::batch::session::{self, Session};
use crate::cli::commands::run::stand::{OPEN, stand, to_download};
use crate::cli::commands::run::{Admitted, Runner};
use crate::cli::ending::conclusion::Standing;
use crate::cli::money::OriginShort;
use crate::cli::money::{Chosen, Fitting, Room};
use crate::cli::preflight::duplicates::words as duplicate_words;
use crate::cli::preflight::questions::{self, Answered, Ready};
use crate::cli::preflight::trust;
use crate::cli::{Failure, money};

/// What is to be taken in.
pub(super) struct ToTake<'a> {
    pub(super) what: What<'a>,
    /// What may be spent.
    pub(super) limits: &'a Limits,
    /// Where results and receipts go.
    pub(super) paths: OutputPaths,
    pub(super) download_setup: Option<DownloadSetup>,
    /// Where files go.
    pub(super) to: Option<DownloadTo>,
    /// What to do with what is bought already under another name, where anybody has said so.
    pub(super) duplicates: Option<Duplicates>,
    /// What is said where there is any: another batch has the very same jobs.
    pub(super) same_plan: Option<String>,
}

impl ToTake<'_> {
    /// Nothing is to be bought, brought on or fetched.
    pub(super) fn has_nothing_to_do(&self, taken: &Taken) -> bool {
        let Taken { left, counts, .. } = taken;
        left.jobs == 0 && stand(counts, &OPEN).0 == 0 && (self.to.is_none() || to_download(counts) == 0)
    }

    /// What the batch's manifest itself limits, as it says now.
    pub(super) fn limits_of_manifest(&self, ledger: &OpenLedger) -> Result<Limits, Failure> {
        match self.what {
            What::Plan { manifest, .. } => Ok(manifest.limits.clone()),
            What::Rows { batch, .. } => Ok(ledger.limits(batch.key)?),
        }
    }
}

/// Jobs, and where they come from.
pub(super) enum What<'a> {
    /// A manifest's, with what is to be bought once more, and within what they are compared.
    Plan { manifest: &'a Manifest, plan: &'a Plan, retake: &'a Retake, edition: String },
    /// Stored ones of the batch, which a results file chooses.
    Rows { batch: &'a Batch, chosen: &'a ChosenRows },
}

impl What<'_> {
    /// Nothing is chosen: what is open is finished, and that is all.
    pub(super) const fn is_nothing(&self, only: &[String]) -> bool {
        match self {
            Self::Plan { .. } => false,
            Self::Rows { .. } => only.is_empty(),
        }
    }

    fn edition(&self) -> Option<String> {
        match self {
            Self::Plan { edition, .. } => Some(edition.clone()),
            Self::Rows { .. } => None,
        }
    }
}

/// What is found out of the duplicates while it is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    /// The network of the node that would pay, where it was asked.
    network: Option<Network>,
    /// They are bought once more.
    buys_duplicates: bool,
}

/// What it comes to.
pub(super) struct Taken {
    pub(super) batch: Batch,
    pub(super) load: PlanLoad,
    /// What is bought already under another name.
    duplicates: FoundDuplicates,
    pub(super) left: LeftToBuy,
    pub(super) fitting: Fitting,
    /// The limits of which origins do not hold all that is bought there.
    pub(super) short_origins: Vec<OriginShort>,
    /// How many jobs are bought at each price.
    pub(super) prices: BTreeMap<Msat, u64>,
    /// Of which duplicates the run is a person's word, by their ids.
    pub(super) meant: Vec<String>,
    bought: [u8; 32],
    pub(super) counts: Counts,
    /// Open jobs that are changed since they were begun.
    pub(super) open_and_changed: u64,
    /// Files of before wait for room.
    pub(super) lacks_room: bool,
}

impl Taken {
    /// Whether a person who has accepted the other one has accepted this. Why jobs wait, and until when, may have been said anew since, and
    /// what they repeat may have come further.
    fn is_as(&self, other: &Self) -> bool {
        let load = |load: &PlanLoad| PlanLoad { unchanged: 0, again: 0, waiting: Vec::new(), ..load.clone() };
        let repeated = |found: &FoundDuplicates| (found.count, found.price, found.capped, found.retaken.clone());
        let of = |it: &Self| {
            (load(&it.load), repeated(&it.duplicates), it.left, it.prices.clone(), it.meant.clone(), it.bought)
        };
        of(self) == of(other)
    }
}

/// What it would come to.
pub(super) struct Tried {
    pub(super) taken: Taken,
    /// How the batch would stand, were the run refused; none where it was taken in at once.
    pub(super) refused: Option<Standing>,
    way: Way,
    /// What is left out as bought already under another name.
    pub(super) left_out: FoundDuplicates,
}

impl Tried {
    /// Whether anything is bought already under another name.
    pub(super) const fn has_duplicates(&self) -> bool {
        self.taken.duplicates.count > 0
    }
}

/// What is accepted.
pub(super) enum Accepted {
    /// Nothing is to be bought.
    Nothing,
    /// Purchases, with that bound of the batch over all its runs, for which that node pays.
    Purchases(Msat, Ready),
}

/// What is in the ledger now.
pub(super) struct TakenIn {
    pub(super) batch: Batch,
    pub(super) accepted: Accepted,
    /// What a person should know of what was written with it.
    words: Vec<String>,
    /// Receipts of another ledger stood in the place of its own, and are kept beside it.
    replaces_others: bool,
}

impl Runner<'_> {
    /// What it comes to, told to the person, who may be asked about duplicates. Nothing is written, unless it can be taken in at once: the
    /// node has answered `ahead` then, or nothing is to be bought.
    pub(super) async fn rehearse(
        &self,
        session: &mut Session,
        of: &ToTake<'_>,
        ahead: Option<&Answered>,
    ) -> Result<(Tried, Option<TakenIn>), Failure> {
        let word = of.duplicates.unwrap_or(Duplicates::Ask);
        let mut way = Way { network: None, buys_duplicates: word == Duplicates::Buy };
        let (mut tried, taken_in) = self.attempt(session, of, way, |taken| self.accepts_at_once(of, taken, ahead))?;
        let payer = self.counterparties.payer.as_ref().filter(|_| tried.taken.duplicates.count > 0);
        // A node that cannot be reached buys nothing now, and the next run compares anew.
        if let Some(payer) = payer
            && let Ok(node) = payer.node().await
        {
            way.network = Some(node.network);
            tried = self.try_out(session, of, way)?;
        }
        session::load_words(&tried.taken.load).into_iter().for_each(|words| self.reporter.warn(words));
        if tried.taken.duplicates.count == 0 {
            return Ok((tried, taken_in));
        }
        self.reporter.warn(duplicate_words(&tried.taken.duplicates));
        of.same_plan.iter().for_each(|words| self.reporter.warn(words.as_str()));
        if word == Duplicates::Ask && !self.options.buying.choice.yes {
            // Tried before the person is asked: a yes is about these, and about none that another command makes one meanwhile.
            let with = self.try_out(session, of, Way { buys_duplicates: true, ..way })?;
            let found = &with.taken.duplicates;
            // Where another command has undone them meanwhile, nobody is asked about nothing.
            if found.count == 0 || questions::means(found, &self.reporter, &self.counterparties.signals).await? {
                return Ok((with, None));
            }
        }
        let left_out = match word {
            Duplicates::Buy => FoundDuplicates::default(),
            Duplicates::Skip | Duplicates::Ask => tried.taken.duplicates.clone(),
        };
        Ok((Tried { left_out, ..tried }, None))
    }

    /// What is accepted of it without a word more: nobody is to be asked about it, and neither limits nor the node's answer are against it.
    fn accepts_at_once(&self, of: &ToTake<'_>, taken: &Taken, ahead: Option<&Answered>) -> Option<Accepted> {
        let Taken { duplicates, left, fitting, meant, counts, .. } = taken;
        if duplicates.count > 0 || !meant.is_empty() {
            return None;
        }
        if left.jobs == 0 {
            return Some(Accepted::Nothing);
        }
        // What is against it is found out once more where it is told.
        let cap = self.cap(of.limits, money::used(counts).ok()?, (left, fitting)).ok()?;
        let ready = ahead?.ready((left, fitting), self.options.buying.choice.partial).ok()?;
        Some(Accepted::Purchases(cap, ready))
    }

    fn try_out(&self, session: &mut Session, of: &ToTake<'_>, way: Way) -> Result<Tried, Failure> {
        Ok(self.attempt(session, of, way, |_| None)?.0)
    }

    /// Writes it, all in one transaction, and takes it back unless what it comes to is accepted. Nobody is waited for in between.
    fn attempt(
        &self,
        session: &mut Session,
        of: &ToTake<'_>,
        way: Way,
        accepts: impl FnOnce(&Taken) -> Option<Accepted>,
    ) -> Result<(Tried, Option<TakenIn>), Failure> {
        let Session { ledger, name, .. } = session;
        let (tried, taken_in) = ledger.as_one::<_, Failure>(|ledger| {
            let taken = self.take(ledger, name, of, way)?;
            let tried = |taken, refused| Tried { taken, refused, way, left_out: FoundDuplicates::default() };
            if let Some(accepted) = accepts(&taken) {
                let taken_in = self.accept(ledger, of, &taken, accepted)?;
                return Ok(((tried(taken, None), Some(taken_in)), Fate::Kept));
            }
            let batch = taken.batch.key;
            // Only the user's word buys something once more, and it would not have been given.
            ledger.discard_unaccepted(batch)?;
            ledger.discard_duplicates(batch, SystemClock.now())?;
            let refused = Standing::of(ledger, batch)?;
            Ok(((tried(taken, Some(refused)), None), Fate::TakenBack))
        })?;
        if taken_in.is_some() {
            self.accepted();
        }
        Ok((tried, taken_in))
    }

    /// How the batch would stand by now, were the run refused. A manifest that has become another since is held to be what it was.
    pub(super) fn refused_by_now(
        &self,
        session: &mut Session,
        of: &ToTake<'_>,
        tried: Tried,
    ) -> Result<Option<Standing>, Failure> {
        match self.try_out(session, of, tried.way) {
            Ok(now) => Ok(now.refused),
            Err(Failure::Input(_)) => Ok(tried.refused),
            Err(failure) => Err(failure),
        }
    }

    fn take(&self, ledger: &mut OpenLedger, name: &str, of: &ToTake<'_>, way: Way) -> Result<Taken, Failure> {
        let (now, choice) = (SystemClock.now(), &self.options.buying.choice);
        let is_play = self.counterparties.play.is_some();
        let (mut batch, load) = match of.what {
            What::Plan { manifest, plan, retake, .. } => {
                session::load(ledger, name, (choice.adopt, is_play), (manifest, plan), retake)?
            }
            What::Rows { batch, chosen } => {
                // Whoever runs a results file says no word: what an earlier command asked for and never accepted is nothing to go on with.
                ledger.discard_unaccepted(batch.key)?;
                ledger.choose(now, chosen)?;
                (batch.clone(), PlanLoad::default())
            }
        };
        let key = batch.key;
        let load = PlanLoad { above_limit: session::hold_to_job_limit(ledger, key, of.limits)?, ..load };
        batch.remembered.download = of.to.clone().or(batch.remembered.download);
        batch.remembered.plan = self.saved.map(|saved| saved.id().to_owned()).or(batch.remembered.plan);
        let is_nothing = of.what.is_nothing(&choice.only);
        let duplicates = match is_nothing {
            true => FoundDuplicates::default(),
            false => session::set_duplicates_aside(ledger, key, (of.what.edition(), &choice.only), way.network)?,
        };
        let (used, budget) = (money::used(&ledger.counts(key)?)?, self.budget(of.limits, None)?);
        let room = Room::of(Some(ledger), of.limits, &budget, used, choice.partial)?;
        let origin_at = |place| Ok(Some(ledger.origin_at(place)?));
        let chosen = match is_nothing {
            true => Chosen::of(choice, &room, &origin_at),
            false => questions::chosen(ledger, key, choice, way.buys_duplicates, (&room, &origin_at))?,
        };
        let bought = chosen.digest();
        let short_origins = chosen.short_origins();
        let Chosen { left, fitting, meant, prices, .. } = chosen;
        if meant.is_empty() {
            ledger.discard_duplicates(key, now)?;
        }
        let lacks_room = match &of.download_setup {
            Some(setup) => setup.lacking(ledger, key, left.jobs > 0)?.is_some(),
            None => false,
        };
        let (counts, open_and_changed) = (ledger.counts(key)?, ledger.open_and_changed(key)?);
        Ok(Taken {
            batch,
            load,
            duplicates,
            left,
            fitting,
            short_origins,
            prices,
            meant,
            bought,
            counts,
            open_and_changed,
            lacks_room,
        })
    }

    /// Writes that it is accepted: with that bound of the batch, and without one where nothing is to be bought. Results and receipts are
    /// from now on this batch's own: nothing keeps it from buying any more.
    fn accept(
        &self,
        ledger: &mut OpenLedger,
        of: &ToTake<'_>,
        taken: &Taken,
        accepted: Accepted,
    ) -> Result<TakenIn, Failure> {
        let mut words: Vec<String> = keep_unknown(ledger, &of.paths[OutputKind::Receipts])?.into_iter().collect();
        let replaces_others = !words.is_empty();
        let mut batch = taken.batch.clone();
        match &accepted {
            Accepted::Nothing => session::accept(ledger, &mut batch, &of.paths, None)?,
            Accepted::Purchases(cap, _) => {
                session::accept(ledger, &mut batch, &of.paths, Some((*cap, taken.meant.as_slice())))?;
                let (trusted, most) = (&self.options.buying.choice.trust, self.options.buying.pace.max_undelivered);
                words.extend(trust::record(ledger, &batch, trusted, most)?);
            }
        }
        Ok(TakenIn { batch, accepted, words, replaces_others })
    }

    /// Takes in what was rehearsed and is accepted; none where it comes to something else by now, and nothing was written then.
    ///
    /// # Errors
    /// Where it cannot be written; nothing was.
    pub(super) fn take_in(
        &self,
        session: &mut Session,
        of: &ToTake<'_>,
        tried: &Tried,
        accepted: Accepted,
    ) -> Result<Option<TakenIn>, Failure> {
        Ok(self.attempt(session, of, tried.way, |taken| taken.is_as(&tried.taken).then_some(accepted))?.1)
    }

    /// What the batch that was taken in is carried on with, and its files, which follow it.
    pub(super) fn begin(&self, of: &ToTake<'_>, taken_in: TakenIn) -> Admitted {
        let TakenIn { batch, accepted, words, replaces_others } = taken_in;
        let mut files = Files::new(&self.counterparties.ledger, batch.key, &batch.remembered.layout, &of.paths);
        words.into_iter().for_each(|words| self.reporter.warn(words));
        // By now the ledger says that these receipts are its own: nothing is bought while they still are another's.
        if replaces_others {
            files.rewrite().into_iter().flatten().for_each(|words| self.reporter.warn(words));
        }
        let work = match accepted {
            Accepted::Nothing => Work::Recover(Some(batch.key)),
            Accepted::Purchases(_, ready) => Work::Buy(batch.key, ready.node),
        };
        Admitted { batch, work: Some(work), files: Some(files), refused: None }
    }
}
