//! What people and programs see of a run: progress, lines, JSON, the end summary, results, receipts, status.
//!
//! This room consumes events and ledger rows and never drives work: nothing that fails here stops a payment, and every
//! file it writes can be rebuilt from the ledger.

mod background;
mod batches;
mod csv_out;
mod format;
mod json;
mod labels;
mod lines;
mod next_commands;
mod outputs;
mod progress;
mod quiet;
mod refunds;
mod replace;
mod sink;
mod status;
mod summary;
mod tally;
#[cfg(test)]
mod testing;
mod throttle;
mod views;

use std::sync::Arc;

use crate::event::{Event, Listener};

pub use background::Background;
pub use batches::{BatchLine, write_batches};
pub use csv_out::{Dialect, ReceiptsFile, ResultsFile, Rows};
pub use format::{FORMAT_VERSION, Format, pipe_closed_is_fine};
pub use json::JsonLines;
pub use lines::Lines;
pub use next_commands::command_about;
pub use outputs::{Output, OutputPaths, OutputRefused, batch_paths, check_outputs, default_paths, named_paths};
pub use progress::Progress;
pub use quiet::Quiet;
pub use refunds::{RefundsStyle, write_refunds};
pub use replace::replace_whole;
pub use status::{OpenPayments, StatusHead, StatusStyle, write_jobs, write_status};
pub use summary::summary;
pub use throttle::Throttle;
pub use views::{Rewritten, Views};

/// Several listeners that hear the same events, in their order.
#[derive(Default)]
pub struct Fanout {
    listeners: Vec<Arc<dyn Listener + Send + Sync>>,
}

impl Fanout {
    /// Nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with one more.
    #[must_use]
    pub fn with(mut self, listener: Arc<dyn Listener + Send + Sync>) -> Self {
        self.listeners.push(listener);
        self
    }
}

impl Listener for Fanout {
    fn hear(&self, event: &Event) {
        for listener in &self.listeners {
            listener.hear(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Shared, story};
    use super::*;

    #[test]
    fn everybody_hears_the_same() {
        let (one, two) = (Shared::default(), Shared::default());
        let fanout = Fanout::new().with(Arc::new(Lines::new(one.clone()))).with(Arc::new(Lines::new(two.clone())));
        story().iter().for_each(|event| fanout.hear(event));
        assert!(!one.text().is_empty());
        assert_eq!(one.text(), two.text());
    }
}
