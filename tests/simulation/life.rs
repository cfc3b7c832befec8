//! One world from beginning to end: processes that begin, stop and begin again; then the faults stop, and the auditor looks.

use std::collections::BTreeMap;
use std::rc::Rc;

use l402_batch::event::{Event, Listener};
use l402_batch::ledger::sqlite::{NewBatch, Retake};
use l402_batch::ledger::{BatchKey, JobState, Reason};
use l402_batch::money::Msat;
use l402_batch::payer::{NodeInfo, Payer};
use l402_batch::plan::PlannedJob;
use l402_batch::run::{Budget, Clock, Control, Controller, DrainCause, Outcome, Run, RunError, Settings};
use l402_batch::time::UnixMs;

use super::disk::{Disk, Lie, Moment};
use super::faults::{ALL, Fault, Faults};
use super::origin::SimOrigin;
use super::payer::SimPayer;
use super::plan::{self, Plan};
use super::rng::Rng;
use super::timeline::{Driven, Timed, drive, pass, sleep};
use super::verdict;
use super::world::{Stop, World};

/// A process that takes more wake-ups than this goes on for ever.
const STEPS_MAX: u64 = 400_000;
/// Rounds after the faults have stopped within which every job must have come to an end.
const CALM_ROUNDS_MAX: usize = 40;
const HOUR_MS: i64 = 3_600_000;

/// Who lies in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liar {
    Nobody,
    /// A ledger that hands out the intent before committing it.
    EagerLedger,
    /// A ledger that takes one answered send for all, so that FAILED is final while a send is unanswered.
    ForgivingLedger,
    /// A payer that maps not-found to failed.
    ForgetfulPayer,
    /// An origin adapter that reads a 402 on redeeming as a reason to pay again.
    PayingOrigin,
}

/// What is to be lived through.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    /// Where the first process stops; by chance where it is not said.
    pub first_stop: Option<Stop>,
    /// The disk fails at the n-th commit of the first process, before it or after it.
    pub disk_fails: Option<(u64, Moment)>,
    /// Faults that strike in each of these worlds, beside those that the seed draws: in a thousand.
    pub more: &'static [(Fault, u32)],
    /// At most so many jobs.
    pub jobs_max: u64,
    pub liar: Liar,
    pub traced: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Story {
    pub violations: Vec<String>,
    /// Points that the first process passed.
    pub first_points: u64,
    /// Commits that it made.
    pub first_commits: u64,
    pub trace: Vec<String>,
    pub settled: usize,
    pub processes: usize,
    /// How often each fault struck.
    pub struck: [u64; ALL.len()],
    /// How many jobs stand how at the end.
    pub ends: BTreeMap<(JobState, Reason), u64>,
}

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

impl Listener for Ear {
    fn hear(&self, event: &Event) {
        self.0.note(|| match event {
            Event::Job(job) => format!("event: {} {:?} {:?}", job.id, job.state, job.reason),
            other => format!("event: {other:?}"),
        });
    }
}

/// What the user does.
#[derive(Clone, Copy, Debug)]
enum Command {
    Run,
    /// Recover with the node, or without one; of this batch, or of all.
    Recover {
        node: bool,
        all: bool,
    },
}

/// A batch as the user sees it.
pub struct Batch {
    pub name: String,
    pub plan: Plan,
    pub key: Option<BatchKey>,
    pub settings: Settings,
    /// What the next run is to buy once more.
    retake: Retake,
}

struct Life {
    world: Rc<World>,
    rng: Rng,
    disk: Disk,
    payer: SimPayer,
    origin: SimOrigin,
    clock: SimClock,
    ear: Ear,
    batches: Vec<Batch>,
    processes: usize,
}

/// Lives one life.
pub fn live(options: &Options) -> Story {
    let mut life = Life::new(options);
    let (mut first_points, mut first_commits) = (0, 0);
    let rounds = 1 + life.rng.below(6);
    for round in 0..rounds {
        let drawn = life.draw_stop();
        let stop = options.first_stop.filter(|_| round == 0).unwrap_or(drawn);
        life.disk.fails_at(options.disk_fails.filter(|_| round == 0));
        life.disturbed_process(round, stop);
        if round == 0 {
            (first_points, first_commits) = (life.world.points(), life.disk.commits());
        }
        let pause_ms = life.rng.spread_ms(100, 3 * 24 * HOUR_MS);
        pass(&life.world, pause_ms);
    }
    life.calm_down();
    let auditor = life.world.auditor.borrow();
    Story {
        violations: auditor.violations().to_vec(),
        first_points,
        first_commits,
        trace: life.world.take_trace(),
        settled: auditor.attempts().iter().filter(|attempt| attempt.is_settled()).count(),
        processes: life.processes,
        struck: life.world.struck(),
        ends: verdict::ends(&life.disk, &life.batches),
    }
}

impl Life {
    fn new(options: &Options) -> Self {
        let mut rng = Rng::new(options.seed, 0);
        let mut faults = Faults::draw(&mut rng);
        for (fault, permille) in options.more {
            faults.set(*fault, *permille);
        }
        let world = World::new(options.seed, faults.clone(), options.traced);
        world.note(|| format!("seed {}, faults: {:?}", options.seed, faults.names()));
        let lie = match options.liar {
            Liar::EagerLedger => Lie::IntentBeforeCommit,
            Liar::ForgivingLedger => Lie::AllSendsAnswered,
            Liar::Nobody | Liar::ForgetfulPayer | Liar::PayingOrigin => Lie::None,
        };
        let absent_is_failed = options.liar == Liar::ForgetfulPayer;
        let pays_again = options.liar == Liar::PayingOrigin;
        let mut life = Self {
            disk: Disk::new(&world, lie),
            payer: SimPayer { world: Rc::clone(&world), absent_is_failed },
            origin: SimOrigin { world: Rc::clone(&world), pays_again },
            clock: SimClock(Rc::clone(&world)),
            ear: Ear(Rc::clone(&world)),
            batches: Vec::new(),
            processes: 0,
            world,
            rng,
        };
        life.draw_batches(options.jobs_max);
        life.set_clocks();
        life
    }

    fn draw_batches(&mut self, jobs_max: u64) {
        let rng = &mut self.rng;
        let batches = if rng.below(8) == 0 { 2 } else { 1 };
        let mut most = Some(0);
        for n in 0..batches {
            let name = ["june", "july"][n].to_owned();
            let jobs = match rng.below(10) {
                0..=3 => 1,
                4..=7 => 2 + rng.below(3),
                8 => 5 + rng.below(8),
                _ => 10 + rng.below(21),
            };
            let plan = Plan::draw(rng, &name, jobs.min(jobs_max));
            let settings = settings(rng, &plan);
            most = most.zip(settings.budget.batch).map(|(sum, cap): (u64, Msat)| sum + cap.get());
            self.batches.push(Batch { name, plan, key: None, settings, retake: Retake::default() });
        }
        self.world.auditor.borrow_mut().budget = most.map(Msat::new);
    }

    /// The node's clock may be apart by hours; it is never set back by more than the margin that the rules grant.
    fn set_clocks(&self) {
        let world = &self.world;
        if world.strikes(Fault::OursApart) {
            world.ours_ahead.set(world.between(-3 * 24 * HOUR_MS, 3 * 24 * HOUR_MS));
        }
        if world.strikes(Fault::NodesApart) {
            world.nodes_ahead.set(world.between(-3 * HOUR_MS, 240_000));
        }
    }

    fn draw_stop(&mut self) -> Stop {
        let rng = &mut self.rng;
        match rng.below(5) {
            0 | 1 => Stop::Never,
            2 => Stop::At(rng.below(60)),
            _ => {
                Stop::Chance(u32::try_from(rng.below(20)).unwrap_or(0), u32::try_from(5 + rng.below(150)).unwrap_or(0))
            }
        }
    }

    fn disturbed_process(&mut self, round: u64, stop: Stop) {
        let world = Rc::clone(&self.world);
        let at = usize::try_from(self.rng.below(self.batches.len() as u64)).unwrap_or(0);
        if round > 0 && self.rng.below(4) == 0 {
            self.batches[at].plan.edit(&mut self.rng);
        }
        let ids = (self.rng.below(8) == 0).then(|| self.batches[at].plan.any_id(&mut self.rng));
        self.batches[at].retake = Retake { ids: ids.into_iter().collect(), changed: self.rng.below(12) == 0 };
        let command = match self.rng.below(8) {
            _ if round == 0 => Command::Run,
            0 => Command::Recover { node: true, all: false },
            1 => Command::Recover { node: self.rng.below(2) == 0, all: self.rng.below(2) == 0 },
            _ => Command::Run,
        };
        world.answering.set(usize::from(world.strikes(Fault::OtherNode)));
        self.jump_clocks();
        let told = (self.rng.below(6) == 0).then(|| (self.rng.spread_ms(1, HOUR_MS), self.rng.below(3)));
        self.process(at, command, stop, told);
    }

    fn jump_clocks(&self) {
        let world = &self.world;
        if world.strikes(Fault::OursJumps) {
            let (after, by) = (world.spread_ms(1, 600_000), world.between(-2 * HOUR_MS, 2 * HOUR_MS));
            world.timeline().after(after, move |world| {
                world.note(|| format!("our clock jumps by {by} ms"));
                world.ours_ahead.set(world.ours_ahead.get() + by);
            });
        }
        if world.strikes(Fault::NodesJumps) {
            let (after, by) = (world.spread_ms(1, 600_000), world.between(1_000, 100_000));
            world.timeline().after(after, move |world| world.nodes_ahead.set(world.nodes_ahead.get() + by));
            world.timeline().after(after + 30_000, move |world| world.nodes_ahead.set(world.nodes_ahead.get() - by));
        }
    }

    /// One process, from its start to its end or to where it stops.
    fn process(&mut self, at: usize, command: Command, stop: Stop, told: Option<(i64, u64)>) {
        self.processes += 1;
        let world = Rc::clone(&self.world);
        world.note(|| format!("a process begins: {command:?} {}, stops {stop:?}", self.batches[at].name));
        world.begin_process(stop);
        let jobs = self.batches[at].plan.resolve(&world);
        let (controller, control) = Controller::new();
        if let Some((after, how)) = told {
            world.timeline().after(after, move |_| match how {
                0 => controller.drain(DrainCause::Interrupted),
                1 => controller.drain(DrainCause::Deadline),
                _ => controller.leave(),
            });
        }
        let mut key = self.batches[at].key;
        let driven = drive(&world, self.main(at, command, control, &jobs, &mut key), STEPS_MAX);
        self.batches[at].key = key;
        world.note(|| format!("the process ends: {driven:?}"));
        let crashed = matches!(driven, Driven::Stopped);
        match driven {
            Driven::Done(Ok(_)) | Driven::Stopped => {}
            Driven::Done(Err(RunError::Ledger(l402_batch::ledger::LedgerError::Io(_)))) if !world.is_calm() => {}
            Driven::Done(Err(error)) => world.violated(format!("the run ended with {error:?}")),
            Driven::Hangs => world.violated("the run waits for something that never comes".to_owned()),
            Driven::Endless => world.violated("the run goes on and on".to_owned()),
        }
        self.disk.reopen(crashed);
    }

    async fn main(
        &self,
        at: usize,
        command: Command,
        control: Control,
        jobs: &[PlannedJob],
        key: &mut Option<BatchKey>,
    ) -> Result<Outcome, RunError> {
        let batch = &self.batches[at];
        let run = |control| Run {
            ledger: &self.disk,
            payer: Some(&self.payer),
            origin: &self.origin,
            clock: &self.clock,
            listener: &self.ear as &dyn Listener,
            settings: &batch.settings,
            control,
        };
        if let Command::Recover { node, all } = command {
            let payer = node.then_some(&self.payer);
            return Run { payer, ..run(control) }.recover(key.filter(|_| !all)).await;
        }
        // As the command does: one round of recovery, then the plan, then the node, then new purchases.
        if let Some(known) = *key {
            run(Control::one_round()).recover(Some(known)).await?;
        }
        self.world.point("before the plan is loaded").await;
        let begun = self.begin(batch, jobs);
        *key = Some(begun);
        self.world.point("after the plan is loaded").await;
        match self.ready_node().await {
            Some(node) => run(control).buy(begun, node).await,
            None => run(control).recover(Some(begun)).await,
        }
    }

    fn begin(&self, batch: &Batch, jobs: &[PlannedJob]) -> BatchKey {
        let manifest = format!("/jobs/{}.toml", batch.name);
        let begun = self.disk.begin(&NewBatch { name: batch.name.clone(), manifest, sandbox: false, adopt: false });
        if let Some(cap) = batch.settings.budget.batch {
            self.disk.budgets.borrow_mut().insert(begun, cap.get());
        }
        for id in self.disk.load(begun, &batch.retake, jobs) {
            let again = self.world.now();
            if let Some(job) = jobs.iter().find(|job| job.id == id) {
                self.world.note(|| format!("{id} is bought once more"));
                self.world.auditor.borrow_mut().planned(&format!("{id} again at {again}"), plan::digest(job));
            }
        }
        begun
    }

    async fn ready_node(&self) -> Option<NodeInfo> {
        self.payer.node().await.ok().filter(|node| node.synced)
    }

    /// The faults stop. From now on every job comes to an end, and then the books agree.
    fn calm_down(&mut self) {
        self.world.calm_down();
        self.batches.iter_mut().for_each(|batch| batch.retake = Retake::default());
        for n in 0..=CALM_ROUNDS_MAX {
            self.world.answering.set(0);
            for at in 0..self.batches.len() {
                self.process(at, Command::Run, Stop::Never, None);
            }
            if verdict::unfinished(&self.world, &self.disk, &self.batches).is_empty() || n == CALM_ROUNDS_MAX {
                break;
            }
            // What the other node was asked to pay, it alone knows.
            self.world.answering.set(1);
            self.process(0, Command::Recover { node: true, all: true }, Stop::Never, None);
            let hours = [1, 1, 2, 6, 24][n.min(4)];
            pass(&self.world, hours * HOUR_MS);
        }
        verdict::look(&self.world, &self.disk, &self.batches);
    }
}

fn settings(rng: &mut Rng, plan: &Plan) -> Settings {
    let worst = plan.worst_case();
    let cap = match rng.below(4) {
        0 => None,
        1 => Some(worst * (20 + rng.below(80)) / 100),
        _ => Some(worst),
    };
    let day = (rng.below(12) == 0).then(|| Msat::new(worst * (40 + rng.below(60)) / 100));
    Settings {
        jobs_in_flight: usize::try_from(1 + rng.below(8)).unwrap_or(1),
        payments_in_flight: usize::try_from(1 + rng.below(4)).unwrap_or(1),
        requests_per_second: if rng.below(3) == 0 { None } else { std::num::NonZeroU32::new(10) },
        wait_doubt_ms: 1_000 + rng.below(120_000),
        budget: Budget { batch: cap.map(Msat::new), day, ..Budget::default() },
        ..Settings::default()
    }
}
