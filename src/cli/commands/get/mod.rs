//! `get`: one purchase without a manifest. It makes the manifest of one job, and runs it: the same command is the same
//! batch, so that it goes on where it stopped, and gives again what is bought.

mod hand_out;
mod place;
mod same;
mod wanted;

use std::path::PathBuf;

use crate::catalog::origin_of;
use crate::cli::batch::counterparties::SandboxOptions;
use crate::cli::commands::{download, recover, run};
use crate::cli::live_price::LivePrices;
use crate::cli::money::{self, Room};
use crate::cli::options::config::{
    DownloadCommand, GetOptions, GetWay, ManifestSource, Output, Payment, PlanOptions, RecoverOptions, RunOptions,
    Target,
};
use crate::cli::options::layer::Layers;
use crate::cli::options::values::{Format, ManifestFormat};
use crate::cli::preflight::questions::{in_msat, is_terminal, is_unattended};
use crate::cli::{CommandError, ExitCode, Failure, input, terminal};
use crate::command::{command, file};
use crate::l402::Network;
use crate::ledger::{LedgerAddress, OpenMode, ResultRow};
use crate::manifest::Limits;
use crate::money::{Msat, Sats};
use crate::plan::PlannedJob;
use crate::plan::view::LiveAnswer;
use crate::purchase::JobState;

use hand_out::{check_out, hand_out};
use place::{Place, is_locked, row_of};
use same::check_same;
use wanted::Wanted;

/// What stands for a price that nobody knows yet: a manifest needs one to be read.
const UNASKED: Sats = Sats::new(1);
/// What is shown as the file of a manifest that is not written.
const NAME: &str = "get";

/// Buys one thing, or asks what it costs.
pub(in crate::cli) fn execute(options: GetOptions, sandbox: &SandboxOptions) -> Result<ExitCode, Failure> {
    match &options.way {
        GetWay::Ask(plan) => ask(&options, plan),
        GetWay::Buy(run) => {
            let ended = buy(&options, RunOptions::clone(run), sandbox);
            if let Payment::Sandbox(ledger) = &run.payment {
                // The folder for play money's ledger, where none was begun. One that holds anything stays.
                let _ = ledger.file().parent().map(std::fs::remove_dir);
            }
            ended
        }
    }
}

/// `--dry-run`: nothing is paid, and nothing written.
fn ask(options: &GetOptions, plan: &PlanOptions) -> Result<ExitCode, Failure> {
    let (catalogs, limits) = (&plan.manifest.catalogs, &plan.buying.limits);
    let wanted = Wanted::of(options, catalogs)?;
    let (job, most) = job_of(&wanted, UNASKED, catalogs, limits)?;
    let price = live(&job, options.network, limits)?;
    let is_cap = job.endpoint.price.is_cap;
    let planned = (!wanted.is_address()).then_some(job.priced.price);
    let differs = planned.filter(|planned| if is_cap { *planned < price } else { *planned != price });
    let at_most = if is_cap { "at most " } else { "" };
    let beside = differs.map(|planned| format!(", and the catalogue says {at_most}{planned}")).unwrap_or_default();
    terminal::say(&format!("it costs {price} now{beside}; nothing was paid, and nothing written\n"));
    // An address is bought at the price of now, an endpoint within its catalogue's.
    let job = if wanted.is_address() { job_of(&wanted, price.sats_ceil(), catalogs, limits)?.0 } else { job };
    let all = job.priced.price.max(price).checked_add(job.fee_ceiling);
    if let Some(most) = most.max_sats.filter(|most| most.msat().is_some_and(|most| all.is_none_or(|all| all > most))) {
        let fees = job.fee_ceiling;
        return Err(CommandError::limit(format!(
            "max_sats of {most} does not hold it with at most {fees} routing fees"
        ))
        .into());
    }
    check_origin(plan, &most, &job, all)?;
    Ok(if differs.is_some() { ExitCode::NotAsPlanned } else { ExitCode::Done })
}

/// That what its origin may get holds so much, as the purchase would be refused else.
fn check_origin(plan: &PlanOptions, limits: &Limits, job: &PlannedJob, cost: Option<Msat>) -> Result<(), Failure> {
    let zone = input::time_zone(limits, &plan.buying.system_time_zone)?;
    let is_unattended = is_unattended(&plan.buying.choice, false, plan.play);
    let budget = money::budget(limits, None, zone, is_unattended)?;
    let origin = origin_of(&job.endpoint.url);
    let ledger = plan.ledger.exists().then(|| crate::ledger::open(&plan.ledger, OpenMode::Read)).transpose()?;
    let room = Room::of(ledger.as_ref(), limits, &budget, Msat::ZERO, false)?;
    let of_job = budget.origin(&origin).job.map(|most| ("max_sats_per_job", most));
    let left = room.at(&origin)?.into_iter().map(|(limit, left)| (limit.key(), left));
    let exceeded = of_job.into_iter().chain(left).find(|(_, left)| cost.is_none_or(|cost| cost > *left));
    exceeded.map_or(Ok(()), |(key, left)| {
        let (left, fees) = (left.sats_floor(), job.fee_ceiling);
        let words = format!("{key} at {origin} leaves {left}, which does not hold it with at most {fees} routing fees");
        Err(CommandError::limit(words).into())
    })
}

/// The one job that is wanted, where an address costs that, and the limits. Everything that is wrong with either is found here.
fn job_of(
    wanted: &Wanted,
    price: Sats,
    catalogs: &[PathBuf],
    limits: &Layers,
) -> Result<(PlannedJob, Limits), Failure> {
    let manifest = wanted.open(price, NAME.as_ref(), catalogs)?;
    let (planned, limits) = input::plan(&manifest, limits)?;
    let mut found = None;
    for job in planned.jobs(&manifest) {
        found = Some(job.map_err(Failure::Input)?);
    }
    let job = found.ok_or_else(|| CommandError::internal("a manifest of one job has none"))?;
    Ok((job, limits))
}

/// What the seller asks now.
fn live(job: &PlannedJob, network: Option<Network>, limits: &Layers) -> Result<Msat, Failure> {
    let mut prices = LivePrices::new(&limits.all().tables)?;
    match crate::cli::runtime()?.block_on(prices.answer(job, network)) {
        LiveAnswer::Asks(price) => Ok(price),
        LiveAnswer::Refuses(why) => Err(CommandError::not_as_planned(format!("{why}; nothing was paid")).into()),
        LiveAnswer::Unknown(why) => Err(CommandError::unwritten(format!("{why}; nothing was paid")).into()),
    }
}

fn buy(options: &GetOptions, mut run: RunOptions, sandbox: &SandboxOptions) -> Result<ExitCode, Failure> {
    let (ledger, play) = match &run.payment {
        Payment::Node(_, ledger) => (ledger.clone(), false),
        Payment::Sandbox(ledger) => (ledger.clone(), true),
    };
    let wanted = Wanted::of(options, &run.manifest.catalogs)?;
    if play && wanted.is_address() {
        return Err(CommandError::usage("--sandbox sells what is built in, and no other address")
            .hint("name an endpoint: the command `catalog show` lists them")
            .into());
    }
    let place = Place::of(&ledger, &wanted.name);
    let before = row_of(&ledger, &wanted.name)?;
    let begun = before.as_ref().filter(|row| is_begun(row.state));
    let same = |row: &ResultRow| {
        let (job, _) = job_of(&wanted, row.price.sats_ceil(), &run.manifest.catalogs, &run.buying.limits.of_secrets())?;
        check_same(&ledger, row, &job)
    };
    if let Err(failure) = check_out(options, before.as_ref()).and_then(|()| begun.map_or(Ok(()), same)) {
        let open = begun.filter(|row| !is_bought(row)).map(|row| finish(&run, &ledger, &place, row));
        let finished = open.transpose().unwrap_or_else(|failure| Some(failure.report())).unwrap_or(ExitCode::Done);
        return Ok(finished.or_worse(failure.report()));
    }
    if let Some(row) = begun.filter(|row| is_bought(row)) {
        place.write_missing(&wanted.manifest(row.price.sats_ceil()))?;
        return give_again(options, &run, &place, row);
    }
    if !play {
        check_bound(&wanted, &run, begun.is_some())?;
        run.buying.choice.yes |= !is_terminal();
    }
    let price = price(&wanted, &run, options.network, begun)?;
    // What is wrong with it leaves no trace.
    input::plan(&wanted.open(price, NAME.as_ref(), &run.manifest.catalogs)?, &run.buying.limits)?;
    place.write(&wanted.manifest(price))?;
    run.manifest.source = ManifestSource::File(place.manifest.clone(), ManifestFormat::Toml);
    run.manifest.batch = Some(wanted.name.clone());
    run.buying.downloads = place.downloads(&run);
    (run.output.format, run.output.stdout_is_taken) = (Format::Table, true);
    let ended = run::execute(&run, sandbox);
    let after = row_of(&ledger, &wanted.name);
    if matches!(after, Ok(None)) && !is_locked(&ledger, &wanted.name) {
        place.leave();
    }
    let code = ended?;
    if let Some(row) = after?.filter(is_bought) {
        hand_out(options, &row, run.output.quiet)?;
    }
    Ok(code)
}

/// Finishes what is open under its name, as `recover` does: what is paid waits for nothing that its words stand for now.
fn finish(run: &RunOptions, ledger: &LedgerAddress, place: &Place, row: &ResultRow) -> Result<ExitCode, Failure> {
    let Payment::Node(node, _) = &run.payment else { return Ok(ExitCode::Done) };
    recover::execute(&RecoverOptions {
        target: Some(Target { manifest: None, batch: Some(row_name(row)) }),
        node: Some(node.clone()),
        pace: run.buying.pace.clone(),
        deadline: run.buying.deadline,
        downloads: place.downloads(run),
        tables: run.buying.limits.all().tables,
        output: Output { format: Format::Table, stdout_is_taken: true, ..run.output },
        ledger: ledger.clone(),
    })
}

/// Where nobody is asked, the seller's word of now needs a bound. What is begun has its price.
fn check_bound(wanted: &Wanted, run: &RunOptions, is_begun: bool) -> Result<(), Failure> {
    let is_asked = is_terminal() && (!run.buying.choice.yes || !wanted.is_address());
    if is_asked || is_begun || run.buying.limits.with_manifest(&Limits::default()).max_sats.is_some() {
        return Ok(());
    }
    Err(CommandError::usage("nobody is asked, and there is no limit; nothing was bought")
        .hint("add --max-sats SATS, the most that it may cost with its routing fee")
        .into())
}

/// What an address costs: as its purchase was begun, where that is open; else as it asks now. An endpoint's price stands in the
/// catalogue.
fn price(
    wanted: &Wanted,
    run: &RunOptions,
    network: Option<Network>,
    begun: Option<&ResultRow>,
) -> Result<Sats, Failure> {
    if !wanted.is_address() {
        return Ok(UNASKED);
    }
    if let Some(row) = begun {
        return Ok(row.price.sats_ceil());
    }
    let (job, limits) = job_of(wanted, UNASKED, &run.manifest.catalogs, &run.buying.limits)?;
    let asked = live(&job, network, &run.buying.limits)?.sats_ceil();
    let most = limits.max_sats.map(in_msat).transpose()?;
    if let Some(most) = most.filter(|most| asked.msat().is_none_or(|asked| asked > *most)) {
        return Err(CommandError::limit(format!(
            "it costs {asked} now, and --max-sats is {}; nothing was bought",
            most.sats_floor()
        ))
        .into());
    }
    Ok(asked)
}

/// Money has gone out for it, or may have.
const fn is_begun(state: JobState) -> bool {
    match state {
        JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => true,
        JobState::Pending | JobState::Refused | JobState::Failed => false,
    }
}

const fn is_bought(row: &ResultRow) -> bool {
    matches!(row.state, JobState::Delivered | JobState::Downloaded)
}

/// What is bought already is given once more, and fetched once more where its file has gone.
fn give_again(options: &GetOptions, run: &RunOptions, place: &Place, row: &ResultRow) -> Result<ExitCode, Failure> {
    let Payment::Node(_, ledger) = &run.payment else {
        return Err(CommandError::internal("play money has bought nothing before").into());
    };
    if !run.output.quiet {
        let catalogs =
            run.manifest.catalogs.iter().map(|path| format!(" --catalog {}", file(&path.display().to_string())));
        let again = format!("run {}{}", file(&place.manifest.display().to_string()), catalogs.collect::<String>());
        terminal::say(&format!(
            "bought already: this is what came then, and nothing is paid. One purchase more is a person's word: --retake {}, to {}\n",
            row.id,
            command(&again)
        ));
    }
    let mut code = ExitCode::Done;
    let mut found = row.clone();
    if !hand_out::is_here(&found) {
        code = download::execute(&DownloadCommand {
            target: Target { manifest: None, batch: Some(row_name(row)) },
            jobs: Vec::new(),
            missing: true,
            downloads: place.downloads(run),
            pace: run.buying.pace.clone(),
            output: Output { format: Format::Table, stdout_is_taken: true, ..run.output },
            ledger: ledger.clone(),
        })?;
        found = row_of(ledger, &row_name(row))?.unwrap_or(found);
    }
    hand_out::check_kept(&found)?;
    hand_out(options, &found, run.output.quiet)?;
    Ok(code)
}

/// Its batch is called as its job.
fn row_name(row: &ResultRow) -> String {
    row.id.clone()
}
