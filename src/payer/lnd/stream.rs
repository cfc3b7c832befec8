//! LND's bytes as messages: newline-delimited JSON, an object split over chunks, and the shapes that it comes in.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::terminal_text::printable;

/// Longest line that is read, in bytes. A payment with many attempts takes some tens of kilobytes.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// Cuts a body into lines, however its chunks fall.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the line that is not given out yet begins.
    start: usize,
    /// Up to where there is no line end.
    scanned: usize,
}

/// A line is longer than any that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {LINE_BYTES_MAX} bytes")]
pub(super) struct TooLong;

impl Lines {
    /// Takes in what arrived.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned = self.scanned.saturating_sub(self.start);
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole line that is not blank, without its end.
    ///
    /// # Errors
    /// Where a line is too long, ended or not. The rest of the body is then useless.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, TooLong> {
        while let Some(length) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let (start, end) = (self.start, self.scanned + length);
            self.start = end + 1;
            self.scanned = self.start;
            let line = start..end;
            if line.len() > LINE_BYTES_MAX {
                return Err(TooLong);
            }
            if !is_blank(&self.buffer[line.clone()]) {
                return Ok(Some(&self.buffer[line]));
            }
        }
        self.scanned = self.buffer.len();
        if self.buffer.len() - self.start > LINE_BYTES_MAX { Err(TooLong) } else { Ok(None) }
    }

    /// What came after the last line end, once the body has ended.
    pub(super) fn rest(&mut self) -> Option<&[u8]> {
        let start = self.start;
        self.start = self.buffer.len();
        self.scanned = self.start;
        let rest = &self.buffer[start..];
        (!is_blank(rest)).then_some(rest)
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// A message in one of LND's shapes.
pub(super) enum Message<'a> {
    /// `{"result":{…}}`: a payment as it stands.
    Payment(Payment<'a>),
    /// `{"error":{…}}`, or the same without its envelope.
    Error(ErrorMessage),
}

/// A payment (`lnrpc.Payment`), as far as it matters here. No `Debug`: it holds the preimage.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Payment<'a> {
    #[serde(borrow)]
    pub(super) payment_hash: Field<'a>,
    #[serde(borrow)]
    pub(super) payment_preimage: Field<'a>,
    #[serde(borrow)]
    pub(super) status: Field<'a>,
    #[serde(borrow)]
    pub(super) failure_reason: Field<'a>,
    #[serde(borrow)]
    pub(super) fee_msat: Field<'a>,
    #[serde(borrow)]
    pub(super) payment_index: Field<'a>,
}

/// A field that may be of another type than today without spoiling the rest: a preimage is never lost to a fee that
/// does not parse.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Field<'a> {
    /// A JSON string. LND writes 64-bit integers so. It stands first: each shape that does not fit costs the words that say so.
    #[serde(borrow)]
    Text(Cow<'a, str>),
    /// A JSON integer.
    Whole(i64),
    /// Anything else, or nothing.
    Other(IgnoredAny),
}

impl Default for Field<'_> {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl Field<'_> {
    /// The string, empty where it is none.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Whole(_) | Self::Other(_) => "",
        }
    }

    /// The integer that is not negative, from a string or a number.
    pub(super) fn unsigned(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
            Self::Other(_) => None,
        }
    }
}

/// An error in LND's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ErrorMessage {
    /// The gRPC code.
    pub(super) code: i64,
    /// LND's words, harmless to a terminal.
    pub(super) message: String,
    /// Whether it came as `{"error":{…}}`, the form of a call that reached its stream.
    pub(super) wrapped: bool,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<Payment<'a>>,
    #[serde(borrow)]
    error: Option<Status<'a>>,
    code: Option<i64>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    details: Option<Vec<IgnoredAny>>,
}

/// `google.rpc.Status`. All three fields are demanded: a proxy's error seldom has them.
#[derive(Deserialize)]
struct Status<'a> {
    code: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(rename = "details")]
    _details: Vec<IgnoredAny>,
}

impl<'a> Message<'a> {
    /// The message of one line (or of a whole error body), or nothing where it has none of LND's shapes.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let envelope: Envelope<'a> = serde_json::from_slice(line).ok()?;
        match (envelope.result, envelope.error, envelope.code, envelope.message, envelope.details) {
            (Some(payment), None, None, None, None) => Some(Self::Payment(payment)),
            (None, Some(status), None, None, None) => Some(Self::error(status.code, &status.message, true)),
            (None, None, Some(code), Some(message), Some(_)) => Some(Self::error(code, &message, false)),
            _ => None,
        }
    }

    fn error(code: i64, message: &str, wrapped: bool) -> Self {
        Self::Error(ErrorMessage { code, message: printable(message), wrapped })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every line of a body that arrives in these chunks, and whether a line was too long.
    fn lines_of(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk);
            loop {
                match lines.next_line() {
                    Ok(Some(line)) => out.push(line.to_vec()),
                    Ok(None) => break,
                    Err(TooLong) => return (out, true),
                }
            }
        }
        out.extend(lines.rest().map(<[u8]>::to_vec));
        assert!(lines.rest().is_none());
        (out, false)
    }

    fn payment(line: &str) -> Payment<'_> {
        match Message::parse(line.as_bytes()) {
            Some(Message::Payment(payment)) => payment,
            _ => panic!("no payment: {line}"),
        }
    }

    #[test]
    fn an_object_may_arrive_split_and_without_its_last_line_end() {
        let (lines, _) = lines_of(&[b"{\"a\"", b":1}\r", b"\n\n{\"b\":2}\n{\"c\"", b":3}"]);
        assert_eq!(lines, [&b"{\"a\":1}\r"[..], b"{\"b\":2}", b"{\"c\":3}"]);
    }

    #[test]
    fn a_line_has_a_bound() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(lines_of(&[b"a\n", &long]), (vec![b"a".to_vec()], true));
        assert_eq!(lines_of(&[&[&long[..], b"\n"].concat()]), (vec![], true));
        assert_eq!(lines_of(&[&long[1..], b"\n"]).0[0].len(), LINE_BYTES_MAX);
    }

    #[test]
    fn integers_come_as_strings_or_numbers() {
        let of = |line: &str| payment(line).fee_msat.unsigned();
        assert_eq!(of(r#"{"result":{"fee_msat":"1005"}}"#), Some(1_005));
        assert_eq!(of(r#"{"result":{"fee_msat":1005}}"#), Some(1_005));
        for none in ["\"-1\"", "-1", "1.5", "\"1.5\"", "\"\"", "null", "[]", "true", "\"99999999999999999999\""] {
            assert_eq!(of(&format!(r#"{{"result":{{"fee_msat":{none}}}}}"#)), None, "{none}");
        }
    }

    #[test]
    fn unknown_and_odd_fields_spoil_nothing() {
        let line = r#"{"new":{"deep":[1]},"result":{"status":"SUCCE\u0045DED","failure_reason":7,"htlcs":[{"x":1}]}}"#;
        assert_eq!(payment(line).status.text(), "SUCCEEDED");
        assert_eq!(payment(line).failure_reason.text(), "");
        assert_eq!(payment(line).payment_hash.text(), "");
    }

    #[test]
    fn errors_come_wrapped_and_unwrapped() {
        let of = |line: &str| match Message::parse(line.as_bytes()) {
            Some(Message::Error(error)) => Some((error.code, error.message, error.wrapped)),
            Some(Message::Payment(_)) | None => None,
        };
        let (wrapped, bare) = (
            r#"{"error":{"code":6,"message":"x\u001b","details":[]}}"#,
            r#"{"code":5,"message":"Not Found","details":[]}"#,
        );
        assert_eq!(of(wrapped), Some((6, "x\u{fffd}".to_owned(), true)));
        assert_eq!(of(bare), Some((5, "Not Found".to_owned(), false)));
    }

    #[test]
    fn what_is_not_in_lnds_form_is_nothing() {
        for line in [
            "",
            "{}",
            "null",
            "[]",
            "502",
            "<html>",
            "{\"error\":\"bad gateway\"}",
            "{\"error\":{\"code\":502,\"message\":\"x\"}}",
            "{\"message\":\"Forbidden\"}",
            "{\"code\":5,\"message\":\"x\"}",
            "{\"result\":null}",
            "{\"result\":\"ok\"}",
            "{\"result\":{},\"error\":{\"code\":2,\"message\":\"x\",\"details\":[]}}",
            "{\"result\":{}} {}",
            "{\"result\":{}",
        ] {
            assert!(Message::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(Message::parse("[".repeat(100_000).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(body in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
                                    cuts in proptest::collection::vec(0usize..200, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines_of(&chunks), lines_of(&[&body]));
        }

        #[test]
        fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::parse(&line);
        }

        #[test]
        fn no_field_makes_it_panic(text in r#"[-{}\[\]":,a-z0-9\\.]{0,40}"#) {
            for field in ["status", "payment_preimage", "fee_msat", "payment_index"] {
                let _ = Message::parse(format!(r#"{{"result":{{"{field}":{text}}}}}"#).as_bytes());
            }
            let _ = Message::parse(format!(r#"{{"error":{text}}}"#).as_bytes());
        }
    }
}
