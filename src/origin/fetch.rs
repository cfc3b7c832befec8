//! Results over HTTP: a GET whose body comes piece by piece. It bears no credential, unless its caller gives one, and then at
//! the seller's own origin alone.
//!
//! Nobody vouches for the address of a result. It, and each address that a redirect names, is held against the rules of
//! `place.rs`, by its name and by what its name resolves to.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap,
    HeaderName, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, RETRY_AFTER, TRANSFER_ENCODING,
};
use reqwest::{Client, ClientBuilder, Response};
use url::Url;

use super::answer_envelope;
use super::coding::{Coding, Packing, Unpacker};
use super::http::{authorization, words};
use super::url_policy::BadAddress;
use super::url_policy::{is_at_home, is_own_origin, is_private_ip, redirect_url, web_url};
use crate::error::SharedError;
use crate::loopback::is_loopback;
use crate::media;
use crate::purchase::{Credential, HttpAnswer};
use crate::time::UnixMs;
use crate::tls;

const REDIRECTS_MAX: usize = 5;
const HEADER_LINES_MAX: usize = 128;
/// So many first bytes tell whether a body is packed, and what it is where it is not.
const FIRST_BYTES: usize = 1_024;
/// A longer version word is not kept.
const VERSION_BYTES_MAX: usize = 1_024;
/// What a proxy is named by. Behind one, names are not resolved here.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Where results are fetched from.
pub trait Fetch {
    /// The body of an answer, still to come.
    type Body: FetchBody;

    /// Asks for the result of that endpoint; from `part.0` bytes on, where the server's version is still `part.1`. The
    /// credential goes to the endpoint's own origin alone, and not any more once a redirect has left it. How long that may
    /// take is the caller's to bound.
    ///
    /// # Errors
    /// Where the address is not accepted, or no answer comes.
    fn get(
        &self,
        url: &Url,
        endpoint: &Url,
        part: Option<(u64, &str)>,
        credential: Option<&Credential>,
    ) -> impl Future<Output = Result<(FetchHead, Self::Body), FetchFailure>>;
}

/// A body that comes piece by piece.
pub trait FetchBody {
    /// The next piece; none at the end, which the server has marked as such where [`FetchHead::ends_marked`] says so. How
    /// long that may take is the caller's to bound.
    ///
    /// # Errors
    /// Where the connection breaks.
    fn piece(&mut self) -> impl Future<Output = Result<Option<Bytes>, FetchFailure>>;

    /// Says whether a person has taken what comes for the result: where it is not packed as it is called, it is handed on as it comes
    /// then.
    fn accept(&mut self, _is_taken: bool) {}
}

/// What is known of an answer before its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchHead {
    /// The status code.
    pub status: u16,
    /// The content type, as it is said.
    pub content_type: Option<String>,
    /// How the content that follows is encoded, where it is: nothing was asked for. Gzip and deflate are undone on the way.
    pub encoding: Option<String>,
    /// So many bytes follow; unknown where an encoding is undone.
    pub length: Option<u64>,
    /// Whether a `Content-Range` says that a part follows, whatever the status.
    pub is_part: bool,
    /// Of a part: where it begins, and how long the whole is.
    pub range: Option<(u64, u64)>,
    /// By what this version of the result is known: a strong ETag, else a date of change that is old enough to be one. None
    /// where an encoding is undone: it would be of the packed bytes.
    pub version: Option<String>,
    /// Whether the end of the body can be told from a connection that breaks.
    pub ends_marked: bool,
    /// For how many milliseconds the host wants to be left alone, where it says so.
    pub retry_after_ms: Option<u64>,
}

/// Why a result, or the next piece of it, is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFailure {
    /// The address is none that a result may stand at.
    #[error("the result's address is not accepted")]
    Address(#[source] BadAddress),
    /// The same, of one that a redirect names.
    #[error("the result's address is not accepted: a redirect is not followed")]
    Redirect(#[source] BadAddress),
    /// What comes is not packed as it is called.
    #[error("it is called {0} and is none: `resolve --as delivered` has it kept as it comes")]
    NotPacked(String),
    /// The connection failed or broke.
    #[error(transparent)]
    Broken(SharedError),
}

/// Fetches results over HTTP.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// Resolves names to public addresses alone.
    guarded: Client,
    /// For endpoints that stand in a private network themselves.
    open: Client,
    /// For this machine's own addresses: no proxy reaches them.
    direct: Client,
}

impl Fetcher {
    /// Certificates are verified as the system does. `proxy_from_env`: whether `HTTPS_PROXY` and its like count.
    ///
    /// # Errors
    /// Where the system gives no client, with the cause.
    pub fn new(connect_timeout: Duration, proxy_from_env: bool) -> Result<Self, FetchFailure> {
        let tls = tls::as_the_system().map_err(|error| broken(error.to_string()))?;
        let builder = |guarded: bool, proxy_from_env: bool| {
            let builder = Client::builder()
                .user_agent(concat!("l402-batch/", env!("CARGO_PKG_VERSION")))
                .http1_only()
                .http1_max_headers(HEADER_LINES_MAX)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .tls_backend_preconfigured(tls.clone())
                .connect_timeout(connect_timeout);
            let builder = if proxy_from_env { builder } else { builder.no_proxy() };
            if guarded { public_only(builder, proxy_from_env) } else { builder }
        };
        let build = |guarded, proxied| builder(guarded, proxied).build().map_err(|error| broken(words(&error)));
        Ok(Self {
            guarded: build(true, proxy_from_env)?,
            open: build(false, proxy_from_env)?,
            direct: build(false, false)?,
        })
    }
}

impl Fetch for Fetcher {
    type Body = HttpBody;

    async fn get(
        &self,
        url: &Url,
        endpoint: &Url,
        part: Option<(u64, &str)>,
        credential: Option<&Credential>,
    ) -> Result<(FetchHead, HttpBody), FetchFailure> {
        let mut at = web_url(url.as_str(), endpoint, endpoint).map_err(FetchFailure::Address)?;
        let mut shown = credential;
        for _ in 0..=REDIRECTS_MAX {
            let client = match is_at_home(&at, endpoint) {
                true if is_loopback(&at) => &self.direct,
                true => &self.open,
                false => &self.guarded,
            };
            let mut request = client.get(at.clone()).header(ACCEPT, "*/*").header(ACCEPT_ENCODING, "identity");
            shown = shown.filter(|_| is_own_origin(&at, endpoint));
            if let Some(credential) = shown {
                let bearing = authorization(credential).map_err(broken)?;
                request = request.headers(bearing);
            }
            if let Some((offset, version)) = part {
                request = request.header(RANGE, format!("bytes={offset}-")).header(IF_RANGE, version);
            }
            let response = request.send().await.map_err(|error| broken(words(&error)))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(opened(response));
            }
            let Some(location) = text(response.headers(), &LOCATION) else {
                return Err(FetchFailure::Address(BadAddress::Nowhere));
            };
            at = redirect_url(location, &at, endpoint).map_err(FetchFailure::Redirect)?;
        }
        Err(FetchFailure::Address(BadAddress::Redirects(REDIRECTS_MAX)))
    }
}

/// A body over HTTP.
#[derive(Debug)]
pub struct HttpBody {
    response: Response,
    /// Undoes the encoding, until the end has come.
    unpacker: Option<Unpacker>,
    /// What came before it could be told whether it is packed; none once that is known.
    first: Option<(Packing, Vec<u8>)>,
    /// A person has taken it for the result.
    is_taken: bool,
}

impl FetchBody for HttpBody {
    async fn piece(&mut self) -> Result<Option<Bytes>, FetchFailure> {
        let mut piece = self.response.chunk().await.map_err(|error| broken(words(&error)))?;
        if let Some((packing, mut first)) = self.first.take() {
            let is_end = piece.is_none();
            first.extend(piece.unwrap_or_default());
            if !is_end && first.len() < FIRST_BYTES {
                self.first = Some((packing, first));
                return Ok(Some(Bytes::new()));
            }
            self.judge(packing, &first)?;
            piece = Some(first.into());
        }
        let Some(unpacker) = &mut self.unpacker else { return Ok(piece) };
        if let Some(piece) = piece {
            return unpacker.add(&piece).map(|unpacked| Some(unpacked.into())).map_err(broken);
        }
        let rest = unpacker.end().map_err(broken)?;
        self.unpacker = None;
        Ok(Some(rest.into()))
    }

    fn accept(&mut self, is_taken: bool) {
        self.is_taken = is_taken;
    }
}

impl HttpBody {
    /// By its first bytes: a film, a picture or a sound is taken as it is, whatever it is called; what is no packing else only by a
    /// person's word.
    fn judge(&mut self, packing: Packing, first: &[u8]) -> Result<(), FetchFailure> {
        let is_packed = || Unpacker::new(packing).add(first).is_ok();
        if media::recognise(first).is_some() || (self.is_taken && !is_packed()) {
            self.unpacker = None;
        } else if !is_packed() {
            return Err(FetchFailure::NotPacked(packing.to_string()));
        }
        Ok(())
    }
}

/// Head and body of an answer. The encoding of a whole is undone; what comes so cannot be gone on with in its middle.
fn opened(response: Response) -> (FetchHead, HttpBody) {
    let head = head(&response);
    let (on_the_way, _) = transfer_coding(response.headers());
    let (head, packing) = match Coding::of(content_codings(response.headers()).chain(on_the_way)) {
        Coding::Plain => (head, None),
        Coding::Packed(packing) if !head.is_part => (FetchHead { length: None, version: None, ..head }, Some(packing)),
        Coding::Packed(packing) => (FetchHead { encoding: Some(packing.to_string()), ..head }, None),
        Coding::Other(words) => (FetchHead { encoding: Some(words), ..head }, None),
    };
    let (unpacker, first) = (packing.map(Unpacker::new), packing.map(|packing| (packing, Vec::new())));
    (head, HttpBody { response, unpacker, first, is_taken: false })
}

/// What the headers say, but of encodings.
fn head(response: &Response) -> FetchHead {
    let headers = response.headers();
    let said = |name| text(headers, name).map(|text| text.trim().to_owned());
    let length = text(headers, &CONTENT_LENGTH).and_then(|text| text.trim().parse().ok());
    FetchHead {
        status: response.status().as_u16(),
        content_type: said(&CONTENT_TYPE),
        encoding: None,
        length,
        is_part: headers.contains_key(CONTENT_RANGE),
        range: text(headers, &CONTENT_RANGE).and_then(range),
        version: version(headers),
        ends_marked: length.is_some() || transfer_coding(headers).1,
        retry_after_ms: said(&RETRY_AFTER).and_then(|wish| {
            let headers = vec![(RETRY_AFTER.as_str().to_owned(), wish)];
            answer_envelope::retry_after_ms(&HttpAnswer {
                status: response.status().as_u16(),
                headers,
                body: Vec::new(),
            })
        }),
    }
}

/// What the content is said to be encoded by.
pub(super) fn content_codings(headers: &HeaderMap) -> impl Iterator<Item = String> {
    words_of(headers, &CONTENT_ENCODING).into_iter()
}

/// By what the transfer itself is said to be encoded, and whether it comes in chunks: any other transfer ends with its
/// connection, and is handed on as it comes (RFC 9112 6.3).
fn transfer_coding(headers: &HeaderMap) -> (Vec<String>, bool) {
    let codings = words_of(headers, &TRANSFER_ENCODING);
    let is_chunked = codings.last().is_some_and(|last| last == "chunked");
    (codings, is_chunked)
}

/// The words of a list in headers of that name, in lower case.
fn words_of(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let words = |value: std::borrow::Cow<'_, str>| -> Vec<String> {
        value.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
    };
    values.flat_map(words).collect()
}

/// First byte and total of `bytes 100-199/200`.
fn range(text: &str) -> Option<(u64, u64)> {
    let (place, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, _) = place.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// A weak ETag says nothing about bytes, an empty one nothing at all, and neither does a date within the second of a change (RFC 9110 8.8.2.2).
fn version(headers: &HeaderMap) -> Option<String> {
    let strong = text(headers, &ETAG).map(str::trim).filter(|tag| tag.starts_with('"') && tag.len() > 2);
    let dated = || {
        let changed = text(headers, &LAST_MODIFIED)?;
        let at = |text| UnixMs::from_http_date(text);
        (at(text(headers, &DATE)?)?.since_ms(at(changed)?) > 1_000).then_some(changed.trim())
    };
    strong.or_else(dated).filter(|word| word.len() <= VERSION_BYTES_MAX).map(str::to_owned)
}

fn broken(why: impl Into<Box<dyn Error + Send + Sync>>) -> FetchFailure {
    FetchFailure::Broken(SharedError::new(why))
}

/// A header as text. An address with letters beyond ASCII comes as UTF-8 where a server forgets to escape it.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// Has names resolved to public addresses alone.
pub(super) fn public_only(builder: ClientBuilder, proxy_from_env: bool) -> ClientBuilder {
    // Behind a proxy it is the proxy's name alone that is resolved here, and it may well be private.
    let proxied = proxy_from_env && PROXY_VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
    if proxied { builder } else { builder.dns_resolver(Arc::new(PublicOnly)) }
}

/// Resolves a name as the system does, and leaves private addresses out: a public name may lead to one.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| !is_private_ip(address.ip())).collect();
            if public.is_empty() {
                return Err("its name leads into a private network".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_resolved() {
        let resolve = |name: &str| PublicOnly.resolve(name.parse().unwrap());
        let error = resolve("localhost").await.map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "its name leads into a private network");
    }

    #[tokio::test]
    async fn nothing_is_asked_of_an_address_that_is_not_accepted() {
        let fetcher = Fetcher::new(Duration::from_secs(1), false).unwrap();
        let endpoint = "https://api.example/x".parse().unwrap();
        for given in ["http://127.0.0.1:1/a.mp4", "http://[::1]:1/", "http://169.254.169.254/"] {
            let failure = fetcher.get(&given.parse().unwrap(), &endpoint, None, None).await.unwrap_err();
            assert!(matches!(failure, FetchFailure::Address(_)), "{given}: {failure}");
        }
    }

    /// Answers so many requests on one port, and gives what they said.
    async fn heard(answers: &'static [&'static str]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut request, mut buffer) = (Vec::new(), [0; 1_024]);
                while !request.ends_with(b"\r\n\r\n") {
                    let read = stream.read(&mut buffer).await.unwrap();
                    assert!(read > 0, "the request broke off");
                    request.extend_from_slice(&buffer[..read]);
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                requests.push(String::from_utf8(request).unwrap().to_ascii_lowercase());
            }
            requests
        });
        (port, heard)
    }

    #[tokio::test]
    async fn a_request_holds_what_it_must_and_nothing_else() {
        const MOVED: &str = "HTTP/1.1 302 x\r\nLocation: /b.mp4\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n";
        const PART: &str =
            "HTTP/1.1 206 x\r\nContent-Range: bytes 40-41/42\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        let (port, heard) = heard(&[MOVED, PART]).await;
        let at = |path: &str| format!("http://127.0.0.1:{port}{path}").parse().unwrap();
        let fetcher = Fetcher::new(Duration::from_secs(5), false).unwrap();
        let part = Some((40, "\"v\""));
        let (head, mut body) = fetcher.get(&at("/a.mp4"), &at("/api?key=secret"), part, None).await.unwrap();
        assert_eq!((head.status, head.range), (206, Some((40, 42))));
        assert_eq!(body.piece().await.unwrap().as_deref(), Some(b"ok".as_slice()));
        for request in heard.await.unwrap() {
            let mut names: Vec<_> =
                request.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
            names.sort_unstable();
            assert_eq!(names, ["accept", "accept-encoding", "host", "if-range", "range", "user-agent"], "{request}");
            assert!(request.contains("range: bytes=40-\r\n") && !request.contains("secret"), "{request}");
        }
    }

    /// A server that forgets to escape what it names is understood all the same.
    #[tokio::test]
    async fn a_redirect_in_letters_beyond_ascii_is_followed() {
        const MOVED: &str = "HTTP/1.1 302 x\r\nLocation: /k\u{e4}fer \u{2603}.mp4\r\nConnection: close\r\n\r\n";
        const OK: &str = "HTTP/1.1 200 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (port, heard) = heard(&[MOVED, OK]).await;
        let at: Url = format!("http://127.0.0.1:{port}/a.mp4").parse().unwrap();
        let fetcher = Fetcher::new(Duration::from_secs(5), false).unwrap();
        let (head, _) = fetcher.get(&at, &at, None, None).await.unwrap();
        assert_eq!(head.status, 200);
        let requests = heard.await.unwrap();
        assert!(requests[1].starts_with("get /k%c3%a4fer%20%e2%98%83.mp4 "), "{requests:?}");
    }

    /// Whoever a redirect leads to never learns the credential, not even where it leads back.
    #[tokio::test]
    async fn a_credential_goes_to_the_sellers_own_origin_alone() {
        const OK: &str = "HTTP/1.1 200 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        const ON: &str = "HTTP/1.1 302 x\r\nLocation: /b.mp4\r\nConnection: close\r\n\r\n";
        let moved = |port: u16| -> &'static str {
            let text =
                format!("HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:{port}/c.mp4\r\nConnection: close\r\n\r\n");
            Box::leak(text.into_boxed_str())
        };
        let purchase = crate::ledger::fixtures::purchase(true, 0);
        let fetcher = Fetcher::new(Duration::from_secs(5), false).unwrap();
        let (last, at_last) = heard(&[OK]).await;
        let (other, at_other) = heard(Box::leak(Box::new([moved(last)]))).await;
        let (home, at_home) = heard(Box::leak(Box::new([ON, moved(other)]))).await;
        let at: Url = format!("http://127.0.0.1:{home}/a.mp4").parse().unwrap();
        fetcher.get(&at, &at, None, Some(purchase.credential())).await.unwrap();
        let bears = |requests: Vec<String>| -> Vec<bool> {
            requests.iter().map(|request| request.contains("authorization: ")).collect()
        };
        assert_eq!(bears(at_home.await.unwrap()), [true, true]);
        assert_eq!(bears(at_other.await.unwrap()), [false]);
        assert_eq!(bears(at_last.await.unwrap()), [false]);
        let elsewhere: Url = format!("http://127.0.0.1:{last}/api").parse().unwrap();
        let (port, heard) = heard(&[OK]).await;
        let at = format!("http://127.0.0.1:{port}/a.mp4").parse().unwrap();
        fetcher.get(&at, &elsewhere, None, Some(purchase.credential())).await.unwrap();
        assert_eq!(bears(heard.await.unwrap()), [false]);
    }

    #[tokio::test]
    async fn a_redirect_off_the_web_is_an_address_that_is_not_accepted() {
        const AWAY: &str = "HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\nConnection: close\r\n\r\n";
        const NAMED: &str = "HTTP/1.1 302 x\r\nLocation: http://a:b@127.0.0.1:1/\r\nConnection: close\r\n\r\n";
        let (port, _heard) = heard(&[AWAY, NAMED]).await;
        let at: Url = format!("http://127.0.0.1:{port}/a.mp4").parse().unwrap();
        let fetcher = Fetcher::new(Duration::from_secs(5), false).unwrap();
        for _ in 0..2 {
            let failure = fetcher.get(&at, &at, None, None).await.unwrap_err();
            assert!(matches!(&failure, FetchFailure::Redirect(_)), "{failure}");
        }
    }

    #[test]
    fn versions_are_strong_or_none() {
        let version_of = |headers: &[(HeaderName, &str)]| {
            version(&headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
        };
        let (then, now) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:57 GMT");
        assert_eq!(version_of(&[(ETAG, "\"a\""), (LAST_MODIFIED, then)]).as_deref(), Some("\"a\""));
        assert_eq!(version_of(&[(ETAG, "W/\"a\""), (LAST_MODIFIED, then), (DATE, now)]).as_deref(), Some(then));
        assert_eq!(version_of(&[(ETAG, "\"\""), (LAST_MODIFIED, then), (DATE, now)]).as_deref(), Some(then));
        assert_eq!(version_of(&[(ETAG, "\"\"")]), None);
        assert_eq!(version_of(&[(LAST_MODIFIED, then), (DATE, then)]), None);
        assert_eq!(version_of(&[(LAST_MODIFIED, then)]), None);
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("bytes 100-199/200"), Some((100, 200)));
        for wrong in ["bytes */200", "bytes 100-199/*", "100-199/200", "bytes -1-2/3", "bytes"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
