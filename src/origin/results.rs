//! The results that one answer names: one, or several where its endpoint's rule says so.

use url::Url;

use super::url_policy::{self, BadAddress};
use crate::error::chain;

/// So many results of one answer are taken.
pub const RESULTS_MAX: usize = 64;

/// The address of the first result, and those of the others.
pub(super) type Results = (Url, Vec<Url>);

/// Why nothing is taken of an answer that names results.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadResults {
    /// An address among them is not used.
    #[error("the result address is not used")]
    Address(#[from] BadAddress),
    /// There are more than [`RESULTS_MAX`].
    #[error("the answer holds more than {RESULTS_MAX} results")]
    TooMany,
}

impl BadResults {
    /// For a person.
    pub(super) fn message(&self) -> String {
        format!("{}; the answer is kept in the ledger", chain(self))
    }
}

/// The results at these addresses, as an answer at `at` names them; none where it names none.
///
/// # Errors
/// Where one of them is not used, or they are too many.
pub(super) fn named(texts: &[&str], at: &Url, endpoint: &Url) -> Result<Option<Results>, BadResults> {
    let urls = texts.iter().take(RESULTS_MAX + 1).map(|text| url_policy::result_url(text, at, endpoint));
    bounded(urls.collect::<Result<_, _>>()?)
}

/// All of them; none where there is none.
///
/// # Errors
/// Where they are too many.
pub(super) fn bounded(urls: Vec<Url>) -> Result<Option<Results>, BadResults> {
    if urls.len() > RESULTS_MAX {
        return Err(BadResults::TooMany);
    }
    let mut urls = urls.into_iter();
    Ok(urls.next().map(|first| (first, urls.collect())))
}

#[cfg(test)]
mod tests {
    use crate::catalog::Endpoint;
    use crate::origin::samples::{self, answer};
    use crate::origin::{PollResponse, RESULTS_MAX, RedeemResponse, inline_result, read_poll, read_redeem};
    use serde_json::json;

    fn selling(url: &[&str], text: &[&str]) -> Endpoint {
        let mut endpoint = samples::endpoint("https://sats.example/v1/images");
        endpoint.result.url = url.iter().map(|pointer| (*pointer).to_owned()).collect();
        endpoint.result.text = text.iter().map(|pointer| (*pointer).to_owned()).collect();
        endpoint
    }

    /// What is delivered, by the way of a redeem, and of a poll where that is the same.
    fn of(endpoint: &Endpoint, body: &serde_json::Value) -> Option<Vec<String>> {
        let answer = answer(200, &[("content-type", "application/json")], &body.to_string());
        let RedeemResponse::Delivered { url, more } = read_redeem(&answer, endpoint) else { return None };
        let polled = read_poll(&answer, endpoint);
        assert_eq!(polled, PollResponse::Delivered { url: url.clone(), more: more.clone() }, "{body}");
        Some([url].into_iter().chain(more).map(String::from).collect())
    }

    #[test]
    fn each_element_of_a_list_is_a_result() {
        let images = selling(&["/data/*/url", "/urls/*", "/one/*"], &[]);
        let at = |path: &str| format!("https://sats.example{path}");
        let cases = [
            (
                json!({ "data": [{ "url": "/a.png" }, { "url": "https://cdn.example/b.png" }] }),
                vec![at("/a.png"), "https://cdn.example/b.png".into()],
            ),
            (json!({ "data": [{ "x": 1 }], "urls": ["/a.png", "/a.png"] }), vec![at("/a.png"), at("/a.png")]),
            // Of an object it is a name as any other.
            (json!({ "data": [], "one": { "*": "/c.png", "d": "/d.png" } }), vec![at("/c.png")]),
            (
                json!({ "status": 200, "body": { "data": [{ "url": "/e.png" }, { "url": "/f.png" }] } }),
                vec![at("/e.png"), at("/f.png")],
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(of(&images, &body), Some(expected), "{body}");
        }
        let body = json!({ "data": [{ "url": null }, { "url": " " }, { "url": "/b.png" }, {}] }).to_string();
        let redeemed = read_redeem(&answer(200, &[("content-type", "application/json")], &body), &images);
        let url = at("/b.png").parse().unwrap();
        assert_eq!(redeemed, RedeemResponse::Delivered { url, more: Vec::new() }, "nothing more comes");
        let urls = |count: usize| json!({ "urls": (0..count).map(|n| format!("/{n}.png")).collect::<Vec<_>>() });
        assert_eq!(of(&images, &urls(RESULTS_MAX)).map(|all| all.len()), Some(RESULTS_MAX));
        for none in [
            urls(0),
            urls(RESULTS_MAX + 1),
            json!({ "urls": ["/a.png", "http://127.0.0.1/b.png"] }),
            json!({ "data": {} }),
        ] {
            assert_eq!(of(&images, &none), None, "{none}");
        }
    }

    #[test]
    fn a_list_that_is_polled_is_taken_once_it_is_done() {
        let (one, two) = ([Some("/1"), None], [Some("/1"), Some("/2")]);
        for (done, word, urls, is_taken) in [
            (None, None, one, true),
            (None, Some("drawing"), two, true),
            (Some("done"), Some("drawing"), two, false),
            (Some("done"), Some("drawing"), one, false),
            // What is missing was kept back.
            (Some("done"), Some("done"), one, true),
        ] {
            let mut images = selling(&["/data/*/url"], &[]);
            images.result.status = vec!["/status".to_owned()];
            images.result.poll_url = vec!["/poll".to_owned()];
            images.result.done = done.into_iter().map(str::to_owned).collect();
            let data: Vec<_> = urls.iter().map(|url| json!({ "url": url })).collect();
            let body = json!({ "status": word, "poll": "/jobs/1", "data": data }).to_string();
            let answer = answer(200, &[("content-type", "application/json")], &body);
            let redeemed = matches!(read_redeem(&answer, &images), RedeemResponse::Delivered { .. });
            let polled = matches!(read_poll(&answer, &images), PollResponse::Delivered { .. });
            assert_eq!((redeemed, polled), (is_taken, is_taken), "{body}");
        }
    }

    #[test]
    fn each_result_in_the_answer_itself_is_found_again_by_its_number() {
        let picture = |n: u8| [b"\x89PNG\r\n\x1a\n".as_slice(), &[n; 90]].concat();
        let base64 = |n| data_encoding::BASE64.encode(&picture(n));
        let endpoint = selling(&["/data/*/url", "/data/*/b64_json"], &["/choices/*/message/content"]);
        let body = json!({ "data": [{ "b64_json": base64(1) }, { "b64_json": base64(2) }] });
        let urls = of(&endpoint, &body).unwrap();
        for (number, url) in urls.iter().enumerate() {
            let answer = answer(200, &[], &body.to_string());
            let found = inline_result(&answer, &endpoint.result, &url.parse().unwrap(), number).unwrap();
            assert_eq!(
                (found.media_type.as_str(), found.bytes),
                ("image/png", picture(u8::try_from(number).unwrap() + 1))
            );
        }
        let body =
            json!({ "choices": [{ "message": { "content": "a kite" } }, { "message": { "content": "a boat" } }] });
        let url = of(&endpoint, &body).unwrap().remove(1);
        let found =
            inline_result(&answer(200, &[], &body.to_string()), &endpoint.result, &url.parse().unwrap(), 1).unwrap();
        assert_eq!((found.media_type.as_str(), found.bytes.as_slice()), ("text/plain", b"a boat".as_slice()));
    }
}
