//! What a check found: for a person a line each, for a program one document.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::cli::{ExitCode, Format};
use crate::error::{Hinted, chain};
use crate::money::{Msat, counted};
use crate::terminal_text::{printable_char, write_json};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Good to know; nothing to do.
    Note,
    /// Runs work, and something should be mended.
    Warning,
    /// A run would fail, or would not end with 0.
    Problem,
}

/// What one check found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    level: Level,
    message: String,
    advice: Option<String>,
    #[serde(skip)]
    code: ExitCode,
}

/// What was learnt of the node.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct NodeFacts {
    pub(super) url: String,
    pub(super) node: String,
    pub(super) network: String,
    pub(super) version: String,
    pub(super) synced: bool,
    /// How far the node's clock is ahead of this machine's; negative where it is behind.
    pub(super) clock_ahead_ms: Option<i64>,
    pub(super) balance_msat: Option<Msat>,
    pub(super) active_channel_count: Option<u64>,
    pub(super) largest_channel_msat: Option<Msat>,
    /// What the macaroon says that it allows.
    pub(super) rights: Option<Vec<String>>,
}

/// What was learnt of the manifest.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PlanFacts {
    pub(super) batch: Option<String>,
    pub(super) to_buy_count: u64,
    pub(super) to_buy_msat: Msat,
    pub(super) to_buy_capped_msat: Msat,
    pub(super) worst_case_msat: Msat,
    pub(super) dearest_msat: Msat,
}

/// What was learnt of an endpoint.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EndpointFacts {
    pub(super) endpoint: String,
    pub(super) url: String,
    /// The job whose request was sent, without payment.
    pub(super) job: String,
    pub(super) planned_msat: Msat,
    /// What the origin asks for now.
    pub(super) asked_msat: Option<Msat>,
    pub(super) network: Option<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    format_version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    exit_code: u8,
    findings: Vec<Finding>,
    pub(super) ledger: Option<String>,
    pub(super) node: Option<NodeFacts>,
    pub(super) plan: Option<PlanFacts>,
    pub(super) endpoints: Vec<EndpointFacts>,
}

impl Report {
    pub(super) const fn new() -> Self {
        Self {
            format_version: crate::report::FORMAT_VERSION,
            kind: "doctor",
            exit_code: 0,
            findings: Vec::new(),
            ledger: None,
            node: None,
            plan: None,
            endpoints: Vec::new(),
        }
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message.into(), None, ExitCode::Done);
    }

    pub(super) fn note(&mut self, check: &'static str, message: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Level::Note, message.into(), Some(advice.into()), ExitCode::Done);
    }

    pub(super) fn warning(&mut self, check: &'static str, message: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Level::Warning, message.into(), Some(advice.into()), ExitCode::Done);
    }

    pub(super) fn problem(
        &mut self,
        check: &'static str,
        code: ExitCode,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(check, Level::Problem, message.into(), Some(advice.into()), code);
    }

    /// A warning in whole sentences, which say what to do where something is to be done.
    pub(super) fn told(&mut self, check: &'static str, words: &str) {
        self.add(check, Level::Warning, words.to_owned(), None, ExitCode::Done);
    }

    /// A problem as its error tells it.
    pub(super) fn problem_of(&mut self, check: &'static str, code: ExitCode, error: &impl Hinted) {
        self.problem_within("", check, code, error);
    }

    /// The same, with what to do where the error does not know it.
    pub(super) fn problem_or(&mut self, check: &'static str, code: ExitCode, error: &impl Hinted, advice: &str) {
        self.problem(check, code, chain(error), error.hint().map_or_else(|| advice.to_owned(), Cow::into_owned));
    }

    /// The same, of what is named first.
    pub(super) fn problem_within(&mut self, what: &str, check: &'static str, code: ExitCode, error: &impl Hinted) {
        let message = format!("{what}{}", chain(error));
        self.add(check, Level::Problem, message, error.hint().map(Cow::into_owned), code);
    }

    /// A problem in somebody else's words, which may say what to do behind their last semicolon.
    pub(super) fn problem_in_words(&mut self, check: &'static str, code: ExitCode, words: &str) {
        self.add_words(check, Level::Problem, words, code);
    }

    /// A warning in such words.
    pub(super) fn warning_of(&mut self, check: &'static str, words: &str) {
        self.add_words(check, Level::Warning, words, ExitCode::Done);
    }

    fn add_words(&mut self, check: &'static str, level: Level, words: &str, code: ExitCode) {
        match words.rsplit_once("; ") {
            Some((what, advice)) => self.add(check, level, what.to_owned(), Some(advice.to_owned()), code),
            None => self.add(check, level, words.to_owned(), None, code),
        }
    }

    fn add(&mut self, check: &'static str, level: Level, message: String, advice: Option<String>, code: ExitCode) {
        self.exit_code = self.exit().or_worse(code).number();
        self.findings.push(Finding { check, level, message, advice, code });
    }

    /// How doctor ends: as the gravest problem says.
    pub(super) fn exit(&self) -> ExitCode {
        self.findings.iter().fold(ExitCode::Done, |worst, finding| worst.or_worse(finding.code))
    }

    pub(super) fn write(&self, out: &mut dyn Write, format: Format, quiet: bool) -> io::Result<()> {
        match format {
            Format::Json => write_json(out, self),
            Format::Table | Format::Csv => self.write_lines(out, quiet),
        }
    }

    fn write_lines(&self, out: &mut dyn Write, quiet: bool) -> io::Result<()> {
        let shown = |finding: &&Finding| !quiet || matches!(finding.level, Level::Warning | Level::Problem);
        for Finding { check, level, message, advice, .. } in self.findings.iter().filter(shown) {
            for (nth, line) in message.lines().enumerate() {
                let (level, check): (&str, _) = if nth == 0 { (level.into(), *check) } else { ("", "") };
                writeln!(out, "{level:<8} {check:<14} {}", on_screen(line))?;
            }
            if let Some(advice) = advice {
                writeln!(out, "{:<8} {:<14} → {}", "", "", on_screen(advice))?;
            }
        }
        if quiet { Ok(()) } else { writeln!(out, "\n{}", self.sum()) }
    }

    fn sum(&self) -> String {
        let of = |level| self.findings.iter().filter(|finding| finding.level == level).count() as u64;
        match (of(Level::Problem), of(Level::Warning)) {
            (0, 0) => "all good".to_owned(),
            (0, warnings) => format!("ready to run; {}", counted(warnings, "warning")),
            (problems, 0) => counted(problems, "problem"),
            (problems, warnings) => format!("{}, {}", counted(problems, "problem"), counted(warnings, "warning")),
        }
    }
}

/// A line without what steers a terminal, however long: a command in it has to be whole.
fn on_screen(line: &str) -> String {
    line.chars().map(printable_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_problem_says_how_it_ends_and_a_warning_does_not() {
        let mut report = Report::new();
        report.ok("ledger", "there");
        report.warning("clock", "late", "set it");
        assert_eq!((report.exit(), report.sum().as_str()), (ExitCode::Done, "ready to run; 1 warning"));
        report.problem("node", ExitCode::Node, "gone", "start it");
        report.problem_in_words("ledger", ExitCode::Ledger, "it is full; make room");
        assert_eq!((report.exit(), report.exit_code), (ExitCode::Ledger, 7));
        let mut text = Vec::new();
        report.write(&mut text, Format::Table, true).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("problem  ledger         it is full\n") && text.contains("→ make room"), "{text}");
        assert!(!text.contains("there") && text.contains("warning  clock"), "{text}");
    }
}
