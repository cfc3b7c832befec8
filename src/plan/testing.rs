//! A manifest in memory, for tests.

use std::sync::Arc;

use crate::catalog::{
    Catalog, CredentialRule, Endpoint, ImageKind, ImageRef, ImageSource, PriceRule, Rate, Scale, Value,
};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::{JobSource, JobSpec};
use crate::money::Sats;

/// Rows as a manifest would give them.
#[derive(Clone, Default)]
pub(super) struct Rows(pub(super) Vec<Result<JobSpec, Vec<Diagnostic>>>, pub(super) Vec<(u64, String)>);

impl Rows {
    pub(super) fn of(specs: impl IntoIterator<Item = JobSpec>) -> Self {
        Self(specs.into_iter().map(Ok).collect(), Vec::new())
    }
}

impl JobSource for Rows {
    fn jobs(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        Box::new(self.0.iter().cloned())
    }

    fn file(&self) -> &str {
        "jobs.csv"
    }

    fn ids_of_wrong(&self) -> Vec<(u64, String)> {
        self.1.clone()
    }

    fn place_of_line(&self, line: u64) -> Place {
        Place {
            sheet: None,
            line,
            column: 1,
            width: 1,
            text: format!("the text of line {line}"),
            also_lines: Vec::new(),
        }
    }
}

/// A job of the built-in catalogue: defaults filled in, in the endpoint's order, as a manifest does.
pub(super) fn job(line: u64, endpoint: &str, given: &[(&str, Value)]) -> JobSpec {
    let catalog = Catalog::builtin().unwrap();
    let endpoint = catalog.get(endpoint).unwrap().clone();
    let value = |name: &str| given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let values = endpoint.params.iter().map(|param| value(&param.name).or_else(|| param.default.clone())).collect();
    JobSpec { line, id: None, endpoint, values, extra: Vec::new(), max_sats: None, take: 1, nonce: None }
}

pub(super) fn video(line: u64, prompt: &str, seconds: i64, mode: &str, audio: bool) -> JobSpec {
    let given = [
        ("prompt", Value::Text(prompt.to_owned())),
        ("duration", Value::Integer(seconds)),
        ("mode", Value::Text(mode.to_owned())),
        ("generate_audio", Value::Boolean(audio)),
    ];
    job(line, "generate-video", &given)
}

pub(super) fn animate(line: u64, prompt: &str, path: &str, seconds: i64) -> JobSpec {
    let image = ImageRef { source: ImageSource::File(path.into()), sha256: "5a".repeat(32), kind: ImageKind::Png };
    let given = [
        ("prompt", Value::Text(prompt.to_owned())),
        ("image", Value::Image(Box::new(image))),
        ("duration", Value::Integer(seconds)),
    ];
    job(line, "animate-image", &given)
}

/// A job of which the invoice decides what it costs, within that many sats.
pub(super) fn capped(spec: JobSpec, sats: u64) -> JobSpec {
    let mut endpoint = Endpoint::clone(&spec.endpoint);
    let rates = vec![Rate { when: Vec::new(), rate: Sats::new(sats).msat().unwrap() }];
    endpoint.price = PriceRule {
        by: Vec::new(),
        rates,
        quantity: None,
        unit: "job".to_owned(),
        is_cap: true,
        scale: Scale::default(),
    };
    JobSpec { endpoint: Arc::new(endpoint), ..spec }
}

/// A job of an endpoint whose token serves several.
pub(super) fn reusable(spec: JobSpec) -> JobSpec {
    let mut endpoint = Endpoint::clone(&spec.endpoint);
    endpoint.terms.credential = CredentialRule::Reusable;
    JobSpec { endpoint: Arc::new(endpoint), ..spec }
}

pub(super) fn named(id: &str, spec: JobSpec) -> JobSpec {
    JobSpec { id: Some(id.to_owned()), ..spec }
}
