//! Where the jobs of one endpoint hold what their identity and their price are made of.

use super::identity::Encoding;
use crate::catalog::{Endpoint, Param, PriceError, Quote, Value};
use crate::manifest::JobSpec;

/// Where an endpoint's jobs hold what encoding and pricing need: looked up by name once, not for each job.
pub(super) struct Form {
    pub(super) encoding: Encoding,
    /// The same of what jobs send, where contents do not tell that by themselves.
    sent: Option<Encoding>,
    /// The positions of the parameters that choose the rate.
    by: Vec<Option<usize>>,
    /// The position of the parameter that multiplies it.
    quantity: Option<usize>,
    /// And of the one that multiplies that.
    factor: Option<usize>,
}

impl Form {
    /// `first`: one that was in use before it and sends the same.
    pub(super) fn new(endpoint: &Endpoint, first: Option<&Endpoint>) -> Self {
        let position = |name: &String| endpoint.params.iter().position(|param| param.name == *name);
        let encoding = |name: &str| Encoding::new(name, endpoint.params.iter().map(|param| param.name.as_str()));
        let sent_as = first.unwrap_or(endpoint);
        Self {
            encoding: encoding(&endpoint.name),
            sent: (first.is_some() || !endpoint.params.iter().all(Param::is_sent)).then(|| encoding(&sent_as.name)),
            by: endpoint.price.by.iter().map(position).collect(),
            quantity: endpoint.price.quantity.as_ref().and_then(position),
            factor: endpoint.price.scale.factor.as_ref().and_then(position),
        }
    }

    /// Adds to a buffer what tells the job's request from others, where its content may not: a content of what is sent alone, under the
    /// name by which the first of the endpoints that send it came. Takes that nothing tells apart are meant to send the same.
    pub(super) fn put_sent(&self, spec: &JobSpec, buffer: &mut Vec<u8>) {
        let encoding = match (&self.sent, &spec.nonce) {
            (sent, Some(_)) => sent.as_ref().unwrap_or(&self.encoding),
            (Some(sent), None) if spec.take == 1 => sent,
            (_, None) => return,
        };
        let is_sent = |at: usize| spec.endpoint.params.get(at).is_some_and(Param::is_sent);
        encoding.put(buffer, |at| spec.values.get(at).filter(|_| is_sent(at))?.as_ref());
    }

    pub(super) fn quote(&self, spec: &JobSpec) -> Result<Quote, PriceError> {
        let value = |at: Option<usize>| -> Option<&Value> { spec.values.get(at?)?.as_ref() };
        let by = |at: usize| value(self.by.get(at).copied().flatten());
        spec.endpoint.price.quote(by, value(self.quantity), value(self.factor))
    }
}
