//! The ledger's port, as one process has it, with a disk that fails; and what must hold of each intent.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use l402_batch::l402::{Network, PaymentHash};
use l402_batch::ledger::port::{Downloads, Records};
use l402_batch::ledger::sqlite::SqliteLedger;
use l402_batch::ledger::{
    AnswerKind, BatchKey, Claimed, Committed, DeliveredJob, Deliveries, DurableIntent, HeldBack, HistoryCheck,
    IdenticalRequest, IntentBounds, JobEnd, JobKey, Ledger, LedgerError, NewIntent, OpenJob, OpenRefund, Original,
    PaymentKey, PendingJob, Prospect, Record, Recorded, RefundRecord, ResultRow, TokenAt, Undownloaded,
};
use l402_batch::purchase::WalletId;
use l402_batch::purchase::{Credential, HttpAnswer, Request};
use l402_batch::purchase::{JobState, Reason};
use l402_batch::time::UnixMs;
use url::Url;

use super::coverage::Sight;
use super::disk::{Disk, Lie, Moment};
use super::plan::job_name;
use super::records::name;
use super::shop::endpoint_of;
use super::timeline::sleep;
use super::verdict;

/// The disk as one process has it: after a failed commit that process writes nothing more.
pub struct Port<'a> {
    disk: &'a Disk,
    broken: Cell<bool>,
    /// The batch that it buys, and its name.
    pub batch: Cell<Option<BatchKey>>,
    name: String,
    /// Somebody may delete the ledger under it.
    meddled: bool,
    /// How far it may go.
    bounds: Bounds,
    /// When the process began.
    began_at: i64,
    /// It was to buy these alone.
    only: RefCell<Option<BTreeSet<String>>>,
    /// The payment whose poll was answered with 404 last.
    poll_gone: Cell<Option<PaymentKey>>,
    /// What it has claimed so far, which goes with it.
    claimed: RefCell<Claimed>,
}

/// What a process may have under way, by its settings.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub max_undelivered: usize,
    pub max_doubt: usize,
    pub payments_in_flight: usize,
}

impl<'a> Port<'a> {
    pub fn new(disk: &'a Disk, name: &str, meddled: bool, bounds: Bounds) -> Self {
        Self {
            disk,
            broken: Cell::new(false),
            batch: Cell::new(None),
            name: name.to_owned(),
            meddled,
            bounds,
            began_at: disk.world.now(),
            only: RefCell::default(),
            poll_gone: Cell::new(None),
            claimed: RefCell::default(),
        }
    }

    /// The process was to buy these alone.
    pub fn buys_only(&self, ids: &[String]) {
        self.only.replace(Some(ids.iter().cloned().collect()));
    }
    fn fail(&self, what: &str) -> LedgerError {
        self.broken.set(true);
        self.disk.world.note(|| format!("disk: {what}"));
        LedgerError::system(what)
    }

    fn expect_whole(&self) -> Result<(), LedgerError> {
        if self.broken.get() { Err(LedgerError::system("the disk failed before")) } else { Ok(()) }
    }

    /// How far a ledger lets purchases go that does not count what it must.
    fn forget_bounds(&self, url: &Url, bounds: &mut IntentBounds) {
        if self.disk.lie == Lie::BreakerForgets {
            let taken = u32::try_from(self.had_taken(url)).unwrap_or(u32::MAX);
            bounds.max_undelivered = bounds.max_undelivered.saturating_add(taken);
        }
    }

    /// What the endpoint had taken for nothing before this process began.
    fn had_taken(&self, url: &Url) -> usize {
        let world = &self.disk.world;
        let is_excused = |hash: &PaymentHash| world.auditor.borrow().is_excused(hash);
        world.shop.borrow().undelivered_by(&endpoint_of(url), self.began_at, is_excused)
    }

    /// What a lying ledger makes of a record.
    fn as_written(&self, mut record: Record) -> Record {
        match (self.disk.lie, &mut record) {
            (Lie::BreakerForgets, Record::Intend(intent)) => {
                let url = intent.request.url.clone();
                self.forget_bounds(&url, &mut intent.bounds);
            }
            (Lie::DoubtUncounted, Record::Intend(intent)) => intent.bounds.max_doubt = u32::MAX,
            (Lie::TokensUnknown, Record::Intend(intent)) => intent.reuse = None,
            (Lie::PollGoneIsLost, Record::Answer { payment, kind: AnswerKind::Poll, answer }) => {
                self.poll_gone.set(Some(*payment).filter(|_| answer.status == 404));
            }
            (Lie::PollGoneIsLost, Record::Undelivered { payment, end, .. })
                if self.poll_gone.get() == Some(*payment) && !self.disk.world.is_calm() =>
            {
                end.state = JobState::Lost;
            }
            _ => {}
        }
        record
    }

    /// A process buys what it was told to alone, and no later take of a job while an earlier one is paid for and asked for.
    fn check_choice(&self, new: &NewIntent) {
        let open = self.disk.ledger.ledger().open_jobs(None).expect("the ledger can be read");
        let Some(bought) = open.iter().find(|job| job.key == new.job) else { return };
        let world = &self.disk.world;
        if self.only.borrow().as_ref().is_some_and(|only| !only.contains(&bought.id)) {
            world.violated(format!("{} is bought, which nobody has chosen", bought.id));
        }
        let is_same = |job: &&OpenJob| (job.batch, &job.id) == (bought.batch, &bought.id) && job.take < bought.take;
        let is_open = |job: &&OpenJob| matches!(job.state, JobState::Running | JobState::InDoubt | JobState::Paid);
        if let Some(earlier) = open.iter().filter(is_same).find(is_open) {
            let (id, take, state) = (&bought.id, bought.take, earlier.state);
            world.violated(format!("take {take} of {id} is bought while take {} is {state:?}", earlier.take));
        }
    }

    /// Nothing is bought beyond what may be in doubt or on its way at a node, nor of whoever had taken as many payments as it
    /// may, and delivered none, before this process began; nor of an origin that does not take what was paid for.
    fn check_bounds(&self, new: &NewIntent, intent: &DurableIntent) {
        let (world, Bounds { max_undelivered, max_doubt, payments_in_flight }) = (&self.disk.world, self.bounds);
        let payments = self.disk.payments.borrow();
        let at_node = |keys: &BTreeSet<PaymentKey>| {
            let here = |key: &&PaymentKey| payments.get(key).is_some_and(|one| one.node == self.disk.node_of(intent));
            keys.iter().filter(here).count()
        };
        let (held, in_doubt) = (at_node(&self.disk.open.borrow()), at_node(&self.disk.in_doubt.borrow()));
        let most = max_doubt.max(payments_in_flight);
        if in_doubt >= max_doubt || held > most {
            world.violated(format!(
                "bought with {in_doubt} payments in doubt and {held} held; {max_doubt} and {most} are allowed"
            ));
        }
        let endpoint = endpoint_of(&new.request.url);
        let taken = self.had_taken(&new.request.url);
        let host = new.request.url.host_str().unwrap_or_default();
        let rejected = self.disk.rejected.borrow();
        let rejects = rejected.iter().filter_map(|key| payments.get(key)).find(|one| one.host == host);
        let is_shut = taken >= max_undelivered && world.our_clock_is_right();
        if (is_shut || rejects.is_some()) && !self.disk.trusts(host, intent.payment()) {
            world.violated(format!(
                "{endpoint} had taken {taken} payments, and gets one more without a word; rejected {:?}",
                rejects.map(|one| one.hash)
            ));
        }
    }

    /// What a record says that was committed.
    fn check(&self, record: &Record, committed: &Committed) {
        if let (Record::Intend(new), Committed::Intent(intent)) = (record, committed) {
            self.check_bounds(new, intent);
            self.check_choice(new);
            self.check_token(new, intent);
        }
        if let (Record::Delivered { payment, .. } | Record::DeliveredAtOnce { payment, .. }, Committed::Done) =
            (record, committed)
            && let Some(one) = self.disk.payments.borrow().get(payment)
        {
            self.disk.world.shop.borrow_mut().heard_delivered(&one.hash);
        }
    }

    /// No token is bought while another one of that endpoint is being bought, nor while the newest that was is in use and was never
    /// refused; but where another ledger is in the place of the one that knew of it, or a person has said what became of it.
    fn check_token(&self, new: &NewIntent, intent: &DurableIntent) {
        let (world, endpoint) = (&self.disk.world, endpoint_of(&new.request.url));
        if !world.shop.borrow().reuses(&new.request.digest()) {
            return;
        }
        let before = world.shop.borrow_mut().buys_token(&endpoint, *intent.hash());
        let auditor = world.auditor.borrow();
        if auditor.ledgers > 0 || self.disk.was_deleted() {
            return;
        }
        let is_a_persons = |hash: &PaymentHash| auditor.is_excused(hash) || auditor.is_abandoned(hash);
        let is_settled =
            |hash: &&PaymentHash| auditor.attempts().iter().any(|one| one.hash == **hash && one.is_settled());
        let (open, payments) = (self.disk.open.borrow(), self.disk.payments.borrow());
        let others = open.iter().filter(|key| **key != intent.payment()).filter_map(|key| payments.get(key));
        let open = others.map(|one| one.hash).find(|hash| before.contains(hash) && !is_a_persons(hash));
        // Where a person has given the newest purchase up, there is none: those before it were refused, or never delivered by themselves.
        let newest = before.iter().rev().find(is_settled).copied().filter(|_| !before.last().is_some_and(is_a_persons));
        let in_use = newest.filter(|hash| world.shop.borrow().is_in_use(hash) && !is_a_persons(hash));
        drop(auditor);
        if let Some(hash) = open.or(in_use) {
            world.violated(format!("a token of {endpoint} is bought, although {hash} is open, or was never refused"));
        }
    }

    /// Latest takes before a load that it has taken back.
    pub fn note_taken_back(&self, before: &[ResultRow]) {
        let Some(batch) = self.batch.get() else { return };
        let after = verdict::rows(&self.disk.ledger.ledger(), batch);
        for row in before {
            let is_gone = after.iter().any(|now| now.id == row.id && now.take < row.take);
            if is_gone {
                self.disk.world.auditor.borrow_mut().set_aside(&job_name(&self.name, &row.id), row.take);
            }
        }
    }

    /// Takes that are set aside, and will be taken back, if not now, by the next load; but for these, which nobody has accepted.
    pub fn note_set_aside(&self, unaccepted: &[String]) {
        let Some(batch) = self.batch.get() else { return };
        for row in verdict::rows(&self.disk.ledger.ledger(), batch) {
            if row.take > 1 && row.reason == Reason::Duplicate && !unaccepted.contains(&row.id) {
                self.disk.world.auditor.borrow_mut().set_aside(&job_name(&self.name, &row.id), row.take);
            }
        }
    }

    /// The ledger carries a record out; now and then its tables refuse what delivers.
    fn apply(&self, now: UnixMs, record: &Record) -> Result<Recorded, LedgerError> {
        let disk = self.disk;
        let apply = || disk.apply(&self.name, now, record.clone());
        let is_delivery = matches!(record, Record::DeliveredAtOnce { .. });
        let Some(file) = disk.file.as_ref().filter(|file| is_delivery && file.strikes(3)) else { return apply() };
        let recorded = file.refusing_deliveries(apply);
        let is_kept = matches!(&recorded, Ok(Recorded { committed: Committed::Answer(_), .. }));
        disk.world.saw_if(is_kept, Sight::DeliveryRefused);
        recorded
    }

    /// A read. It fails where the disk failed.
    async fn read<T>(&self, read: impl FnOnce(&SqliteLedger) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.expect_whole()?;
        read(&self.disk.ledger.ledger())
    }
}

impl Ledger for Port<'_> {
    async fn commit_in_line(
        &self,
        now: UnixMs,
        record: Record,
        in_line: impl FnOnce(),
    ) -> Result<Recorded, LedgerError> {
        let (disk, world) = (self.disk, &self.disk.world);
        world.point("before a commit").await;
        // The gathering delay of a group commit.
        sleep(world, world.between(0, 8)).await;
        self.expect_whole()?;
        if disk.is_full() {
            world.saw(Sight::DiskWasFull);
            return Err(self.fail("it is full"));
        }
        let fails = disk.fails_now();
        if fails == Some(Moment::Before) {
            world.saw(Sight::DiskFailedBefore);
            return Err(self.fail("it failed before a commit"));
        }
        let answers_all = disk.lie == Lie::AllSendsAnswered && matches!(record, Record::SendAnswered { .. });
        if let Some(file) = disk.file.as_ref().filter(|_| self.meddled) {
            file.perhaps_delete(world);
        }
        let record = self.as_written(record);
        let Recorded { mut committed, transition } = self.apply(now, &record)?;
        in_line();
        self.check(&record, &committed);
        if disk.lie == Lie::PollGoneIsLost
            && matches!(&record, Record::Undelivered { end, .. } if end.state == JobState::Lost)
        {
            return Err(self.fail("whoever has given a job up asks for it no more"));
        }
        if let Record::Ended(_, JobEnd { reason: Reason::Duplicate, .. }) = &record {
            self.note_set_aside(&[]);
        }
        while answers_all
            && matches!(&committed, Committed::Intent(intent) if intent.sends_answered() < intent.sends_begun())
        {
            committed = disk.apply(&self.name, now, record.clone())?.committed;
        }
        world.note(|| format!("committed {} -> {committed:?}", name(&record)));
        let moves_money = matches!(
            record,
            Record::Intend(_)
                | Record::Paid { .. }
                | Record::Posted(..)
                | Record::Dead { .. }
                | Record::Refund(_, RefundRecord::Settled { .. })
        );
        if moves_money {
            disk.check_limits();
        }
        if let Some(file) = &disk.file {
            file.perhaps_read(world, &disk.ledger.ledger(), self.batch.get());
        }
        if fails == Some(Moment::After) {
            world.saw(Sight::DiskFailedAfter);
            return Err(self.fail("it failed after a commit"));
        }
        world.point("after a commit").await;
        Ok(Recorded { committed, transition })
    }

    async fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        self.read(|ledger| ledger.open_jobs(batch)).await
    }

    async fn claim(&self, batch: BatchKey, most: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.read(|ledger| self.claimed.borrow_mut().claim(ledger, batch, most)).await
    }

    async fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        self.read(|ledger| ledger.request(payment)).await
    }

    async fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        if self.disk.lie == Lie::NoWitness {
            return Ok(HistoryCheck { settled: Vec::new(), is_earlier: true });
        }
        self.read(|ledger| ledger.history_check(node, payment)).await
    }

    async fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        self.read(|ledger| ledger.knows_settlement(node)).await
    }

    async fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        self.read(|ledger| ledger.identical_request(job, digest)).await
    }

    async fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        self.read(|ledger| ledger.bought_elsewhere(job, digest, network)).await
    }

    async fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        let mut prospect = prospect.clone();
        self.forget_bounds(&prospect.url.clone(), &mut prospect.bounds);
        self.read(|ledger| ledger.held_back(now, &prospect)).await
    }

    async fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        if self.disk.lie == Lie::TokensUnknown {
            return Ok(TokenAt::None);
        }
        self.read(|ledger| ledger.token(job, url, network)).await
    }

    async fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.read(|ledger| ledger.open_refunds(batch)).await
    }

    async fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.read(|ledger| ledger.refund(payment)).await
    }
}

impl Deliveries for Port<'_> {
    async fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        self.read(|ledger| ledger.to_download(batch, which, after, limit)).await
    }

    async fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError> {
        self.read(|ledger| ledger.is_file_of_another(job, file)).await
    }

    async fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        self.read(|ledger| ledger.delivery(job)).await
    }

    async fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError> {
        self.read(|ledger| ledger.credential(job)).await
    }
}
