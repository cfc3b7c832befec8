//! Files: who may read them, what is refused, and the life of a large body.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::support::*;
use crate::error::Hinted;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{DeadProof, Lack, LedgerError, NewIntent, OpenMode, PendingJob, Record};
use crate::purchase::{Body, BodyFolder, JobState, Reason, Request};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn open(path: &Path) -> Result<SqliteLedger, LedgerError> {
    SqliteLedger::open(path, OpenMode::Write)
}

/// What one batch or job remembers wrongly keeps nobody from knowing what waits for a disk.
#[test]
fn what_is_to_come_is_told_whatever_a_row_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a", "b", "c", "d"]);
    let conn = Connection::open(&path).unwrap();
    let known = |id: &str, resume: &str| {
        let sql = "UPDATE jobs SET state = 'delivered', begun = 1, url = 'x', file = '/v/' || job, file_key = '/v/' || job, resume = ?2 WHERE job = ?1";
        conn.execute(sql, [id, resume]).unwrap();
    };
    for (id, resume) in [("a", r#"{"total":7}"#), ("b", "{"), ("c", "null"), ("d", r#"{"total":"x"}"#)] {
        known(id, resume);
    }
    for remembered in ["{", "7", "null", r#"[0,0,"abc"]"#, r#"[0,0,{}]"#] {
        conn.execute("UPDATE batches SET remembered = ?1", [remembered]).unwrap();
        let told: Vec<_> = ledger.coming_files().unwrap().into_iter().map(|of| (of.id, of.total, of.to)).collect();
        let of = |id: &str, total| (id.to_owned(), total, None);
        assert_eq!(told, [of("a", 7), of("c", 0), of("d", 0)], "{remembered}");
    }
}

#[test]
fn files_and_folders_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/ledger.db");
    let mut ledger = open(&path).unwrap();
    assert!(ledger.is_new());
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a"]);
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
    assert_eq!(mode(&path), 0o600);
    for beside in ["ledger.db-wal", "ledger.db-shm"] {
        assert_eq!(mode(&path.with_file_name(beside)), 0o600, "{beside}");
    }
    drop(ledger);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ledger = open(&path).unwrap();
    assert_eq!((mode(&path), ledger.is_new()), (0o600, false));
}

#[test]
fn what_is_no_ledger_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "dear diary, this is no ledger at all").unwrap();
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let newer = folder.path().join("newer.db");
    drop(open(&newer).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 7).unwrap();

    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o644)).unwrap();

    for (path, word) in [(&text, "no ledger"), (&other, "no ledger"), (&newer, "newer version")] {
        let before = std::fs::read(path).unwrap();
        for how in [OpenMode::Write, OpenMode::Read] {
            let error = SqliteLedger::open(path, how).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
    assert_eq!(mode(&other), 0o644);
    assert_eq!(open(&newer).unwrap_err(), LedgerError::Newer { found: 7, known: 2 });
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, LedgerError::Foreign(_)), "a folder: {error}");
    let missing = SqliteLedger::open(&folder.path().join("missing.db"), OpenMode::Read).unwrap_err();
    assert!(matches!(missing, LedgerError::Io(_)), "{missing}");
}

#[test]
fn a_truncated_ledger_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    let ids: Vec<String> = (0..200).map(|n| format!("job{n}")).collect();
    load_ids(&mut ledger, batch, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    for length in [10, 60, 4_096, whole.len() / 2] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, LedgerError::Foreign(_)), "{length} bytes: {error}");
    }
}

#[test]
fn an_empty_file_is_a_ledger_that_was_never_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, "").unwrap();
    let read = SqliteLedger::open(&path, OpenMode::Read).unwrap();
    assert_eq!((read.batches().unwrap(), read.gap().unwrap()), (Vec::new(), None));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "who reads writes nothing");
    let mut ledger = open(&path).unwrap();
    begin(&mut ledger, "june");
}

#[test]
fn views_read_beside_the_writer_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    let mut view = SqliteLedger::open(&path, OpenMode::Read).unwrap();
    load_ids(&mut ledger, batch, &["a"]);
    assert_eq!(view.counts(batch).unwrap().all_jobs(), 1, "a view sees what was committed after it was opened");
    let job = pending(&view, batch).remove(0);
    assert!(matches!(view.apply(NOW, Record::Intend(Box::new(new_intent(&job, 1)))), Err(LedgerError::Io(_))));
    deliver(&mut ledger, &job, 1);
    assert_eq!(view.counts(batch).unwrap().jobs(JobState::Delivered), 1);
}

fn large(job: &PendingJob, n: u8) -> NewIntent {
    let mut intent = new_intent(job, n);
    intent.request = request(job, vec![b'x'; 64 * 1024 + 1]);
    intent
}

#[test]
fn a_large_body_is_a_file_until_no_open_payment_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let bodies = folder.path().join("ledger.db.bodies");
    let files = || std::fs::read_dir(&bodies).map_or(0, Iterator::count);
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a", "b", "small"]);
    let jobs = pending(&ledger, batch);
    intend(&mut ledger, new_intent(&jobs[2], 3));
    assert_eq!(files(), 0, "a small body stands in the ledger");

    let (a, b) = (large(&jobs[0], 1), large(&jobs[1], 2));
    let request = a.request.clone();
    let first = intend(&mut ledger, a).payment();
    let second = intend(&mut ledger, b).payment();
    assert_eq!((files(), mode(&bodies)), (1, 0o700), "two intents share one body");
    let file = std::fs::read_dir(&bodies).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&file), 0o600);

    let end = end(JobState::Pending, Reason::NoRoute);
    ledger.apply(NOW, Record::Dead { payment: second, proof: DeadProof::FailedAndAnswered, end }).unwrap();
    assert_eq!(files(), 1, "the other payment still needs it");
    std::fs::write(bodies.join("leftover"), "of a stopped process").unwrap();
    drop(ledger);
    let mut ledger = open(&path).unwrap();
    assert_eq!(files(), 2, "what this ledger does not know may be another one's");
    std::fs::remove_file(bodies.join("leftover")).unwrap();
    assert_eq!(ledger.request(first).unwrap(), request);

    std::fs::write(&file, "not the body").unwrap();
    let lacking = ledger.request(first).unwrap_err();
    assert!(matches!(lacking, LedgerError::OfJob(Lack::OtherBody)), "{lacking}");
    std::fs::remove_file(&file).unwrap();
    assert!(ledger.request(first).unwrap_err().to_string().contains("missing"));
    std::fs::write(&file, request.body().bytes().unwrap()).unwrap();

    ledger.apply(NOW, paid(first, 1, None)).unwrap();
    let answer = answer(&mut ledger, first, 200);
    ledger
        .apply(
            NOW,
            Record::Delivered {
                payment: first,
                answer,
                url: "https://s.example/v".to_owned(),
                more: Vec::new(),
                own: false,
            },
        )
        .unwrap();
    assert_eq!(files(), 0, "delivered: the body has gone");
}

fn filed(folder: &BodyFolder, request: &Request) -> Request {
    let body = folder.write(&request.body().bytes().unwrap()).unwrap();
    Request::of(request.method, request.url.clone(), Body::Filed(body.into())).unwrap()
}

/// Written before its transaction, a body is nobody's until that names it.
#[test]
fn a_body_waits_for_its_intent_under_a_name_that_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let bodies = folder.path().join("ledger.db.bodies");
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(&bodies).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a", "b", "c"]);
    let jobs = pending(&ledger, batch);
    let file = |job: usize, n: u8| {
        let intent = large(&jobs[job], n);
        NewIntent { request: filed(&ledger.body_folder().unwrap(), &intent.request), ..intent }
    };
    let (refused, kept, swept) = (file(0, 1), file(1, 2), file(2, 3));
    let whole = large(&jobs[0], 1).request;
    assert!(names().len() == 3 && names().iter().all(|name| name.starts_with(".tmp")), "{:?}", names());
    drop(refused);
    assert_eq!(names().len(), 2, "no intent was recorded: nothing stays of it");

    // Another one of the very same, and one whose file somebody sweeps away.
    let (same, first) = (NewIntent { job: jobs[0].key, ..new_intent(&jobs[0], 1) }, kept.request.clone());
    let same = NewIntent { request: first, ..same };
    let kept = intend(&mut ledger, kept).payment();
    assert_eq!(names().len(), 2);
    drop(open(&path).unwrap());
    assert_eq!(names().len(), 2, "who opens the ledger leaves what others work on");
    let unnamed = names().into_iter().find(|name| name.starts_with(".tmp")).unwrap();
    std::fs::remove_file(bodies.join(unnamed)).unwrap();
    let payments = [kept, intend(&mut ledger, same).payment(), intend(&mut ledger, swept).payment()];
    drop(ledger);
    let ledger = open(&path).unwrap();
    assert_eq!(names().len(), 1, "one body of three payments");
    for payment in payments {
        assert_eq!(ledger.request(payment).unwrap(), whole);
    }
}

/// A stopped process has not recorded an intent: what it had written for one is swept away.
#[test]
fn a_body_of_no_intent_is_swept_away_and_one_of_an_intent_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let files = || std::fs::read_dir(folder.path().join("ledger.db.bodies")).unwrap().count();
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a", "b"]);
    let jobs = pending(&ledger, batch);
    let bodies = ledger.body_folder().unwrap();
    let whole = request(&jobs[0], vec![b'x'; 64 * 1024 + 1]);
    let intent = NewIntent { request: filed(&bodies, &whole), ..new_intent(&jobs[0], 1) };
    let payment = intend(&mut ledger, intent).payment();
    std::fs::write(bodies.path().join(".tmpLeft"), "yyy").unwrap();
    assert_eq!(files(), 2);
    drop(ledger);
    let ledger = open(&path).unwrap();
    assert_eq!(files(), 1);
    assert_eq!(ledger.request(payment).unwrap(), whole);
}

/// Somebody has changed the file between ask and intent: nothing is paid for it, and the records beside it stand.
#[test]
fn a_body_that_is_not_what_was_asked_with_is_not_paid_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let paths = || {
        let files = std::fs::read_dir(folder.path().join("ledger.db.bodies"));
        files.into_iter().flatten().map(|file| file.unwrap().path())
    };
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["cut", "changed", "b"]);
    let jobs = pending(&ledger, batch);
    let bodies = ledger.body_folder().unwrap();
    let mut records = vec![(NOW, Record::Intend(Box::new(new_intent(&jobs[2], 3))))];
    for (job, n) in jobs.iter().take(2).zip(1..) {
        let before: Vec<_> = paths().collect();
        let request = filed(&bodies, &request(job, vec![n; 64 * 1024 + 1]));
        let file = paths().find(|path| !before.contains(path)).unwrap();
        match n {
            1 => std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(9).unwrap(),
            // Whoever replaces a file leaves the bytes that are open; whoever takes its name and cuts them does not.
            _ => {
                let open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
                std::fs::remove_file(file).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&open, b"other", 0).unwrap();
            }
        }
        records.push((NOW, Record::Intend(Box::new(NewIntent { request, ..new_intent(job, n) }))));
    }
    let outcomes = ledger.apply_all(records).unwrap();
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    let lacks =
        |place: usize| matches!(&outcomes[place], Err(LedgerError::OfJob(Lack::OtherBody | Lack::BodyUnread { .. })));
    assert!(lacks(1) && lacks(2), "{outcomes:?}");
    assert_eq!((ledger.open_jobs(None).unwrap().len(), paths().count()), (1, 0));
}

#[test]
fn a_link_leads_to_the_same_bodies() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("ledger.db"), folder.path().join("link.db"));
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a"]);
    let intent = large(&pending(&ledger, batch).remove(0), 1);
    let request = intent.request.clone();
    let payment = intend(&mut ledger, intent).payment();
    drop(ledger);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(open(&link).unwrap().request(payment).unwrap(), request);
}

#[test]
fn after_an_error_of_the_disk_nothing_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a", "b"]);
    let jobs = pending(&ledger, batch);
    // The body cannot be kept: its folder is a file.
    std::fs::write(folder.path().join("ledger.db.bodies"), "").unwrap();
    let good = (NOW, Record::Intend(Box::new(new_intent(&jobs[1], 2))));
    let bad = (NOW, Record::Intend(Box::new(large(&jobs[0], 1))));
    assert!(matches!(ledger.apply_all(vec![good.clone(), bad]), Err(LedgerError::Io(_))));
    assert!(matches!(ledger.apply_all(vec![good]), Err(LedgerError::Io(_))), "refused from then on");
    assert_eq!(SqliteLedger::open(&path, OpenMode::Read).unwrap().open_jobs(None).unwrap().len(), 0, "all or none");
}

#[test]
fn what_is_deleted_or_replaced_in_use_takes_no_more_records_and_is_saved() {
    for (n, gone) in ["ledger.db", "ledger.db-wal", "moved", "replaced"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = open(&path).unwrap();
        let batch = begin(&mut ledger, "june");
        load_ids(&mut ledger, batch, &["a", "b"]);
        let jobs = pending(&ledger, batch);
        intend(&mut ledger, new_intent(&jobs[0], 1));
        match gone {
            "moved" => std::fs::rename(&path, folder.path().join("elsewhere.db")).unwrap(),
            "replaced" => {
                std::fs::write(folder.path().join("other.db"), "").unwrap();
                std::fs::rename(folder.path().join("other.db"), &path).unwrap();
            }
            name => std::fs::remove_file(folder.path().join(name)).unwrap(),
        }
        let next = || Record::Intend(Box::new(new_intent(&jobs[1], 2)));
        let error = ledger.apply(NOW, next()).unwrap_err().told();
        assert!(error.contains("deleted or replaced") && error.contains("ledger.db.rescued-1"), "{gone}: {error}");
        assert!(ledger.apply(NOW, next()).is_err(), "{gone} ({n}): refused from then on");
        let copy = folder.path().join("ledger.db.rescued-1");
        assert_eq!(mode(&copy), 0o600);
        assert_eq!(open(&copy).unwrap().open_jobs(None).unwrap().len(), 1, "{gone}: what was committed is in the copy");
        assert!(!folder.path().join("ledger.db.rescued-2").exists());
    }
}

/// Who commits learns it from the very commit, before money follows it.
#[test]
fn what_is_deleted_during_a_commit_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    begin(&mut ledger, "june");
    let error = ledger.write(|_, _| {
        std::fs::remove_file(&path).unwrap();
        Ok(())
    });
    assert!(error.unwrap_err().told().contains("deleted or replaced"));
}

/// SQLite would keep a log for each name.
#[test]
fn a_ledger_with_two_names_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("ledger.db"), folder.path().join("other.db"));
    drop(open(&path).unwrap());
    std::fs::hard_link(&path, &other).unwrap();
    for name in [&path, &other] {
        assert!(matches!(open(name), Err(error @ LedgerError::Io(_)) if error.told().contains("hard links")));
    }
    std::fs::remove_file(&other).unwrap();
    open(&path).unwrap();
}

/// Another process that opens the database, reads and closes it, as `sqlite3`, a backup or a metrics job does.
#[test]
fn as_another_process() {
    let Ok(path) = std::env::var("L402_BATCH_TEST_READER") else { return };
    let conn = Connection::open(path).unwrap();
    conn.query_row("SELECT count(*) FROM jobs", [], |row| row.get::<_, i64>(0)).unwrap();
}

/// Whether the kernel knows of SQLite's shared lock that this process holds on the database (sqlite.org/lockingv3.html).
#[cfg(target_os = "linux")]
fn is_locked(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", std::fs::metadata(path).unwrap().ino());
    let (pid, locks) = (std::process::id().to_string(), std::fs::read_to_string("/proc/locks").unwrap());
    locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|words| {
        words[4] == pid
            && words[5].ends_with(&inode)
            && words[1] == "POSIX"
            && words[6..] == ["1073741826", "1073742335"]
    })
}

/// Whoever closes a descriptor of the file beside SQLite drops its locks; the next reader then believes to be the last one,
/// and deletes the log that is in use.
#[test]
fn other_readers_harm_nothing_whatever_this_process_has_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a", "b"]);
    let jobs = pending(&ledger, batch);
    drop(SqliteLedger::open(&path, OpenMode::Read).unwrap());
    crate::ledger::sqlite::check_location(&path).unwrap();
    drop(open(&path).unwrap());
    assert!(crate::safe_open::read_small(&path, 1_000_000).is_err(), "neither as an image nor as anything else");
    #[cfg(target_os = "linux")]
    {
        assert!(is_locked(&path));
        drop(std::fs::File::open(&path).unwrap());
        assert!(!is_locked(&path), "the test would notice");
        drop(ledger);
        ledger = open(&path).unwrap();
        assert!(is_locked(&path));
    }
    let name = concat!(module_path!(), "::as_another_process").split_once("::").unwrap().1;
    let reader = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("L402_BATCH_TEST_READER", &path)
        .output()
        .unwrap();
    assert!(reader.status.success() && String::from_utf8_lossy(&reader.stdout).contains("1 passed"), "{reader:?}");
    assert!(path.with_file_name("ledger.db-wal").exists(), "the log is in use");
    intend(&mut ledger, new_intent(&jobs[0], 1));
    assert_eq!(SqliteLedger::open(&path, OpenMode::Read).unwrap().open_jobs(None).unwrap().len(), 1);
    assert!(!path.with_file_name("ledger.db.rescued-1").exists());
}
