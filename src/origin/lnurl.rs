//! Refunds as LNURL-withdraw (LUD-01, LUD-03): what an origin offers, read without trust.
//!
//! Whoever holds the link can have the money, so neither it nor the word that goes with it (`k1`) stands in any message.

use bitcoin::bech32::primitives::decode::CheckedHrpstring;
use bitcoin::bech32::{Bech32, Checksum};
use serde_json::Value as Json;
use url::Url;

use super::answer_envelope::{Envelope, masked, parsed};
use super::url_policy;
use crate::error::chain;
use crate::money::{Msat, whole_number};
use crate::purchase::HttpAnswer;
use crate::terminal_text::printable;

/// Where an answer may hold the link.
pub(super) const LINKS: [&str; 4] = ["/refund/lnurl_withdraw", "/refund/lnurl", "/lnurl_withdraw", "/refund/lnurlw"];
/// A longer link is not kept, and so not claimed.
const LINK_BYTES_MAX: usize = 8 * 1024;
/// A longer `k1` is none.
const K1_BYTES_MAX: usize = 1_024;
/// The longest body of an answer that is read, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What may be withdrawn, and how. No `Debug` of `k1`: it is half of the claim.
#[derive(Clone, PartialEq, Eq)]
pub struct Withdraw {
    /// Where the invoice is to be handed over.
    pub callback: Url,
    /// What goes with it.
    pub k1: String,
    /// The least that is paid out.
    pub least: Msat,
    /// The most that is paid out.
    pub most: Msat,
}

impl std::fmt::Debug for Withdraw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Withdraw({} to {})", self.least, self.most)
    }
}

impl HttpAnswer {
    /// The link with which this answer offers the money back, as it stands there; none where it names none that could be
    /// one.
    #[must_use]
    pub fn refund_link(&self) -> Option<String> {
        let said = Envelope::of(self);
        let text = said.refund_link()?.trim();
        (text.len() <= LINK_BYTES_MAX).then(|| text.to_owned())
    }
}

/// The address behind a link: bech32 (LUD-01), with or without `lightning:` or as the `lightning` of a page for those who
/// have no wallet, or an address that is written out (LUD-17). `seller` is the endpoint that offered it.
///
/// # Errors
/// In words without any part of it, where it cannot be read or may not be asked.
pub fn link_url(link: &str, seller: &Url) -> Result<Url, String> {
    let withdraw_url = |text: &str| url_policy::withdraw_url(text, seller).map_err(|why| chain(&why));
    let link = strip_scheme(link.trim(), "lightning:");
    if let Some(rest) = split_scheme(link, "lnurlw://") {
        // Written out, it is https; only a sandbox on loopback speaks http.
        let scheme = if url_policy::is_loopback_text(rest) { "http" } else { "https" };
        return withdraw_url(&format!("{scheme}://{rest}"));
    }
    if split_scheme(link, "https://").is_some() || split_scheme(link, "http://").is_some() {
        if let Some(within) = fallback(link) {
            return withdraw_url(&decoded(&within)?);
        }
        return withdraw_url(link);
    }
    withdraw_url(&decoded(link)?)
}

/// The bech32 that a page's address holds beside it: `https://host/page?lightning=LNURL1…` (LUD-01). The page is for people,
/// is not asked, and may stand anywhere.
fn fallback(page: &str) -> Option<String> {
    let page = Url::parse(page).ok()?;
    let mut held = page.query_pairs().filter(|(name, _)| name.eq_ignore_ascii_case("lightning"));
    held.find(|(_, value)| split_scheme(value, "lnurl1").is_some()).map(|(_, value)| value.into_owned())
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> &'a str {
    split_scheme(text, scheme).unwrap_or(text)
}

/// What follows a scheme, whose case does not matter.
fn split_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The address in a bech32 link. LUD-01 knows no limit of 90 characters, which BIP 173 has.
fn decoded(link: &str) -> Result<String, String> {
    let unreadable = |why: &str| format!("its link is no LNURL: {}", printable(why));
    let checked = CheckedHrpstring::new::<LongBech32>(link).map_err(|error| unreadable(&error.to_string()))?;
    if checked.hrp().to_lowercase() != "lnurl" {
        return Err(unreadable("it does not begin with lnurl1"));
    }
    String::from_utf8(checked.byte_iter().collect()).map_err(|_| unreadable("it holds no address"))
}

/// Bech32 as BIP 173 has it, of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum LongBech32 {}

impl Checksum for LongBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = 16 * 1024;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Reads the answer of the link's address: what may be withdrawn.
///
/// # Errors
/// In words without any part of the link, where it says no or is not understood.
pub fn read_withdraw(answer: &HttpAnswer, at: &Url, seller: &Url) -> Result<Withdraw, String> {
    let json = object(answer)?;
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    if text("tag") != Some("withdrawRequest") {
        return Err(format!("{} answers with something else than an offer to withdraw", host(at)));
    }
    let amount = |name: &str| {
        let value = json.get(name).and_then(whole_number);
        value.map(Msat::new).ok_or_else(|| format!("{} names no {name} in msat", host(at)))
    };
    let (least, most) = (amount("minWithdrawable")?, amount("maxWithdrawable")?);
    let callback = text("callback").ok_or_else(|| format!("{} names no callback", host(at)))?;
    let callback = url_policy::withdraw_url(callback, seller)
        .map_err(|why| format!("its callback is not used: {}", chain(&why)))?;
    if at.scheme() == "https" && callback.scheme() != "https" {
        return Err("its callback is not used: it leads from https to http".to_owned());
    }
    let k1 = text("k1").filter(|k1| !k1.is_empty() && k1.len() <= K1_BYTES_MAX);
    let k1 = k1.ok_or_else(|| format!("{} names no k1", host(at)))?.to_owned();
    Ok(Withdraw { callback, k1, least, most })
}

/// The address by which an invoice is handed over.
#[must_use]
pub fn callback_url(callback: &Url, k1: &str, invoice: &str) -> Url {
    let mut url = callback.clone();
    url.query_pairs_mut().append_pair("k1", k1).append_pair("pr", invoice);
    url
}

/// Reads the callback's answer. Whatever it says, only our own node knows whether the money came.
///
/// # Errors
/// In words without any part of the claim, where it says no or is not understood.
pub fn read_callback(answer: &HttpAnswer, at: &Url) -> Result<(), String> {
    match object(answer)?.get("status").and_then(Json::as_str) {
        Some(word) if word.eq_ignore_ascii_case("ok") => Ok(()),
        Some(_) | None => Err(format!("{} answers neither OK nor ERROR", host(at))),
    }
}

/// The object of an answer that says no error. LUD-03 knows no statuses: an error may come with 200 and with any other.
fn object(answer: &HttpAnswer) -> Result<Json, String> {
    let json = (answer.body.len() <= BODY_BYTES_MAX).then(|| parsed(&answer.body));
    let json = json.flatten().filter(Json::is_object);
    let said_no = json.as_ref().and_then(|json| json.get("status")).and_then(Json::as_str);
    if let (Some(json), true) = (&json, said_no.is_some_and(|word| word.eq_ignore_ascii_case("error"))) {
        let reason = json.get("reason").and_then(Json::as_str).unwrap_or("no reason given");
        return Err(printable(&masked(reason)));
    }
    match json {
        Some(json) if (200..300).contains(&answer.status) => Ok(json),
        Some(_) | None => Err(Envelope::of(answer).message),
    }
}

/// Words about a request to that address, without what of it is a secret: anybody who has it can have the money. Hosts
/// repeat it in what they say, and a redirect in where it leads; it is often too short to be known for one by its look.
#[must_use]
pub fn discreet(words: &str, url: &Url) -> String {
    const SECRET_CHARS_MIN: usize = 4;
    const SEGMENT_CHARS_MIN: usize = 6;
    // A number in a segment of the path tells an id from a word.
    let is_id = |segment: &&str| segment.len() >= SEGMENT_CHARS_MIN && segment.contains(|c: char| c.is_ascii_digit());
    let mut secrets: Vec<String> = url.path_segments().into_iter().flatten().filter(is_id).map(str::to_owned).collect();
    secrets.extend(url.query().map(str::to_owned));
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    secrets.retain(|secret| secret.len() >= SECRET_CHARS_MIN);
    // The longest first: one may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(words.to_owned(), |words, secret| words.replace(secret.as_str(), "…"))
}

/// The host of an address, for words.
#[must_use]
pub fn host(url: &Url) -> String {
    printable(url.host_str().unwrap_or("no host"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::samples::answer;
    use proptest::prelude::*;

    /// The vector of LUD-01.
    const LUD_01: &str = "LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0M385EKVCENXC6R2C35XVUKXEFCV5MKVV34X5EKZD3EV56NYD3HXQURZEPEXEJXXEPNXSCRVWFNV9NXZCN9XQ6XYEFHVGCXXCMYXYMNSERXFQ5FNS";
    const LUD_01_URL: &str =
        "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df";

    fn seller() -> Url {
        "https://sats.example/api/l402/generate-video".parse().unwrap()
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_vector_of_lud_01_is_read_in_every_dress() {
        let dresses = [
            LUD_01.to_owned(),
            LUD_01.to_lowercase(),
            format!("lightning:{LUD_01}"),
            format!("LIGHTNING:{}", LUD_01.to_lowercase()),
            format!("  {LUD_01}\n"),
            LUD_01_URL.to_owned(),
            LUD_01_URL.replacen("https", "lnurlw", 1),
            format!("https://shop.example/gift?id=7&lightning={LUD_01}"),
            format!("https://shop.example/?LIGHTNING={}&x=1#top", LUD_01.to_lowercase()),
            format!("https://shop.example/?lightning=lnbc1x&lightning={LUD_01}"),
            // What stands around it is never asked.
            format!("http://192.168.0.1/?lightning={LUD_01}"),
        ];
        for link in dresses {
            assert_eq!(link_url(&link, &seller()), Ok(url(LUD_01_URL)), "{link}");
        }
    }

    #[test]
    fn what_is_no_link_is_refused_without_being_repeated() {
        let mixed = format!("{}{}", &LUD_01[..40], LUD_01[40..].to_lowercase());
        let torn = &LUD_01[..LUD_01.len() - 1];
        let swapped = LUD_01.replacen("DP68", "DP86", 1);
        let invoice = "lnbc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
        for link in ["", "lnurl1", "lightning:", "hello", invoice, &mixed, torn, &swapped, "ftp://a.example/x"] {
            let why = link_url(link, &seller()).unwrap_err();
            assert!(link.len() < 8 || !why.contains(&link[..link.len().min(30)]), "{link}: {why}");
        }
    }

    #[test]
    fn a_link_home_or_in_the_clear_is_refused_unless_the_seller_is_at_home_too() {
        for link in [
            "http://pay.example/w",
            "https://127.0.0.1/w",
            "http://127.0.0.1:8080/w",
            "https://10.0.0.1/w",
            "https://[::1]/w",
            "https://localhost/w",
            "https://user:secret@pay.example/w",
            "lnurlw://127.0.0.1:1/w",
            "http://abcdefghijklmnop.onion/w",
        ] {
            assert!(link_url(link, &seller()).is_err(), "{link}");
        }
        let home = url("http://127.0.0.1:9000/api/l402/generate-video");
        assert_eq!(link_url("http://127.0.0.1:9000/w", &home), Ok(url("http://127.0.0.1:9000/w")));
        assert_eq!(link_url("lnurlw://127.0.0.1:9000/w", &home), Ok(url("http://127.0.0.1:9000/w")));
        assert!(link_url("http://192.168.1.5/w", &home).is_err(), "in the clear beyond this machine");
    }

    #[test]
    fn of_a_page_that_holds_a_link_the_link_alone_counts() {
        let page = |bech32: &str| format!("https://shop.example/gift?lightning={bech32}");
        let swapped = LUD_01.replacen("DP68", "DP86", 1);
        let why = link_url(&page(&swapped), &seller()).unwrap_err();
        assert!(!why.contains(&swapped[..30]), "{why}");
        let lnurl = bitcoin::bech32::Hrp::parse("lnurl").unwrap();
        for inside in ["https://10.0.0.1/w", "http://pay.example/w", &page(LUD_01).replacen("https", "http", 1)] {
            let held = bitcoin::bech32::encode::<LongBech32>(lnurl, inside.as_bytes()).unwrap();
            assert!(link_url(&page(&held), &seller()).is_err(), "{inside}");
        }
        // No page for people: the address is the link itself.
        for plain in [page("lnbc1qqqq"), page(""), "https://pay.example/w?lnurl=1".to_owned()] {
            assert_eq!(link_url(&plain, &seller()), Ok(url(&plain)));
        }
    }

    fn offer(callback: &str, more: &str) -> String {
        format!(
            r#"{{"tag":"withdrawRequest","callback":"{callback}","k1":"s3cret","defaultDescription":"refund",
                "minWithdrawable":1000,"maxWithdrawable":"498000"{more}}}"#
        )
    }

    fn read(status: u16, body: &str) -> Result<Withdraw, String> {
        read_withdraw(&answer(status, &[], body), &url("https://pay.example/w?id=1"), &seller())
    }

    #[test]
    fn an_offer_is_read_and_its_callback_may_stand_on_another_public_host() {
        for callback in ["https://pay.example/cb?x=1", "https://other.example/cb"] {
            let withdraw = read(200, &offer(callback, "")).unwrap();
            assert_eq!((withdraw.least, withdraw.most), (Msat::new(1_000), Msat::new(498_000)));
            assert_eq!((withdraw.callback.as_str(), withdraw.k1.as_str()), (callback, "s3cret"));
            assert!(!format!("{withdraw:?}").contains("s3cret"));
        }
    }

    #[test]
    fn an_offer_that_is_none_is_told_without_its_secrets() {
        let table = [
            (200, "<html>".to_owned(), "HTTP 200"),
            (500, "{}".to_owned(), "HTTP 500"),
            (200, "{}".to_owned(), "something else"),
            (200, r#"{"tag":"payRequest","k1":"s3cret"}"#.to_owned(), "something else"),
            (200, r#"{"status":"ERROR","reason":"it has expired"}"#.to_owned(), "it has expired"),
            (404, r#"{"status":"error","reason":"gone\u001b[2J"}"#.to_owned(), "gone\u{fffd}[2J"),
            (200, r#"{"status":"ERROR"}"#.to_owned(), "no reason"),
            (200, format!(r#"{{"status":"ERROR","reason":"{}"}}"#, "ab".repeat(100)), "…"),
            (200, offer("http://pay.example/cb", ""), "callback"),
            (200, offer("https://192.168.0.1/cb", ""), "private"),
            (200, offer("https://pay.example/cb", "").replace("\"s3cret\"", "7"), "k1"),
            (200, offer("https://pay.example/cb", "").replace("s3cret", &"x".repeat(2_000)), "k1"),
            (200, offer("https://pay.example/cb", "").replace("498000", "many"), "maxWithdrawable"),
            (200, offer("https://pay.example/cb", "").replace("1000", "-1"), "minWithdrawable"),
            (200, offer("/cb", ""), "callback"),
            (200, " ".repeat(BODY_BYTES_MAX) + "{}", "HTTP 200"),
        ];
        for (status, body, words) in table {
            let why = read(status, &body).unwrap_err();
            assert!(why.contains(words) && !why.contains("s3cret"), "{body}: {why}");
        }
    }

    #[test]
    fn the_callback_gets_both_words_beside_its_own() {
        let url = callback_url(&url("https://pay.example/cb?id=7"), "a&b", "lnbc1x");
        assert_eq!(url.as_str(), "https://pay.example/cb?id=7&k1=a%26b&pr=lnbc1x");
    }

    #[test]
    fn a_callback_says_ok_or_why_not() {
        let at = url("https://pay.example/cb");
        let read = |status, body: &str| read_callback(&answer(status, &[], body), &at);
        assert_eq!(read(200, r#"{"status":"OK"}"#), Ok(()));
        assert_eq!(read(200, r#"{"status":"ERROR","reason":"already claimed"}"#), Err("already claimed".to_owned()));
        for (status, body) in [(200, "{}"), (502, "<html>"), (500, r#"{"status":"OK"}"#), (200, "[]")] {
            assert!(read(status, body).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn words_repeat_nothing_of_the_claim() {
        let link = url("https://pay.example/withdraw/lnurl/AbCd3fGh1JkLmN0p?id=7&k=x9y8z7");
        let callback = callback_url(&link, "550e8400-e29b-41d4-a716-446655440000", "lnbc1x");
        for (at, words, shown) in [
            (&link, "no AbCd3fGh1JkLmN0p here", "no … here"),
            (&link, "x9y8z7: withdraw 7 pending at pay.example", "…: withdraw 7 pending at pay.example"),
            (&link, "https://pay.example/w/AbCd3fGh1JkLmN0p/", "https://pay.example/w/…/"),
            (&callback, "k1 550e8400-e29b-41d4-a716-446655440000 is used", "k1 … is used"),
        ] {
            assert_eq!(discreet(words, at), shown);
        }
    }

    #[test]
    fn the_link_of_an_answer_is_found_where_the_service_puts_it() {
        let link = |body: &str| answer(502, &[], body).refund_link();
        let documented = r#"{"error":"x","error_code":"L402_REFUND_ISSUED",
            "refund":{"charge_id":"c","refund_amount":500,"lnurl_withdraw":"lnurl1abc","status":"pending"}}"#;
        assert_eq!(link(documented).as_deref(), Some("lnurl1abc"));
        assert_eq!(link(r#"{"status":502,"body":{"refund":{"lnurl_withdraw":"a"}}}"#).as_deref(), Some("a"));
        assert_eq!(link(r#"{"refund":{"charge_id":"c"}}"#), None);
        assert_eq!(link(&format!(r#"{{"refund":{{"lnurl_withdraw":"{}"}}}}"#, "x".repeat(LINK_BYTES_MAX + 1))), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_the_readers_panic(text in any::<String>(), body in any::<Vec<u8>>(), status in 100_u16..600) {
            let _ = link_url(&text, &seller());
            let answer = HttpAnswer { status, headers: Vec::new(), body };
            let _ = read_withdraw(&answer, &seller(), &seller());
            let _ = read_callback(&answer, &seller());
            let _ = answer.refund_link();
            let named = super::super::samples::answer(200, &[], &offer(&text.replace(['"', '\\'], ""), ""));
            if let Ok(withdraw) = read_withdraw(&named, &seller(), &seller()) {
                prop_assert_eq!(withdraw.callback.scheme(), "https");
            }
        }
    }
}
