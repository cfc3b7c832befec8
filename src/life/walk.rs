//! Conservation of money through `step`: random walks against a model of ledger and node, stopped anywhere. The node is
//! lnd at its worst that is still honest: POSTs stall and arrive late, answers are lost, failed payments are accepted
//! again. Or it is a wallet that promises less, and is as bad as that lets it be.

use crate::money::Msat;
use proptest::prelude::*;

use crate::every::one_in;
use crate::ledger::fixtures::{
    FIRST_ANSWER, INVOICE_EXPIRES_AT, heard_purchase, intent, known_intent, preimage, purchase,
};
use crate::ledger::{BatchKey, DeadProof};
use crate::life::tests::{EARLY, answers, facts, new_intent, poll, settled};
use crate::life::weaker::wallets;
use crate::life::*;
use crate::payer::lnd::PROMISES as LND;
use crate::payer::{Answers, Expiry, Failures, LookUps, PayRefusal, ProblemKind, Repeats, SendOutcome};
use crate::plan::ContentHash;

const STEPS_MAX: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Flying,
    Failed,
    Settled,
}

/// One invoice: what the node knows of it, and POSTs that may still reach the node.
#[derive(Clone, Copy, Debug)]
struct Payment {
    fate: Fate,
    stalled: u32,
    begun: u32,
    answered: u32,
    accepted: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Pending,
    Open,
    Paid,
    Answered(AnswerKind, HttpAnswer),
    Ended,
}

struct Model {
    promises: Promises,
    now: UnixMs,
    choices: std::vec::IntoIter<u8>,
    stage: Stage,
    live: Option<Payment>,
    posted: bool,
    redeems: u32,
    /// A success was answered; with an address to poll, and one redeem more, where there are.
    heard: bool,
    polled: bool,
    replayed: bool,
    replay_open: bool,
    first: Option<HttpAnswer>,
    held: bool,
    settled: u32,
    spent: u32,
    trace: Vec<String>,
}

impl Model {
    fn choose(&mut self, below: u8) -> u8 {
        self.choices.next().unwrap_or(0) % below
    }

    fn expired(&self) -> bool {
        self.now > INVOICE_EXPIRES_AT
    }

    fn refuses_expired(&self) -> bool {
        self.promises.expiry == Expiry::Refused && self.expired()
    }

    fn live(&mut self) -> &mut Payment {
        self.live.as_mut().expect("a payment is open")
    }

    /// A POST reaches the node.
    fn arrive(&mut self) -> Result<(), PayRefusal> {
        if self.refuses_expired() {
            return Err(PayRefusal::InvoiceExpired);
        }
        match self.live().fate {
            Fate::Flying | Fate::Settled => Err(PayRefusal::AlreadyKnown),
            Fate::Unknown | Fate::Failed => {
                self.live().fate = Fate::Flying;
                Ok(())
            }
        }
    }

    fn end_flight(&mut self, settles: bool) {
        if self.live().fate == Fate::Flying {
            self.live().fate = if settles { Fate::Settled } else { Fate::Failed };
            self.settled += u32::from(settles);
        }
    }

    /// What happens by itself between two steps.
    fn meanwhile(&mut self) {
        if self.live.is_none() {
            return;
        }
        match self.choose(6) {
            0 if self.live().stalled > 0 => {
                self.live().stalled -= 1;
                let _unheard = self.arrive();
            }
            1 => self.end_flight(true),
            2 => self.end_flight(false),
            _ => {}
        }
    }

    fn send(&mut self, sent: &DurableIntent) -> SendReport {
        assert_eq!(sent.sends_begun(), self.live().begun, "every POST is on record before it is sent");
        let once = self.promises.repeats == Repeats::OnePayment || sent.sends_begun() == 1;
        assert!(once, "sent again, and it may be paid twice: {:?}", self.trace);
        let report = |answered, outcome| SendReport { answered, outcome, node_time: None };
        let unheard = || report(false, SendOutcome::InDoubt("reset".to_owned()));
        match self.choose(5) {
            // Somebody else answers.
            0 if self.promises.answers == Answers::Anybodys => report(true, self.made_up()),
            0 => unheard(),
            1 => {
                self.live().stalled += 1;
                unheard()
            }
            2 => {
                let _unheard = self.arrive();
                unheard()
            }
            _ => match self.arrive() {
                Err(refusal) => report(true, SendOutcome::Refused(refusal)),
                Ok(()) => match self.choose(3) {
                    0 => {
                        self.end_flight(true);
                        report(true, SendOutcome::Settled(settled()))
                    }
                    1 => {
                        if self.promises.failures == Failures::Final {
                            self.end_flight(false);
                        }
                        report(true, SendOutcome::Failed(PayFailure::NoRoute))
                    }
                    _ => report(true, SendOutcome::InFlight),
                },
            },
        }
    }

    fn sight(&mut self) -> PaymentLookup {
        let node_time = (self.choose(4) > 0).then_some(self.now);
        if self.choose(8) == 0 {
            return PaymentLookup { fate: PaymentFate::Unknown(ProblemKind::Locked.into()), node_time };
        }
        if let Some(fate) = self.false_word() {
            return PaymentLookup { fate, node_time };
        }
        let seen = match self.live().fate {
            Fate::Unknown => PaymentFate::NotFound,
            Fate::Flying => PaymentFate::InFlight,
            Fate::Failed => PaymentFate::Failed(PayFailure::NoRoute),
            Fate::Settled => PaymentFate::Settled(settled()),
        };
        PaymentLookup { fate: seen, node_time }
    }

    /// An answer to a send that the wallet has not given.
    fn made_up(&mut self) -> SendOutcome {
        match self.choose(3) {
            0 => SendOutcome::Failed(PayFailure::NoRoute),
            1 => SendOutcome::Refused(PayRefusal::Other("no".to_owned())),
            _ => SendOutcome::InFlight,
        }
    }

    /// What it says that is not so, as far as its promises let it.
    fn false_word(&mut self) -> Option<PaymentFate> {
        let (promises, live) = (self.promises, *self.live());
        if promises.look_ups == LookUps::Never {
            return Some(PaymentFate::Unknown(ProblemKind::Other("not asked".to_owned()).into()));
        }
        let failed = PaymentFate::Failed(PayFailure::Timeout);
        let mut false_words = Vec::new();
        if promises.answers == Answers::Anybodys {
            false_words.extend([failed.clone(), PaymentFate::NotFound, PaymentFate::InFlight]);
        }
        if promises.failures == Failures::MaySettle && live.fate == Fate::Flying {
            false_words.push(failed.clone());
        }
        if !promises.remembers() {
            false_words.extend([PaymentFate::NotFound, PaymentFate::Untestable]);
            // What it has forgotten fails when it is sent once more.
            false_words.extend((live.begun > 1).then_some(failed));
        }
        if false_words.is_empty() {
            return None;
        }
        false_words.push(PaymentFate::Untestable);
        let which = usize::from(self.choose(8));
        false_words.into_iter().nth(which)
    }

    fn ask(&mut self) -> Asked {
        assert!(self.live.is_none(), "a new challenge while a payment is open");
        if self.expired() {
            return Asked::Refused(Reason::InvoiceExpired, "too late".to_owned());
        }
        match self.choose(5) {
            0 => Asked::Retry { after_ms: None, reason: Reason::OriginError, message: "later".to_owned() },
            _ => Asked::Ready(new_intent()),
        }
    }

    fn intent(&self) -> DurableIntent {
        let live = self.live.expect("a payment is open");
        if live.accepted { known_intent(live.begun, live.answered) } else { intent(live.begun, live.answered) }
    }

    fn purchase(&self) -> PaidPurchase {
        if self.heard {
            heard_purchase(self.posted, self.polled.then(poll), self.replayed)
        } else {
            purchase(self.posted, self.redeems)
        }
    }

    /// The first success that counts has the first key.
    fn answer_key(&self, kind: AnswerKind) -> AnswerKey {
        if self.heard || kind == AnswerKind::Poll { AnswerKey(1) } else { FIRST_ANSWER }
    }

    fn post(&mut self) {
        assert!(self.held && !self.posted, "posted once, out of its hold");
        (self.held, self.posted) = (false, true);
        self.spent += 1;
    }

    fn commit(&mut self, record: Record) -> Committed {
        match record {
            Record::Intend(_) => self.intend(),
            Record::SendBegun(_) => {
                assert!(matches!(self.stage, Stage::Open));
                self.live().begun += 1;
                Committed::Intent(self.intent())
            }
            Record::SendAnswered { accepted, .. } => {
                self.live().accepted |= accepted;
                assert!(self.live().answered < self.live().begun, "more answers than POSTs");
                self.live().answered += 1;
                Committed::Intent(self.intent())
            }
            Record::Paid { preimage: known, posted, .. } => {
                assert_eq!(known, preimage());
                assert!(matches!(self.stage, Stage::Open) && self.live().fate == Fate::Settled);
                self.stage = Stage::Paid;
                if posted.is_some() {
                    self.post();
                }
                Committed::Paid(self.purchase())
            }
            Record::Posted(..) => {
                self.post();
                Committed::Done
            }
            Record::Dead { proof, end, .. } => {
                self.bury(proof, &end);
                Committed::Done
            }
            Record::Doubt { .. } => {
                assert!(matches!(self.stage, Stage::Open));
                Committed::Done
            }
            Record::Ended(_, end) => {
                assert!(self.live.is_none() && !self.held, "it ends with a payment open");
                self.stage = if end.state == JobState::Pending { Stage::Pending } else { Stage::Ended };
                Committed::Done
            }
            record @ (Record::Answer { .. }
            | Record::Accepted { .. }
            | Record::Replaying(_)
            | Record::Delivered { .. }
            | Record::DeliveredAtOnce { .. }
            | Record::Undelivered { .. }
            | Record::Refund(..)
            | Record::LeftUndelivered(_)
            | Record::Fetching(..)
            | Record::Downloaded(..)
            | Record::NotDownloaded { .. }
            | Record::AbandonedDead { .. }
            | Record::KeptSettlement { .. }
            | Record::Served(_)
            | Record::Stuck { .. }) => self.commit_of_paid(record),
        }
    }

    /// What is recorded once it is paid; the rest a step never says of this job.
    fn commit_of_paid(&mut self, record: Record) -> Committed {
        match record {
            Record::Answer { kind, answer, .. } => {
                self.redeems += u32::from(kind == AnswerKind::Redeem);
                let key = self.answer_key(kind);
                self.stage = Stage::Answered(kind, answer);
                Committed::Answer(key)
            }
            // The ledger keeps the answer alone where the result does not fit: the next run may be the one to read it.
            Record::DeliveredAtOnce { payment, kind, answer, .. } if self.choose(3) == 1 => {
                self.commit_of_paid(Record::Answer { payment, kind, answer })
            }
            Record::DeliveredAtOnce { kind, .. } => {
                self.redeems += u32::from(kind == AnswerKind::Redeem);
                self.stage = Stage::Ended;
                Committed::Done
            }
            Record::Accepted { .. } => {
                (self.heard, self.polled) = (true, true);
                self.stage = Stage::Paid;
                Committed::Paid(self.purchase())
            }
            Record::Replaying(_) => {
                assert!(self.heard && !self.replayed, "one redeem more");
                (self.replayed, self.replay_open) = (true, true);
                Committed::Paid(self.purchase())
            }
            Record::Undelivered { end, heard, .. } => {
                self.undelivered(&end, heard);
                Committed::Done
            }
            Record::Delivered { .. } | Record::Refund(..) => {
                self.stage = Stage::Ended;
                Committed::Done
            }
            record => panic!("no step of this job records {record:?}"),
        }
    }

    fn intend(&mut self) -> Committed {
        assert!(matches!(self.stage, Stage::Pending) && self.live.is_none() && !self.held);
        assert_eq!(self.settled, 0, "an intent for what is paid");
        self.live = Some(Payment { fate: Fate::Unknown, stalled: 0, begun: 1, answered: 0, accepted: false });
        (self.held, self.stage) = (true, Stage::Open);
        Committed::Intent(self.intent())
    }

    fn undelivered(&mut self, end: &JobEnd, heard: bool) {
        if heard && let Stage::Answered(_, answer) = &self.stage {
            self.first = Some(answer.clone());
        }
        self.heard |= heard;
        self.stage = match (end.state, end.reason) {
            (JobState::Paid, Reason::UnknownAnswer) if self.heard => Stage::Ended,
            (JobState::Paid, _) => Stage::Paid,
            _ => Stage::Ended,
        };
    }

    /// The hold goes back only where the payment can never settle any more: by the node's own record.
    fn bury(&mut self, proof: DeadProof, end: &JobEnd) {
        let live = *self.live();
        assert!(matches!(live.fate, Fate::Unknown | Fate::Failed), "dead by {proof:?}, and the node has it {live:?}");
        assert!(
            live.stalled == 0 || self.refuses_expired(),
            "dead by {proof:?}, and a POST may still arrive: {live:?}"
        );
        assert!(self.held);
        (self.live, self.held) = (None, false);
        self.stage = if end.state == JobState::Pending { Stage::Pending } else { Stage::Ended };
    }

    /// Where the next run takes up.
    fn next_run(&mut self) -> Option<(State, Input)> {
        let stage = match self.stage.clone() {
            Stage::Pending => return Some((State::Planned(Tries::default()), Input::Start)),
            Stage::Ended if self.held => OpenStage::Unposted(self.purchase()),
            Stage::Ended => return None,
            Stage::Open => OpenStage::Intended(self.intent()),
            Stage::Paid if self.polled => OpenStage::Accepted(self.purchase(), poll()),
            Stage::Paid => match self.first.clone() {
                Some(first) => OpenStage::Answered(self.purchase(), AnswerKind::Redeem, FIRST_ANSWER, first),
                None => OpenStage::Paid(self.purchase()),
            },
            Stage::Answered(kind, answer) => {
                let key = self.answer_key(kind);
                OpenStage::Answered(self.purchase(), kind, key, answer)
            }
        };
        Some(resume(&OpenJob {
            key: JobKey(1),
            batch: BatchKey(1),
            id: "a".to_owned(),
            take: 1,
            endpoint: facts().endpoint,
            content: ContentHash([0; 32]),
            price: Msat::new(1_000),
            state: JobState::Running,
            reason: Reason::None,
            stage,
        }))
    }

    /// Carries out an effect; none where the run ends with it.
    fn perform(&mut self, effect: Effect) -> Option<Input> {
        let stopped = self.choose(12);
        Some(match effect {
            Effect::Commit(_) if stopped == 0 => return None,
            Effect::Commit(record) => {
                let committed = self.commit(*record);
                if stopped == 1 {
                    return None;
                }
                Input::Committed(committed)
            }
            Effect::Ask => Input::Asked(self.ask()),
            Effect::Send(intent) => {
                let report = self.send(&intent);
                if stopped == 0 {
                    return None;
                }
                Input::Sent(report)
            }
            Effect::LookUp(_) => Input::LookedUp(self.sight()),
            Effect::Track(_) => {
                let settles = self.choose(2) == 0;
                self.end_flight(settles);
                Input::LookedUp(self.sight())
            }
            Effect::Redeem(..) => {
                assert_eq!(self.settled, 1, "a redeem of what is not paid");
                let once_more = std::mem::take(&mut self.replay_open);
                assert!(!self.heard || once_more, "sent again after a success: {:?}", self.trace);
                let all = answers();
                let which = usize::from(self.choose(15));
                let lost = || Input::Answer(Err(HttpFailure::NoAnswer("reset".to_owned())));
                all.get(which).map_or_else(lost, |(_, answer)| Input::Answer(Ok(answer.clone())))
            }
            Effect::PollServed(..) => panic!("no token serves it"),
            Effect::Poll(_, at) => {
                assert_eq!(at.url.host_str(), poll().url.host_str());
                let all = answers();
                let which = usize::from(self.choose(13));
                let lost = || Input::Answer(Err(HttpFailure::NoAnswer("reset".to_owned())));
                all.get(which).map_or_else(lost, |(_, answer)| Input::Answer(Ok(answer.clone())))
            }
            Effect::Wait(until, _) => {
                self.now = self.now.max(until);
                if stopped == 0 {
                    return None;
                }
                Input::Waited
            }
            Effect::Stop | Effect::SetAside(_) => return None,
            Effect::Defect(state) => panic!("a defect when {state}: {:?}", self.trace),
        })
    }

    fn holds(&self) {
        assert!(self.settled <= 1, "paid twice: {:?}", self.trace);
        assert!(self.spent <= self.settled, "spent what was never paid: {:?}", self.trace);
        assert!(
            self.settled <= self.spent + u32::from(self.held),
            "paid, and neither held nor spent: {:?}",
            self.trace
        );
    }
}

fn walk(promises: Promises, choices: Vec<u8>) {
    let (mut facts, bounds) = (facts(), Bounds::default());
    if choices.first().is_some_and(|choice| choice.is_multiple_of(2)) {
        std::sync::Arc::make_mut(&mut facts.endpoint).terms.redeem = crate::catalog::RedeemRule::Replays;
    }
    let mut model = Model {
        promises,
        now: EARLY,
        choices: choices.into_iter(),
        stage: Stage::Pending,
        live: None,
        posted: false,
        redeems: 0,
        heard: false,
        polled: false,
        replayed: false,
        replay_open: false,
        first: None,
        held: false,
        settled: 0,
        spent: 0,
        trace: Vec::new(),
    };
    let (mut state, mut input) = (State::Planned(Tries::default()), Input::Start);
    for _ in 0..STEPS_MAX {
        let moment = Moment {
            now: model.now,
            draining: model.choose(10) == 0,
            facts: &facts,
            bounds: &bounds,
            promises: &promises,
        };
        let (next, effect) = step(state, input, &moment);
        model.trace.push(format!("{effect:?}"));
        model.meanwhile();
        (state, input) = match model.perform(effect) {
            Some(input) => (next, input),
            None => match model.next_run() {
                Some(begun) => begun,
                None => break,
            },
        };
        model.holds();
    }
    model.holds();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: one_in(12, 1_500), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn money_is_conserved_on_every_walk(choices in proptest::collection::vec(any::<u8>(), 0..900)) {
        walk(LND, choices);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: one_in(8, 400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_wallet_that_promises_less_is_paid_twice(which in any::<proptest::sample::Index>(),
                                                  choices in proptest::collection::vec(any::<u8>(), 0..900)) {
        let wallets = wallets();
        walk(wallets[which.index(wallets.len())].1, choices);
    }
}
