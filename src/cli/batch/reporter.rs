//! Who hears of a run: a progress bar, plain lines, JSON lines, or only what needs a person; and the files that follow.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::cli::options::config::Output;
use crate::cli::{CommandError, ExitCode, Failure, Format, terminal};
use crate::event::{Event, Listener};
use crate::report::{Background, JsonLines, Lines, Progress, Quiet};
use crate::run::{Clock, SystemClock};

/// How long a stalled reader may hold up the end.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Hears every event and hands it on.
pub(in crate::cli) struct Reporter {
    background: Arc<Background>,
    lines: Option<Arc<Lines>>,
    json: Option<Arc<JsonLines>>,
    progress: Option<Arc<Progress>>,
    summary: bool,
    stdout_is_taken: bool,
    /// Set with every change of a job, for the files.
    changed: Arc<AtomicBool>,
    /// How long questions have waited for a person, in milliseconds: no work is done meanwhile.
    asked_ms: AtomicI64,
}

impl Reporter {
    /// The reporter that the options and the terminal ask for.
    pub(in crate::cli) fn new(output: Output) -> Result<Self, Failure> {
        let (mut lines, mut json, mut progress) = (None, None, None);
        let listener: Arc<dyn Listener + Send + Sync> = match (output.format, output.quiet) {
            (Format::Json, _) => {
                let events = Arc::new(JsonLines::new(io::stdout(), || SystemClock.now()));
                json = Some(Arc::clone(&events));
                events
            }
            (Format::Table | Format::Csv, true) => Arc::new(Quiet::new(terminal::stderr())),
            (Format::Table | Format::Csv, false) if io::stderr().is_terminal() => {
                let bar = Arc::new(Progress::new());
                progress = Some(Arc::clone(&bar));
                bar
            }
            (Format::Table | Format::Csv, false) => {
                let plain = Arc::new(Lines::new(io::stderr()));
                lines = Some(Arc::clone(&plain));
                plain
            }
        };
        let background = Background::new(listener)
            .map_err(|error| CommandError::internal("no thread for what is shown").because(error))?
            .into();
        let summary = output.format != Format::Json && !output.quiet;
        let (changed, asked_ms) = (Arc::new(AtomicBool::new(false)), AtomicI64::new(0));
        let stdout_is_taken = output.stdout_is_taken;
        Ok(Self { background, lines, json, progress, summary, stdout_is_taken, changed, asked_ms })
    }

    /// Beats once a minute where lines are printed.
    pub(in crate::cli) fn tick(&self) {
        if let Some(lines) = &self.lines {
            lines.tick(SystemClock.now());
        }
    }

    /// Says something to a person, outside of the events and after those that have happened: nothing with `--quiet` or `--json`.
    pub(in crate::cli) fn say(&self, text: &str) {
        if self.summary {
            self.background.settle(CLOSE_PATIENCE);
            self.suspended(|| terminal::say(text));
        }
    }

    /// Does something on the terminal while no bar is drawn.
    pub(in crate::cli) fn suspended<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.progress {
            Some(progress) => progress.suspend(work),
            None => work(),
        }
    }

    /// Takes the bar away while a question waits for its answer, once all that speaks for the answer is told; and draws it
    /// again after that.
    pub(in crate::cli) fn make_room(&self, room: bool) {
        if room {
            self.background.settle(CLOSE_PATIENCE);
        }
        match (&self.progress, room) {
            (Some(progress), true) => progress.go_away(),
            (Some(progress), false) => progress.come_back(),
            (None, _) => {}
        }
    }

    /// A question waited for so many milliseconds.
    pub(in crate::cli) fn asked_for(&self, ms: i64) {
        self.asked_ms.fetch_add(ms.max(0), Ordering::Relaxed);
    }

    /// How long questions have waited for a person so far, in milliseconds.
    pub(in crate::cli) fn asked_ms(&self) -> i64 {
        self.asked_ms.load(Ordering::Relaxed)
    }

    /// A warning to whoever listens.
    pub(in crate::cli) fn warn(&self, message: impl Into<String>) {
        self.hear(&Event::Warning { message: message.into() });
    }

    /// Tells what passes by itself: with `--quiet` it is no news.
    pub(in crate::cli) fn mention(&self, event: &Event) {
        if self.summary || self.json.is_some() {
            self.hear(event);
        }
    }

    /// A warning that decides how the command ends: told with `--quiet` too.
    pub(in crate::cli) fn insist(&self, message: &str) {
        if self.summary || self.json.is_some() {
            self.warn(message);
        } else {
            terminal::say(&format!("warning: {message}\n"));
        }
    }

    /// Tells once more what only `--quiet` has kept back.
    pub(in crate::cli) fn remind(&self, message: &str) {
        if !self.summary && self.json.is_none() {
            self.insist(message);
        }
    }

    /// For the thread of the files that follow: whether they have to, and who hears what becomes of them.
    pub(in crate::cli) fn for_files(&self) -> (Arc<AtomicBool>, Arc<Background>) {
        (Arc::clone(&self.changed), Arc::clone(&self.background))
    }

    /// Whether a summary is printed at the end.
    pub(in crate::cli) const fn summarises(&self) -> bool {
        self.summary
    }

    /// Prints the summary: how the batch stands is a result, where standard output is not for another.
    pub(in crate::cli) fn print_summary(&self, text: &str) -> Result<(), Failure> {
        if self.stdout_is_taken {
            terminal::say(text);
            return Ok(());
        }
        terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))
    }

    /// Waits until all is told, and says where standard output did not take it: how the batch stands weighs more.
    pub(in crate::cli) fn end(&self, result: Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
        self.close();
        let Some(error) = self.json.as_ref().and_then(|json| json.take_error()) else { return result };
        let unread = Failure::Stdout(error).report();
        result.map(|code| code.or_worse(unread))
    }

    /// Waits until all is told, and takes the bar away.
    pub(in crate::cli) fn close(&self) {
        self.background.close(CLOSE_PATIENCE);
        if let Some(progress) = &self.progress {
            progress.end();
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        // Whoever still holds the bar: the terminal is given back with the end of the work.
        if let Some(progress) = &self.progress {
            progress.let_go();
        }
    }
}

impl Listener for Reporter {
    fn hear(&self, event: &Event) {
        if matches!(event, Event::Job(_)) {
            self.changed.store(true, Ordering::Relaxed);
        }
        self.background.hear(event);
    }
}
