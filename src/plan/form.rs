//! Where the jobs of one endpoint hold what their identity and their price are made of.

use super::identity::Encoding;
use crate::catalog::{Endpoint, PriceError, Quote, Value};
use crate::manifest::JobSpec;

/// Where an endpoint's jobs hold what encoding and pricing need: looked up by name once, not for each job.
pub(super) struct Form {
    pub(super) encoding: Encoding,
    /// The positions of the parameters that choose the rate.
    by: Vec<Option<usize>>,
    /// The position of the parameter that multiplies it.
    quantity: Option<usize>,
    /// And of the one that multiplies that.
    factor: Option<usize>,
}

impl Form {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let position = |name: &String| endpoint.params.iter().position(|param| param.name == *name);
        Self {
            encoding: Encoding::new(&endpoint.name, endpoint.params.iter().map(|param| param.name.as_str())),
            by: endpoint.price.by.iter().map(position).collect(),
            quantity: endpoint.price.quantity.as_ref().and_then(position),
            factor: endpoint.price.scale.factor.as_ref().and_then(position),
        }
    }

    pub(super) fn quote(&self, spec: &JobSpec) -> Result<Quote, PriceError> {
        let value = |at: Option<usize>| -> Option<&Value> { spec.values.get(at?)?.as_ref() };
        let by = |at: usize| value(self.by.get(at).copied().flatten());
        spec.endpoint.price.quote(by, value(self.quantity), value(self.factor))
    }
}
