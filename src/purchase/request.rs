//! What is sent to buy, and sent again to the very byte.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use url::Url;

use super::body::Body;
use crate::catalog::{Header, Method};

/// Before the digest of a request whose endpoint wants something in its head.
const HEADED: &[u8] = b"l402-batch headed request 1";

/// What a request says that it accepts, where its endpoint says nothing of that.
pub const ACCEPT: &str = "application/json";

/// A request that can be sent again to the very byte.
#[derive(Clone, Debug)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The resolved URL, query included.
    pub url: Url,
    /// The header that asks the service's cache of identical requests to stand aside. It is no part of what is sold: it
    /// goes with the first sending of an ask and of a redeem, never with a repeated one, and is not kept.
    pub bypass: Option<String>,
    /// Its redeem goes without `Idempotency-Key`.
    pub unkeyed: bool,
    /// What its endpoint wants in the head of each request.
    headers: Vec<Header>,
    /// What separates the parts of its body, where that is multipart.
    boundary: Option<String>,
    body: Body,
    digest: [u8; 32],
}

/// How the boundary of a multipart body begins. JSON begins otherwise, so that a body tells by itself what it is, wherever it was kept.
pub const BOUNDARY_MARK: &str = "l402-batch-";

/// The boundary of the multipart body that begins so.
fn boundary_of(start: &[u8]) -> Option<String> {
    let line = start.strip_prefix(b"--")?.split(|byte| *byte == b'\r').next()?;
    let boundary = std::str::from_utf8(line).ok()?;
    let is_one = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    boundary.strip_prefix(BOUNDARY_MARK).is_some_and(is_one).then(|| boundary.to_owned())
}

/// Two requests are the same that send the same.
impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        (self.digest, &self.bypass, &self.headers) == (other.digest, &other.bypass, &other.headers)
    }
}

impl Eq for Request {}

impl Request {
    /// A request with that exact body, which is empty for GET, and no header that leads past a cache.
    #[must_use]
    pub fn new(method: Method, url: Url, body: Vec<u8>) -> Self {
        let mut hash = head(method, &url, body.len());
        hash.update(&body);
        let (headers, boundary, digest) = (Vec::new(), boundary_of(&body), hash.finalize().into());
        Self { method, url, bypass: None, unkeyed: false, headers, boundary, body: Body::Held(body), digest }
    }

    /// The same. A body in a file is read once.
    ///
    /// # Errors
    /// Where that cannot be read to its end.
    pub fn of(method: Method, url: Url, body: Body) -> std::io::Result<Self> {
        let file = match body {
            Body::Held(bytes) => return Ok(Self::new(method, url, bytes)),
            Body::Filed(file) => file,
        };
        let mut hash = head(method, &url, file.len());
        let mut boundary = None;
        let mut is_first = true;
        file.read_through(|chunk| {
            boundary = if is_first { boundary_of(chunk) } else { boundary.take() };
            is_first = false;
            hash.update(chunk);
        })?;
        let (headers, digest) = (Vec::new(), hash.finalize().into());
        Ok(Self { method, url, bypass: None, unkeyed: false, headers, boundary, body: Body::Filed(file), digest })
    }

    /// The same request with that header, if any, which leads past a cache.
    #[must_use]
    pub fn bypassing(self, bypass: Option<String>) -> Self {
        Self { bypass, ..self }
    }

    /// The same request with these in its head: another one, to whoever answers it. What each request says anyway makes no other of it.
    /// Call it once.
    #[must_use]
    pub fn heading(self, headers: &[Header]) -> Self {
        let says_more =
            |header: &&Header| !(header.name.eq_ignore_ascii_case("accept") && header.value.identity() == ACCEPT);
        let headers: Vec<Header> = headers.iter().filter(says_more).cloned().collect();
        if headers.is_empty() {
            return self;
        }
        let mut known: Vec<(String, Cow<'_, str>)> =
            headers.iter().map(|header| (header.name.to_ascii_lowercase(), header.value.identity())).collect();
        known.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(HEADED);
        hash.update(self.digest);
        for part in known.iter().flat_map(|(name, value)| [name.as_str(), value.as_ref()]) {
            hash.update(length(part.len()));
            hash.update(part);
        }
        Self { headers, digest: hash.finalize().into(), ..self }
    }

    /// The content type of its body.
    #[must_use]
    pub fn content_type(&self) -> Cow<'static, str> {
        match &self.boundary {
            Some(boundary) => format!("multipart/form-data; boundary={boundary}").into(),
            None => "application/json".into(),
        }
    }

    /// What its endpoint wants in the head of each request.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The same request, whose redeem goes without `Idempotency-Key` where this one's goes with it, and the reverse.
    #[must_use]
    pub fn rekeyed(&self) -> Self {
        Self { unkeyed: !self.unkeyed, ..self.clone() }
    }

    /// The same request without the header that bypasses the cache: what is repeated must not be made a second time.
    #[must_use]
    pub fn repeated(&self) -> Self {
        Self { bypass: None, ..self.clone() }
    }

    /// The exact body; empty for GET.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// SHA-256 over method, URL and body, and the endpoint's headers where it has any: two requests of one digest are the same to a service's cache.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

fn length(bytes: usize) -> [u8; 8] {
    u64::try_from(bytes).unwrap_or(u64::MAX).to_be_bytes()
}

/// The digest as far as the body's first byte. Each part follows its length.
fn head(method: Method, url: &Url, body_bytes: usize) -> Sha256 {
    let mut hash = Sha256::new();
    for part in [method.as_str(), url.as_str()] {
        hash.update(length(part.len()));
        hash.update(part);
    }
    hash.update(length(body_bytes));
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purchase::BodyFolder;

    #[test]
    fn a_body_in_a_file_makes_the_same_request() {
        let bytes = b"0123456789".repeat(50_000);
        let url = || Url::parse("https://api.example/x").unwrap();
        let above = tempfile::tempdir().unwrap();
        let folder = BodyFolder::new(above.path().join("bodies"));
        let file = |bytes: &[u8]| Body::Filed(folder.write(bytes).unwrap().into());
        let held = Request::new(Method::Post, url(), bytes.clone());
        let filed = Request::of(Method::Post, url(), file(&bytes)).unwrap();
        assert_eq!((&filed, filed.digest()), (&held, held.digest()));
        assert_eq!((filed.body().len(), filed.body().bytes().unwrap().into_owned()), (bytes.len(), bytes.clone()));
        for (method, url, body) in [
            (Method::Get, url(), &bytes[..]),
            (Method::Post, Url::parse("https://api.example/y").unwrap(), &bytes),
            (Method::Post, url(), &bytes[1..]),
        ] {
            assert_ne!(Request::of(method, url, file(body)).unwrap(), held);
        }
        // As version 0.1 made it: ledgers hold it.
        let small = Request::new(Method::Post, url(), b"{}".to_vec());
        insta::assert_snapshot!(data_encoding::HEXLOWER.encode(&small.digest()), @"6cbbbc082c979035d990ed74148451b36e417f270da07d59ef4a3c7ffb09f84f");
    }
}
