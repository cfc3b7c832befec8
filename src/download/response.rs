//! What the answer to a fetch means, before its body.

use crate::ledger::Resume;
use crate::origin::FetchHead;
use crate::terminal_text::printable;

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The whole follows.
    Whole {
        /// Its length, where it is said.
        total: Option<u64>,
    },
    /// What follows belongs to the end of the part.
    Rest,
    /// The part is of no use: ask for the whole.
    Anew,
    /// Later perhaps; the host wants to be left alone where `slower`.
    Again { words: String, slower: bool },
    /// The address does not serve the result, now or any more.
    Gone(String),
    /// No other try would change it.
    Never(String),
}

/// Judges an answer: to a request for what follows `from`, or for the whole. `known`: what is noted
/// of the part that is on the disk.
/// What is encoded in a way that is not undone here is kept as it comes once a person has taken it for the result (`is_taken`).
pub(super) fn read_response(
    head: &FetchHead,
    from: Option<u64>,
    known: Option<&Resume>,
    bytes_max: u64,
    is_taken: bool,
) -> Verdict {
    let same = known.filter(|known| head.version.as_ref() == Some(&known.version));
    let total = match (head.status, from.zip(known)) {
        (206, Some((from, known))) => {
            // An ETag has to be repeated (RFC 9110 15.3.7), a date need not: where one is left out, the server may not have
            // compared it either.
            let is_left_out = head.version.is_none() && !known.version.starts_with('"');
            // Whether the part on the disk is encoded likewise nobody says.
            let fits = head.range == Some((from, known.total)) && head.encoding.is_none();
            if !fits || !(same.is_some() || is_left_out) {
                return Verdict::Anew;
            }
            Some(known.total)
        }
        (416, Some(_)) => return Verdict::Anew,
        (200 | 203, asked) => match whole_total(head, known, asked.is_some()) {
            Ok(total) => total,
            Err(_) if asked.is_some() => return Verdict::Anew,
            Err(words) => return Verdict::Again { words, slower: false },
        },
        (status @ (408 | 425 | 429 | 500..=599), _) => {
            return Verdict::Again { words: format!("HTTP {status}"), slower: matches!(status, 429 | 503) };
        }
        (status @ 400..=499, _) => {
            return Verdict::Gone(format!("HTTP {status}: its address does not serve it; it may have expired"));
        }
        (status, _) => return Verdict::Again { words: format!("HTTP {status} without the result"), slower: false },
    };
    if let Some(encoding) = head.encoding.as_deref().filter(|_| !is_taken) {
        return Verdict::Gone(format!(
            "it comes encoded ({}), which was not asked for and is not undone here: `resolve --as delivered` has it kept as it comes",
            printable(encoding)
        ));
    }
    if total.is_some_and(|total| total > bytes_max) {
        return Verdict::Never(too_large(bytes_max));
    }
    if !head.ends_marked {
        let words = "the server does not say how long it is: a broken connection could not be told from its end";
        return Verdict::Never(words.to_owned());
    }
    if head.status == 206 { Verdict::Rest } else { Verdict::Whole { total } }
}

/// In words, a file beyond the limit.
pub(super) fn too_large(bytes_max: u64) -> String {
    format!("it is larger than {} MiB (--max-file-mib)", crate::money::thousands(bytes_max / (1 << 20)))
}

/// The length of the whole, where it is known: of one version there is one. What says that it is a part is one, whatever its
/// status, unless that part is the whole. An answer that names no version may be of the known one: asked for a rest, it is
/// the whole only where it makes the known length.
fn whole_total(head: &FetchHead, known: Option<&Resume>, is_asked_for_rest: bool) -> Result<Option<u64>, String> {
    let is_whole = head.length.is_some() && head.range == head.length.map(|length| (0, length));
    if head.is_part && !is_whole {
        return Err(format!("HTTP {} with a part of it, as if that were the whole", head.status));
    }
    let Some(known) = known.filter(|known| head.version.as_ref().is_none_or(|version| *version == known.version))
    else {
        return Ok(head.length);
    };
    match head.length {
        Some(length) if length != known.total && (head.version.is_some() || is_asked_for_rest) => {
            Err(format!("it was {} bytes long and is {length}, in one version", known.total))
        }
        Some(length) => Ok(Some(length)),
        None => Ok(Some(known.total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16) -> FetchHead {
        FetchHead { status, length: Some(100), ends_marked: true, ..FetchHead::default() }
    }

    fn judged(head: &FetchHead) -> Verdict {
        read_response(head, None, None, 1_000, false)
    }

    fn continued(range: Option<(u64, u64)>, version: Option<&str>) -> Verdict {
        continued_of("\"a\"", range, version)
    }

    fn continued_of(known: &str, range: Option<(u64, u64)>, version: Option<&str>) -> Verdict {
        let resume = Resume { version: known.to_owned(), total: 100, synced: 40, sha256: None };
        let head = FetchHead { range, version: version.map(str::to_owned), ..head(206) };
        read_response(&head, Some(40), Some(&resume), 1_000, false)
    }

    #[test]
    fn a_part_is_gone_on_with_where_it_fits() {
        assert_eq!(continued(Some((40, 100)), Some("\"a\"")), Verdict::Rest);
        assert_eq!(continued_of("Sun, 06 Nov 1994 08:49:37 GMT", Some((40, 100)), None), Verdict::Rest);
        assert_eq!(continued(Some((40, 100)), None), Verdict::Anew, "its tag is left out");
        for (range, version) in
            [(None, "\"a\""), (Some((0, 100)), "\"a\""), (Some((40, 101)), "\"a\""), (Some((40, 100)), "\"b\"")]
        {
            assert_eq!(continued(range, Some(version)), Verdict::Anew, "{range:?} {version}");
        }
        assert!(matches!(judged(&head(206)), Verdict::Again { .. }), "a part that nobody asked for");
    }

    /// As it was seen: asked to go on, the server answers 200 with the rest alone, which is whole by its own length.
    #[test]
    fn a_part_that_is_called_the_whole_is_none() {
        let known = Resume { version: "\"a\"".to_owned(), total: 100, synced: 40, sha256: None };
        let of = |from: Option<u64>, known: Option<&Resume>, head: FetchHead| {
            read_response(&head, from, known, 1_000, false)
        };
        let version = Some("\"a\"".to_owned());
        let rest = || FetchHead { is_part: true, length: Some(60), range: Some((40, 100)), ..head(200) };
        assert_eq!(of(Some(40), Some(&known), rest()), Verdict::Anew);
        assert!(matches!(of(None, None, rest()), Verdict::Again { slower: false, .. }));
        assert!(matches!(of(None, None, FetchHead { range: None, ..rest() }), Verdict::Again { .. }));
        let all = FetchHead { is_part: true, range: Some((0, 100)), ..head(200) };
        assert_eq!(of(None, None, all), Verdict::Whole { total: Some(100) });
        // The rest alone, without a word that it is that.
        let short = || FetchHead { length: Some(60), version: version.clone(), ..head(200) };
        assert_eq!(of(Some(40), Some(&known), short()), Verdict::Anew);
        assert!(matches!(of(None, Some(&known), short()), Verdict::Again { .. }));
        let changed = FetchHead { version: Some("\"b\"".to_owned()), ..short() };
        assert_eq!(of(Some(40), Some(&known), changed), Verdict::Whole { total: Some(60) });
        let unsized_whole = FetchHead { length: None, version, ..head(200) };
        assert_eq!(of(Some(40), Some(&known), unsized_whole), Verdict::Whole { total: Some(100) });
        // And without a word of its version: the known total is what it is held against.
        let silent = |length| FetchHead { length, ..head(200) };
        assert_eq!(of(Some(40), Some(&known), silent(Some(60))), Verdict::Anew);
        for length in [Some(100), None] {
            assert_eq!(of(Some(40), Some(&known), silent(length)), Verdict::Whole { total: Some(100) }, "{length:?}");
        }
        // What was asked for as a whole may have changed: whoever asked compares.
        assert_eq!(of(None, Some(&known), silent(Some(60))), Verdict::Whole { total: Some(60) });
        assert_eq!(of(None, None, silent(Some(60))), Verdict::Whole { total: Some(60) });
    }

    #[test]
    fn statuses() {
        assert_eq!(judged(&head(200)), Verdict::Whole { total: Some(100) });
        for gone in [400, 401, 403, 404, 410, 451] {
            assert!(matches!(judged(&head(gone)), Verdict::Gone(_)), "{gone}");
        }
        for again in [100, 204, 300, 304, 408, 425, 500, 502, 504] {
            assert!(matches!(judged(&head(again)), Verdict::Again { slower: false, .. }), "{again}");
        }
        for slower in [429, 503] {
            assert!(matches!(judged(&head(slower)), Verdict::Again { slower: true, .. }), "{slower}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_not_taken() {
        let encoded = FetchHead { encoding: Some("br".to_owned()), ..head(200) };
        assert!(matches!(judged(&encoded), Verdict::Gone(_)));
        assert_eq!(read_response(&encoded, None, None, 1_000, true), Verdict::Whole { total: Some(100) });
        let known = Resume { version: "\"a\"".to_owned(), total: 100, synced: 40, sha256: None };
        let rest = FetchHead { status: 206, range: Some((40, 100)), version: Some("\"a\"".to_owned()), ..encoded };
        assert_eq!(read_response(&rest, Some(40), Some(&known), 1_000, true), Verdict::Anew);
        assert!(matches!(judged(&FetchHead { ends_marked: false, length: None, ..head(200) }), Verdict::Never(_)));
        assert!(matches!(judged(&FetchHead { length: Some(1_001), ..head(200) }), Verdict::Never(_)));
        assert_eq!(judged(&FetchHead { length: None, ..head(200) }), Verdict::Whole { total: None });
    }
}
