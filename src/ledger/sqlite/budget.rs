//! What is used of the limits over days and months.

use super::error::Fault;
use super::store::{origin_sums, period};
use crate::ledger::decide::{OriginSums, PeriodKind, used_of};
use crate::ledger::{Caps, OriginUsed, PeriodCap, PeriodsUsed};
use crate::money::Msat;
use rusqlite::Connection;

pub(super) fn periods_used(conn: &Connection, caps: &Caps) -> Result<PeriodsUsed, Fault> {
    let used = |kind, cap: &Option<PeriodCap>| match cap {
        Some(cap) => Ok::<_, Fault>(used_of(period(conn, kind)?.as_ref(), cap).1),
        None => Ok(Msat::ZERO),
    };
    Ok(PeriodsUsed { day: used(PeriodKind::Day, &caps.day)?, month: used(PeriodKind::Month, &caps.month)? })
}

pub(super) fn origin_used(conn: &Connection, origin: &str, caps: &Caps) -> Result<OriginUsed, Fault> {
    Ok(origin_sums(conn, origin, caps)?.as_ref().map(OriginSums::used).unwrap_or_default())
}
