//! The node: whether it is reached, what the macaroon allows, and whether its channels hold what a plan needs.

use sha2::{Digest, Sha256};

use crate::cli::node::Connected;
use crate::cli::options::config::NodeOptions;
use crate::cli::{ExitCode, Failure};
use crate::error::Hinted;
use crate::l402::{Network, PaymentHash};
use crate::money::{Msat, counted, counted_are};
use crate::payer::lnd::{Channels, LndPayer, Rights};
use crate::payer::{Found, NodeInfo, NodeProblem, Payer, PaymentHistory, ProblemKind};
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

use crate::cli::commands::doctor::finding::{NodeFacts, Report};
use crate::cli::commands::doctor::survey::Survey;

/// The oldest minor version of lnd 0 that is supported.
const MINOR_MIN: u64 = 17;
/// A clock that is off by more than this can make an invoice look alive or dead that is not. The node's is told in seconds.
const CLOCK_OFF_MS_MAX: u64 = 30_000;
/// lnd's port for gRPC, which is not what is spoken here.
const GRPC_PORT: u16 = 10_009;

/// A node that was asked who it is.
pub(super) struct AskedNode {
    connected: Connected,
    reached: Result<NodeInfo, NodeProblem>,
}

impl AskedNode {
    /// Asks the node.
    ///
    /// # Errors
    /// Where macaroon, certificate or address cannot be used.
    pub(super) async fn of(options: &NodeOptions) -> Result<Self, Failure> {
        let connected = options.connect()?;
        let reached = connected.payer.node().await;
        Ok(Self { connected, reached })
    }

    /// What it says of itself, where it answers.
    pub(super) fn info(&self) -> Option<&NodeInfo> {
        self.reached.as_ref().ok()
    }
}

/// Checks the node, and gives its network where it is reached.
pub(super) async fn check(
    options: &NodeOptions,
    asked: Result<AskedNode, Failure>,
    survey: Option<&Survey>,
    partial: bool,
    report: &mut Report,
) -> Option<Network> {
    let AskedNode { connected, reached } = match asked {
        Ok(asked) => asked,
        Err(failure) => {
            report.problem_of("node", failure.code(), &failure);
            return None;
        }
    };
    if let Some(found) = &connected.found {
        report.note("configuration", found.clone(), "to be sure of it, name it in the configuration file");
    }
    for warning in &connected.warnings {
        report.warning_of("configuration", warning);
    }
    let rights = connected.macaroon.rights();
    let mut facts =
        NodeFacts { url: options.place(), rights: rights.as_ref().map(Rights::all), ..NodeFacts::default() };
    macaroon(rights.as_ref(), reached.as_ref().ok(), report);
    let network = match reached {
        Ok(info) => {
            identity(&connected.payer, &info, &mut facts, report);
            money(&connected.payer, rights.as_ref(), survey, partial, &mut facts, report).await;
            history(&connected.payer, report).await;
            Some(info.network)
        }
        Err(problem) => {
            unreached(options, &problem, report);
            None
        }
    };
    report.node = Some(facts);
    network
}

fn unreached(options: &NodeOptions, problem: &NodeProblem, report: &mut Report) {
    let check = match &problem.kind {
        ProblemKind::Certificate(_) => "tls",
        denied @ ProblemKind::Denied(_) => {
            return report.problem("macaroon", ExitCode::Node, denied.to_string(), Rights::bake_command(None));
        }
        ProblemKind::Unreachable(_)
        | ProblemKind::Locked
        | ProblemKind::Starting
        | ProblemKind::NotSynced
        | ProblemKind::Other(_) => "node",
    };
    report.problem_of(check, ExitCode::Node, problem);
    if options.url.port() == Some(GRPC_PORT) {
        let advice = "give its REST address: `restlisten` in lnd.conf, port 8080 by default";
        report.warning("node", "port 10009 is usually lnd's gRPC, which is not spoken here", advice);
    }
}

/// What the macaroon says that it allows. The node cannot be asked about sending without sending; and what a macaroon says,
/// lnd has signed.
fn macaroon(rights: Option<&Rights>, node: Option<&NodeInfo>, report: &mut Report) {
    let bake = Rights::bake_command(node.map(|node| node.network));
    let Some(rights) = rights else {
        report.note("macaroon", "what it allows cannot be read from it: it is not of the kind that lnd bakes", bake);
        return;
    };
    let missing = rights.missing();
    if !missing.is_empty() {
        let message = format!("the macaroon does not allow {}", missing.join(", "));
        report.problem("macaroon", ExitCode::Node, message, bake.clone());
    }
    let beyond: Vec<String> = rights.beyond_paying().iter().map(ToString::to_string).collect();
    if rights.is_account() {
        report.ok("macaroon", "it is bound to an account of litd's, and can spend no more than that account's balance");
    } else if !beyond.is_empty() && missing.is_empty() {
        let message =
            format!("the macaroon can do more than pay: {}; so can whoever gets hold of it", beyond.join(", "));
        report.warning("macaroon", message, bake);
    } else if missing.is_empty() {
        report.ok(
            "macaroon",
            "it allows what paying needs and nothing that is dangerous (read from it; sending was not tried)",
        );
    }
    if missing.is_empty() && !rights.receive_refunds() {
        let message = "it can pay, and receive no refund: for that the node has to make invoices";
        report.note("macaroon", message, Rights::bake_command(node.map(|node| node.network)));
    }
    for condition in &rights.conditions {
        report.note("macaroon", format!("it holds only under a condition: {condition}"), condition_advice(condition));
    }
}

fn condition_advice(condition: &str) -> &'static str {
    match condition.split_whitespace().next() {
        Some("time-before") => "bake a new one before that time; payments that are open then need it too",
        Some("ipaddr") => "use it from that address only",
        Some("lnd-custom") => "as of an account of litd's: the balance shown here is then the account's",
        Some(_) | None => "make sure that it is fulfilled",
    }
}

fn identity(payer: &LndPayer, info: &NodeInfo, facts: &mut NodeFacts, report: &mut Report) {
    report.ok("node", format!("{} is reached: {} on {}, lnd {}", facts.url, info.id.0, info.network, info.version));
    facts.node.clone_from(&info.id.0);
    facts.network = info.network.to_string();
    facts.version.clone_from(&info.version);
    facts.synced = info.synced;
    if info.synced {
        report.ok("sync", "the node follows the chain");
    } else {
        report.problem_of("sync", ExitCode::Node, &payer.advise(ProblemKind::NotSynced));
    }
    version(&info.version, report);
    clock(info.node_time, SystemClock.now(), facts, report);
}

fn version(version: &str, report: &mut Report) {
    match major_minor(version) {
        Some((0, minor)) if minor < MINOR_MIN => report.warning(
            "version",
            format!("lnd {version} is older than any that this program was made for"),
            format!("update lnd to 0.{MINOR_MIN} or newer"),
        ),
        Some(_) => report.ok("version", format!("lnd {version}")),
        None => report.note("version", format!("\"{version}\" is no version of lnd's"), "try a small batch first"),
    }
}

/// `0.21.2-beta commit=…` is 0 and 21.
fn major_minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn clock(node: Option<UnixMs>, here: UnixMs, facts: &mut NodeFacts, report: &mut Report) {
    let Some(node) = node else { return };
    let ahead = node.since_ms(here);
    facts.clock_ahead_ms = Some(ahead);
    let seconds = ahead.unsigned_abs() / 1_000;
    if ahead.unsigned_abs() > CLOCK_OFF_MS_MAX {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        report.warning(
            "clock",
            format!("the node's clock is {} {way} this machine's", counted(seconds, "second")),
            "set both by NTP: invoices and credentials live by the clock",
        );
    } else {
        report.ok("clock", format!("the node's clock and this machine's differ by {}", counted(seconds, "second")));
    }
}

async fn money(
    payer: &LndPayer,
    rights: Option<&Rights>,
    survey: Option<&Survey>,
    partial: bool,
    facts: &mut NodeFacts,
    report: &mut Report,
) {
    match payer.balance().await {
        Ok(balance) => {
            facts.balance_msat = Some(balance);
            enough(balance, survey, partial, report);
        }
        Err(problem) => report.problem_of("balance", ExitCode::Node, &problem),
    }
    if rights.is_some_and(Rights::is_account) {
        return;
    }
    if !rights.is_none_or(Rights::show_channels) {
        report.note(
            "channels",
            "the macaroon does not show single channels, so that the largest payment cannot be told",
            "add uri:/lnrpc.Lightning/ListChannels when you bake the next one; only doctor needs it",
        );
        return;
    }
    match payer.channels().await {
        Ok(channels) => {
            facts.active_channel_count = Some(channels.active_count);
            facts.largest_channel_msat = Some(channels.largest_payment);
            carried(&channels, survey, report);
        }
        Err(problem) => report.problem_of("channels", ExitCode::Node, &problem),
    }
}

fn enough(balance: Msat, survey: Option<&Survey>, partial: bool, report: &mut Report) {
    let whole = balance.sats_floor();
    let Some(survey) = survey.filter(|survey| survey.left.jobs > 0) else {
        report.ok("balance", format!("the channels hold {whole}, reserves included"));
        return;
    };
    let fits = |what: Msat| balance >= what;
    let needed = format!(
        "the channels hold {whole}, and {} to be bought for {}, {} with the highest routing fees{}",
        counted_are(survey.left.jobs, "job"),
        survey.left.price_words(|price| price.sats_ceil().to_string()),
        survey.worst_case.sats_ceil(),
        if survey.lacks_room { "; nothing of it until there is room" } else { "" }
    );
    let advice = "move funds into channels, or buy fewer jobs with --limit, --only or --where";
    if fits(survey.worst_case) {
        report.ok("balance", needed);
    } else if fits(survey.left.price) || (partial && fits(survey.fitting.payable(&survey.left))) {
        report.warning("balance", format!("{needed}: that may not be enough"), advice);
    } else {
        report.problem("balance", ExitCode::Node, needed, advice);
    }
}

fn carried(channels: &Channels, survey: Option<&Survey>, report: &mut Report) {
    let largest = channels.largest_payment.sats_floor();
    let found = format!(
        "{} active; the largest payment that one alone can carry is {largest}",
        counted(channels.active_count, "channel")
    );
    if channels.active_count == 0 {
        report.problem(
            "channels",
            ExitCode::Node,
            "no channel is active",
            "open one with `lncli openchannel`, or wait until its peer is online (`lncli listchannels`)",
        );
        return;
    }
    let dearest =
        survey.map(|survey| (survey.dearest, if survey.left.capped == Msat::ZERO { "costs" } else { "may cost" }));
    match dearest.filter(|(dearest, _)| *dearest > channels.largest_payment) {
        Some((dearest, costs)) => report.warning(
            "channels",
            format!("{found}, and the dearest job {costs} {dearest}: its payment has to be split over several"),
            "that fails more often than a payment through one; a larger channel helps",
        ),
        None => report.ok("channels", found),
    }
}

/// Whether the node lets its payments be listed and looked up: harmless calls that resuming and auditing need.
async fn history(payer: &LndPayer, report: &mut Report) {
    if let Err(problem) = payer.newest_settled().await {
        report.problem_of("history", ExitCode::Node, &problem);
        return;
    }
    // A hash that nobody has a preimage of: no payment of it can be known.
    let hash = PaymentHash(Sha256::digest(format!("l402-batch doctor {}", SystemClock.now().0)).into());
    match payer.look_up(&hash).await.found {
        Found::NotFound => report.ok("history", "payments can be listed and looked up"),
        Found::Unknown(problem @ NodeProblem { kind: ProblemKind::Other(_), .. }) => report.note(
            "history",
            format!("a payment that does not exist was looked up: {}", problem.told()),
            "as accounts of litd's answer; a payment in doubt then waits for its invoice to expire",
        ),
        Found::Unknown(problem) => report.problem_of("history", ExitCode::Node, &problem),
        Found::Settled(_) | Found::PreimageKnown(_) | Found::Failed(_) | Found::InFlight => report.problem(
            "history",
            ExitCode::Node,
            "the node knows a payment that does not exist",
            "do not pay with it: it does not answer as lnd does",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        assert_eq!(major_minor("0.21.2-beta commit="), Some((0, 21)));
        assert_eq!(major_minor("v0.16.4-beta"), Some((0, 16)));
        assert_eq!(major_minor("1.0.0"), Some((1, 0)));
        assert_eq!(major_minor("unknown"), None);
    }
}
