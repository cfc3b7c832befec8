//! The keys `matrix` and `exclude` of a `[[job]]` table, and of `[rows]`.

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::JobSpec;
use super::document_job::{Jobs, Keys, Pair};
use super::matrix::{Axis, JOBS_MAX, Matrix, ROW_JOBS_MAX};
use super::names::{EXTRA_PREFIX, JOB_KEYS, LATER_KEYS, id_problem};
use super::template::Template;
use super::values::{check, extra_text};
use crate::catalog::Value;
use crate::csv_escape::lf;
use crate::diagnostic::closest;
use crate::money::thousands;

/// The most tables of an `exclude`: each may be held against every combination.
const EXCLUDES_MAX: usize = 1_000;
const TWICE_HELP: &str = "keep one of the two";

/// A matrix as it is written.
pub(super) struct Written<'v> {
    /// The key itself.
    span: Range<usize>,
    lists: Vec<List<'v>>,
    excludes: Option<&'v Spanned<DeValue<'v>>>,
}

/// One key of it with its values, at least one.
struct List<'v> {
    name: &'v str,
    span: Range<usize>,
    values: &'v [Spanned<DeValue<'v>>],
}

/// How large a matrix may be.
pub(super) struct Bound {
    /// The most combinations in all their takes, what is excluded included.
    pub(super) most: usize,
    /// What stands for so many at most.
    pub(super) whose: &'static str,
    /// What to do about one that is larger.
    pub(super) way: &'static str,
}

/// That of a `[[job]]`.
pub(super) const OF_JOB: Bound = Bound { most: JOBS_MAX, whose: "[[job]]", way: "write several of them" };
/// That of the rows of a table.
pub(super) const OF_ROW: Bound = Bound { most: ROW_JOBS_MAX, whose: "row", way: "name fewer values" };

impl Bound {
    /// The error, and what to do, where a matrix in so many takes is more than that.
    pub(super) fn check(&self, matrix: Option<&Matrix>, takes: u32) -> Result<(), (String, String)> {
        if !matrix.is_some_and(|matrix| matrix.exceeds(takes, self.most)) {
            return Ok(());
        }
        let most = thousands(self.most as u64);
        let words = format!("repeat: {takes} takes of each combination of the matrix are more than {most}");
        Err((words, format!("one {} stands for {most} at most: {}, or plan fewer takes", self.whose, self.way)))
    }
}

impl Written<'_> {
    /// The `x_*` that varies, if any.
    pub(super) fn label(&self) -> Option<&str> {
        self.labels().next().map(|list| list.name)
    }

    fn labels(&self) -> impl Iterator<Item = &List<'_>> {
        self.lists.iter().filter(|list| is_extra(list.name) && list.values.len() > 1)
    }
}

/// The checked values of a list but for the first, which the job itself is checked with.
pub(super) enum Rest {
    Values(Vec<Value>),
    Texts(Vec<String>),
}

impl<'a> Jobs<'_, 'a, '_> {
    /// Reads the `matrix` of a job or of rows, and gives the job the first value of each of its keys.
    pub(super) fn written<'v>(
        &mut self,
        table: &'v DeTable<'v>,
        keys: &mut Keys<'v>,
        bound: &Bound,
    ) -> Option<Written<'v>>
    where
        'a: 'v,
    {
        let (key, value) = table.get_key_value("matrix")?;
        let Some(matrix) = value.get_ref().as_table().filter(|matrix| !matrix.is_empty()) else {
            let words = "a table of lists, such as { mode = [\"standard\", \"pro\"], duration = [5, 10] }";
            self.reader.mismatch("matrix", words, value);
            return None;
        };
        let mut lists: Vec<List<'v>> = Vec::new();
        for (name, span, value) in self.pairs("matrix", matrix) {
            let Some(values) = value.get_ref().as_array().filter(|values| !values.is_empty()) else {
                keys.unread.push(name);
                self.reader.mismatch(name, "a list of the values that it has in turn, at least one", value);
                continue;
            };
            if let Some(first) = values.first() {
                let is_varied = lists.iter().any(|list| list.name == name);
                let help = if is_varied { TWICE_HELP } else { "keep it in the job, or in its matrix" };
                self.vary(keys, (name, span.clone(), first), help);
                lists.push(List { name, span, values });
            }
        }
        let all = lists.iter().try_fold(1_usize, |all, list| all.checked_mul(list.values.len()));
        if all.is_none_or(|all| all > bound.most) {
            let most = thousands(bound.most as u64);
            let error = self.reader.error(format!("matrix: more than {most} combinations"), key.span());
            let help = format!("one {} stands for {most} at most: {}", bound.whose, bound.way);
            self.reader.errors.push(error.help(help));
            return None;
        }
        Some(Written { span: key.span(), lists, excludes: table.get("exclude") })
    }

    /// Keys and values of a table that may name parameters within `params`.
    fn pairs<'v>(&mut self, of: &str, table: &'v DeTable<'v>) -> Vec<Pair<'v>> {
        let mut pairs: Vec<Pair<'v>> = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match (name, value.get_ref().as_table()) {
                ("params", Some(params)) => {
                    pairs.extend(params.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)));
                }
                ("params", None) => self.reader.mismatch("params", "a table of parameters", value),
                _ if JOB_KEYS.contains(&name) || LATER_KEYS.contains(&name) => {
                    let error = self.reader.error(format!("{of}: {name} does not vary"), key.span());
                    let help = format!(
                        "parameters and x_* do; write a [[job]] for each {name}; a parameter of that name is written params.{name}"
                    );
                    self.reader.errors.push(error.help(help));
                }
                _ => pairs.push((name, key.span(), value)),
            }
        }
        pairs
    }

    /// Gives the job the first value of a key that varies; the help is for one that it has already.
    fn vary<'v>(&mut self, keys: &mut Keys<'v>, (name, span, first): Pair<'v>, help: &str)
    where
        'a: 'v,
    {
        let is_extra = is_extra(name);
        let is_given = match is_extra {
            true => keys.extra.iter().any(|(known, _)| known == name),
            false => keys.params.iter().any(|(known, ..)| *known == name),
        };
        if is_given {
            let error = self.reader.error(format!("matrix: {name} is given twice"), span);
            return self.reader.errors.push(error.help(help));
        }
        match is_extra {
            true => self.extra(name, first, keys),
            false => keys.params.push((name, span, first)),
        }
    }

    /// Checks the other values of a matrix, each where it stands.
    pub(super) fn rest(&mut self, template: &Template, written: &Written<'_>) -> Vec<Rest> {
        let of = |list: &List<'_>| {
            let others = list.values.iter().skip(1);
            if is_extra(list.name) {
                return Rest::Texts(others.filter_map(|value| self.text(list.name, value)).collect());
            }
            let Some(param) = template.endpoint.param(list.name) else { return Rest::Values(Vec::new()) };
            let mut values = Vec::new();
            for value in others {
                match check(param, self.reader.given(value), self.images) {
                    Ok(value) => values.push(value),
                    Err(wrong) => self.wrong(*wrong, value.span()),
                }
            }
            Rest::Values(values)
        };
        written.lists.iter().map(of).collect()
    }

    fn text(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = extra_text(self.reader.given(value)).map(|text| lf(&text).into_owned());
        if text.is_none() {
            self.reader.mismatch(name, "a text, a number or a truth value", value);
        }
        text
    }

    /// The matrix of a job in which nothing else is wrong: `first` has the first value of each key, `rest` the others. None where it is
    /// wrong, which is told: without it, its table would be one job.
    pub(super) fn matrix(&mut self, first: &JobSpec, written: &Written<'_>, rest: Vec<Rest>) -> Option<Matrix> {
        let axes: Option<Vec<Axis>> =
            written.lists.iter().zip(rest).map(|(list, rest)| axis(first, list, rest)).collect();
        let axes =
            axes.filter(|axes| axes.iter().map(Axis::len).eq(written.lists.iter().map(|list| list.values.len())));
        let Some(axes) = axes else {
            let error =
                self.reader.error("matrix: a key of it has not all of its values".to_owned(), written.span.clone());
            self.reader.errors.push(error.help("write a [[job]] for each value"));
            return None;
        };
        self.check_words(first, &axes, written)?;
        let mut matrix = Matrix::of(axes);
        if let Some(excludes) = written.excludes {
            self.exclude(first, &mut matrix, &written.lists, excludes)?;
        }
        Some(matrix)
    }

    /// That jobs which differ by an `x_*` alone have ids: it is no content, of which an id could be made.
    pub(super) fn check_labels(&mut self, first: &JobSpec, written: &Written<'_>) -> Option<()> {
        let Some(label) = written.labels().next().filter(|_| first.id.is_none()) else { return Some(()) };
        let message = format!("matrix: {} varies, and the job has no id", label.name);
        let error = self.reader.error(message, label.span.clone());
        self.reader.errors.push(error.help("give the job an id: x_* makes no other content"));
        None
    }

    /// That no value stands twice in its list, and that the ids are not too long.
    fn check_words(&mut self, first: &JobSpec, axes: &[Axis], written: &Written<'_>) -> Option<()> {
        let before = self.reader.errors.len();
        for (axis, list) in axes.iter().zip(&written.lists) {
            let mut known = HashSet::new();
            for (at, value) in list.values.iter().enumerate() {
                let word = axis.word(at).unwrap_or_default();
                if !known.insert(word) && !self.reader.is_full() {
                    let error = self.reader.error(format!("matrix: {} has that value twice", list.name), value.span());
                    self.reader.errors.push(error.help(TWICE_HELP));
                }
            }
        }
        let longest = first.id.as_ref().map(|id| format!("{id}{}", Matrix::longest_suffix(axes)));
        if let Some(longest) = longest.filter(|id| id_problem(id).is_some()) {
            let words = format!("matrix: the id with its values is longer than 128 characters: {longest}");
            let error = self.reader.error(words, written.span.clone());
            self.reader.errors.push(error.help("shorten the job's id, or leave it out"));
        }
        (self.reader.errors.len() == before).then_some(())
    }

    /// Leaves out what `exclude` names.
    fn exclude(
        &mut self,
        first: &JobSpec,
        matrix: &mut Matrix,
        lists: &[List<'_>],
        excludes: &Spanned<DeValue<'_>>,
    ) -> Option<()> {
        let before = self.reader.errors.len();
        let Some(tables) = excludes.get_ref().as_array() else {
            self.reader.mismatch("exclude", "a list of tables, such as [{ mode = \"pro\", duration = 10 }]", excludes);
            return None;
        };
        if tables.len() > EXCLUDES_MAX {
            let most = thousands(EXCLUDES_MAX as u64);
            let error = self.reader.error(format!("exclude: more than {most} tables"), excludes.span());
            self.reader.errors.push(error.help("name fewer keys in each, or write several [[job]]"));
            return None;
        }
        for table in tables {
            let Some(places) = self.places(first, matrix.axes(), lists, table) else { continue };
            if matrix.exclude(&places) == 0 {
                let error = self.reader.error("exclude: nothing is left of what it names".to_owned(), table.span());
                self.reader.errors.push(error.help("remove it: what stands before it leaves the same out"));
            }
        }
        if matrix.count() == 0 && self.reader.errors.len() == before {
            let error = self.reader.error("exclude: no job is left of the matrix".to_owned(), excludes.span());
            self.reader.errors.push(error.help("remove the [[job]], or exclude less"));
        }
        (self.reader.errors.len() == before).then_some(())
    }

    /// By key, the place of the value that a table of `exclude` names; none where something of it is wrong, which is told.
    fn places(
        &mut self,
        first: &JobSpec,
        axes: &[Axis],
        lists: &[List<'_>],
        table: &Spanned<DeValue<'_>>,
    ) -> Option<Vec<Option<usize>>> {
        if self.reader.is_full() {
            return None;
        }
        let before = self.reader.errors.len();
        let Some(named) = table.get_ref().as_table().filter(|named| !named.is_empty()) else {
            self.reader.mismatch("exclude", "a table of one or more keys of the matrix", table);
            return None;
        };
        let mut places = vec![None; axes.len()];
        for (name, span, value) in self.pairs("exclude", named) {
            let names = || lists.iter().map(|list| list.name);
            let Some(at) = names().position(|known| known == name) else {
                let help = match closest(name, names()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("the matrix has {}", names().collect::<Vec<_>>().join(", ")),
                };
                let error = self.reader.error(format!("exclude: the matrix has no {name}"), span);
                self.reader.errors.push(error.help(help));
                continue;
            };
            let found = axes.get(at).and_then(|axis| self.place(first, axis, value));
            if found.is_none() {
                let words = "one of the values that the matrix has";
                self.reader.mismatch(&format!("exclude: {name}"), words, value);
            }
            if let Some(place) = places.get_mut(at)
                && std::mem::replace(place, found).is_some()
            {
                let error = self.reader.error(format!("exclude: {name} is given twice"), span);
                self.reader.errors.push(error.help(TWICE_HELP));
            }
        }
        (self.reader.errors.len() == before).then_some(places)
    }

    /// Where that value stands among the key's.
    fn place(&self, first: &JobSpec, axis: &Axis, value: &Spanned<DeValue<'_>>) -> Option<usize> {
        let given = self.reader.given(value);
        match axis {
            Axis::Param(param, values) => {
                let value = check(first.endpoint.params.get(*param)?, given, self.images).ok()?;
                values.iter().position(|known| *known == value)
            }
            Axis::Extra(_, texts) => {
                let text = extra_text(given)?;
                texts.iter().position(|known| *known == lf(&text))
            }
        }
    }
}

/// A key's values; none where one is not there.
fn axis(first: &JobSpec, list: &List<'_>, rest: Rest) -> Option<Axis> {
    match rest {
        Rest::Values(rest) => {
            let at = first.endpoint.params.iter().position(|param| param.name == list.name)?;
            let value = first.values.get(at)?.clone()?;
            Some(Axis::Param(at, [value].into_iter().chain(rest).collect()))
        }
        Rest::Texts(rest) => {
            let text = first.extra.iter().find(|(name, _)| name == list.name).map(|(_, text)| text.clone());
            let texts = [text.unwrap_or_default()].into_iter().chain(rest).collect();
            Some(Axis::Extra(list.name.to_owned(), texts))
        }
    }
}

fn is_extra(name: &str) -> bool {
    name.len() > EXTRA_PREFIX.len() && name.starts_with(EXTRA_PREFIX)
}
