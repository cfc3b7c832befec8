//! Plain lines, where nobody watches: no carriage returns, no colour, a line for each job at its end.

use std::io::Write;
use std::sync::Mutex;

use crate::event::{Event, Listener};
use crate::money::{Msat, counted, thousands, with_caps};
use crate::terminal_text::printable;
use crate::time::UnixMs;

use super::labels::{amount, job_line, whole_line};
use super::sink::{Sink, locked};
use super::tally::Tally;

/// Between two heartbeats.
const HEARTBEAT_MS: i64 = 60_000;

/// Writes a line for each finished job, and for what concerns the whole run.
pub struct Lines {
    sink: Sink,
    tally: Mutex<Tally>,
    last_beat: Mutex<Option<UnixMs>>,
}

impl Lines {
    /// Lines to `out`: standard error, as results alone go to standard output.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { sink: Sink::new(out), tally: Mutex::default(), last_beat: Mutex::default() }
    }

    /// One line that tells where the run stands.
    pub fn heartbeat(&self) {
        let line = locked(&self.tally).line();
        self.sink.line(&line);
    }

    /// A heartbeat, where the last lies a minute back. The first call only begins the minute.
    pub fn tick(&self, now: UnixMs) {
        let mut last = locked(&self.last_beat);
        let due = last.is_some_and(|last| now.since_ms(last) >= HEARTBEAT_MS);
        // A clock that was set back begins a new minute instead of a long silence.
        if due || last.is_none_or(|last| now < last) {
            *last = Some(now);
        }
        drop(last);
        if due {
            self.heartbeat();
        }
    }
}

impl Listener for Lines {
    fn hear(&self, event: &Event) {
        locked(&self.tally).note(event);
        if let Some(line) = run_line(event) {
            self.sink.line(&line);
        }
    }
}

/// The line of an event; none where it is no news to a person, or is told in the summary.
pub(super) fn run_line(event: &Event) -> Option<String> {
    match event {
        Event::RunStarted { batch, ledger, new_batch, new_ledger, .. } => {
            let new = |is: bool| if is { " (new)" } else { "" };
            Some(format!(
                "batch {}{}, ledger {}{}",
                printable(batch),
                new(*new_batch),
                whole_line(ledger),
                new(*new_ledger)
            ))
        }
        Event::Planned { .. } => planned_line(event),
        Event::Job(job) => job_line(job),
        Event::Paused { cause } => Some(format!("paused: {}", whole_line(cause))),
        Event::Resumed => Some("going on".to_owned()),
        Event::Warning { message } => Some(format!("warning: {}", whole_line(message))),
        Event::Draining { cause } => {
            Some(format!("{}: nothing new is bought, what is open is brought to a safe place", whole_line(cause)))
        }
        Event::RunEnded(_) => None,
    }
}

/// What is to be bought: `1 to buy for 550 sats plus at most 10 sats routing fees`.
#[must_use]
pub fn to_buy_words(jobs: u64, (price, capped): (Msat, Msat), fee_ceiling: Msat) -> String {
    match jobs {
        0 => "nothing to buy".to_owned(),
        _ => format!(
            "{} to buy for {} plus at most {} routing fees",
            thousands(jobs),
            with_caps(price, capped, amount),
            amount(fee_ceiling)
        ),
    }
}

/// What there is to do, and how the rest stands: `4 jobs: 1 to buy for 550 sats plus at most 10 sats routing fees;
/// 2 delivered (1,100 sats), 1 in doubt (550 sats)`.
fn planned_line(event: &Event) -> Option<String> {
    let Event::Planned {
        job_count,
        to_buy_count,
        to_buy_msat,
        to_buy_capped_msat,
        has_caps,
        fee_ceiling_msat,
        delivered_count,
        delivered_msat,
        open_count,
        open_msat,
        in_doubt_count,
        in_doubt_msat,
        changed_count,
        gone_count,
        download,
        to_download_count,
    } = event
    else {
        return None;
    };
    let to_buy = to_buy_words(*to_buy_count, (*to_buy_msat, *to_buy_capped_msat), *fee_ceiling_msat);
    let open_msat = open_msat.checked_sub(*in_doubt_msat).unwrap_or(Msat::ZERO);
    let others = [
        (*delivered_count, "delivered", Some(*delivered_msat)),
        (open_count.saturating_sub(*in_doubt_count), "open", Some(open_msat)),
        (*in_doubt_count, "in doubt", Some(*in_doubt_msat)),
        (*changed_count, "changed since", None),
        (*gone_count, "gone from the manifest", None),
        (*to_download_count, "to fetch", None),
    ];
    let most = if *has_caps { "at most " } else { "" };
    let others: Vec<String> = others
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, words, price)| match price {
            Some(price) => format!("{} {words} ({most}{})", thousands(count), amount(price)),
            None => format!("{} {words}", thousands(count)),
        })
        .collect();
    let rest = if others.is_empty() { String::new() } else { format!("; {}", others.join(", ")) };
    let files = download.as_ref().map(|to| format!("; files go to {}", whole_line(to))).unwrap_or_default();
    Some(format!("{}: {to_buy}{rest}{files}", counted(*job_count, "job")))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::report::testing::{Breaking, Shared, story};

    #[test]
    fn a_run_in_plain_lines() {
        let out = Shared::default();
        let lines = Lines::new(out.clone());
        story().iter().for_each(|event| lines.hear(event));
        lines.heartbeat();
        let text = out.text();
        assert!(!text.contains(['\r', '\u{1b}']), "{text:?}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_in_doubt_is_not_open_too_and_nothing_is_counted_that_is_not_there() {
        let mut events = story();
        let Some(Event::Planned { to_buy_count, open_count, in_doubt_count, in_doubt_msat, .. }) = events.get_mut(1)
        else {
            panic!("the story has no plan");
        };
        (*to_buy_count, *open_count, *in_doubt_count, *in_doubt_msat) = (0, 1, 1, Msat::new(550_000));
        let line = run_line(&events[1]).unwrap();
        let rest = "2 delivered (1,100 sats), 1 in doubt (550 sats), 1 changed since, 1 gone from the manifest";
        assert_eq!(line, format!("10 jobs: nothing to buy; {rest}"));
    }

    #[test]
    fn a_heartbeat_a_minute() {
        let out = Shared::default();
        let lines = Lines::new(out.clone());
        let beats = |at_s: i64| {
            lines.tick(UnixMs::from_secs(at_s));
            out.text().lines().count()
        };
        assert_eq!([1_000, 1_059, 1_060, 1_061, 1_119, 1_120].map(beats), [0, 0, 1, 1, 1, 2]);
        assert_eq!([500, 559, 560].map(beats), [2, 2, 3], "a clock set back does not silence it");
    }

    #[test]
    fn a_closed_pipe_silences_it() {
        let out = Shared::default();
        let lines = Lines::new(Breaking::after(2, io::ErrorKind::BrokenPipe, out.clone()));
        story().iter().for_each(|event| lines.hear(event));
        assert_eq!(out.text().lines().count(), 2);
        assert!(lines.sink.take_error().is_none());
    }
}
