//! Keeps the directions between the rooms: reads the paths in `src/` and holds them against the table below.
//! `docs/architecture.md` says why they are so.

mod circles;
mod functions;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{fs, io};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What a room may use of the crate besides itself.
struct Room {
    name: &'static str,
    /// Whole rooms.
    uses: &'static [&'static str],
    /// Single types of further rooms.
    types: &'static [(&'static str, &'static [&'static str])],
}

const fn room(name: &'static str, uses: &'static [&'static str]) -> Room {
    Room { name, uses, types: &[] }
}

/// Rooms that know of no other room but each other: anybody may use them.
const LEAVES: [&str; 16] = [
    "backoff",
    "csv_escape",
    "command",
    "diagnostic",
    "encoded_text",
    "error",
    "fiat",
    "first_bytes",
    "terminal_text",
    "loopback",
    "media",
    "money",
    "safe_open",
    "tls",
    "screen",
    "time",
];

/// money ← l402, catalog ← manifest ← plan ← purchase ← ledger ← payer, origin ← life ← run ← download ← cli.
const ROOMS: [Room; 15] = [
    room("l402", &[]),
    room("catalog", &[]),
    room("manifest", &["l402", "catalog"]),
    room("plan", &["l402", "catalog", "manifest"]),
    room("purchase", &["l402", "catalog", "plan"]),
    room("ledger", &["l402", "catalog", "manifest", "plan", "purchase"]),
    Room {
        name: "payer",
        uses: &["l402", "catalog", "manifest", "plan", "purchase"],
        types: &[("ledger", &["DurableIntent"])],
    },
    room("origin", &["l402", "catalog", "manifest", "plan", "purchase"]),
    room("life", &["l402", "catalog", "plan", "purchase", "ledger", "payer", "origin"]),
    Room { name: "event", uses: &["purchase"], types: &[("ledger", &["ByKind", "Transition"])] },
    room("run", &["l402", "catalog", "manifest", "plan", "purchase", "payer", "origin", "ledger", "life", "event"]),
    Room {
        name: "download",
        uses: &["catalog", "purchase", "origin", "ledger", "event"],
        types: &[("run", &["Class", "Clock", "Control", "Pace", "SteadyClock"])],
    },
    room("report", &["event", "purchase", "ledger", "catalog"]),
    room("sandbox", &["l402"]),
    room(
        "cli",
        &[
            "l402", "catalog", "manifest", "plan", "purchase", "payer", "origin", "ledger", "life", "event", "run",
            "download", "report", "sandbox",
        ],
    ),
];

/// The sandbox stands in for strangers: of the leaves it shares only what amounts, times and errors are, and how a known
/// certificate is trusted.
const SANDBOX_LEAVES: [&str; 4] = ["error", "money", "time", "tls"];

/// Where there is no I/O, no SQL and no clock. A path ends in `/` where it is a folder's.
const PURE: [&str; 11] = [
    "manifest/",
    "catalog/",
    "plan/",
    "l402/",
    "ledger/decide/",
    "purchase/",
    "life/",
    "manifest.rs",
    "catalog.rs",
    "plan.rs",
    "l402.rs",
];
const IMPURE_WORDS: [&str; 5] = ["tokio", "reqwest", "rusqlite", "governor", "Instant"];
/// A `SystemTime` as such is no clock: a file carries one.
const IMPURE_CALLS: [(&str, &str); 4] =
    [("SystemTime", "now"), ("Timestamp", "now"), ("Zoned", "now"), ("UnixMs", "now")];

/// A wallet is known to its own folder in `payer/`, and to these files, for the reason that is given.
const KNOWS_WALLETS: [(&str, &str); 2] = [
    ("cli/node.rs", "opens the wallet that the options name, and hands it on as one that pays"),
    (
        "cli/commands/doctor/node.rs",
        "says what is wrong with this kind of wallet: its macaroon's rights, its channels, its version",
    ),
];

#[test]
fn rooms_keep_their_directions() {
    assert!(SOURCES.len() > 10, "src/ was not found");
    let violations: Vec<String> = SOURCES.iter().flat_map(violations).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

/// Who names SQLite outside `ledger/sqlite/`, and why.
const NAME_SQLITE: [(&str, &str); 2] =
    [("ledger/mod.rs", "it declares the store"), ("ledger/open.rs", "it says which kind of ledger an address means")];

#[test]
fn a_ledger_is_used_by_its_port_and_nobody_else_names_sqlite() {
    let mut naming = HashSet::new();
    for Source { file, tokens, .. } in SOURCES.iter() {
        if !file.starts_with("ledger/sqlite/") && tokens.iter().any(|token| names_sqlite(&token.text)) {
            naming.insert(file.clone());
        }
    }
    let excepted: HashSet<String> = NAME_SQLITE.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(naming, excepted);
}

/// A ledger is named by an address: that this is a path is known where a store opens it, and in one file besides.
#[test]
fn a_ledger_of_which_nobody_knows_the_kind_is_no_path() {
    let mut naming = HashSet::new();
    for Source { file, tokens, .. } in SOURCES.iter() {
        let is_of_port = file.starts_with("ledger/") && !file.starts_with("ledger/sqlite/");
        if is_of_port && tokens.iter().any(|token| ["Path", "PathBuf"].contains(&token.text.as_str())) {
            naming.insert(file.clone());
        }
    }
    assert_eq!(naming, HashSet::from(["ledger/address.rs".to_owned()]));
}

fn names_sqlite(token: &str) -> bool {
    token.to_lowercase().contains("sqlite")
}

/// Errors whose message is nothing but one value, and why that is no ready sentence.
const ONE_VALUE: [(&str, &str, &str); 5] = [
    (
        "cli/failure.rs",
        "{message}",
        "what a command itself refuses is said where it is refused; cause and hint are apart",
    ),
    ("cli/failure.rs", "{}", "the manifest's errors, rendered with their places"),
    ("ledger/error.rs", "{file}", "its source says what befell the file"),
    ("ledger/error.rs", "{what}", "its source says why that could not be done"),
    ("payer/problem.rs", "{kind}", "the kind of the problem, without its hint"),
];

/// What follows a semicolon in a message and is no way on: what came of it.
const WHAT_CAME_OF_IT: [&str; 5] = [
    "nothing was paid",
    "nothing more is spent",
    "nothing is lost, the ledger is whole",
    "it is not paid",
    "the same command goes on",
];

/// Where an error may still be words alone, and why.
const WORDS_ALONE: [(&str, &str); 13] = [
    ("catalog/read/", "they become a `Diagnostic`, with the place that the caller knows"),
    ("manifest/", "they become a `Diagnostic`, with the place that the caller knows"),
    ("plan/", "they become a `Diagnostic`, with the place that the caller knows"),
    ("cli/options/", "clap, and whoever reads a variable or a file, puts the option's name before them"),
    ("cli/command_line.rs", "they tell of a command that a person named, after the name of its option"),
    ("cli/commands/catalog/check.rs", "the words of a seller, as found"),
    ("origin/http.rs", "the words of the client, without the address, which may hold a secret"),
    ("origin/lnurl.rs", "the words of whoever pays a refund, without the link, which is a claim"),
    ("run/refund/", "the words of whoever pays a refund, for the ledger's row"),
    ("download/", "what a file lacks, for the ledger's row"),
    ("payer/contract.rs", "what an implementation breaks, for its developer"),
    ("ledger/stored_jobs.rs", "they become a `Diagnostic`, with the place that the caller knows"),
    ("ledger/sqlite/merge/", "why a batch is not the same, which is told and is no error"),
];

#[test]
fn an_error_tells_what_why_and_what_to_do_apart() {
    let wrong: Vec<String> = SOURCES.iter().flat_map(untyped).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_error_that_is_a_sentence_is_found() {
    for (file, text) in [
        ("ledger/x.rs", "#[derive(thiserror::Error)] enum E { #[error(\"{0}\")] A(String) }"),
        ("ledger/x.rs", "enum E {\n#[error(\n\"{what}\"\n)]\nA { what: String } }"),
        ("payer/x.rs", "#[error(\"no room; make some\")] struct E;"),
        ("l402/x.rs", "fn f() -> Result<Vec<u8>, String> { todo() }"),
        ("ledger/x.rs", "fn f() -> Result<(), std::string::String> { todo() }"),
    ] {
        assert_eq!(untyped(&Source::new(file, text)).len(), 1, "{file}: {text}");
    }
    for (file, text) in [
        ("ledger/error.rs", "enum E { #[error(\"{file}\")] A { file: String, source: X } }"),
        ("ledger/x.rs", "#[error(\"{0} is no ledger\")] struct E(String);"),
        ("l402/x.rs", "#[error(\"it is too long; nothing was paid\")] struct E;"),
        ("l402/x.rs", "fn f() -> Result<String, E> { todo() }"),
        ("plan/x.rs", "fn f() -> Result<(), String> { todo() }"),
        ("l402/x.rs", "#[cfg(test)]\nmod tests { fn f() -> Result<(), String> { todo() } }"),
    ] {
        assert!(untyped(&Source::new(file, text)).is_empty(), "{file}: {text}");
    }
}

/// Errors of a file that are a sentence instead of data: a message that says what to do, or is nothing but a text from
/// elsewhere; a function that fails with a text.
fn untyped(source: &Source) -> Vec<String> {
    let Source { file, text, tokens, .. } = source;
    let mut found = Vec::new();
    let mut messages = Vec::new();
    error_messages(text.parse().unwrap_or_default(), &mut messages);
    for (line, message) in messages {
        let is_one_value = message.starts_with('{') && message.find('}') == Some(message.len() - 1);
        if is_one_value && !ONE_VALUE.iter().any(|(known, value, _)| known == file && *value == message) {
            found.push(format!("src/{file}:{line}: {message:?} is a ready sentence: give the error data"));
        }
        let ways_on = message.split("; ").skip(1).filter(|part| {
            let part = part.trim_end();
            !part.contains("this one knows") && !WHAT_CAME_OF_IT.contains(&part) && !part.starts_with("what it held")
        });
        found.extend(ways_on.map(|way| format!("src/{file}:{line}: {way:?} belongs into the error's hint")));
    }
    if WORDS_ALONE.iter().any(|(known, _)| file.starts_with(known)) {
        return found;
    }
    for (at, token) in tokens.iter().enumerate() {
        if token.text == "Result" && error_type(tokens, at + 1) == Some("String") {
            found.push(format!("src/{file}:{}: fails with a text: give the error a type", token.line));
        }
    }
    found
}

/// The last word of the second of two types that stand in angles from `open` on.
fn error_type(tokens: &[Token], open: usize) -> Option<&str> {
    let (mut depth, mut second, mut last) = (0_usize, false, None);
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "<" => depth += 1,
            // The head of an arrow closes nothing.
            ">" if tokens.get(i - 1).is_some_and(|before| before.text == "-") => {}
            ">" => {
                depth -= 1;
                if depth == 0 {
                    return last.filter(|_| second);
                }
            }
            _ if depth == 0 => return None,
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "," if depth == 1 => second = true,
            word => last = Some(word),
        }
    }
    None
}

/// The texts of all `#[error("…")]`, with their lines, as they are written.
fn error_messages(stream: TokenStream, found: &mut Vec<(usize, String)>) {
    let mut before = String::new();
    for tree in stream {
        if let TokenTree::Group(group) = &tree {
            let mut inside = group.stream().into_iter();
            let is_error = before == "#" && inside.next().is_some_and(|word| word.to_string() == "error");
            match inside.next() {
                Some(TokenTree::Group(arguments)) if is_error => {
                    if let Some(TokenTree::Literal(text)) = arguments.stream().into_iter().next() {
                        let message = text.to_string().trim_matches('"').replace("\\\n", " ");
                        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
                        found.push((text.span().start().line, message));
                    }
                }
                _ => error_messages(group.stream(), found),
            }
        }
        before = tree.to_string();
    }
}

// ---- the checker ----

/// Every rule that a source text breaks, as `src/plan/mod.rs:12: …`. The file is named from `src/`.
fn violations(source: &Source) -> Vec<String> {
    let Source { file, tokens, .. } = source;
    let mut found = Vec::new();
    let mut tell = |line: usize, words: String| found.push(format!("src/{file}:{line}: {words}"));
    let room = room_of(file);
    if !matches!(room, "lib" | "main") {
        for path in crate_paths(tokens, depth_of(file)) {
            if let Some(words) = breaks_direction(room, &path.segments) {
                tell(path.line, words);
            }
            if knows_wallet(room, file, &path.segments) {
                tell(path.line, "only payer/ and the files in KNOWS_WALLETS know which wallet pays".to_owned());
            }
        }
    }
    if PURE.iter().any(|pure| if pure.ends_with('/') { file.starts_with(pure) } else { file == *pure }) {
        for (i, token) in tokens.iter().enumerate() {
            let next = |n: usize| tokens.get(i + n).map_or("", |token| token.text.as_str());
            let called = IMPURE_CALLS.iter().any(|call| (token.text.as_str(), next(3)) == *call && next(1) == ":");
            if called || IMPURE_WORDS.contains(&token.text.as_str()) {
                tell(token.line, format!("{} has no place where there is no I/O and no clock", token.text));
            }
        }
    }
    found
}

fn breaks_direction(room: &str, path: &[String]) -> Option<String> {
    let used = path.first().map_or("*", String::as_str);
    let item = path.get(1).map_or("*", String::as_str);
    if used == room {
        return None;
    }
    if LEAVES.contains(&used) {
        let barred = room == "sandbox" && !SANDBOX_LEAVES.contains(&used);
        return barred.then(|| format!("sandbox may use only l402, money and time, not {used}"));
    }
    if LEAVES.contains(&room) {
        return Some(format!("{room} is a leaf and may use no room, not {used}"));
    }
    let Some(rule) = ROOMS.iter().find(|rule| rule.name == room) else {
        return Some(format!(
            "the room {room} is not in the table of tests/structure/main.rs; say there what it may use"
        ));
    };
    let types = rule.types.iter().find(|(other, _)| *other == used).map_or(&[][..], |(_, types)| types);
    if rule.uses.contains(&used) || types.contains(&item) {
        return None;
    }
    let also: Vec<String> =
        rule.types.iter().map(|(other, types)| format!("{other}::{{{}}}", types.join(", "))).collect();
    Some(format!(
        "{room} may use {} and leaves, not {used}::{item}",
        rule.uses.iter().map(ToString::to_string).chain(also).collect::<Vec<_>>().join(", ")
    ))
}

/// Whether a path leads to one wallet's folder from where nobody needs to know which wallet it is.
fn knows_wallet(room: &str, file: &str, path: &[String]) -> bool {
    let is_wallet = |name: &String| name == "*" || WALLETS.contains(name);
    let reaches = path.first().is_some_and(|segment| segment == "payer") && path.get(1).is_some_and(is_wallet);
    reaches && room != "payer" && KNOWS_WALLETS.iter().all(|(known, _)| *known != file)
}

/// The folders in `payer/`: each is a wallet's.
static WALLETS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let payer = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/payer"));
    let folders = payer.into_iter().flatten().filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir()));
    folders.filter_map(|folder| folder.file_name().into_string().ok()).collect()
});

/// The room of a file: its folder in `src/`, or its own name there.
fn room_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// How many `super::` lead from the file's module to the crate.
fn depth_of(file: &str) -> usize {
    let parts = file.split('/').count();
    if file.ends_with("/mod.rs") { parts - 1 } else { parts }
}

/// A source file, named from `src/`.
struct Source {
    file: String,
    text: String,
    /// Without its tests.
    tokens: Vec<Token>,
    /// The names of modules in other files that it declares for tests only.
    test_modules: Vec<String>,
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        let (tokens, test_modules) = without_tests(lex(text));
        Self { file: file.to_owned(), text: text.to_owned(), tokens, test_modules }
    }

    /// The files (without their ending) of its test modules.
    fn test_files(&self) -> impl Iterator<Item = PathBuf> {
        let path = Path::new(&self.file);
        let named_by_folder = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name));
        let folder = if named_by_folder { path.parent().map(Path::to_owned) } else { Some(path.with_extension("")) };
        self.test_modules.iter().map(move |name| folder.clone().unwrap_or_default().join(name))
    }
}

/// Every source file but those of tests, read once for all that is looked for in them.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let read = collect(&src, &src, &mut sources);
    assert!(read.is_ok(), "{read:?}");
    let tests: HashSet<PathBuf> = sources.iter().flat_map(Source::test_files).collect();
    let is_test = |file: &str| Path::new(file).ancestors().any(|part| tests.contains(&part.with_extension("")));
    sources.into_iter().filter(|source| !is_test(&source.file)).collect()
});

fn collect(src: &Path, folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(src, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(src).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            sources.push(Source::new(&file, &fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

struct Token {
    text: String,
    line: usize,
}

struct CratePath {
    segments: Vec<String>,
    line: usize,
}

/// Words and single signs, those of groups too. Literals are left out.
fn lex(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let stream = text.parse();
    assert!(stream.is_ok(), "this is no Rust:\n{text}");
    flatten(stream.unwrap_or_default(), &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.to_owned(), line: group.span_close().end().line });
            }
            TokenTree::Ident(word) => tokens.push(Token { text: word.to_string(), line }),
            TokenTree::Punct(sign) => tokens.push(Token { text: sign.to_string(), line }),
            TokenTree::Literal(_) => {}
        }
    }
}

/// The tokens without items under `#[cfg(test)]`, and the names of the modules in other files among those.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let text = |i: usize| tokens.get(i).map_or("", |token: &Token| token.text.as_str());
    let (mut kept, mut modules, mut i) = (Vec::new(), Vec::new(), 0);
    while i < tokens.len() {
        if text(i) == "#" && text(i + 1) == "[" && text(i + 2) == "cfg" {
            let attribute = i..closing(&tokens, i + 1);
            let words: Vec<&str> = attribute.clone().map(text).collect();
            if words.contains(&"test") && !words.contains(&"not") {
                let end = end_of_item(&tokens, attribute.end);
                if let Some(at) = (attribute.end..end).find(|at| text(*at) == "mod" && text(at + 2) == ";") {
                    modules.push(text(at + 1).to_owned());
                }
                i = end;
                continue;
            }
        }
        kept.push(i);
        i += 1;
    }
    let kept: HashSet<usize> = kept.into_iter().collect();
    let left = tokens.into_iter().enumerate().filter(|(i, _)| kept.contains(i)).map(|(_, token)| token).collect();
    (left, modules)
}

/// Behind the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// Behind the item that begins here: its block, or its semicolon.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut i = start;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            "{" => return closing(tokens, i),
            "[" | "(" => i = closing(tokens, i),
            ";" => return i + 1,
            _ => i += 1,
        }
    }
    tokens.len()
}

/// Every path from the crate's root, groups taken apart: `crate::a::{B, c::D}` is `a::B` and `a::c::D`.
fn crate_paths(tokens: &[Token], depth: usize) -> Vec<CratePath> {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let joined = |i: usize| text(i) == ":" && text(i + 1) == ":";
    let mut paths = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let rooted = match text(i) {
            "crate" if joined(i + 1) => Some(i + 3),
            "super" if (0..depth).all(|n| text(i + 3 * n) == "super" && joined(i + 3 * n + 1)) => Some(i + 3 * depth),
            _ => None,
        };
        i = match rooted {
            Some(start) => tree(tokens, start, &[], &mut paths),
            None => i + 1,
        };
    }
    paths
}

/// Reads a tree of paths and gives where it ends.
fn tree(tokens: &[Token], start: usize, before: &[String], paths: &mut Vec<CratePath>) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut segments = before.to_vec();
    let mut i = start;
    let line = tokens.get(start).map_or(0, |token| token.line);
    loop {
        if text(i) == "{" {
            i += 1;
            while i < tokens.len() && text(i) != "}" {
                i = match text(i) {
                    "," => i + 1,
                    "as" => i + 2,
                    _ => tree(tokens, i, &segments, paths),
                };
            }
            return i + 1;
        }
        segments.push(text(i).to_owned());
        i += 1;
        if text(i) == ":" && text(i + 1) == ":" {
            i += 2;
        } else {
            paths.push(CratePath { segments, line });
            return i;
        }
    }
}

// ---- the checker can fail ----

#[test]
fn a_wrong_direction_is_found_wherever_it_is_written() {
    for (file, text, line) in [
        ("plan/mod.rs", "use crate::ledger::Counts;", 1),
        ("plan/mod.rs", "\n\nfn f() { crate::run::go() }", 3),
        ("plan/mod.rs", "use crate::{money::Msat,\n  ledger::{Counts as C, Ledger}};", 2),
        ("plan/mod.rs", "use super::ledger::Counts;", 1),
        ("plan/totals.rs", "use super::super::ledger;", 1),
        ("money.rs", "use crate::catalog::Value;", 1),
        ("payer/lnd.rs", "use crate::ledger::Counts;", 1),
        ("payer/lnd.rs", "use crate::ledger::*;", 1),
        ("ledger/sqlite.rs", "use crate::origin::Origin;", 1),
        ("run/mod.rs", "use crate::cli::ExitCode;", 1),
        ("run/mod.rs", "use crate::sandbox::serve;", 1),
        ("report/bar.rs", "use crate::payer::NodeInfo;", 1),
        ("run/ask.rs", "use crate::payer::{Payer, lnd::LndPayer};", 1),
        ("cli/batch/session.rs", "\nfn f(p: &crate::payer::lnd::LndPayer) {}", 2),
        ("cli/money.rs", "use crate::payer::*;", 1),
        ("sandbox/origin.rs", "use crate::catalog::Endpoint;", 1),
        ("sandbox/origin.rs", "use crate::diagnostic::closest;", 1),
        ("event.rs", "use crate::ledger::Counts;", 1),
        ("brand_new/mod.rs", "use crate::plan::Totals;", 1),
        ("plan/mod.rs", "const Q: char = '\"'; use crate::run::X; // '\"'", 1),
        ("plan/mod.rs", "fn f<'a>(x: &'a str) {} use crate::run::X;", 1),
        ("plan/mod.rs", "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::run::X;", 3),
        ("plan/mod.rs", "#[cfg(not(test))]\nuse crate::run::X;", 2),
        ("life/mod.rs", "use std::time::Instant;", 1),
        ("ledger/decide/mod.rs", "use rusqlite::Connection;", 1),
        ("l402/invoice.rs", "async fn f() { tokio::spawn(g()) }", 1),
        ("manifest/csv.rs", "fn f() { jiff::Timestamp::now(); }", 1),
        ("manifest/image.rs", "fn f() { std::time::SystemTime::now(); }", 1),
    ] {
        let found = violations(&Source::new(file, text));
        let first = found.first().map(String::as_str).unwrap_or_default();
        assert!(first.starts_with(&format!("src/{file}:{line}: ")), "{file}: {text}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (file, text) in [
        ("plan/mod.rs", "use crate::{money::Msat, catalog::{Endpoint, Value}, manifest::JobSpec};"),
        ("plan/totals.rs", "use super::Totals; use crate::plan::Group;"),
        (
            "plan/mod.rs",
            "// use crate::run::X;\n/* crate::run /* nested */ tokio */ const A: &str = \"crate::run::X\";",
        ),
        ("plan/mod.rs", "const A: &str = r#\"crate::run \"quoted\" tokio\"#;"),
        ("plan/mod.rs", "#[cfg(test)]\nmod tests { use crate::run::X; fn f() { std::time::Instant::now(); } }"),
        ("plan/mod.rs", "#[cfg(test)]\nuse crate::run::X;"),
        ("payer/lnd.rs", "use crate::ledger::DurableIntent;"),
        ("ledger/sqlite.rs", "use crate::purchase::{Credential, HttpAnswer, Request, WalletId};"),
        ("ledger/sqlite.rs", "use std::time::Instant; use rusqlite::Connection;"),
        ("ledger/record.rs", "pub struct X { pub(in crate::ledger) a: u8, pub(crate) b: u8 }"),
        ("report/csv.rs", "use crate::catalog::Value; use crate::ledger::ResultRow; use crate::event::Event;"),
        ("sandbox/origin.rs", "use crate::l402::Network; use crate::money::Sats; use crate::time::UnixMs;"),
        ("run/mod.rs", "use tokio::time::Instant; use crate::{event::Event, ledger::Ledger};"),
        ("run/ask.rs", "use crate::payer::{NodeInfo, Payer};"),
        ("cli/node.rs", "use crate::payer::lnd::LndPayer;"),
        ("cli/run.rs", "use crate::sandbox::serve; use super::args::RunArgs;"),
        ("manifest/image.rs", "use std::time::SystemTime; struct Seen { changed: SystemTime }"),
        ("lib.rs", "pub mod run;"),
    ] {
        assert_eq!(violations(&Source::new(file, text)), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn files_that_are_for_tests_only_are_known() {
    let declared = |file: &str, text: &str| Source::new(file, text).test_files().collect::<Vec<_>>();
    assert_eq!(declared("src/plan/mod.rs", "#[cfg(test)]\nmod tests;"), [PathBuf::from("src/plan/tests")]);
    assert_eq!(declared("src/plan/price.rs", "#[cfg(test)] pub mod golden;"), [PathBuf::from("src/plan/price/golden")]);
    assert_eq!(declared("src/plan/mod.rs", "mod tests;"), Vec::<PathBuf>::new());
}

/// Flags by which a person says something once: no command that is printed carries one.
const ONCE: [&str; 5] = ["--retake", "--overwrite", "--adopt", "--trust", "--duplicates buy"];
/// Texts that are no advice of a process: help, and the sandbox's own greeting.
const NO_ADVICE: [&str; 4] = ["cli/args/", "command.rs", "sandbox/", "cli/commands/catalog/update.rs"];

/// `command.rs` makes the commands that are printed; elsewhere none is spelt out, and none says a person's word.
#[test]
fn printed_commands_are_made_in_one_place_and_carry_no_word_of_a_person() {
    let mut wrong = Vec::new();
    for Source { file, text, .. } in SOURCES.iter() {
        if NO_ADVICE.iter().any(|name| file.starts_with(name)) {
            continue;
        }
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").map(str::trim);
        for line in lines.filter(|line| !line.starts_with("//")) {
            let is_command = |part: &str| part.starts_with("l402-batch ") || part.starts_with("run ");
            let spelt = line.split('`').skip(1).step_by(2).any(|part| part.starts_with("l402-batch "));
            let of_once = |text: &str| ONCE.iter().any(|word| text.contains(word));
            let said = line.split('`').skip(1).step_by(2).any(|part| is_command(part) && of_once(part));
            if spelt || said || (line.contains("command(") && of_once(line)) || line.contains("run --retake") {
                wrong.push(format!("src/{file}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
