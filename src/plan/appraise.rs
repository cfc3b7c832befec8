//! What both readings of a manifest do with a job: its price, its ceilings, and the content that makes it that job.

use super::Policy;
use super::tally::Tallies;
use crate::catalog::Quote;
use crate::manifest::JobSpec;
use crate::money::Msat;

/// More money than there can be.
pub(super) const TOO_LARGE: &str = "larger than any amount of money";

/// A job's price and ceilings.
pub(super) struct Appraisal {
    /// The position of its endpoint among those in use.
    pub(super) endpoint_index: usize,
    pub(super) quote: Quote,
    /// The price is the most that it may be.
    pub(super) is_capped: bool,
    pub(super) fee_ceiling: Msat,
    pub(super) max_cost: Option<Msat>,
}

/// Appraises jobs, and keeps what it found out about their endpoints.
pub(super) struct Appraiser {
    policy: Policy,
    pub(super) tallies: Tallies,
}

impl Appraiser {
    pub(super) fn new(policy: &Policy) -> Self {
        Self { policy: policy.clone(), tallies: Tallies::default() }
    }

    /// Adds the job's content to a buffer, for [`super::identity::hash`], and appraises it.
    ///
    /// # Errors
    /// In words, where the job has no price that fits. The content is there all the same.
    pub(super) fn appraise(&mut self, spec: &JobSpec, content: &mut Vec<u8>) -> Result<Appraisal, String> {
        let (endpoint_index, form) = self.tallies.enter(&spec.endpoint);
        form.encoding.put(content, |at| spec.content_value(at));
        let quote = form.quote(spec).map_err(|error| error.to_string())?;
        let fee_ceiling =
            self.policy.fee_ceiling(quote.price).ok_or_else(|| format!("the fee ceiling is {TOO_LARGE}"))?;
        let is_capped = spec.endpoint.is_capped();
        let max_cost = self.policy.max_cost(spec.max_sats, &spec.endpoint.url);
        Ok(Appraisal { endpoint_index, quote, is_capped, fee_ceiling, max_cost })
    }

    /// Adds what tells the job's request from others to a buffer, where its content may not.
    pub(super) fn put_sent(&mut self, spec: &JobSpec, buffer: &mut Vec<u8>) {
        self.tallies.enter(&spec.endpoint).1.put_sent(spec, buffer);
    }
}
