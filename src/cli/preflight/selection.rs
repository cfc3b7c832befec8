//! Which of the jobs a command is about: those that `--only` names by id, glob or `@FILE`, as far as all of `--where` holds.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;

use glob::Pattern;

use crate::cli::options::config::Select;
use crate::cli::options::values::{Condition, glob_of};
use crate::cli::preflight::planned::Planned;
use crate::cli::{CommandError, Failure};
use crate::diagnostic::closest;
use crate::manifest::{fold, normal_id, shown};
use crate::money::thousands;
use crate::plan::view::cell_text;
use crate::plan::{Plan, PlannedJob};
use crate::terminal_text::printable;

/// Where a person finds the ids that there are.
pub(super) const LISTS_IDS: &str = "`plan --jobs` lists every id";
/// The largest file of ids, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// What is told one by one; the rest is counted.
const TOLD_MAX: usize = 20;
/// Of so many names a near one is looked for, among so many ids: it takes time for each pair.
const MEANT_MAX: usize = 5;
const COMPARED_MAX: usize = 20_000;
/// Values of a column that a message names.
const VALUES_MAX: usize = 8;
/// Characters by which a text is a glob, where it is no id.
const GLOB_CHARS: [char; 3] = ['*', '?', '['];

/// The ids that are chosen of these jobs; none where nothing is said of it.
///
/// # Errors
/// What names no job, all in one; a column that there is not; and where nothing is chosen.
pub(in crate::cli) fn ids(select: &Select, planned: &Planned<'_>) -> Result<Vec<String>, Failure> {
    if !select.is_any() {
        return Ok(Vec::new());
    }
    let mut wanted = Wanted::of(&select.only);
    let mut filters: Vec<Filter<'_>> = select.conditions.iter().map(|said| Filter::of(said, &planned.plan)).collect();
    let mut extra = BTreeSet::new();
    for job in planned.plan.jobs(planned.source()) {
        let job = job.map_err(Failure::Input)?;
        if !filters.is_empty() {
            extra.extend(job.extra.iter().map(|(name, _)| fold(name)));
        }
        // Each is asked, so that what one of them never meets is told.
        let holds = filters.iter_mut().map(|filter| filter.holds(&job)).filter(|holds| !holds).count() == 0;
        wanted.offer(job.id, holds);
    }
    let unknown = filters.iter().find(|filter| !filter.is_known(&extra));
    if let Some(filter) = unknown {
        return Err(filter.unknown(&planned.plan, &extra).into());
    }
    // What receipts alone tell of has no plan to be looked for in.
    let (of, may_be_unplanned) = match &planned.rows {
        Some(rows) => ("the file has no row", rows.unproved.count > 0),
        None => ("the manifest has no job", false),
    };
    let ids = wanted.settle(of, may_be_unplanned)?;
    if ids.is_empty() {
        return Err(none_holds(&filters, !select.only.is_empty()).into());
    }
    Ok(ids)
}

/// What `--only` names, held against the jobs as they pass by.
struct Wanted {
    items: Vec<Item>,
    /// By the id that an item would be.
    by_id: HashMap<String, Vec<usize>>,
    globs: Vec<usize>,
    /// What passed by, where all is wanted.
    all: Option<Vec<String>>,
    /// The first ids that passed by.
    seen: Vec<String>,
}

/// One id, glob or `@FILE`; what stands in a file is an item of its own.
struct Item {
    /// As it was typed, or stands in a file.
    text: String,
    kind: Kind,
    /// The item of the file that it stands in, and its line.
    stands_in: Option<(usize, usize)>,
    /// A job has it as its id: it is that one, whatever else it could mean.
    is_id: bool,
    /// It names a job.
    is_met: bool,
    ids: Vec<String>,
}

enum Kind {
    Id,
    Glob(Pattern),
    /// A file of items.
    File,
    /// It would be a glob or a file, and cannot be one: why.
    Wrong(String),
}

impl Wanted {
    fn of(only: &[String]) -> Self {
        let all = only.is_empty().then(Vec::new);
        let mut wanted = Self { items: Vec::new(), by_id: HashMap::new(), globs: Vec::new(), all, seen: Vec::new() };
        for typed in only {
            let Some(path) = typed.strip_prefix('@') else {
                wanted.add(typed.clone(), None);
                continue;
            };
            let (lines, kind) = match lines(path) {
                Ok(lines) => (lines, Kind::File),
                Err(why) => (Vec::new(), Kind::Wrong(format!("it is no file of ids: {why}"))),
            };
            let file = wanted.push(Item::new(typed.clone(), kind, None));
            for (line, text) in lines {
                wanted.add(text, Some((file, line)));
            }
        }
        wanted
    }

    fn add(&mut self, text: String, stands_in: Option<(usize, usize)>) {
        let kind = match text.contains(GLOB_CHARS).then(|| glob_of(&normal_id(&text))) {
            None => Kind::Id,
            Some(Ok(glob)) => Kind::Glob(glob),
            Some(Err(why)) => Kind::Wrong(format!("it is no glob: {why}")),
        };
        self.push(Item::new(text, kind, stands_in));
    }

    fn push(&mut self, item: Item) -> usize {
        let at = self.items.len();
        self.by_id.entry(normal_id(&item.text).into_owned()).or_default().push(at);
        if matches!(item.kind, Kind::Glob(_)) {
            self.globs.push(at);
        }
        self.items.push(item);
        at
    }

    /// The next job, and whether all else that is said holds of it.
    fn offer(&mut self, id: String, holds: bool) {
        if let Some(all) = &mut self.all {
            all.extend(holds.then_some(id));
            return;
        }
        let exact = self.by_id.get(&id);
        for at in exact.into_iter().flatten() {
            if let Some(item) = self.items.get_mut(*at) {
                (item.is_id, item.is_met) = (true, true);
                // What a glob has met before it was found to be an id.
                item.ids = Vec::from_iter(holds.then(|| id.clone()));
            }
        }
        for at in &self.globs {
            if let Some(item) = self.items.get_mut(*at).filter(|item| !item.is_id && item.meets(&id)) {
                item.is_met = true;
                item.ids.extend(holds.then(|| id.clone()));
            }
        }
        if self.seen.len() < COMPARED_MAX {
            self.seen.push(id);
        }
    }

    /// The ids that are chosen, each once. What names nothing is an error, unless it `may_be_unplanned`: it is handed on as it is then.
    fn settle(self, of: &str, may_be_unplanned: bool) -> Result<Vec<String>, CommandError> {
        if let Some(all) = self.all {
            return Ok(all);
        }
        let are_ids: Vec<bool> = self.items.iter().map(|item| item.is_id).collect();
        // What stands in a file is not wanted where its name is an id.
        let is_wanted =
            |item: &&Item| item.stands_in.is_none_or(|(file, _)| !are_ids.get(file).copied().unwrap_or_default());
        let wanted = || self.items.iter().filter(is_wanted);
        let wrong: Vec<(&Item, String)> =
            wanted().filter_map(|item| item.problem(of, may_be_unplanned).map(|problem| (item, problem))).collect();
        if !wrong.is_empty() {
            return Err(self.told(&wrong));
        }
        let mut known = HashSet::new();
        let unplanned = |item: &Item| match &item.kind {
            // A glob is no job's id either: that nothing is chosen is not that all is.
            Kind::Id | Kind::Glob(_) if !item.is_met => Some(normal_id(&item.text).into_owned()),
            Kind::Id | Kind::Glob(_) | Kind::File | Kind::Wrong(_) => None,
        };
        let ids = wanted().flat_map(|item| item.ids.iter().cloned().chain(unplanned(item)));
        Ok(ids.filter(|id| known.insert(id.clone())).collect())
    }

    fn told(&self, wrong: &[(&Item, String)]) -> CommandError {
        let told = wrong.iter().take(TOLD_MAX).map(|(item, problem)| format!("{}: {problem}", self.said(item)));
        let mut words: Vec<String> = told.collect();
        if let Some(more) = wrong.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
            words.push(format!("and {} more like these", thousands(more as u64)));
        }
        let meant = wrong.iter().take(MEANT_MAX).filter_map(|(item, _)| match &item.kind {
            Kind::Id => closest(&normal_id(&item.text), self.seen.iter().map(String::as_str)),
            Kind::Glob(_) | Kind::File | Kind::Wrong(_) => None,
        });
        let meant: Vec<&str> = meant.collect();
        let hint = match meant.as_slice() {
            [] => LISTS_IDS.to_owned(),
            meant => format!("did you mean {}? {LISTS_IDS}", meant.join(", ")),
        };
        CommandError::usage(format!("{}; nothing was bought", words.join("; "))).hint(hint)
    }

    /// How it was said. A line of a file may be anything.
    fn said(&self, item: &Item) -> String {
        match item.stands_in.and_then(|(file, line)| Some((self.items.get(file)?, line))) {
            Some((file, line)) => format!("--only {}: line {line}: {}", printable(&file.text), shown(&item.text)),
            None => format!("--only {}", printable(&item.text)),
        }
    }
}

impl Item {
    const fn new(text: String, kind: Kind, stands_in: Option<(usize, usize)>) -> Self {
        Self { text, kind, stands_in, is_id: false, is_met: false, ids: Vec::new() }
    }

    fn meets(&self, id: &str) -> bool {
        matches!(&self.kind, Kind::Glob(glob) if glob.matches(id))
    }

    /// Why it names nothing, where that is wrong.
    fn problem(&self, of: &str, may_be_unplanned: bool) -> Option<String> {
        if self.is_met {
            return None;
        }
        match &self.kind {
            Kind::Id | Kind::Glob(_) if may_be_unplanned => None,
            Kind::File => None,
            Kind::Id => Some(format!("{of} of that id")),
            Kind::Glob(_) => Some(format!("{of} whose id is like that")),
            Kind::Wrong(why) => Some(format!("{of} of that id, and {why}")),
        }
    }
}

/// Why a file lists no ids.
#[derive(Debug, thiserror::Error)]
enum Unlisted {
    #[error(transparent)]
    Unread(#[from] std::io::Error),
    #[error("it is larger than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("no line of it holds any")]
    Empty,
}

/// The lines of a file of ids that hold anything, each with its number.
fn lines(path: &str) -> Result<Vec<(usize, String)>, Unlisted> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Unlisted::TooLarge);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let filled = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty());
    let lines: Vec<(usize, String)> = filled.map(|(at, line)| (at, line.to_owned())).collect();
    if lines.is_empty() { Err(Unlisted::Empty) } else { Ok(lines) }
}

/// What `--where` says of one column.
struct Filter<'a> {
    said: &'a Condition,
    column: Column<'a>,
    is_met: bool,
    /// Some of the values that it was held against.
    values: BTreeSet<String>,
}

enum Column<'a> {
    Id,
    Endpoint,
    /// Parameters of that name, folded: endpoints may write it in different ways.
    Params(Vec<&'a str>),
    /// An `x_*`, folded.
    Extra(String),
}

impl<'a> Filter<'a> {
    fn of(said: &'a Condition, plan: &'a Plan) -> Self {
        let key = fold(&said.column);
        let column = match key.as_str() {
            "id" => Column::Id,
            "endpoint" => Column::Endpoint,
            _ if key.starts_with("x_") => Column::Extra(key),
            _ => {
                let name = key.strip_prefix("params.").unwrap_or(&key);
                Column::Params(param_names(plan).filter(|known| fold(known) == name).collect())
            }
        };
        Self { said, column, is_met: false, values: BTreeSet::new() }
    }

    /// What a job has in the column; empty where it has nothing, as a cell would be.
    fn cell<'j>(&self, job: &'j PlannedJob) -> Cow<'j, str> {
        match &self.column {
            Column::Id => Cow::Borrowed(&job.id),
            Column::Endpoint => Cow::Borrowed(&job.endpoint.name),
            Column::Params(names) => {
                let found = job.params.iter().find(|(name, _)| names.contains(&name.as_str()));
                found.map_or(Cow::Borrowed(""), |(_, value)| cell_text(value))
            }
            Column::Extra(key) => {
                let found = job.extra.iter().find(|(name, _)| fold(name) == *key);
                found.map_or(Cow::Borrowed(""), |(_, text)| Cow::Borrowed(text))
            }
        }
    }

    fn words(&self) -> String {
        format!("--where {}", printable(&self.said.to_string()))
    }

    fn holds(&mut self, job: &PlannedJob) -> bool {
        let cell = self.cell(job);
        let holds = self.said.glob.matches(&cell);
        if !holds && self.values.len() < VALUES_MAX && !self.values.contains(cell.as_ref()) {
            self.values.insert(cell.into_owned());
        }
        self.is_met |= holds;
        holds
    }

    fn is_known(&self, extra: &BTreeSet<String>) -> bool {
        match &self.column {
            Column::Id | Column::Endpoint => true,
            Column::Params(names) => !names.is_empty(),
            Column::Extra(key) => extra.contains(key),
        }
    }

    fn unknown(&self, plan: &Plan, extra: &BTreeSet<String>) -> CommandError {
        let mut columns = vec!["id", "endpoint"];
        for name in param_names(plan).chain(extra.iter().map(String::as_str)) {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
        let meant = closest(&fold(&self.said.column), columns.iter().copied());
        let meant = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
        let what = match &self.column {
            Column::Extra(_) => "anything in such a column",
            Column::Id | Column::Endpoint | Column::Params(_) => "such a column",
        };
        CommandError::usage(format!("{}: no job has {what}; nothing was bought", self.words()))
            .hint(format!("{meant}the columns are {}", columns.join(", ")))
    }
}

fn param_names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.endpoints().iter().flat_map(|endpoint| &endpoint.params).map(|param| param.name.as_str())
}

/// That no job is chosen, and why.
fn none_holds(filters: &[Filter<'_>], is_named: bool) -> CommandError {
    let Some(filter) = filters.iter().find(|filter| !filter.is_met) else {
        let said: Vec<String> = filters.iter().map(Filter::words).collect();
        let of = if is_named { "none of the jobs that --only names" } else { "no job" };
        return CommandError::usage(format!("{}: {of} is so; nothing was bought", said.join(" ")));
    };
    let shown = |value: &String| format!("{:?}", value.chars().take(40).collect::<String>());
    let values: Vec<String> = filter.values.iter().map(shown).collect();
    let more = if values.len() < VALUES_MAX { "" } else { ", …" };
    CommandError::usage(format!("{}: no job is so; nothing was bought", filter.words()))
        .hint(format!("in that column stand {}{more}", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: [&str; 6] = ["a", "shot-1", "shot-10", "shot-2", "shot-*", "@a"];

    fn chosen_of(only: &[&str], holds: impl Fn(&str) -> bool) -> Result<String, String> {
        let only: Vec<String> = only.iter().map(|typed| (*typed).to_owned()).collect();
        let mut wanted = Wanted::of(&only);
        JOBS.into_iter().for_each(|id| wanted.offer(id.to_owned(), holds(id)));
        wanted.settle("there is no job", false).map(|ids| ids.join(" ")).map_err(|error| error.to_string())
    }

    fn chosen(only: &[&str]) -> Result<String, String> {
        chosen_of(only, |_| true)
    }

    #[test]
    fn ids_come_before_globs_and_files() {
        for (only, ids) in [
            (&["a"][..], "a"),
            (&["shot-1*"], "shot-1 shot-10"),
            (&["shot-?"], "shot-1 shot-2 shot-*"),
            (&["shot-[12]"], "shot-1 shot-2"),
            (&["shot-*"], "shot-*"),
            (&["shot-**"], "shot-1 shot-10 shot-2 shot-*"),
            (&["@a"], "@a"),
            (&["shot-2", "a", "shot-[2-9]", "a"], "shot-2 a"),
            (&["*"], "a shot-1 shot-10 shot-2 shot-* @a"),
            (&[], "a shot-1 shot-10 shot-2 shot-* @a"),
        ] {
            assert_eq!(chosen(only).as_deref(), Ok(ids), "{only:?}");
        }
        assert_eq!(chosen_of(&["shot-1*", "a"], |id| id != "shot-1").as_deref(), Ok("shot-10 a"));
        assert_eq!(chosen_of(&["a"], |_| false).as_deref(), Ok(""), "it is there, and not chosen");
    }

    #[test]
    fn what_names_nothing_is_told_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("@{}", folder.path().join(name).display());
        std::fs::write(folder.path().join("ids"), "\u{feff}shot-1\r\n\r\n  shot-2 \r\nshot-3\r\nx*\r\n").unwrap();
        std::fs::write(folder.path().join("none"), "\n \n").unwrap();
        let error = chosen(&["b", "shot", "clip-*", "[", &path("ids"), &path("none"), &path("gone")]).unwrap_err();
        for words in [
            "--only b: there is no job of that id",
            "--only clip-*: there is no job whose id is like that",
            "--only [: there is no job of that id, and it is no glob: ",
            "/ids: line 4: shot-3: there is no job of that id",
            "/ids: line 5: x*: there is no job whose id",
            "/none: there is no job of that id, and it is no file of ids: no line of it holds any",
            "/gone: there is no job of that id, and it is no file of ids: No such file",
            "nothing was bought",
        ] {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert!(!error.contains("shot-1:") && !error.contains("shot-2:"), "{error}");
        std::fs::write(folder.path().join("ids"), format!("a\u{1b}[2J{}\n", "b".repeat(1_000))).unwrap();
        let error = chosen(&[&path("ids"), "c\u{202e}"]).unwrap_err();
        assert!(error.contains("line 1: a") && error.contains("--only c\u{fffd}:") && error.len() < 500, "{error}");
        assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error}");
        std::fs::write(folder.path().join("ids"), "shot-1*\na\nshot-10\n").unwrap();
        assert_eq!(chosen(&[&path("ids")]).as_deref(), Ok("shot-1 shot-10 a"));
    }

    #[test]
    fn what_receipts_alone_know_is_handed_on() {
        let mut wanted = Wanted::of(&["gone".to_owned(), "x**".to_owned(), "a".to_owned()]);
        wanted.offer("a".to_owned(), true);
        let ids = wanted.settle("there is no row", true).map_err(|error| error.to_string());
        assert_eq!(ids.unwrap(), ["gone", "x**", "a"]);
    }
}
