//! A plan beside what it would be with some cells edited alike in every job.

use std::collections::HashSet;

use super::{Plan, Totals};
use crate::diagnostic::{Diagnostic, closest};
use crate::manifest::{Manifest, fold, is_job_key};

/// The most variants that are compared: each is a reading of the manifest.
pub const VARIANTS_MAX: usize = 16;

/// A parameter and the values that are tried in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The parameter's name, as it was typed.
    pub name: String,
    /// The values, as cells.
    pub values: Vec<String>,
}

/// What a manifest comes to with these cells in every job.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Parameters and their cells.
    pub cells: Vec<(String, String)>,
    /// What it comes to; else what is wrong with it: an error a job, alike ones once.
    pub outcome: Result<Outcome, Vec<Diagnostic>>,
}

/// What a plan comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Prices and fee ceilings.
    pub totals: Totals,
    /// How many jobs may cost more than their own limit: no run buys them.
    pub above_limit: u64,
    /// The plan's fingerprint.
    pub fingerprint: String,
}

impl Outcome {
    /// What that plan comes to.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self { totals: plan.totals(), above_limit: plan.above_limit(), fingerprint: plan.fingerprint().to_owned() }
    }
}

/// Why such variants are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// Only what is sent is tried in other ways.
    #[error("{0} is no parameter: only those are compared")]
    NoParameter(String),
    /// No job has it.
    #[error("{name}: no endpoint in use takes it")]
    Unknown {
        /// As it was typed.
        name: String,
        /// What may be meant.
        meant: Option<String>,
    },
    /// One would have to hide the other.
    #[error("{0} is compared twice")]
    Twice(String),
    /// More than [`VARIANTS_MAX`].
    #[error("{0} variants are more than {VARIANTS_MAX}")]
    TooMany(usize),
}

/// Every combination of the values, the last parameter's changing fastest.
///
/// # Errors
/// Where there are too many, or a name is no parameter of any endpoint that the plan uses.
pub fn combinations(axes: &[Axis], plan: &Plan) -> Result<Vec<Vec<(String, String)>>, Incomparable> {
    let mut seen = HashSet::new();
    for Axis { name, .. } in axes {
        let folded = fold(name);
        let param = folded.strip_prefix("params.").unwrap_or(&folded);
        if is_job_key(&folded) || folded.starts_with("x_") {
            return Err(Incomparable::NoParameter(name.clone()));
        }
        let known =
            || plan.endpoints().iter().flat_map(|endpoint| endpoint.params.iter().map(|param| param.name.as_str()));
        if !known().any(|known| fold(known) == param) {
            let meant = closest(param, known()).map(str::to_owned);
            return Err(Incomparable::Unknown { name: name.clone(), meant });
        }
        if !seen.insert(param.to_owned()) {
            return Err(Incomparable::Twice(name.clone()));
        }
    }
    let count = axes.iter().fold(1_usize, |count, axis| count.saturating_mul(axis.values.len()));
    if count > VARIANTS_MAX {
        return Err(Incomparable::TooMany(count));
    }
    let mut all: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for Axis { name, values } in axes {
        let with = |cells: &Vec<(String, String)>, value: &String| {
            let mut cells = cells.clone();
            cells.push((name.clone(), value.clone()));
            cells
        };
        all = all.iter().flat_map(|cells| values.iter().map(move |value| with(cells, value))).collect();
    }
    Ok(all)
}

impl Variant {
    /// What the manifest comes to with these cells, by the limits of its `plan` as it is.
    #[must_use]
    pub fn of(manifest: &Manifest, plan: &Plan, cells: Vec<(String, String)>) -> Self {
        let outcome = Plan::make(&manifest.edited(&cells), plan.policy()).map(|plan| Outcome::of(&plan));
        Self { cells, outcome }
    }

    /// It in words: `mode=pro, duration=5`.
    #[must_use]
    pub fn words(&self) -> String {
        let cells: Vec<String> = self.cells.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cells.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::catalog::{Catalog, Endpoint, PriceRule, Rate};
    use crate::manifest::{Format, OpenOptions};
    use crate::plan::Policy;

    /// `stills` takes a prompt and a duration, and has one price.
    fn open(csv: &str) -> Manifest {
        let mut stills = Endpoint::clone(Catalog::builtin().unwrap().get("generate-video").unwrap());
        "stills".clone_into(&mut stills.name);
        stills.params.retain(|param| ["prompt", "duration"].contains(&param.name.as_str()));
        let rates = vec![Rate { when: Vec::new(), rate: stills.price.rates[0].rate }];
        stills.price = PriceRule { by: Vec::new(), rates, ..stills.price };
        let options = OpenOptions {
            path: "jobs.csv".into(),
            format: Some(Format::Csv),
            endpoints: vec![stills],
            ..OpenOptions::default()
        };
        Manifest::open_from(&options, &mut csv.as_bytes()).unwrap()
    }

    #[derive(Clone, Debug)]
    struct Row {
        endpoint: &'static str,
        duration: Option<u8>,
        mode: Option<&'static str>,
    }

    fn row() -> impl Strategy<Value = Row> {
        let duration = prop::option::of(3_u8..=15);
        let mode = prop::option::of(prop_oneof![Just("standard"), Just("pro")]);
        let endpoint = prop_oneof![4 => Just("generate-video"), 1 => Just("stills")];
        let row = |(endpoint, duration, mode): (&'static str, Option<u8>, Option<&'static str>)| Row {
            endpoint,
            duration,
            mode: mode.filter(|_| endpoint != "stills"),
        };
        (endpoint, duration, mode).prop_map(row)
    }

    /// The rows as a file, each with these cells in the place of its own.
    fn file(rows: &[Row], cells: &[(String, String)]) -> String {
        let mut text = "prompt,endpoint,duration,mode\n".to_owned();
        for (at, Row { endpoint, duration, mode }) in rows.iter().enumerate() {
            let duration = duration.map(|duration| duration.to_string());
            let own = [("duration", duration.unwrap_or_default()), ("mode", mode.unwrap_or_default().to_owned())];
            let [duration, mode] = own.map(|(name, own)| {
                cells.iter().find(|(edited, _)| edited == name).map_or(own, |(_, value)| value.clone())
            });
            text.push_str(&format!("shot {},{endpoint},{duration},{mode}\n", at / 2));
        }
        text
    }

    fn axes() -> impl Strategy<Value = Vec<Axis>> {
        let axis = |name: &'static str, values: &'static [&'static str]| {
            let some = prop::sample::subsequence(values, 0..=3);
            some.prop_map(move |values| Axis {
                name: name.to_owned(),
                values: values.into_iter().map(str::to_owned).collect(),
            })
        };
        let all = (axis("duration", &["2", "3", "5", "ten", "15"]), axis("mode", &["standard", "pro", "max"]));
        all.prop_map(|(a, b)| [a, b].into_iter().filter(|axis| !axis.values.is_empty()).collect())
    }

    fn rows_of(wrong: &[Diagnostic]) -> HashSet<u64> {
        let places = wrong.iter().filter_map(|wrong| wrong.place.as_ref());
        places
            .flat_map(|place| std::iter::once((place.line, place.line)).chain(place.also_lines.clone()))
            .flat_map(|(from, to)| from..=to)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A variant is what a plan says of the file with these cells edited, to the msat and the fingerprint; where that is no plan,
        /// the same rows are wrong.
        #[test]
        fn a_variant_is_the_edited_file(rows in prop::collection::vec(row(), 1..12), axes in axes()) {
            let manifest = open(&file(&rows, &[]));
            let plan = Plan::make(&manifest, &Policy::default()).unwrap();
            let Ok(combinations) = combinations(&axes, &plan) else {
                prop_assert!(rows.iter().all(|row| row.endpoint == "stills"), "every other parameter is known");
                return Ok(());
            };
            prop_assert_eq!(combinations.len(), axes.iter().map(|axis| axis.values.len()).product::<usize>());
            for cells in combinations {
                let variant = Variant::of(&manifest, &plan, cells);
                match (Plan::make(&open(&file(&rows, &variant.cells)), &Policy::default()), &variant.outcome) {
                    (Ok(edited), Ok(outcome)) => prop_assert_eq!(&Outcome::of(&edited), outcome),
                    (Err(edited), Err(wrong)) => {
                        prop_assert_eq!(rows_of(&edited), rows_of(wrong));
                        prop_assert_eq!(rows_of(wrong).len() as u64, wrong.iter().map(|wrong| wrong.count).sum::<u64>());
                    }
                    (edited, outcome) => prop_assert!(false, "{edited:?}\n{outcome:?}"),
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let manifest = open("prompt,x_scene,endpoint\ncat,1,generate-video\n");
        let plan = Plan::make(&manifest, &Policy::default()).unwrap();
        let axis = |name: &str, count: usize| Axis {
            name: name.to_owned(),
            values: (0..count).map(|n| n.to_string()).collect(),
        };
        for (axes, words) in [
            (vec![axis("endpoint", 2)], "endpoint is no parameter: only those are compared"),
            (vec![axis("x_scene", 2)], "x_scene is no parameter: only those are compared"),
            (vec![axis("Max-Sats", 2)], "Max-Sats is no parameter: only those are compared"),
            (vec![axis("durration", 2)], "durration: no endpoint in use takes it"),
            (vec![axis("mode", 2), axis("params.Mode", 2)], "params.Mode is compared twice"),
            (vec![axis("mode", 4), axis("duration", 5)], "20 variants are more than 16"),
        ] {
            assert_eq!(combinations(&axes, &plan).unwrap_err().to_string(), words);
        }
        let all = combinations(&[axis("mode", 2), axis("duration", 8)], &plan).unwrap();
        assert_eq!(all.len(), VARIANTS_MAX);
        assert_eq!(all[1], [("mode".to_owned(), "0".to_owned()), ("duration".to_owned(), "1".to_owned())]);
        let meant = combinations(&[axis("durration", 2)], &plan).unwrap_err();
        assert_eq!(meant, Incomparable::Unknown { name: "durration".to_owned(), meant: Some("duration".to_owned()) });
    }
}
