//! A server that means harm: what it sends is bounded, refused or made harmless.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::catalog::Endpoint;
use crate::origin::{
    ChallengeResponse, PollResponse, RedeemResponse, read_ask, read_poll, read_redeem, retry_after_ms, samples,
};
use crate::terminal_text::is_printable;

/// Enough for any answer of these tests, and soon over.
const BODY_MAX: usize = 1024 * 1024;

fn small() -> HttpOptions {
    HttpOptions { body_bytes_max: BODY_MAX, result_body_bytes_max: BODY_MAX, ..HttpOptions::default() }
}

/// What asking, redeeming and polling bring where the server answers each so.
async fn each(script: impl Fn() -> Script) -> [Result<HttpAnswer, HttpFailure>; 3] {
    let (address, _server) = serve(vec![script(), script(), script()]).await;
    let (origin, request) = (origin(small()), post(address));
    [
        origin.ask(&request, Scheme::L402).await,
        origin.redeem(&request, &credential()).await,
        origin.poll(&request.url, &[], None).await,
    ]
}

async fn answered(head: &str, body: &str) -> HttpAnswer {
    let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let [asked, redeemed, polled] = each(|| bytes(&text)).await;
    for answer in [redeemed, polled] {
        let answer = answer.map(|mut answer| {
            answer.headers.retain(|(name, _)| name != crate::origin::ANSWERED_AT);
            answer
        });
        assert_eq!(answer, asked);
    }
    asked.unwrap()
}

/// What people are told of an answer, whatever it was the answer to.
fn words(answer: &HttpAnswer, endpoint: &Endpoint) -> Vec<String> {
    let asked = match read_ask(answer, endpoint) {
        ChallengeResponse::Challenge(_) => None,
        ChallengeResponse::Refused { message, .. } | ChallengeResponse::Retry { message, .. } => Some(message),
    };
    let redeemed = match read_redeem(answer, endpoint) {
        RedeemResponse::Delivered { .. } | RedeemResponse::Accepted { .. } => None,
        RedeemResponse::RefundOffered { message, .. }
        | RedeemResponse::Retry { message, .. }
        | RedeemResponse::CredentialRejected { message, .. }
        | RedeemResponse::CredentialSpent { message, .. }
        | RedeemResponse::Failed { message, .. }
        | RedeemResponse::UnknownShape { message } => Some(message),
    };
    let polled = match read_poll(answer, endpoint) {
        PollResponse::Delivered { .. } | PollResponse::Pending { .. } => None,
        PollResponse::RefundOffered { message, .. }
        | PollResponse::Failed { message, .. }
        | PollResponse::Retry { message, .. }
        | PollResponse::UnknownShape { message } => Some(message),
    };
    [asked, redeemed, polled].into_iter().flatten().collect()
}

fn endpoint() -> Endpoint {
    samples::endpoint("https://sats.example/api/buy")
}

/// A server that writes `again` for ever after `first`, and counts what it got rid of.
async fn endless(first: &'static str, again: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (count, block) = (Arc::clone(&count), again.repeat(64 * 1024 / again.len()));
            tokio::spawn(async move {
                read_request(&mut stream).await;
                let _ = stream.write_all(first.as_bytes()).await;
                while stream.write_all(block.as_bytes()).await.is_ok() {
                    count.fetch_add(block.len(), Ordering::Relaxed);
                }
            });
        }
    });
    (address, written)
}

#[tokio::test]
async fn what_has_no_end_is_read_so_far() {
    let heads = [
        ("HTTP/1.1 200 OK\r\na: ", "xxxxxxxxxxxxxxxx"),
        ("HTTP/1.1 200 OK\r\n", "www-authenticate: L402 token=\"t\", invoice=\"i\"\r\n"),
        ("HTTP/1.1 200 ", "OK OK OK OK "),
        ("", "no answer at all "),
        ("HTTP/1.1 200 OK\r\n\r\n", "{\"a\":\"aaaaaaaaaaaaa"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nbody\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;", "extension=value;"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "trailer: value\r\n"),
    ];
    for (first, again) in heads {
        let (address, written) = endless(first, again).await;
        let (origin, request) = (origin(small()), post(address));
        for brought in [
            origin.ask(&request, Scheme::L402).await,
            origin.redeem(&request, &credential()).await,
            origin.poll(&request.url, &[], None).await,
        ] {
            let failure = brought.unwrap_err();
            assert!(
                matches!(failure, HttpFailure::TooLarge(_) | HttpFailure::NoAnswer(_) | HttpFailure::Cut(..)),
                "{first}: {failure:?}"
            );
            assert!(is_printable(&failure.to_string()));
        }
        // The kernel takes some megabytes into its buffers before the client is seen to have gone.
        let written = written.load(Ordering::Relaxed);
        assert!(written < 64 * BODY_MAX, "{written} bytes were taken after {first:?}");
    }
}

#[tokio::test]
async fn answers_that_announce_others_for_ever_end_in_time() {
    let (address, _) = endless("", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n").await;
    let short = Duration::from_millis(300);
    let origin = origin(HttpOptions { ask_timeout: short, ..small() });
    assert!(matches!(origin.ask(&post(address), Scheme::L402).await, Err(HttpFailure::NoAnswer(_))));
}

#[tokio::test]
async fn no_redirect_takes_a_credential_elsewhere() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = elsewhere.local_addr().unwrap();
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let text = format!("HTTP/1.1 {status} x\r\nLocation: http://{other}/a\r\nContent-Length: 0\r\n\r\n");
        let [asked, redeemed, polled] = each(|| bytes(&text)).await;
        assert_eq!(asked, Err(HttpFailure::Redirect(format!("http://{other}/a"))));
        for brought in [redeemed, polled] {
            assert_eq!(brought.map(|answer| answer.status), Ok(status));
        }
    }
    // Other ways to say the same are words only.
    let answer = answered(&format!("200 OK\r\nRefresh: 0; url=http://{other}/\r\nAlt-Svc: h2=\"{other}\""), "{}").await;
    assert_eq!(answer.status, 200);
    let nobody_came = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(nobody_came.is_err());
}

#[tokio::test]
async fn a_redirect_s_target_is_told_harmlessly() {
    let text = "HTTP/1.1 302 x\r\nLocation: //evil.example/\u{202e}\u{9b}2J%1b?q#f\r\nContent-Length: 0\r\n\r\n";
    let [asked, redeemed, _] = each(|| bytes(text)).await;
    let Err(HttpFailure::Redirect(target)) = asked else { panic!("{asked:?}") };
    let endpoint = endpoint();
    let told = words(&redeemed.unwrap(), &endpoint).into_iter().filter(|words| words.contains("redirected to"));
    for words in told.chain([target]) {
        assert!(is_printable(&words) && words.contains("evil.example") && !words.contains("?q"), "{words}");
    }
}

#[tokio::test]
async fn addresses_that_lead_astray_are_not_taken() {
    for place in [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:8080/v1/payments",
        "http://localhost/x",
        "http://[::ffff:10.0.0.1]/",
        "gopher://x.example/",
        "https://user:password@x.example/",
        "javascript:alert(1)",
    ] {
        let answer = answered("200 OK", &serde_json::json!({ "videoUrl": place }).to_string()).await;
        let (redeemed, polled) = (read_redeem(&answer, &endpoint()), read_poll(&answer, &endpoint()));
        assert!(matches!(redeemed, RedeemResponse::UnknownShape { .. }), "{place}: {redeemed:?}");
        assert!(matches!(polled, PollResponse::UnknownShape { .. }), "{place}: {polled:?}");
    }
    for place in [
        "https://evil.example/job",
        "//evil.example/job",
        "\\\\\\\\evil.example\\\\job",
        "https://sats.example@evil.example/",
        "https://sats.example:8443/job",
        "http://sats.example/job",
        "file:///etc/passwd",
    ] {
        let body = format!(r#"{{"poll_url":"{place}"}}"#);
        for answer in [answered("202 x", &body).await, answered(&format!("202 x\r\nX-Poll-Url: {place}"), "").await] {
            let redeemed = read_redeem(&answer, &endpoint());
            assert!(matches!(redeemed, RedeemResponse::UnknownShape { .. }), "{place}: {redeemed:?}");
        }
    }
}

#[tokio::test]
async fn words_steer_no_terminal_and_are_short() {
    let nasty = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}gpj\u{2028}\r\n\u{200b}".repeat(1_000);
    for status in [200, 202, 400, 401, 402, 403, 404, 418, 429, 500, 503] {
        for code in ["TIMEOUT", "L402_REFUND_ISSUED", "\u{1b}[2J\u{202e}"] {
            let body = serde_json::json!({
                "error": nasty, "suggestion": nasty, "error_code": code, "status": nasty, "refund": { "x": nasty }
            });
            let head = format!("{status} x\u{9b}2J\u{202e}\r\nX-Error-Code: a\u{202e}\r\nX-Job-Id: \u{202e}\u{200b}");
            let answer = answered(&head, &body.to_string()).await;
            for told in words(&answer, &endpoint()) {
                assert!(is_printable(&told) && told.chars().count() < 1_000, "{told:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_drop_by_drop_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_request(&mut stream).await;
                let _ = stream.write_all(b"HTTP/1.1 500 OK\r\nContent-Length: 1000000\r\n\r\n").await;
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
    });
    let short = Duration::from_millis(200);
    let origin = origin(HttpOptions { ask_timeout: short, poll_timeout: short, ..small() });
    let expected = Err(HttpFailure::NoAnswer("it took too long".to_owned()));
    assert_eq!(origin.ask(&post(address), Scheme::L402).await, expected);
    assert_eq!(origin.poll(&post(address).url, &[], None).await, expected);
}

#[tokio::test]
async fn a_redeem_that_comes_drop_by_drop_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        // From here on time passes as soon as nothing else happens.
        tokio::time::pause();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
    });
    let redeemed = origin(small()).redeem(&post(address), &credential()).await;
    assert_eq!(redeemed, Err(HttpFailure::NoAnswer("it took too long".to_owned())));
}

#[tokio::test]
async fn a_length_that_lies_is_no_answer() {
    for head in [
        "Content-Length: 100\r\n\r\n{}",
        "Content-Length: -1\r\n\r\n{}",
        "Content-Length: 99999999999999999999999\r\n\r\n{}",
        "Content-Length: 18446744073709551615\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        "Content-Length: 2, 3\r\n\r\n{} ",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{head}");
        for brought in each(|| bytes(&text)).await {
            let failure = brought.unwrap_err();
            let is_none = matches!(failure, HttpFailure::NoAnswer(_) | HttpFailure::TooLarge(_) | HttpFailure::Cut(..));
            assert!(is_none, "{head}: {failure:?}");
        }
    }
}

/// A connection on which more was sent than announced must not answer the next purchase with the rest.
#[tokio::test]
async fn what_follows_an_answer_is_no_answer_to_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let ok = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                while stream.readable().await.is_ok() {
                    read_request(&mut stream).await;
                    let twice = ok("good") + &ok("evil");
                    if stream.write_all(twice.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let (origin, request) = (origin(small()), post(address));
    for _ in 0..20 {
        match origin.redeem(&request, &credential()).await {
            Ok(answer) => assert_eq!(answer.body, b"good"),
            Err(failure) => assert!(matches!(failure, HttpFailure::NoAnswer(_)), "{failure:?}"),
        }
    }
}

#[tokio::test]
async fn no_compression_is_asked_for_and_what_cannot_be_undone_is_kept() {
    let bomb = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x08\x08\x00";
    let (address, server) = serve(vec![bytes(bomb), bytes(bomb), bytes(bomb)]).await;
    let (origin, request) = (origin(small()), post(address));
    for brought in [
        origin.ask(&request, Scheme::L402).await,
        origin.redeem(&request, &credential()).await,
        origin.poll(&request.url, &[], None).await,
    ] {
        let Err(HttpFailure::Cut(answer, why)) = brought else { panic!("{brought:?}") };
        assert_eq!(answer.body, b"\x1f\x08\x08\x00");
        assert!(matches!(read_redeem(&answer.cut(&why), &endpoint()), RedeemResponse::Failed { .. }));
    }
    for seen in server.await.unwrap() {
        assert!(seen.to_ascii_lowercase().contains("accept-encoding: identity\r\n"), "{seen}");
    }
}

/// A megabyte that would be a gigabyte is not unpacked to its end.
#[tokio::test]
async fn a_packed_answer_without_measure_is_not_taken() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..64).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    let packed = encoder.finish().unwrap();
    let head = format!("HTTP/1.1 402 x\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
    let (address, _server) = serve(vec![Script::Bytes([head.as_bytes(), &packed].concat())]).await;
    let options = HttpOptions { body_bytes_max: 1 << 20, ..HttpOptions::default() };
    let failure = origin(options).ask(&post(address), Scheme::L402).await.unwrap_err();
    assert!(matches!(failure, HttpFailure::TooLarge(_)), "{failure:?}");
}

#[tokio::test]
async fn challenges_without_measure_are_not_paid() {
    let many = "WWW-Authenticate: L402 token=\"t\", invoice=\"i\"\r\n".repeat(10_000);
    let long = |token: usize, invoice: usize| {
        format!("WWW-Authenticate: L402 token=\"{}\", invoice=\"lnbc{}\"\r\n", "t".repeat(token), "q".repeat(invoice))
    };
    for lines in [many, long(1024 * 1024, 10), long(10, 1024 * 1024), long(8 * 1024, 10), long(10, 8 * 1024)] {
        let text = format!("HTTP/1.1 402 x\r\n{lines}Content-Length: 0\r\n\r\n");
        for brought in each(|| bytes(&text)).await {
            match brought {
                Err(HttpFailure::NoAnswer(_) | HttpFailure::TooLarge(_)) => {}
                Ok(answer) => {
                    assert!(matches!(read_ask(&answer, &endpoint()), ChallengeResponse::Refused { .. }), "{answer:?}")
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn json_without_bottom_is_no_json() {
    for body in ["[".repeat(100_000), r#"{"videoUrl":"/a.mp4","a":"#.repeat(40_000), r#"[{"a":"#.repeat(50_000)] {
        let answer = answered("200 OK", &body[..body.len().min(BODY_MAX)]).await;
        assert!(matches!(read_redeem(&answer, &endpoint()), RedeemResponse::UnknownShape { .. }));
        assert!(matches!(read_poll(&answer, &endpoint()), PollResponse::UnknownShape { .. }));
        assert!(matches!(read_ask(&answer, &endpoint()), ChallengeResponse::Refused { .. }));
    }
}

#[tokio::test]
async fn waits_are_bounded_whatever_is_asked() {
    const HOUR_MS: u64 = 3_600_000;
    for seconds in ["1000000000000000000", "18446744073709551615", "99999999999999999999999", "-1", "1e18", "0"] {
        let head = format!("503 x\r\nRetry-After: {seconds}");
        let after = retry_after_ms(&answered(&head, "").await);
        assert!(after.is_none_or(|ms| ms <= HOUR_MS), "{seconds}: {after:?}");
        let body = format!(r#"{{"retry_after_seconds":{}}}"#, if seconds == "0" { "\"0\"" } else { seconds });
        let after = retry_after_ms(&answered("429 x", &body).await);
        assert!(after.is_none_or(|ms| ms <= HOUR_MS), "{seconds}: {after:?}");
        let poll = format!(r#"{{"poll_url":"/job","status":"processing","poll_interval_ms":"{seconds}"}}"#);
        let answer = answered(&format!("202 x\r\nX-Poll-Interval-Ms: {seconds}"), &poll).await;
        let RedeemResponse::Accepted { poll } = read_redeem(&answer, &endpoint()) else { panic!("{seconds}") };
        assert!((250..=60_000).contains(&poll.interval_ms), "{seconds}: {}", poll.interval_ms);
        let PollResponse::Pending { after_ms } = read_poll(&answer, &endpoint()) else { panic!("{seconds}") };
        assert!(after_ms.is_none_or(|ms| (250..=60_000).contains(&ms)), "{seconds}: {after_ms:?}");
    }
}
