//! What is said of jobs that stand alike, with the command that shows the first of them or brings it on.

use crate::cli::preflight::duplicates::unknown_words;
use crate::command::{about_batch, command, needing_node, node_command};
use crate::money::{counted, counted_are};

/// What a command that shows a job shows of what cannot be had any more.
const COMPLAINT: &str = "shows all that a complaint needs, and what there is to decide";

/// Jobs that advice is about.
pub(super) struct Jobs<'a> {
    pub(super) batch: &'a str,
    pub(super) count: u64,
    /// What shows the first of them, or brings it on.
    pub(super) command: String,
}

impl Jobs<'_> {
    /// A command about the batch.
    fn of_batch(&self, line: &str) -> String {
        about_batch(line, self.batch)
    }

    /// Of which job the command tells, where there are several.
    const fn of_first(&self) -> &'static str {
        if self.count == 1 { "" } else { " (of the first)" }
    }

    pub(super) fn of_node(&self) -> String {
        let was = if self.count == 1 { "was" } else { "were" };
        format!(
            "{} {was} not bought, as the node could not be used or its channels could not send that much",
            counted(self.count, "job")
        )
    }

    pub(super) fn identical(&self) -> String {
        let (waits, it) = if self.count == 1 { ("waits", "it") } else { ("wait", "them") };
        format!(
            "{} {waits} for an identical request of another job, which is still open and stands in the results: a run buys {it} \
             once that one is at its end",
            counted(self.count, "job")
        )
    }

    pub(super) fn price(&self) -> String {
        let asked = if self.count == 1 {
            "is not asked for at the plan's price"
        } else {
            "are not asked for at the plan's prices"
        };
        format!(
            "{} {asked}: look whether the new one is right, set it in the manifest's [endpoint.NAME] or with --catalog FILE, plan, \
             and run again",
            counted(self.count, "job")
        )
    }

    pub(super) fn duplicate(&self) -> String {
        format!(
            "what is bought already under another id or in another batch, or may be, was left out: `{}` names each original; whoever means \
             to buy it once more says so with --duplicates (see `run --help`)",
            command(&self.of_batch("status"))
        )
    }

    pub(super) fn changed(&self) -> String {
        format!(
            "changed jobs keep what was delivered: put the manifest and its defaults back as they were, or give the new \
             content an id of its own; `{}` says what else there is to decide{}",
            self.command,
            self.of_first()
        )
    }

    pub(super) fn unknown(&self) -> String {
        format!(
            "{} known by receipt alone: paid for, and nothing proves that the manifest asks for the same; {}; `{}` says what \
             else there is to decide{}",
            counted_are(self.count, "job"),
            unknown_words(),
            self.command,
            self.of_first()
        )
    }

    pub(super) fn doubt(&self) -> String {
        format!(
            "{} in doubt, and nothing is paid anew by itself: `{}`{} looks again, and `{}` shows what was asked of the node and \
             until when that waits",
            counted_are(self.count, "payment"),
            node_command(&self.of_batch("recover")),
            needing_node(),
            command(&self.of_batch("status"))
        )
    }

    pub(super) fn decide(&self) -> String {
        self.shown("payment", "in doubt, and no run finds out by itself", "says why, and what there is to decide")
    }

    pub(super) fn lost(&self) -> String {
        self.shown("job", "paid and lost", COMPLAINT)
    }

    pub(super) fn refund(&self) -> String {
        format!(
            "{} offered and not here yet: `{}`{} claims what is not claimed and looks for the rest, and so does every run; `{}` \
             shows how each stands",
            counted_are(self.count, "refund"),
            node_command(&self.of_batch("refunds claim")),
            needing_node(),
            command(&self.of_batch("refunds list"))
        )
    }

    pub(super) fn refund_gone(&self) -> String {
        self.shown("refund", "offered and cannot be had", COMPLAINT)
    }

    pub(super) fn refunded(&self) -> String {
        self.shown("job", "refunded, and nothing is bought again by itself", "says what there is to decide")
    }

    /// What so many are, and what the first one's command shows of it.
    fn shown(&self, what: &str, are: &str, shows: &str) -> String {
        format!("{} {are}: `{}` {shows}{}", counted_are(self.count, what), self.command, self.of_first())
    }

    pub(super) fn files(&self) -> String {
        format!(
            "{} not downloaded yet: `{}` fetches what can be had; URLs may expire, so do not wait for long",
            counted_are(self.count, "file"),
            command(&self.of_batch("download"))
        )
    }

    pub(super) fn files_gone(&self) -> String {
        format!(
            "{} could not be fetched as {} served: `{}` tries once more, and `{}` shows what there is{}",
            counted(self.count, "file"),
            if self.count == 1 { "it is" } else { "they are" },
            command(&self.of_batch("download")),
            self.command,
            self.of_first()
        )
    }
}
