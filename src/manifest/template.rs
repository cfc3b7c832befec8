//! What a job starts from: its endpoint, with the manifest's defaults over the endpoint's own.

use std::sync::Arc;

use super::image::Images;
use super::names::{LATER_KEYS, PARAMS_PREFIX, RESULTS_COLUMNS, fold};
use super::values::{Given, Wrong, check};
use crate::catalog::{Catalog, Endpoint, Param, Value};
use crate::diagnostic::{Diagnostic, Place, closest};

/// A default as `[defaults]` or a flag gives it.
pub(super) struct DefaultEntry<'a> {
    /// The parameter's name, without `params.`.
    pub(super) name: String,
    /// A flag's name compares as headers do; a TOML key exactly.
    pub(super) is_flag: bool,
    pub(super) given: Given<'a>,
    pub(super) file: String,
    pub(super) place: Option<Place>,
}

/// One endpoint and the values that its jobs start from.
pub(super) struct Template {
    pub(super) endpoint: Arc<Endpoint>,
    /// By parameter, in the endpoint's order.
    pub(super) base: Vec<Option<Value>>,
    /// What is wrong with the defaults, should this endpoint be used.
    pub(super) problems: Vec<Diagnostic>,
    /// Parameters whose default is wrong: that they have no value is no error of its own.
    wrong_defaults: Vec<String>,
}

/// A template for every endpoint of the catalogue.
pub(super) struct Templates {
    pub(super) list: Vec<Template>,
    /// The endpoint of jobs that name none.
    pub(super) default_endpoint: Option<usize>,
    /// How many takes are planned of jobs that do not say so.
    pub(super) default_repeat: u32,
    /// The default endpoint, or an endpoint of these names, is reported as wrong already: jobs that use it draw no
    /// errors of their own.
    pub(super) is_default_wrong: bool,
    pub(super) broken: Vec<String>,
    defaults: Vec<DefaultName>,
}

struct DefaultName {
    name: String,
    is_flag: bool,
    file: String,
    place: Option<Place>,
}

impl Templates {
    /// Checks the defaults against every endpoint. A later entry for a parameter replaces an earlier one.
    pub(super) fn new(catalog: &Catalog, entries: &[DefaultEntry<'_>], images: &Images) -> Self {
        let list = catalog.iter().map(|endpoint| Template::new(endpoint, entries, images)).collect();
        let defaults = entries
            .iter()
            .map(|entry| DefaultName {
                name: entry.name.clone(),
                is_flag: entry.is_flag,
                file: entry.file.clone(),
                place: entry.place.clone(),
            })
            .collect();
        let (default_endpoint, default_repeat) = (None, 1);
        Self { list, default_endpoint, default_repeat, is_default_wrong: false, broken: Vec::new(), defaults }
    }

    /// The position of the endpoint of that name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|template| template.endpoint.name == name)
    }

    /// Whether an endpoint of that name is defined, wrongly.
    pub(super) fn is_broken(&self, name: &str) -> bool {
        self.broken.iter().any(|broken| broken == name)
    }

    /// Every endpoint's name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|template| template.endpoint.name.as_str())
    }

    /// What to do about an unknown endpoint.
    pub(super) fn suggest_endpoint(&self, given: &str) -> String {
        match closest(given, self.names()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("known endpoints: {}", self.names().collect::<Vec<_>>().join(", ")),
        }
    }

    /// Errors of the defaults, now that it is known which endpoints are used.
    pub(super) fn check_defaults(&self, used: &[bool]) -> Vec<Diagnostic> {
        let in_use: Vec<&Template> =
            self.list.iter().zip(used).filter(|(_, used)| **used).map(|(template, _)| template).collect();
        let mut found: Vec<Diagnostic> = Vec::new();
        for problem in in_use.iter().flat_map(|template| &template.problems) {
            if !found.contains(problem) {
                found.push(problem.clone());
            }
        }
        if in_use.is_empty() {
            return found;
        }
        for default in &self.defaults {
            let is_taken = |template: &&Template| {
                template.endpoint.params.iter().any(|param| is_same(&default.name, default.is_flag, &param.name))
            };
            if in_use.iter().any(is_taken) {
                continue;
            }
            let known = in_use.iter().flat_map(|template| template.endpoint.params.iter().map(|p| p.name.as_str()));
            let message = format!("default {}: no endpoint in use takes it", default.name);
            let mut error = Diagnostic::error(&default.file, message);
            error.place.clone_from(&default.place);
            error.help = closest(&default.name, known).map(|name| format!("did you mean \"{name}\"?"));
            found.push(error);
        }
        found
    }
}

impl Template {
    fn new(endpoint: &Arc<Endpoint>, entries: &[DefaultEntry<'_>], images: &Images) -> Self {
        let (mut problems, mut wrong_defaults) = (Vec::new(), Vec::new());
        let mut base = Vec::with_capacity(endpoint.params.len());
        for param in &endpoint.params {
            let entry = entries.iter().rfind(|entry| is_same(&entry.name, entry.is_flag, &param.name));
            let value = match entry {
                None => param.default.clone(),
                Some(entry) => match check(param, entry.given, images) {
                    Ok(value) => Some(value),
                    Err(mut wrong) => {
                        wrong.message.insert_str(0, "default ");
                        wrong_defaults.push(param.name.clone());
                        problems.push(wrong.into_diagnostic(&entry.file, entry.place.clone()));
                        None
                    }
                },
            };
            base.push(value);
        }
        Self { endpoint: Arc::clone(endpoint), base, problems, wrong_defaults }
    }

    /// Whether a missing value of that parameter is an error, and not reported already as a wrong default.
    pub(super) fn must_have(&self, param: &Param) -> bool {
        param.required && !self.wrong_defaults.contains(&param.name)
    }

    /// Whether a job with these values would rest on a wrong default, which is reported already: what follows from
    /// it is no news.
    pub(super) fn rests_on_wrong_default(&self, values: &[Option<Value>]) -> bool {
        let mut unset = self.endpoint.params.iter().zip(values).filter(|(_, value)| value.is_none());
        !self.wrong_defaults.is_empty() && unset.any(|(param, _)| self.wrong_defaults.contains(&param.name))
    }

    /// The error of a required parameter that a job leaves out.
    pub(super) fn missing(&self, param: &Param) -> Wrong {
        let wrong = Wrong::new(format!("{}: missing; {} requires it", param.name, self.endpoint.name));
        match RESULTS_COLUMNS.contains(&fold(&param.name).as_str()) {
            true => wrong.help(format!("in a CSV, name its column {PARAMS_PREFIX}{}", param.name)),
            false => wrong,
        }
    }

    /// What to do about a name that this endpoint does not take.
    pub(super) fn suggest_param(&self, given: &str) -> String {
        let names = || self.endpoint.params.iter().map(|param| param.name.as_str());
        match closest(given, names()) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => format!("{} takes {}", self.endpoint.name, names().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Why a name cannot be a default, if it cannot.
pub(super) fn default_problem(name: &str) -> Option<&'static str> {
    match name {
        "id" => Some("every job has its own id"),
        "max_sats" => Some("write max_sats_per_job under [limits]"),
        "matrix" => Some("write it in each [[job]] that it is for, or under [rows] for every row"),
        _ if LATER_KEYS.contains(&name) => Some("not yet: this version knows no such key"),
        _ if name.starts_with(super::names::EXTRA_PREFIX) => Some("x_* stands in a job or a column"),
        _ => None,
    }
}

/// The parameter that `params.NAME` or `NAME` means.
pub(super) fn param_name(key: &str) -> &str {
    key.strip_prefix(PARAMS_PREFIX).unwrap_or(key)
}

fn is_same(given: &str, is_flag: bool, param: &str) -> bool {
    given == param || (is_flag && fold(given) == fold(param))
}
