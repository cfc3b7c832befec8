//! One world from beginning to end: processes that begin, stop and begin again; then the faults stop, and the auditor looks.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use l402_batch::ledger::{BatchKey, OriginCaps, Reopening, Retake};
use l402_batch::life::Bounds;
use l402_batch::manifest::ResultsRow;
use l402_batch::money::Msat;
use l402_batch::plan::Policy;
use l402_batch::purchase::{JobState, Reason};
use l402_batch::run::{Budget, CREDENTIAL_LIFE_MS, NODE_PATIENCE_MS, PAYMENT_PATIENCE_MS, Settings};

use super::coverage::{SIGHTS, Sight};
use super::disk::{Disk, Moment};
use super::faults::{ALL, Fault, Faults};
use super::files::FOLDER;
use super::ledger_file::LedgerFile;
use super::liars::Liar;
use super::origin::SimOrigin;
use super::payer::SimPayer;
use super::plan::Plan;
use super::process::{Command, Order};
use super::rng::Rng;
use super::script::Script;
use super::timeline::{Timed, pass};
use super::verdict;
use super::world::{Stop, World};

/// Rounds after the faults have stopped within which every job must have come to an end.
const CALM_ROUNDS_MAX: usize = 40;
pub const HOUR_MS: i64 = 3_600_000;

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
    pub script: Script,
    /// A restless person lives in each of these worlds, not only where the seed has one.
    pub restless: bool,
    /// Its ledger lies in a file, is restored and deleted, and nothing is fetched.
    pub restored: bool,
    /// Several takes of jobs may be planned in it.
    pub planned_takes: bool,
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
    /// How often each fault struck, and what really happened.
    pub struck: [u64; ALL.len()],
    pub seen: [u64; SIGHTS.len()],
    /// How many jobs stand how at the end.
    pub ends: BTreeMap<(JobState, Reason), u64>,
}

/// A batch as the user sees it.
pub struct Batch {
    pub name: String,
    pub plan: Plan,
    pub key: Option<BatchKey>,
    pub settings: Settings,
    /// What the next run is to buy once more.
    pub retake: Retake,
    /// Takes that a person has ever rejected, by their job's id.
    pub rejected: BTreeMap<String, BTreeSet<u32>>,
    /// It says that duplicates are meant.
    pub means_duplicates: bool,
    /// Words for an origin that gets no more payments, as the last run has named them.
    pub words: Vec<String>,
    /// The rows of the results file that is run in the manifest's place.
    pub papers: Vec<ResultsRow>,
    /// By which name the world knows each id that was handed in.
    pub names: BTreeMap<String, String>,
}

impl Batch {
    pub fn new(name: String, plan: Plan, settings: Settings) -> Self {
        Self {
            name,
            plan,
            key: None,
            settings,
            retake: Retake::default(),
            rejected: BTreeMap::new(),
            means_duplicates: false,
            words: Vec::new(),
            papers: Vec::new(),
            names: BTreeMap::new(),
        }
    }
}

pub struct Life {
    pub world: Rc<World>,
    pub rng: Rng,
    pub disk: Disk,
    pub payer: SimPayer,
    pub origin: SimOrigin,
    pub liar: Liar,
    pub batches: Vec<Batch>,
    pub processes: usize,
    /// The job of which a script has said the word for one purchase more.
    pub said: Option<String>,
    /// The dice of a restless person, in a world that has one.
    pub people: Option<Rng>,
    /// The dice of a person who runs results and speaks of what was paid for, in a world that has one.
    pub acts: Option<Rng>,
    /// The dice of a person who looks at what came and rejects some of it, in a world that has one.
    pub viewer: Option<Rng>,
    /// The dice of a person who plans several takes of jobs, in a world that has one.
    pub takes: Option<Rng>,
    /// How results are fetched into files, in a world where they are.
    pub download_setup: Option<l402_batch::download::Settings>,
}

/// Lives one life.
pub fn live(options: &Options) -> Story {
    let mut life = Life::new(options);
    let (first_points, first_commits) = match options.script {
        Script::Drawn => life.rounds(options),
        Script::Word(stop) => (life.one_word(stop), 0),
        Script::Results(stop) => (life.runs_results(stop), 0),
        Script::Reopens(stop) => (life.reopens_what_is_lost(stop), 0),
    };
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
        seen: life.world.seen(),
        ends: verdict::ends(&life.disk, &life.batches),
    }
}

impl Life {
    fn new(options: &Options) -> Self {
        let mut rng = Rng::new(options.seed, 0);
        let mut faults = Faults::draw(&mut rng);
        faults.draw_own(&mut Rng::new(options.seed, 5));
        for (fault, permille) in options.script.faults().iter().chain(options.more) {
            faults.set(*fault, *permille);
        }
        let world = World::new(options.seed, faults.clone(), options.traced);
        world.note(|| format!("seed {}, faults: {:?}", options.seed, faults.names()));
        world.files.lies.set(options.liar == Liar::LazyFolder);
        let (pays_again, posts_again) = (options.liar == Liar::PayingOrigin, options.liar == Liar::RepeatingOrigin);
        let shows_again = options.liar == Liar::StubbornOrigin;
        let mut life = Self {
            disk: Disk::new(&world, options.liar.lie(), LedgerFile::draw(options.seed, options.restored)),
            payer: SimPayer { world: Rc::clone(&world), liar: options.liar },
            origin: SimOrigin { world: Rc::clone(&world), pays_again, posts_again, shows_again },
            liar: options.liar,
            batches: Vec::new(),
            processes: 0,
            said: None,
            people: people(options),
            acts: acts(options),
            viewer: viewer(options.seed),
            takes: takes(options),
            download_setup: download_setup(options.seed).filter(|_| !options.restored),
            world,
            rng,
        };
        life.draw_batches(options.jobs_max, &mut Rng::new(options.seed, 7));
        life.draw_names();
        life.set_clocks();
        life
    }

    /// Processes, pauses and decisions as the seed has them; returns how many points and commits the first process passed.
    fn rounds(&mut self, options: &Options) -> (u64, u64) {
        let mut first = (0, 0);
        let rounds = 1 + self.rng.below(6);
        for round in 0..rounds {
            let drawn = draw_stop(&mut self.rng);
            let stop = options.first_stop.filter(|_| round == 0).unwrap_or(drawn);
            self.disk.fails_at(options.disk_fails.filter(|_| round == 0));
            self.meddles_with_the_ledger();
            self.disturbed_process(round, stop);
            if round == 0 {
                first = (self.world.points(), self.disk.commits());
            }
            let pause_ms = self.rng.spread_ms(100, 3 * 24 * HOUR_MS);
            pass(&self.world, pause_ms);
            if self.rng.below(3) == 0 {
                self.person_decides();
            }
            if self.rng.below(3) == 0 {
                self.person_trusts();
            }
            self.person_reopens();
        }
        first
    }

    fn draw_batches(&mut self, jobs_max: u64, of_origins: &mut Rng) {
        let rng = &mut self.rng;
        let count = if rng.below(4) == 0 { 2 } else { 1 };
        let mut plans = Vec::new();
        for name in ["june", "july"].into_iter().take(count) {
            let jobs = match rng.below(20) {
                0..=7 => 1,
                8..=15 => 2 + rng.below(3),
                16 | 17 => 5 + rng.below(8),
                18 => 10 + rng.below(21),
                _ => 20 + rng.below(41),
            };
            let mut plan = Plan::draw(rng, name, jobs.min(jobs_max));
            self.takes.iter_mut().for_each(|dice| plan.repeats(dice));
            plans.push((name.to_owned(), plan));
        }
        let worst = plans.iter().map(|(_, plan)| plan.worst_case()).sum::<u64>();
        // Day and month are the same for both: they share them.
        let mut some = |odds| (rng.below(odds) == 0).then(|| Msat::new(worst * (40 + rng.below(60)) / 100));
        let (day, month) = (some(10), some(20));
        let (origins, new_origin) = limits_of_origins(of_origins, worst);
        let mut auditor = self.world.auditor.borrow_mut();
        let of =
            |(host, caps): (&String, &OriginCaps)| (host.clone(), (caps.day.map(Msat::get), caps.month.map(Msat::get)));
        auditor.limits.origins = origins.iter().map(of).collect();
        auditor.limits.new_origin = new_origin.map(Msat::get);
        (auditor.limits.day, auditor.limits.month) = (day.map(Msat::get), month.map(Msat::get));
        for (name, plan) in plans {
            let budget = Budget { day, month, origins: origins.clone(), new_origin, ..Budget::default() };
            let settings = settings(rng, &plan, budget);
            self.batches.push(Batch::new(name, plan, settings));
        }
    }

    /// How a restless person calls rows.
    fn draw_names(&mut self) {
        let Some(people) = &mut self.people else { return };
        self.batches.iter_mut().for_each(|batch| batch.plan.name_rows(people));
    }

    /// The node's clock may be apart by hours; it is never set back by more than the margin that the rules grant. It is
    /// not far ahead: a node that takes every invoice for expired buys nothing, with or without us.
    fn set_clocks(&self) {
        let world = &self.world;
        if world.strikes(Fault::OursApart) {
            world.ours_ahead.set(world.between(-3 * 24 * HOUR_MS, 3 * 24 * HOUR_MS));
        }
        if world.strikes(Fault::NodesApart) {
            world.nodes_ahead.set(world.between(-3 * HOUR_MS, 240_000));
        }
    }

    fn disturbed_process(&mut self, round: u64, stop: Stop) {
        let world = Rc::clone(&self.world);
        let first = usize::try_from(self.rng.below(self.batches.len() as u64)).unwrap_or(0);
        let elsewhere = world.strikes(Fault::OtherNode);
        self.answers(usize::from(elsewhere));
        world.saw_if(elsewhere, Sight::OtherNodeAnswered);
        self.jump_clocks();
        self.swap_nodes();
        let together = self.copies_a_manifest() && round == 0;
        if round > 0 {
            self.runs_results_elsewhere();
        }
        let mut orders = vec![self.order(first, round)];
        // Two processes of two batches, at once: each has its batch's lock, and all share ledger, node, shop and limits.
        if together || (self.batches.len() >= 2 && round > 0 && self.rng.below(2) == 0) {
            self.world.saw_if(together, Sight::CopiesTogether);
            let second = self.another(first);
            let mut second = self.order(second, round);
            second.begins_after = if together { 0 } else { self.rng.spread_ms(1, 600_000) };
            orders.push(second);
            for order in &mut orders {
                order.command = order.command.of_one_batch();
                order.killed_after = (self.rng.below(4) == 0).then(|| self.rng.spread_ms(1, 600_000));
            }
        }
        let mut killed = self.processes(&orders, stop);
        // The same commands again, word for word, until they come to their end.
        let again = |people: &mut Rng| people.below(3) > 0;
        while killed && self.people.as_mut().is_some_and(again) {
            self.world.saw(Sight::SaidAgainAfterKill);
            let pause_ms = self.people.as_mut().map_or(0, |people| people.spread_ms(100, HOUR_MS));
            pass(&self.world, pause_ms);
            let stop = self.people.as_mut().map_or(Stop::Never, draw_stop);
            killed = self.processes(&orders, stop);
        }
    }

    /// Another node answers for a while. It knows none of our payments, and answers nothing with our macaroon.
    fn swap_nodes(&self) {
        let world = &self.world;
        if world.strikes(Fault::OtherNodeMeanwhile) {
            let (after, back) = (world.spread_ms(1, 600_000), world.spread_ms(1_000, 600_000));
            let ours = world.answering.get();
            let swap = |to: usize| {
                move |world: &Rc<World>| {
                    if !world.is_calm() {
                        world.note(|| format!("node {to} answers now"));
                        world.answering.set(to);
                        world.saw(Sight::OtherNodeInBetween);
                    }
                }
            };
            world.timeline().after(after, swap(1 - ours));
            world.timeline().after(after + back, swap(ours));
        }
    }

    fn jump_clocks(&self) {
        let world = &self.world;
        if world.strikes(Fault::OursJumps) {
            let (after, by) = (world.spread_ms(1, 600_000), world.between(-2 * HOUR_MS, 2 * HOUR_MS));
            world.timeline().after(after, move |world| {
                world.note(|| format!("our clock jumps by {by} ms"));
                world.saw(if by < 0 { Sight::OurClockBack } else { Sight::OurClockForward });
                world.ours_ahead.set(world.ours_ahead.get() + by);
            });
        }
        if world.strikes(Fault::NodesJumps) {
            let (after, by) = (world.spread_ms(1, 600_000), world.between(1_000, 100_000));
            let jump = |by: i64| {
                move |world: &Rc<World>| {
                    world.nodes_ahead.set(world.nodes_ahead.get() + by);
                    world.saw(if by < 0 { Sight::NodeClockBack } else { Sight::NodeClockForward });
                }
            };
            world.timeline().after(after, jump(by));
            world.timeline().after(after + 30_000, jump(-by));
        }
    }

    /// The faults stop. From now on every job comes to an end, if need be by a person's word; then the books agree.
    fn calm_down(&mut self) {
        self.world.calm_down();
        self.opens_the_ledger();
        self.merges();
        // A crontab says its words for ever.
        let keeps = self.said.is_some() || self.people.as_mut().is_some_and(|people| people.below(2) == 0);
        if !keeps {
            let nothing = (Retake::default(), false);
            let says_nothing = |batch: &mut Batch| (batch.retake, batch.means_duplicates) = nothing.clone();
            self.batches.iter_mut().for_each(says_nothing);
        }
        self.quiet_rounds(false);
        if self.person_ends_all_doubt() {
            self.quiet_rounds(true);
        }
        self.reopens_at_last();
        verdict::look(&self.world, &self.disk, &self.batches);
        self.look_at_the_word();
        if self.download_setup.is_some() {
            self.world.files.look(&self.world);
        }
    }

    /// Now that nothing goes wrong any more, a person may have all that was given up asked for again; what comes to nothing even
    /// so, that person may take as it was answered.
    fn reopens_at_last(&mut self) {
        let Some(acts) = &mut self.acts else { return };
        let takes = acts.below(2) == 0;
        self.person_reopens_all(Reopening::Retry);
        self.quiet_rounds(true);
        if takes {
            self.person_reopens_all(Reopening::Delivered);
            self.quiet_rounds(true);
        }
    }

    /// Runs again and again, with ever longer pauses, until nothing is left to do; but for what is a person's to decide,
    /// while no person has decided.
    fn quiet_rounds(&mut self, decided: bool) {
        for n in 0..CALM_ROUNDS_MAX {
            self.answers(0);
            for at in 0..self.batches.len() {
                self.processes(&[Order::plain(at, Command::Run)], Stop::Never);
            }
            if self.unfinished(decided).is_empty() {
                return;
            }
            self.person_trusts();
            // What the other node was asked to pay, it alone knows.
            self.answers(1);
            self.processes(&[Order::plain(0, Command::Recover { node: true, all: true })], Stop::Never);
            let hours = match n {
                0 | 1 => 1,
                2 => 2,
                3 => 6,
                4..=11 => 24,
                12..=23 => 8 * 24,
                // Where a limit lets one purchase through a month, each has its month.
                _ => 31 * 24,
            };
            pass(&self.world, hours * HOUR_MS);
        }
        for open in self.unfinished(decided) {
            self.world.violated(format!("no end: {open}"));
        }
    }

    fn unfinished(&self, decided: bool) -> Vec<String> {
        let mut open = verdict::unfinished(&self.world, &self.disk, &self.batches, decided);
        if self.download_setup.is_some() {
            open.extend(verdict::unfetched(&self.world, &self.disk, &self.batches));
        }
        open.extend(self.unheard_word());
        open
    }

    /// This node answers at the address that the user has configured, and it is the one that is meant.
    pub fn answers(&self, node: usize) {
        self.world.answering.set(node);
        self.world.configured.set(node);
    }
}

pub fn draw_stop(rng: &mut Rng) -> Stop {
    match rng.below(5) {
        0 | 1 => Stop::Never,
        2 => Stop::At(rng.below(60)),
        _ => Stop::Chance(u32::try_from(rng.below(20)).unwrap_or(0), u32::try_from(5 + rng.below(150)).unwrap_or(0)),
    }
}

/// In every second world lives a restless person, with dice of its own, so that all other worlds are as they were.
fn people(options: &Options) -> Option<Rng> {
    let mut rng = Rng::new(options.seed, 3);
    (rng.below(2) == 0 || options.restless || options.restored).then_some(rng)
}

/// In every second world a person runs results and speaks of what was paid for; with dice of its own.
fn acts(options: &Options) -> Option<Rng> {
    let mut rng = Rng::new(options.seed, 6);
    (rng.below(2) == 0 || options.restless).then_some(rng)
}

/// In every third world a person looks at what came, with dice of its own.
fn viewer(seed: u64) -> Option<Rng> {
    let mut rng = Rng::new(seed, 8);
    (rng.below(3) == 0).then_some(rng)
}

/// In every fourth world several takes of jobs are planned. Their dice are their own, so that all other worlds are as they were.
fn takes(options: &Options) -> Option<Rng> {
    let mut rng = Rng::new(options.seed, 9);
    (rng.below(4) == 0 && options.planned_takes).then_some(rng)
}

/// In every third world results are fetched. Their dice are their own, so that all other worlds are as they were.
fn download_setup(seed: u64) -> Option<l402_batch::download::Settings> {
    let mut rng = Rng::new(seed, 2);
    (rng.below(3) == 0).then(|| l402_batch::download::Settings {
        folder: FOLDER.to_owned(),
        name: "{id}".parse().expect("a template"),
        in_flight: usize::try_from(1 + rng.below(4)).unwrap_or(1),
        per_second: std::num::NonZeroU32::new(10).filter(|_| rng.below(2) == 0),
        bytes_max: 1 << 20,
        idle_ms: 60_000,
        file_ms_max: 21_600_000,
        room_min: 1 << 20,
        gathered_bytes: usize::try_from(1 + rng.below(2_000)).unwrap_or(1),
        checkpoint_bytes: 1 + rng.below(3_000),
    })
}

/// What single origins may get, in one world of four, and one that has never delivered, in one of six.
fn limits_of_origins(rng: &mut Rng, worst: u64) -> (BTreeMap<String, OriginCaps>, Option<Msat>) {
    let mut some = |odds, least: u64| (rng.below(odds) == 0).then(|| Msat::new(worst * (least + rng.below(80)) / 100));
    let mut origins = BTreeMap::new();
    for host in ["one.example", "two.example"] {
        let caps = OriginCaps { day: some(8, 20), month: some(8, 20), ..OriginCaps::default() };
        if caps.has_sums() {
            origins.insert(host.to_owned(), caps);
        }
    }
    (origins, some(6, 30))
}

pub fn settings(rng: &mut Rng, plan: &Plan, budget: Budget) -> Settings {
    let worst = plan.worst_case();
    let cap = match rng.below(4) {
        0 => None,
        1 => Some(worst * (20 + rng.below(80)) / 100),
        _ => Some(worst),
    };
    let few = |rng: &mut Rng, most: u64| usize::try_from(1 + rng.below(most)).unwrap_or(1);
    Settings {
        jobs_in_flight: few(rng, 8),
        payments_in_flight: few(rng, 4),
        requests_per_second: if rng.below(3) == 0 { None } else { std::num::NonZeroU32::new(10) },
        max_doubt: few(rng, 16),
        max_undelivered: u32::try_from(few(rng, 5)).unwrap_or(1),
        is_play: false,
        wait_doubt_ms: 1_000 + rng.below(120_000),
        budget: Budget { batch: cap.map(Msat::new), ..budget },
        node_patience_ms: NODE_PATIENCE_MS,
        payment_patience_ms: PAYMENT_PATIENCE_MS,
        credential_life_ms: CREDENTIAL_LIFE_MS,
        invoice_life_ms_max: 8 * 24 * 3_600_000,
        // No die is thrown for it: what is spent without a limit decides.
        exact_price: cap.is_none(),
        fees: Policy { fee_floor: plan.fee_ceiling(), ..Policy::default() },
        only: None,
        limit: None,
        prices: std::collections::BTreeMap::new(),
        bounds: Bounds::default(),
    }
}
