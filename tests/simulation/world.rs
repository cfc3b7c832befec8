//! All that is outside the process: time, dice, the network, two nodes, the shop; and where the process stops.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use l402_batch::time::UnixMs;

use super::auditor::Auditor;
use super::bank::Bank;
use super::coverage::{SIGHTS, Sight};
use super::faults::{ALL, Fault, Faults};
use super::files::Files;
use super::node::Node;
use super::rng::Rng;
use super::shop::Shop;
use super::timeline::{Bell, Timed, Timeline};

/// When every world begins.
pub const BEGINNING: i64 = 1_790_000_000_000;

/// The point at which the POST of a payment has left and nobody has answered.
pub const ON_THE_WAY: &str = "a payment is on its way";

/// Where the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It does not.
    Never,
    /// At the n-th point, from 0.
    At(u64),
    /// By chance at each point: in a thousand, and in a thousand while a payment is open.
    Chance(u32, u32),
}

pub struct World {
    timeline: Timeline<World>,
    pub rng: RefCell<Rng>,
    faults: RefCell<Faults>,
    calm: Cell<bool>,
    pub nodes: [RefCell<Node>; 2],
    /// The nodes have never paid for anybody before.
    pub nodes_are_fresh: bool,
    /// Which of them answers at our node's address.
    pub answering: Cell<usize>,
    /// Of which of them the user has given the macaroon: no other takes a payment for it.
    pub configured: Cell<usize>,
    pub node_bell: Bell,
    pub shop: RefCell<Shop>,
    pub bank: RefCell<Bank>,
    pub files: Files,
    pub auditor: RefCell<Auditor>,
    /// How far our clock and the nodes' are from the world's time.
    pub ours_ahead: Cell<i64>,
    pub nodes_ahead: Cell<i64>,
    stop: Cell<Stop>,
    points: Cell<u64>,
    stopped: Cell<bool>,
    /// Intents that the ledger holds and whose payment is neither paid nor dead.
    pub open_payments: Cell<u64>,
    strikes: RefCell<[u64; ALL.len()]>,
    sights: RefCell<[u64; SIGHTS.len()]>,
    trace: RefCell<Option<Vec<String>>>,
}

impl Timed for World {
    fn timeline(&self) -> &Timeline<Self> {
        &self.timeline
    }
    fn is_stopped(&self) -> bool {
        self.stopped.get()
    }
}

impl World {
    pub fn new(seed: u64, faults: Faults, traced: bool) -> Rc<Self> {
        Rc::new(Self {
            timeline: Timeline::default(),
            rng: RefCell::new(Rng::new(seed, 1)),
            faults: RefCell::new(faults),
            calm: Cell::new(false),
            nodes: [0, 1].map(|number| RefCell::new(Node::new(number, seed % 8 == 7))),
            nodes_are_fresh: seed % 8 == 7,
            answering: Cell::new(0),
            configured: Cell::new(0),
            node_bell: Bell::default(),
            shop: RefCell::new(Shop::new(seed)),
            bank: RefCell::default(),
            files: Files::new(seed),
            auditor: RefCell::default(),
            ours_ahead: Cell::new(0),
            nodes_ahead: Cell::new(0),
            stop: Cell::new(Stop::Never),
            points: Cell::new(0),
            stopped: Cell::new(false),
            open_payments: Cell::new(0),
            strikes: RefCell::new([0; ALL.len()]),
            sights: RefCell::new([0; SIGHTS.len()]),
            trace: RefCell::new(traced.then(Vec::new)),
        })
    }

    pub fn now(&self) -> i64 {
        self.timeline.now()
    }

    pub fn any_in_flight(&self) -> bool {
        self.nodes.iter().any(|node| node.borrow().has_in_flight())
    }

    /// Our clock.
    pub fn our_time(&self) -> UnixMs {
        UnixMs(BEGINNING + self.now() + self.ours_ahead.get())
    }

    /// The nodes' clock, as a `Date` header shows it: in whole seconds.
    pub fn node_time(&self) -> UnixMs {
        UnixMs::from_secs((BEGINNING + self.now() + self.nodes_ahead.get()).div_euclid(1_000))
    }

    /// The origin's clock, which is right.
    pub fn true_time(&self) -> UnixMs {
        UnixMs(BEGINNING + self.now())
    }

    /// Whether this fault strikes now.
    pub fn strikes(&self, fault: Fault) -> bool {
        let rate = self.faults.borrow().rate(fault);
        let struck = self.rng.borrow_mut().permille(rate);
        if struck {
            self.strikes.borrow_mut()[fault as usize] += 1;
            self.note(|| format!("fault {fault:?}"));
        }
        struck
    }

    /// Whether a fault strikes that is drawn by `draw` (below a thousand). No die is thrown, so that it shifts nothing else.
    pub fn strikes_by(&self, fault: Fault, draw: u32) -> bool {
        let struck = draw < self.faults.borrow().rate(fault);
        if struck {
            self.strikes.borrow_mut()[fault as usize] += 1;
            self.note(|| format!("fault {fault:?}"));
        }
        struck
    }

    /// That something really happened.
    pub fn saw(&self, sight: Sight) {
        self.sights.borrow_mut()[sight as usize] += 1;
    }

    pub fn saw_if(&self, condition: bool, sight: Sight) {
        if condition {
            self.saw(sight);
        }
    }

    /// How often each thing happened.
    pub fn seen(&self) -> [u64; SIGHTS.len()] {
        *self.sights.borrow()
    }

    pub fn our_clock_is_right(&self) -> bool {
        self.faults.borrow().our_clock_is_right()
    }

    /// How often each fault has struck.
    pub fn struck(&self) -> [u64; ALL.len()] {
        *self.strikes.borrow()
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        self.faults.replace(Faults::none());
        self.calm.set(true);
        self.ours_ahead.set(0);
        self.note(|| "the faults stop".to_owned());
    }

    pub fn is_calm(&self) -> bool {
        self.calm.get()
    }

    pub fn between(&self, low: i64, high: i64) -> i64 {
        self.rng.borrow_mut().between(low, high)
    }

    pub fn spread_ms(&self, low: i64, high: i64) -> i64 {
        self.rng.borrow_mut().spread_ms(low, high)
    }

    /// A process begins; it will stop there.
    pub fn begin_process(&self, stop: Stop) {
        self.auditor.borrow_mut().redeems.begins();
        self.stop.set(stop);
        self.points.set(0);
        self.stopped.set(false);
    }

    /// Another run begins in the same process.
    pub fn begin_run(&self) {
        self.auditor.borrow_mut().redeems.runs();
    }

    /// How many points the process has passed.
    pub fn points(&self) -> u64 {
        self.points.get()
    }

    /// A point at which the process may stop: before and after each commit, before and after each request. It never
    /// comes back from a stop.
    pub async fn point(&self, what: &str) {
        let at = self.points.get();
        self.points.set(at + 1);
        let stops = match self.stop.get() {
            Stop::Never => false,
            Stop::At(point) => point == at,
            Stop::Chance(idle, open) => {
                let chance = if self.open_payments.get() > 0 { open } else { idle };
                self.rng.borrow_mut().permille(chance)
            }
        };
        if stops {
            self.note(|| format!("the process stops at point {at}, {what}"));
            let open = self.open_payments.get() > 0;
            self.saw(if open { Sight::StoppedOpen } else { Sight::StoppedIdle });
            self.saw_if(what == ON_THE_WAY, Sight::StoppedOnTheWay);
            self.stopped.set(true);
            std::future::pending::<()>().await;
        }
    }

    /// Writes a line of the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut *self.trace.borrow_mut() {
            let now = self.now();
            trace.push(format!("{:>10}.{:03} {}", now / 1_000, now % 1_000, line()));
        }
    }

    pub fn take_trace(&self) -> Vec<String> {
        self.trace.borrow_mut().take().unwrap_or_default()
    }

    /// A promise was broken.
    pub fn violated(&self, what: String) {
        self.note(|| format!("VIOLATED: {what}"));
        self.auditor.borrow_mut().violated(what);
    }
}
