//! Secrets that go in the head of requests: from where the user's configuration says, to the origins that it lists, and nowhere else. An
//! endpoint only names them; what is kept and compared of a request is that name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::HeaderValue;
use url::Url;

use super::{COVERED, HttpFailure, is_inline};
use crate::catalog::{Header, is_header_value, origin_of};
use crate::loopback::is_loopback;
use crate::purchase::HttpAnswer;

/// What [`COVERED`] says where a secret is covered in the body.
const IN_BODY: &str = "body";
/// Shorter ones are refused: they could not be told from other words in what comes back.
const BYTES_MIN: usize = 8;

/// Why a secret cannot be read, in words that show nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUnread(pub String);

/// Where a secret is read.
pub type ReadSecret = Arc<dyn Fn() -> Result<String, SecretUnread> + Send + Sync>;

/// Why a secret is not sent. Nothing of it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// Nobody says where it comes from.
    #[error("the configuration has no secret {0}")]
    Unknown(String),
    /// It is not for that origin.
    #[error("the configuration does not let {origin} have the secret {name}")]
    NotFor {
        /// Its name.
        name: String,
        /// Host, and port where it is not the usual one.
        origin: String,
    },
    /// Whoever listens would have it.
    #[error("the secret {0} goes over https, or to this machine, and nowhere else")]
    Unsafe(String),
    /// It cannot be read, or is no header's value.
    #[error("the secret {name} cannot be had: {why}")]
    Unread {
        /// Its name.
        name: String,
        /// Why, in words.
        why: String,
    },
}

/// The secrets of a configuration, by name.
#[derive(Clone, Default)]
pub struct SecretHeaders(BTreeMap<String, Arc<Secret>>);

struct Secret {
    origins: BTreeSet<String>,
    read: ReadSecret,
    known: Mutex<Known>,
}

/// What is known of a secret.
enum Known {
    Nothing,
    Value(HeaderValue),
    /// It could not be had then: whoever wants it soon after is told the same.
    Failed(Instant, SecretUnread),
}

/// So long nobody asks again for one that could not be had: a command may take a minute, and many may wait for it.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

impl fmt::Debug for SecretHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl SecretHeaders {
    /// Adds one: who may have it, by host, and port where it is not the usual one, and where it is read once it is needed.
    pub fn add(&mut self, name: &str, origins: BTreeSet<String>, read: ReadSecret) {
        self.0.insert(name.to_owned(), Arc::new(Secret { origins, read, known: Mutex::new(Known::Nothing) }));
    }

    /// Why a header of an endpoint at that address cannot be sent, as far as the configuration tells; none where it can.
    #[must_use]
    pub fn why_not(&self, name: &str, at: &Url) -> Option<SecretProblem> {
        let Some(secret) = self.0.get(name) else {
            return Some(SecretProblem::Unknown(name.to_owned()));
        };
        let origin = origin_of(at);
        if !secret.origins.contains(&origin) {
            return Some(SecretProblem::NotFor { name: name.to_owned(), origin });
        }
        let is_safe = at.scheme() == "https" || is_loopback(at);
        (!is_safe).then(|| SecretProblem::Unsafe(name.to_owned()))
    }

    /// The secret, which is read once in the life of the process: that may take a minute. One that could not be had is tried again, but
    /// not at once.
    ///
    /// # Errors
    /// Why it cannot be had, in words.
    pub fn value(&self, name: &str, at: &Url) -> Result<HeaderValue, SecretProblem> {
        self.value_at(name, at, Instant::now())
    }

    fn value_at(&self, name: &str, at: &Url, now: Instant) -> Result<HeaderValue, SecretProblem> {
        if let Some(why) = self.why_not(name, at) {
            return Err(why);
        }
        let Some(secret) = self.0.get(name) else { return Err(SecretProblem::Unknown(name.to_owned())) };
        let unread = |SecretUnread(why)| SecretProblem::Unread { name: name.to_owned(), why };
        let mut known = secret.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Known::Value(value) => return Ok(value.clone()),
            Known::Failed(then, why) if now.saturating_duration_since(*then) < AGAIN_AFTER => {
                return Err(unread(why.clone()));
            }
            Known::Failed(..) | Known::Nothing => {}
        }
        let read = (secret.read)().and_then(|text| valued(&text));
        *known = match &read {
            Ok(value) => Known::Value(value.clone()),
            Err(why) => Known::Failed(Instant::now(), why.clone()),
        };
        read.map_err(unread)
    }

    /// Whether all that is secret in these headers may go to that address.
    pub(super) fn may_go(&self, headers: &[Header], at: &Url) -> bool {
        headers.iter().filter_map(Header::secret).all(|name| self.why_not(name, at).is_none())
    }

    /// Why these headers cannot be sent to that address; none where they can.
    pub(super) async fn withheld(&self, headers: &[Header], at: &Url) -> Option<String> {
        self.sent(headers, at).await.err().map(|failure| failure.to_string())
    }

    /// What these headers send to that address: name and value each.
    pub(super) async fn sent(&self, headers: &[Header], at: &Url) -> Result<Vec<(String, HeaderValue)>, HttpFailure> {
        let mut sent = Vec::with_capacity(headers.len());
        for header in headers {
            let value = match header.secret() {
                Some(name) => {
                    let (secrets, name, at) = (self.clone(), name.to_owned(), at.clone());
                    let value = tokio::task::spawn_blocking(move || secrets.value(&name, &at)).await;
                    match value {
                        Ok(value) => value.map_err(|problem| HttpFailure::Withheld(problem.to_string())),
                        Err(error) => Err(HttpFailure::Withheld(error.to_string())),
                    }
                }
                None => HeaderValue::try_from(&*header.value.identity())
                    .map_err(|error| HttpFailure::NotSent(error.to_string())),
            };
            sent.push((header.name.clone(), value?));
        }
        Ok(sent)
    }
}

const NO_VALUE: &str =
    "it is no header's value: one line of visible ASCII, of at most 1,024 bytes, without blanks around it";

/// The value of a header, without the end of its line.
fn valued(text: &str) -> Result<HeaderValue, SecretUnread> {
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    let value = Some(line).filter(|line| is_header_value(line)).and_then(|line| HeaderValue::try_from(line).ok());
    let mut value = value.ok_or_else(|| SecretUnread(NO_VALUE.to_owned()))?;
    if value.len() < BYTES_MIN {
        return Err(SecretUnread(format!(
            "it is shorter than {BYTES_MIN} bytes, and could not be told from other words"
        )));
    }
    value.set_sensitive(true);
    Ok(value)
}

/// The values among these that nobody is shown, in each form in which they come back: as they are, in JSON with its slashes escaped, and in
/// an address.
fn secrets(sent: &[(String, HeaderValue)]) -> impl Iterator<Item = Vec<u8>> {
    let values = sent.iter().map(|(_, value)| value).filter(|value| value.is_sensitive());
    values.filter_map(|value| value.to_str().ok()).flat_map(|text| {
        let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let unreserved = ["-", ".", "_", "~"].iter().fold(encoded.clone(), |text, sign| {
            text.replace(&utf8_percent_encode(sign, NON_ALPHANUMERIC).to_string(), sign)
        });
        [text.to_owned(), text.replace('/', "\\/"), unreserved, encoded].map(String::into_bytes)
    })
}

/// Whether a text that is needed as it is holds a secret of those that were sent.
pub(super) fn repeats(text: &str, sent: &[(String, HeaderValue)]) -> bool {
    secrets(sent).any(|secret| memchr::memmem::find(text.as_bytes(), &secret).is_some())
}

/// A text without the secrets that were sent.
pub(super) fn hide_in(text: &mut String, sent: &[(String, HeaderValue)]) {
    if repeats(text, sent) {
        let mut bytes = std::mem::take(text).into_bytes();
        secrets(sent).for_each(|secret| _ = cover(&mut bytes, &secret));
        *text = String::from_utf8_lossy(&bytes).into_owned();
    }
}

/// What was answered, without the secrets that it was sent: an origin may repeat them. That something is covered is noted.
pub(super) fn hide(answer: &mut HttpAnswer, sent: &[(String, HeaderValue)]) {
    let in_head = answer.headers.iter().any(|(_, value)| repeats(value, sent));
    answer.headers.iter_mut().for_each(|(_, value)| hide_in(value, sent));
    let mut in_body = false;
    for secret in secrets(sent) {
        in_body |= cover(&mut answer.body, &secret);
    }
    if in_head || in_body {
        let place = if in_body { IN_BODY } else { "head" };
        answer.headers.push((COVERED.to_owned(), place.to_owned()));
    }
}

/// Whether a result's or a poll's address, or a result that stands in the answer itself, may not be what the origin sent, as a secret
/// is covered in it.
pub(super) fn is_covered_at(answer: &HttpAnswer, url: &Url) -> bool {
    let Some(place) = answer.header(COVERED) else { return false };
    if is_inline(url) { place == IN_BODY } else { url.as_str().contains(&"*".repeat(BYTES_MIN)) }
}

/// Why an answer with a covered result is not understood.
pub(super) const COVERED_RESULT: &str = "the result, or the address where it stands, repeats the secret that the request was sent with: in \
     the answer that is kept stars stand for it; put it there, and ask for the result by hand";

/// Whether it was there.
fn cover(bytes: &mut [u8], secret: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(bytes.get(from..).unwrap_or_default(), secret) {
        let start = from.saturating_add(at);
        from = start.saturating_add(secret.len());
        bytes.get_mut(start..from).unwrap_or_default().fill(b'*');
    }
    from > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &'static str) -> SecretHeaders {
        let mut secrets = SecretHeaders::default();
        let origins = ["api.example".to_owned(), "plain.example".to_owned(), "127.0.0.1:8080".to_owned()].into();
        secrets.add("KEY", origins, Arc::new(move || Ok(text.to_owned())));
        secrets
    }

    #[test]
    fn a_secret_goes_to_the_origins_that_are_listed_and_nowhere_else() {
        let secrets = secrets("sk-123456\n");
        for (at, goes) in [
            ("https://api.example/v1", true),
            ("https://api.example:8443/v1", false),
            ("https://evil.example/api.example", false),
            ("http://plain.example/", false),
            ("http://127.0.0.1:8080/x", true),
        ] {
            let value = secrets.value("KEY", &Url::parse(at).unwrap());
            assert_eq!(value.is_ok(), goes, "{at}");
            assert!(value.is_err() || value.is_ok_and(|value| value == "sk-123456" && value.is_sensitive()), "{at}");
        }
        let other = secrets.value("OTHER", &Url::parse("https://api.example/").unwrap()).unwrap_err();
        assert_eq!(other.to_string(), "the configuration has no secret OTHER");
        assert!(!format!("{secrets:?}").contains("sk-"));
    }

    #[test]
    fn a_secret_is_kept_once_it_is_read_and_one_that_could_not_be_had_is_tried_again() {
        let (at, reads) = (Url::parse("https://api.example/").unwrap(), Arc::new(Mutex::new(0)));
        let (mut secrets, count) = (SecretHeaders::default(), Arc::clone(&reads));
        let locked_once = move || {
            let mut reads = count.lock().unwrap();
            *reads += 1;
            if *reads == 1 { Err(SecretUnread("it is locked".to_owned())) } else { Ok("sk-123456".to_owned()) }
        };
        secrets.add("KEY", ["api.example".to_owned()].into(), Arc::new(locked_once));
        assert!(secrets.value("KEY", &at).is_err());
        assert!(secrets.value("KEY", &at).is_err(), "at once it is not tried again");
        assert_eq!(*reads.lock().unwrap(), 1);
        for _ in 0..2 {
            assert!(secrets.value_at("KEY", &at, Instant::now() + 2 * AGAIN_AFTER).is_ok());
        }
        assert_eq!(*reads.lock().unwrap(), 2);
    }

    #[test]
    fn what_is_no_value_of_a_header_is_none() {
        let short = secrets("1234567\n").value("KEY", &Url::parse("https://api.example/").unwrap()).unwrap_err();
        assert!(short.to_string().contains("shorter than 8 bytes"), "{short}");
        for text in ["", "\n", "a\r\nX-Other: 1", "a\n\n", " a", "\u{e9}"] {
            let why = secrets(text).value("KEY", &Url::parse("https://api.example/").unwrap()).unwrap_err().to_string();
            assert!(why.starts_with("the secret KEY cannot be had: it is no header's value"), "{text:?}: {why}");
        }
    }

    #[test]
    fn what_comes_back_in_another_form_is_covered_as_well() {
        let mut value = HeaderValue::from_static("AbCd/EfGh+Ij-KlMn==");
        value.set_sensitive(true);
        let sent = [("x-key".to_owned(), value)];
        for form in [
            "AbCd/EfGh+Ij-KlMn==",
            r"AbCd\/EfGh+Ij-KlMn==",
            "AbCd%2FEfGh%2BIj-KlMn%3D%3D",
            "AbCd%2FEfGh%2BIj%2DKlMn%3D%3D",
        ] {
            let body = format!("{{\"error\":\"broken for {form}!\"}}").into_bytes();
            let mut answer = HttpAnswer { status: 500, headers: vec![("location".to_owned(), form.to_owned())], body };
            hide(&mut answer, &sent);
            let shown = String::from_utf8(answer.body).unwrap();
            assert!(
                shown.contains("broken for ***") && !shown.contains("EfGh") && answer.headers[0].1.starts_with("***"),
                "{shown}"
            );
        }
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_kept_without_it() {
        let at = Url::parse("https://api.example/").unwrap();
        let value = secrets("sk-123456").value("KEY", &at).unwrap();
        let mut answer = HttpAnswer {
            status: 401,
            headers: vec![("x-you-sent".to_owned(), "sk-123456".to_owned())],
            body: b"{\"error\":\"sk-123456 or sk-123456 is wrong\"}".to_vec(),
        };
        hide(&mut answer, &[("X-Key".to_owned(), value)]);
        assert_eq!(answer.headers[0].1, "*********");
        assert!(answer.header(COVERED).is_some());
        assert_eq!(answer.body, b"{\"error\":\"********* or ********* is wrong\"}");
    }
}
