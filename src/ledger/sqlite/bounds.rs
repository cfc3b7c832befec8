//! Whether a purchase may begin, as it is asked before the ask: the intent's own transaction asks the same.

use rusqlite::{Connection, params};

use super::error::Fault;
use super::store::prospective;
use crate::ledger::decide::admit;
use crate::ledger::{HeldBack, JobKey, Prospect};
use crate::time::UnixMs;

/// A person gave up what that job has paid for, or may have: it is under way no more, and counts as taken for nothing.
pub(super) fn abandoned(tx: &Connection, job: JobKey) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE payments SET undelivered = 2 WHERE job = ?1 AND undelivered = 1 AND state <> 'dead'")?
        .execute(params![job])?;
    Ok(())
}

pub(super) fn held_back(conn: &Connection, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, Fault> {
    let known = prospective(conn, &prospect.url, &prospect.node)?;
    Ok(admit(now, prospect, &known).err())
}
