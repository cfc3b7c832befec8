//! `doctor`: whether a run would work, in plain words, each with what to do. It pays nothing, writes nothing, and asks each
//! endpoint once, without payment.

mod endpoints;
mod finding;
mod node;
mod survey;

use crate::error::Hinted;
use crate::ledger::{DownloadTo, OpenLedger, OpenMode, check_location};
use crate::plan::limits::{self, Fit};
use crate::plan::view::LeftToBuy;
use crate::report::to_buy_words;

use crate::cli::batch::download_setup::{DownloadSetup, destination};
use crate::cli::batch::receipt_guard::stop;
use crate::cli::options::config::{Config, DoctorOptions};
use crate::cli::options::{Layer, variable};
use crate::cli::preflight::ground::check_room;
use crate::cli::{ExitCode, Failure, terminal};
use finding::{PlanFacts, Report};
use node::AskedNode;
use survey::{Found, Survey};

/// Free space below which a ledger is likely to run out of it.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// Checks everything, prints it, and ends as the gravest problem says. A configuration that cannot be read is a finding, too.
pub(in crate::cli) fn execute(
    args: crate::cli::args::DoctorArgs,
    config: Result<Config, Failure>,
) -> Result<ExitCode, Failure> {
    let mut report = Report::new();
    let typed = Layer::of(&[&args.output]).output();
    let output = match config.and_then(|config| config.doctor(args)) {
        Err(failure) => {
            report.problem("configuration", failure.code(), failure.told(), "mend it first: nothing else was checked");
            typed
        }
        Ok(options) => {
            crate::cli::runtime()?.block_on(check(&options, &mut report))?;
            options.output
        }
    };
    terminal::print(output.format, |out| report.write(out, output.format, output.quiet))?;
    Ok(report.exit())
}

async fn check(options: &DoctorOptions, report: &mut Report) -> Result<(), Failure> {
    configuration(options, report);
    let ledger = ledger(options, report);
    if options.manifest.is_none() {
        folder(options, ledger.as_ref(), report);
    }
    let named = options.node.as_ref().ok().and_then(Option::as_ref);
    let asked = match named {
        Some(node) => Some((node, AskedNode::of(node).await)),
        None => None,
    };
    let info = asked.as_ref().and_then(|(_, asked)| asked.as_ref().ok()?.info());
    let surveyed = options.manifest.as_ref().map(|manifest| survey::survey(manifest, options, ledger.as_ref(), info));
    let (refused, survey) = match surveyed {
        None => (Ok(()), None),
        Some(Ok(Found { refused, survey })) => (refused, Some(survey)),
        Some(Err(failure)) => (Ok(()), Some(Err(failure))),
    };
    let survey = survey.and_then(|survey| match survey {
        Ok(survey) => Some(survey),
        Err(failure) => {
            let advice = "mend it; the command `plan` says the same";
            report.problem("manifest", failure.code(), failure.told().trim_end(), advice);
            None
        }
    });
    if let Some(survey) = &survey {
        plan(survey, refused.is_err(), options, report);
        tell_folder(&survey.download, report);
    }
    // What stops every batch of the ledger is told with the ledger.
    if let Err(refused) = &refused
        && report.exit() != ExitCode::Ledger
    {
        report.problem_of("batch", refused.code(), refused);
    }
    let network = match asked {
        Some((node, asked)) => node::check(node, asked, survey.as_ref(), options.buying.choice.partial, report).await,
        None => None,
    };
    match &survey {
        Some(survey) if options.ask => {
            let exact_price = options.buying.choice.exact_price;
            let tables = &options.buying.limits.all().tables;
            endpoints::check(survey, &endpoints::HeldTo { network, exact_price, tables }, report).await
        }
        Some(_) => {
            report.note("endpoint", "none was asked, as --no-ask says", "leave it out to see live prices");
            Ok(())
        }
        None => Ok(()),
    }
}

fn configuration(options: &DoctorOptions, report: &mut Report) {
    match &options.config_file {
        Some(file) => report.ok("configuration", format!("{} is read", file.display())),
        None => report.ok("configuration", "there is no configuration file; variables, flags and defaults count"),
    }
    if options.play {
        let words = "play money is asked for: a run uses neither this node nor this ledger, and buys nothing";
        report.warning("configuration", words, format!("unset {} for runs that buy", variable("sandbox")));
    }
    match &options.node {
        Ok(Some(_)) => {}
        Ok(None) => report.problem(
            "node",
            ExitCode::Usage,
            "no node is named, and none was found where lnd keeps its files",
            "give --lnd-url, --lnd-macaroon-file and --lnd-cert-file, or the same keys in the configuration file",
        ),
        Err(failure) => report.problem_of("node", failure.code(), failure),
    }
}

/// The ledger, where there is one; in any case whether one can be written there.
fn ledger(options: &DoctorOptions, report: &mut Report) -> Option<OpenLedger> {
    let shown = &options.ledger;
    report.ledger = Some(shown.to_string());
    let place = match check_location(&options.ledger) {
        Ok(place) => place,
        Err(error) => {
            report.problem_or(
                "ledger",
                ExitCode::Ledger,
                &error,
                "make the place writable, or name another with --ledger",
            );
            return None;
        }
    };
    // How much a manifest needs is told with it.
    let room = if options.manifest.is_none() { check_room(&options.ledger, 1) } else { Ok(()) };
    if let Err(failure) = &room {
        report.problem_of("ledger", failure.code(), failure);
    } else if place.free_bytes < FREE_BYTES_MIN {
        let message = format!("{shown}: its disk has {} MiB free", place.free_bytes >> 20);
        report.warning("ledger", message, "make room: a run ends when nothing can be recorded any more");
    }
    let ledger = match place.exists.then(|| crate::ledger::open(&options.ledger, OpenMode::Read)).transpose() {
        Ok(ledger) => ledger,
        Err(error) => {
            let advice = "name another with --ledger, or restore it from a backup";
            report.problem_or("ledger", ExitCode::Ledger, &error, advice);
            return None;
        }
    };
    match stop(&options.ledger, ledger.as_ref(), None, None) {
        Ok(()) if place.exists => report.ok("ledger", format!("{shown} is there and can be written, on a local disk")),
        Ok(()) => report.ok("ledger", format!("{shown} can be written, on a local disk; the first run begins it")),
        Err(gap) if gap.is_of_books() => {
            report.problem("ledger", gap.code(), gap.told(), "bring in what it lacks");
        }
        Err(failure) => report.problem_of("ledger", failure.code(), &failure),
    }
    ledger
}

/// The folder for files that every run of this configuration would use. A manifest's is looked at with it.
fn folder(options: &DoctorOptions, ledger: Option<&OpenLedger>, report: &mut Report) {
    let found = destination(&options.buying.downloads, None)
        .and_then(|to| to.map(|to| DownloadSetup::look(&to, ledger).map(|()| to)).transpose());
    tell_folder(&found, report);
}

fn tell_folder(found: &Result<Option<DownloadTo>, Failure>, report: &mut Report) {
    match found {
        Ok(Some(to)) => report.ok("download", format!("{} can be written", to.folder)),
        Ok(None) => {}
        Err(failure) => report.problem_of("download", failure.code(), failure),
    }
}

/// What the manifest would cost, beside its own limit, and how a run of it would end.
fn plan(survey: &Survey, is_refused: bool, options: &DoctorOptions, report: &mut Report) {
    report.plan = Some(PlanFacts {
        batch: survey.batch.clone(),
        to_buy_count: survey.to_buy.jobs,
        to_buy_msat: survey.to_buy.price,
        to_buy_capped_msat: survey.to_buy.capped,
        worst_case_msat: survey.worst_case,
        dearest_msat: survey.dearest,
    });
    let LeftToBuy { jobs, price, capped, fee_ceiling } = survey.to_buy;
    let waits = if survey.lacks_room { format!(" {}", survey.left.until_room()) } else { String::new() };
    report.ok("manifest", format!("{}{waits}", to_buy_words(jobs, (price, capped), fee_ceiling)));
    for words in &survey.told {
        report.told("batch", words);
    }
    // What is refused is told as that, and is all that a run would say.
    if is_refused || survey.download.is_err() {
        return;
    }
    if let Err(failure) = check_room(&options.ledger, survey.left.jobs) {
        report.problem_of("ledger", failure.code(), &failure);
    }
    let (is_partial, buys) = (options.buying.choice.partial, survey.buys());
    let fit = limits::check(survey.used, survey.worst_case, survey.max);
    if survey.code != ExitCode::Done {
        let words = format!("a run would end with {}: {}", survey.code.number(), survey.code.meaning());
        let advice = match fit {
            _ if !buys => "it buys nothing; why stands in the warnings, and in the command `plan`",
            _ if fit == Fit::Fits || is_partial => {
                "it buys what the warnings leave of that; the command `plan` shows it"
            }
            _ => "it buys nothing before its limit holds that; why else stands in the warnings",
        };
        report.problem("batch", survey.code, words, advice);
    }
    match fit {
        Fit::DoesNotFit { needed, most, missing } if !options.buying.choice.partial && survey.left.jobs > 0 => report
            .problem(
                "limits",
                ExitCode::Limit,
                format!("max_sats of {most} does not hold the worst case of {}", needed.sats_ceil()),
                format!("raise it by {}{}", missing.sats_ceil(), survey.fitting.or_partial(None)),
            ),
        Fit::Fits | Fit::DoesNotFit { .. } => {}
    }
}
