//! `plan --compare`: what the manifest would come to with other values.

use crate::cli::options::config::{PlanOptions, RateOptions};
use crate::cli::{CommandError, ExitCode, Failure, Format, input, terminal};
use crate::manifest::{Limits, Manifest};
use crate::plan::compare::{Incomparable, Outcome, Variant, combinations};
use crate::plan::view::{Comparison, ManifestFacts};
use crate::screen::stdout_columns;

use super::path_of;

/// Compares, and says with the exit code whether each variant is a plan.
pub(super) fn execute(options: &PlanOptions, manifest: &Manifest, of_results: bool) -> Result<ExitCode, Failure> {
    if of_results {
        let failure = CommandError::usage("--compare edits a manifest, and these are stored jobs of a batch");
        return Err(failure.hint("name the manifest that the batch was begun from").into());
    }
    if options.buying.choice.is_any() || options.buying.choice.partial {
        let failure = CommandError::usage("--compare counts every job, and flags or variables choose some of them");
        return Err(failure.hint("leave --limit, --only, --partial, --retake and --duplicates out").into());
    }
    if options.page.is_some() || options.sum_by.is_some() {
        let failure = CommandError::usage("--compare is a table, json or csv, and sums all jobs together");
        return Err(failure.hint("leave --format html or md and --sum-by out, or plan one variant").into());
    }
    let (plan, limits) = input::plan(manifest, &options.buying.limits)?;
    let combinations = combinations(&options.compare, &plan).map_err(refused)?;
    if !options.output.quiet {
        terminal::say(&input::remarks(manifest, &plan, terminal::color()));
        say_what_is_left_out(options, &limits);
    }
    let variants: Vec<Variant> = combinations.into_iter().map(|cells| Variant::of(manifest, &plan, cells)).collect();
    let sha256 = manifest.sha256().map_err(Failure::Input)?.to_owned();
    let facts = ManifestFacts { path: path_of(options), sha256 };
    let shown =
        Comparison { manifest: facts, as_it_is: &Outcome::of(&plan), variants: &variants, max_sats: limits.max_sats };
    terminal::print(options.output.format, |out| match options.output.format {
        Format::Table if options.output.quiet => Ok(()),
        Format::Table => shown.table(out, stdout_columns()),
        Format::Json => shown.json(out),
        Format::Csv => shown.csv(out),
    })?;
    let is_wrong = variants.iter().any(|variant| variant.outcome.is_err());
    Ok(if is_wrong { ExitCode::Usage } else { ExitCode::Done })
}

/// Variants are held against `max_sats` alone, and have no figures in fiat: whoever asks for more is told.
fn say_what_is_left_out(options: &PlanOptions, limits: &Limits) {
    let RateOptions { file, currency, .. } = &options.rates;
    if file.is_some() || currency.is_some() {
        terminal::say("note: variants are compared in sats, and have no amounts in fiat\n");
    }
    let others = [
        ("max_sats_per_day", limits.max_sats_per_day),
        ("max_sats_per_month", limits.max_sats_per_month),
        ("max_sats_new_origin", limits.max_sats_new_origin),
    ];
    let set: Vec<&str> = others.into_iter().filter(|(_, most)| most.is_some()).map(|(name, _)| name).collect();
    if !set.is_empty() {
        terminal::say(&format!(
            "note: variants are held against max_sats and max_sats_per_job, not against {}\n",
            set.join(", ")
        ));
    }
}

fn refused(why: Incomparable) -> Failure {
    let hint = match &why {
        Incomparable::NoParameter(_) => "another endpoint or limit is another manifest: plan that".to_owned(),
        Incomparable::Unknown { meant: Some(meant), .. } => format!("did you mean {meant}?"),
        Incomparable::Unknown { meant: None, .. } => "`catalog show` tells what endpoints take".to_owned(),
        Incomparable::Twice(_) => "name all its values at once: --compare 'mode=standard|pro'".to_owned(),
        Incomparable::TooMany(_) => "leave values out, or compare one parameter at a time".to_owned(),
    };
    CommandError::usage(format!("--compare: {why}")).hint(hint).into()
}
