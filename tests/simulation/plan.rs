//! What is bought in a world: two endpoints, jobs with twins among them, and the edits of a restless user.

use std::convert::Infallible;
use std::sync::Arc;

use l402_batch::catalog::{Catalog, Endpoint, ErrorRule, Method, PriceRule, Priced, Rate, ResultRule, Value};
use l402_batch::money::Msat;
use l402_batch::origin::Request;
use l402_batch::plan::{ContentHash, PlannedJob};
use sha2::{Digest, Sha256};
use url::Url;

use super::rng::Rng;
use super::shop::CACHE_MS;
use super::world::World;

/// A plan, as the user's file has it.
#[derive(Clone)]
pub struct Plan {
    batch: String,
    endpoints: Vec<Arc<Endpoint>>,
    jobs: Vec<Job>,
    fee_ceiling: Msat,
    edits: u32,
}

#[derive(Clone)]
struct Job {
    id: String,
    endpoint: usize,
    prompt: String,
}

fn endpoint(name: &str, host: &str, method: Method, price_sat: u64, bypass: bool) -> Arc<Endpoint> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Arc::new(Endpoint {
        name: name.to_owned(),
        url: Url::parse(&format!("https://{host}/{name}")).expect("a URL"),
        method,
        params: Vec::new(),
        price: PriceRule {
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: Msat::new(price_sat * 1_000) }],
            quantity: None,
            unit: "job".to_owned(),
        },
        result: ResultRule {
            url: words(&["/videoUrl"]),
            poll_url: words(&["/poll_url"]),
            poll_interval_ms: words(&["/poll_interval_ms"]),
            status: words(&["/status"]),
            done: words(&["COMPLETED"]),
            failed: words(&["FAILED"]),
        },
        errors: builtin_errors(),
        dedup_window_s: u32::try_from(CACHE_MS / 1_000).expect("a window"),
        bypass_header: bypass.then(|| "X-No-Cache".to_owned()),
        listing: None,
        allow_http: false,
        source: "the simulation".to_owned(),
        as_of: String::new(),
        defined_in: "built-in".to_owned(),
    })
}

/// The digest of the job's request.
pub fn digest(job: &PlannedJob) -> [u8; 32] {
    let request = Request::build(&job.endpoint, &job.params, |_| Ok::<_, Infallible>(Vec::new()));
    request.expect("a request").digest()
}

impl Plan {
    /// A plan of so many jobs; some are twins.
    pub fn draw(rng: &mut Rng, batch: &str, jobs: u64) -> Self {
        let prices = [40 + rng.below(500), 1 + rng.below(50)];
        let twins = rng.below(3) == 0;
        let bypass = twins && rng.below(2) == 0;
        let endpoints = vec![
            endpoint("film", "one.example", Method::Post, prices[0], bypass),
            endpoint("song", "two.example", Method::Get, prices[1], bypass),
        ];
        let jobs = (0..jobs)
            .map(|n| {
                let content = if twins { rng.below(jobs.div_ceil(2)) } else { n };
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
            _ => self.jobs.push(Job {
                id: format!("{}-new{}", self.batch, self.edits),
                endpoint: 0,
                prompt: format!("{} new {}", self.batch, self.edits),
            }),
        }
    }

    /// The resolved jobs; auditor and shop hear of them.
    pub fn resolve(&self, world: &World) -> Vec<PlannedJob> {
        let jobs: Vec<PlannedJob> = self.jobs.iter().zip(0..).map(|(job, seq)| self.planned(job, seq)).collect();
        for job in &jobs {
            let digest = digest(job);
            world.auditor.borrow_mut().planned(&job.id, digest);
            world.shop.borrow_mut().prices(digest, job.priced.price);
        }
        jobs
    }

    /// One job's id.
    pub fn any_id(&self, rng: &mut Rng) -> String {
        self.jobs[usize::try_from(rng.below(self.jobs.len() as u64)).unwrap_or(0)].id.clone()
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

    fn planned(&self, job: &Job, seq: u64) -> PlannedJob {
        let price = self.price(job);
        PlannedJob {
            seq,
            line: seq + 2,
            id: job.id.clone(),
            endpoint: Arc::clone(&self.endpoints[job.endpoint]),
            params: vec![("prompt".to_owned(), Value::Text(job.prompt.clone()))],
            extra: Vec::new(),
            content: ContentHash(Sha256::digest(format!("{} {}", job.endpoint, job.prompt)).into()),
            priced: Priced { chosen_by: String::new(), rate: price, quantity: 1, price },
            fee_ceiling: self.fee_ceiling,
            max_cost: None,
        }
    }
}

/// The error codes of the built-in endpoints.
fn builtin_errors() -> Vec<ErrorRule> {
    let catalog = Catalog::builtin().expect("a sound catalogue");
    catalog.iter().next().map(|endpoint| endpoint.errors.clone()).unwrap_or_default()
}
