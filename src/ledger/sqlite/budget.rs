//! What is used of the limits over days and months.

use super::error::Fault;
use super::store::period;
use crate::ledger::decide::{PeriodKind, used_of};
use crate::ledger::{Caps, PeriodCap, PeriodsUsed};
use crate::money::Msat;
use rusqlite::Connection;

pub(super) fn periods_used(conn: &Connection, caps: &Caps) -> Result<PeriodsUsed, Fault> {
    let used = |kind, cap: &Option<PeriodCap>| match cap {
        Some(cap) => Ok::<_, Fault>(used_of(period(conn, kind)?.as_ref(), cap).1),
        None => Ok(Msat::ZERO),
    };
    Ok(PeriodsUsed { day: used(PeriodKind::Day, &caps.day)?, month: used(PeriodKind::Month, &caps.month)? })
}
