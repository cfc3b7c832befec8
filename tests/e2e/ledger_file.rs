//! The ledger's file belongs to SQLite: readers, backups and copies beside a run harm nothing.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};

use crate::harness::{Audit, Client, Sandbox};

const RUN: &str = "run jobs.csv --default endpoint=generate-video --default duration=3";
const JOBS: usize = 400;

/// Reads as `sqlite3 ledger.db 'select 1'` does: opens, reads, closes.
fn read_once(client: &Client, flags: OpenFlags) {
    let Ok(conn) = Connection::open_with_flags(client.ledger(), flags) else { return };
    let _begun_or_not = conn.query_row("SELECT count(*) FROM payments", [], |row| row.get::<_, i64>(0));
}

/// Copies as a backup does.
fn copy(client: &Client, number: u32) -> bool {
    let Ok(conn) = Connection::open_with_flags(client.ledger(), OpenFlags::SQLITE_OPEN_READ_ONLY) else { return false };
    let copy = client.path(&format!("copy-{number}.db")).display().to_string();
    conn.execute("VACUUM INTO ?1", [copy]).is_ok()
}

#[test]
fn a_run_beside_readers_and_backups_ends_well_and_pays_each_job_once() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let rows: String = (1..=JOBS).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let over = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            // One after the other: SQLite counts the connections of one process together.
            let (mut reads, mut copies) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                read_once(&client, OpenFlags::SQLITE_OPEN_READ_WRITE);
                read_once(&client, OpenFlags::SQLITE_OPEN_READ_ONLY);
                // An older SQLite trusts the locks alone; the one that is built in looks twice before it deletes a log.
                if let Err(error) = Command::new("sqlite3").arg(client.ledger()).arg("SELECT 1 FROM jobs").output() {
                    eprintln!("SKIPPED: no sqlite3 reads beside it: {error}");
                }
                reads += 1;
                if reads % 20 == 0 && copy(&client, copies) {
                    copies += 1;
                    client.says("status --batch jobs");
                }
            }
            assert!(reads > 20 && copies > 0, "{reads} {copies}");
        });
        let ended = client.run(&format!("{RUN} --max-sats 1000000"));
        over.store(true, Ordering::Relaxed);
        ended
    });
    ended.with(0);
    assert!(!client.ledger().with_file_name("ledger.db.rescued-1").exists());
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(JOBS);
    let copy = Connection::open(client.path("copy-0.db")).unwrap();
    let sound: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}
