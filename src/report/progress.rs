//! The bar on a terminal. It draws to standard error, at most ten times a second.

use std::fmt::Write;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Event, Listener};
use crate::screen::{fold, stderr_columns};

use super::lines::run_line;
use super::sink::{Sink, locked};
use super::tally::Tally;
use super::words::{duration, needs_attention};

const REDRAWS_PER_S_MAX: u8 = 10;

/// So that time moves on while a long video is made.
const REDRAW_WITHOUT_NEWS: Duration = Duration::from_secs(1);

/// Two lines, so that an ordinary terminal of 80 columns shows all of it: how far and how much, then how fast and how.
const TEMPLATE: &str = "[{bar:20}] {pos}/{len} jobs · {prefix}\n{pace}{wide_msg}";
const TEMPLATE_UNPLANNED: &str = "{spinner} {elapsed} {prefix} {wide_msg}";

/// One bar over the jobs, and lines above it for what needs attention.
pub struct Progress {
    screen: MultiProgress,
    bar: ProgressBar,
    tally: Mutex<Tally>,
    /// Takes the lines where there turns out to be no terminal to draw on.
    plain: Sink,
}

impl Progress {
    /// A bar on standard error.
    #[must_use]
    pub fn new() -> Self {
        let progress = Self::on(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S_MAX));
        progress.bar.enable_steady_tick(REDRAW_WITHOUT_NEWS);
        progress
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let bar = screen.add(ProgressBar::no_length());
        bar.set_style(style(TEMPLATE_UNPLANNED));
        Self { screen, bar, tally: Mutex::default(), plain: Sink::new(io::stderr()) }
    }

    /// Runs `work` (the summary) while the bar is away, and draws it again.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.screen.suspend(work)
    }

    /// Takes the bar away, until [`Self::come_back`]: while a question waits for its answer. Lines are printed meanwhile.
    pub fn go_away(&self) {
        // A terminal that has gone shows no bar either.
        let _ = self.screen.clear();
        self.screen.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Draws the bar again.
    pub fn come_back(&self) {
        self.screen.set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S_MAX));
    }

    fn above(&self, line: &str) {
        if self.screen.is_hidden() {
            self.plain.line(line);
        } else {
            // A terminal that has gone takes no line, and that is no reason to stop.
            let _ = self.screen.println(fold(line, stderr_columns()));
        }
    }

    fn redraw(&self, event: &Event) {
        let tally = locked(&self.tally);
        if let (Event::Planned { .. }, Some(to_do)) = (event, tally.to_do) {
            self.bar.set_style(style(TEMPLATE));
            self.bar.set_length(to_do);
            // The rate and the time left are those of the work that begins here.
            self.bar.reset_elapsed();
        }
        let shown = tally.to_do.map_or(tally.ended, |to_do| tally.ended.min(to_do));
        self.bar.set_position(shown);
        self.bar.set_prefix(tally.money());
        self.bar.set_message(tally.states());
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener for Progress {
    fn hear(&self, event: &Event) {
        locked(&self.tally).note(event);
        let line = match event {
            Event::Job(job) if !needs_attention(job) => None,
            Event::Job(_)
            | Event::RunStarted { .. }
            | Event::Planned { .. }
            | Event::Paused { .. }
            | Event::Resumed
            | Event::Warning { .. }
            | Event::Draining { .. }
            | Event::RunEnded(_) => run_line(event),
        };
        if let Some(line) = line {
            self.above(&line);
        }
        if matches!(event, Event::RunEnded(_)) {
            self.bar.finish_and_clear();
        } else {
            self.redraw(event);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours and tested; a bar without style is better than none.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("elapsed", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}", duration(millis(state.elapsed())));
        })
        .with_key("pace", |state: &ProgressState, out: &mut dyn Write| {
            if let Some(pace) = pace(state.pos(), state.len().unwrap_or(0), millis(state.elapsed())) {
                let _ = write!(out, "{pace} · ");
            }
        })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `4.2 jobs/min, 3 min 12 s left`, by the average so far; nothing before the first job's end.
fn pace(done: u64, to_do: u64, elapsed_ms: u64) -> Option<String> {
    if done == 0 || elapsed_ms == 0 {
        return None;
    }
    let per_10_min = done.saturating_mul(600_000) / elapsed_ms;
    let left_ms = u128::from(elapsed_ms) * u128::from(to_do.saturating_sub(done)) / u128::from(done);
    let left = duration(u64::try_from(left_ms).unwrap_or(u64::MAX));
    Some(format!("{}.{} jobs/min, {left} left", per_10_min / 10, per_10_min % 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Shared, ended, story};
    use indicatif::TermLike;
    use std::io::Write as _;

    /// A terminal that keeps what is written and forgets where.
    #[derive(Clone, Debug, Default)]
    struct Paper(Shared);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            writeln!(self.0.clone(), "{text}")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            write!(self.0.clone(), "{text}")
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_what_needs_attention_stands_above_the_bar() {
        let paper = Paper::default();
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(paper.clone())));
        story().iter().for_each(|event| progress.hear(event));
        progress.hear(&Event::RunEnded(Box::new(ended())));
        let text = paper.0.text();
        for line in ["refused shot-002", "failed shot-003", "in doubt shot-004", "paused: ", "batch june-trailers"] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        assert!(!text.contains("delivered shot-001"), "{text}");
        assert!(text.contains("0/7 jobs · 0 of 3,300 sats"), "{text}");
        assert!(!text.contains("\u{1b}[31m"), "foreign text commands no terminal: {text:?}");
    }

    #[test]
    fn the_pace_is_an_average() {
        assert_eq!(pace(0, 8, 60_000), None);
        assert_eq!(pace(2, 8, 60_000).as_deref(), Some("2.0 jobs/min, 3 min 0 s left"));
        assert_eq!(pace(7, 7, 100_000).as_deref(), Some("4.2 jobs/min, 0 s left"));
        assert!(pace(1, u64::MAX, u64::MAX).is_some());
    }

    #[test]
    fn the_templates_are_templates() {
        assert!([TEMPLATE, TEMPLATE_UNPLANNED].iter().all(|template| ProgressStyle::with_template(template).is_ok()));
    }
}
