//! What is checked and asked before the first purchase: limits, node, balance, and the person.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{QueueSelector, tcflush};

use crate::cli::money::OriginAt;
use crate::cli::money::{Chosen, Fitting, Room};
use crate::cli::options::config::{Choice, RunOptions};
use crate::cli::{CommandError, Failure, money, terminal};
use crate::ledger::port::Loading;
use crate::ledger::{BatchKey, Duplicates, OpenLedger};
use crate::manifest::Limits;
use crate::money::{Msat, Sats, counted, sum_in_sats, with_caps};
use crate::payer::{NodeInfo, Payer, ProblemKind};
use crate::plan::limits::{self, Fit};
use crate::plan::view::LeftToBuy;
use crate::run::signals::Signals;
use crate::run::{Clock, SystemClock};
use crate::screen::{fold, stderr_columns, veiled};

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::reporter::Reporter;

/// What this run would buy: everything pending, with the duplicates where those are meant, or what `--only` and `--limit` leave
/// of it; and of which duplicates that is a person's word, by their ids.
pub(in crate::cli) fn chosen<'r>(
    ledger: &OpenLedger,
    batch: BatchKey,
    choice: &'r Choice,
    duplicates: bool,
    (room, origin_at): (&'r Room<'r>, OriginAt<'r>),
) -> Result<Chosen<'r>, Failure> {
    let mut chosen = Chosen::of(choice, room, origin_at);
    ledger.to_buy(batch, duplicates, &mut |job| chosen.add(job))??;
    Ok(chosen)
}

/// The bound of the batch over all its runs: its limit, or the worst case that is accepted by going on.
pub(in crate::cli) fn batch_cap(
    partial: bool,
    limits: &Limits,
    used: Msat,
    (left, fitting): (&LeftToBuy, &Fitting),
) -> Result<Msat, Failure> {
    let rest = money::sum([left.price, left.fee_ceiling])?;
    let most = limits.max_sats.map(in_msat).transpose()?;
    match limits::check(used, rest, most) {
        Fit::Fits => most.map_or_else(|| money::sum([used, rest]), Ok),
        Fit::DoesNotFit { most, .. } if partial => Ok(most),
        Fit::DoesNotFit { needed, most, missing } => {
            let [needed, used, rest] = sum_in_sats(used, rest).unwrap_or([needed, used, rest].map(Msat::sats_ceil));
            Err(CommandError::limit(format!(
                "max_sats of {most} does not hold the worst case of {needed} (spent and held {used}, still to buy {rest}); nothing was \
                 bought",
            ))
            .hint(format!("raise it by {}{}", missing.sats_ceil(), fitting.or_partial(None)))
            .into())
        }
    }
}

/// A limit in msat.
pub(in crate::cli) fn in_msat(sats: Sats) -> Result<Msat, Failure> {
    Ok(sats.msat().ok_or_else(|| CommandError::usage(format!("a limit of {sats} is more money than there is")))?)
}

/// What a node says of itself before anything is bought.
pub(in crate::cli) struct Answered {
    node: NodeInfo,
    balance: Msat,
}

/// A node that is ready to pay.
pub(in crate::cli) struct Ready {
    pub(in crate::cli) node: NodeInfo,
    /// Its channels hold less than what is to be bought costs: a part of that is left.
    pub(in crate::cli) is_short: bool,
    /// What a person should know of its balance.
    words: Option<String>,
}

/// Asks the node that is to pay.
pub(in crate::cli) async fn ask_node(counterparties: &Counterparties) -> Result<Answered, Failure> {
    let Some(payer) = &counterparties.payer else {
        return Err(CommandError::usage("no node is given: --lnd-url and --lnd-macaroon-file, or --sandbox").into());
    };
    let node = payer.node().await?;
    if !node.synced {
        return Err(Failure::Node(payer.advise(ProblemKind::NotSynced)));
    }
    let balance = payer.balance().await?;
    Ok(Answered { node, balance })
}

impl Answered {
    /// Whether it is ready to pay what is left to buy.
    pub(in crate::cli) fn ready(
        &self,
        (left, fitting): (&LeftToBuy, &Fitting),
        partial: bool,
    ) -> Result<Ready, Failure> {
        let Self { node, balance } = self;
        // Of what fits into the limits not even the cheapest one would be paid for.
        let cheapest = fitting.cheapest.filter(|price| partial && balance < price && !fitting.holds_nothing());
        if let Some(price) = cheapest {
            return Err(CommandError::node_unfit(format!(
                "the node's channels hold {}, and {} costs {}; nothing was spent",
                balance.sats_floor(),
                if left.jobs == 1 {
                    "the job".to_owned()
                } else {
                    format!("the cheapest of {}", counted(left.jobs, "job"))
                },
                price.sats_ceil()
            ))
            .hint("move funds into channels")
            .into());
        }
        if *balance < left.price && !partial {
            return Err(CommandError::node_unfit(format!(
                "the node's channels hold {}, and jobs for {} are to be bought; nothing was spent",
                balance.sats_floor(),
                left.price_words(|price| price.sats_ceil().to_string())
            ))
            .hint(match fitting.or_partial(Some(*balance)) {
                "" => "move funds into channels".to_owned(),
                partial => format!("move funds into channels, buy fewer jobs with --limit, --only or --where{partial}"),
            })
            .into());
        }
        let is_short = *balance < fitting.payable(left);
        let words = if is_short {
            Some("only a part can be bought")
        } else if *balance < money::sum([left.price, left.fee_ceiling])? {
            Some("that may not be enough with routing fees and the channels' reserve")
        } else {
            None
        };
        let words = words.map(|words| format!("the node's channels hold {}: {words}", balance.sats_floor()));
        Ok(Ready { node: node.clone(), is_short, words })
    }
}

impl Ready {
    /// Tells a person what there is to know of it.
    pub(in crate::cli) fn tell(&self, reporter: &Reporter) {
        match &self.words {
            None => {}
            Some(words) if self.is_short => reporter.insist(words),
            Some(words) => reporter.warn(words.as_str()),
        }
    }
}

/// Asks on a terminal; without one, `--yes` and a limit are needed. Play money needs neither.
pub(in crate::cli) async fn confirm(
    options: &RunOptions,
    limits: &Limits,
    (left, fitting): (&LeftToBuy, &Fitting),
    counterparties: &Counterparties,
    reporter: &Reporter,
) -> Result<(), Failure> {
    match is_to_be_asked(options, limits, counterparties)? {
        true => ask(left, fitting, reporter, &counterparties.signals).await,
        false => Ok(()),
    }
}

/// Whether a person is to be asked before anything is bought. Refused where there is nobody to ask, and nobody has said so.
pub(in crate::cli) fn is_to_be_asked(
    options: &RunOptions,
    limits: &Limits,
    counterparties: &Counterparties,
) -> Result<bool, Failure> {
    let play = counterparties.play.is_some();
    match (play || options.buying.choice.yes, is_terminal()) {
        (true, true) => Ok(false),
        (true, false) if play || limits.max_sats.is_some() => Ok(false),
        (true, false) => Err(CommandError::usage("without a terminal, --yes needs a limit; nothing was bought")
            .hint(
                "add --max-sats SATS, which bounds the batch over all its runs; the command `plan` shows the worst case",
            )
            .into()),
        (false, false) => Err(CommandError::usage("there is no terminal to ask on; nothing was bought")
            .hint(format!(
                "add {}",
                if limits.max_sats.is_some() { "--yes" } else { "--yes and --max-sats SATS" }
            ))
            .into()),
        (false, true) => Ok(true),
    }
}

/// Whether a person means to buy these once more: asked on a terminal, and no without one.
pub(in crate::cli) async fn means(found: &Duplicates, reporter: &Reporter, signals: &Signals) -> Result<bool, Failure> {
    if !is_terminal() {
        return Ok(false);
    }
    let question = format!(
        "buy {} once more for {}? Otherwise they are left out. [y/N]",
        counted(found.count, "job"),
        with_caps(found.price, found.capped, |price| price.sats_ceil().to_string())
    );
    says_yes(question, reporter, signals).await
}

/// Whether nobody watches what such a run buys: nobody is asked, as there is nobody, or as it was said beforehand. Play money needs
/// nobody.
pub(in crate::cli) fn is_unattended(choice: &Choice, is_saved: bool, is_play: bool) -> bool {
    !is_play && (choice.yes || is_saved || !is_terminal())
}

/// Whether there is anybody to ask.
pub(in crate::cli) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

async fn ask(left: &LeftToBuy, fitting: &Fitting, reporter: &Reporter, signals: &Signals) -> Result<(), Failure> {
    let jobs = counted(left.jobs, "job");
    // Nobody is asked about nothing.
    if let Some(words) = fitting.none_fits(left) {
        return Err(CommandError::limit(format!("{words}; nothing was bought")).into());
    }
    let question = match fitting.reached {
        Some((_, room)) => {
            format!("buy what fits of {jobs}, for at most {} with routing fees? [y/N]", room.sats_floor())
        }
        None if fitting.is_partial() => {
            let most = money::sum([left.price, left.fee_ceiling])?;
            format!("buy what fits of {jobs}, for at most {} with routing fees? [y/N]", most.sats_ceil())
        }
        None => {
            let price = left.price_words(|price| price.sats_ceil().to_string());
            format!("buy {jobs} for {price} and at most {} of routing fees? [y/N]", left.fee_ceiling.sats_ceil())
        }
    };
    if says_yes(question, reporter, signals).await? { Ok(()) } else { Err(Failure::Declined) }
}

/// Asks. Earlier work of this process may have taken the signals over, so that they end the question here.
async fn says_yes(question: String, reporter: &Reporter, signals: &Signals) -> Result<bool, Failure> {
    let broken = |error: io::Error| CommandError::internal("the question could not be asked").because(error);
    // After a signal the bar does not come back.
    reporter.make_room(true);
    // What was typed before the question was there is no answer to it. A terminal that cannot forget it has gone.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    let question = format!("{} ", fold(&veiled(&question), stderr_columns()));
    io::stderr().write_all(question.as_bytes()).and_then(|()| io::stderr().flush()).map_err(broken)?;
    let (to, answered) = tokio::sync::oneshot::channel();
    // Not one of the runtime's threads: it would wait for the answer after a signal, too.
    let reading = move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        // Nobody waits for it after a signal.
        let _ = to.send(read.map(|_| answer));
    };
    let asked = SystemClock.now();
    std::thread::Builder::new().name("question".to_owned()).spawn(reading).map_err(broken)?;
    let waited = || reporter.asked_for(SystemClock.now().since_ms(asked));
    let answer = tokio::select! {
        biased;
        stopped = signals.first() => {
            // The terminal shows the key behind the question.
            terminal::say("\n");
            waited();
            return Err(stopped.map_or_else(|error| broken(error).into(), Failure::Stopped));
        }
        answer = answered => answer.unwrap_or_else(|error| Err(io::Error::other(error))),
    };
    waited();
    reporter.make_room(false);
    Ok(matches!(answer.map_err(broken)?.trim().to_lowercase().as_str(), "y" | "yes"))
}
