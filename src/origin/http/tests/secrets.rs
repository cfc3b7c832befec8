//! What goes in the head of requests and nobody is shown.

use std::sync::Arc;

use super::*;

const VALUE: &str = concat!("sk-live-", "5eed5eed");

/// A request that names the secret KEY, and an origin that may send it to that address.
fn bearing(address: SocketAddr) -> (HttpOrigin, Request) {
    let mut secrets = SecretHeaders::default();
    secrets.add("KEY", [address.to_string()].into(), Arc::new(|| Ok(VALUE.to_owned())));
    let request = post(address).heading(&[header()]);
    (origin(HttpOptions::default()).bearing(secrets), request)
}

fn header() -> Header {
    Header { name: "X-Key".to_owned(), value: crate::catalog::HeaderValue::Secret { secret: "KEY".to_owned() } }
}

#[tokio::test]
async fn a_challenge_that_repeats_the_secret_is_not_paid_for() {
    let challenge = format!("HTTP/1.1 402 x\r\nWWW-Authenticate: L402 macaroon=\"{VALUE}\", invoice=\"lnbc1\"\r\n\r\n");
    let other = format!("HTTP/1.1 402 x\r\nWWW-Authenticate: L402 macaroon=\"a\", invoice=\"lnbc1\"\r\n\r\n{VALUE}");
    let (address, server) = serve(vec![bytes(&challenge), bytes(&other)]).await;
    let (origin, request) = bearing(address);
    assert_eq!(origin.ask(&request, Scheme::L402).await, Err(HttpFailure::Repeats));
    let answer = origin.ask(&request, Scheme::L402).await.unwrap();
    assert_eq!(answer.body, b"*".repeat(VALUE.len()), "what is not paid for is covered");
    assert!(server.await.unwrap().iter().all(|request| request.contains(VALUE)));
}

#[tokio::test]
async fn nothing_that_comes_back_shows_the_secret() {
    let (to, away) = (format!("Location: /b?key={VALUE}\r\n"), format!("Location: https://x.example/{VALUE}\r\n"));
    let ok = || bytes("HTTP/1.1 200 OK\r\nx-l402-batch-covered: 1\r\nContent-Length: 2\r\n\r\n{}");
    let (address, _server) =
        serve(vec![redirect(307, &to), ok(), redirect(307, &to), ok(), redirect(307, &away), ok()]).await;
    let (origin, request) = bearing(address);
    for answer in [
        origin.redeem(&request, &credential()).await.unwrap(),
        origin.poll(&request.url, request.headers(), None).await.unwrap(),
    ] {
        let at = answer.header(ANSWERED_AT).unwrap();
        assert!(!at.contains(VALUE) && at.contains("/b?key=****"), "{at}");
        assert!(answer.header(COVERED).is_some());
    }
    let HttpFailure::Redirect(target) = origin.ask(&request, Scheme::L402).await.unwrap_err() else { panic!() };
    assert!(!target.contains(VALUE), "{target}");
    let answer = origin.redeem(&request, &credential()).await.unwrap();
    assert_eq!(answer.header(COVERED), None, "what this program says of an answer, no server says");
}

#[tokio::test]
async fn the_secret_follows_no_redirect_to_where_it_may_not_go() {
    let (address, _server) = serve(vec![redirect(307, "Location: https://127.0.0.1/b\r\n")]).await;
    let (origin, request) = bearing(address);
    let failure = origin.ask(&request, Scheme::L402).await.unwrap_err();
    assert_eq!(failure, HttpFailure::Redirect("https://127.0.0.1/b".to_owned()));
}
