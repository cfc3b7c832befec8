//! Every state with every input, as a table that is read and kept; and what must hold in each cell of it.

use std::sync::Arc;

use url::Url;

use crate::catalog::{Catalog, DedupPolicy, ErrorRule, Method, PriceRule, Rate, RedeemRule, ResultRule, Scale, Terms};
use crate::l402::{Network, Scheme, Token};
use crate::ledger::fixtures::{
    FIRST_ANSWER, INVOICE_EXPIRES_AT, hash, heard_purchase, intent, preimage, purchase, purchase_by, retried_purchase,
    reusable_token,
};
use crate::ledger::{Came, Caps, HeldBack, IntentBounds, IntentRefusal, NodeCount, PaymentKey, RefundRecord};
use crate::life::*;
use crate::money::Msat;
use crate::payer::lnd::PROMISES as LND;
use crate::payer::{PayRefusal, ProblemKind, SendOutcome};
use crate::purchase::{Request, WalletId};

/// Long before invoice and credential end.
pub(super) const EARLY: UnixMs = UnixMs(INVOICE_EXPIRES_AT.0 - 400_000);
/// After the invoice and its margin, long after the credential.
pub(super) const LATE: UnixMs = UnixMs(INVOICE_EXPIRES_AT.0 + 10_000_000);

fn builtin_errors() -> Vec<ErrorRule> {
    Catalog::builtin().unwrap().get("generate-video").unwrap().errors.clone()
}

pub(super) fn facts() -> Facts {
    let pointers = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let endpoint = Endpoint {
        name: "film".to_owned(),
        url: Url::parse("https://api.example/film").unwrap(),
        method: Method::Post,
        params: Vec::new(),
        multipart: false,
        body: None,
        price: PriceRule {
            is_cap: false,
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: Msat::new(500_000) }],
            quantity: None,
            unit: "job".to_owned(),
            scale: Scale::default(),
        },
        result: ResultRule {
            url: pointers(&["/videoUrl", "/result/url"]),
            poll_url: pointers(&["/poll_url"]),
            poll_interval_ms: pointers(&["/poll_interval_ms"]),
            status: pointers(&["/status"]),
            done: pointers(&["COMPLETED"]),
            failed: pointers(&["FAILED"]),
            text: Vec::new(),
            body: false,
        },
        errors: builtin_errors(),
        dedup_window_s: 30,
        bypass_header: None,
        nonce: None,
        headers: Vec::new(),
        // Over, where it is late.
        terms: Terms { patience_s: 3_600, ..Terms::default() },
        listing: None,
        allow_http: false,
        source: "test".to_owned(),
        as_of: "2026-11-20".to_owned(),
        defined_in: "test".to_owned(),
    };
    Facts { key: JobKey(1), id: "a".to_owned(), take: 1, endpoint: Arc::new(endpoint) }
}

pub(super) fn new_intent() -> Box<NewIntent> {
    let url = Url::parse("https://api.example/film").unwrap();
    let request = Request::new(Method::Post, url.clone(), b"{}".to_vec());
    Box::new(NewIntent {
        job: JobKey(1),
        request,
        endpoint_url: url,
        dedup: DedupPolicy::Window(30),
        scheme: Scheme::L402,
        token: Token::new("token".to_owned()),
        challenge: Vec::new(),
        invoice: "lnbcrt1".to_owned(),
        hash: hash(),
        amount: Msat::new(500_000),
        fee_limit: Msat::new(10_000),
        payee: "03bb".to_owned(),
        network: Network::Regtest,
        node: WalletId("02aa".to_owned()),
        invoice_expires_at: INVOICE_EXPIRES_AT,
        credential_expires_at: INVOICE_EXPIRES_AT,
        caps: Caps::default(),
        bounds: IntentBounds::default(),
        reuse: None,
    })
}

pub(super) fn poll() -> Poll {
    Poll { url: Url::parse("https://api.example/poll").unwrap(), interval_ms: 5_000 }
}

fn answer(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

pub(super) fn answers() -> Vec<(&'static str, HttpAnswer)> {
    vec![
        ("200 url", answer(200, r#"{"videoUrl":"https://cdn.example/a.mp4"}"#)),
        ("200 unknown", answer(200, r#"{"hello":1}"#)),
        ("202 poll", answer(202, r#"{"status":"processing","poll_url":"/poll","poll_interval_ms":5000}"#)),
        ("200 processing", answer(200, r#"{"status":"processing"}"#)),
        ("200 FAILED", answer(200, r#"{"status":"FAILED"}"#)),
        ("200 cut", answer(200, r#"{"videoUrl":"https://cdn."#).cut("it broke off")),
        ("402", answer(402, "{}")),
        ("404", answer(404, "{}")),
        ("503", answer(503, "{}")),
        ("400 filtered", answer(400, r#"{"error":"no","error_code":"CONTENT_FILTERED"}"#)),
        ("429 limited", answer(429, r#"{"error_code":"RATE_LIMITED","retry_after_seconds":9}"#)),
        ("409 cached", answer(409, r#"{"error_code":"L402_DEDUP_HIT"}"#)),
        ("502 upstream", answer(502, r#"{"error_code":"L402_UPSTREAM_FAILED"}"#)),
        ("402 code of nobody", answer(402, r#"{"error_code":"NEVER_HEARD_OF"}"#)),
        (
            "500 refund",
            answer(
                500,
                r#"{"error_code":"L402_REFUND_ISSUED","refund":{"lnurl_withdraw":"lnurl1x","status":"pending"}}"#,
            ),
        ),
    ]
}

pub(super) fn settled() -> Settled {
    Settled { preimage: preimage(), fee: Msat::new(1_000), payment_index: Some(3) }
}

/// Accepted, and polled.
fn polled(replayed: bool) -> PaidPurchase {
    heard_purchase(true, Some(poll()), replayed)
}

/// The same, with a person's word to ask again.
fn retried() -> PaidPurchase {
    retried_purchase(polled(true))
}

/// Of a job that another one's token serves.
/// A request that went out with another job's token.
fn sent_with() -> Box<SentWith> {
    Box::new(SentWith { token: *reusable_token(), request: [7; 32] })
}

fn served_states() -> Vec<(String, State)> {
    let tries = Tries::default();
    let polling = |tries| State::ServedPolling(sent_with(), tries, poll());
    vec![
        ("Polling by a token".into(), polling(tries)),
        ("Polling by a token, tried out".into(), polling(Tries { polls: 99, ..tries })),
        ("Keeping what a token serves".into(), State::Committing(Then::Served(tries))),
    ]
}

fn states() -> Vec<(String, State)> {
    let tries = Tries::default();
    let after = |then| State::Committing(then);
    let go = |next| after(Then::Go(Box::new(next)));
    let told = Tries { polls_told: Some(Reason::OriginFailed), ..tries };
    let of_result = |purchase, kind| {
        let result = answer(200, r#"{"videoUrl":"https://cdn.example/a.mp4"}"#);
        after(Then::Result(purchase, tries, kind, result))
    };
    let mut states: Vec<(String, State)> = vec![
        ("Planned".into(), State::Planned(tries)),
        ("Planned, tried out".into(), State::Planned(Tries { asks: 99, ..tries })),
        ("Challenged".into(), after(Then::Pay(tries))),
        ("Challenged, hash reused".into(), after(Then::Pay(Tries { hash_reused: true, ..tries }))),
        ("Paying 1/0".into(), State::Paying(intent(1, 0), tries)),
        ("Paying 2/1".into(), State::Paying(intent(2, 1), tries)),
        ("Answered, failed".into(), after(Then::Heed(tries, Told::Failed(PayFailure::NoRoute)))),
        ("Answered, look up".into(), after(Then::Heed(tries, Told::LookUp))),
        ("Looking 1/0".into(), State::Looking(intent(1, 0), tries)),
        ("Looking 1/1".into(), State::Looking(intent(1, 1), tries)),
        ("Looking 2/1".into(), State::Looking(intent(2, 1), tries)),
        ("Looking 2/1, resent".into(), State::Looking(intent(2, 1), Tries { resends: 99, ..tries })),
        ("Looking 1/1, known".into(), State::Looking(intent(1, 1), Tries { known: true, ..tries })),
        ("Looking 1/1, pays out".into(), State::Looking(intent(1, 1), Tries { pays: 99, ..tries })),
        ("Abandoned".into(), State::Abandoned(intent(2, 1))),
        ("Resending".into(), after(Then::Resend(tries))),
        ("Burying".into(), after(Then::Bury(Box::new((State::Planned(tries), Effect::Wait(LATE, Waiting::Turn)))))),
        ("Settling".into(), after(Then::Redeem(tries))),
        ("Redeeming".into(), State::Redeeming(purchase(true, 0), tries)),
        ("Redeeming, sent".into(), State::Redeeming(purchase(true, 0), Tries { redeem_sent: true, ..tries })),
        ("Redeeming, tried out".into(), State::Redeeming(purchase(true, 0), Tries { redeems: 99, ..tries })),
        ("Redeeming once more".into(), State::Redeeming(heard_purchase(true, None, true), tries)),
        ("Redeeming once more, polled".into(), State::Redeeming(polled(true), tries)),
        ("Accepting".into(), after(Then::Poll(tries, poll(), LATE))),
        ("Polling".into(), State::Polling(polled(false), tries, poll())),
        ("Polling, told".into(), State::Polling(polled(false), told, poll())),
        ("Polling, retried".into(), State::Polling(retried(), Tries { polls_failed: 9, ..told }, poll())),
        ("Polling, tried out".into(), State::Polling(polled(false), Tries { polls: 99, ..tries }, poll())),
        ("Replaying".into(), State::Replaying(heard_purchase(true, None, false), tries)),
        ("Delivering, posted".into(), after(Then::Deliver(purchase(true, 1), tries, AnswerKey(1)))),
        ("Delivering, not posted".into(), after(Then::Deliver(purchase(false, 1), tries, AnswerKey(1)))),
        ("Delivering, polled".into(), after(Then::Deliver(polled(false), tries, AnswerKey(1)))),
        ("Keeping result of redeem".into(), of_result(purchase(true, 1), AnswerKind::Redeem)),
        ("Keeping result of redeem, not posted".into(), of_result(purchase(false, 1), AnswerKind::Redeem)),
        ("Keeping result of poll".into(), of_result(polled(false), AnswerKind::Poll)),
        ("Posting".into(), State::Posting(purchase(false, 1), tries)),
        ("Going on".into(), go((State::Looking(intent(1, 0), tries), Effect::Track(intent(1, 0))))),
        ("Closing".into(), go((State::Done, Effect::Stop))),
        ("Done".into(), State::Done),
    ];
    states.extend(served_states());
    for (name, kept) in answers() {
        let redeem = after(Then::Read(purchase(true, 1), tries, AnswerKind::Redeem, kept.clone()));
        states.push((format!("Keeping redeem {name}"), redeem));
        let once_more = after(Then::Read(heard_purchase(true, None, true), tries, AnswerKind::Redeem, kept.clone()));
        states.push((format!("Keeping redeem once more {name}"), once_more));
        states.push((format!("Keeping poll {name}"), after(Then::Read(polled(false), tries, AnswerKind::Poll, kept))));
    }
    states
}

pub(super) fn lookup(seen: PaymentFate) -> Input {
    Input::LookedUp(PaymentLookup { fate: seen, node_time: None })
}

pub(super) fn sent(answered: bool, outcome: SendOutcome) -> Input {
    Input::Sent(SendReport { answered, outcome, node_time: None })
}

fn inputs() -> Vec<(String, Input)> {
    let most = Msat::new(9);
    let limit = IntentRefusal::BatchLimit { cost: most, used: most, most };
    let retry = Asked::Retry { after_ms: Some(2_000), reason: Reason::RateLimited, message: "slow".into() };
    let (count, bounds) = (NodeCount::default(), IntentBounds::default());
    let held = HeldBack::Doubt { node: WalletId("02aa".to_owned()), count, bounds };
    let mut inputs: Vec<(String, Input)> = vec![
        ("Start".into(), Input::Start),
        ("Waited".into(), Input::Waited),
        ("Asked ready".into(), Input::Asked(Asked::Ready(new_intent()))),
        ("Asked refused".into(), Input::Asked(Asked::Refused(Reason::PriceChanged, "dear".into()))),
        ("Asked retry".into(), Input::Asked(retry)),
        ("Asked not admitted".into(), Input::Asked(Asked::NotAdmitted)),
        ("Asked later".into(), Input::Asked(Asked::Later)),
        ("Asked pending".into(), Input::Asked(Asked::Pending(Reason::IdenticalRequest, "an identical one".into()))),
        ("Committed intent".into(), Input::Committed(Committed::Intent(intent(2, 1)))),
        ("Committed intent 1/1".into(), Input::Committed(Committed::Intent(intent(1, 1)))),
        ("Committed refusal limit".into(), Input::Committed(Committed::IntentRefused(limit))),
        (
            "Committed refusal held back".into(),
            Input::Committed(Committed::IntentRefused(IntentRefusal::HeldBack(held))),
        ),
        ("Committed refusal hash".into(), Input::Committed(Committed::IntentRefused(IntentRefusal::HashKnown))),
        (
            "Committed refusal identical".into(),
            Input::Committed(Committed::IntentRefused(IntentRefusal::IdenticalKnown)),
        ),
        ("Committed refusal token".into(), Input::Committed(Committed::IntentRefused(IntentRefusal::TokenKnown))),
        ("Committed paid".into(), Input::Committed(Committed::Paid(purchase(true, 0)))),
        ("Committed answer".into(), Input::Committed(Committed::Answer(AnswerKey(1)))),
        ("Committed not its own".into(), Input::Committed(Committed::NotItsOwn)),
        ("Committed done".into(), Input::Committed(Committed::Done)),
        ("Sent settled".into(), sent(true, SendOutcome::Settled(settled()))),
        ("Sent preimage known".into(), sent(true, SendOutcome::PreimageKnown(preimage()))),
        ("Sent failed".into(), sent(true, SendOutcome::Failed(PayFailure::NoRoute))),
        ("Sent refused known".into(), sent(true, SendOutcome::Refused(PayRefusal::AlreadyKnown))),
        ("Sent refused expired".into(), sent(true, SendOutcome::Refused(PayRefusal::InvoiceExpired))),
        (
            "Sent refused locked".into(),
            sent(true, SendOutcome::Refused(PayRefusal::Node(NodeProblem::from(ProblemKind::Locked)))),
        ),
        ("Sent in flight".into(), sent(true, SendOutcome::InFlight)),
        ("Sent in doubt, answered".into(), sent(true, SendOutcome::InDoubt("reset".into()))),
        ("Sent in doubt".into(), sent(false, SendOutcome::InDoubt("reset".into()))),
        ("Failure not sent".into(), Input::Answer(Err(HttpFailure::NotSent("refused".into())))),
        ("Failure body unread".into(), Input::Answer(Err(HttpFailure::BodyUnread("shorter".into())))),
        ("Failure redirect".into(), Input::Answer(Err(HttpFailure::Redirect("elsewhere".into())))),
    ];
    inputs.extend(looked_up());
    let successes = answers().into_iter().filter(|(_, answer)| (200..300).contains(&answer.status));
    let served = |answer| Input::Asked(Asked::Served(sent_with(), answer));
    inputs.extend(successes.map(|(name, answer)| (format!("Asked served {name}"), served(answer))));
    inputs.extend(answers().into_iter().map(|(name, answer)| (format!("Answer {name}"), Input::Answer(Ok(answer)))));
    inputs
}

fn looked_up() -> Vec<(String, Input)> {
    let late = |fate| Input::LookedUp(PaymentLookup { fate, node_time: Some(LATE) });
    vec![
        ("Looked up settled".into(), lookup(PaymentFate::Settled(settled()))),
        ("Looked up preimage known".into(), lookup(PaymentFate::PreimageKnown(preimage()))),
        ("Looked up failed".into(), lookup(PaymentFate::Failed(PayFailure::NoRoute))),
        ("Looked up failed, balance".into(), lookup(PaymentFate::Failed(PayFailure::InsufficientBalance))),
        ("Looked up in flight".into(), lookup(PaymentFate::InFlight)),
        ("Looked up not found".into(), lookup(PaymentFate::NotFound)),
        ("Looked up not found, expired".into(), late(PaymentFate::NotFound)),
        ("Looked up failed, expired".into(), late(PaymentFate::Failed(PayFailure::Timeout))),
        ("Looked up untestable".into(), lookup(PaymentFate::Untestable)),
        ("Looked up untestable, expired".into(), late(PaymentFate::Untestable)),
        ("Looked up forgot".into(), lookup(PaymentFate::Forgot("gone".into()))),
        ("Looked up other node".into(), lookup(PaymentFate::OtherNode("other".into()))),
        ("Looked up unknown".into(), lookup(PaymentFate::Unknown(NodeProblem::from(ProblemKind::Locked)))),
    ]
}

/// Every cell, early and late, going on and draining.
pub(super) fn each_cell(
    promises: &Promises,
    mut visit: impl FnMut(&str, &State, &str, &Input, &Moment<'_>, &State, &Effect),
) {
    let (facts, bounds) = (facts(), Bounds::default());
    for now in [EARLY, LATE] {
        for draining in [false, true] {
            let moment = Moment { now, draining, facts: &facts, bounds: &bounds, promises };
            for (state_name, state) in states() {
                for (input_name, input) in inputs() {
                    let (next, effect) = step(state.clone(), input.clone(), &moment);
                    visit(&state_name, &state, &input_name, &input, &moment, &next, &effect);
                }
            }
        }
    }
}

fn word(debug: &impl std::fmt::Debug) -> String {
    format!("{debug:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}

/// A state in a word; and what follows a commit, where it is decided already.
fn state_words(state: &State) -> String {
    match state {
        State::Committing(then @ (Then::Go(step) | Then::Bury(step))) => {
            format!("{} ({}, {})", word(then), state_words(&step.0), effect_words(&step.1))
        }
        State::Committing(then) => word(then),
        state => word(state),
    }
}

pub(super) fn effect_words(effect: &Effect) -> String {
    match effect {
        Effect::Commit(record) => match &**record {
            Record::Dead { proof, end, .. } => {
                format!("commit dead {proof:?}, {} {}", end.state.as_str(), end.reason.as_str())
            }
            Record::Doubt { reason, .. } => format!("commit doubt {}", reason.as_str()),
            Record::Undelivered { end, heard, .. } => {
                let heard = if *heard { ", a success" } else { "" };
                format!("commit undelivered, {} {}{heard}", end.state.as_str(), end.reason.as_str())
            }
            Record::Refund(_, RefundRecord::Offered { link, .. }) => {
                format!("commit refund offered, {}", if link.is_some() { "with its link" } else { "without a link" })
            }
            Record::Served(served) => match &served.came {
                Came::Result { .. } => "commit served, with its result".to_owned(),
                Came::Nothing(end) => format!("commit served, {} {}", end.state.as_str(), end.reason.as_str()),
            },
            Record::Ended(_, end) => format!("commit ended, {} {}", end.state.as_str(), end.reason.as_str()),
            Record::Paid { posted, .. } => {
                format!("commit paid{}", if posted.is_some() { " and posted" } else { "" })
            }
            record @ (Record::Refund(..)
            | Record::Intend(_)
            | Record::SendBegun(_)
            | Record::SendAnswered { .. }
            | Record::Posted(..)
            | Record::Answer { .. }
            | Record::Accepted { .. }
            | Record::Replaying(_)
            | Record::Delivered { .. }
            | Record::DeliveredAtOnce { .. }
            | Record::LeftUndelivered(_)
            | Record::Fetching(..)
            | Record::Downloaded(..)
            | Record::NotDownloaded { .. }
            | Record::AbandonedDead { .. }
            | Record::KeptSettlement { .. }
            | Record::Stuck { .. }) => format!("commit {}", word(record)),
        },
        Effect::Wait(_, waiting) => format!("wait for {waiting:?}"),
        Effect::Ask
        | Effect::Send(_)
        | Effect::LookUp(_)
        | Effect::Track(_)
        | Effect::Redeem(..)
        | Effect::Poll(..)
        | Effect::PollServed(..)
        | Effect::Stop
        | Effect::SetAside(_)
        | Effect::Defect(_) => word(effect),
    }
}

#[test]
fn the_table_of_states_and_inputs() {
    let mut table = String::new();
    each_cell(&LND, |state, _, input, _, moment, next, effect| {
        if matches!(effect, Effect::Defect(_)) {
            return;
        }
        let when = match (moment.now == EARLY, moment.draining) {
            (true, false) => "",
            (true, true) => "draining: ",
            (false, false) => "late: ",
            (false, true) => "late, draining: ",
        };
        table.push_str(&format!("{when}{state} | {input} -> {} | {}\n", state_words(next), effect_words(effect)));
    });
    insta::assert_snapshot!(table);
}

#[test]
fn an_input_that_cannot_follow_is_a_defect_and_touches_nothing() {
    each_cell(&LND, |state, _, input, _, _, next, effect| {
        if let Effect::Defect(_) = effect {
            assert!(matches!(next, State::Done), "{state} × {input}");
        }
    });
}

#[test]
fn money_moves_only_behind_its_records() {
    each_cell(&LND, |name, state, input_name, input, moment, next, effect| {
        let cell = format!("{}{name} × {input_name}", if moment.now == LATE { "late " } else { "" });
        if let State::Committing(Then::Go(step) | Then::Bury(step)) = next {
            let harmless = matches!(&step.1, Effect::LookUp(_) | Effect::Track(_) | Effect::Wait(..) | Effect::Stop);
            assert!(harmless, "{cell}: decided before its record, {}", effect_words(&step.1));
        }
        match effect {
            Effect::Send(_) => {
                assert!(matches!(input, Input::Committed(Committed::Intent(_))), "{cell}: sends without its record");
                assert!(matches!(state, State::Committing(Then::Pay(_) | Then::Resend(_))), "{cell}");
            }
            Effect::Ask => assert!(matches!(state, State::Planned(_)), "{cell}: asks with an intent open"),
            Effect::Redeem(_, sending) => {
                let tries = match state {
                    State::Committing(Then::Redeem(tries)) | State::Redeeming(_, tries) => tries,
                    _ => panic!("{cell}: redeems what is not paid"),
                };
                assert_eq!(tries.redeem_sent, *sending == Sending::Again, "{cell}");
            }
            Effect::Commit(record) => holds_for_record(&cell, state, input, record),
            Effect::LookUp(_)
            | Effect::Track(_)
            | Effect::Poll(..)
            | Effect::PollServed(..)
            | Effect::Wait(..)
            | Effect::Stop
            | Effect::SetAside(_)
            | Effect::Defect(_) => {}
        }
    });
}

/// An answer that is on record.
fn is_read(state: &State) -> bool {
    matches!(state, State::Committing(Then::Read(..) | Then::Result(..)))
}

fn holds_for_record(cell: &str, state: &State, input: &Input, record: &Record) {
    match record {
        Record::Intend(_) => assert!(matches!(state, State::Planned(_)), "{cell}"),
        Record::Dead { proof, .. } => holds_for_death(cell, state, input, *proof),
        Record::AbandonedDead { proof, .. } => {
            assert!(matches!(state, State::Abandoned(_)), "{cell}: nobody gave it up");
            holds_for_death(cell, state, input, *proof);
        }
        Record::Served(served) => {
            assert!(matches!(state, State::Planned(_) | State::ServedPolling(..)), "{cell}: it has a payment");
            let came = match input {
                Input::Asked(Asked::Served(_, answer)) | Input::Answer(Ok(answer)) => answer,
                other => panic!("{cell}: {other:?}"),
            };
            assert_eq!(*came, served.answer, "{cell}: keeps another answer");
        }
        Record::KeptSettlement { .. } => panic!("{cell}: it is the run that keeps a settlement"),
        Record::Delivered { .. } => assert!(is_read(state), "{cell}: delivers what is not kept"),
        Record::DeliveredAtOnce { answer, .. } => {
            assert!(matches!(state, State::Redeeming(..) | State::Polling(..)), "{cell}: keeps what is kept");
            assert!(matches!(input, Input::Answer(Ok(came)) if came == answer), "{cell}: keeps another answer");
        }
        Record::Ended(..) => {
            assert!(
                matches!(
                    state,
                    State::Planned(_) | State::ServedPolling(..) | State::Committing(Then::Pay(_) | Then::Served(_))
                ),
                "{cell}: ends with a payment open"
            );
        }
        Record::Refund(_, record) => {
            assert!(is_read(state), "{cell}: offers what is not kept");
            assert!(matches!(record, RefundRecord::Offered { .. }), "{cell}: a job claims no refund");
        }
        Record::SendBegun(_) => {
            let is_denied = |seen: &PaymentFate| matches!(seen, PaymentFate::NotFound | PaymentFate::Failed(_));
            assert!(
                matches!(input, Input::LookedUp(said) if is_denied(&said.fate)),
                "{cell}: sends again what cannot be tested"
            );
        }
        Record::SendAnswered { .. }
        | Record::Paid { .. }
        | Record::Posted(..)
        | Record::Doubt { .. }
        | Record::Answer { .. }
        | Record::Accepted { .. } => {}
        Record::Undelivered { end, .. } => holds_for_undelivered(cell, state, input, end),
        Record::Replaying(_) => assert!(matches!(state, State::Replaying(..)), "{cell}"),
        Record::LeftUndelivered(_) => panic!("{cell}: a job does not know that the run ends"),
        Record::Fetching(..) | Record::Downloaded(..) | Record::NotDownloaded { .. } => panic!("{cell}: downloads"),
        Record::Stuck { .. } => panic!("{cell}: a step never says so"),
    }
}

/// A paid job is given up late alone, or where its success brought nothing and nothing more may be sent.
fn holds_for_undelivered(cell: &str, state: &State, input: &Input, end: &JobEnd) {
    let answered_with_nothing = match state {
        State::Committing(
            Then::Read(purchase, _, AnswerKind::Redeem, answer) | Then::Result(purchase, _, AnswerKind::Redeem, answer),
        ) => answer.status < 300 || purchase.heard().is_some(),
        State::Redeeming(purchase, _) => purchase.heard().is_some(),
        _ => false,
    };
    let late = cell.starts_with("late");
    assert!(end.state == JobState::Paid || late || answered_with_nothing, "{cell} × {input:?}: {end:?}");
}

/// Rule 2, said once more in other words than the code's.
fn holds_for_death(cell: &str, state: &State, input: &Input, proof: crate::ledger::DeadProof) {
    use crate::ledger::DeadProof;
    let intent = match (state, input) {
        (State::Committing(Then::Heed(..)), Input::Committed(Committed::Intent(intent)))
        | (State::Looking(intent, _) | State::Abandoned(intent), _) => intent,
        _ => panic!("{cell}: dead without having looked or been told"),
    };
    let unanswered = intent.sends_begun() - intent.sends_answered();
    let (failed, absent, expired) = match input {
        Input::LookedUp(lookup) => (
            matches!(lookup.fate, PaymentFate::Failed(_)),
            matches!(lookup.fate, PaymentFate::NotFound) || (unanswered == 0 && lookup.fate == PaymentFate::Untestable),
            lookup.node_time == Some(LATE),
        ),
        _ => (true, false, false),
    };
    match proof {
        DeadProof::FailedAndAnswered => assert!(failed && (unanswered == 0 || intent.sends_begun() == 1), "{cell}"),
        DeadProof::FailedAndExpired => assert!(failed && expired, "{cell}"),
        DeadProof::NotFoundAndAnswered => assert!(absent && unanswered == 0, "{cell}"),
        DeadProof::NotFoundAndExpired => assert!(absent && expired, "{cell}"),
    }
    let known = matches!(state, State::Looking(_, tries) if tries.known);
    assert!(!(absent && known), "{cell}: a node that knew a payment and forgot it proves nothing");
}

#[test]
fn a_paid_job_is_never_asked_anew() {
    each_cell(&LND, |name, state, input_name, _, _, next, _| {
        assert!(!is_paid(state) || !leads_back(next), "{name} × {input_name} -> {}", state_words(next));
    });
}

fn is_paid(state: &State) -> bool {
    match state {
        State::Redeeming(..) | State::Polling(..) | State::Replaying(..) | State::Posting(..) => true,
        State::Committing(then) => match then {
            Then::Redeem(_) | Then::Read(..) | Then::Result(..) | Then::Poll(..) | Then::Deliver(..) => true,
            Then::Go(step) | Then::Bury(step) => is_paid(&step.0),
            Then::Pay(_) | Then::Served(_) | Then::Resend(_) | Then::Heed(..) => false,
        },
        State::Planned(_)
        | State::ServedPolling(..)
        | State::Paying(..)
        | State::Looking(..)
        | State::Abandoned(_)
        | State::Done => false,
    }
}

/// To where nothing is paid, at once or behind a record.
fn leads_back(next: &State) -> bool {
    match next {
        State::Planned(_) | State::ServedPolling(..) | State::Paying(..) | State::Looking(..) | State::Abandoned(_) => {
            true
        }
        State::Committing(then) => match then {
            Then::Bury(_) | Then::Pay(_) | Then::Served(_) | Then::Resend(_) | Then::Heed(..) => true,
            Then::Go(step) => leads_back(&step.0),
            Then::Redeem(_) | Then::Read(..) | Then::Result(..) | Then::Poll(..) | Then::Deliver(..) => false,
        },
        State::Redeeming(..) | State::Polling(..) | State::Replaying(..) | State::Posting(..) | State::Done => false,
    }
}

#[test]
fn every_back_off_is_bounded() {
    let (facts, bounds) = (facts(), Bounds::default());
    let moment = Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
    assert_eq!(moment.later(1, None), EARLY.plus_ms(1_000));
    assert_eq!(moment.later(3, None), EARLY.plus_ms(4_000));
    assert_eq!(moment.later(u32::MAX, None), EARLY.plus_ms(60_000));
    assert_eq!(moment.later(1, Some(90_000)), EARLY.plus_ms(90_000), "the origin's own wish counts");
}

#[test]
fn a_pause_never_outlives_a_good_credential() {
    let (facts, bounds) = (facts(), Bounds::default());
    let moment = Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
    let mut slow = answer(429, "{}");
    slow.headers.push(("retry-after".to_owned(), "3600".to_owned()));
    let state = State::Committing(Then::Read(purchase(true, 0), Tries::default(), AnswerKind::Redeem, slow));
    let (state, _) = step(state, Input::Committed(Committed::Answer(AnswerKey(1))), &moment);
    let (_, effect) = step(state, Input::Committed(Committed::Done), &moment);
    let end = purchase(true, 0).intent().credential_expires_at();
    match effect {
        Effect::Wait(until, _) => assert!(until < end, "waits until {until}, the credential ends at {end}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_send_begun_is_recorded_before_it_is_sent_again() {
    let (facts, bounds) = (facts(), Bounds::default());
    let moment = Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
    let (state, effect) = step(State::Looking(intent(1, 0), Tries::default()), lookup(PaymentFate::NotFound), &moment);
    match effect {
        Effect::Commit(record) => assert!(matches!(*record, Record::SendBegun(PaymentKey(1)))),
        other => panic!("{other:?}"),
    }
    let (_, effect) = step(state, Input::Committed(Committed::Intent(intent(2, 0))), &moment);
    assert!(matches!(effect, Effect::Send(_)));
}

/// A node that has forgotten that the first POST settled fails the second: with several POSTs its FAILED is looked up,
/// where history and identity are asked for too, before anything follows from it.
#[test]
fn with_several_posts_a_failed_is_looked_up_before_anything_follows_from_it() {
    let (facts, bounds) = (facts(), Bounds::default());
    let moment = Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
    let told = |begun, answered| {
        let failed = sent(true, SendOutcome::Failed(PayFailure::NoRoute));
        let (state, _) = step(State::Paying(intent(begun, answered - 1), Tries::default()), failed, &moment);
        step(state, Input::Committed(Committed::Intent(intent(begun, answered))), &moment)
    };
    for begun in 2..5 {
        let (state, effect) = told(begun, begun);
        assert!(
            matches!(state, State::Looking(..)) && matches!(effect, Effect::LookUp(_)),
            "{begun} POSTs: {effect:?}"
        );
        let (_, effect) = step(state, lookup(PaymentFate::Forgot("gone".into())), &moment);
        assert_eq!(effect_words(&effect), "commit doubt node_forgot");
    }
    let (_, effect) = told(1, 1);
    assert!(
        effect_words(&effect).starts_with("commit dead FailedAndAnswered"),
        "one POST is its own answer: {effect:?}"
    );
}

/// Our clock may be wrong, so long after the credential's end is not enough: an origin that sees a payment late has all
/// the tries of a run.
#[test]
fn a_rejected_credential_is_final_only_after_all_tries_of_the_run() {
    let (facts, bounds) = (facts(), Bounds::default());
    for (now, status) in [(LATE, 401), (LATE, 402), (EARLY, 401), (EARLY, 402)] {
        let moment = Moment { now, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
        let (mut state, mut ends) = (State::Redeeming(purchase(true, 0), Tries::default()), Vec::new());
        for _ in 0..bounds.redeems {
            let (kept, _) = step(state, Input::Answer(Ok(answer(status, "{}"))), &moment);
            let (after, effect) = step(kept, Input::Committed(Committed::Answer(AnswerKey(1))), &moment);
            ends.push(effect_words(&effect));
            (state, _) = step(after, Input::Committed(Committed::Done), &moment);
            if let State::Redeeming(..) = state {
                (state, _) = step(state, Input::Waited, &moment);
            }
        }
        let last = if now == LATE { "lost" } else { "paid" };
        let (end, before) = ends.split_last().unwrap();
        assert_eq!(end, &format!("commit undelivered, {last} credential_rejected"), "{status}");
        assert!(before.iter().all(|end| end == "commit undelivered, paid credential_rejected"), "{status}: {before:?}");
    }
}

/// A charge that is consumed without a delivery is a person's after one word of the origin's, where it may be consumed, and is shown
/// once more only by a person's word: by none of the run's own. Else, and in every other scheme, it is one rejection more.
#[test]
fn a_charge_is_used_up_by_the_origin_s_word_only_where_it_may_be() {
    let (facts, bounds) = (facts(), Bounds::default());
    let moment = Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
    let problem = |status, kind: &str| {
        Ok(answer(status, &format!(r#"{{"type":"https://paymentauth.org/problems/{kind}","title":"no"}}"#)))
    };
    let lost = |scheme, said: Vec<Result<HttpAnswer, HttpFailure>>| {
        let (mut state, mut end) = (State::Redeeming(purchase_by(scheme), Tries::default()), String::new());
        for answer in said {
            let is_answered = answer.is_ok();
            let (mut next, mut effect) = step(state, Input::Answer(answer), &moment);
            if is_answered {
                (next, effect) = step(next, Input::Committed(Committed::Answer(AnswerKey(1))), &moment);
            }
            end = effect_words(&effect);
            (state, effect) = step(next, Input::Committed(Committed::Done), &moment);
            if end.contains("lost") {
                assert!(!matches!(effect, Effect::Redeem(..) | Effect::Wait(..)), "{effect:?}");
                return true;
            }
            (state, _) = step(state, Input::Waited, &moment);
        }
        assert_eq!(end, "commit undelivered, paid credential_rejected");
        false
    };
    let used = |status| problem(status, "invalid-challenge");
    let failed = |status| Ok(answer(status, "{}"));
    let unanswered = || Err(HttpFailure::NoAnswer("reset".into()));
    for status in [401, 402] {
        // Another of its servers has sold it, or the one that makes it was not heard out.
        assert!(!lost(Scheme::Payment, vec![used(status), used(status), used(status)]));
        assert!(!lost(Scheme::Payment, vec![unanswered(), used(status)]));
        assert!(!lost(Scheme::Payment, vec![failed(503), problem(status, "verification-failed"), used(status)]));
        assert!(lost(Scheme::Payment, vec![failed(500), used(status)]));
        assert!(lost(Scheme::Payment, vec![failed(500), unanswered(), problem(status, "unknown-challenge")]));
        assert!(lost(Scheme::Payment, vec![problem(status, "payment-expired")]));
        assert!(!lost(Scheme::L402, vec![failed(500), used(status)]));
        assert!(!lost(Scheme::L402, vec![problem(status, "payment-expired")]));
    }
    // Once there was a success, that stands: what is said later changes nothing.
    let state = State::Redeeming(heard_purchase(true, None, false), Tries::default());
    let (kept, _) = step(state, Input::Answer(problem(402, "payment-expired")), &moment);
    let (_, effect) = step(kept, Input::Committed(Committed::Answer(AnswerKey(99))), &moment);
    assert!(!effect_words(&effect).contains("credential_rejected"), "{effect:?}");
}

/// The date of an answer may be a proxy's, and the clock of a node may jump ahead and come back: a POST that still stalls
/// would be accepted then.
#[test]
fn a_node_s_date_alone_does_not_make_an_invoice_expired() {
    let (facts, bounds) = (facts(), Bounds::default());
    for (now, node_time, is_dead) in
        [(EARLY, Some(LATE), false), (LATE, Some(EARLY), false), (LATE, None, false), (LATE, Some(LATE), true)]
    {
        let moment = Moment { now, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
        for seen in [PaymentFate::NotFound, PaymentFate::Failed(PayFailure::NoRoute)] {
            let looking = State::Looking(intent(2, 1), Tries { resends: 99, ..Tries::default() });
            let (next, _) = step(looking, Input::LookedUp(PaymentLookup { fate: seen, node_time }), &moment);
            assert_eq!(
                matches!(next, State::Committing(Then::Bury(_))),
                is_dead,
                "ours {now}, the node's {node_time:?}: {next:?}"
            );
        }
    }
}

/// No number of tries is an end while the endpoint's patience lasts: only time, and all the tries of a run.
#[test]
fn however_often_it_was_offered_a_purchase_is_not_given_up_before_the_patience_is_over() {
    let (mut patient, bounds) = (facts(), Bounds::default());
    let impatient = patient.clone();
    Arc::make_mut(&mut patient.endpoint).terms.patience_s = 86_400;
    let end_of = |facts: &Facts, now, redeems| {
        let moment = Moment { now, draining: false, facts, bounds: &bounds, promises: &LND };
        let unheard = Input::Answer(Err(HttpFailure::NoAnswer("reset".into())));
        let tries = Tries { redeems, ..Tries::default() };
        let (_, effect) = step(State::Redeeming(purchase(true, 1_000), tries), unheard, &moment);
        let Effect::Commit(record) = effect else { panic!("{effect:?}") };
        let Record::Undelivered { end, .. } = *record else { panic!("{record:?}") };
        end.state
    };
    for (facts, now, redeems, state) in [
        (&impatient, EARLY, 99, JobState::Paid),
        (&impatient, LATE, bounds.redeems - 2, JobState::Paid),
        (&impatient, LATE, bounds.redeems - 1, JobState::Lost),
        (&patient, LATE, 99, JobState::Paid),
    ] {
        assert_eq!(end_of(facts, now, redeems), state, "after {redeems} redeems at {now}");
    }
}

/// Whatever a poll address says, and however often, while the patience lasts.
#[test]
fn no_poll_ends_a_paid_job_before_the_patience_is_over() {
    let (facts, bounds) = (facts(), Bounds::default());
    for (now, ends) in [(EARLY, JobState::Paid), (LATE, JobState::Lost)] {
        let moment = Moment { now, draining: false, facts: &facts, bounds: &bounds, promises: &LND };
        for (name, said) in answers() {
            let (mut state, mut stands) = (State::Polling(polled(false), Tries::default(), poll()), Vec::new());
            for round in 1.. {
                let (next, effect) = step(state, Input::Answer(Ok(said.clone())), &moment);
                let (next, effect) = match (&next, effect) {
                    (state, _) if is_read(state) => {
                        step(next, Input::Committed(Committed::Answer(AnswerKey(2))), &moment)
                    }
                    (_, effect) => (next, effect),
                };
                if let Effect::Commit(record) = &effect
                    && let Record::Undelivered { end, .. } = &**record
                {
                    stands.push(end.state);
                }
                state = match next {
                    State::Committing(Then::Go(_)) => step(next, Input::Committed(Committed::Done), &moment).0,
                    next => next,
                };
                let State::Polling(..) = state else { break };
                assert!(round <= bounds.polls || name.contains("200 processing") || name == "202 poll", "{name}");
                if round > 2 * bounds.polls {
                    break;
                }
            }
            let said_what = |end: JobState| stands.iter().all(|state| *state == JobState::Paid || *state == end);
            assert!(said_what(ends), "{name} at {now}: {stands:?}");
            assert!(now == LATE || !stands.contains(&JobState::Lost), "{name}: {stands:?}");
        }
    }
}

/// After a success that brings nothing one redeem more goes out, where the endpoint or a person says so, and behind its
/// record; no other.
#[test]
fn after_a_success_nothing_is_sent_again_but_by_the_rule() {
    let bounds = Bounds::default();
    let redeems = |facts: &Facts, first: &PaidPurchase, said: &HttpAnswer| {
        let moment = Moment { now: EARLY, draining: false, facts, bounds: &bounds, promises: &LND };
        let kept = Then::Read(first.clone(), Tries::default(), AnswerKind::Redeem, said.clone());
        let (next, effect) = step(State::Committing(kept), Input::Committed(Committed::Answer(FIRST_ANSWER)), &moment);
        // It is on record from an earlier run: what it says is no news, and only an end is written.
        if !matches!(effect, Effect::Wait(..)) {
            assert!(effect_words(&effect).starts_with("commit"), "{effect:?}");
            return 0;
        }
        let (next, effect) = step(next, Input::Waited, &moment);
        assert_eq!(effect_words(&effect), "commit Replaying", "a redeem without its record");
        let (next, effect) = step(next, Input::Committed(Committed::Paid(heard_purchase(true, None, true))), &moment);
        assert!(matches!(effect, Effect::Redeem(_, Sending::Again)), "{effect:?}");
        let (next, _) = step(next, Input::Answer(Ok(answer(401, "{}"))), &moment);
        let (_, effect) = step(next, Input::Committed(Committed::Answer(AnswerKey(9))), &moment);
        assert_eq!(effect_words(&effect), "commit undelivered, lost origin_failed", "the first answer stands");
        1
    };
    let once = facts();
    let mut replays = once.clone();
    Arc::make_mut(&mut replays.endpoint).terms.redeem = RedeemRule::Replays;
    let (fresh, sent) = (heard_purchase(true, None, false), heard_purchase(true, None, true));
    let again = retried_purchase(sent.clone());
    for (name, said) in answers().into_iter().filter(|(_, said)| said.status < 300) {
        let known = ["200 url", "202 poll"].contains(&name);
        let failed = ["200 FAILED", "200 processing", "200 cut"].contains(&name);
        for (facts, first, expected) in [
            (&once, &fresh, 0),
            (&replays, &fresh, u32::from(failed)),
            (&replays, &sent, 0),
            (&once, &again, u32::from(!known)),
        ] {
            if !known {
                assert_eq!(redeems(facts, first, &said), expected, "{name}");
            }
        }
    }
}
