//! How a person names a take of a job.

use std::fmt;

/// A take of a job, as a person names it: `ID@TAKE`. An id alone means its first take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakeId {
    /// The job's id.
    pub id: String,
    /// Which take of it, from 1.
    pub take: u32,
}

impl TakeId {
    /// What was typed. An id may hold `@`, too: what is an id as a whole is one. None where neither the whole nor what
    /// stands before the last `@` is an id.
    pub fn read(typed: &str, is_id: impl Fn(&str) -> bool) -> Option<Self> {
        if is_id(typed) {
            return Some(Self { id: typed.to_owned(), take: 1 });
        }
        let (id, take) = split(typed).filter(|(id, _)| is_id(id))?;
        Some(Self { id: id.to_owned(), take })
    }

    /// Whether what was typed is one job's id as a whole, and a take of another job.
    #[must_use]
    pub fn is_ambiguous(typed: &str, is_id: impl Fn(&str) -> bool) -> bool {
        is_id(typed) && split(typed).is_some_and(|(id, _)| is_id(id))
    }
}

impl fmt::Display for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.take)
    }
}

/// `ID@TAKE` at its last `@`, where a number follows it.
fn split(typed: &str) -> Option<(&str, u32)> {
    let (id, take) = typed.rsplit_once('@')?;
    let digits = !take.is_empty() && take.bytes().all(|byte| byte.is_ascii_digit());
    let take = if digits { take.parse().ok()? } else { return None };
    Some((id, take)).filter(|(id, take)| !id.is_empty() && *take > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_hold_an_at_sign_and_then_means_itself() {
        let is_id = |id: &str| ["a", "a@2", "mail@example.com", "@"].contains(&id);
        let read = |typed: &str| TakeId::read(typed, is_id).map(|take| take.to_string());
        assert_eq!(read("a").unwrap(), "a@1");
        assert_eq!(read("a@3").unwrap(), "a@3");
        assert_eq!(read("a@2").unwrap(), "a@2@1", "an exact id wins");
        assert_eq!(read("a@2@2").unwrap(), "a@2@2");
        assert_eq!(read("mail@example.com@2").unwrap(), "mail@example.com@2");
        assert_eq!(read("@@7").unwrap(), "@@7");
        let two: Vec<_> =
            ["a", "a@2", "a@2@1", "a@3"].into_iter().filter(|typed| TakeId::is_ambiguous(typed, is_id)).collect();
        assert_eq!(two, ["a@2"], "of two jobs");
        for not in ["b", "a@", "a@0", "a@+1", "a@x", "a@99999999999", "@1", ""] {
            assert_eq!(read(not), None, "{not}");
        }
    }
}
