//! `--quiet`: nothing on success, only what needs a person.

use std::io::Write;

use crate::event::{Event, Listener};

use super::labels::whole_line;
use super::sink::Sink;
use super::summary::next_steps;

/// Says nothing until a person is needed.
pub struct Quiet {
    sink: Sink,
}

impl Quiet {
    /// What needs a person goes to `out`: standard error.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { sink: Sink::new(out) }
    }
}

impl Listener for Quiet {
    fn hear(&self, event: &Event) {
        match event {
            // A pause lasts until somebody mends its cause (a locked wallet), so it cannot wait for the end.
            Event::Paused { cause } => self.sink.line(&format!("paused: {}", whole_line(cause))),
            Event::RunEnded(ended) if ended.exit_code != 0 => {
                for line in next_steps(ended) {
                    self.sink.line(&line);
                }
            }
            Event::RunStarted { .. }
            | Event::Planned { .. }
            | Event::Job(_)
            | Event::Resumed
            | Event::Warning { .. }
            | Event::Draining { .. }
            | Event::RunEnded(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RunEnded;
    use crate::report::testing::{Shared, ended, story};

    fn said(ended: RunEnded, events: &[Event]) -> String {
        let out = Shared::default();
        let quiet = Quiet::new(out.clone());
        events.iter().for_each(|event| quiet.hear(event));
        quiet.hear(&Event::RunEnded(Box::new(ended)));
        out.text()
    }

    #[test]
    fn success_is_silent() {
        let events: Vec<Event> = story().into_iter().filter(|event| !matches!(event, Event::Paused { .. })).collect();
        let fine = RunEnded { exit_code: 0, needs_person: Vec::new(), ..ended() };
        assert_eq!(said(fine, &events), "");
    }

    #[test]
    fn what_needs_a_person_is_said() {
        insta::assert_snapshot!(said(ended(), &story()));
    }
}
