//! What is bought in a world: two endpoints, jobs with identical requests among them, and the edits of a restless user.

use std::convert::Infallible;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use l402_batch::catalog::{
    Catalog, CredentialRule, Endpoint, ErrorRule, Method, Param, ParamKind, Place, PriceRule, Priced, Rate, RedeemRule,
    ResultRule, Scale, Terms, Value,
};
use l402_batch::ledger::ResultRow;
use l402_batch::manifest::normal_id;
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

/// The endpoint of a catalogue that has one more default.
fn with_default(endpoint: &Endpoint) -> Arc<Endpoint> {
    let (name, default) = (MORE.0.to_owned(), Some(Value::Text(MORE.1.to_owned())));
    let params = vec![Param { name, kind: ParamKind::Text, required: false, default, place: Place::Usual }];
    Arc::new(Endpoint { params, ..endpoint.clone() })
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
        }
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
        let held = |job: &Job, id: &String| {
            let same = |row: &&ResultRow| row.id == *id && row.params == params(job, self.more_defaults);
            rows.iter().find(same).map(|row| Job { id: row.id.clone(), ..job.clone() })
        };
        let jobs: Vec<Job> = self.jobs.iter().zip(&ids).filter_map(|(job, id)| held(job, id)).collect();
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
            self.jobs.iter().zip(ids).zip(0..).map(|((job, id), seq)| self.planned(job, id, seq)).collect();
        let mut rows = Vec::new();
        for (name, job) in self.names().iter().zip(&jobs) {
            let digest = digest(job);
            world.auditor.borrow_mut().planned(name, digest);
            let again = job.endpoint.terms.redeem == RedeemRule::Replays;
            world.shop.borrow_mut().prices(digest, {
                let (is_cap, reuses) = (job.endpoint.price.is_cap, job.endpoint.is_reusable());
                Price { most: job.priced.price, is_cap, replays: again, reuses }
            });
            world.note(|| format!("row {name}, {}: {}", job.id, data_encoding::HEXLOWER.encode(&digest[..4])));
            rows.push(digest);
        }
        world.auditor.borrow_mut().purchases.handed_in(&rows);
        jobs
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
        self.ids()[usize::try_from(rng.below(self.jobs.len() as u64)).unwrap_or(0)].clone()
    }

    /// The rows' ids, from the first.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for (row, job) in self.jobs.iter().enumerate() {
            let id = match self.naming {
                Naming::Given => self.accented(&job.id),
                Naming::Rows => format!("{}", row + 1),
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

    fn accented(&self, id: &str) -> String {
        match self.accent {
            None => id.to_owned(),
            Some(Form::Composed) => format!("{COMPOSED}{id}"),
            Some(Form::Decomposed) => format!("{DECOMPOSED}{id}"),
        }
    }

    /// The most that all of it can cost.
    pub fn worst_case(&self) -> u64 {
        self.jobs.iter().map(|job| self.price(job).get() + self.fee_ceiling.get()).sum()
    }

    pub const fn fee_ceiling(&self) -> Msat {
        self.fee_ceiling
    }

    fn price(&self, job: &Job) -> Msat {
        self.endpoints[job.endpoint].price.rates[0].rate
    }

    fn content(&self, job: &Job) -> ContentHash {
        content_hash(&self.endpoints[job.endpoint].name, &params(job, self.more_defaults))
    }

    fn planned(&self, job: &Job, id: String, seq: u64) -> PlannedJob {
        let price = self.price(job);
        PlannedJob {
            seq,
            line: seq + 2,
            id,
            endpoint: Arc::clone(&self.endpoints[job.endpoint]),
            params: params(job, self.more_defaults),
            nonce: None,
            extra: Vec::new(),
            content: self.content(job),
            priced: Priced { chosen_by: String::new(), rate: price, quantity: 1, price },
            fee_ceiling: self.fee_ceiling,
            max_cost: None,
        }
    }
}

fn params(job: &Job, more_defaults: bool) -> Vec<(String, Value)> {
    let mut params = vec![("prompt".to_owned(), Value::Text(job.prompt.clone()))];
    if more_defaults {
        params.push((MORE.0.to_owned(), Value::Text(MORE.1.to_owned())));
    }
    params
}

/// The error codes of the built-in endpoints.
fn builtin_errors() -> Vec<ErrorRule> {
    let catalog = Catalog::builtin().expect("a sound catalogue");
    catalog.iter().next().map(|endpoint| endpoint.errors.clone()).unwrap_or_default()
}
