//! Reading the jobs of a plan: a second pass over the manifest, which must still be the one that was planned.

use std::collections::HashMap;

use super::appraise::Appraiser;
use super::fingerprint::Fingerprint;
use super::identity;
use super::identity::MadeKey;
use super::tally;
use super::{Plan, PlannedJob};
use crate::catalog::{Endpoint, Priced, Value};
use crate::diagnostic::Diagnostic;
use crate::manifest::{JobSource, JobSpec};
use crate::money::Msat;

impl Plan {
    /// The jobs, in the manifest's order. Reads the manifest again, in bounded memory; its last item is an error where the
    /// manifest is no longer the one that was planned, so nothing may be done with any job before the end.
    ///
    /// # Errors
    /// Items are errors where the manifest has changed since it was planned. After the first error nothing follows.
    pub fn jobs<'a>(
        &'a self,
        source: &'a dyn JobSource,
    ) -> impl Iterator<Item = Result<PlannedJob, Vec<Diagnostic>>> + 'a {
        Jobs {
            plan: self,
            source,
            specs: Some(source.jobs()),
            appraiser: Appraiser::new(&self.policy),
            content: Vec::new(),
            seen: HashMap::new(),
            fingerprint: Fingerprint::default(),
            seq: 0,
        }
    }
}

struct Jobs<'a> {
    plan: &'a Plan,
    source: &'a dyn JobSource,
    /// None once the end was reached.
    specs: Option<Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + 'a>>,
    appraiser: Appraiser,
    /// The content at hand.
    content: Vec<u8>,
    /// How many of each repeated made id were given out.
    seen: HashMap<MadeKey, u32>,
    fingerprint: Fingerprint,
    seq: u64,
}

impl Iterator for Jobs<'_> {
    type Item = Result<PlannedJob, Vec<Diagnostic>>;

    fn next(&mut self) -> Option<Self::Item> {
        let job = match self.specs.as_mut()?.next() {
            Some(Ok(spec)) => {
                let line = spec.line;
                self.job(spec).map_err(|message| {
                    vec![Diagnostic::error(self.source.file(), message).at(self.source.place_of_line(line))]
                })
            }
            Some(Err(errors)) => Err(errors),
            None if self.fingerprint.hex() == self.plan.fingerprint => {
                self.specs = None;
                return None;
            }
            None => Err(vec![self.changed()]),
        };
        if job.is_err() {
            self.specs = None;
        }
        Some(job)
    }
}

impl Jobs<'_> {
    fn job(&mut self, spec: JobSpec) -> Result<PlannedJob, String> {
        self.content.clear();
        let job = self.appraiser.appraise(&spec, &mut self.content)?;
        let content = identity::hash(&self.content);
        let id = match spec.id {
            Some(id) => id,
            None => self.made_id(MadeKey::of(&content)),
        };
        self.fingerprint.add(&id, &content, job.quote.price, spec.endpoint.is_capped());
        let rate = spec.endpoint.price.rates.get(job.quote.rate_index).map_or(Msat::ZERO, |rate| rate.rate);
        let params = named(&spec.endpoint, spec.values);
        let seq = self.seq;
        self.seq += 1;
        Ok(PlannedJob {
            seq,
            line: spec.line,
            id,
            params,
            nonce: spec.nonce,
            extra: spec.extra,
            content,
            priced: Priced {
                chosen_by: tally::chosen_by(&spec.endpoint, job.quote.rate_index),
                rate,
                quantity: job.quote.quantity,
                price: job.quote.price,
            },
            fee_ceiling: job.fee_ceiling,
            max_cost: job.max_cost,
            endpoint: spec.endpoint,
        })
    }

    fn made_id(&mut self, key: MadeKey) -> String {
        let mut number = 1;
        if self.plan.repeated.contains(&key) {
            let seen = self.seen.entry(key).or_insert(0);
            *seen = seen.saturating_add(1);
            number = *seen;
        }
        key.id(number)
    }

    fn changed(&self) -> Diagnostic {
        let message = "the manifest changed while it was read: its jobs or prices are no longer those of the plan";
        Diagnostic::error(self.source.file(), message).help("start again with the manifest as it is now")
    }
}

/// The values that are there, by name.
fn named(endpoint: &Endpoint, values: Vec<Option<Value>>) -> Vec<(String, Value)> {
    let all = endpoint.params.iter().zip(values);
    all.filter_map(|(param, value)| Some((param.name.clone(), value?))).collect()
}
