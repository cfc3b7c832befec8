//! Every table, column by column: what a row that only the other ledger has brings along, and what stands in a row that
//! both have. A test holds the lists against the schema, so that a new column is decided here.

use rusqlite::Connection;

use crate::ledger::sqlite::error::Fault;

/// What becomes of one column, where both ledgers have the row; `m` is the row here, `o` the other one. A row that only
/// the other has comes with its value.
pub(super) type Column = (&'static str, &'static str);

/// A table whose rows are brought in.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// By which a row is addressed.
    pub(super) key: &'static str,
    /// Columns that hold a key of this ledger, or are set by whoever brings the row in.
    pub(super) mapped: &'static [&'static str],
    pub(super) columns: &'static [Column],
}

/// As it stands here.
macro_rules! ours {
    ($name:literal) => {
        ($name, concat!("m.", $name))
    };
}

/// What either knows, this one first.
macro_rules! either {
    ($name:literal) => {
        ($name, concat!("coalesce(m.", $name, ", o.", $name, ")"))
    };
}

/// What the ledger that is brought in knows, whatever this one does.
macro_rules! theirs {
    ($name:literal) => {
        ($name, concat!("o.", $name))
    };
}

/// The larger one.
macro_rules! most {
    ($name:literal) => {
        ($name, concat!("max(m.", $name, ", o.", $name, ")"))
    };
}

/// The earlier one, where any is known.
macro_rules! earliest {
    ($name:literal) => {
        ($name, concat!("coalesce(min(m.", $name, ", o.", $name, "), m.", $name, ", o.", $name, ")"))
    };
}

/// The later one, where any is known.
macro_rules! latest {
    ($name:literal) => {
        ($name, concat!("coalesce(max(m.", $name, ", o.", $name, "), m.", $name, ", o.", $name, ")"))
    };
}

/// Nothing that SQL could say: a test asks that the rules read it.
macro_rules! decided {
    ($name:literal) => {
        ($name, "decided in decide::merge::combined")
    };
}

pub(super) const BATCHES: Table = Table {
    name: "batches",
    key: "id",
    mapped: &["id", "name"],
    columns: &[
        // Receipts do not tell either.
        ("manifest", "CASE m.manifest WHEN '-' THEN o.manifest ELSE m.manifest END"),
        ours!("sandbox"),
        (
            "remembered",
            "CASE WHEN NOT json_valid(m.remembered) THEN o.remembered
                 WHEN json_extract(m.remembered, '$[1].results') IS NULL THEN o.remembered ELSE m.remembered END",
        ),
        either!("fingerprint"),
        either!("plan"),
        either!("accepted_msat"),
        most!("loads"),
        ours!("accepted_load"),
        earliest!("created_at"),
        most!("last_run_at"),
        either!("limits"),
        // Its rows are others.
        ("loaded", "NULL"),
        ours!("written"),
    ],
};

pub(super) const ENDPOINTS: Table =
    Table { name: "endpoints", key: "id", mapped: &["id"], columns: &[ours!("hash"), ours!("json")] };

/// Where the other's purchase of a job went further, all that was bought comes from there; its place in the manifest does
/// not.
pub(super) const JOBS: Table = Table {
    name: "jobs",
    key: "id",
    mapped: &["id", "batch", "take", "superseded", "endpoint", "merged"],
    columns: &[
        ours!("job"),
        ours!("seq"),
        ours!("line"),
        // A receipt does not tell what was asked for.
        ("content", "CASE WHEN o.content = zeroblob(32) THEN m.content ELSE o.content END"),
        theirs!("price_msat"),
        ("fee_ceiling_msat", "max(m.fee_ceiling_msat, o.fee_ceiling_msat)"),
        theirs!("max_cost_msat"),
        theirs!("state"),
        theirs!("reason"),
        theirs!("error"),
        most!("attempts"),
        earliest!("started_at"),
        theirs!("finished_at"),
        theirs!("wait_until"),
        theirs!("url"),
        theirs!("file"),
        theirs!("file_key"),
        theirs!("resume"),
        theirs!("sha256"),
        ours!("first_load"),
        ours!("last_load"),
        ("params", "CASE WHEN o.content = zeroblob(32) THEN m.params ELSE o.params END"),
        ours!("extra"),
        ours!("edition"),
        ours!("row_content"),
        ("given", "CASE WHEN o.content = zeroblob(32) THEN m.given ELSE o.given END"),
        ours!("row_given"),
        ours!("meant"),
        either!("kept"),
        most!("begun"),
        theirs!("more"),
    ],
};

/// What both know of a payment is taken together by the rules.
pub(super) const PAYMENTS: Table = Table {
    name: "payments",
    key: "id",
    mapped: &["id", "job", "batch", "endpoint_url"],
    columns: &[
        decided!("payment_hash"),
        decided!("state"),
        decided!("amount_msat"),
        decided!("fee_limit_msat"),
        decided!("fee_msat"),
        decided!("payment_index"),
        decided!("node"),
        decided!("cltv_limit"),
        decided!("day"),
        decided!("month"),
        decided!("sends_begun"),
        decided!("sends_answered"),
        decided!("sent_at"),
        decided!("send_answered_at"),
        decided!("node_said"),
        decided!("node_said_at"),
        decided!("accepted"),
        decided!("redeems"),
        decided!("preimage"),
        decided!("dead_proof"),
        decided!("poll_url"),
        decided!("poll_interval_ms"),
        decided!("intended_at"),
        decided!("paid_at"),
        decided!("posted_at"),
        decided!("answered_at"),
        decided!("delivered_at"),
        decided!("heard_at"),
        decided!("retried_at"),
        decided!("replayed_at"),
        decided!("dead_at"),
        decided!("undelivered"),
        decided!("rejected"),
        decided!("token_at"),
    ],
};

/// What an intent holds never changes.
pub(super) const INTENTS: Table = Table {
    name: "intents",
    key: "payment",
    mapped: &["payment"],
    columns: &[
        ours!("request_digest"),
        ours!("method"),
        ours!("url"),
        ours!("scheme"),
        ours!("token"),
        ours!("challenge"),
        ours!("invoice"),
        ours!("payee"),
        ours!("network"),
        ours!("invoice_expires_at"),
        ours!("credential_expires_at"),
        ours!("body_sha256"),
        ours!("body"),
        ours!("headers"),
    ],
};

/// Both ledgers' answers are kept; one that either has interpreted counts as interpreted.
pub(super) const ANSWERS: Table = Table {
    name: "answers",
    key: "id",
    mapped: &["id", "payment"],
    columns: &[ours!("kind"), ours!("at"), ours!("status"), most!("interpreted"), ours!("headers"), ours!("body")],
};

/// What a token has answered to a job; by which payment's is mapped.
pub(super) const SERVED: Table = Table {
    name: "served",
    key: "job",
    mapped: &["job", "payment"],
    columns: &[ours!("at"), ours!("status"), ours!("headers"), ours!("body"), ours!("request_digest")],
};

/// The refund that went further stands, whole: a refund has one invoice.
pub(super) const REFUNDS: Table = Table {
    name: "refunds",
    key: "payment",
    mapped: &["payment", "batch"],
    columns: &[
        ours!("state"),
        either!("link"),
        ours!("offered_at"),
        ours!("hash"),
        ours!("invoice"),
        ours!("amount_msat"),
        ours!("node"),
        ours!("made_at"),
        ours!("expires_at"),
        ours!("callback"),
        ours!("k1"),
        most!("handovers"),
        latest!("handed_at"),
        either!("words"),
        either!("words_at"),
        ours!("received_msat"),
        ours!("settled_at"),
    ],
};

pub(super) const TRANSITIONS: Table = Table {
    name: "transitions",
    key: "id",
    mapped: &["id", "job"],
    columns: &[ours!("at"), ours!("from_state"), ours!("to_state"), ours!("reason")],
};

pub(super) const DECISIONS: Table = Table {
    name: "decisions",
    key: "id",
    mapped: &["id", "job"],
    columns: &[ours!("at"), ours!("decision"), ours!("note"), ours!("evidence")],
};

/// What a person says of a take: the newer word. Of which take is mapped by what was paid for it.
pub(super) const MARKS: Table = Table {
    name: "marks",
    key: "job",
    mapped: &["job"],
    columns: &[
        ("mark", "CASE WHEN o.at > m.at THEN o.mark ELSE m.mark END"),
        ("note", "CASE WHEN o.at > m.at THEN o.note ELSE m.note END"),
        most!("at"),
    ],
};

/// The settlement that was kept of each node: the first.
pub(super) const WITNESSES: Table = Table {
    name: "witnesses",
    key: "node",
    mapped: &["node"],
    columns: &[("hash", "CASE WHEN o.at < m.at THEN o.hash ELSE m.hash END"), ("at", "min(m.at, o.at)")],
};

pub(super) const PERIODS: Table = Table { name: "periods", key: "name", mapped: &["kind", "name"], columns: &[] };

/// Summed up anew where it is asked for.
#[cfg(test)]
pub(super) const ORIGIN_PERIODS: Table = Table { name: "origin_periods", key: "origin", mapped: &[], columns: &[] };

/// Which ledger it is: a ledger that has bought nothing takes the place of the one whose purchases it takes over.
pub(super) const LEDGER_ID: Table =
    Table { name: "ledger_id", key: "only_row", mapped: &["only_row"], columns: &[theirs!("id")] };

/// An endpoint is known by its URL.
pub(super) const ENDPOINT_URLS: Table = Table {
    name: "endpoint_urls",
    key: "id",
    mapped: &["id"],
    columns: &[ours!("url"), ours!("origin"), latest!("delivered_at")],
};

/// A person's word is used up where either ledger has bought by it.
pub(super) const TRUSTS: Table = Table {
    name: "trusts",
    key: "origin",
    mapped: &["origin", "number", "batch", "payment"],
    columns: &[earliest!("at"), either!("lapsed_at")],
};

/// What was merged or discarded before.
pub(super) const MERGES: Table =
    Table { name: "merges", key: "id", mapped: &["id"], columns: &[ours!("at"), ours!("file"), ours!("what")] };

/// All of them.
#[cfg(test)]
pub(super) const TABLES: [&Table; 18] = [
    &BATCHES,
    &ENDPOINTS,
    &JOBS,
    &PAYMENTS,
    &INTENTS,
    &ANSWERS,
    &SERVED,
    &REFUNDS,
    &TRANSITIONS,
    &DECISIONS,
    &MARKS,
    &WITNESSES,
    &PERIODS,
    &ORIGIN_PERIODS,
    &LEDGER_ID,
    &ENDPOINT_URLS,
    &TRUSTS,
    &MERGES,
];

impl Table {
    /// The columns that come as they are, each with what stands before it.
    pub(super) fn list(&self, before: &str) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| format!("{before}{name}")).collect();
        names.join(", ")
    }

    /// Changes a row that both ledgers have.
    pub(super) fn combine(&self, tx: &Connection, ours: i64, theirs: i64) -> Result<(), Fault> {
        let (name, key, set) = (self.name, self.key, self.assignments());
        let sql = format!("UPDATE main.{name} AS m SET {set} FROM other.{name} o WHERE m.{key} = ?1 AND o.{key} = ?2");
        tx.prepare_cached(&sql)?.execute([ours, theirs])?;
        Ok(())
    }

    /// What changes in a row that both have: the assignments of an `UPDATE`.
    pub(super) fn assignments(&self) -> String {
        let kept = |column: &&Column| column.1 != format!("m.{}", column.0);
        let set: Vec<String> =
            self.columns.iter().filter(kept).map(|(name, value)| format!("{name} = {value}")).collect();
        set.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::sqlite::SqliteLedger;
    use crate::ledger::sqlite::store::PAYMENT;

    #[test]
    fn whatever_is_known_of_a_payment_is_read_for_the_rules_to_decide() {
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || ['.', '_'].contains(&letter);
        let read: BTreeSet<&str> = PAYMENT.split(|letter| !is_of_name(letter)).collect();
        for (name, how) in PAYMENTS.columns {
            assert!(how.starts_with("decided"), "{name}");
            assert!(read.contains(format!("p.{name}").as_str()), "{name}");
        }
    }

    #[test]
    fn every_column_of_every_table_is_decided() {
        let ledger = SqliteLedger::in_memory().unwrap();
        let names = |sql: &str, of: &[&str]| -> BTreeSet<String> {
            let mut statement = ledger.conn.prepare(sql).unwrap();
            let rows = statement.query_map(rusqlite::params_from_iter(of), |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        // Summed up anew once all rows are here.
        let counted = |table: &str| -> &[&str] {
            match table {
                "batches" => &["held_msat", "spent_msat", "fees_msat", "refunded_msat"],
                "periods" => &["held_msat", "spent_msat", "refunded_msat"],
                "origin_periods" => &["origin", "period", "held_msat", "spent_msat", "refunded_msat"],
                "ledger_id" => &["intents", "changes"],
                _ => &[],
            }
        };
        let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", &[]);
        assert_eq!(tables, TABLES.iter().map(|table| table.name.to_owned()).collect());
        for table in TABLES {
            let columns = table.columns.iter().map(|(name, _)| name);
            let decided: Vec<&str> = columns.chain(table.mapped).chain(counted(table.name)).copied().collect();
            let known = names("SELECT name FROM pragma_table_info(?1)", &[table.name]);
            assert_eq!(decided.len(), known.len(), "{}", table.name);
            assert_eq!(decided.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), known, "{}", table.name);
        }
    }
}
