//! Against a raw server that answers scripted bytes.

mod hostile;
mod secrets;

use std::net::SocketAddr;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::l402::{PaymentHash, Preimage, Scheme, Token};
use crate::purchase::BodyFolder;

/// What a server does with one connection, once it has read one request.
enum Script {
    /// Answers these bytes and closes.
    Bytes(Vec<u8>),
    /// Closes with a reset, unanswered.
    Reset,
    /// Never answers.
    Silence,
    /// A head without length, then body without end.
    Endless,
}

/// Serves one connection for each script, in order; gives back the requests as they came.
async fn serve(scripts: Vec<Script>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for script in scripts {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(read_request(&mut stream).await);
            play(script, stream).await;
        }
        requests
    });
    (address, server)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "the client closed before its request was whole");
        seen.extend_from_slice(&chunk[..read]);
    }
}

async fn play(script: Script, mut stream: TcpStream) {
    match script {
        Script::Bytes(bytes) => {
            // The client may have heard enough and closed.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Script::Reset => stream.set_zero_linger().unwrap(),
        Script::Silence => {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
        Script::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
        }
    }
}

fn origin(options: HttpOptions) -> HttpOrigin {
    HttpOrigin::new(HttpOptions { proxy_from_env: false, ..options }).unwrap()
}

fn post(address: SocketAddr) -> Request {
    let url = format!("http://{address}/buy?secret=query").parse().unwrap();
    Request::new(Method::Post, url, br#"{"prompt":"a"}"#.to_vec())
}

fn credential() -> Credential {
    let preimage = Preimage::verify([7; 32], &PaymentHash(Sha256::digest([7; 32]).into())).unwrap();
    Credential { scheme: Scheme::L402, token: Token::new("tok+en/==".to_owned()), preimage }
}

fn filed(request: &Request, folder: &BodyFolder) -> Request {
    let body = folder.write(&request.body().bytes().unwrap()).unwrap();
    Request::of(request.method, request.url.clone(), Body::Filed(body.into())).unwrap()
}

async fn asked(script: Script) -> Result<HttpAnswer, HttpFailure> {
    let (address, _server) = serve(vec![script]).await;
    origin(HttpOptions { body_bytes_max: 64 * 1024, ..HttpOptions::default() }).ask(&post(address), Scheme::L402).await
}

fn bytes(text: &str) -> Script {
    Script::Bytes(text.as_bytes().to_vec())
}

#[tokio::test]
async fn an_answer_comes_back_uninterpreted() {
    let script = b"HTTP/1.1 402 Payment Required\r\nWWW-Authenticate: LSAT a=\"1\"\r\nwww-authenticate: L402 b=\"\xff2\"\r\nContent-Length: 2\r\n\r\nno";
    let answer = asked(Script::Bytes(script.to_vec())).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (402, b"no".as_slice()));
    let challenges: Vec<&str> = answer.headers_named("www-authenticate").collect();
    assert_eq!(challenges, ["LSAT a=\"1\"", "L402 b=\"\u{fffd}2\""]);
}

#[tokio::test]
async fn the_redeem_differs_from_the_ask_by_the_credential_alone() {
    let ok = || bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    let (address, server) = serve(vec![ok(), ok(), ok(), ok(), ok()]).await;
    let origin = origin(HttpOptions::default());
    let (request, job) = (post(address), format!("http://{address}/job?id=1").parse().unwrap());
    origin.ask(&request, Scheme::L402).await.unwrap();
    origin.redeem(&request, &credential()).await.unwrap();
    origin.poll(&job, &[], None).await.unwrap();
    origin.poll(&job, &[], Some(&credential())).await.unwrap();
    origin.ask(&request, Scheme::Payment).await.unwrap();
    let mut requests = server.await.unwrap();
    let authorization = format!("authorization: L402 tok+en/==:{}\r\n", "07".repeat(32));
    assert!(requests[1].contains(&authorization), "{}", requests[1]);
    assert!(requests[4].contains("accept-authenticate: Payment\r\n"), "{}", requests[4]);
    let accepts = "accept-authenticate: L402\r\n";
    assert!(requests[0].contains(accepts), "{}", requests[0]);
    requests[0] = requests[0].replace(accepts, "");
    assert_eq!(requests[1].replace(&authorization, ""), requests[0]);
    assert!(requests[0].starts_with("POST /buy?secret=query HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].ends_with("\r\n\r\n{\"prompt\":\"a\"}"));
    for line in ["content-type: application/json\r\n", "accept: application/json\r\n", "user-agent: l402-batch/"] {
        assert!(requests[0].contains(line), "{}", requests[0]);
    }
    assert!(requests[2].starts_with("GET /job?id=1 HTTP/1.1\r\n"));
    assert!(!requests[2].contains("authorization"));
    assert_eq!(requests[3].replace(&authorization, ""), requests[2], "behind the gate, with the credential");
    assert!(requests[3].contains(&authorization), "{}", requests[3]);
}

/// A large body leaves from its file, as it would from memory, and again at each address that the origin refers to.
#[tokio::test]
async fn a_payment_credential_goes_in_the_header_of_its_challenge_with_one_key_each_time() {
    let answer = || bytes("HTTP/1.1 500 no\r\nContent-Length: 2\r\n\r\n{}");
    let of = |token: &str| Credential { scheme: Scheme::Payment, token: Token::new(token.to_owned()), ..credential() };
    let (own, usual) = (of(r#"{"header":"Payment-Authorization","id":"1"}"#), of(r#"{"id":"1"}"#));
    let (address, server) = serve((0..7).map(|_| answer()).collect()).await;
    let (origin, request) = (origin(HttpOptions::default()), post(address));
    origin.ask(&request, Scheme::Payment).await.unwrap();
    origin.ask(&request, Scheme::L402).await.unwrap();
    for credential in [&own, &own, &usual, &credential()] {
        origin.redeem(&request, credential).await.unwrap();
    }
    let unkeyed = request.rekeyed();
    origin.redeem(&unkeyed, &own).await.unwrap();
    let sent = server.await.unwrap();
    let line = |at: usize, name: &str| {
        let found = sent[at].lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.map(str::to_owned)
    };
    let has = |name: &str| (0..7).map(|at| line(at, name).is_some()).collect::<Vec<_>>();
    assert_eq!(line(0, "accept-payment").as_deref(), Some("lightning/charge"));
    assert_eq!(has("accept-payment"), [true, false, false, false, false, false, false]);
    assert_eq!(has("payment-authorization"), [false, false, true, true, false, false, true]);
    assert_eq!(has("authorization"), [false, false, false, false, true, true, false]);
    // The ask has none: its answer, a 402, is not what a repeated redeem wants. Nor has every second one that a person wants.
    assert_eq!(has("idempotency-key"), [false, false, true, true, true, false, false]);
    assert_eq!(line(2, "idempotency-key"), line(3, "idempotency-key"));
    assert_eq!(line(2, "idempotency-key"), own.idempotency_key());
}

#[tokio::test]
async fn a_body_in_a_file_is_sent_as_one_in_memory() {
    let above = tempfile::tempdir().unwrap();
    let folder = BodyFolder::new(above.path().join("bodies"));
    let text = r#"{"prompt":"a"}"#.repeat(50_000).into_bytes();
    let scripts =
        || (0..2).flat_map(|_| [redirect(307, "Location: /b\r\n"), bytes("HTTP/1.1 200 OK\r\n\r\n{}")]).collect();
    let mut heard = Vec::new();
    for is_filed in [false, true] {
        let (address, server) = serve(scripts()).await;
        let mut request = Request::new(Method::Post, format!("http://{address}/buy").parse().unwrap(), text.clone());
        if is_filed {
            request = filed(&request, &folder);
        }
        let origin = origin(HttpOptions::default());
        origin.ask(&request, Scheme::L402).await.unwrap();
        origin.redeem(&request, &credential()).await.unwrap();
        let as_one = |request: &String| request.replace(&address.to_string(), "there");
        heard.push(server.await.unwrap().iter().map(as_one).collect::<Vec<_>>());
    }
    assert_eq!(heard[0], heard[1]);
    assert!(heard[1].iter().all(|request| request.ends_with(str::from_utf8(&text).unwrap())));
}

#[tokio::test]
async fn a_body_whose_file_has_changed_is_no_whole_request() {
    let above = tempfile::tempdir().unwrap();
    let folder = BodyFolder::new(above.path().join("bodies"));
    for (words, is_cut) in [("cannot be read", true), ("has changed", false)] {
        let (address, server) = serve(vec![bytes("HTTP/1.1 200 OK\r\n\r\n{}")]).await;
        let request = Request::new(Method::Post, post(address).url, vec![b' '; 600_000]);
        let request = filed(&request, &folder);
        let name = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let file = std::fs::OpenOptions::new().write(true).open(name).unwrap();
        if is_cut {
            file.set_len(500_000).unwrap();
        } else {
            std::os::unix::fs::FileExt::write_all_at(&file, b"another", 7).unwrap();
        }
        let failure = origin(HttpOptions::default()).redeem(&request, &credential()).await.unwrap_err();
        assert!(matches!(&failure, HttpFailure::BodyUnread(told) if told.contains(words)), "{failure:?}");
        assert!(server.await.is_err(), "the server never had a whole request");
    }
}

#[tokio::test]
async fn nothing_left_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = origin(HttpOptions::default()).redeem(&post(address), &credential()).await.unwrap_err();
    let HttpFailure::NotSent(words) = &failure else { panic!("{failure:?}") };
    assert!(!words.contains("secret"), "{words}");
}

#[tokio::test]
async fn an_address_that_does_not_speak_tls_is_not_sent_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let url = format!("https://{address}/").parse().unwrap();
    let request = Request::new(Method::Post, url, Vec::new());
    let failure = origin(HttpOptions::default()).redeem(&request, &credential()).await.unwrap_err();
    assert!(matches!(failure, HttpFailure::NotSent(_)), "{failure:?}");
}

#[tokio::test]
async fn what_left_and_was_not_answered_whole_has_no_answer() {
    let truncated = || bytes("HTTP/1.1 500 OK\r\nContent-Length: 100\r\n\r\nhalf");
    let chunked = || bytes("HTTP/1.1 402 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal");
    let too_many = "a: b\r\n".repeat(HEADER_LINES_MAX + 1);
    let many = || bytes(&format!("HTTP/1.1 200 OK\r\n{too_many}\r\n"));
    let scripts =
        [Script::Reset, bytes(""), truncated(), chunked(), bytes("HTTP/1.1 200"), bytes("nonsense\r\n\r\n"), many()];
    for (number, script) in scripts.into_iter().enumerate() {
        let failure = asked(script).await.unwrap_err();
        let HttpFailure::NoAnswer(words) = &failure else { panic!("script {number}: {failure:?}") };
        assert!(!words.contains("secret"), "{words}");
    }
}

/// What sold has said that it did: what came of it is handed on, with why there is no more.
#[tokio::test]
async fn a_success_that_is_not_whole_is_handed_on_as_far_as_it_came() {
    for (script, body) in [
        (bytes("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 100\r\n\r\nhalf"), &b"half"[..]),
        (bytes("HTTP/1.1 201 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), b"half"),
        (bytes("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 99999999999\r\n\r\n"), b""),
    ] {
        let failure = asked(script).await.unwrap_err();
        let HttpFailure::Cut(answer, words) = &failure else { panic!("{failure:?}") };
        assert_eq!((answer.status / 100, answer.body.as_slice(), answer.header("x-a")), (2, body, Some("b")));
        assert!(!words.contains("secret"), "{words}");
    }
    assert!(matches!(asked(Script::Endless).await, Err(HttpFailure::Cut(answer, _)) if answer.body.len() <= 64 * 1024));
}

#[tokio::test]
async fn an_unanswered_request_is_never_sent_again_by_itself() {
    let ok = bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let (address, server) = serve(vec![Script::Reset, ok]).await;
    let origin = origin(HttpOptions::default());
    assert!(matches!(origin.redeem(&post(address), &credential()).await, Err(HttpFailure::NoAnswer(_))));
    assert!(!server.is_finished());
    assert_eq!(origin.redeem(&post(address), &credential()).await.map(|answer| answer.status), Ok(200));
    assert_eq!(server.await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_taken() {
    let announced = bytes("HTTP/1.1 402 x\r\nContent-Length: 99999999999\r\n\r\n");
    let header = format!("HTTP/1.1 402 x\r\na: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(HEADER_BYTES_MAX));
    for script in [announced, bytes(&header)] {
        let failure = asked(script).await.unwrap_err();
        assert!(matches!(failure, HttpFailure::TooLarge(_)), "{failure:?}");
    }
}

fn redirect(status: u16, to: &str) -> Script {
    bytes(&format!("HTTP/1.1 {status} x\r\n{to}Content-Length: 0\r\n\r\n"))
}

#[tokio::test]
async fn a_redirect_that_may_change_the_request_or_leads_elsewhere_is_told_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let failure = asked(redirect(status, "Location: https://user:pw@other.example/a?token=x#y\r\n")).await;
        assert_eq!(failure, Err(HttpFailure::Redirect("https://other.example/a".to_owned())));
        assert_eq!(asked(redirect(status, "")).await, Err(HttpFailure::Redirect("nowhere".to_owned())));
    }
    for status in [301, 302, 303] {
        let (address, server) = serve(vec![redirect(status, "Location: /elsewhere\r\n")]).await;
        // What is paid for was answered, and that is kept.
        let answer = origin(HttpOptions::default()).redeem(&post(address), &credential()).await.unwrap();
        assert_eq!((answer.status, answer.header("location")), (status, Some("/elsewhere")));
        assert_eq!(server.await.unwrap().len(), 1);
    }
}

/// The very same request, to where its origin says.
#[tokio::test]
async fn a_request_goes_where_its_own_origin_refers_it() {
    let ok = || bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let scripts = vec![
        redirect(307, "Location: /v2/buy?x=1\r\n"),
        redirect(308, "Location: /käufe\r\n"),
        ok(),
        redirect(307, "Location: b\r\n"),
        ok(),
    ];
    let (address, server) = serve(scripts).await;
    let (origin, request) = (origin(HttpOptions::default()), post(address));
    assert_eq!(origin.ask(&request, Scheme::L402).await.map(|answer| answer.status), Ok(200));
    assert_eq!(origin.redeem(&request, &credential()).await.map(|answer| answer.status), Ok(200));
    let seen = server.await.unwrap();
    let line = |n: usize| seen[n].lines().next().unwrap_or_default();
    assert_eq!(line(1), "POST /v2/buy?x=1 HTTP/1.1");
    assert_eq!(line(2), "POST /k%C3%A4ufe HTTP/1.1", "letters that the server forgot to escape");
    assert_eq!(line(4), "POST /b HTTP/1.1");
    assert!(seen.iter().all(|request| request.ends_with(r#"{"prompt":"a"}"#)), "{seen:?}");
    let bears: Vec<bool> = seen.iter().map(|request| request.contains("authorization: L402 ")).collect();
    assert_eq!(bears, [false, false, false, true, true]);
    let round = (0..=REDIRECTS_MAX).map(|_| redirect(307, "Location: /buy\r\n")).collect();
    let (address, server) = serve(round).await;
    let failure = origin.ask(&post(address), Scheme::L402).await.unwrap_err();
    assert!(matches!(failure, HttpFailure::Redirect(_)), "{failure:?}");
    assert_eq!(server.await.unwrap().len(), REDIRECTS_MAX + 1);
}

#[tokio::test]
async fn a_poll_is_led_to_the_result() {
    let film = bytes("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 999999999\r\n\r\nabc");
    let (address, server) = serve(vec![redirect(303, "Location: /film/7\r\n"), film]).await;
    let request = post(address);
    let answer = origin(HttpOptions::default()).poll(&request.url, &[], Some(&credential())).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0), "its head alone");
    assert_eq!(answer.header(ANSWERED_AT), Some(format!("http://{address}/film/7").as_str()));
    assert!(server.await.unwrap().iter().all(|request| request.contains("authorization: L402 ")));
    // What a server says under that name, it does not say.
    let liar = format!("HTTP/1.1 200 OK\r\n{ANSWERED_AT}: https://evil.example/\r\nContent-Length: 2\r\n\r\n{{}}");
    let (address, _server) = serve(vec![bytes(&liar)]).await;
    let url = post(address).url;
    let answer = origin(HttpOptions::default()).poll(&url, &[], None).await.unwrap();
    let said: Vec<&str> = answer.headers_named(ANSWERED_AT).collect();
    assert_eq!(said, [url.as_str()]);
    let (address, _server) = serve(vec![bytes("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")]).await;
    let request = post(address);
    let answer = origin(HttpOptions::default()).redeem(&request, &credential()).await.unwrap();
    assert_eq!(answer.header(ANSWERED_AT), Some(request.url.as_str()));
}

#[tokio::test]
async fn what_comes_as_gzip_is_unpacked() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(br#"{"videoUrl":"/a.mp4"}"#).unwrap();
    let packed = encoder.finish().unwrap();
    let script = |packed: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
        Script::Bytes([head.as_bytes(), packed].concat())
    };
    let (address, server) = serve(vec![script(&packed), script(b"none")]).await;
    let (origin, request) = (origin(HttpOptions::default()), post(address));
    let answer = origin.redeem(&request, &credential()).await.unwrap();
    assert_eq!(answer.body, br#"{"videoUrl":"/a.mp4"}"#);
    assert_eq!(answer.header("content-encoding"), None, "it is not packed any more");
    let broken = origin.redeem(&request, &credential()).await.unwrap_err();
    assert!(matches!(broken, HttpFailure::Cut(answer, _) if answer.body == b"none"), "what came is kept");
    assert!(server.await.unwrap().iter().all(|request| request.contains("accept-encoding: identity\r\n")));
}

#[tokio::test]
async fn what_is_called_deflated_and_is_plain_is_taken_as_it_is() {
    let script = |head: &str, body: &str| {
        bytes(&format!("HTTP/1.1 {head}\r\nContent-Encoding: deflate\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    let told = r#"{"videoUrl":"/a.mp4"}"#;
    let (address, _server) = serve(vec![script("402 P\r\nWWW-Authenticate: L402 x", ""), script("200 OK", told)]).await;
    let (origin, request) = (origin(HttpOptions::default()), post(address));
    let challenge = origin.ask(&request, Scheme::L402).await.unwrap();
    assert_eq!((challenge.status, challenge.header("www-authenticate")), (402, Some("L402 x")));
    assert_eq!(origin.redeem(&request, &credential()).await.unwrap().body, told.as_bytes());
}

#[tokio::test]
async fn a_silent_server_ends_an_ask_and_a_poll() {
    let (address, _server) = serve(vec![Script::Silence, Script::Silence]).await;
    let short = Duration::from_millis(50);
    let origin = origin(HttpOptions { ask_timeout: short, poll_timeout: short, ..HttpOptions::default() });
    let expected = Err(HttpFailure::NoAnswer("it took too long".to_owned()));
    assert_eq!(origin.ask(&post(address), Scheme::L402).await, expected);
    assert_eq!(origin.poll(&post(address).url, &[], None).await, expected);
}

/// A name that anybody may have had resolved to this machine, as far as a resolver is concerned.
#[tokio::test]
async fn a_refund_s_name_that_leads_home_is_asked_only_for_a_seller_at_home() {
    let (address, server) = serve(vec![bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")]).await;
    let origin = origin(HttpOptions::default());
    let link = format!("http://localhost:{}/w?id=secret", address.port()).parse().unwrap();
    let withdraw = async |seller: &str| origin.withdraw(&link, &seller.parse().unwrap()).await;
    let failure = withdraw("https://shop.example/buy").await.unwrap_err();
    let HttpFailure::NotSent(words) = &failure else { panic!("{failure:?}") };
    assert!(words.contains("its name leads into a private network") && !words.contains("secret"), "{words}");
    assert!(!server.is_finished(), "it was asked all the same");
    assert_eq!(withdraw("http://127.0.0.1:1/buy").await.map(|answer| answer.status), Ok(200));
    assert_eq!(server.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_redeem_outlives_any_shorter_wish() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    });
    let options = HttpOptions { redeem_timeout: Duration::from_millis(1), ..HttpOptions::default() };
    assert_eq!(origin(options).redeem(&post(address), &credential()).await.map(|answer| answer.status), Ok(200));
    server.await.unwrap();
}
