//! What a purchase must fit into besides money (rule 10): who takes payments and delivers nothing gets no more, and what a
//! node has in doubt or on its way is bounded. The ledger counts, over every batch and run; here is what the counts mean.

use url::Url;

use super::{BatchKey, Caps, JobKey};
use crate::catalog::origin_of;
use crate::money::{Msat, counted, counted_are, sum_in_sats};
use crate::purchase::{Reason, WalletId};
use crate::time::UnixMs;

/// An endpoint that delivered within this time needs no new trial.
const PROVEN_MS: i64 = 3_600_000;

/// How far purchases may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntentBounds {
    /// Payments in a row that an endpoint may take without delivering.
    pub max_undelivered: u32,
    /// Payments in doubt at a node with which nothing new is bought there.
    pub max_doubt: u32,
    /// Payments in flight at a node at once.
    pub payments_in_flight: u32,
    /// When the run began: an endpoint that has delivered since then is on trial no more.
    pub run_began: UnixMs,
    /// It is of play money, whose origin ends with the run: a person's word for that would let nothing begin.
    pub is_play: bool,
}

impl Default for IntentBounds {
    /// No bound at all.
    fn default() -> Self {
        let (max_undelivered, max_doubt, payments_in_flight) = (u32::MAX, u32::MAX, u32::MAX);
        Self { max_undelivered, max_doubt, payments_in_flight, run_began: UnixMs(0), is_play: false }
    }
}

/// Purchases of this process that are about to begin and have no intent yet. None are counted in the intent's own
/// transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Those at the same endpoint.
    pub endpoint: u64,
    /// Those at the same origin.
    pub origin: u64,
    /// Jobs of this process that have a payment slot or wait for one, in the order of their keys: what the ledger holds of them
    /// is counted by their slots, whether it has their intents yet or not.
    pub in_slots: Vec<JobKey>,
    /// How many slots are taken, or will be, once this one has its own; that one left out.
    pub slots: u64,
}

/// A purchase that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// For which batch.
    pub batch: BatchKey,
    /// Where: the endpoint's URL.
    pub url: Url,
    /// The node that is to pay.
    pub node: WalletId,
    /// How far purchases may go.
    pub bounds: IntentBounds,
    /// What else is about to begin.
    pub asking: Asking,
    /// The most that it can cost: price and fee ceiling.
    pub cost: Msat,
    /// Its limits, of which those of its origin count here.
    pub caps: Caps,
}

/// What the ledger holds of an endpoint, since its last delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointCount {
    /// Purchases begun and neither delivered nor dead, whatever they are called.
    pub begun: u64,
    /// Those of them that began before this run: an earlier run, or another one beside it, was to see them delivered.
    pub begun_before: u64,
    /// Those of them that were paid, and answered without a delivery or waited for in vain.
    pub undelivered: u64,
    /// Those of them that may still be delivered: on their way, in doubt, or paid and not at their end.
    pub open: u64,
    /// Those that may still be delivered, of other batches.
    pub open_elsewhere: u64,
    /// When it delivered last.
    pub delivered_at: Option<UnixMs>,
}

/// What the ledger holds at a node, over every batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCount {
    /// Payments in doubt.
    pub in_doubt: u64,
    /// Payments whose hash is neither settled nor dead: in doubt, on their way, or given up by a person while the node may
    /// still make them.
    pub held: u64,
    /// Of the held ones those of other batches.
    pub held_elsewhere: u64,
}

/// Why no purchase may begin now. Nothing is spent by it, and the job stays pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldBack {
    /// The origin answered 401 or 402 to what was paid for.
    Rejected {
        /// Host and port.
        origin: String,
        /// Whose payment: batch and job.
        job: (String, String),
        /// When it said so last.
        at: UnixMs,
        /// Another batch's purchase may still be delivered.
        elsewhere: bool,
        /// The number that a person's next word has at this origin; none where no word would be of use.
        word: Option<u32>,
    },
    /// The endpoint has taken as many payments as it may without delivering.
    Undelivered {
        /// Its URL, without the query.
        url: String,
        /// Host and port.
        origin: String,
        /// What it has taken.
        count: EndpointCount,
        /// How many it may take.
        most: u32,
        /// The number that a person's next word has at this origin; none where no word would be of use.
        word: Option<u32>,
    },
    /// Too many payments are in doubt at the node, or in doubt and on their way together.
    Doubt {
        /// The node's public key.
        node: WalletId,
        /// What it holds.
        count: NodeCount,
        /// The bounds within which the intent was asked for.
        bounds: IntentBounds,
    },
    /// What its origin may get does not hold the purchase.
    OriginLimit {
        /// Host, and port where it is not the usual one.
        origin: String,
        /// Which of its limits.
        limit: OriginLimit,
        /// The most that the purchase can cost.
        cost: Msat,
        /// Spent and held there so far.
        used: Msat,
        /// The limit, in msat.
        most: Msat,
        /// Nothing of it was ever delivered, and a purchase there is open that may be.
        is_open: bool,
    },
}

/// A limit on what one origin gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginLimit {
    /// In a day.
    Day,
    /// In a month.
    Month,
    /// In all, before its first delivery.
    New,
}

impl OriginLimit {
    /// Why a job waits for it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Day => Reason::OriginDayLimit,
            Self::Month => Reason::OriginMonthLimit,
            Self::New => Reason::NewOriginLimit,
        }
    }

    /// The key that sets it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Day => "max_sats_per_day",
            Self::Month => "max_sats_per_month",
            Self::New => "max_sats_new_origin",
        }
    }
}

impl IntentBounds {
    /// How many payments a node may hold without a preimage: the larger of the two bounds.
    #[must_use]
    pub fn most_held(&self) -> u32 {
        self.max_doubt.max(self.payments_in_flight).max(1)
    }

    /// Whether a node that holds so much may get one more, where that and the slots of whoever asks come to `taken`.
    #[must_use]
    pub fn has_room_at_node(&self, count: &NodeCount, taken: u64) -> bool {
        count.in_doubt < u64::from(self.max_doubt.max(1)) && taken < u64::from(self.most_held())
    }

    /// Whether an endpoint of which so much stands may get one more: it has not taken too many in a row, and until it has
    /// delivered in this run, or within the last hour, no more than as many are under way. The last hour speaks for it only as
    /// long as fewer than that are left from before this run: else each run that is killed would find it proven, and begin more.
    #[must_use]
    pub fn has_room_at_endpoint(&self, count: &EndpointCount, asking: u64, now: UnixMs) -> bool {
        let most = u64::from(self.max_undelivered.max(1));
        let lately = |at| count.begun_before < most && (0..=PROVEN_MS).contains(&now.since_ms(at));
        let proven = count.delivered_at.is_some_and(|at| at >= self.run_began || lately(at));
        count.undelivered < most && (proven || count.begun.saturating_add(asking) < most)
    }
}

impl HeldBack {
    /// The reason of a job that waits for this.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Rejected { .. } => Reason::BreakerOpen,
            // What is open is offered to it again by the next run.
            Self::Undelivered { count, .. } if count.open > 0 => Reason::AwaitingDelivery,
            Self::Undelivered { .. } => Reason::BreakerOpen,
            Self::Doubt { .. } => Reason::DoubtLimit,
            Self::OriginLimit { limit, .. } => limit.reason(),
        }
    }

    /// Whether it concerns every purchase through the node, and not one endpoint's or origin's.
    #[must_use]
    pub const fn is_of_node(&self) -> bool {
        match self {
            Self::Doubt { .. } => true,
            Self::Rejected { .. } | Self::Undelivered { .. } | Self::OriginLimit { .. } => false,
        }
    }

    /// Whether another process may be about to change it.
    #[must_use]
    pub const fn may_change_elsewhere(&self) -> bool {
        match self {
            Self::Rejected { elsewhere, .. } => *elsewhere,
            Self::Undelivered { count, .. } => count.open_elsewhere > 0,
            Self::Doubt { count, .. } => count.held_elsewhere > 0,
            // A day, or a delivery, that nobody can say when it comes.
            Self::OriginLimit { .. } => false,
        }
    }

    /// Whether it is worth a person's attention while a run goes on. That a few purchases are awaited, that an origin sees a
    /// payment a little late, and that the node is busy, is nothing out of the ordinary.
    #[must_use]
    pub fn is_alarming(&self, now: UnixMs) -> bool {
        const LATE_MS: i64 = 30_000;
        match self {
            Self::Rejected { at, .. } => now.since_ms(*at) > LATE_MS,
            Self::Undelivered { count, most, .. } => count.undelivered >= u64::from((*most).max(1)),
            Self::Doubt { count, bounds, .. } => count.in_doubt >= u64::from(bounds.max_doubt.max(1)),
            // The delivery of what is under way lifts it.
            Self::OriginLimit { limit, .. } => *limit != OriginLimit::New,
        }
    }

    /// Whether only a person, another day, or a delivery that nothing promises, lets the endpoint have more.
    #[must_use]
    pub fn is_shut(&self, now: UnixMs) -> bool {
        match self {
            Self::Rejected { .. } | Self::Undelivered { .. } => {
                self.reason() == Reason::BreakerOpen && self.is_alarming(now)
            }
            Self::OriginLimit { limit, is_open, .. } => *limit != OriginLimit::New || !is_open,
            Self::Doubt { .. } => false,
        }
    }
}

impl std::fmt::Display for HeldBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected { origin, job: (batch, job), word, .. } => write!(
                f,
                "{origin} took the payment of job {job} (batch {batch}) and does not take its credential: it gets no more \
                 payments until it delivers that one{}",
                or_trusted(origin, *word)
            ),
            Self::Undelivered { url, origin, count, most, word } => {
                let EndpointCount { begun, undelivered, open, .. } = count;
                if undelivered < &u64::from((*most).max(1)) {
                    // Nobody awaits what a person has given up: where that alone shuts it, a word is what brings it on.
                    let is_given_up = *open == 0 && *begun >= u64::from((*most).max(1));
                    return write!(
                        f,
                        "{url} has not delivered so far what it is tried with ({}): it gets no more until it does \
                         (--max-undelivered {most}){}",
                        counted(*begun, "purchase"),
                        or_trusted(origin, word.filter(|_| is_given_up)),
                    );
                }
                write!(
                    f,
                    "{url} took {} in a row without delivering (--max-undelivered {most}): it gets no more until it delivers{}{}",
                    counted(*undelivered, "payment"),
                    if *open > 0 { " (what is open is offered to it again)" } else { "" },
                    or_trusted(origin, *word)
                )
            }
            Self::Doubt { node, count: NodeCount { in_doubt, held, .. }, bounds } => {
                let (max_doubt, flight) = (bounds.max_doubt.max(1), bounds.payments_in_flight);
                let others = held.saturating_sub(*in_doubt);
                let (doubts, node) = (counted_are(*in_doubt, "payment"), &node.0);
                write!(
                    f,
                    "{doubts} in doubt at node {node}, and {} held there besides, ",
                    counted_are(others, "payment")
                )?;
                if *in_doubt >= u64::from(max_doubt) {
                    write!(
                        f,
                        "counted over the whole ledger: nothing new is bought until fewer than {max_doubt} are in doubt \
                         (--max-doubt {max_doubt})"
                    )
                } else {
                    write!(
                        f,
                        "counted over the whole ledger: nothing new is bought until they are fewer than {} together \
                         (--max-doubt {max_doubt}, --payments-in-flight {flight})",
                        bounds.most_held()
                    )
                }
            }
            Self::OriginLimit { origin, limit, cost, used, most, is_open: _ } => {
                f.write_str(&origin_limit_words(origin, *limit, *cost, (*used, *most)))
            }
        }
    }
}

/// That a limit of an origin, of which so much is used, has no room for what may cost so much.
fn origin_limit_words(origin: &str, limit: OriginLimit, cost: Msat, (used, most): (Msat, Msat)) -> String {
    let never = cost > most;
    // A cost rounds up. Fees are hardly ever whole sats.
    let most = most.sats_ceil();
    let [used, cost] = sum_in_sats(used, cost)
        .map_or_else(|| [used, cost].map(|amount| amount.sats_ceil()), |[_, used, cost]| [used, cost]);
    let (whose, counted) = match limit {
        OriginLimit::Day => ("the day's limit", "there today"),
        OriginLimit::Month => ("the month's limit", "there this month"),
        OriginLimit::New => ("the limit of an origin that has never delivered", "there"),
    };
    let until = match limit {
        OriginLimit::Day if never => ", which no day holds: it waits until that limit is higher",
        OriginLimit::Month if never => ", which no month holds: it waits until that limit is higher",
        OriginLimit::Day | OriginLimit::Month => "",
        OriginLimit::New => ": in a run that nobody watches it gets no more until it delivers",
    };
    format!(
        "{whose} of {most} at {origin} ({}) has no room for the next job: {used} are spent or held {counted}, over the whole ledger, \
         and it may cost {cost}{until}",
        limit.key()
    )
}

/// What else would let an origin have more: a person's word, where one would be of use.
fn or_trusted(origin: &str, word: Option<u32>) -> String {
    let words = |word| format!(", or a person trusts it once with --trust (that word is {origin}@{word})");
    word.map(words).unwrap_or_default()
}

/// An endpoint's URL as the ledger knows it, without its query, and its origin: host, and port where it is not the usual
/// one.
#[must_use]
pub fn endpoint_and_origin(url: &Url) -> (String, String) {
    let mut endpoint = url.clone();
    endpoint.set_query(None);
    endpoint.set_fragment(None);
    (endpoint.into(), origin_of(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undelivered(begun: u64, undelivered: u64, open: u64, delivered_at: Option<UnixMs>) -> HeldBack {
        HeldBack::Undelivered {
            url: "https://api.example/video".to_owned(),
            origin: "api.example".to_owned(),
            count: EndpointCount { begun, undelivered, open, delivered_at, ..EndpointCount::default() },
            most: if undelivered == 1 { 1 } else { 3 },
            word: Some(2),
        }
    }

    /// While others are asked for no word is of use, nor while something may be delivered.
    #[test]
    fn a_word_is_named_where_what_was_given_up_shuts_an_endpoint_by_itself() {
        let names_word =
            |begun, open| undelivered(begun, 2, open, None).to_string().ends_with("(that word is api.example@2)");
        assert_eq!([(3, 0), (2, 0), (3, 1)].map(|(begun, open)| names_word(begun, open)), [true, false, false]);
    }

    /// Each cause in its words, whatever the endpoint has delivered before.
    #[test]
    fn causes_are_told_as_they_are() {
        let doubt = |in_doubt, held| HeldBack::Doubt {
            node: WalletId("03aa".to_owned()),
            count: NodeCount { in_doubt, held, held_elsewhere: 0 },
            bounds: IntentBounds { max_doubt: 2, payments_in_flight: 4, ..IntentBounds::default() },
        };
        for (held, words) in [
            (
                undelivered(3, 3, 0, Some(UnixMs(1))),
                "https://api.example/video took 3 payments in a row without delivering (--max-undelivered 3): it gets no more \
                 until it delivers, or a person trusts it once with --trust (that word is api.example@2)",
            ),
            (
                undelivered(1, 1, 1, None),
                "https://api.example/video took 1 payment in a row without delivering (--max-undelivered 1): it gets no more \
                 until it delivers (what is open is offered to it again), or a person trusts it once with --trust (that word is api.example@2)",
            ),
            (
                HeldBack::Rejected {
                    origin: "127.0.0.1:4711".to_owned(),
                    job: ("june".to_owned(), "a".to_owned()),
                    at: UnixMs(1),
                    elsewhere: false,
                    word: None,
                },
                "127.0.0.1:4711 took the payment of job a (batch june) and does not take its credential: it gets no more payments \
                 until it delivers that one",
            ),
            (
                undelivered(3, 2, 1, None),
                "https://api.example/video has not delivered so far what it is tried with (3 purchases): it gets no more until \
                 it does (--max-undelivered 3)",
            ),
            (
                doubt(2, 3),
                "2 payments are in doubt at node 03aa, and 1 payment is held there besides, counted over the whole ledger: \
                 nothing new is bought until fewer than 2 are in doubt (--max-doubt 2)",
            ),
            (
                doubt(1, 4),
                "1 payment is in doubt at node 03aa, and 3 payments are held there besides, counted over the whole ledger: \
                 nothing new is bought until they are fewer than 4 together (--max-doubt 2, --payments-in-flight 4)",
            ),
        ] {
            assert_eq!(held.to_string(), words);
        }
    }

    /// A day that would hold the purchase comes, and one that never does is not waited for in vain.
    #[test]
    fn a_limit_of_an_origin_that_no_day_makes_large_enough_says_so() {
        let words = |limit, most| {
            let (cost, used) = (Msat::new(510_000), Msat::new(0));
            let origin = "api.example".to_owned();
            HeldBack::OriginLimit { origin, limit, cost, used, most: Msat::new(most), is_open: false }.to_string()
        };
        for (limit, never) in [(OriginLimit::Day, "no day holds"), (OriginLimit::Month, "no month holds")] {
            assert!(words(limit, 509_999).contains(never), "{}", words(limit, 509_999));
            assert!(!words(limit, 510_000).contains("holds"));
        }
    }
}
