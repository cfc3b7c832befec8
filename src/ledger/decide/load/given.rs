//! What a manifest gives of a job: its parameters without those that have their endpoint's default. By the same a purchase is known
//! again where a default of the catalogue is another since.

use crate::catalog::{Endpoint, Value};
use crate::plan::{ContentHash, PlannedJob, content_hash_of};

/// The hash of what the manifest gave of a job; of a planned take, of its first one: takes of one job are given alike.
pub fn given(job: &PlannedJob) -> ContentHash {
    given_of(&job.endpoint, &job.bought_params())
}

/// The same for these parameters.
pub fn given_of(endpoint: &Endpoint, params: &[(String, Value)]) -> ContentHash {
    content_hash_of(&endpoint.name, params, |name, value| !is_default(endpoint, name, value))
}

/// Whether a parameter has its endpoint's default.
fn is_default(endpoint: &Endpoint, name: &str, value: &Value) -> bool {
    endpoint.param(name).and_then(|param| param.default.as_ref()) == Some(value)
}
