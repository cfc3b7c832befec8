//! What a cell of a sheet may hold that is no value.

use crate::manifest::values::{Wrong, repeated};

/// What a cell holds that is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::manifest) struct Unfit {
    /// What it is: `a date`.
    pub(in crate::manifest) what: &'static str,
    /// What to do about it.
    pub(in crate::manifest) help: &'static str,
    /// Passed through it does no harm: nothing is bought by it.
    pub(in crate::manifest) may_pass: bool,
}

impl Unfit {
    /// The error of that cell in the column of that name.
    pub(in crate::manifest) fn wrong(self, name: &str, cell: &str) -> Wrong {
        let kind = format!("{name}: the cell holds {}", self.what);
        let wrong = Wrong::new(format!("{kind}, {}", repeated(cell))).quoting(cell).help(self.help);
        Wrong { kind: Some(kind), ..wrong }
    }
}
