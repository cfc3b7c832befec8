//! A `[[job]]` table, or a row, as the jobs that it stands for: one, or one in each combination of its `matrix`.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};

use super::{JobSpec, Nonce};
use crate::catalog::{Endpoint, PLANNED_TAKES_MAX, Value};
use crate::money::thousands;

/// The most combinations of one table in all their takes, what it excludes included.
pub(super) const JOBS_MAX: usize = 100_000;
/// The most combinations of one row in all their takes, what is excluded included: there may be a million rows.
pub(super) const ROW_JOBS_MAX: usize = 1_000;
/// What the hash of a value that cannot stand in an id begins over. It never changes: ids are made of it.
const TAG: &[u8] = b"l402-batch matrix value 1";
/// The longest text of a value that stands in an id as it is.
const PLAIN_CHARS_MAX: usize = 24;
/// So much of a hash stands in an id.
const HASH_CHARS: usize = 10;

/// One table, or one row.
pub(super) struct JobTable {
    /// Its job, in the first combination.
    first: JobSpec,
    matrix: Option<Arc<Matrix>>,
    /// How many takes of each are planned.
    takes: u32,
}

/// What varies from job to job of a table, in the order in which it is written: the last varies fastest.
pub(super) struct Matrix {
    axes: Vec<Axis>,
    /// By combination.
    is_excluded: Vec<bool>,
}

/// One key of a matrix with its values, at least one.
pub(super) enum Axis {
    /// A parameter, by its place at the endpoint.
    Param(usize, Vec<Value>),
    /// An `x_*`.
    Extra(String, Vec<String>),
}

impl Axis {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Param(_, values) => values.len(),
            Self::Extra(_, texts) => texts.len(),
        }
    }

    /// The value at that place, as it stands in an id; none beyond the last.
    pub(super) fn word(&self, at: usize) -> Option<String> {
        match self {
            Self::Param(_, values) => Some(word(&values.get(at)?.to_string())),
            Self::Extra(_, texts) => Some(word(texts.get(at)?)),
        }
    }

    /// Its first value, where it is that of the parameter at that place.
    pub(super) fn first_of(&self, param: usize) -> Option<&Value> {
        match self {
            Self::Param(at, values) if *at == param => values.first(),
            Self::Param(..) | Self::Extra(..) => None,
        }
    }

    /// Gives the job that value.
    fn set(&self, at: usize, job: &mut JobSpec) {
        match self {
            Self::Param(param, values) => {
                if let Some(value) = job.values.get_mut(*param) {
                    *value = values.get(at).cloned();
                }
            }
            Self::Extra(name, texts) => {
                let text = texts.get(at).filter(|text| !text.is_empty());
                let known = job.extra.iter().position(|(known, _)| known == name);
                match (known, text) {
                    (Some(known), None) => drop(job.extra.remove(known)),
                    (Some(known), Some(text)) => {
                        if let Some((_, before)) = job.extra.get_mut(known) {
                            before.clone_from(text);
                        }
                    }
                    (None, Some(text)) => job.extra.push((name.clone(), text.clone())),
                    (None, None) => {}
                }
            }
        }
    }
}

/// A value as it stands in an id: a short and plain text as it is, else `~` and a hash. Whatever other values there are, it is the same.
fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if (1..=PLAIN_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let hash = Sha256::new().chain_update(TAG).chain_update(text).finalize();
    let digits = BASE32_NOPAD.encode(&hash).to_lowercase();
    format!("~{}", digits.get(..HASH_CHARS).unwrap_or_default())
}

impl Matrix {
    /// All combinations of these.
    pub(super) fn of(axes: Vec<Axis>) -> Self {
        let all = axes.iter().map(Axis::len).product();
        Self { axes, is_excluded: vec![false; all] }
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Leaves out each combination that has these values: by key the place of each, where it names one. Gives how many are left out
    /// that were not before.
    pub(super) fn exclude(&mut self, values: &[Option<usize>]) -> usize {
        let mut found = 0;
        let all = 0..self.is_excluded.len();
        for cell in self.cell(values).map_or(all, |cell| cell..cell + 1) {
            let is_meant = self.places(cell).zip(values).all(|(at, value)| value.is_none_or(|value| value == at));
            if let Some(is_excluded) = self.is_excluded.get_mut(cell).filter(|known| is_meant && !**known) {
                *is_excluded = true;
                found += 1;
            }
        }
        found
    }

    /// How many combinations there are.
    pub(super) fn count(&self) -> usize {
        self.is_excluded.iter().filter(|is_excluded| !**is_excluded).count()
    }

    /// Whether its combinations, what is excluded included, are more than `most` in so many takes.
    pub(super) fn exceeds(&self, takes: u32, most: usize) -> bool {
        let takes = usize::try_from(takes).unwrap_or(usize::MAX);
        self.is_excluded.len().saturating_mul(takes) > most
    }

    /// The one combination that has these values, where every key names one.
    fn cell(&self, values: &[Option<usize>]) -> Option<usize> {
        self.axes.iter().zip(values).try_fold(0, |cell, (axis, value)| Some(cell * axis.len() + (*value)?))
    }

    /// Of one combination, the place of each key's value.
    fn places(&self, cell: usize) -> impl Iterator<Item = usize> {
        let mut size = self.is_excluded.len();
        let mut rest = cell;
        self.axes.iter().map(move |axis| {
            size /= axis.len().max(1);
            let at = rest / size.max(1);
            rest %= size.max(1);
            at
        })
    }

    /// The longest text that its values put behind an id.
    pub(super) fn longest_suffix(axes: &[Axis]) -> String {
        let longest = |axis: &Axis| (0..axis.len()).filter_map(|at| axis.word(at)).max_by_key(String::len);
        axes.iter().map(|axis| format!("-{}", longest(axis).unwrap_or_default())).collect()
    }

    /// `2 × 2 less 1 = 3 jobs`
    pub(super) fn words(&self) -> String {
        let sizes: Vec<String> = self.axes.iter().map(|axis| thousands(axis.len() as u64)).collect();
        let less = match self.is_excluded.len() - self.count() {
            0 => String::new(),
            less => format!(" less {}", thousands(less as u64)),
        };
        let jobs = crate::money::counted(self.count() as u64, "job");
        match (sizes.as_slice(), less.as_str()) {
            ([_], "") => jobs,
            (sizes, less) => format!("{}{less} = {jobs}", sizes.join(" × ")),
        }
    }
}

impl JobTable {
    pub(super) const fn new(first: JobSpec, matrix: Option<Arc<Matrix>>, takes: u32) -> Self {
        Self { first, matrix, takes }
    }

    /// Whether it stands for one job, its first.
    pub(super) const fn is_single(&self) -> bool {
        self.takes == 1 && self.matrix.is_none()
    }

    /// Its first job.
    pub(super) fn into_first(self) -> JobSpec {
        self.first
    }

    /// The endpoint of its jobs.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.first.endpoint
    }

    /// Whether several takes of each of its jobs are planned.
    pub(super) const fn is_repeated(&self) -> bool {
        self.takes > 1
    }

    /// How many jobs it stands for.
    pub(super) fn count(&self) -> usize {
        self.combinations().saturating_mul(usize::try_from(self.takes).unwrap_or(usize::MAX))
    }

    fn combinations(&self) -> usize {
        self.matrix.as_ref().map_or(1, |matrix| matrix.count())
    }

    /// The first of its jobs at that place, counted from 0, or at a later one; and the next place. None beyond the last. The takes of one
    /// combination follow one another.
    pub(super) fn job_from(&self, place: usize) -> Option<(JobSpec, usize)> {
        let takes = usize::try_from(self.takes).ok()?;
        let (asked, mut further) = (place.checked_div(takes)?, place.checked_rem(takes)?);
        let (mut job, next) = self.combination_from(asked)?;
        let cell = next.checked_sub(1)?;
        if cell > asked {
            further = 0;
        }
        let further_takes = u32::try_from(further).ok()?;
        if further_takes > 0 {
            further_take(&mut job, further_takes);
        }
        Some((job, cell * takes + further + 1))
    }

    /// The first of its combinations at that place, or at a later one; and the next place.
    fn combination_from(&self, cell: usize) -> Option<(JobSpec, usize)> {
        let Some(matrix) = &self.matrix else { return (cell == 0).then(|| (self.first.clone(), 1)) };
        let rest = matrix.is_excluded.get(cell..)?;
        let cell = cell + rest.iter().position(|is_excluded| !is_excluded)?;
        let mut job = self.first.clone();
        for (axis, at) in matrix.axes.iter().zip(matrix.places(cell)) {
            axis.set(at, &mut job);
            if let (Some(id), Some(word)) = (&mut job.id, axis.word(at)) {
                id.push('-');
                id.push_str(&word);
            }
        }
        Some((job, cell + 1))
    }

    /// Whether all that it stands for are so many takes of one job.
    pub(super) const fn is_takes(&self, takes: u32) -> bool {
        self.matrix.is_none() && self.takes == takes
    }

    /// How many jobs it stands for, for a person; none where it is one.
    pub(super) fn words(&self) -> Option<String> {
        let whose = match &self.first.id {
            Some(id) => format!("job \"{id}\""),
            None => format!("the job on line {}", self.first.line),
        };
        match (&self.matrix, self.takes) {
            (None, ..=1) => None,
            (None, takes) => Some(format!("repeat of {whose}: {takes} takes")),
            (Some(matrix), ..=1) => Some(format!("matrix of {whose}: {}", matrix.words())),
            (Some(matrix), takes) => {
                let all = thousands(self.count() as u64);
                Some(format!("matrix of {whose}: {}, each in {takes} takes = {all} takes", matrix.words()))
            }
        }
    }
}

/// What stands before the number of a planned take, in its id.
const TAKE: &str = ".t";

/// Makes of a job its planned take that is so many after the first. Without an id it is a job like another of the same content.
fn further_take(job: &mut JobSpec, further: u32) {
    job.take = further + 1;
    if let Some(id) = &mut job.id {
        id.push_str(&take_suffix(job.take));
    }
    let first = job.endpoint.nonce_at().map(|at| job.values.get(at).and_then(Option::clone));
    let Some(first) = first else { return };
    if let Some((param, value)) = job.endpoint.nonce_value(first.as_ref(), further)
        && let Some(place) = job.values.get_mut(param)
    {
        *place = Some(value);
        job.nonce = Some(Box::new(Nonce { param, first }));
    }
}

/// What the planned take of that number has behind the id; the first has nothing.
pub(crate) fn take_suffix(takes: u32) -> String {
    if takes > 1 { format!("{TAKE}{takes}") } else { String::new() }
}

/// The job of which that id names a planned take after the first, and which that is. A given id may look like one too.
pub(crate) fn planned_take(id: &str) -> Option<(&str, u32)> {
    let (job, number) = id.rsplit_once(TAKE).filter(|(job, _)| !job.is_empty())?;
    let take = number.parse().ok().filter(|take| (2..=PLANNED_TAKES_MAX).contains(take))?;
    (id.strip_prefix(job)? == take_suffix(take)).then_some((job, take))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_take_is_known_by_its_id() {
        for (id, is) in [
            ("opening.t2", Some(("opening", 2))),
            ("a.t3.t64", Some(("a.t3", 64))),
            ("opening", None),
            ("opening.t1", None),
            ("opening.t02", None),
            ("opening.t65", None),
            (".t2", None),
        ] {
            assert_eq!(planned_take(id), is, "{id}");
        }
        assert_eq!((take_suffix(1).as_str(), take_suffix(2).as_str()), ("", ".t2"));
    }

    #[test]
    fn words_of_ids_never_change() {
        for (text, expected) in [
            ("standard", "standard"),
            ("5", "5"),
            ("0.5", "0.5"),
            ("true", "true"),
            ("", "~msy62eszu5"),
            ("-3", "~cabselblo7"),
            ("a b", "~2m4oppeg3h"),
            ("A cat walking on the moon", "~je6slxqnuz"),
            ("größe", "~ed3drznkvz"),
        ] {
            assert_eq!(word(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_key_varies_fastest() {
        let axis =
            |name: &str, texts: &[&str]| Axis::Extra(name.to_owned(), texts.iter().map(|t| (*t).into()).collect());
        let mut matrix = Matrix::of(vec![axis("x_a", &["1", "2", "3"]), axis("x_b", &["p", "q"])]);
        let places = |matrix: &Matrix, cell| matrix.places(cell).collect::<Vec<_>>();
        assert_eq!(
            (0..6).map(|cell| places(&matrix, cell)).collect::<Vec<_>>(),
            [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
        );
        assert_eq!((matrix.exclude(&[Some(1), None]), matrix.exclude(&[Some(1), Some(0)])), (2, 0));
        assert_eq!((matrix.exclude(&[None, Some(1)]), matrix.count()), (2, 2));
        assert_eq!(matrix.words(), "3 × 2 less 4 = 2 jobs");
        let named = |cell| matrix.cell(&matrix.places(cell).map(Some).collect::<Vec<_>>());
        assert!((0..6).all(|cell| named(cell) == Some(cell)) && matrix.cell(&[Some(1), None]).is_none());
    }
}
