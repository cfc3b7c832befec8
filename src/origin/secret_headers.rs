//! Secrets that go in the head of requests: from where the user's configuration says, to the origins that it lists, and nowhere else. An
//! endpoint only names them; what is kept and compared of a request is that name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use reqwest::header::HeaderValue;
use url::Url;

use super::HttpFailure;
use crate::catalog::{Header, is_header_value, origin_of};
use crate::loopback::is_loopback;
use crate::purchase::HttpAnswer;

/// Shorter ones are not looked for in what comes back: they stand anywhere.
const HIDDEN_BYTES_MIN: usize = 6;

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
    value: OnceLock<Result<HeaderValue, SecretUnread>>,
}

impl fmt::Debug for SecretHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl SecretHeaders {
    /// Adds one: who may have it, by host, and port where it is not the usual one, and where it is read once it is needed.
    pub fn add(&mut self, name: &str, origins: BTreeSet<String>, read: ReadSecret) {
        self.0.insert(name.to_owned(), Arc::new(Secret { origins, read, value: OnceLock::new() }));
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

    /// The secret, which is read once in the life of the process: that may take a minute.
    ///
    /// # Errors
    /// Why it cannot be had, in words.
    pub fn value(&self, name: &str, at: &Url) -> Result<HeaderValue, SecretProblem> {
        if let Some(why) = self.why_not(name, at) {
            return Err(why);
        }
        let Some(secret) = self.0.get(name) else { return Err(SecretProblem::Unknown(name.to_owned())) };
        let value = secret.value.get_or_init(|| (secret.read)().and_then(|text| valued(&text)));
        value.clone().map_err(|SecretUnread(why)| SecretProblem::Unread { name: name.to_owned(), why })
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
                        Ok(value) => value.map_err(|problem| problem.to_string()),
                        Err(error) => Err(error.to_string()),
                    }
                }
                None => HeaderValue::try_from(&*header.value.identity()).map_err(|error| error.to_string()),
            };
            sent.push((header.name.clone(), value.map_err(HttpFailure::NotSent)?));
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
    value.set_sensitive(true);
    Ok(value)
}

/// What was answered, without the secrets that it was sent: an origin may repeat them.
pub(super) fn hide(answer: &mut HttpAnswer, sent: &[(String, HeaderValue)]) {
    let secrets = sent.iter().map(|(_, value)| value).filter(|value| value.is_sensitive());
    for secret in secrets.map(HeaderValue::as_bytes).filter(|secret| secret.len() >= HIDDEN_BYTES_MIN) {
        for (_, value) in &mut answer.headers {
            let mut bytes = std::mem::take(value).into_bytes();
            cover(&mut bytes, secret);
            *value = String::from_utf8_lossy(&bytes).into_owned();
        }
        cover(&mut answer.body, secret);
    }
}

fn cover(bytes: &mut [u8], secret: &[u8]) {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(bytes.get(from..).unwrap_or_default(), secret) {
        let start = from.saturating_add(at);
        from = start.saturating_add(secret.len());
        bytes.get_mut(start..from).unwrap_or_default().fill(b'*');
    }
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
    fn what_is_no_value_of_a_header_is_none() {
        for text in ["", "\n", "a\r\nX-Other: 1", "a\n\n", " a", "\u{e9}"] {
            let why = secrets(text).value("KEY", &Url::parse("https://api.example/").unwrap()).unwrap_err().to_string();
            assert!(why.starts_with("the secret KEY cannot be had: it is no header's value"), "{text:?}: {why}");
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
        assert_eq!(answer.body, b"{\"error\":\"********* or ********* is wrong\"}");
    }
}
