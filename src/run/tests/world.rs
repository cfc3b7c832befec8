//! The scripted world: its clock, its batch, and runs in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

use super::ledger::Stoppable;
use super::node::Node;
use super::shop::Shop;
use super::store::Store;
use crate::catalog::{
    Catalog, Endpoint, ErrorRule, Header, ImageKind, ImageRef, ImageSource, Method, PriceRule, Priced, Rate,
    ResultRule, Scale, Terms, Value,
};
use crate::event::{Event, Listener};
use crate::ledger::port::{Batches, Loading};
use crate::ledger::{BatchKey, BatchStart, Compared, InlineLedger, NewBatch, Retake};
use crate::life::Bounds;
use crate::money::Msat;
use crate::payer::Payer;
use crate::plan::Policy;
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason};
use crate::run::{
    Budget, CREDENTIAL_LIFE_MS, Clock, Control, Controller, NODE_PATIENCE_MS, Outcome, PAYMENT_PATIENCE_MS, Run,
    RunError, Settings,
};
use crate::time::UnixMs;

pub(super) const START: UnixMs = UnixMs(1_790_000_000_000);
pub(super) const PRICE: Msat = Msat::new(500_000);
pub(super) const FEE_CEILING: Msat = Msat::new(10_000);
pub(super) const HOLD: u64 = 510_000;
pub(super) const MINUTE: u64 = 60_000;
pub(super) const HOUR: u64 = 60 * MINUTE;

/// The time of tokio, from a fixed point on.
#[derive(Clone, Copy)]
pub(super) struct FakeClock(Instant);

impl FakeClock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixMs {
        START.plus_ms(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

#[derive(Default)]
pub(super) struct Heard(pub(super) RefCell<Vec<Event>>);

impl Listener for Heard {
    fn hear(&self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

/// What is to be bought: an id, its prompt, its host, and a picture that goes with it.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) id: String,
    pub(super) prompt: String,
    pub(super) host: String,
    pub(super) picture: Option<PathBuf>,
}

pub(super) fn wish(id: &str) -> Wish {
    Wish { id: id.to_owned(), prompt: id.to_owned(), host: "shop.example".to_owned(), picture: None }
}

pub(super) fn wishes(count: usize) -> Vec<Wish> {
    (1..=count).map(|n| wish(&format!("j{n:03}"))).collect()
}

pub(super) struct World {
    pub(super) clock: FakeClock,
    pub(super) shop: Rc<Shop>,
    pub(super) node: Rc<Node>,
    pub(super) ledger: Stoppable,
    pub(super) batch: BatchKey,
    pub(super) heard: Heard,
    pub(super) settings: Settings,
    pub(super) wishes: Vec<Wish>,
}

pub(super) fn endpoint(host: &str) -> Endpoint {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Endpoint {
        name: host.to_owned(),
        url: Url::parse(&format!("https://{host}/film")).unwrap(),
        method: Method::Post,
        params: Vec::new(),
        multipart: false,
        body: None,
        price: PriceRule {
            is_cap: false,
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: PRICE }],
            quantity: None,
            unit: "job".to_owned(),
            scale: Scale::default(),
        },
        result: ResultRule {
            url: list(&["/videoUrl", "/result/url"]),
            poll_url: list(&["/poll_url"]),
            poll_interval_ms: list(&["/poll_interval_ms"]),
            status: list(&["/status"]),
            done: list(&["COMPLETED"]),
            failed: list(&["FAILED"]),
            text: Vec::new(),
            body: false,
        },
        errors: builtin_errors(),
        dedup_window_s: 30,
        // Whoever redeems without it redeems another request.
        headers: vec![Header::text("X-Version", "2")],
        bypass_header: host.starts_with("fresh").then(|| "X-No-Cache".to_owned()),
        nonce: None,
        terms: Terms::default(),
        listing: None,
        allow_http: false,
        source: "a test".to_owned(),
        as_of: "2026-11-20".to_owned(),
        defined_in: "a test".to_owned(),
    }
}

fn planned(wish: &Wish, endpoint: &Arc<Endpoint>) -> PlannedJob {
    let prompt = ("prompt".to_owned(), Value::Text(wish.prompt.clone()));
    let picture = wish.picture.iter().map(|path| {
        let sha256 = HEXLOWER.encode(&Sha256::digest(std::fs::read(path).unwrap()));
        let image = ImageRef { source: ImageSource::File(path.clone()), sha256, kind: ImageKind::Png };
        ("image".to_owned(), Value::Image(Box::new(image)))
    });
    PlannedJob {
        seq: 0,
        line: 1,
        id: wish.id.clone(),
        endpoint: Arc::clone(endpoint),
        params: std::iter::once(prompt).chain(picture).collect(),
        nonce: None,
        extra: Vec::new(),
        content: ContentHash(Sha256::digest(format!("{} {}", wish.host, wish.prompt)).into()),
        priced: Priced { chosen_by: String::new(), rate: PRICE, quantity: 1, price: PRICE },
        fee_ceiling: FEE_CEILING,
        max_cost: None,
    }
}

pub(super) fn begin(ledger: &mut Store, name: &str, wishes: &[Wish]) -> BatchKey {
    begin_on(ledger, name, wishes, Terms::default())
}

fn begin_on(ledger: &mut Store, name: &str, wishes: &[Wish], terms: Terms) -> BatchKey {
    let mut endpoints: BTreeMap<&str, Arc<Endpoint>> = BTreeMap::new();
    for wish in wishes {
        endpoints.entry(&wish.host).or_insert_with(|| Arc::new(Endpoint { terms, ..endpoint(&wish.host) }));
    }
    let jobs = wishes.iter().map(|wish| Ok::<_, Infallible>(planned(wish, &endpoints[wish.host.as_str()])));
    match ledger {
        Store::Sqlite(ledger) => {
            let new =
                NewBatch { name: name.to_owned(), manifest: format!("/{name}.toml"), sandbox: false, adopt: false };
            let batch = match ledger.begin_batch(START, &new).unwrap() {
                BatchStart::New(batch) | BatchStart::Existing(batch) => batch.key,
                other => panic!("{other:?}"),
            };
            ledger.load_plan(batch, START, &Retake::default(), jobs).unwrap();
            batch
        }
        Store::Memory(ledger) => {
            let batch = ledger.begin_batch(name);
            ledger.load_plan(batch, START, &Retake::default(), jobs).unwrap();
            batch
        }
    }
}

/// A batch whose jobs a person means to buy although others have bought the same.
pub(super) fn begin_meant(ledger: &mut Store, name: &str, wishes: &[Wish]) -> BatchKey {
    let batch = begin(ledger, name, wishes);
    ledger.sqlite().set_duplicates_aside(batch, START, &Compared::default()).unwrap();
    ledger.sqlite().mean_duplicates(batch, START, &[]).unwrap();
    batch
}

/// What a test does not set otherwise: no pace, and as much patience as a command has, but two minutes for doubt.
fn settings() -> Settings {
    Settings {
        exact_price: false,
        fees: Policy::default(),
        jobs_in_flight: 64,
        payments_in_flight: 16,
        requests_per_second: None,
        max_undelivered: 3,
        max_doubt: 16,
        is_play: false,
        wait_doubt_ms: 120_000,
        node_patience_ms: NODE_PATIENCE_MS,
        payment_patience_ms: PAYMENT_PATIENCE_MS,
        credential_life_ms: CREDENTIAL_LIFE_MS,
        invoice_life_ms_max: 8 * 24 * 3_600_000,
        only: None,
        limit: None,
        prices: std::collections::BTreeMap::new(),
        budget: Budget::default(),
        bounds: Bounds::default(),
    }
}

impl World {
    /// A shop, a node, and a batch of these jobs. Requests are not paced unless a test says so.
    pub(super) fn new(wishes: &[Wish]) -> Self {
        Self::on(Store::new(), wishes)
    }

    /// The same, with endpoints of these terms.
    pub(super) fn with_terms(wishes: &[Wish], terms: Terms) -> Self {
        Self::begun(Store::new(), wishes, terms)
    }

    pub(super) fn on(ledger: Store, wishes: &[Wish]) -> Self {
        Self::begun(ledger, wishes, Terms::default())
    }

    fn begun(mut ledger: Store, wishes: &[Wish], terms: Terms) -> Self {
        let clock = FakeClock::start();
        let shop = Rc::new(Shop::new(clock));
        let node = Rc::new(Node::new(clock, Rc::clone(&shop)));
        let batch = begin_on(&mut ledger, "june", wishes, terms);
        let settings = settings();
        let ledger = Stoppable::new(InlineLedger::new(ledger));
        Self { clock, shop, node, ledger, batch, heard: Heard::default(), settings, wishes: wishes.to_vec() }
    }

    pub(super) fn ledger(&self) -> std::sync::MutexGuard<'_, Store> {
        self.ledger.inner.ledger()
    }

    /// What every command does first: what ended without spending becomes pending again.
    pub(super) fn load_again(&self) {
        begin(&mut self.ledger(), "june", &self.wishes);
    }

    /// A run of its own: what an earlier one claimed and never bought is to be claimed again.
    fn run(&self, control: Control) -> Run<'_, Stoppable, Node, Shop, FakeClock> {
        self.ledger.claimed.take();
        Run {
            ledger: &self.ledger,
            payer: Some(&self.node),
            origin: &self.shop,
            clock: &self.clock,
            listener: &self.heard,
            settings: &self.settings,
            control,
        }
    }

    /// A run that must end within so many milliseconds of its time.
    pub(super) async fn try_buy(&self, within_ms: u64, control: Control) -> Result<Outcome, RunError> {
        let node = self.node.node().await.unwrap();
        let run = self.run(control);
        match tokio::time::timeout(Duration::from_millis(within_ms), run.buy(self.batch, node)).await {
            Ok(ended) => ended,
            Err(_) => panic!("the run does not end within {within_ms} ms; jobs stand so: {:?}", self.standing()),
        }
    }

    pub(super) async fn buy(&self, within_ms: u64) -> Outcome {
        let (_controller, control) = Controller::new();
        self.try_buy(within_ms, control).await.unwrap()
    }

    pub(super) async fn recover(&self, within_ms: u64) -> Outcome {
        let (_controller, control) = Controller::new();
        let run = self.run(control);
        match tokio::time::timeout(Duration::from_millis(within_ms), run.recover(Some(self.batch))).await {
            Ok(ended) => ended.unwrap(),
            Err(_) => panic!("recovering does not end within {within_ms} ms: {:?}", self.standing()),
        }
    }

    /// How each job stands.
    pub(super) fn standing(&self) -> Vec<(String, JobState, Reason)> {
        let rows = self.ledger().standing(self.batch);
        rows.into_iter().map(|(id, state, reason, _)| (id, state, reason)).collect()
    }

    /// The words of a job.
    pub(super) fn error_of(&self, id: &str) -> String {
        let found = self.ledger().standing(self.batch).into_iter().find(|(known, ..)| known == id);
        found.and_then(|(.., words)| words).unwrap_or_default()
    }

    pub(super) fn state_of(&self, id: &str) -> (JobState, Reason) {
        let found = self.standing().into_iter().find(|(known, ..)| known == id).unwrap();
        (found.1, found.2)
    }

    pub(super) fn in_state(&self, state: JobState) -> usize {
        self.standing().iter().filter(|(_, known, _)| *known == state).count()
    }

    /// Nobody paid twice, and nothing paid is lost: what the node settled is what the ledger holds, to the msat.
    pub(super) fn audit(&self) {
        let settled = self.node.settled_by_prompt();
        for (prompt, count) in &settled {
            let wanted = self.shop.wanted(prompt);
            assert!(*count <= wanted, "{prompt} was paid {count} times and wanted {wanted} times");
        }
        self.shop.bank.audit();
        self.ledger().check_money();
        let counts = self.ledger().counts(self.batch);
        assert!(counts.refunded <= self.shop.bank.received(), "money came back that nobody has received");
        let (amounts, fees) = self.node.spent();
        assert!(amounts.get() <= counts.spent.get() + counts.held.get(), "money went out that nobody knows of");
        if counts.held == Msat::ZERO {
            assert_eq!((counts.spent, counts.fees), (amounts, fees), "the ledger's sums and the node's");
        }
    }

    /// All delivered, each paid exactly once, every msat accounted for.
    pub(super) fn audit_all_delivered(&self) {
        self.audit();
        let standing = self.standing();
        assert!(standing.iter().all(|(_, state, _)| *state == JobState::Delivered), "{standing:?}");
        let settled = self.node.settled_by_prompt();
        let paid: usize = settled.values().sum();
        assert_eq!(paid, standing.len(), "{settled:?}");
        let counts = self.ledger().counts(self.batch);
        assert_eq!(counts.held, Msat::ZERO, "nothing is held at the end");
        assert_eq!(counts.spent.get(), PRICE.get() * u64::try_from(standing.len()).unwrap());
    }
}

/// The error codes of the built-in endpoints.
fn builtin_errors() -> Vec<ErrorRule> {
    let catalog = Catalog::builtin().unwrap();
    catalog.iter().next().map(|endpoint| endpoint.errors.clone()).unwrap_or_default()
}
