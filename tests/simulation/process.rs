//! Processes: what the user starts, from its start to its end or to where it stops.

use std::rc::Rc;

use futures::future::join_all;
use l402_batch::download::{Downloads, Feed, Wanted};
use l402_batch::event::{Event, Listener};
use l402_batch::ledger::port::Downloads as _;
use l402_batch::ledger::{BatchKey, LedgerError};
use l402_batch::payer::{NodeInfo, Payer};
use l402_batch::plan::PlannedJob;
use l402_batch::purchase::Reason;
use l402_batch::run::{Clock, Control, Controller, DrainCause, Outcome, Run, RunError, Settings};
use l402_batch::time::UnixMs;

use super::coverage::Sight;
use super::fetching::SimFetch;
use super::files::SimDisk;
use super::life::{HOUR_MS, Life};
use super::loading::Next;
use super::port::{Bounds, Port};
use super::timeline::{Driven, Timed, drive, sleep};
use super::world::{Stop, World};

/// Processes that take more wake-ups than this go on for ever.
const STEPS_MAX: u64 = 2_400_000;

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
    /// Run a file of results of this batch: its rows choose among the stored jobs. No manifest is read.
    Results,
}

impl Command {
    /// Beside another process: that one has the lock of its own batch.
    pub const fn of_one_batch(self) -> Self {
        match self {
            Self::Run => Self::Run,
            Self::Results => Self::Results,
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
        let jobs: Vec<Vec<PlannedJob>> = orders.iter().map(|order| self.hands_in(order)).collect();
        if self.download_setup.is_some() {
            let ids: Vec<String> = jobs.iter().flatten().map(|job| job.id.clone()).collect();
            world.files.meddle(&world, &ids);
        }
        let keys: Vec<Option<BatchKey>> = orders.iter().map(|order| self.batches[order.at].key).collect();
        self.opens_the_ledger();
        let meddled = self.people.is_some() && self.download_setup.is_none();
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
            self.saw_recovery(node, all);
            let (payer, batch) = (node.then_some(&self.payer), known.filter(|_| !all));
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
            self.world.begin_run();
        }
        self.world.point("before the plan is loaded").await;
        let next = self.next(order, port, known, jobs).await?;
        let (Some(begun), Next::Buys(_) | Next::Recovers) = (port.batch.get(), &next) else {
            return Ok(Outcome::default());
        };
        self.world.point("after the plan is loaded").await;
        let (node, only) = match next {
            Next::Buys(only) => (self.ready_node().await, only),
            Next::Recovers | Next::Ends => (None, None),
        };
        let settings = Settings { only, ..batch.settings.clone() };
        let feed = Feed::default();
        let both = Both(&ear, &feed);
        let run = Run { listener: &both, settings: &settings, ..run(control.clone()) };
        let work = async {
            match node {
                Some(node) => {
                    let outcome = run.buy(begun, node).await?;
                    self.disk.explain(begun, &outcome, settings.only.is_some())?;
                    Ok(outcome)
                }
                None => run.recover(Some(begun)).await,
            }
        };
        self.beside(work, Some(begun), control, port, &feed).await
    }

    fn saw_recovery(&self, node: bool, all: bool) {
        self.world.saw(Sight::RecoveredWithoutManifest);
        self.world.saw_if(!node, Sight::RecoveredWithoutNode);
        self.world.saw_if(all, Sight::RecoveredAll);
    }

    async fn next(
        &self,
        order: &Order,
        port: &Port<'_>,
        known: Option<BatchKey>,
        jobs: &[PlannedJob],
    ) -> Result<Next, LedgerError> {
        match (order.command, known) {
            (Command::Results, Some(known)) => self.chooses(order.at, port, known).await,
            (Command::Results, None) => Ok(Next::Ends),
            (Command::Run | Command::Recover { .. }, _) => self.loads(order.at, port, jobs).await,
        }
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
        let Some((settings, batch)) = self.download_setup.as_ref().zip(batch) else { return work.await };
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
        self.disk.ledger.ledger().explain_undownloaded(batch)?;
        Ok(outcome)
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
            let of_origin = [Reason::OriginDayLimit, Reason::OriginMonthLimit];
            world.saw_if(of_origin.into_iter().any(held), Sight::OriginLimitReached);
            world.saw_if(held(Reason::NewOriginLimit), Sight::NewOriginLimitReached);
            let limit = outcome.limit_reached.as_ref().map(|(reason, _)| *reason);
            world.saw_if(limit == Some(Reason::BatchLimit), Sight::BatchLimitReached);
            world.saw_if(limit == Some(Reason::DayLimit), Sight::DayLimitReached);
            world.saw_if(limit == Some(Reason::MonthLimit), Sight::MonthLimitReached);
        }
        Err(RunError::Ledger(LedgerError::Io(_))) if !world.is_calm() || deleted => {}
        Err(error) => world.violated(format!("the run ended with {error:?}")),
    }
}
