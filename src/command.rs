//! Commands that are printed for a person to type. One place makes them, so that each carries what it needs to work as
//! printed; none ever carries a word that a person says once (to buy anew, to replace a file, to take a batch over).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::screen::{set_own_command, veiled};
use crate::terminal_text::{is_printable, printable_char};

/// What every command of this process needs: ledger and configuration, where they are not those by default.
static CONTEXT: OnceLock<Context> = OnceLock::new();

/// The word by which a shell starts this program.
static PROGRAM: OnceLock<String> = OnceLock::new();

/// The program's own name.
const NAME: &str = "l402-batch";

#[derive(Debug)]
struct Context {
    /// The ledger, also where it is that by default.
    ledger: PathBuf,
    /// What every command needs.
    all: Vec<String>,
    /// What those that ask the node need besides.
    node: Vec<String>,
    /// Some node is named or found, also by what needs no flag.
    has_node: bool,
}

/// Says once in the process's life what every printed command needs, and what those that ask the node need besides: flags and
/// values. A ledger that `is_usual` need not be named, nor a configuration file that is none.
/// `has_node`: a node is known, whatever names it.
pub fn set_context(ledger: &Path, is_usual: bool, config: Option<&Path>, node: Vec<String>, has_node: bool) {
    let named = [("--ledger", Some(ledger).filter(|_| !is_usual)), ("--config", config)];
    let all = named.into_iter().filter_map(|(flag, path)| Some([flag.to_owned(), absolute(path?)])).flatten().collect();
    // A process resolves one command line.
    let _ = CONTEXT.set(Context { ledger: ledger.to_owned(), all, node, has_node });
}

/// Says once in the process's life by which word it was started (`argv[0]`). `commands`: the words that may follow it.
pub fn set_program(started_as: &Path, commands: fn() -> Vec<String>) {
    let word = first_word(&word_of(started_as));
    // A bare name may be a word of prose.
    set_own_command(&word, if word.contains('/') || word == NAME { Vec::new() } else { commands() });
    let _ = PROGRAM.set(word);
}

/// The word by which a shell starts this program, as a shell takes it: its name where that leads to it, else what it was started
/// by.
#[must_use]
pub fn program() -> &'static str {
    PROGRAM.get().map_or(NAME, String::as_str)
}

fn word_of(started_as: &Path) -> String {
    let Ok(this) = std::env::current_exe().and_then(std::fs::canonicalize) else {
        return started_as.display().to_string();
    };
    let path = std::env::var_os("PATH");
    let words = [Path::new(NAME), started_as];
    let is_this = |word: &&Path| found(word, path.as_deref()).as_ref() == Some(&this);
    words.into_iter().find(is_this).unwrap_or(&this).display().to_string()
}

/// A command's first word as a shell takes it, which takes one with `=` for a variable.
fn first_word(word: &str) -> String {
    match shell(word) {
        bare if bare == word && word.contains('=') => format!("'{word}'"),
        quoted => quoted,
    }
}

/// The file that a shell takes that word for, links followed. `path`: the variable, where it is set.
fn found(word: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    let place = if word.as_os_str().as_encoded_bytes().contains(&b'/') {
        word.to_owned()
    } else {
        std::env::split_paths(path?).map(|folder| folder.join(word)).find(|place| is_executable(place))?
    };
    std::fs::canonicalize(place).ok()
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The ledger that this process works with, once that is known.
#[must_use]
pub fn ledger() -> Option<&'static Path> {
    CONTEXT.get().map(|context| context.ledger.as_path())
}

/// A path that leads there from any folder.
#[must_use]
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Flags and values that every command needs.
#[must_use]
pub fn carried() -> &'static [String] {
    CONTEXT.get().map_or(&[], |carried| &carried.all)
}

/// A command of this program as a shell takes it; `line` holds its words, quoted where they need it.
#[must_use]
pub fn command(line: &str) -> String {
    printable(of_program(line))
}

fn of_program(line: &str) -> String {
    with(lone_command(line), carried())
}

/// A command that has to do with no ledger.
#[must_use]
pub fn lone_command(line: &str) -> String {
    format!("{} {line}", program())
}

/// The same, as [`printable`], with what every command needs besides.
#[must_use]
pub fn command_without_ledger(line: &str) -> String {
    let words = carried().chunks(2).filter(|pair| pair.first().is_none_or(|name| name != "--ledger"));
    printable(with(lone_command(line), &words.flatten().cloned().collect::<Vec<_>>()))
}

/// The command; words in its place where it would show a secret, and with stars for that would not do what it says.
#[must_use]
pub fn printable(command: String) -> String {
    if veiled(&command) == command {
        return command;
    }
    "(a command that is not printed, as a macaroon stands in a name of it: rename that file or folder, or type it by hand)".to_owned()
}

/// A command of this program that asks the node, as [`printable`]: it carries the options by which this process was told of the
/// node.
#[must_use]
pub fn node_command(line: &str) -> String {
    printable(with(of_program(line), CONTEXT.get().map_or(&[], |carried| &carried.node)))
}

/// What a command needs besides that cannot do without a node: in words, where nothing that this process was told names one.
#[must_use]
pub fn needed_node() -> Option<&'static str> {
    let is_without = CONTEXT.get().is_some_and(|context| !context.has_node);
    is_without.then_some("with --lnd-url and --lnd-macaroon-file as the run had them")
}

/// The same within a sentence, behind such a command; nothing where a node is known.
#[must_use]
pub fn needing_node() -> String {
    needed_node().map_or_else(String::new, |words| format!(", {words},"))
}

/// The command, run without these variables of the environment, which would have it do something else.
#[must_use]
pub fn without(variables: &[String], command: String) -> String {
    unset(program(), variables, command)
}

fn unset(program: &str, variables: &[String], command: String) -> String {
    if variables.is_empty() {
        return command;
    }
    // `env` takes each word with `=` for a variable, quoted or not.
    if program.contains('=') {
        return format!("(unset {}; {command})", variables.join(" "));
    }
    format!("env{} {command}", variables.iter().map(|name| format!(" -u {name}")).collect::<String>())
}

fn with(command: String, words: &[String]) -> String {
    words.chunks(2).fold(command, |command, pair| match pair {
        [name, value] => format!("{command} {}", flag(name, value)),
        rest => rest.iter().fold(command, |command, word| format!("{command} {}", shell(word))),
    })
}

/// A flag and its value as a shell takes them. A value that begins with `-` would be taken for a flag itself, unless it is joined
/// to its own.
#[must_use]
pub fn flag(name: &str, value: &str) -> String {
    format!("{name}{}{}", if value.starts_with('-') { '=' } else { ' ' }, shell(value))
}

/// A line about a batch.
#[must_use]
pub fn about_batch(line: &str, batch: &str) -> String {
    format!("{line} {}", flag("--batch", batch))
}

/// A file that a command is given without a flag, as a shell takes it. One that begins with `-` is named from its folder, so that
/// it is no flag.
#[must_use]
pub fn file(path: &str) -> String {
    if path.starts_with('-') { shell(&format!("./{path}")) } else { shell(path) }
}

/// A word as a shell takes it. What steers a terminal or is not seen there is written as bash, zsh and ksh read it.
#[must_use]
pub fn shell(word: &str) -> String {
    if !is_printable(word) {
        return format!("$'{}'", word.chars().map(escaped).collect::<String>());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    // zsh takes `=name` for the path of that program.
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn escaped(c: char) -> String {
    match c {
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        '\t' => r"\t".to_owned(),
        '\'' | '\\' => format!("\\{c}"),
        // By its bytes: other ways to write it depend on the locale.
        _ if printable_char(c) != c => {
            c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02x}")).collect()
        }
        _ => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(shell("jobs.example.toml"), "jobs.example.toml");
        assert_eq!(shell("it's here; rm -rf"), r"'it'\''s here; rm -rf'");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("=eq.csv"), "'=eq.csv'");
        assert_eq!(first_word("a=b/l402-batch"), "'a=b/l402-batch'");
        assert_eq!(first_word("a =b/l402-batch"), "'a =b/l402-batch'");
        assert_eq!(first_word("./l402-batch"), "./l402-batch");
        assert_eq!(shell("a\u{202f}b\u{a0}c\u{3000}d"), "'a\u{202f}b\u{a0}c\u{3000}d'");
        assert_eq!(shell("a\nb"), r"$'a\nb'");
        assert_eq!(shell("it's a\\b\r\u{ad}ü"), r"$'it\'s a\\b\r\xc2\xadü'");
        let unset = |program: &str| unset(program, &["A".to_owned(), "B".to_owned()], format!("{program} run"));
        assert_eq!(unset("buy"), "env -u A -u B buy run");
        assert_eq!(unset("/a=b/buy"), "(unset A B; /a=b/buy run)");
        assert_eq!(command("status --batch june"), "l402-batch status --batch june");
        assert_eq!(command(&about_batch("status", "a b")), "l402-batch status --batch 'a b'");
    }

    #[test]
    fn a_word_is_taken_for_what_a_shell_takes_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["none", "one", "two"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join(NAME), "").unwrap();
            let mode = if name == "none" { 0o600 } else { 0o700 };
            std::fs::set_permissions(at(name).join(NAME), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink(at("two").join(NAME), at("one/link")).unwrap();
        let found = |word: &str| {
            let path = std::env::join_paths(["none", "one", "two"].map(at)).unwrap();
            found(Path::new(word), Some(&path))
                .map(|file| file.strip_prefix(folder.path().canonicalize().unwrap()).unwrap().to_owned())
        };
        assert_eq!(found(NAME), Some("one/l402-batch".into()), "the first that can be started");
        assert_eq!(found("link"), Some("two/l402-batch".into()));
        assert_eq!(found(at("two/../none/l402-batch").to_str().unwrap()), Some("none/l402-batch".into()));
        assert_eq!(found("nothing"), None);
        assert_eq!(super::found(Path::new("ls"), None), None, "no PATH, no folder");
    }

    #[test]
    fn a_command_that_would_show_a_macaroon_is_words() {
        let name = format!("0201036c6e6402{}", "c0ffee1d".repeat(12));
        crate::screen::remember(&name, crate::screen::TypedAs::Anything);
        for shown in [command(&about_batch("status", &name)), node_command(&about_batch("recover", &name))] {
            assert!(!shown.contains("l402-batch ") && !shown.contains("**") && shown.contains("rename"), "{shown}");
        }
    }

    /// Ids, batches and files may begin with `-`.
    #[test]
    fn no_value_is_taken_for_a_flag() {
        assert_eq!(flag("--job", "q"), "--job q");
        assert_eq!(flag("--job", "-q"), "--job=-q");
        assert_eq!(flag("--job", "--as"), "--job=--as");
        assert_eq!(flag("--job", "-a b"), "--job='-a b'");
        assert_eq!(about_batch("status", "-d"), "status --batch=-d");
        assert_eq!(file("-d.csv"), "./-d.csv");
        assert_eq!(file("--d 1.csv"), "'./--d 1.csv'");
        assert_eq!(file("/a/-d.csv"), "/a/-d.csv");
        let words = ["--ledger", "/a b/l.db", "--lnd-url", "-"].map(str::to_owned);
        assert_eq!(with("x".to_owned(), &words), "x --ledger '/a b/l.db' --lnd-url=-");
    }
}
