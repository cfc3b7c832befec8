//! Circles between files: none between rooms (the table of `main.rs` sees to that), and inside a room those alone that are named here.
//!
//! A `mod.rs` is the door of its folder: what it passes on is looked up behind it, and a circle through what it defines itself is
//! how a folder and its files belong together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{SOURCES, Source, Token, tree};

/// Circles that are meant, or that stand, each by its files, and why.
const MEANT: [(&[&str], &str); 17] = [
    (&["cli/batch/files.rs", "cli/batch/own.rs"], "paths are made absolute where files are recognised as our own"),
    (&["cli/failure.rs", "cli/terminal.rs"], "a failure is told on the terminal, and writing there fails"),
    (
        &["cli/node.rs", "cli/options/config.rs", "cli/options/layer.rs"],
        "options become a node's options, which are read from layers",
    ),
    (&["download/part_file.rs", "download/transfer.rs"], "a transfer goes on in the part that is there"),
    (&["l402/challenge.rs", "l402/mpp.rs"], "one header, two schemes: its reader hands a charge on"),
    (
        &["ledger/bounds.rs", "ledger/record.rs", "ledger/refund.rs", "ledger/rows.rs", "ledger/token.rs"],
        "records carry each other's keys",
    ),
    (
        &[
            "ledger/sqlite/bodies.rs",
            "ledger/sqlite/commit.rs",
            "ledger/sqlite/core.rs",
            "ledger/sqlite/file_guard.rs",
            "ledger/sqlite/gap.rs",
        ],
        "a ledger in its file: bodies beside it, who else holds it, what is committed to it, and what it lacks",
    ),
    (
        &[
            "ledger/sqlite/duplicates.rs",
            "ledger/sqlite/read.rs",
            "ledger/sqlite/refund.rs",
            "ledger/sqlite/unknown.rs",
            "ledger/sqlite/views.rs",
        ],
        "methods of one type, `SqliteLedger`, in a file each subject, over one way to read rows",
    ),
    (
        &["ledger/sqlite/store/apply.rs", "ledger/sqlite/store/takes.rs"],
        "what is written of takes stands where takes are read",
    ),
    (
        &["life/ask.rs", "life/served.rs"],
        "what a token has brought is an answer to asking, and may come to asking again",
    ),
    (
        &[
            "manifest/document.rs",
            "manifest/document_job.rs",
            "manifest/document_matrix.rs",
            "manifest/document_rows.rs",
            "manifest/rows_matrix.rs",
        ],
        "one reader of TOML, its jobs, its rows, and the matrices of both in files of their own",
    ),
    (&["manifest/image.rs", "manifest/values.rs"], "an image is a value, and is wrong as values are"),
    (
        &["manifest/csv_row.rs", "manifest/records.rs", "manifest/row.rs", "manifest/rows.rs"],
        "one reader of CSV: the file, its records, a row",
    ),
    (
        &["origin/answer_envelope.rs", "origin/inline.rs", "origin/lnurl.rs", "origin/url_policy.rs"],
        "an answer may be bytes or a link, and links are held against the policy",
    ),
    (&["origin/fetch.rs", "origin/http.rs"], "what is bought and what is fetched go out by clients of the same make"),
    (
        &["run/admission.rs", "run/drive.rs", "run/executor.rs"],
        "one run: its loop, who is admitted, and who drives each job",
    ),
    (&["sandbox/refund.rs", "sandbox/shop.rs"], "the shop's refunds in a file of their own"),
];

#[test]
fn circles_inside_rooms_are_named() {
    let house = House::new(&SOURCES);
    let meant: BTreeSet<Vec<String>> =
        MEANT.iter().map(|(files, _)| files.iter().map(|file| (*file).to_owned()).collect()).collect();
    let found = house.circles();
    let told: Vec<String> = found.symmetric_difference(&meant).map(|circle| house.ties(circle)).collect();
    assert!(told.is_empty(), "circles that are not named, or named and gone:\n\n{}", told.join("\n\n"));
}

#[test]
fn circles_are_found_through_doors_and_nested_modules() {
    let circles = |files: &[(&str, &str)]| {
        House::new(&files.iter().map(|(file, text)| Source::new(file, text)).collect::<Vec<_>>()).circles()
    };
    let door = ("a/mod.rs", "mod x; mod y; pub use x::X; pub use self::y::{Y, Z};");
    let circle = BTreeSet::from([vec!["a/x.rs".to_owned(), "a/y.rs".to_owned()]]);
    assert_eq!(circles(&[door, ("a/x.rs", "use super::Z;"), ("a/y.rs", "fn f() { crate::a::X::new() }")]), circle);
    assert_eq!(circles(&[door, ("a/x.rs", "use super::y::Y;"), ("a/y.rs", "use super::x::{X};")]), circle);
    assert_eq!(
        circles(&[door, ("a/x.rs", "use super::y::Y;"), ("a/y.rs", "#[cfg(test)] use super::X;")]),
        BTreeSet::new()
    );
    assert_eq!(circles(&[door, ("a/x.rs", "use super::Y;"), ("a/y.rs", "")]), BTreeSet::new());
}

/// Every source file and what it uses.
struct House {
    /// By module path: the file. A folder's module is its door.
    modules: HashMap<Vec<String>, String>,
    /// By file: the paths that it names, from the crate's root.
    paths: BTreeMap<String, Vec<Vec<String>>>,
}

impl House {
    fn new(sources: &[Source]) -> Self {
        let modules: HashMap<Vec<String>, String> =
            sources.iter().map(|Source { file, .. }| (module_of(file), file.clone())).collect();
        let paths =
            sources.iter().map(|Source { file, tokens, .. }| (file.clone(), paths(tokens, &module_of(file), &modules)));
        Self { paths: paths.collect(), modules }
    }

    fn is_door(&self, file: &str) -> bool {
        let module = module_of(file);
        self.modules.keys().any(|other| other.len() > module.len() && other.starts_with(&module))
    }

    /// The file in which what a path names is defined; nothing where that is a door.
    fn defining(&self, path: &[String], depth: usize) -> Option<&str> {
        let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let file = self.modules.get(&path[..length])?;
        if !self.is_door(file) {
            return Some(file);
        }
        let item = path.get(length)?;
        let passed_on = self.paths.get(file)?.iter().find(|path| path.last() == Some(item) && path.len() > length + 1);
        passed_on.filter(|_| depth < 4).and_then(|path| self.defining(path, depth + 1))
    }

    /// A circle's files, and what each takes from the others.
    fn ties(&self, circle: &[String]) -> String {
        let tie = |file: &String| {
            let taken = self.paths.get(file).into_iter().flatten().filter_map(|path| {
                let from =
                    self.defining(path, 0).filter(|from| *from != file && circle.iter().any(|other| other == from))?;
                Some(format!("{from} {}", path.last()?))
            });
            let taken: Vec<String> = taken.collect::<BTreeSet<String>>().into_iter().collect();
            format!("{file}: {}", taken.join(", "))
        };
        circle.iter().map(tie).collect::<Vec<_>>().join("\n")
    }

    /// Files that use each other, each circle in order.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let uses: BTreeMap<&str, BTreeSet<&str>> = self
            .paths
            .iter()
            .filter(|(file, _)| !self.is_door(file))
            .map(|(file, paths)| {
                let used = paths.iter().filter_map(|path| self.defining(path, 0)).filter(|used| used != file);
                (file.as_str(), used.collect())
            })
            .collect();
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            uses.keys().map(|file| (*file, reached_from(file, &uses))).collect();
        let circle = |file: &&str| -> Vec<String> {
            let back = |other: &&&str| reached.get(**other).is_some_and(|reached| reached.contains(file));
            reached.get(file).into_iter().flatten().filter(back).map(|file| (*file).to_owned()).collect()
        };
        uses.keys().map(circle).filter(|files| files.len() > 1).collect()
    }
}

fn reached_from<'a>(file: &'a str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        next.extend(uses.get(file).into_iter().flatten().filter(|used| reached.insert(**used)));
    }
    reached
}

/// The module of a file: `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Every path that a file names and that leads somewhere in the crate, from its root.
fn paths(tokens: &[Token], module: &[String], modules: &HashMap<Vec<String>, String>) -> Vec<Vec<String>> {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let joined = |i: usize| text(i) == ":" && text(i + 1) == ":";
    let (mut found, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        let goes_on = i > 1 && joined(i - 2);
        let mut start = i;
        let mut root = match text(i) {
            "crate" if joined(i + 1) => Some(Vec::new()),
            "super" | "self" if joined(i + 1) => Some(module.to_vec()),
            word if joined(i + 1) && modules.contains_key(&[module, &[word.to_owned()]].concat()) => {
                Some(module.to_vec())
            }
            _ => None,
        };
        root = root.filter(|_| !goes_on);
        while let Some(root) = &mut root
            && matches!(text(start), "crate" | "self" | "super")
        {
            if text(start) == "super" {
                root.pop();
            }
            start += 3;
        }
        i = match root {
            Some(root) => {
                let mut read = Vec::new();
                let end = tree(tokens, start, &root, &mut read);
                found.extend(read.into_iter().map(|path| path.segments));
                end
            }
            None => i + 1,
        };
    }
    found
}
