//! What became of the files.

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{BatchKey, DownloadedFile, FetchMark, JobKey, Record, ResultRow, Resume, Undownloaded};
use crate::purchase::{JobState, Reason};

/// A batch of delivered jobs, and their keys.
fn delivered(ids: &[&str]) -> (SqliteLedger, BatchKey, Vec<JobKey>) {
    let (mut ledger, batch) = in_memory(ids);
    let jobs = pending(&ledger, batch);
    for (job, n) in jobs.iter().zip(1..) {
        deliver(&mut ledger, job, n);
    }
    (ledger, batch, jobs.iter().map(|job| job.key).collect())
}

fn mark(file: &str, sha256: Option<[u8; 32]>) -> FetchMark {
    let resume = Resume { version: "\"a\"".to_owned(), total: 100, synced: 40, sha256: Some([9; 32]) };
    FetchMark { file: file.to_owned(), resume: Some(resume), sha256 }
}

fn downloaded(job: JobKey, file: &str) -> Record {
    Record::Downloaded(job, DownloadedFile { file: file.to_owned(), sha256: [7; 32] })
}

fn not_downloaded(job: JobKey, reason: Reason) -> Record {
    Record::NotDownloaded { job, reason, error: "HTTP 404".to_owned() }
}

fn ids(ledger: &SqliteLedger, batch: BatchKey, which: Undownloaded) -> Vec<String> {
    ledger.to_download(batch, which, None, 100).unwrap().into_iter().map(|job| job.id).collect()
}

fn row(ledger: &SqliteLedger, batch: BatchKey) -> ResultRow {
    let mut rows = Vec::new();
    let read = ledger.results(batch, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.unwrap().unwrap();
    rows.remove(0)
}

#[test]
fn a_file_is_shown_only_once_it_is_whole() {
    let (mut ledger, batch, jobs) = delivered(&["a"]);
    let job = &ledger.to_download(batch, Undownloaded::New, None, 10).unwrap()[0];
    assert_eq!((job.url.as_str(), job.fee, &job.mark), ("https://seller.example/v/1", Some(FEE), &None));
    for mark in [mark("/v/a.mp4", None), mark("/v/a.mp4", Some([7; 32]))] {
        ledger.apply(NOW, Record::Fetching(jobs[0], 0, mark.clone())).unwrap();
        let job = &ledger.to_download(batch, Undownloaded::New, None, 10).unwrap()[0];
        assert_eq!(job.mark, Some(mark));
        let row = row(&ledger, batch);
        assert_eq!((row.state, row.file, row.sha256), (JobState::Delivered, None, None));
    }
    ledger.apply(NOW.plus_ms(5), downloaded(jobs[0], "/v/a.mp4")).unwrap();
    let row = row(&ledger, batch);
    assert_eq!(
        (row.state, row.file.as_deref(), row.sha256),
        (JobState::Downloaded, Some("/v/a.mp4"), Some("07".repeat(32)))
    );
    assert_eq!(row.finished_at, Some(NOW.plus_ms(5)));
    assert!(ids(&ledger, batch, Undownloaded::All).is_empty());
    for record in [
        downloaded(jobs[0], "/v/b.mp4"),
        not_downloaded(jobs[0], Reason::UrlGone),
        Record::Fetching(jobs[0], 0, mark("/v/c", None)),
    ] {
        assert!(is_contradiction(&ledger.apply(NOW, record)), "a file that is here was written anew");
    }
}

#[test]
fn what_is_still_to_be_fetched() {
    let (mut ledger, batch, jobs) = delivered(&["a", "b", "c", "d"]);
    assert!(is_contradiction(&ledger.apply(NOW, not_downloaded(jobs[0], Reason::NoRoute))));
    ledger.apply(NOW, not_downloaded(jobs[0], Reason::NotDownloaded)).unwrap();
    ledger.apply(NOW, not_downloaded(jobs[1], Reason::UrlGone)).unwrap();
    ledger.apply(NOW, downloaded(jobs[2], "/v/c.mp4")).unwrap();
    assert_eq!(ids(&ledger, batch, Undownloaded::New), ["d"]);
    assert_eq!(ids(&ledger, batch, Undownloaded::Left), ["a"]);
    assert_eq!(ids(&ledger, batch, Undownloaded::All), ["a", "b", "d"]);
    let first = &ledger.to_download(batch, Undownloaded::All, None, 1).unwrap()[0];
    let rest = ledger.to_download(batch, Undownloaded::All, Some((first.seq, first.key)), 100).unwrap();
    assert_eq!(rest.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["b", "d"]);
    ledger.explain_undownloaded(batch).unwrap();
    assert_eq!(ids(&ledger, batch, Undownloaded::Left), ["a", "d"]);

    // The same plan again changes none of this; what a run has spent neither.
    let counts = ledger.counts(batch).unwrap();
    load_ids(&mut ledger, batch, &["a", "b", "c", "d"]);
    assert_eq!(ledger.counts(batch).unwrap(), counts);
    assert_eq!(counts.spent.get(), 4 * PRICE.get());
}

/// Each is told with its file, once all are whole.
#[test]
fn further_results_are_shown_beside_the_first() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut ledger, payment, 200);
    let (url, more) = ("https://s.example/1".to_owned(), vec!["https://s.example/2".to_owned()]);
    ledger.apply(NOW, Record::Delivered { payment, answer, url, more: more.clone(), own: false }).unwrap();
    assert_eq!((row(&ledger, batch).more_urls(), row(&ledger, batch).more_files().len()), (vec![more[0].as_str()], 0));
    ledger.apply(NOW, Record::Fetching(job.key, 1, mark("/v/a-2.png", Some([8; 32])))).unwrap();
    assert!(row(&ledger, batch).more_files().is_empty(), "the job is not downloaded yet");
    ledger.apply(NOW, downloaded(job.key, "/v/a.png")).unwrap();
    assert_eq!(row(&ledger, batch).more_files(), ["/v/a-2.png"]);
    // What cannot be read of them is that row's trouble.
    ledger.conn.execute("UPDATE jobs SET more = '[{'", []).unwrap();
    assert_eq!((row(&ledger, batch).reason, row(&ledger, batch).more), (Reason::RowDamaged, Vec::new()));
}
