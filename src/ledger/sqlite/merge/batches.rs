//! Batches brought in: which of them is one that is here already.

use rusqlite::params;

use super::Merge;
use super::tables::BATCHES;
use crate::ledger::sqlite::error::Fault;

/// Under another name it writes no files where the batch of its own name may write them, of whatever kind: a later version may know
/// more of them.
const NO_FILES: &str = "
    UPDATE main.batches SET remembered = json_set(remembered, '$[1]', json_patch(remembered -> '$[1]',
        (SELECT json_group_object(key, json('false')) FROM json_each(remembered, '$[1]') WHERE key GLOB '*_written')))
    WHERE id = ?1 AND json_valid(remembered) AND json_type(remembered, '$[1]') = 'object'";

impl Merge<'_> {
    /// A batch is known by its name. One of the other kind of money or of another manifest under the same name comes under one of
    /// its own.
    pub(super) fn batches(&mut self) -> Result<(), Fault> {
        let mut names = self.tx.prepare("SELECT id, name, sandbox FROM other.batches ORDER BY id")?;
        let theirs: Vec<(i64, String, bool)> =
            names.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
        for (key, name, sandbox) in theirs {
            let (ours, is_newer) = match self.batch_of(&name, sandbox, key)? {
                Ok(known) => {
                    let is_newer = self.keep_rows(known, key)?;
                    BATCHES.combine(self.tx, known, key)?;
                    (known, is_newer)
                }
                Err(free) => {
                    let columns = BATCHES.list("");
                    self.tx.execute(
                        &format!(
                            "INSERT INTO main.batches (name, {columns}) SELECT ?2, {columns} FROM other.batches
                             WHERE id = ?1"
                        ),
                        params![key, free],
                    )?;
                    let added = self.tx.last_insert_rowid();
                    if free != name {
                        self.tx.execute(NO_FILES, [added])?;
                        self.merged.renamed.push((name, free));
                    }
                    (added, true)
                }
            };
            self.tx.execute("INSERT INTO of_batch VALUES (?1, ?2, ?3)", params![key, ours, is_newer])?;
        }
        Ok(())
    }

    /// Which rows stand in the manifest is what the ledger says that loaded it more often. Rows of both would count as identical
    /// rows of one manifest, which are all meant: so one that stands here goes on to stand there only where it does in the other
    /// ledger too. Whether that is the one which loaded more often.
    fn keep_rows(&self, ours: i64, theirs: i64) -> Result<bool, Fault> {
        let loads = "SELECT m.loads < o.loads FROM main.batches m, other.batches o WHERE m.id = ?1 AND o.id = ?2";
        let is_newer = self.tx.prepare_cached(loads)?.query_row([ours, theirs], |row| row.get(0))?;
        if is_newer {
            self.tx
                .prepare_cached(
                    "UPDATE main.jobs AS m SET last_load = o.loads FROM other.batches o
                     WHERE o.id = ?2 AND m.batch = ?1 AND m.last_load > 0
                         AND m.last_load = (SELECT loads FROM main.batches WHERE id = ?1)
                         AND EXISTS (SELECT 1 FROM other.jobs j
                             WHERE j.batch = o.id AND j.job = m.job AND j.superseded = 0 AND j.last_load = o.loads)",
                )?
                .execute([ours, theirs])?;
        }
        Ok(is_newer)
    }

    /// The batch here of that name, kind of money and manifest, or the name under which it comes in. A payment that both have
    /// shows that it is the same one, too.
    fn batch_of(&self, name: &str, sandbox: bool, theirs: i64) -> Result<Result<i64, String>, Fault> {
        let mut find = self.tx.prepare_cached(
            "SELECT m.id, m.sandbox = ?3 AND (?4 OR m.manifest = o.manifest OR '-' IN (m.manifest, o.manifest)
                 OR EXISTS (SELECT 1 FROM other.payments q JOIN main.payments p ON p.payment_hash = q.payment_hash
                     WHERE q.batch = o.id AND p.batch = m.id))
             FROM main.batches m, other.batches o WHERE m.name = ?1 AND o.id = ?2",
        )?;
        let mut wanted = name.to_owned();
        loop {
            let mut rows = find.query(params![wanted, theirs, sandbox, self.by_name])?;
            match rows.next()? {
                None => return Ok(Err(wanted)),
                Some(row) if row.get(1)? => return Ok(Ok(row.get(0)?)),
                Some(_) => wanted.push_str(if sandbox { "-sandbox" } else { "-merged" }),
            }
        }
    }
}
