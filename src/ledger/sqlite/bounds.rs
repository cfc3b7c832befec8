//! Whether a purchase may begin, as it is asked before the ask: the intent's own transaction asks the same.

use rusqlite::Connection;

use super::error::Fault;
use super::store::prospective;
use crate::ledger::decide::admit;
use crate::ledger::{HeldBack, Prospect};
use crate::time::UnixMs;

pub(super) fn held_back(conn: &Connection, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, Fault> {
    let known = prospective(conn, prospect)?;
    Ok(admit(now, prospect, &known).err())
}
