//! What can go wrong, and how often it does in one world.

use super::rng::Rng;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($(#[$doc])* $name,)* }

        /// Every kind.
        pub const ALL: &[Fault] = &[$(Fault::$name,)*];
    };
}

faults! {
    // The way there and back.
    /// No connection.
    Refused,
    /// The connection breaks before the server acted.
    ResetBefore,
    /// It breaks after the server acted, or the answer is lost.
    ResetAfter,
    /// The answer ends in the middle.
    Truncated,
    /// Everything takes very long.
    Slow,
    /// The request arrives twice.
    Twice,
    /// A payment's POST arrives long after the client gave up.
    LateSend,
    /// Somebody on the way answers in the server's place.
    ProxyAnswers,
    /// A stream breaks after its first message.
    StreamBreaks,

    // The node.
    SettlesAfterPatience,
    SettlesDaysLater,
    StaysInFlightAndFails,
    NoRoute,
    InsufficientBalance,
    OtherFailure,
    FeeAtCeiling,
    FeeAboveCeiling,
    PartsInFlight,
    WrongPreimage,
    RefusesSend,
    /// The node goes down, then starts, then is locked for a while.
    Restarts,
    /// It comes back from a backup and has forgotten its latest payments.
    Restored,
    /// Its finished payments are deleted.
    HistoryDeleted,
    /// Another node answers in a whole run.
    OtherNode,
    /// Another node answers for a while, in the middle of a run.
    OtherNodeMeanwhile,
    /// It lets nobody make or look up invoices.
    NoInvoices,

    // The origin, asked.
    PriceDrift,
    WrongNetwork,
    ExpiredInvoice,
    Amountless,
    /// An invoice that was already handed out for another request.
    ReusedInvoice,
    /// The token belongs to another payment.
    WrongToken,
    AskRejected,
    ServerError,
    RateLimited,
    /// 200 without payment.
    Free,

    // The origin, paid.
    Rejects402ForAMoment,
    /// For most of an hour: as long as rule 7 has patience, where our clock is right.
    Rejects402ForLong,
    Rejects402Ever,
    Rejects401Ever,
    NeverAnswersWell,
    UnknownShape,
    NeverCompletes,
    PollGone,
    FailsAfterAccepting,
    OffersRefund,
    /// It is less than was paid.
    RefundLess,
    /// Its link says that it has expired, for ever.
    RefundExpires,
    /// Its callback takes no invoice now.
    RefundRefused,
    /// Its callback says ERROR, and pays all the same.
    RefundDenied,
    /// Its callback says OK, and never pays.
    RefundNeverPaid,
    /// It is paid hours or days later.
    RefundPaidLate,
    /// It is paid twice, as far as the node lets it.
    RefundPaidTwice,
    /// Identical requests are answered from a cache, paid or not.
    IdenticalCache,
    /// A credential that is older than its life is rejected.
    CredentialEnds,

    // The clocks.
    OursApart,
    OursJumps,
    NodesApart,
    NodesJumps,

    // The disk.
    FailsBeforeCommit,
    FailsAfterCommit,
    DiskFull,

    // Drawn with dice of their own: all from here on.
    /// Poll addresses stand behind the gate: they answer whoever shows the credential.
    GatedPolls,
    /// A poll is answered with 404, 400, 401, 403, 409 or a word of failure, once.
    PollStumbles,
    /// A credential that was answered with success is not taken a second time.
    BurnsTokens,
    /// It asks for payment in the `Payment` scheme alone.
    ChargesPayment,
    /// Such a charge is consumed by a redeem that brings nothing.
    ConsumesInVain,
}

/// The first of those that are drawn with dice of their own, so that the worlds of all others are as they were.
const FIRST_OF_OWN: usize = Fault::GatedPolls as usize;

/// Faults that are worst together, and how often they strike then.
const THEMES: &[&[(Fault, u32)]] = &[
    &[(Fault::LateSend, 450), (Fault::NoRoute, 450), (Fault::OtherFailure, 100)],
    &[(Fault::LateSend, 250), (Fault::Restored, 300), (Fault::HistoryDeleted, 200), (Fault::OtherFailure, 100)],
    &[(Fault::SettlesDaysLater, 200), (Fault::HistoryDeleted, 300), (Fault::ResetAfter, 200)],
    &[(Fault::IdenticalCache, 700), (Fault::ResetAfter, 250), (Fault::ServerError, 150), (Fault::Slow, 100)],
    &[(Fault::OffersRefund, 500), (Fault::ResetAfter, 200), (Fault::Twice, 200), (Fault::RefundDenied, 200)],
    &[
        (Fault::OffersRefund, 500),
        (Fault::RefundRefused, 300),
        (Fault::RefundLess, 300),
        (Fault::RefundPaidLate, 300),
        (Fault::Truncated, 150),
    ],
    &[
        (Fault::OffersRefund, 500),
        (Fault::RefundNeverPaid, 300),
        (Fault::RefundPaidTwice, 300),
        (Fault::NoInvoices, 200),
    ],
    &[(Fault::OffersRefund, 500), (Fault::FailsAfterCommit, 60), (Fault::RefundExpires, 100), (Fault::OtherNode, 200)],
    &[(Fault::CredentialEnds, 700), (Fault::SettlesAfterPatience, 500), (Fault::NeverAnswersWell, 200)],
    &[(Fault::OursApart, 700), (Fault::OursJumps, 500), (Fault::CredentialEnds, 300), (Fault::RateLimited, 200)],
    &[(Fault::FeeAboveCeiling, 300), (Fault::PartsInFlight, 400), (Fault::SettlesAfterPatience, 200)],
    &[(Fault::OtherNode, 300), (Fault::OtherNodeMeanwhile, 500), (Fault::LateSend, 200), (Fault::Restarts, 200)],
    &[(Fault::FailsAfterCommit, 300), (Fault::FailsBeforeCommit, 300), (Fault::ResetAfter, 200), (Fault::Twice, 200)],
];

/// How often each fault strikes, in a thousand chances.
#[derive(Clone, Debug)]
pub struct Faults([u32; ALL.len()]);

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self([0; ALL.len()])
    }

    /// The faults of a seed: none, one alone, a few together, or all at once.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut faults = Self::none();
        match rng.below(12) {
            0 => {}
            10 | 11 => {
                for (fault, permille) in *rng.pick(THEMES) {
                    faults.set(*fault, *permille);
                }
            }
            1..=3 => faults.add(rng, 1, 350),
            4..=7 => {
                let few = 2 + rng.below(5);
                faults.add(rng, few, 250);
            }
            _ => {
                let most = 10 + rng.below(60);
                for rate in &mut faults.0[..FIRST_OF_OWN] {
                    *rate = u32::try_from(rng.below(most)).unwrap_or(0);
                }
            }
        }
        faults
    }

    /// In every third world, some of those that are drawn with dice of their own.
    pub fn draw_own(&mut self, rng: &mut Rng) {
        if rng.below(3) > 0 {
            return;
        }
        for fault in &ALL[FIRST_OF_OWN..] {
            let permille = if rng.below(2) == 0 { 50 + rng.below(350) } else { 0 };
            self.set(*fault, u32::try_from(permille).unwrap_or(0));
        }
    }

    fn add(&mut self, rng: &mut Rng, count: u64, most: u64) {
        for _ in 0..count {
            let fault = *rng.pick(&ALL[..FIRST_OF_OWN]);
            self.set(fault, u32::try_from(50 + rng.below(most)).unwrap_or(0));
        }
    }

    pub fn set(&mut self, fault: Fault, permille: u32) {
        self.0[fault as usize] = permille;
    }

    /// Whether our clock shows the right time in such a world.
    pub const fn our_clock_is_right(&self) -> bool {
        self.rate(Fault::OursApart) == 0 && self.rate(Fault::OursJumps) == 0
    }

    pub const fn rate(&self, fault: Fault) -> u32 {
        self.0[fault as usize]
    }

    /// The faults that can strike.
    pub fn names(&self) -> Vec<(Fault, u32)> {
        ALL.iter().map(|fault| (*fault, self.rate(*fault))).filter(|(_, rate)| *rate > 0).collect()
    }
}
