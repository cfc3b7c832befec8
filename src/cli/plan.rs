//! `plan`: what a manifest costs, exactly; no network, nothing written.

use crate::ledger::sqlite::{Books, OpenMode, Retake};
use crate::manifest::Manifest;
use crate::money::{Msat, Sats};
use crate::plan::Plan;
use crate::plan::limits::{self, Fit};
use crate::plan::view::{LeftToBuy, ManifestFacts, PlanView, SoFar, ViewError};

use super::config::{Choice, ManifestSource, PlanOptions};
use super::run::{check_template, destination};
use super::{ExitCode, Failure, Format, input, money, terminal};

/// Plans, prints, and says with the exit code whether the limits hold it.
pub(super) fn execute(options: PlanOptions) -> Result<ExitCode, Failure> {
    let mut manifest = input::open(&options.manifest, None).map_err(Failure::Input)?;
    let of_results = input::batch_of_results(&mut manifest, &options.ledger)?;
    let (plan, limits) = input::plan(&manifest, &options.limits)?;
    if !options.output.quiet {
        terminal::say(&input::remarks(&manifest, &plan, terminal::color()));
    }
    let known = known_batch(&options, of_results, &manifest, &plan)?;
    show(&options, &manifest, &plan, known.as_ref())?;

    let (used, rest) = match &known {
        Some(known) => (known.used, known.left.price.checked_add(known.left.fee_ceiling)),
        None => (Msat::ZERO, Some(plan.totals().worst_case)),
    };
    let rest = rest.ok_or_else(|| Failure::Internal("the worst case is larger than any amount".to_owned()))?;
    let most = limits.max_sats.and_then(Sats::msat);
    match limits::check(used, rest, most) {
        Fit::Fits => Ok(ExitCode::Done),
        // Where nothing is left to buy there is nothing to hold.
        Fit::DoesNotFit { .. } if options.partial || rest == Msat::ZERO => Ok(ExitCode::Done),
        Fit::DoesNotFit { needed, most, missing } => Err(Failure::Limit(format!(
            "max_sats of {most} does not hold the worst case of {}; raise it by {}, or buy what fits with --partial",
            needed.sats_ceil(),
            missing.sats_ceil()
        ))),
    }
}

fn show(options: &PlanOptions, manifest: &Manifest, plan: &Plan, known: Option<&Known>) -> Result<(), Failure> {
    let sha256 = manifest.sha256().map_err(Failure::Input)?.to_owned();
    let facts = ManifestFacts { path: path_of(options), sha256 };
    let (left, so_far) = (known.map(|known| known.left), known.map(|known| known.so_far));
    let to = destination(&options.downloads, None)?;
    if let Some(to) = &to {
        check_template(to, manifest, plan)?;
    }
    let download = to.as_ref().map(ToString::to_string);
    let view = PlanView { plan, source: manifest, manifest: facts, left, so_far, download };
    let mut shown = Ok(());
    terminal::print(|out| {
        shown = match options.output.format {
            Format::Table if options.output.quiet => Ok(()),
            Format::Table => view.table(out, options.jobs),
            Format::Json => view.json(out),
            Format::Csv => view.csv(out),
        };
        Ok(())
    })?;
    shown.map_err(|error| match error {
        ViewError::Write(error) => Failure::Stdout(error),
        ViewError::Manifest(found) => Failure::Input(found),
    })
}

fn path_of(options: &PlanOptions) -> String {
    match &options.manifest.source {
        ManifestSource::File(path, _) => path.display().to_string(),
        ManifestSource::Stdin(_) => "-".to_owned(),
    }
}

/// A batch that has already run.
struct Known {
    used: Msat,
    left: LeftToBuy,
    so_far: SoFar,
}

fn known_batch(
    options: &PlanOptions,
    of_results: Option<String>,
    manifest: &Manifest,
    plan: &Plan,
) -> Result<Option<Known>, Failure> {
    if !options.ledger.exists() {
        return Ok(None);
    }
    let name = match of_results {
        Some(name) => name,
        None => match input::batch_name(&options.manifest, manifest) {
            Ok(name) => name,
            Err(_) => return Ok(None),
        },
    };
    let books = Books::open(&options.ledger, OpenMode::Read)?;
    let Some(batch) = books.batch(&name)? else { return Ok(None) };
    let counts = books.counts(batch.key)?;
    let used = money::used(&counts)?;
    let left = money::left_to_buy(Some((&books, batch.key)), plan, manifest, &Choice::default(), &Retake::default())?;
    let so_far = SoFar { spent: counts.spent, fees: counts.fees, refunded: counts.refunded };
    Ok(Some(Known { used, left, so_far }))
}
