//! Processes: what the user starts, from its start to its end or to where it stops.

use std::collections::BTreeSet;
use std::rc::Rc;

use futures::future::join_all;
use l402_batch::download::{Downloads, Feed, Wanted};
use l402_batch::event::{Event, Listener};
use l402_batch::ledger::sqlite::NewBatch;
use l402_batch::ledger::{BatchKey, LedgerError, Reason};
use l402_batch::payer::{NodeInfo, Payer};
use l402_batch::plan::PlannedJob;
use l402_batch::run::{Clock, Control, Controller, DrainCause, Outcome, Run, RunError};
use l402_batch::time::UnixMs;

use super::coverage::Sight;
use super::disk::{Bounds, Port};
use super::fetching::SimFetch;
use super::files::SimDisk;
use super::life::{HOUR_MS, Liar, Life};
use super::plan::{digest, job_name};
use super::timeline::{Driven, Timed, drive, sleep};
use super::verdict;
use super::world::{Stop, World};

/// Processes that take more wake-ups than this go on for ever.
const STEPS_MAX: u64 = 600_000;

struct SimClock(Rc<World>);

impl Clock for SimClock {
    fn now(&self) -> UnixMs {
        self.0.our_time()
    }

    async fn sleep_ms(&self, ms: u64) {
        sleep(&self.0, i64::try_from(ms).unwrap_or(i64::MAX).min(1_000 * 24 * HOUR_MS)).await;
    }
}

struct Ear(Rc<World>);

/// Who listens, and the downloads beside the run.
struct Both<'a>(&'a Ear, &'a Feed);

impl Listener for Both<'_> {
    fn hear(&self, event: &Event) {
        self.0.hear(event);
        self.1.hear(event);
    }
}

impl Listener for Ear {
    fn hear(&self, event: &Event) {
        if let Event::Paused { cause } = event {
            self.0.saw_if(cause.contains("--max-doubt"), Sight::DoubtPaused);
        }
        self.0.note(|| match event {
            Event::Job(job) => format!("event: {} {:?} {:?}", job.id, job.state, job.reason),
            other => format!("event: {other:?}"),
        });
    }
}

/// What the user does.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    Run,
    /// Recover with the node, or without one; of this batch, or of all. No manifest is read.
    Recover {
        node: bool,
        all: bool,
    },
}

impl Command {
    /// Beside another process: that one has the lock of its own batch.
    pub const fn of_one_batch(self) -> Self {
        match self {
            Self::Run => Self::Run,
            Self::Recover { node, .. } => Self::Recover { node, all: false },
        }
    }
}

/// One process.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Which batch.
    pub at: usize,
    pub command: Command,
    /// It is told to drain or to leave: after so many milliseconds, and how.
    pub told: Option<(i64, u64)>,
    pub begins_after: i64,
    /// It alone is killed then.
    pub killed_after: Option<i64>,
}

impl Order {
    pub const fn plain(at: usize, command: Command) -> Self {
        Self { at, command, told: None, begins_after: 0, killed_after: None }
    }
}

type Ended = Result<Outcome, RunError>;

impl Life {
    /// Processes side by side, until all have ended or the machine stops. Returns whether one of them was killed.
    pub fn processes(&mut self, orders: &[Order], stop: Stop) -> bool {
        self.processes += orders.len();
        let world = Rc::clone(&self.world);
        world.begin_process(stop);
        world.saw_if(orders.len() > 1, Sight::TwoProcesses);
        for order in orders {
            let batch = &self.batches[order.at];
            world.note(|| format!("a process begins: {order:?} {}, stops {stop:?}", batch.name));
        }
        let jobs: Vec<Vec<PlannedJob>> =
            orders.iter().map(|order| self.batches[order.at].plan.resolve(&world)).collect();
        if self.filing.is_some() {
            let ids: Vec<String> = jobs.iter().flatten().map(|job| job.id.clone()).collect();
            world.files.meddle(&world, &ids);
        }
        let keys: Vec<Option<BatchKey>> = orders.iter().map(|order| self.batches[order.at].key).collect();
        self.opens_the_ledger();
        let meddled = self.people.is_some() && self.filing.is_none();
        let ports: Vec<Port<'_>> = orders
            .iter()
            .map(|order| self.disk.open(&self.batches[order.at].name, meddled, self.bounds(order.at)))
            .collect();
        for (port, key) in ports.iter().zip(&keys) {
            port.batch.set(*key);
        }
        let each = orders.iter().zip(&ports).zip(&jobs).map(|((order, port), jobs)| self.process(order, port, jobs));
        let driven = drive(&world, join_all(each), STEPS_MAX);
        let keys: Vec<Option<BatchKey>> = ports.iter().map(|port| port.batch.get()).collect();
        drop(ports);
        world.note(|| format!("the processes end: {driven:?}"));
        for (order, key) in orders.iter().zip(keys) {
            self.batches[order.at].key = key;
        }
        let crashed = matches!(driven, Driven::Stopped);
        let mut killed = crashed;
        match driven {
            Driven::Done(ended) => {
                killed |= ended.iter().any(Option::is_none);
                for (order, ended) in orders.iter().zip(&ended) {
                    let Some(ended) = ended else { continue };
                    judge(&world, ended, self.disk.was_deleted());
                    self.hear_words(order.at, ended);
                }
            }
            Driven::Stopped => {}
            Driven::Hangs => world.violated("the run waits for something that never comes".to_owned()),
            Driven::Endless => world.violated("the run goes on and on".to_owned()),
        }
        world.saw_if(world.any_in_flight(), Sight::LeftInFlight);
        self.disk.closed(crashed);
        world.files.closed(&world, crashed);
        killed
    }

    fn bounds(&self, at: usize) -> Bounds {
        let settings = &self.batches[at].settings;
        Bounds {
            max_undelivered: settings.max_undelivered as usize,
            max_doubt: settings.max_doubt,
            payments_in_flight: settings.payments_in_flight,
        }
    }

    /// One process. None: it was killed.
    async fn process(&self, order: &Order, port: &Port<'_>, jobs: &[PlannedJob]) -> Option<Ended> {
        sleep(&self.world, order.begins_after).await;
        let (controller, control) = Controller::new();
        if let Some((after, how)) = order.told {
            self.world.timeline().after(after, move |world| {
                world.saw(if how > 1 { Sight::LeftAtOnce } else { Sight::Interrupted });
                match how {
                    0 => controller.drain(DrainCause::Interrupted),
                    1 => controller.drain(DrainCause::Deadline),
                    _ => controller.leave(),
                }
            });
        }
        let killed = async {
            match order.killed_after {
                Some(after) => sleep(&self.world, after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = killed => {
                self.world.note(|| format!("the process of batch {} is killed", order.at));
                self.world.saw(Sight::KilledBesideAnother);
                None
            }
            ended = self.command(order, control, port, jobs) => Some(ended),
        }
    }

    async fn command(&self, order: &Order, control: Control, port: &Port<'_>, jobs: &[PlannedJob]) -> Ended {
        let batch = &self.batches[order.at];
        let (clock, ear) = (SimClock(Rc::clone(&self.world)), Ear(Rc::clone(&self.world)));
        let run = |control| Run {
            ledger: port,
            payer: Some(&self.payer),
            origin: &self.origin,
            clock: &clock,
            listener: &ear as &dyn Listener,
            settings: &batch.settings,
            control,
        };
        let known = port.batch.get();
        if let Command::Recover { node, all } = order.command {
            // A batch that has never begun: the command says so and ends.
            if !all && known.is_none() {
                return Ok(Outcome::default());
            }
            self.world.saw(Sight::RecoveredWithoutManifest);
            self.world.saw_if(!node, Sight::RecoveredWithoutNode);
            self.world.saw_if(all, Sight::RecoveredAll);
            let payer = node.then_some(&self.payer);
            let batch = known.filter(|_| !all);
            let feed = Feed::default();
            let both = Both(&ear, &feed);
            let recovery = Run { payer, listener: &both, ..run(control.clone()) };
            return self.beside(recovery.recover(batch), batch, control, port, &feed).await;
        }
        // A ledger that lacks something buys nothing: the command brings on what it can, and says so.
        if self.disk.lacks() {
            return match known {
                Some(known) => run(control).recover(Some(known)).await,
                None => Ok(Outcome::default()),
            };
        }
        // As the command does: one round of recovery, then the plan, then the node, then new purchases.
        if let Some(known) = known {
            run(Control::one_round()).recover(Some(known)).await?;
        }
        self.world.point("before the plan is loaded").await;
        let begun = self.begin(order.at)?;
        port.batch.set(Some(begun));
        let before = verdict::rows(&self.disk.ledger.books(), begun);
        let mut retaken = self.load(order.at, begun, jobs)?;
        // The load itself takes back what repeats an earlier take, or sets it aside for the next one to take back.
        port.note_taken_back(&before);
        port.note_set_aside(&retaken);
        self.world.point("before duplicates are set aside").await;
        let duplicates = self.disk.set_duplicates_aside(begun)?;
        if !duplicates.is_empty() {
            self.world.note(|| format!("duplicates: {duplicates:?}"));
            self.world.saw(Sight::DuplicatesSetAside);
        }
        let means_duplicates = batch.means_duplicates || self.liar == Liar::IdComparer;
        if !means_duplicates {
            // What repeats another purchase is bought once more by no word alone.
            port.note_set_aside(&retaken);
            self.disk.take_back_duplicates(begun)?;
            retaken.retain(|id| !duplicates.contains(id));
        }
        self.world.point("at the question").await;
        let says_no = self.people.as_ref().is_some_and(|_| !self.world.is_calm() && self.world.between(0, 11) == 0);
        if says_no {
            self.world.saw(Sight::SaidNo);
            self.disk.take_back(begun)?;
            port.note_set_aside(&[]);
            self.disk.take_back_duplicates(begun)?;
            return Ok(Outcome::default());
        }
        if batch.means_duplicates {
            self.means(&batch.plan.names(), &duplicates, jobs);
        }
        if self.liar != Liar::ForgottenWord || retaken.is_empty() {
            self.disk.accept(begun, means_duplicates)?;
        }
        for id in retaken {
            self.world.note(|| format!("{id} is bought once more"));
            self.world.saw(Sight::BoughtOnceMore);
            let was_refunded = batch.retake.refunded && self.disk.was_refunded(begun, &id);
            self.world.saw_if(was_refunded, Sight::RefundedBoughtOnceMore);
            self.world.auditor.borrow_mut().accepted(&job_name(&batch.name, &id));
        }
        self.world.point("after the plan is loaded").await;
        let node = self.ready_node().await;
        let feed = Feed::default();
        let both = Both(&ear, &feed);
        let run = Run { listener: &both, ..run(control.clone()) };
        let work = async {
            match node {
                Some(node) => {
                    let outcome = run.buy(begun, node).await?;
                    self.disk.explain(begun, &outcome)?;
                    Ok(outcome)
                }
                None => run.recover(Some(begun)).await,
            }
        };
        self.beside(work, Some(begun), control, port, &feed).await
    }

    /// Files are fetched beside the work and after it, where this world fetches any; as the command does.
    async fn beside(
        &self,
        work: impl Future<Output = Ended>,
        batch: Option<BatchKey>,
        control: Control,
        port: &Port<'_>,
        feed: &Feed,
    ) -> Ended {
        let Some((settings, batch)) = self.filing.as_ref().zip(batch) else { return work.await };
        let (clock, ear) = (SimClock(Rc::clone(&self.world)), Ear(Rc::clone(&self.world)));
        let (fetch, disk) = (SimFetch(Rc::clone(&self.world)), SimDisk(Rc::clone(&self.world)));
        let downloads = Downloads {
            ledger: port,
            fetch: &fetch,
            disk: &disk,
            clock: &clock,
            listener: &ear,
            settings,
            control,
            feed,
        };
        let work = async {
            let ended = work.await;
            match ended {
                Ok(_) => feed.end(),
                Err(_) => feed.abandon(),
            }
            ended
        };
        let (ended, fetched) = futures::join!(work, downloads.run(batch, Wanted::OfRun));
        let outcome = ended?;
        fetched?;
        self.disk.ledger.books().explain_undownloaded(batch)?;
        Ok(outcome)
    }

    fn begin(&self, at: usize) -> Result<BatchKey, LedgerError> {
        let batch = &self.batches[at];
        let manifest = format!("/jobs/{}.toml", batch.name);
        let begun = self.disk.begin(&NewBatch { name: batch.name.clone(), manifest, sandbox: false, adopt: false })?;
        if let Some(cap) = batch.settings.budget.batch {
            self.world.auditor.borrow_mut().limits.batches.insert(batch.name.clone(), cap.get());
        }
        Ok(begun)
    }

    /// Loads the plan with the words that the command holds, and gives back the ids that are bought once more.
    fn load(&self, at: usize, begun: BatchKey, jobs: &[PlannedJob]) -> Result<Vec<String>, LedgerError> {
        let batch = &self.batches[at];
        let mut retake = batch.retake.clone();
        for (name, job) in batch.plan.names().into_iter().zip(jobs) {
            let request = digest(job);
            let mut auditor = self.world.auditor.borrow_mut();
            auditor.word_for_other(&name, &request, retake.changed, retake.refunded);
            for take in retake.takes.get(&job.id).into_iter().flatten() {
                auditor.word(&name, &format!("@{take}"), &request);
            }
        }
        if self.liar == Liar::EagerCommand {
            retake.takes.extend(jobs.first().map(|job| (job.id.clone(), BTreeSet::from([1]))));
        }
        if self.liar == Liar::RepeatingWord {
            // Whatever take the word names, it takes it for the latest.
            retake.takes.values_mut().for_each(|takes| takes.extend(1..=99));
        }
        self.world.note(|| format!("loads with {retake:?}"));
        self.disk.load(begun, &retake, jobs)
    }

    /// The person says that these duplicates are meant.
    fn means(&self, names: &[String], duplicates: &[String], jobs: &[PlannedJob]) {
        for (name, job) in names.iter().zip(jobs).filter(|(_, job)| duplicates.contains(&job.id)) {
            self.world.note(|| format!("{name} is meant although it is bought elsewhere"));
            self.world.saw(Sight::DuplicateMeant);
            self.world.auditor.borrow_mut().word(name, "although it is bought elsewhere", &digest(job));
        }
    }

    /// The node, where it is the one whose macaroon the user has given: no other lets a run begin.
    async fn ready_node(&self) -> Option<NodeInfo> {
        let meant = self.world.nodes[self.world.configured.get()].borrow().id.clone();
        self.payer.node().await.ok().filter(|node| node.synced && node.id == meant)
    }
}

fn judge(world: &World, ended: &Ended, deleted: bool) {
    match ended {
        Ok(outcome) => {
            let held = |reason| outcome.held_back.iter().any(|held| held.reason == reason);
            world.saw_if(held(Reason::BreakerOpen), Sight::BreakerOpened);
            let limit = outcome.limit_reached.as_ref().map(|(reason, _)| *reason);
            world.saw_if(limit == Some(Reason::BatchLimit), Sight::BatchLimitReached);
            world.saw_if(limit == Some(Reason::DayLimit), Sight::DayLimitReached);
            world.saw_if(limit == Some(Reason::MonthLimit), Sight::MonthLimitReached);
        }
        Err(RunError::Ledger(LedgerError::Io(_))) if !world.is_calm() || deleted => {}
        Err(error) => world.violated(format!("the run ended with {error:?}")),
    }
}
