//! Opens a manifest as the options say, and makes its plan.

use crate::ledger::port::Batches;
use crate::ledger::{LedgerAddress, OpenMode};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::diagnostic::{Diagnostic, Severity, render};
use crate::manifest::{Limits, Manifest, OpenOptions, name_problem};
use crate::plan::{Plan, Policy};
use crate::screen::{holds_secret, stderr_columns};
use crate::terminal_text::is_printable;

use crate::cli::options::Layer;
use crate::cli::options::config::{ManifestOptions, ManifestSource};
use crate::cli::options::layer::Layers;
use crate::cli::options::values::Pair;
use crate::cli::{CommandError, Failure, secrets};

/// Opens the manifest; `last_catalog` overrides whatever the other catalogues say.
pub(super) fn open(options: &ManifestOptions, last_catalog: Option<&Path>) -> Result<Manifest, Vec<Diagnostic>> {
    let (path, format) = match &options.source {
        ManifestSource::File(path, format) => (path.clone(), *format),
        ManifestSource::Stdin(format) => (PathBuf::from("-"), *format),
    };
    let pair = |pair: &Pair| (pair.key.clone(), pair.value.clone());
    let frozen = options.frozen.as_ref();
    let mut manifest = Manifest::open(&OpenOptions {
        path,
        format: Some(format.into()),
        catalogs: options.catalogs.iter().cloned().chain(last_catalog.map(Path::to_owned)).collect(),
        defaults: options.defaults.iter().map(pair).collect(),
        columns: options.columns.iter().map(pair).collect(),
        table: options.table.clone(),
        endpoints: frozen.map(|frozen| frozen.endpoints.clone()).unwrap_or_default(),
        given_by: options.given_by.clone(),
    })?;
    if let Some(frozen) = frozen {
        // As any other source of limits: the tightest counts.
        let layers = Layers { variables: Layer::from(&frozen.limits), ..Layers::default() };
        manifest.limits = layers.with_manifest(&manifest.limits);
    }
    Ok(manifest)
}

/// The batch whose results the file holds, where that ledger has it. Results of another ledger or batch are a manifest like any
/// other, but for the rows that say that they are bought. Results of play money say nothing of what is bought for real, and only
/// `play` runs them: anew, as every such run begins.
pub(super) fn batch_of_results(
    manifest: &mut Manifest,
    options: &ManifestOptions,
    ledger: &LedgerAddress,
    play: bool,
) -> Result<Option<String>, Failure> {
    check_name(manifest, options.batch.as_deref(), ledger)?;
    let of = manifest.results_of().map_err(Failure::Input)?;
    if of.as_ref().is_some_and(|of| of.is_play(&manifest.path)) {
        return if play { Ok(None) } else { Err(of_play(&manifest.path)) };
    }
    if let Some(of) = of.filter(|_| ledger.exists()) {
        let ledger = crate::ledger::open(ledger, OpenMode::Read)?;
        if ledger.id()? == of.ledger && ledger.batch(&of.batch)?.is_some() {
            let other = options.batch.as_ref().filter(|given| **given != of.batch);
            return other.map_or(Ok(Some(of.batch.clone())), |given| Err(of_another_batch(&of.batch, given)));
        }
    }
    manifest.leave_out_bought();
    Ok(None)
}

/// A batch is begun by a name that a person can read and type. One that an older version has begun goes on by its own.
fn check_name(manifest: &Manifest, given: Option<&str>, ledger: &LedgerAddress) -> Result<(), Failure> {
    let of_file = manifest.fallback_name().filter(|stem| given.is_none() && manifest.name.is_none() && !is_name(stem));
    let Some((name, problem)) = (match (given, &of_file) {
        (Some(name), _) => name_problem(name).map(|problem| (name, problem)),
        (None, Some(stem)) => name_problem(stem).map(|problem| (stem.as_str(), problem)),
        (None, None) => None,
    }) else {
        return Ok(());
    };
    if ledger.exists() && crate::ledger::open(ledger, OpenMode::Read)?.batch(name)?.is_some() {
        return Ok(());
    }
    Err(match of_file {
        None => CommandError::usage(format!("--batch: expected {problem}")).into(),
        Some(_) => {
            CommandError::usage(format!("a batch is called as its file, and that is no name: expected {problem}"))
                .hint("name it with --batch NAME")
                .into()
        }
    })
}

/// Whether a file's name may be a batch's, which may be longer than one that is given.
fn is_name(stem: &str) -> bool {
    is_printable(stem) && !holds_secret(stem)
}

fn of_play(path: &Path) -> Failure {
    CommandError::usage(format!(
        "{}: these are results of play money (run --sandbox): what they say to be bought is not, and none of their rows is bought for \
         real",
        path.display()
    ))
    .hint("run the manifest that they were made from, or this file with --sandbox")
    .into()
}

fn of_another_batch(name: &str, given: &str) -> Failure {
    CommandError::usage(format!("these are results of the batch {name}, which --batch {given} is not"))
        .hint("leave --batch out, or take the columns l402_batch and l402_ledger out of the file")
        .into()
}

/// The batch's name: `--batch`, else the manifest's, else the file's stem.
pub(super) fn batch_name(options: &ManifestOptions, manifest: &Manifest) -> Result<String, Failure> {
    let name = options.batch.clone().or_else(|| manifest.name.clone()).or_else(|| manifest.fallback_name());
    Ok(name.ok_or_else(|| CommandError::usage("a manifest from standard input needs --batch NAME"))?)
}

/// Plans every job of the manifest; all errors come in one go.
pub(super) fn plan(manifest: &Manifest, limits: &Layers) -> Result<(Plan, Limits), Failure> {
    let secrets = secrets::of(&limits.all().tables);
    let limits = limits.with_manifest(&manifest.limits);
    let policy = Policy::from_limits(&limits)?;
    let plan = Plan::make(manifest, &policy).map_err(Failure::Input)?;
    secrets::check(plan.endpoints(), &secrets)?;
    Ok((plan, limits))
}

/// Where days begin: as the limits name it, else as the system has it.
pub(super) fn time_zone(limits: &Limits, system: &str) -> Result<TimeZone, Failure> {
    let name = limits.time_zone.as_deref().unwrap_or(system);
    Ok(TimeZone::get(name)
        .map_err(|error| CommandError::usage(format!("the time zone {name} is not known")).because(error))?)
}

/// What to tell a person of a manifest that is good: warnings, and what was skipped.
pub(super) fn remarks(manifest: &Manifest, plan: &Plan, color: bool) -> String {
    let warnings: Vec<Diagnostic> =
        plan.warnings().iter().filter(|found| found.severity == Severity::Warning).cloned().collect();
    let mut text = if warnings.is_empty() { String::new() } else { render(&warnings, color, stderr_columns()) };
    for line in manifest.notes().lines() {
        text.push_str("note: ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}
