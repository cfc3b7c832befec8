//! Sums of jobs by what stands in a column.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::catalog::Value;
use crate::diagnostic::closest;
use crate::error::Hinted;
use crate::manifest::fold;

/// The most groups that are told apart.
pub const GROUPS_MAX: usize = 10_000;
/// The most columns that are remembered to be suggested.
const KNOWN_MAX: usize = 1_000;

/// A column of a manifest that tells groups of jobs apart: `endpoint`, a parameter or an `x_*`. Compared as headers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: String,
    folded: String,
}

impl Column {
    /// The column of that name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let folded = fold(name);
        let folded = folded.strip_prefix("params.").map(str::to_owned).unwrap_or(folded);
        Self { name: name.trim().to_owned(), folded }
    }

    /// As it was typed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands there of a job.
    fn value(&self, (endpoint, params, extra): Job<'_>) -> Result<Option<String>, NoSums> {
        if self.folded == "endpoint" {
            return Ok(Some(endpoint.to_owned()));
        }
        if let Some((_, value)) = params.iter().find(|(name, _)| fold(name) == self.folded) {
            return Ok(Some(value.to_string()));
        }
        let mut there = extra.iter().filter(|(name, _)| fold(name) == self.folded);
        match (there.next(), there.next()) {
            (Some((one, _)), Some((other, _))) => Err(NoSums::Twice { one: one.clone(), other: other.clone() }),
            (there, _) => Ok(there.map(|(_, text)| text.clone())),
        }
    }
}

/// A job's endpoint, its parameters and its `x_*`.
pub type Job<'a> = (&'a str, &'a [(String, Value)], &'a [(String, String)]);

/// Why jobs are not summed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSums {
    /// Nothing stands there in any job.
    #[error("{name}: no job has anything in such a column")]
    Nowhere {
        /// As it was typed.
        name: String,
        /// What may be meant.
        meant: Option<String>,
    },
    /// A job has two that compare alike.
    #[error("{one}: a job has {other} too, which is the same name")]
    Twice {
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// More than [`GROUPS_MAX`].
    #[error("{0}: more than {GROUPS_MAX} different values")]
    TooMany(String),
}

impl Hinted for NoSums {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Nowhere { meant: Some(meant), .. } => format!("did you mean {meant}?").into(),
            Self::Twice { .. } => "leave one of the two out of the manifest".into(),
            Self::Nowhere { meant: None, .. } | Self::TooMany(_) => {
                "sum by endpoint, by a parameter or by an x_* column that has few values".into()
            }
        })
    }
}

/// Groups of jobs, in the order of their first ones.
pub struct Groups<'c, T> {
    by: &'c Column,
    places: HashMap<Option<String>, usize>,
    groups: Vec<(Option<String>, T)>,
    known: BTreeSet<String>,
}

impl<'c, T: Default> Groups<'c, T> {
    /// None so far.
    #[must_use]
    pub fn by(by: &'c Column) -> Self {
        Self { by, places: HashMap::new(), groups: Vec::new(), known: BTreeSet::new() }
    }

    /// The place of the job's group, and what is summed of it so far.
    ///
    /// # Errors
    /// Where there are too many groups, or the job has two such columns.
    pub fn of(&mut self, job: Job<'_>) -> Result<(usize, &mut T), NoSums> {
        let value = self.by.value(job)?;
        if value.is_none() && self.known.len() < KNOWN_MAX {
            let (_, params, extra) = job;
            let names = params.iter().map(|(name, _)| name).chain(extra.iter().map(|(name, _)| name));
            names.for_each(|name| {
                if !self.known.contains(name) {
                    self.known.insert(name.clone());
                }
            });
        }
        let at = match self.places.get(&value) {
            Some(at) => *at,
            None if self.groups.len() >= GROUPS_MAX => return Err(NoSums::TooMany(self.by.name.clone())),
            None => {
                self.groups.push((value.clone(), T::default()));
                self.places.insert(value, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        Ok((at, self.at(at)))
    }

    /// The group at that place, which [`Self::of`] gave.
    ///
    /// # Panics
    /// Where it gave no such place.
    #[must_use]
    pub fn at(&mut self, place: usize) -> &mut T {
        &mut self.groups[place].1
    }

    /// All of them; what has nothing in the column is a group too.
    ///
    /// # Errors
    /// Where no job has anything there.
    pub fn finish(self) -> Result<Vec<(Option<String>, T)>, NoSums> {
        if self.groups.iter().any(|(value, _)| value.is_some()) || self.groups.is_empty() {
            return Ok(self.groups);
        }
        let known = self.known.iter().map(String::as_str).chain(["endpoint"]);
        let meant = closest(&self.by.folded, known).map(str::to_owned);
        Err(NoSums::Nowhere { name: self.by.name.clone(), meant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_in_one_job_are_not_chosen_from() {
        let extra = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| ((*name).to_owned(), "v".to_owned())).collect()
        };
        let by = Column::of("x_Client");
        let value = |names: &[&str]| by.value(("e", &[], &extra(names)));
        assert_eq!(value(&["x_client"]), Ok(Some("v".to_owned())));
        let twice = value(&["x_client", "x_Client"]).unwrap_err().to_string();
        assert_eq!(twice, "x_client: a job has x_Client too, which is the same name");
    }
}
