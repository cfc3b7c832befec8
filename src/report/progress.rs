//! The bar on a terminal. It draws to standard error, at most ten times a second.

use std::fmt::Write;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Event, Listener};
use crate::screen::{Unechoed, fold, stderr_columns};

use super::labels::{duration, needs_attention};
use super::lines::run_line;
use super::sink::{Sink, locked};
use super::tally::Tally;

const REDRAWS_PER_S_MAX: u8 = 10;

/// So that time moves on while a long video is made.
const REDRAW_WITHOUT_NEWS: Duration = Duration::from_secs(1);

/// How far and how much, then how fast and how.
const TEMPLATE: &str = "[{bar:20}] {pos}/{len} jobs · {prefix}\n{pace}{msg}";
const TEMPLATE_UNPLANNED: &str = "{spinner} {elapsed} {prefix}{msg}";

/// Room for what stands before the states on their line; where there is less they stand below.
const BESIDE_COLUMNS: usize = 44;

/// Keys show nothing where the bar is drawn.
#[derive(Default)]
struct Keys {
    is_drawn: bool,
    unechoed: Option<Unechoed>,
}

impl Keys {
    /// Sees to it while the bar is drawn. After Ctrl-Z, or from the background, the shell has set the terminal up anew.
    fn hide(&mut self) {
        match &self.unechoed {
            Some(unechoed) if self.is_drawn => unechoed.renew(),
            None if self.is_drawn => self.unechoed = Unechoed::begin(),
            Some(_) | None => {}
        }
    }
}

/// One bar over the jobs, and lines above it for what needs attention.
pub struct Progress {
    screen: MultiProgress,
    bar: ProgressBar,
    tally: Mutex<Tally>,
    /// Takes the lines that stand above the bar.
    plain: Sink,
    /// How wide the terminal is now.
    columns: fn() -> Option<u16>,
    keys: Mutex<Keys>,
}

impl Progress {
    /// A bar on standard error.
    #[must_use]
    pub fn new() -> Self {
        let progress =
            Self::on(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S_MAX), Sink::new(io::stderr()), stderr_columns);
        progress.begin();
        progress.bar.enable_steady_tick(REDRAW_WITHOUT_NEWS);
        progress
    }

    fn on(target: ProgressDrawTarget, plain: Sink, columns: fn() -> Option<u16>) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let bar = screen.add(ProgressBar::no_length());
        bar.set_style(style(TEMPLATE_UNPLANNED));
        Self { screen, bar, tally: Mutex::default(), plain, columns, keys: Mutex::default() }
    }

    /// Runs `work` (the summary) while the bar is away, and draws it again.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        // The bar's own way panics on a terminal that was closed.
        if (self.columns)().is_none() || self.screen.clear().is_err() {
            return work();
        }
        self.screen.suspend(work)
    }

    /// Takes the bar away for good: whatever is said after it stands where nothing deletes it.
    pub fn end(&self) {
        self.bar.finish_and_clear();
        self.let_go();
    }

    /// Takes the bar away, until [`Self::come_back`]: while a question waits for its answer. Lines are printed meanwhile.
    pub fn go_away(&self) {
        // A terminal that has gone shows no bar either.
        let _ = self.screen.clear();
        self.screen.set_draw_target(ProgressDrawTarget::hidden());
        self.let_go();
    }

    /// Gives the terminal back as it was, if it is not yet.
    pub fn let_go(&self) {
        *locked(&self.keys) = Keys::default();
    }

    fn begin(&self) {
        let mut keys = locked(&self.keys);
        keys.is_drawn = true;
        keys.hide();
    }

    /// Draws the bar again.
    pub fn come_back(&self) {
        self.begin();
        // How long a person thought is no part of the rate and the time left.
        self.bar.reset_elapsed();
        self.screen.set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S_MAX));
    }

    fn above(&self, line: &str) {
        // Not by the bar's own printing, which fills lines up with spaces.
        self.suspend(|| self.plain.line(&fold(line, (self.columns)())));
    }

    fn redraw(&self, event: &Event) {
        locked(&self.keys).hide();
        let tally = locked(&self.tally);
        // Of nothing there is no part: a bar is of jobs that are to be brought on.
        if let (Event::Planned { .. }, Some(to_do @ 1..)) = (event, tally.to_do) {
            self.bar.set_style(style(TEMPLATE));
            self.bar.set_length(to_do);
            // The rate and the time left are those of the work that begins here.
            self.bar.reset_elapsed();
        }
        let shown = tally.to_do.map_or(tally.ended, |to_do| tally.ended.min(to_do));
        self.bar.set_position(shown);
        self.bar.set_prefix(if tally.is_about_money() { tally.money() } else { String::new() });
        self.bar.set_message(beside(&tally.states(), (self.columns)()));
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
            self.end();
        } else {
            self.redraw(event);
        }
    }
}

/// The states as they follow on what stands before them: on its line, or folded below it.
fn beside(states: &str, columns: Option<u16>) -> String {
    let room = columns.map_or(usize::MAX, |columns| usize::from(columns).saturating_sub(BESIDE_COLUMNS));
    match states {
        "" => String::new(),
        states if states.len() <= room => format!(" · {states}"),
        states => format!("\n{}", fold(states, columns)),
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
            let _ = write!(out, "{}", pace(state.pos(), state.len().unwrap_or(0), millis(state.elapsed())));
        })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `4.2 jobs/min, 3 min 12 s left`, by the average so far; before the first job's end only how long it has taken.
fn pace(done: u64, to_do: u64, elapsed_ms: u64) -> String {
    if done == 0 || elapsed_ms == 0 {
        return duration(elapsed_ms);
    }
    let per_10_min = done.saturating_mul(600_000) / elapsed_ms;
    let left_ms = u128::from(elapsed_ms) * u128::from(to_do.saturating_sub(done)) / u128::from(done);
    let left = duration(u64::try_from(left_ms).unwrap_or(u64::MAX));
    format!("{}.{} jobs/min, {left} left", per_10_min / 10, per_10_min % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Msat;
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
        let progress =
            Progress::on(ProgressDrawTarget::term_like(Box::new(paper.clone())), Sink::new(paper.0.clone()), || {
                Some(80)
            });
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

    /// A run that has nothing to bring on, and still has files to write.
    #[test]
    fn of_nothing_no_part_is_drawn() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let progress = Progress::on(target, Sink::new(paper.0.clone()), || Some(80));
        let mut planned = story().remove(1);
        let Event::Planned { to_buy_count, to_buy_msat, open_count, .. } = &mut planned else { panic!("no plan") };
        (*to_buy_count, *to_buy_msat, *open_count) = (0, Msat::ZERO, 0);
        progress.hear(&planned);
        progress.bar.force_draw();
        let text = paper.0.text();
        assert!(text.contains("nothing to buy") && !text.contains("0/0") && !text.contains("0 of 0"), "{text}");
    }

    #[test]
    fn the_bar_cuts_nothing_off() {
        let states = "12 running, 3 in doubt, 7 paid, 120 delivered, 34 downloaded, 5 refused, 6 failed, 1 refund offered, \
                      2 refunded, 1 lost";
        let shown = beside(states, Some(80));
        assert!(shown.starts_with('\n') && shown.lines().all(|line| line.len() <= 80), "{shown}");
        assert!(shown.split_whitespace().eq(states.split_whitespace()), "{shown}");
        assert_eq!(beside("12 running, 3 in doubt", Some(80)), " · 12 running, 3 in doubt");

        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let progress = Progress::on(target, Sink::new(paper.0.clone()), || Some(80));
        story().iter().for_each(|event| progress.hear(event));
        progress.bar.set_message(shown.clone());
        progress.bar.force_draw();
        let text = paper.0.text();
        assert!(shown.lines().skip(1).all(|line| text.contains(line)), "{text}");
    }

    /// A terminal that was closed: whatever is written to it is an error.
    #[derive(Debug)]
    struct Gone;

    impl TermLike for Gone {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn write_line(&self, _: &str) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn write_str(&self, _: &str) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn clear_line(&self) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
        fn flush(&self) -> io::Result<()> {
            Err(rustix::io::Errno::IO.into())
        }
    }

    #[test]
    fn a_terminal_that_was_closed_ends_no_run() {
        let progress =
            Progress::on(ProgressDrawTarget::term_like(Box::new(Gone)), Sink::new(Shared::default()), || Some(80));
        story().iter().for_each(|event| progress.hear(event));
        assert_eq!(progress.suspend(|| 143), 143);
        progress.hear(&Event::RunEnded(Box::new(ended())));
    }

    #[test]
    fn the_pace_is_an_average() {
        assert_eq!(pace(0, 8, 60_000), "1 min 0 s");
        assert_eq!(pace(2, 8, 60_000), "2.0 jobs/min, 3 min 0 s left");
        assert_eq!(pace(7, 7, 100_000), "4.2 jobs/min, 0 s left");
        assert!(!pace(1, u64::MAX, u64::MAX).is_empty());
    }

    #[test]
    fn the_templates_are_templates() {
        assert!([TEMPLATE, TEMPLATE_UNPLANNED].iter().all(|template| ProgressStyle::with_template(template).is_ok()));
    }
}
