//! What is bought in a world: two endpoints, jobs with identical requests among them, and the edits of a restless user.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use l402_batch::catalog::{
    Catalog, CredentialRule, Endpoint, ErrorRule, Method, Param, ParamKind, Place, PriceRule, Priced, Rate, RedeemRule,
    ResultRule, Scale, Terms, Value,
};
use l402_batch::ledger::ResultRow;
use l402_batch::manifest::{Nonce, normal_id};
use l402_batch::money::Msat;
use l402_batch::plan::{ContentHash, PlannedJob, content_hash};
use l402_batch::purchase::Request;
use url::Url;

use super::coverage::Sight;
use super::rng::Rng;
use super::shop::{CACHE_MS, Price};
use super::world::World;

/// A plan, as the user's file has it.
#[derive(Clone)]
pub struct Plan {
    batch: String,
    endpoints: Vec<Arc<Endpoint>>,
    jobs: Vec<Job>,
    naming: Naming,
    /// Ids have an accent: as one letter, or decomposed into two characters.
    accent: Option<Form>,
    /// The catalogue has one more default.
    more_defaults: bool,
    fee_ceiling: Msat,
    edits: u32,
}

#[derive(Clone)]
struct Job {
    id: String,
    endpoint: usize,
    prompt: String,
    /// Its own number, at an endpoint that tells takes apart by one.
    seed: Option<i64>,
    /// How many takes of it are planned.
    takes: u32,
}

/// Where ids come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// They are given.
    Given,
    /// They are the rows' numbers.
    Rows,
    /// There are none: they are made from the contents.
    Made,
}

/// A form of Unicode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Composed,
    Decomposed,
}

const COMPOSED: &str = "\u{e9}";
const DECOMPOSED: &str = "e\u{301}";

/// The name by which the world knows a job: an id is the same in each form.
pub fn job_name(batch: &str, id: &str) -> String {
    format!("{batch}/{}", normal_id(id))
}

fn endpoint(name: &str, host: &str, method: Method, price_sat: u64, bypass: bool) -> Arc<Endpoint> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Arc::new(Endpoint {
        name: name.to_owned(),
        url: Url::parse(&format!("https://{host}/{name}")).expect("a URL"),
        method,
        params: Vec::new(),
        multipart: false,
        body: None,
        price: PriceRule {
            is_cap: is_capped(price_sat),
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: Msat::new(price_sat * 1_000) }],
            quantity: None,
            unit: "job".to_owned(),
            scale: Scale::default(),
        },
        result: ResultRule {
            url: words(&["/videoUrl"]),
            poll_url: words(&["/poll_url"]),
            poll_interval_ms: words(&["/poll_interval_ms"]),
            status: words(&["/status"]),
            done: words(&["COMPLETED"]),
            failed: words(&["FAILED"]),
            text: Vec::new(),
            body: false,
        },
        errors: builtin_errors(),
        dedup_window_s: if reuses(price_sat) { 0 } else { u32::try_from(CACHE_MS / 1_000).expect("a window") },
        headers: Vec::new(),
        bypass_header: (bypass && !reuses(price_sat)).then(|| "X-No-Cache".to_owned()),
        nonce: None,
        // No die is thrown for it: a price decides.
        terms: Terms {
            redeem: if replays(price_sat) { RedeemRule::Replays } else { RedeemRule::Once },
            credential: if reuses(price_sat) { CredentialRule::Reusable } else { CredentialRule::Single },
            ..Terms::default()
        },
        listing: None,
        allow_http: false,
        source: "the simulation".to_owned(),
        as_of: String::new(),
        defined_in: "built-in".to_owned(),
    })
}

/// Whether an endpoint of that price gives a purchase again to whoever redeems again.
const fn replays(price_sat: u64) -> bool {
    price_sat.is_multiple_of(2)
}

/// Whether what one purchase at an endpoint of that price brings is good for further requests.
const fn reuses(price_sat: u64) -> bool {
    price_sat.is_multiple_of(5)
}

/// Whether the price of such an endpoint is the most that its invoices may ask.
const fn is_capped(price_sat: u64) -> bool {
    price_sat.is_multiple_of(3)
}

/// An id for a row without one.
fn made_id(content: &ContentHash) -> String {
    let hash = BASE32_NOPAD.encode(&content.0[..10]).to_ascii_lowercase();
    format!("j{hash}")
}

fn param(name: &str, kind: ParamKind, default: Option<Value>) -> Param {
    Param { name: name.to_owned(), kind, required: false, default, place: Place::Usual }
}

/// The endpoint of a catalogue that has one more default.
fn with_default(endpoint: &Endpoint) -> Arc<Endpoint> {
    let more = param(MORE.0, ParamKind::Text, Some(Value::Text(MORE.1.to_owned())));
    let params = endpoint.params.iter().cloned().chain([more]).collect();
    Arc::new(Endpoint { params, ..endpoint.clone() })
}

/// The endpoint of a catalogue that tells takes of one job apart.
fn with_nonce(endpoint: &Endpoint) -> Arc<Endpoint> {
    let seed = ParamKind::Integer { min: 0, max: 9_999 };
    let params = [param(PROMPT, ParamKind::Text, None), param(SEED, seed, None)];
    let params = params.into_iter().chain(endpoint.params.iter().cloned()).collect();
    Arc::new(Endpoint { params, nonce: Some(SEED.to_owned()), ..endpoint.clone() })
}

const PROMPT: &str = "prompt";
/// By what takes are told apart.
pub const SEED: &str = "seed";
/// What stands behind the id of a row that writes out what another row's take sends.
pub const SAME: &str = "-same";
/// The most takes that are planned of one job.
const TAKES_MAX: u32 = 5;
/// So often may a take be bought, each time by another request.
const BOUGHT_MAX: u32 = 24;

/// Whether that is the id of a planned take after the first, where ids are given.
pub fn is_further_take(id: &str) -> bool {
    id.contains(".t")
}

/// One more parameter of every endpoint, and its default.
const MORE: (&str, &str) = ("quality", "high");

/// The digest of the job's request.
pub fn digest(job: &PlannedJob) -> [u8; 32] {
    let request = Request::build(&job.endpoint, &job.params, |_, _| Ok::<_, Infallible>(()));
    request.expect("a request").digest()
}

impl Plan {
    /// Where the endpoint of that name is.
    pub fn origin_of(&self, endpoint: &str) -> String {
        let known = self.endpoints.iter().find(|known| known.name == endpoint).expect("an endpoint of the catalogue");
        l402_batch::catalog::origin_of(&known.url)
    }

    /// A plan of so many jobs; some are identical requests.
    pub fn draw(rng: &mut Rng, batch: &str, jobs: u64) -> Self {
        let prices = [40 + rng.below(500), 1 + rng.below(50)];
        let identicals = rng.below(3) == 0;
        let bypass = identicals && rng.below(2) == 0;
        let endpoints = vec![
            endpoint("film", "one.example", Method::Post, prices[0], bypass),
            endpoint("song", "two.example", Method::Get, prices[1], bypass),
        ];
        let jobs = (0..jobs)
            .map(|n| {
                let content = if identicals { rng.below(jobs.div_ceil(2)) } else { n };
                Job {
                    id: format!("{batch}-{n}"),
                    endpoint: usize::from(content % 3 == 2),
                    prompt: format!("{batch} {content}"),
                    seed: None,
                    takes: 1,
                }
            })
            .collect();
        Self {
            batch: batch.to_owned(),
            endpoints,
            jobs,
            naming: Naming::Given,
            accent: None,
            more_defaults: false,
            fee_ceiling: Msat::new(1_000 + rng.below(9) * 1_000),
            edits: 0,
        }
    }

    /// The user changes something: a job's content, its place, its being there at all; or adds one.
    pub fn edit(&mut self, rng: &mut Rng) {
        self.edits += 1;
        let at = usize::try_from(rng.below(self.jobs.len() as u64)).unwrap_or(0);
        match rng.below(4) {
            0 => self.jobs[at].prompt = format!("{} edit {}", self.batch, self.edits),
            1 if self.jobs.len() > 1 => drop(self.jobs.remove(at)),
            2 => self.jobs.rotate_left(at),
            _ => {
                let new = self.new_row();
                self.jobs.push(new);
            }
        }
    }

    fn new_row(&self) -> Job {
        Job {
            id: format!("{}-new{}", self.batch, self.edits),
            endpoint: 0,
            prompt: format!("{} new {}", self.batch, self.edits),
            seed: None,
            takes: 1,
        }
    }

    /// Several takes of some jobs are planned, which endpoints tell apart or not; rows have numbers of their own, and one may write out
    /// what another one's take sends.
    pub fn repeats(&mut self, dice: &mut Rng) {
        for endpoint in &mut self.endpoints {
            if dice.below(3) > 0 {
                *endpoint = with_nonce(endpoint);
            }
        }
        let odds = 1 + self.jobs.len() as u64 / 4;
        for job in &mut self.jobs {
            if dice.below(odds) == 0 {
                job.takes = 2 + u32::try_from(dice.below(3)).unwrap_or(0);
            }
            let own = (dice.below(3) == 0).then(|| dice.between(1, 20));
            job.seed = own.filter(|_| self.endpoints[job.endpoint].nonce.is_some());
        }
        let moved = self.jobs.iter().find(|job| job.takes > 1 && self.endpoints[job.endpoint].nonce.is_some());
        if let Some(job) = moved.filter(|_| dice.below(3) == 0) {
            let same = Job { id: format!("{}{SAME}", self.batch), seed: self.seed(job, 2), takes: 1, ..job.clone() };
            self.jobs.push(same);
        }
    }

    /// More takes of a job are planned, or fewer; or from now on an endpoint tells them apart.
    pub fn repeats_otherwise(&mut self, dice: &mut Rng, world: &World) {
        // Rows of a results file name takes themselves.
        if self.jobs.iter().any(|job| is_further_take(&job.id)) {
            return;
        }
        let untold = self.endpoints.iter().position(|endpoint| endpoint.nonce.is_none());
        if let Some(untold) = untold.filter(|_| dice.below(6) == 0) {
            self.endpoints[untold] = with_nonce(&self.endpoints[untold]);
            world.saw(Sight::NonceAdded);
            return;
        }
        let repeated: Vec<usize> = (0..self.jobs.len()).filter(|at| self.jobs[*at].takes > 1).collect();
        if !repeated.is_empty() && dice.below(2) == 0 {
            let job = &mut self.jobs[*dice.pick(&repeated)];
            job.takes -= 1 + u32::try_from(dice.below(u64::from(job.takes) - 1)).unwrap_or(0);
            world.saw(Sight::RepeatLowered);
            return;
        }
        let at = usize::try_from(dice.below(self.jobs.len() as u64)).unwrap_or(0);
        let job = &mut self.jobs[at];
        world.saw_if(job.takes < TAKES_MAX, Sight::RepeatRaised);
        job.takes = TAKES_MAX.min(job.takes + 1 + u32::try_from(dice.below(2)).unwrap_or(0));
    }

    /// The user changes how rows are called, and not what they mean; or puts one on top.
    pub fn rename_rows(&mut self, rng: &mut Rng, world: &World) {
        self.edits += 1;
        match rng.below(4) {
            0 => {
                let new = self.new_row();
                self.jobs.insert(0, new);
                world.saw(Sight::RowPutOnTop);
            }
            1 if self.accent.is_some() => {
                self.other_form();
                world.saw(Sight::IdsInOtherForm);
            }
            2 if !self.more_defaults => {
                self.more_defaults = true;
                self.endpoints.iter_mut().for_each(|endpoint| *endpoint = with_default(endpoint));
                world.saw(Sight::DefaultAdded);
            }
            _ => {
                self.naming = match self.naming {
                    Naming::Given => Naming::Made,
                    Naming::Rows | Naming::Made => Naming::Given,
                };
                world.saw(Sight::IdsAddedOrGone);
            }
        }
    }

    /// The user calls it otherwise from the beginning: by row numbers, without ids, with an accent.
    pub fn name_rows(&mut self, rng: &mut Rng) {
        self.naming = *rng.pick(&[Naming::Given, Naming::Given, Naming::Rows, Naming::Made]);
        self.accent = (rng.below(2) == 0).then_some(Form::Composed);
    }

    fn other_form(&mut self) {
        self.accent = match self.accent {
            None | Some(Form::Decomposed) => Some(Form::Composed),
            Some(Form::Composed) => Some(Form::Decomposed),
        };
    }

    /// The same purchases in a manifest of another name.
    pub fn copied(&self, rng: &mut Rng, name: &str, world: &World) -> Self {
        let mut copy = Self { batch: name.to_owned(), ..self.clone() };
        let how = match rng.below(5) {
            0 => Sight::ManifestRenamed,
            1 => {
                copy.naming = Naming::Given;
                copy.jobs.iter_mut().zip(0..).for_each(|(job, n)| job.id = format!("{name}-{n}"));
                Sight::CopiedWithOtherIds
            }
            2 => {
                copy.naming = Naming::Rows;
                Sight::CopiedWithRowNumbers
            }
            3 => {
                copy.other_form();
                Sight::CopiedDecomposed
            }
            _ => {
                copy.naming = Naming::Made;
                Sight::CopiedWithoutIds
            }
        };
        world.saw(how);
        match rng.below(4) {
            0 => {
                copy.edits += 1;
                let (new, at) = (copy.new_row(), rng.below(2) * copy.jobs.len() as u64);
                copy.jobs.insert(usize::try_from(at).unwrap_or(0), new);
                world.saw(Sight::CopyGrew);
            }
            1 if copy.jobs.len() > 1 => {
                let first = copy.jobs.first().cloned();
                copy.jobs.retain(|_| rng.below(2) == 0);
                if copy.jobs.is_empty() {
                    copy.jobs.extend(first);
                }
                world.saw(Sight::CopyFiltered);
            }
            _ => {}
        }
        copy
    }

    /// What these results hold of it, as a manifest of another name: its rows as they were bought.
    pub fn of_results(&self, name: &str, rows: &[ResultRow]) -> Option<Self> {
        let ids = self.ids();
        let held = |(job, take): (&Job, u32), id: &String| {
            let same = |row: &&ResultRow| row.id == *id && row.params == self.params(job, take);
            let seed = self.seed(job, take);
            rows.iter().find(same).map(|row| Job { id: row.id.clone(), seed, takes: 1, ..job.clone() })
        };
        let jobs: Vec<Job> = self.rows().zip(&ids).filter_map(|((_, job, take), id)| held((job, take), id)).collect();
        let plan = Self { batch: name.to_owned(), jobs, naming: Naming::Given, accent: None, ..self.clone() };
        (!plan.jobs.is_empty()).then_some(plan)
    }

    /// The digest of the request of a job that is stored so.
    pub fn digest_of(&self, endpoint: &str, params: &[(String, Value)]) -> [u8; 32] {
        let endpoint =
            self.endpoints.iter().find(|known| known.name == endpoint).expect("an endpoint of the catalogue");
        let request = Request::build(endpoint, params, |_, _| Ok::<_, Infallible>(()));
        request.expect("a request").digest()
    }

    /// The resolved jobs; auditor and shop hear of them.
    pub fn resolve(&self, world: &World) -> Vec<PlannedJob> {
        let ids = self.ids();
        let jobs: Vec<PlannedJob> =
            self.rows().zip(ids).zip(0..).map(|((row, id), seq)| self.planned(row, id, seq)).collect();
        let (names, mut rows, mut of_rows) = (self.names(), Vec::new(), BTreeMap::new());
        for (name, job) in names.iter().zip(&jobs) {
            let digest = digest(job);
            world.auditor.borrow_mut().planned(name, digest);
            world.shop.borrow_mut().prices(digest, price_of(job));
            for request in self.tells_apart(world, name, job) {
                if let Some(other) = of_rows.insert((job.line, request), name) {
                    world.auditor.borrow_mut().violated(format!("one row's {other} and {name} may send the same"));
                }
            }
            world.note(|| format!("row {name}, {}: {}", job.id, data_encoding::HEXLOWER.encode(&digest[..4])));
            rows.push(digest);
        }
        world.auditor.borrow_mut().purchases.handed_in(&rows);
        jobs
    }

    /// What takes of that job send, each time that it is bought, where they are told apart; auditor and shop hear of it.
    fn tells_apart(&self, world: &World, name: &str, job: &PlannedJob) -> Vec<[u8; 32]> {
        let mut auditor = world.auditor.borrow_mut();
        let digest_of = |params: &[(String, Value)]| self.digest_of(&job.endpoint.name, params);
        let (first, own) = (digest_of(&job.bought_params()), digest(job));
        if job.endpoint.nonce.is_none() {
            auditor.purchases.told_by_nothing(own);
            return Vec::new();
        }
        let all: Vec<_> = (0..BOUGHT_MAX).map(|earlier| digest_of(&job.sent_params(earlier))).collect();
        if !auditor.purchases.is_told_apart(name, &own) {
            auditor.told_apart(name, &first, &all, self.naming != Naming::Made);
            all.iter().for_each(|digest| world.shop.borrow_mut().prices(*digest, price_of(job)));
        }
        all
    }

    /// The names by which the world knows the rows: a row without an id is the same under another default.
    pub fn names(&self) -> Vec<String> {
        // Whatever defaults the catalogue has, the row is the same.
        let plain = Self { more_defaults: false, ..self.clone() };
        plain.ids().iter().map(|id| job_name(&self.batch, id)).collect()
    }

    /// The name by which the world knows a job of that id.
    pub fn name_of(&self, id: &str) -> String {
        let at = self.ids().iter().position(|one| one == id);
        at.map_or_else(|| job_name(&self.batch, id), |at| self.names().swap_remove(at))
    }

    /// One job's id.
    pub fn any_id(&self, rng: &mut Rng) -> String {
        let ids = self.ids();
        ids[usize::try_from(rng.below(ids.len() as u64)).unwrap_or(0)].clone()
    }

    /// The rows' ids, from the first.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for (row, job, take) in self.rows() {
            let behind = if take > 1 { format!(".t{take}") } else { String::new() };
            let id = match self.naming {
                Naming::Given => format!("{}{behind}", self.accented(&job.id)),
                Naming::Rows => format!("{}{behind}", row + 1),
                Naming::Made => made_id(&self.content(job)),
            };
            // As the manifest's reader does it.
            let id = normal_id(&id).into_owned();
            let identical = (2..).map(|n| format!("{id}-{n}")).take_while(|other| ids.contains(other)).count();
            let is_new = self.naming != Naming::Made || !ids.contains(&id);
            ids.push(if is_new { id } else { format!("{id}-{}", identical + 2) });
        }
        ids
    }

    /// Each planned take: of which row it is, counted from 0, of which job, and which take.
    fn rows(&self) -> impl Iterator<Item = (usize, &Job, u32)> {
        let rows = self.jobs.iter().enumerate();
        rows.flat_map(|(row, job)| (1..=job.takes).map(move |take| (row, job, take)))
    }

    fn accented(&self, id: &str) -> String {
        match self.accent {
            None => id.to_owned(),
            Some(Form::Composed) => format!("{COMPOSED}{id}"),
            Some(Form::Decomposed) => format!("{DECOMPOSED}{id}"),
        }
    }

    /// The most that all of it can cost.
    pub fn worst_case(&self) -> u64 {
        let most = |job: &Job| (self.price(job).get() + self.fee_ceiling.get()) * u64::from(job.takes);
        self.jobs.iter().map(most).sum()
    }

    pub const fn fee_ceiling(&self) -> Msat {
        self.fee_ceiling
    }

    fn price(&self, job: &Job) -> Msat {
        self.endpoints[job.endpoint].price.rates[0].rate
    }

    fn content(&self, job: &Job) -> ContentHash {
        content_hash(&self.endpoints[job.endpoint].name, &self.params(job, 1))
    }

    fn planned(&self, (row, job, take): (usize, &Job, u32), id: String, seq: u64) -> PlannedJob {
        let price = self.price(job);
        let endpoint = &self.endpoints[job.endpoint];
        let first = || job.seed.map(Value::Integer);
        let nonce = endpoint.nonce_at().filter(|_| take > 1).map(|param| Box::new(Nonce { param, first: first() }));
        PlannedJob {
            seq,
            line: row as u64 + 2,
            id,
            endpoint: Arc::clone(endpoint),
            params: self.params(job, take),
            nonce,
            extra: Vec::new(),
            content: self.content(job),
            priced: Priced { chosen_by: String::new(), rate: price, quantity: 1, price },
            fee_ceiling: self.fee_ceiling,
            max_cost: None,
        }
    }

    /// The number that a planned take sends.
    fn seed(&self, job: &Job, take: u32) -> Option<i64> {
        let own = job.seed.map(Value::Integer);
        match self.endpoints[job.endpoint].nonce_value(own.as_ref(), take - 1) {
            Some((_, Value::Integer(moved))) if take > 1 => Some(moved),
            _ => job.seed,
        }
    }

    fn params(&self, job: &Job, take: u32) -> Vec<(String, Value)> {
        let mut params = vec![(PROMPT.to_owned(), Value::Text(job.prompt.clone()))];
        params.extend(self.seed(job, take).map(|seed| (SEED.to_owned(), Value::Integer(seed))));
        if self.more_defaults {
            params.push((MORE.0.to_owned(), Value::Text(MORE.1.to_owned())));
        }
        params
    }
}

/// What the shop asks for a job.
fn price_of(job: &PlannedJob) -> Price {
    let replays = job.endpoint.terms.redeem == RedeemRule::Replays;
    let (is_cap, reuses) = (job.endpoint.price.is_cap, job.endpoint.is_reusable());
    Price { most: job.priced.price, is_cap, replays, reuses }
}

/// The error codes of the built-in endpoints.
fn builtin_errors() -> Vec<ErrorRule> {
    let catalog = Catalog::builtin().expect("a sound catalogue");
    catalog.iter().next().map(|endpoint| endpoint.errors.clone()).unwrap_or_default()
}
