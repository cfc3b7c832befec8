//! Making a plan: one pass over the manifest, in bounded memory.

use std::sync::Arc;

use sha2::Digest;

use super::appraise::{Appraisal, Appraiser, TOO_LARGE};
use super::findings::{self, Findings};
use super::register::{self, Batches, Register};
use super::{Plan, Policy, Totals, clash};
use crate::catalog::Endpoint;
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::{JobSource, JobSpec, id_problem};
use crate::money::Msat;

impl Plan {
    /// Prices every job of a manifest. Reads it once, job by job; memory does not grow but for some bytes a job, which tell
    /// ids apart.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest, its own errors and those that only comparing jobs finds. The same in many
    /// rows is one diagnostic with line ranges. Never empty.
    pub fn make(source: &dyn JobSource, policy: &Policy) -> Result<Self, Vec<Diagnostic>> {
        let read = |batches: &mut Batches| {
            let mut maker = Maker::new(source, policy);
            for job in source.jobs_to_price() {
                match job {
                    Ok(spec) => maker.add(&spec, batches),
                    Err(errors) => errors.into_iter().for_each(|error| maker.findings.push(error)),
                }
            }
            maker
        };
        match register::beside(read) {
            Ok((maker, register)) => maker.finish(register),
            Err(error) => {
                Err(vec![Diagnostic::error(source.file(), format!("no thread can be started to plan with: {error}"))])
            }
        }
    }
}

struct Maker<'a> {
    source: &'a dyn JobSource,
    policy: Policy,
    appraiser: Appraiser,
    totals: Totals,
    findings: Findings,
    over_limit: Vec<(u64, u64)>,
    over_limit_count: u64,
}

impl<'a> Maker<'a> {
    fn new(source: &'a dyn JobSource, policy: &Policy) -> Self {
        Self {
            source,
            policy: policy.clone(),
            appraiser: Appraiser::new(policy),
            totals: Totals::default(),
            findings: Findings::default(),
            over_limit: Vec::new(),
            over_limit_count: 0,
        }
    }

    fn add(&mut self, spec: &JobSpec, batches: &mut Batches) {
        if let Err(message) = self.try_add(spec, batches) {
            self.findings.push(Diagnostic::error(self.source.file(), message).at(self.source.place_of_line(spec.line)));
        }
    }

    fn try_add(&mut self, spec: &JobSpec, batches: &mut Batches) -> Result<(), String> {
        let line = u32::try_from(spec.line).map_err(|_| format!("a manifest has at most {} lines", u32::MAX))?;
        if let Some(words) = spec.id.as_deref().and_then(id_problem) {
            return Err(format!("id: expected {words}"));
        }
        let job = self.appraiser.appraise(spec, batches.content());
        self.appraiser.put_sent(spec, batches.sent());
        // Without a price too: its id may clash with another, and with an error there is no plan that it could falsify.
        let price = job.as_ref().map_or(Msat::ZERO, |job| job.quote.price);
        batches.add((spec.id.as_deref(), line, spec.take), (price, spec.endpoint.is_capped()));
        let job = job?;
        self.count(&job).ok_or_else(|| format!("the plan's total is {TOO_LARGE}"))?;
        if exceeds(&job) {
            self.over_limit_count += 1;
            findings::also(&mut self.over_limit, spec.line, spec.line);
        }
        Ok(())
    }

    fn count(&mut self, job: &Appraisal) -> Option<()> {
        self.appraiser.tallies.count(job.endpoint_index, &job.quote)?;
        self.totals = self.totals.with(job.quote.price, job.is_capped, job.fee_ceiling)?;
        Some(())
    }

    fn finish(mut self, mut register: Register) -> Result<Plan, Vec<Diagnostic>> {
        let wrong = self.source.ids_of_wrong();
        for (line, id) in &wrong {
            // A line beyond is an error of its own.
            if let Ok(line) = u32::try_from(*line) {
                register.given.add(id, line);
            }
        }
        register.sort();
        let errors = clash::errors(self.source, &mut register.given, &register.contents, wrong);
        errors.into_iter().for_each(|error| self.findings.push(error));
        if self.findings.has_errors() {
            return Err(self.findings.into_vec());
        }
        for warning in clash::warnings(self.source, &mut register.given) {
            self.findings.push(warning);
        }
        for warning in register.contents.warnings(self.source).chain(self.over_limit_warning()) {
            self.findings.push(warning);
        }
        let tallies = self.appraiser.tallies;
        let mut endpoints: Vec<Arc<Endpoint>> = tallies.endpoints().cloned().collect();
        endpoints.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Plan {
            totals: self.totals,
            groups: tallies.groups(),
            fingerprint: register.fingerprint.hex(),
            contents: register.in_order.finalize().into(),
            endpoints,
            warnings: self.findings.into_vec(),
            policy: self.policy,
            repeated: register.contents.repeated(),
            above_limit: self.over_limit_count,
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
        let help = "`run` refuses such a job (job_limit), where it is not bought already; raise `max_sats` of the job or `max_sats_per_job`";
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
