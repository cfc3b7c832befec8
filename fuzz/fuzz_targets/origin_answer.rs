//! The input is an answer: a line with its status, its headers, a blank line, its body. It is read as the answer to an
//! ask, to a redeem and to a poll, and as what a refund's link and callback answer; its body is read as a link, too.

#![no_main]

use std::sync::LazyLock;

use l402_batch::catalog::{Catalog, Endpoint};
use l402_batch::origin::{
    ChallengeResponse, PollResponse, RESULTS_MAX, RedeemResponse, inline_result, is_inline, lnurl, read_ask, read_poll,
    read_redeem, retry_after_ms,
};
use l402_batch::purchase::HttpAnswer;
use l402_batch_fuzz::{answer, assert_harmless};
use libfuzzer_sys::fuzz_target;
use url::Url;

const HOUR_MS: u64 = 3_600_000;

static ENDPOINT: LazyLock<Endpoint> = LazyLock::new(|| {
    let catalog = Catalog::builtin().expect("the built-in catalogue holds");
    Endpoint::clone(catalog.iter().next().expect("it has an endpoint"))
});

/// Sells its answer itself, and text in it.
static SELLS_ANSWERS: LazyLock<Endpoint> = LazyLock::new(|| {
    let mut endpoint = ENDPOINT.clone();
    endpoint.result.body = true;
    endpoint.result.url.push("/data/*/url".to_owned());
    endpoint.result.text = vec!["/text".to_owned(), "/choices/*/text".to_owned()];
    endpoint
});

fuzz_target!(|input: &[u8]| {
    let (status, headers, body) = answer(input);
    let answer = HttpAnswer { status, headers, body };
    waits(retry_after_ms(&answer));
    asked(read_ask(&answer, &ENDPOINT));
    redeemed(read_redeem(&answer, &ENDPOINT));
    polled(read_poll(&answer, &ENDPOINT));
    refund(&answer);
    sold(&answer);
});

/// What is taken for the result is found again in the same answer.
fn sold(answer: &HttpAnswer) {
    let of_redeem = match read_redeem(answer, &SELLS_ANSWERS) {
        RedeemResponse::Delivered { url, more } => Some((url, more)),
        _ => None,
    };
    let of_poll = match read_poll(answer, &SELLS_ANSWERS) {
        PollResponse::Delivered { url, more } => Some((url, more)),
        _ => None,
    };
    for (url, more) in [of_redeem, of_poll].into_iter().flatten() {
        assert!(more.len() < RESULTS_MAX);
        for (number, url) in [url].iter().chain(&more).enumerate().filter(|(_, url)| is_inline(url)) {
            assert!(inline_result(answer, &SELLS_ANSWERS.result, url, number).is_ok(), "{url}");
        }
    }
}

fn refund(answer: &HttpAnswer) {
    let seller = &ENDPOINT.url;
    let links = [answer.refund_link(), String::from_utf8(answer.body.clone()).ok()];
    for link in links.into_iter().flatten() {
        match lnurl::link_url(&link, seller) {
            Ok(url) => delivered(&url),
            Err(why) => assert_harmless(&why),
        }
    }
    match lnurl::read_withdraw(answer, seller, seller) {
        Ok(withdraw) => {
            assert_eq!(withdraw.callback.scheme(), "https");
            delivered(&lnurl::callback_url(&withdraw.callback, &withdraw.k1, "lnbc1"));
        }
        Err(why) => assert_harmless(&why),
    }
    if let Err(why) = lnurl::read_callback(answer, seller) {
        assert_harmless(&why);
    }
}

fn asked(asked: ChallengeResponse) {
    match asked {
        ChallengeResponse::Challenge(challenge) => assert!(!challenge.invoice.is_empty()),
        ChallengeResponse::Refused { message, .. } => assert_harmless(&message),
        ChallengeResponse::Retry { after_ms, message, .. } => {
            waits(after_ms);
            assert_harmless(&message);
        }
    }
}

fn redeemed(redeemed: RedeemResponse) {
    match redeemed {
        RedeemResponse::Delivered { url, .. } => result(&url),
        RedeemResponse::Accepted { poll } => {
            assert_eq!(poll.url.host(), ENDPOINT.url.host());
            assert_eq!(poll.url.scheme(), ENDPOINT.url.scheme());
            assert_eq!(poll.url.port_or_known_default(), ENDPOINT.url.port_or_known_default());
            assert!((250..=60_000).contains(&poll.interval_ms));
        }
        RedeemResponse::RefundOffered { code, message } => {
            code.iter().for_each(|code| assert_harmless(code));
            assert_harmless(&message);
        }
        RedeemResponse::Retry { after_ms, message, .. }
        | RedeemResponse::Failed { after_ms, message, .. }
        | RedeemResponse::CredentialRejected { after_ms, message }
        | RedeemResponse::CredentialSpent { after_ms, message, .. } => {
            waits(after_ms);
            assert_harmless(&message);
        }
        RedeemResponse::UnknownShape { message } => assert_harmless(&message),
    }
}

fn polled(polled: PollResponse) {
    match polled {
        PollResponse::Delivered { url, .. } => result(&url),
        PollResponse::Pending { after_ms } => assert!(after_ms.is_none_or(|ms| (250..=600_000).contains(&ms))),
        PollResponse::RefundOffered { code, message } => {
            code.iter().for_each(|code| assert_harmless(code));
            assert_harmless(&message);
        }
        PollResponse::Retry { after_ms, message } | PollResponse::Failed { after_ms, message, .. } => {
            waits(after_ms);
            assert_harmless(&message);
        }
        PollResponse::UnknownShape { message } => assert_harmless(&message),
    }
}

/// A result is the answer itself, or stands elsewhere.
fn result(url: &Url) {
    if is_inline(url) {
        assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic()), "{url}");
    } else {
        delivered(url);
    }
}

/// On the web, and not on this machine or beside it.
fn delivered(url: &Url) {
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    assert!(url.username().is_empty() && url.password().is_none());
    let host = url.host_str().expect("a host");
    assert!(host != "localhost" && !host.starts_with("127.") && host != "[::1]", "{url}");
    assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic()), "{url}");
}

fn waits(after_ms: Option<u64>) {
    assert!(after_ms.is_none_or(|ms| ms <= HOUR_MS));
}
