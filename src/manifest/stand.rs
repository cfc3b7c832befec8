//! How rows of a results file say that their jobs are bought.

/// The columns that name a row's batch and ledger.
pub(crate) const BATCH_COLUMN: &str = "l402_batch";
pub(crate) const LEDGER_COLUMN: &str = "l402_ledger";

/// Whether that is a word by which our results say that a job is bought, or may be.
fn is_bought(state: &str) -> bool {
    let words = ["running", "in_doubt", "paid", "delivered", "downloaded", "refund_offered", "refunded", "lost"];
    words.contains(&state)
}

/// The columns by which rows of a results file say how their jobs stand; none where it says nothing of that.
#[derive(Debug, Default)]
pub(super) struct StandColumns {
    state: Option<usize>,
    /// That column is certainly ours.
    is_ours: bool,
    /// The ledger and the batch that a row is of.
    of: [Option<usize>; 2],
}

impl StandColumns {
    /// Those of a header, which says where a column of our results stands. A file that names no ledger and no batch holds results where more than one of the other columns is ours;
    /// else `state` may be anybody's, and only what results have there counts.
    pub(super) fn of(position: impl Fn(&str) -> Option<usize>) -> Self {
        let of = [LEDGER_COLUMN, BATCH_COLUMN].map(&position);
        let others_are_ours = ["take", "reason", "next"].iter().all(|name| position(name).is_some());
        let is_ours = others_are_ours || of.iter().any(Option::is_some);
        Self { state: position("state"), is_ours, of }
    }

    /// Whether the row with these cells says that its job is bought, or may be. Of one that names a ledger or a batch that is
    /// not known here, silence says that too.
    pub(super) fn says_bought<'r>(&self, filled: impl Fn(usize) -> Option<&'r str>) -> bool {
        match self.state.and_then(&filled) {
            Some(state) if self.is_ours => !matches!(state, "pending" | "refused" | "failed"),
            Some(state) => is_bought(state),
            None => self.of.iter().flatten().any(|column| filled(*column).is_some()),
        }
    }
}
