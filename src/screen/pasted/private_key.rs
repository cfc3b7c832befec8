//! Private keys in a text: as PEM, however its lines are broken, or what PEM frames.

use super::inside;

/// What a frame says between `BEGIN` and `PRIVATE KEY` has at most so many letters: `ENCRYPTED`, `OPENSSH`.
const KIND_CHARS_MAX: usize = 24;

const BEGIN: &str = "-BEGIN";
const KIND_END: &str = "PRIVATEKEY-";
const END: &str = "-END";

/// The framed keys in a text, without their frames.
pub(super) fn framed(typed: &str) -> Vec<&str> {
    let (places, plain): (Vec<usize>, String) = typed.char_indices().filter(|(_, c)| !c.is_whitespace()).unzip();
    // Where each byte of it stands in the text.
    let place = |at: usize| places.get(plain[..at].chars().count()).copied().unwrap_or(typed.len());
    let mut found = Vec::new();
    for (at, begin) in plain.match_indices(BEGIN) {
        let after = at + begin.len();
        let Some(kind) = plain[after..].find(KIND_END) else { break };
        let is_kind =
            kind <= KIND_CHARS_MAX && plain[after..after + kind].bytes().all(|byte| byte.is_ascii_uppercase());
        if is_kind {
            let body = after + kind + KIND_END.len();
            let end = plain[body..].find(END).map_or(plain.len(), |end| body + end);
            found.push(&typed[place(body)..place(end)]);
        }
    }
    found
}

/// The key that a run of encoded text is, or holds behind a name or a path.
pub(super) fn in_run(run: &str) -> Option<&str> {
    if run.len() < KIND_END.len() {
        return None;
    }
    let mut starts = std::iter::once(0).chain(run.match_indices(['/', '=']).map(|(at, _)| at + 1));
    starts.find(|at| inside::begins_private_key(&run[*at..])).map(|at| &run[at..])
}
