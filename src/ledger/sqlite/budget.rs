//! What is used of the limits over days and months.

use super::SqliteLedger;
use super::error::Fault;
use super::store::period;
use crate::ledger::decide::{PeriodKind, used_of};
use crate::ledger::{Caps, LedgerError, PeriodCap, PeriodsUsed};
use crate::money::Msat;

impl SqliteLedger {
    /// What is used of the periods that a payment made now would be charged to.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn periods_used(&self, caps: &Caps) -> Result<PeriodsUsed, LedgerError> {
        self.read(|books| {
            let used = |kind, cap: &Option<PeriodCap>| match cap {
                Some(cap) => Ok::<_, Fault>(used_of(period(&books.conn, kind)?.as_ref(), cap).1),
                None => Ok(Msat::ZERO),
            };
            Ok(PeriodsUsed { day: used(PeriodKind::Day, &caps.day)?, month: used(PeriodKind::Month, &caps.month)? })
        })
    }
}
