//! How wide the terminals are, and text folded to them: between words, and never within what is only of use whole (a URL, a
//! path, a command). What goes into a pipe or a file is not folded.

mod echo;
mod pasted;
mod table;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::termios::tcgetwinsize;
use textwrap::core::{Word, display_width};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

pub use echo::Unechoed;
pub use pasted::{
    TypedAs, around, beginning, hide, holds_binary_macaroon, holds_secret, keep_back, looks_like_macaroon,
    looks_like_private_key, quotation, remember, veiled,
};
pub use table::table;

/// Columns of a terminal that does not tell.
const COLUMNS_DEFAULT: u16 = 80;

/// Narrower terminals are taken for this wide.
const COLUMNS_MIN: u16 = 40;

/// Text beside a label has at least so many columns; where it would have fewer it goes on below.
const TEXT_COLUMNS_MIN: usize = 24;

/// How far a piece that overhangs is moved in, on a line of its own.
const OVERHANG_INDENT: usize = 2;

/// Stands before what is to be done.
const ARROW: &str = "→ ";

/// What begins a command that a person copies, where no backticks hold it.
const PROGRAMS: [&str; 2] = ["l402-batch", "lncli"];

/// What stands before a program that is run without variables of the environment.
const WITHOUT: [&str; 2] = ["env -u ", "(unset "];

/// What begins the commands of this program.
#[derive(Debug)]
struct Own {
    /// The word by which a shell starts it, as a shell takes it.
    word: String,
    /// Words of which one follows, unless a flag does; any does where there are none.
    followed_by: Vec<String>,
}

static OWN: OnceLock<Own> = OnceLock::new();

/// Says once in the process's life which word begins the commands that are printed, quoted where it needs that. One that may stand in
/// prose as well is a command's only where one of `followed_by`, or a flag, comes behind it.
pub fn set_own_command(word: &str, followed_by: Vec<String>) {
    // A process is started once.
    let _ = OWN.set(Own { word: word.to_owned(), followed_by });
}

impl Own {
    fn begins(&self, text: &str) -> bool {
        let Some(after) = text.strip_prefix(&self.word).and_then(|after| after.strip_prefix(' ')) else { return false };
        let next = after.split(' ').next().unwrap_or(after);
        self.followed_by.is_empty() || next.starts_with('-') || self.followed_by.iter().any(|word| word == next)
    }
}

/// The columns of standard output's terminal; none where it goes into a pipe or a file.
#[must_use]
pub fn stdout_columns() -> Option<u16> {
    columns(&io::stdout())
}

/// The columns of standard error's terminal; none where it goes into a pipe or a file.
#[must_use]
pub fn stderr_columns() -> Option<u16> {
    columns(&io::stderr())
}

fn columns(stream: &(impl IsTerminal + AsFd)) -> Option<u16> {
    let told = || tcgetwinsize(stream).ok().map(|size| size.ws_col).filter(|columns| *columns > 0);
    stream.is_terminal().then(|| told().unwrap_or(COLUMNS_DEFAULT).max(COLUMNS_MIN))
}

/// The text, its lines folded to so many columns; as it is where there are none. A line goes on below where its own text
/// began, behind its label (two spaces end one). A piece that is longer than a line stands on one of its own.
#[must_use]
pub fn fold(text: &str, columns: Option<u16>) -> Cow<'_, str> {
    let Some(columns) = columns.map(usize::from) else { return Cow::Borrowed(text) };
    if text.split('\n').all(|line| display_width(line) <= columns) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text.split('\n').map(|line| fold_line(line, columns)).collect();
    Cow::Owned(lines.join("\n"))
}

fn fold_line(line: &str, columns: usize) -> String {
    // A command may be written over several lines.
    let is_of_command = line.ends_with(" \\") || line.trim_start().starts_with("--");
    if is_of_command || display_width(line) <= columns {
        return line.to_owned();
    }
    let (label, text) = line.split_at(label_end(line, columns));
    let indent = " ".repeat(display_width(label));
    // What has no label is told from the line before by going on further in.
    let further = if label.trim().is_empty() { format!("{indent}  ") } else { indent.clone() };
    let options = Options::new(columns)
        .initial_indent(&indent)
        .subsequent_indent(&further)
        .break_words(false)
        .word_separator(WordSeparator::Custom(pieces))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let mut folded = label.to_owned();
    for (nth, piece) in textwrap::wrap(text, options).iter().enumerate() {
        let (text, overhangs) = (piece.trim_start(), display_width(piece) > columns);
        let below = if overhangs { &further[..further.len().min(OVERHANG_INDENT)] } else { &further };
        if nth > 0 || (overhangs && !label.trim().is_empty()) {
            folded.truncate(folded.trim_end().len());
            folded.push('\n');
            folded.push_str(below);
        } else if overhangs {
            folded.clear();
            folded.push_str(below);
        }
        folded.push_str(text);
    }
    folded
}

/// Where the text of a line begins: behind its last label, as far as that leaves room for text.
fn label_end(line: &str, columns: usize) -> usize {
    let own = line.len() - line.trim_start().len();
    let (mut end, mut spaces, mut width) = (own, 0, 0);
    for (at, c) in line.char_indices() {
        if c != ' ' && spaces >= 2 {
            end = at;
        }
        spaces = if c == ' ' { spaces + 1 } else { 0 };
        width += display_width(c.encode_utf8(&mut [0; 4]));
        let begins_word = at == 0 || line[..at].ends_with(' ');
        // Blanks in the program's own path end no label.
        let is_own = |own: &Own| own.word.contains("  ") && line[at..].starts_with(&own.word);
        if c == '`' || (begins_word && OWN.get().is_some_and(is_own)) || width + TEXT_COLUMNS_MIN > columns {
            break;
        }
    }
    end
}

/// Words between spaces, with what stands in backticks, and a command to the end of its line, as one.
fn pieces(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut rest = line;
    Box::new(std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // An arrow points at what follows.
        let start = if rest.starts_with(ARROW) { ARROW.len() } else { 0 };
        let word = rest[start..].find(' ').map_or(rest.len(), |at| start + at);
        let mut end = if begins_command(&rest[start..], OWN.get()) { rest.len() } else { word };
        if let Some(opened) = rest[..word].find('`') {
            // A piece ends at the first space outside of backticks.
            let mut quoted = false;
            let outside = rest.char_indices().skip_while(|(at, _)| *at < opened).find(|(_, c)| {
                quoted ^= *c == '`';
                *c == ' ' && !quoted
            });
            end = outside.map_or(rest.len(), |(at, _)| at);
        }
        let spaces = rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let (piece, after) = rest.split_at(end + spaces);
        rest = after;
        Some(Word::from(piece))
    }))
}

/// Whether a command begins there: with a program's name, or a path to it, quoted or not; or with the word that starts this one,
/// which may hold blanks and be called otherwise.
fn begins_command(text: &str, own: Option<&Own>) -> bool {
    let word = text.split(' ').next().unwrap_or(text);
    PROGRAMS.contains(&word.rsplit('/').next().unwrap_or(word).trim_end_matches('\''))
        || WITHOUT.iter().any(|before| text.starts_with(before))
        || own.is_some_and(|own| own.begins(text))
}

/// A writer that folds whole lines to so many columns, and hands on the rest as it is, without the secrets that were typed.
pub struct Folding<W: Write> {
    out: W,
    columns: Option<u16>,
    line: Vec<u8>,
}

impl<W: Write> Folding<W> {
    /// Folds to so many columns; nothing where there are none.
    pub const fn new(out: W, columns: Option<u16>) -> Self {
        Self { out, columns, line: Vec::new() }
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        match std::str::from_utf8(&line) {
            Ok(text) => self.out.write_all(fold(&veiled(text), self.columns).as_bytes()),
            Err(_) => self.out.write_all(&line),
        }
    }
}

impl<W: Write> Write for Folding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.columns.is_none() && !pasted::is_any() {
            return self.out.write(bytes);
        }
        self.line.extend_from_slice(bytes);
        if bytes.contains(&b'\n') {
            let rest = self.line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let rest = self.line.split_off(rest);
            self.hand_on()?;
            self.line = rest;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(line: &str, columns: u16) -> Vec<String> {
        fold(line, Some(columns)).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_folded_between_words_below_its_own_text() {
        let line = "spent           1,100 sats of 11,450 sats planned, plus 12 sats routing fees";
        assert_eq!(
            folded(line, 48),
            [
                "spent           1,100 sats of 11,450 sats",
                "                planned, plus 12 sats routing",
                "                fees"
            ]
        );
        assert_eq!(fold(line, Some(76)), line);
        assert_eq!(fold(line, None), line, "nothing is folded where no terminal is");
        let deep = format!("{:60}text of two", "label");
        assert_eq!(folded(&deep, 66), [format!("{:60}text", "label"), "  of two".to_owned()]);
    }

    #[test]
    fn what_is_of_use_only_whole_is_never_broken() {
        let url = format!("https://api.example/{}", "a".repeat(60));
        assert_eq!(
            folded(&format!("see {url} for more of it"), 40),
            ["see".to_owned(), format!("  {url}"), "  for more of it".to_owned()]
        );
        assert_eq!(folded(&format!("results         {url}"), 40), ["results".to_owned(), format!("  {url}")]);
        assert_eq!(folded(&format!("{:24}{url}", ""), 40), [format!("  {url}")]);
        let next = "go on where this run stopped: ./l402-batch run jobs.toml --yes --max-sats 5000";
        assert_eq!(
            folded(next, 50),
            ["go on where this run stopped:", "  ./l402-batch run jobs.toml --yes --max-sats 5000"]
        );
        let command = "l402-batch status --batch june --job 'a b' --proof";
        assert_eq!(
            folded(&format!("needs you  shot-009  declined  {command}"), 60),
            ["needs you  shot-009  declined".to_owned(), format!("  {command}")]
        );
        assert_eq!(
            folded(&format!("3 jobs are open; `{command}`, and then go on as before"), 40),
            ["3 jobs are open;".to_owned(), format!("  `{command}`,"), "  and then go on as before".to_owned()]
        );
        let lines = "  l402-batch run jobs.toml \\\n    --lnd-macaroon-file /a/path/to/payer.macaroon";
        assert_eq!(fold(lines, Some(40)), lines, "a command over several lines");
        let bake = format!("{:24}→ lncli bakemacaroon uri:/lnrpc.Lightning/GetInfo uri:/x", "");
        assert_eq!(folded(&bake, 60), ["  → lncli bakemacaroon uri:/lnrpc.Lightning/GetInfo uri:/x"]);
        assert_eq!(folded("a tick ` that nobody closes folds no more", 20).len(), 2);
    }

    #[test]
    fn a_command_begins_with_whatever_starts_this_program() {
        let own = Own { word: "'/opt/l4 0 2/buy'".to_owned(), followed_by: Vec::new() };
        let own = Some(&own);
        assert!(begins_command("'/opt/l4 0 2/buy' run j.toml", own));
        assert!(!begins_command("'/opt/l4 0 2/buyer' run j.toml", own));
        assert!(!begins_command("'/opt/l4 0 2/buy' run j.toml", None));
        for own in [own, None] {
            assert!(begins_command("'/opt/tools/l402-batch' run j.toml", own));
            assert!(begins_command("env -u L402_BATCH_ONLY buy run j.toml", own));
            assert!(begins_command("(unset L402_BATCH_ONLY; 'a=b/buy' run j.toml)", own));
            assert!(!begins_command("buy what is left", own));
        }
        // A bare name may be a word like any other.
        let own = Own { word: "buy".to_owned(), followed_by: vec!["run".to_owned(), "status".to_owned()] };
        for (text, is_command) in [
            ("buy run j.toml", true),
            ("buy status", true),
            ("buy --config c.toml run j.toml", true),
            ("buy for 13,850 sats plus at most 140 sats routing fees", false),
            ("buy runs", false),
            ("buy", false),
        ] {
            assert_eq!(begins_command(text, Some(&own)), is_command, "{text}");
        }
    }

    #[test]
    fn lines_are_folded_as_they_come() {
        let mut out = Vec::new();
        let mut folding = Folding::new(&mut out, Some(40));
        for part in ["one two three four ", "five six seven eight nine", "\nshort\nhalf", " a line"] {
            folding.write_all(part.as_bytes()).unwrap();
        }
        folding.flush().unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "one two three four five six seven eight\n  nine\nshort\nhalf a line");
    }
}
