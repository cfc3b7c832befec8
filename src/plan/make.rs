//! Making a plan: one pass over the manifest, in bounded memory.

use std::sync::Arc;

use super::findings::{self, Findings};
use super::fingerprint::Fingerprint;
use super::ids::{self, GivenIds, MadeCounts};
use super::tally::Tallies;
use super::{ContentHash, Plan, Policy, Totals, clash, identity};
use crate::catalog::{Endpoint, Quote};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::{JobSource, JobSpec};
use crate::money::Msat;

/// More money than there can be.
const TOO_LARGE: &str = "larger than any amount of money";

impl Plan {
    /// Prices every job of a manifest. Reads it once, job by job; memory does not grow but for some bytes a job, which tell
    /// ids apart.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest, its own errors and those that only comparing jobs finds. The same in many
    /// rows is one diagnostic with line ranges. Never empty.
    pub fn make(source: &dyn JobSource, policy: &Policy) -> Result<Self, Vec<Diagnostic>> {
        let mut maker = Maker::new(source, *policy);
        for job in source.jobs() {
            match job {
                Ok(spec) => maker.add(&spec),
                Err(errors) => errors.into_iter().for_each(|error| maker.findings.push(error)),
            }
        }
        maker.finish()
    }
}

/// A job's price and identity, before it has an id.
pub(super) struct Appraisal {
    /// The position of its endpoint among those in use.
    pub(super) endpoint_index: usize,
    pub(super) quote: Quote,
    pub(super) content: ContentHash,
    pub(super) fee_ceiling: Msat,
    pub(super) max_cost: Option<Msat>,
}

/// What both passes do with a job, with what they keep from one job to the next.
pub(super) struct Appraiser {
    policy: Policy,
    buffer: Vec<u8>,
}

impl Appraiser {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, buffer: Vec::new() }
    }

    /// # Errors
    /// In words, where the job has no price that fits.
    pub(super) fn appraise(&mut self, tallies: &mut Tallies, spec: &JobSpec) -> Result<Appraisal, String> {
        let value_of = |name: &str| spec.params.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let quote = spec.endpoint.price.quote(value_of).map_err(|error| error.to_string())?;
        let fee_ceiling =
            self.policy.fee_ceiling(quote.price).ok_or_else(|| format!("the fee ceiling is {TOO_LARGE}"))?;
        Ok(Appraisal {
            endpoint_index: tallies.index_of(&spec.endpoint),
            quote,
            content: identity::content_hash_with(&mut self.buffer, &spec.endpoint.name, &spec.params),
            fee_ceiling,
            max_cost: self.policy.max_cost(spec.max_sats),
        })
    }
}

struct Maker<'a> {
    source: &'a dyn JobSource,
    policy: Policy,
    appraiser: Appraiser,
    tallies: Tallies,
    made: MadeCounts,
    given: GivenIds,
    /// The made id of the job at hand.
    id: String,
    fingerprint: Fingerprint,
    totals: Totals,
    findings: Findings,
    over_limit: Vec<(u64, u64)>,
    over_limit_count: u64,
}

impl<'a> Maker<'a> {
    fn new(source: &'a dyn JobSource, policy: Policy) -> Self {
        Self {
            source,
            policy,
            appraiser: Appraiser::new(policy),
            tallies: Tallies::default(),
            made: MadeCounts::default(),
            given: GivenIds::default(),
            id: String::new(),
            fingerprint: Fingerprint::default(),
            totals: Totals::default(),
            findings: Findings::default(),
            over_limit: Vec::new(),
            over_limit_count: 0,
        }
    }

    fn add(&mut self, spec: &JobSpec) {
        if let Err(message) = self.try_add(spec) {
            self.findings.push(Diagnostic::error(self.source.file(), message).at(self.source.place_of_line(spec.line)));
        }
    }

    fn try_add(&mut self, spec: &JobSpec) -> Result<(), String> {
        let line = u32::try_from(spec.line).map_err(|_| format!("a manifest has at most {} lines", u32::MAX))?;
        if let Some(id) = &spec.id {
            if !identity::is_id(id) {
                return Err(format!("id: expected 1 to {} printable characters", identity::ID_CHARS_MAX));
            }
            self.given.add(id, line);
        }
        let job = self.appraiser.appraise(&mut self.tallies, spec)?;
        let id = match &spec.id {
            Some(id) => id,
            None => {
                ids::write_made(&mut self.made, &job.content, &mut self.id);
                &self.id
            }
        };
        self.fingerprint.add(id, &job.content, job.quote.price);
        self.count(&job).ok_or_else(|| format!("the plan's total is {TOO_LARGE}"))?;
        if exceeds(&job) {
            self.over_limit_count += 1;
            findings::also(&mut self.over_limit, spec.line, spec.line);
        }
        Ok(())
    }

    fn count(&mut self, job: &Appraisal) -> Option<()> {
        self.tallies.count(job.endpoint_index, &job.quote)?;
        let price = self.totals.price.checked_add(job.quote.price)?;
        let fee_ceiling = self.totals.fee_ceiling.checked_add(job.fee_ceiling)?;
        let worst_case = price.checked_add(fee_ceiling)?;
        let job_count = self.totals.job_count.checked_add(1)?;
        self.totals = Totals { job_count, price, fee_ceiling, worst_case };
        Some(())
    }

    fn finish(mut self) -> Result<Plan, Vec<Diagnostic>> {
        let errors = clash::errors(self.source, &mut self.given, &self.made);
        errors.into_iter().for_each(|error| self.findings.push(error));
        if self.findings.has_errors() {
            return Err(self.findings.into_vec());
        }
        for warning in clash::warnings(self.source, &mut self.given) {
            self.findings.push(warning);
        }
        if let Some(warning) = self.over_limit_warning() {
            self.findings.push(warning);
        }
        // Only these need counting when the jobs are read again.
        self.made.retain(|_, count| *count > 1);
        self.made.shrink_to_fit();
        let mut endpoints: Vec<Arc<Endpoint>> = self.tallies.endpoints().cloned().collect();
        endpoints.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Plan {
            totals: self.totals,
            groups: self.tallies.groups(),
            fingerprint: self.fingerprint.hex(),
            endpoints,
            warnings: self.findings.into_vec(),
            policy: self.policy,
            repeated: self.made,
        })
    }

    fn over_limit_warning(&mut self) -> Option<Diagnostic> {
        let (first, _) = *self.over_limit.first()?;
        let count = self.over_limit_count;
        let message = match count {
            1 => "this job may cost more than its limit, fee ceiling included".to_owned(),
            _ => format!("{count} jobs may cost more than their limits, fee ceilings included"),
        };
        let place = Place { also_lines: rest(&self.over_limit), ..self.source.place_of_line(first) };
        let help = "`run` refuses such a job (job_limit); raise `max_sats` of the job or `max_sats_per_job`";
        Some(Diagnostic::warning(self.source.file(), message).at(place).help(help))
    }
}

/// Whether the job's worst case is more than its own limit.
fn exceeds(job: &Appraisal) -> bool {
    let worst_case = job.quote.price.checked_add(job.fee_ceiling);
    job.max_cost.is_some_and(|most| worst_case.is_none_or(|cost| cost > most))
}

/// The ranges without their first line.
fn rest(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    match ranges {
        [(from, to), rest @ ..] => {
            let first = (from < to).then(|| (from.saturating_add(1), *to));
            first.into_iter().chain(rest.iter().copied()).collect()
        }
        [] => Vec::new(),
    }
}
