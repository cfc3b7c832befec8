//! `plan --out`: saves a plan, from which a run buys exactly what it says, in one batch.

use std::io::BufReader;
use std::path::Path;

use super::live::unit_price;
use super::path_of;
use crate::catalog::Endpoint;
use crate::cli::options::config::{Frozen, ManifestOptions, ManifestSource, PlanOptions, SaveTo};
use crate::cli::preflight::ground::Ground;
use crate::cli::preflight::planned::Planned;
use crate::cli::{CommandError, Failure, input, terminal};
use crate::command::lone_command;
use crate::ledger::port::Batches;
use crate::manifest::{Format, Limits, Manifest};
use crate::money::counted;
use crate::plan::saved::{
    LiveSource, SAVED_TYPE, SAVED_VERSION, SavedEndpoint, SavedHead, SavedLedger, SavedManifest, SavedPlan,
    SavedReading, SavedWallet, is_saved_plan,
};
use crate::plan::view::{LeftToBuy, Live, ViewError};
use crate::report::replace_whole;
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

/// That the plan can be saved there, before anybody is asked for anything.
///
/// # Errors
/// Where it cannot: it is of more or less than a manifest that a run could read again, its batch is there already, or what stands at
/// the path is no saved plan.
pub(super) fn check(options: &PlanOptions, of: &Ground<'_>, name: Option<&str>) -> Result<(), Failure> {
    let Some(to) = &options.save else { return Ok(()) };
    let refused = |words: &str, hint: &str| Err(CommandError::usage(words).hint(hint.to_owned()).into());
    if options.play {
        return refused(
            "a plan of play money is not saved: each such run begins anew",
            "leave --out or the sandbox out",
        );
    }
    if matches!(options.manifest.source, ManifestSource::Stdin(_)) {
        return refused("a manifest from standard input cannot be read again by a run", "put it into a file");
    }
    if of.of_results {
        return refused("a results file goes on with its batch, and a saved plan begins one", "name the manifest");
    }
    if options.buying.choice.is_any() {
        return refused(
            "a saved plan is of the whole manifest",
            "leave --only, --where, --limit, --retake and --duplicates out",
        );
    }
    if to.path.extension().is_none_or(|ending| ending != "plan") {
        return refused("a saved plan is known by its ending", "name it FILE.plan");
    }
    if let (Some(name), true) = (name, of.known.is_some()) {
        let words = format!("the ledger has the batch {name} already, and a saved plan begins one");
        return Err(CommandError::usage(words).hint("give this one a name with --batch OTHER").into());
    }
    let is_in_the_way = to.path.exists() && !to.overwrite && !is_ours(&to.path);
    if is_in_the_way {
        let words = format!("{} is no saved plan, and is not replaced", to.path.display());
        return Err(CommandError::usage(words).hint("name another file, or give --overwrite").into());
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    std::fs::File::open(path).is_ok_and(|file| is_saved_plan(&mut BufReader::new(file)))
}

/// Saves the plan: with the prices that were asked for, where that was done.
///
/// # Errors
/// Where the manifest has changed meanwhile, or the file cannot be written.
pub(super) fn save(
    (options, to): (&PlanOptions, &SaveTo),
    of: &Ground<'_>,
    planned: &Planned<'_>,
    name: &str,
    live: Option<&Live>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    let endpoints = planned.plan.endpoints().iter().map(|endpoint| frozen(endpoint, live, now));
    let endpoints: Vec<SavedEndpoint> = endpoints.collect();
    // Read as the run will read it.
    let frozen =
        Frozen { endpoints: endpoints.iter().map(|saved| saved.endpoint.clone()).collect(), limits: Limits::default() };
    let reading = ManifestOptions { frozen: Some(frozen), ..options.manifest.clone() };
    let manifest = input::open(&reading, None).map_err(Failure::Input)?;
    let again = Planned::of(&manifest, &options.buying.limits, None)?;
    let head = head((options, name), of, &manifest, &again, now)?;
    let saved = SavedPlan { head, endpoints };
    let mut unread = None;
    let written = replace_whole(&to.path, |out| {
        saved.write(&again.plan, again.source(), out).map_err(|error| match error {
            ViewError::Write(error) => error,
            ViewError::Manifest(found) => {
                unread = Some(found);
                std::io::Error::other("the manifest changed")
            }
        })
    });
    match (written, unread) {
        (_, Some(found)) => Err(Failure::Input(found)),
        (Err(error), None) => {
            Err(CommandError::usage(format!("{} cannot be written", to.path.display())).because(error).into())
        }
        (Ok(_), None) => {
            if !options.output.quiet {
                terminal::say(&words(&saved, &to.path));
            }
            Ok(())
        }
    }
}

fn words(saved: &SavedPlan, path: &Path) -> String {
    let left = LeftToBuy::of(&saved.head.totals());
    let live = saved.endpoints.iter().flat_map(|of| of.live.iter().map(|live| rate_words(&of.endpoint, live)));
    let live: Vec<String> = live.collect();
    let prices = match live.as_slice() {
        [] => "at the catalogue's prices".to_owned(),
        live => format!("as asked now: {}; else at the catalogue's prices", live.join(", ")),
    };
    format!(
        "{} is written: {} for {} and at most {} of routing fees, {prices}. `{}` buys nothing else, in one batch, without a question: what is not bought yet, and what limits let through; it is the yes\n",
        path.display(),
        counted(left.jobs, "job"),
        left.price_words(|price| price.sats_ceil().to_string()),
        left.fee_ceiling.sats_ceil(),
        lone_command(&format!("run {}", crate::command::shell(&path.display().to_string()))),
    )
}

/// `generate-video (mode=pro) 605 sats a second`
fn rate_words(endpoint: &Endpoint, live: &LiveSource) -> String {
    let of = if live.chosen_by.is_empty() { String::new() } else { format!(" ({})", live.chosen_by) };
    format!("{}{of} {} a {}", endpoint.name, live.rate_msat, endpoint.price.unit)
}

/// The endpoint with the prices that its seller asked for.
fn frozen(endpoint: &Endpoint, live: Option<&Live>, now: UnixMs) -> SavedEndpoint {
    let mut frozen = endpoint.clone();
    let mut sources = Vec::new();
    let rates = live.into_iter().flat_map(|live| &live.rates).filter(|rate| rate.job.endpoint.name == endpoint.name);
    for rate in rates {
        let Some(asked) = unit_price(rate) else { continue };
        let chosen_by = &rate.job.priced.chosen_by;
        let rule = &endpoint.price;
        let at = rule.rates.iter().position(|known| rule.chosen_by(|at| known.when.get(at)) == *chosen_by);
        let Some(known) = at.and_then(|at| frozen.price.rates.get_mut(at)) else { continue };
        sources.push(LiveSource {
            chosen_by: chosen_by.clone(),
            rate_msat: asked,
            catalog_msat: known.rate,
            asked_at: now.rfc3339(),
        });
        known.rate = asked;
    }
    SavedEndpoint { endpoint: frozen, live: sources }
}

fn head(
    (options, name): (&PlanOptions, &str),
    of: &Ground<'_>,
    manifest: &Manifest,
    again: &Planned<'_>,
    now: UnixMs,
) -> Result<SavedHead, Failure> {
    let totals = again.plan.totals();
    let ledger = of.ledger.map(|ledger| ledger.id()).transpose()?;
    let reading = &options.manifest;
    let pair = |pair: &crate::cli::options::values::Pair| (pair.key.clone(), pair.value.clone());
    let (ManifestSource::File(_, format) | ManifestSource::Stdin(format)) = &reading.source;
    let format =
        Format::ENDINGS.iter().find(|(_, known)| *known == Format::from(*format)).map_or("", |(ending, _)| ending);
    Ok(SavedHead {
        format_version: SAVED_VERSION,
        kind: SAVED_TYPE.to_owned(),
        id: draw_id()?,
        made_at: now.rfc3339(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        batch: name.to_owned(),
        manifest: SavedManifest {
            path: absolute(Path::new(&path_of(options)))?,
            sha256: manifest.sha256().map_err(Failure::Input)?.to_owned(),
        },
        reading: SavedReading {
            format: format.to_owned(),
            defaults: reading.defaults.iter().map(pair).collect(),
            columns: reading.columns.iter().map(pair).collect(),
            delimiter: reading.table.delimiter.map(char::from),
            sheet: reading.table.sheet.as_ref().map(ToString::to_string),
            header_row: reading.table.header_row,
            hidden_rows: reading.table.hidden_rows,
        },
        duplicates: manifest.duplicates.map(|word| word.as_str().to_owned()),
        edition: manifest.edition.as_ref().map(ToString::to_string),
        limits: limits(options, again),
        wallet: SavedWallet {
            network: options.network.map(|network| network.as_str().to_owned()),
            url: options.node_url.as_ref().map(ToString::to_string),
        },
        ledger: SavedLedger { id: ledger, address: absolute(options.ledger.file())? },
        job_count: totals.job_count,
        total_msat: totals.price,
        capped_msat: totals.capped,
        fee_ceiling_msat: totals.fee_ceiling,
        worst_case_msat: totals.worst_case,
        fingerprint: again.plan.fingerprint().to_owned(),
    })
}

fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path);
    let absolute = absolute.map_err(|error| CommandError::usage(path.display().to_string()).because(error))?;
    Ok(absolute.display().to_string())
}

/// The limits that hold: what was said, and no more than the worst case for the batch; each payment's ceiling as it was planned.
fn limits(options: &PlanOptions, again: &Planned<'_>) -> Limits {
    let (policy, worst_case) = (again.plan.policy(), again.plan.totals().worst_case.sats_ceil());
    let limits = again.limits.clone();
    Limits {
        max_sats: Some(limits.max_sats.map_or(worst_case, |most| most.min(worst_case))),
        max_fee_ppm: Some(policy.max_fee_ppm),
        fee_floor_sats: Some(policy.fee_floor.sats_floor()),
        time_zone: limits.time_zone.or_else(|| Some(options.buying.system_time_zone.clone())),
        ..limits
    }
}

/// What tells this plan from every other one, of the same jobs too.
fn draw_id() -> Result<String, Failure> {
    let mut id = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut id).map_err(|_| CommandError::internal("no randomness to be had"))?;
    Ok(data_encoding::HEXLOWER.encode(&id))
}
