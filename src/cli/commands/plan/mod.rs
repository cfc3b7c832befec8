//! `plan`: what a manifest costs, exactly; nothing written, and no network but for live prices.

mod compare;
mod live;
mod save;

use crate::ledger::port::{Batches, Views};
use crate::ledger::{Batch, DownloadTo, OpenLedger, OpenMode};
use crate::money::{Msat, Sats};
use crate::plan::limits::{self, Fit};
use crate::plan::sums::NotSummed;
use crate::plan::view::{
    Duplicated, LeftToBuy, Listed, Live, ManifestFacts, PageFacts, PlanView, SoFar, ViewError, file_name,
};
use crate::run::{Clock, SystemClock};
use crate::screen::stdout_columns;

use crate::cli::batch::download_setup::DownloadSetup;
use crate::cli::money::{Fitting, Room};
use crate::cli::options::config::{ManifestSource, PlanOptions};
use crate::cli::preflight::duplicates::{originals, words as duplicate_words};
use crate::cli::preflight::foresight::{Foresight, Foretold, RunToForesee};
use crate::cli::preflight::ground::{Ground, check_room};
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::questions::is_unattended;
use crate::cli::{CommandError, ExitCode, Failure, Format, input, money, rates, sums, terminal};

/// What a variable that is left set makes of a plan.
const PLAY: &str =
    "note: L402_BATCH_SANDBOX asks for play money: a run begins with a ledger of its own, and this plan is of that\n";

/// Plans, prints, and says with the exit code whether the limits hold it.
pub(in crate::cli) fn execute(options: PlanOptions) -> Result<ExitCode, Failure> {
    let mut manifest = input::open(&options.manifest, None).map_err(Failure::Input)?;
    let of_results = input::batch_of_results(&mut manifest, &options.manifest, &options.ledger, options.play)?;
    let name = of_results.clone().or_else(|| input::batch_name(&options.manifest, &manifest).ok());
    if options.play && options.live {
        let failure = CommandError::usage("--live asks real sellers, and L402_BATCH_SANDBOX asks for play money");
        return Err(failure.hint("leave one of them out").into());
    }
    if options.play && !options.output.quiet {
        terminal::say(PLAY);
    }
    if options.jobs && options.page.is_some() {
        let failure = CommandError::usage("an estimate shows groups and totals, and --jobs every job");
        return Err(failure.hint("leave --jobs out, and name what tells jobs apart with --sum-by").into());
    }
    if !options.compare.is_empty() {
        return compare::execute(&options, &manifest, of_results.is_some());
    }
    let ledger = match !options.play && options.ledger.exists() {
        true => Some(crate::ledger::open(&options.ledger, OpenMode::Read)?),
        false => None,
    };
    let batch = ledger.as_ref().zip(name.as_ref()).map(|(ledger, name)| ledger.batch(name)).transpose()?.flatten();
    let of = Ground {
        manifest: &manifest,
        ledger: ledger.as_ref(),
        known: batch.as_ref(),
        of_results: of_results.is_some(),
    };
    save::check(&options, &of, name.as_deref())?;
    let refused = of.refusal((&options.ledger, options.play), name.as_deref(), &options.buying);
    let told = tell(&options, &of, name.as_deref());
    // Whatever else a run would say, it ends with that.
    match (told, refused) {
        (told, Ok(())) => told,
        (told, Err(refused)) => {
            told.err().map(|failure| failure.report());
            Err(refused)
        }
    }
}

/// Shows the plan, and what a run that is not refused would come to.
fn tell(options: &PlanOptions, of: &Ground<'_>, name: Option<&str>) -> Result<ExitCode, Failure> {
    let planned = Planned::of(of.manifest, &options.buying.limits, of.of_batch())?;
    if !options.output.quiet {
        terminal::say(&input::remarks(of.manifest, &planned.plan, terminal::color()));
    }
    let to = of.folder(&options.buying, &planned)?;
    let known = known_batch(options, of, name, (&planned, to.is_some()))?;
    let totals = planned.plan.totals();
    let all = LeftToBuy::of(&totals);
    let left = known.as_ref().map_or(all, |known| known.foretold.left);
    let jobs = left.jobs;
    let lacking = of.lacking(to.as_ref(), &left)?;
    show(options, of, &planned, (known.as_ref(), to.as_ref(), lacking.as_deref()))?;
    let live = known.as_ref().and_then(|known| known.live.as_ref());
    if let Some(words) = live.and_then(Live::words) {
        terminal::say(&format!("warning: live prices: {words}; nothing was paid\n"));
    }
    if let Some(words) = &lacking {
        terminal::say(&format!("warning: {words}\n"));
    }
    if let Some(words) = known.as_ref().and_then(|known| known.foretold.fitting.words(&known.foretold.left)) {
        terminal::say(&format!("note: {words}\n"));
    }

    if let Some((to, name)) = options.save.as_ref().zip(name) {
        save::save((options, to), of, &planned, name, live)?;
    }
    let (used, rest) = match &known {
        Some(LedgerView { used, foretold: Foretold { left, .. }, .. }) => {
            (*used, left.price.checked_add(left.fee_ceiling))
        }
        None => (Msat::ZERO, Some(planned.plan.totals().worst_case)),
    };
    let code = |begins: bool| {
        let code = known.as_ref().map_or(ExitCode::Done, |known| known.foretold.code(begins && lacking.is_none()));
        let code = live.map_or(code, |live| code.or_worse(live::exit(live, options.save.is_some())));
        if lacking.is_some() { code.or_worse(ExitCode::Unfinished) } else { code }
    };
    let rest = rest.ok_or_else(|| CommandError::internal("the worst case is larger than any amount"))?;
    check_room(&options.ledger, jobs)?;
    let most = planned.limits.max_sats.and_then(Sats::msat);
    let or_partial = known.as_ref().map_or("", |known| known.foretold.fitting.or_partial(None));
    match limits::check(used, rest, most) {
        Fit::Fits => Ok(code(true)),
        // Where nothing is left to buy there is nothing to hold.
        // What fits is told above.
        Fit::DoesNotFit { .. } if options.buying.choice.partial || rest == Msat::ZERO => Ok(code(true)),
        Fit::DoesNotFit { needed, most, missing } => {
            let failure = CommandError::limit(format!(
                "max_sats of {most} does not hold the worst case of {}",
                needed.sats_ceil()
            ))
            .hint(format!("raise it by {}{}", missing.sats_ceil(), or_partial));
            Ok(Failure::from(failure).report().or_worse(code(false)))
        }
    }
}

/// Shows the plan, and where files would go.
fn show(
    options: &PlanOptions,
    of: &Ground<'_>,
    planned: &Planned<'_>,
    (known, to, lacking): (Option<&LedgerView>, Option<&DownloadTo>, Option<&str>),
) -> Result<(), Failure> {
    let (plan, source) = (&planned.plan, planned.source());
    let lists = options.page.is_none() && options.output.format != Format::Csv;
    if options.buying.choice.partial && !lists && !options.output.quiet {
        terminal::say("note: the table and --json list what fits, job by job\n");
    }
    let sha256 = of.manifest.sha256().map_err(Failure::Input)?.to_owned();
    let facts = ManifestFacts { path: path_of(options), sha256 };
    let left = known.filter(|known| !known.is_new).map(|known| known.foretold.left);
    let fitting = known.map(|known| known.foretold.fitting);
    let fits = match lacking {
        Some(_) => Some(Fitting::of_nothing().fits),
        None => fitting.filter(Fitting::is_partial).map(|fitting| fitting.fits),
    };
    let so_far = known.and_then(|known| known.so_far);
    let duplicates = known.and_then(|known| known.duplicates.as_ref());
    to.map_or(Ok(()), |to| DownloadSetup::look(to, of.ledger))?;
    let download = to.map(ToString::to_string);
    let changed = known.map_or(0, |known| known.foretold.changed);
    let told = known.map(|known| known.told.as_slice()).unwrap_or_default();
    let told: Vec<String> = told.iter().cloned().chain(lacking.map(str::to_owned)).collect();
    let sums = options.sum_by.as_ref().map(|by| plan.sums(source, by)).transpose().map_err(not_summed)?;
    let is_shown = !options.output.quiet || options.page.is_some() || options.output.format != Format::Table;
    let rate = if is_shown { rates::now(&options.rates) } else { None };
    // Nothing of it is bought until there is room: that is said.
    let list = known.and_then(|known| known.list.as_deref()).filter(|_| lacking.is_none());
    let view = PlanView {
        plan,
        source,
        manifest: facts,
        left,
        fits,
        lacks_room: lacking.is_some(),
        changed,
        duplicates,
        so_far,
        told: &told,
        download,
        live: known.and_then(|known| known.live.as_ref()),
        sums: sums.as_ref(),
        rate: rate.as_ref(),
        partial: list,
    };
    print(options, of, &view)
}

/// Prints the plan as it is asked for.
fn print(options: &PlanOptions, of: &Ground<'_>, view: &PlanView<'_>) -> Result<(), Failure> {
    let mut shown = Ok(());
    // A page is folded by whoever shows it.
    let folded = if options.page.is_some() { Format::Json } else { options.output.format };
    terminal::print(folded, |out| {
        shown = match options.output.format {
            _ if options.page.is_some() => {
                options.page.map_or(Ok(()), |page| view.page(page, &page_facts(options, of), out))
            }
            Format::Table if options.output.quiet => Ok(()),
            Format::Table => view.table(out, options.jobs, stdout_columns()),
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

/// What an estimate is called, and when it was made: on the person's own day.
fn page_facts(options: &PlanOptions, of: &Ground<'_>) -> PageFacts {
    let name = input::batch_name(&options.manifest, of.manifest);
    // Where it lies is nobody else's business.
    let name = name.unwrap_or_else(|_| file_name(&path_of(options)).to_owned());
    let now = jiff::Timestamp::from_millisecond(SystemClock.now().0).unwrap_or_default();
    PageFacts { name, date: now.to_zoned(terminal::zone()).strftime("%Y-%m-%d %H:%M %Z").to_string() }
}

fn not_summed(why: NotSummed) -> Failure {
    match why {
        NotSummed::Manifest(found) => Failure::Input(found),
        NotSummed::Column(no) => sums::refused(&no).into(),
    }
}

fn path_of(options: &PlanOptions) -> String {
    match &options.manifest.source {
        ManifestSource::File(path, _) => path.display().to_string(),
        ManifestSource::Stdin(_) => "-".to_owned(),
    }
}

/// What the ledger says of the plan.
struct LedgerView {
    used: Msat,
    /// All of the plan is left to buy.
    is_new: bool,
    /// Where the batch has run already.
    so_far: Option<SoFar>,
    duplicates: Option<Duplicated>,
    /// What a run would leave out, in words.
    told: Vec<String>,
    /// What running it would come to.
    foretold: Foretold,
    /// What it costs now, where that was asked for.
    live: Option<Live>,
    /// What of it the limits hold, job by job, where what fits is bought.
    list: Option<Vec<Listed>>,
}

/// None where there is no ledger, and nothing is limited or chosen.
fn known_batch(
    options: &PlanOptions,
    of: &Ground<'_>,
    name: Option<&str>,
    (planned, fetches): (&Planned<'_>, bool),
) -> Result<Option<LedgerView>, Failure> {
    let (plan, limits, buying) = (&planned.plan, &planned.limits, &options.buying);
    let Ground { manifest, known: batch, .. } = *of;
    let none;
    let ledger = match of.ledger {
        Some(ledger) => ledger,
        None => {
            none = crate::ledger::in_memory()?;
            &none
        }
    };
    let zone = input::time_zone(limits, &options.buying.system_time_zone)?;
    let (used, so_far) = spent(ledger, batch)?;
    let is_unattended = is_unattended(&buying.choice, options.save.is_some(), options.play);
    let budget = money::budget(limits, None, zone.clone(), is_unattended)?;
    let room = Room::of(Some(ledger), limits, &budget, used, options.buying.choice.partial)?;
    let is_asked = options.live
        || room.is_bounded()
        || buying.choice.is_any()
        || buying.choice.partial
        || plan.above_limit() > 0
        || manifest.notes().left_out > 0;
    if of.ledger.is_none() && !is_asked {
        return Ok(None);
    }
    let (buying, retake) = of.chosen(buying, planned)?;
    let asked = RunToForesee {
        manifest,
        name,
        plan,
        buying: &buying,
        retake: &retake,
        limits,
        fetches,
        zone: &zone,
        rows: planned.rows.as_ref(),
        node: None,
    };
    let foresight = Foresight::of(ledger, batch.map(|batch| batch.key), &asked)?;
    let is_new = batch.is_none() && foresight.duplicates.count == 0;
    let is_new = is_new && !options.buying.choice.is_any() && plan.above_limit() == 0;
    let mut list = buying.choice.partial.then(Vec::new);
    let foretold = foresight.told_listing(&room, list.as_mut())?;
    let told: Vec<String> = foresight.words().into_iter().chain(foretold.left_words()).collect();
    // Whatever decides how this ends is said.
    if !options.output.quiet || foretold.code(true) != ExitCode::Done {
        // The plan itself shows the duplicates, where it is shown.
        let are_unshown = options.output.quiet && !foresight.buys_duplicates() && foresight.duplicates.count > 0;
        let duplicates = are_unshown.then(|| duplicate_words(&foresight.duplicates));
        duplicates.iter().chain(&told).for_each(|words| terminal::say(&format!("warning: {words}\n")));
    }
    let duplicates = duplicated(&foresight);
    let live = options.live.then(|| live::ask(planned, &foresight, options)).transpose()?;
    Ok(Some(LedgerView { used, is_new, so_far, duplicates, told, foretold, live, list }))
}

/// What is bought already under another name, where anything is.
fn duplicated(foresight: &Foresight<'_>) -> Option<Duplicated> {
    (foresight.duplicates.count > 0).then(|| Duplicated {
        jobs: foresight.duplicates.count,
        price: foresight.duplicates.price,
        capped: foresight.duplicates.capped,
        are_bought: foresight.buys_duplicates(),
        first: originals(&foresight.duplicates),
    })
}

/// What the batch has used of its limit, and spent.
fn spent(ledger: &OpenLedger, batch: Option<&Batch>) -> Result<(Msat, Option<SoFar>), Failure> {
    let Some(batch) = batch else { return Ok((Msat::ZERO, None)) };
    let counts = ledger.counts(batch.key)?;
    let so_far = SoFar { spent: counts.spent, fees: counts.fees, refunded: counts.refunded };
    Ok((money::used(&counts)?, Some(so_far)))
}
