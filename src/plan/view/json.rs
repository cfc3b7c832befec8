//! The plan as one JSON document, format version 1: a documented interface. Fields are only ever added.

use std::io::{BufWriter, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value as Json, json};

use super::partial::partial_json;
use super::sums::{fiat_json, sums_json};
use super::words::exact;
use super::{LeftToBuy, PlanView, ViewError, image_path, sats};
use crate::catalog::{Endpoint, Value};
use crate::diagnostic::{Diagnostic, Severity};
use crate::money::{Msat, Sats};
use crate::plan::{Group, PlannedJob};
use crate::terminal_text::printable_json;

pub(super) const FORMAT_VERSION: u32 = 1;

impl PlanView<'_> {
    /// Writes the JSON document: the totals first, then each job on a line.
    ///
    /// # Errors
    /// Where the output fails, or the manifest has changed; the document is then incomplete.
    pub fn json(&self, out: &mut dyn Write) -> Result<(), ViewError> {
        let mut out = BufWriter::new(out);
        writeln!(out, "{{")?;
        for (key, value) in self.head() {
            writeln!(out, "{}: {},", Json::from(key), printable_json(&value.to_string()))?;
        }
        write!(out, "\"jobs\": [")?;
        let mut separator = "\n";
        for job in self.jobs() {
            let line = serde_json::to_string(&JobLine::of(&job?)).map_err(std::io::Error::from)?;
            write!(out, "{separator}{}", printable_json(&line))?;
            separator = ",\n";
        }
        writeln!(out, "\n]}}")?;
        out.flush()?;
        Ok(())
    }

    /// Everything but the jobs.
    fn head(&self) -> Vec<(&'static str, Json)> {
        let totals = self.plan.totals();
        vec![
            ("format_version", FORMAT_VERSION.into()),
            ("type", "plan".into()),
            ("tool_version", env!("CARGO_PKG_VERSION").into()),
            ("manifest", json!(self.manifest)),
            ("job_count", totals.job_count.into()),
            ("total_sats", json!(sats(totals.price))),
            ("total_msat", json!(totals.price)),
            ("exact_msat", json!(exact(totals.price, totals.capped))),
            ("capped_msat", json!(totals.capped)),
            ("fee_ceiling_sats", json!(sats(totals.fee_ceiling))),
            ("fee_ceiling_msat", json!(totals.fee_ceiling)),
            ("worst_case_sats", json!(sats(totals.worst_case))),
            ("worst_case_msat", json!(totals.worst_case)),
            ("fingerprint", self.plan.fingerprint().into()),
            ("groups", self.plan.groups().iter().map(group).collect()),
            ("catalog_sources", self.plan.endpoints().iter().map(|endpoint| catalog_source(endpoint)).collect()),
            ("left_to_buy", left_to_buy(self.left)),
            ("fits", left_to_buy(self.fits)),
            ("changed_count", self.changed.into()),
            ("duplicates", self.duplicates()),
            ("so_far", self.so_far()),
            ("download", json!(self.download)),
            ("sums", self.sums.map_or(Json::Null, |sums| sums_json(sums, self.rate))),
            ("fiat", self.rate.map_or(Json::Null, |rate| fiat_json(rate, &totals))),
            ("partial", self.partial.map_or(Json::Null, partial_json)),
            ("live", self.live.map_or(Json::Null, super::Live::json)),
            ("warnings", self.plan.warnings().iter().map(warning).chain(self.told.iter().map(told)).collect()),
        ]
    }

    fn so_far(&self) -> Json {
        let Some(so_far) = self.so_far else { return Json::Null };
        json!({
            "spent_msat": so_far.spent,
            "fees_msat": so_far.fees,
            "refunded_msat": so_far.refunded,
            "net_spent_msat": so_far.spent.checked_sub(so_far.refunded).unwrap_or(Msat::ZERO),
        })
    }

    fn duplicates(&self) -> Json {
        let Some(found) = self.duplicates else { return Json::Null };
        let first = found.first.iter().map(|(id, original)| json!({ "id": id, "original": original }));
        json!({
            "job_count": found.jobs,
            "total_sats": sats(found.price),
            "total_msat": found.price,
            "exact_msat": exact(found.price, found.capped),
            "capped_msat": found.capped,
            "are_bought": found.are_bought,
            "first": first.collect::<Vec<_>>(),
        })
    }
}

/// Of no line.
fn told(words: &String) -> Json {
    json!({ "severity": "warning", "line": null, "message": words, "help": null })
}

fn left_to_buy(left: Option<LeftToBuy>) -> Json {
    let Some(left) = left else { return Json::Null };
    let worst_case = left.price.checked_add(left.fee_ceiling);
    json!({
        "job_count": left.jobs,
        "total_sats": sats(left.price),
        "total_msat": left.price,
        "exact_msat": exact(left.price, left.capped),
        "capped_msat": left.capped,
        "fee_ceiling_sats": sats(left.fee_ceiling),
        "fee_ceiling_msat": left.fee_ceiling,
        "worst_case_sats": worst_case.map(sats),
        "worst_case_msat": worst_case,
    })
}

fn group(group: &Group) -> Json {
    json!({
        "endpoint": group.endpoint,
        "chosen_by": group.chosen_by,
        "rate_sats": sats(group.rate_msat),
        "rate_msat": group.rate_msat,
        "unit": group.unit,
        "is_cap": group.is_cap,
        "is_reusable": group.is_reusable,
        "minimum_msat": group.minimum_msat,
        "job_count": group.job_count,
        "quantity": group.quantity,
        "total_sats": sats(group.total_msat),
        "total_msat": group.total_msat,
    })
}

fn catalog_source(endpoint: &Endpoint) -> Json {
    json!({
        "endpoint": endpoint.name,
        "url": endpoint.url,
        "source": endpoint.source,
        "as_of": Some(&endpoint.as_of).filter(|day| !day.is_empty()),
        "defined_in": endpoint.defined_in,
    })
}

fn warning(warning: &Diagnostic) -> Json {
    let severity = match warning.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "line": warning.place.as_ref().map(|place| place.line),
        "message": warning.message,
        "help": warning.help,
    })
}

/// A job in the document.
#[derive(serde::Serialize)]
pub(super) struct JobLine<'a> {
    id: &'a str,
    line: u64,
    endpoint: &'a str,
    params: Params<'a>,
    chosen_by: &'a str,
    rate_sats: Sats,
    rate_msat: Msat,
    unit: &'a str,
    quantity: u64,
    price_sats: Sats,
    price_msat: Msat,
    price_is_cap: bool,
    fee_ceiling_sats: Sats,
    fee_ceiling_msat: Msat,
    max_cost_msat: Option<Msat>,
    extra: Extra<'a>,
}

impl<'a> JobLine<'a> {
    pub(super) fn of(job: &'a PlannedJob) -> Self {
        Self {
            id: &job.id,
            line: job.line,
            endpoint: &job.endpoint.name,
            params: Params(&job.params),
            chosen_by: &job.priced.chosen_by,
            rate_sats: sats(job.priced.rate),
            rate_msat: job.priced.rate,
            unit: &job.endpoint.price.unit,
            quantity: job.priced.quantity,
            price_sats: sats(job.priced.price),
            price_msat: job.priced.price,
            price_is_cap: job.is_capped(),
            fee_ceiling_sats: sats(job.fee_ceiling),
            fee_ceiling_msat: job.fee_ceiling,
            max_cost_msat: job.max_cost,
            extra: Extra(&job.extra),
        }
    }
}

/// Parameters as they are sent, but for images: those by path and digest, never by their data.
struct Params<'a>(&'a [(String, Value)]);

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value {
                Value::Text(text) => map.serialize_entry(name, text)?,
                Value::Integer(n) => map.serialize_entry(name, n)?,
                Value::Decimal(number) => map.serialize_entry(name, number)?,
                Value::Structured(value) => map.serialize_entry(name, &value.json())?,
                Value::Boolean(truth) => map.serialize_entry(name, truth)?,
                Value::Image(image) => {
                    map.serialize_entry(name, &json!({ "path": image_path(image), "sha256": image.sha256 }))?;
                }
            }
        }
        map.end()
    }
}

struct Extra<'a>(&'a [(String, String)]);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}
