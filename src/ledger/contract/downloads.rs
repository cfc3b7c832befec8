//! Which results are to be fetched, and what that needs.

use super::cases::{answer, deliver, intend};
use super::{AT, Subject};
use crate::ledger::contract::support::{endpoint, http, is_contradiction, new_intent, paid, planned, posted};
use crate::ledger::{AnswerKind, BatchKey, DownloadedFile, FetchMark, JobKey, Record, Resume, Undownloaded};
use crate::purchase::{JobState, Reason};

const JUNE: BatchKey = BatchKey(1);

fn to_fetch<S: Subject>(store: &S, which: Undownloaded) -> Vec<String> {
    store.to_download(JUNE, which, None, 9).unwrap().into_iter().map(|job| job.id).collect()
}

fn file(name: &str) -> DownloadedFile {
    DownloadedFile { file: name.to_owned(), sha256: [7; 32] }
}

pub(super) fn what_is_delivered_is_to_be_fetched_until_it_is_here<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    assert!(to_fetch(&store, Undownloaded::All).is_empty());
    deliver(&mut store, &jobs[0], 1);
    assert_eq!(to_fetch(&store, Undownloaded::New), ["a"]);
    let mark = FetchMark { file: "/v/a.mp4".to_owned(), ..FetchMark::default() };
    store.hand_back(AT, Record::Fetching(jobs[0].key, 0, mark.clone())).unwrap();
    assert_eq!(store.to_download(JUNE, Undownloaded::New, None, 9).unwrap()[0].mark, Some(mark));
    store.hand_back(AT, Record::Downloaded(jobs[0].key, file("/v/a.mp4"))).unwrap();
    assert!(to_fetch(&store, Undownloaded::All).is_empty());
    assert_eq!(store.job(jobs[0].key).state, JobState::Downloaded);
}

pub(super) fn what_could_not_be_had_is_left_for_another_time<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    for (n, job) in (1..).zip(&jobs) {
        deliver(&mut store, job, n);
    }
    let said = |job: JobKey, reason| Record::NotDownloaded { job, reason, error: "so".to_owned() };
    store.hand_back(AT, said(jobs[0].key, Reason::NotDownloaded)).unwrap();
    store.hand_back(AT, said(jobs[1].key, Reason::UrlGone)).unwrap();
    assert_eq!(to_fetch(&store, Undownloaded::New), ["c"]);
    assert_eq!(to_fetch(&store, Undownloaded::Left), ["a"]);
    assert_eq!(to_fetch(&store, Undownloaded::All), ["a", "b", "c"]);
    store.explain_undownloaded(JUNE).unwrap();
    assert_eq!(store.job(jobs[2].key).reason, Reason::NotDownloaded);
    assert!(to_fetch(&store, Undownloaded::New).is_empty());
}

pub(super) fn of_what_is_to_come_its_length_is_told<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
    let known = |total| Some(Resume { version: String::new(), total, synced: 0, sha256: None });
    for (n, job) in (1..).zip(&jobs) {
        deliver(&mut store, job, n);
        let mark = FetchMark { file: format!("/v/{n}.mp4"), resume: known(u64::from(n) << 40), sha256: None };
        store.hand_back(AT, Record::Fetching(job.key, 0, mark)).unwrap();
    }
    let said = |job: JobKey, reason| Record::NotDownloaded { job, reason, error: "so".to_owned() };
    store.hand_back(AT, said(jobs[0].key, Reason::NotDownloaded)).unwrap();
    store.hand_back(AT, said(jobs[1].key, Reason::UrlGone)).unwrap();
    let unknown = FetchMark { file: "/v/4.mp4".to_owned(), ..FetchMark::default() };
    store.hand_back(AT, Record::Fetching(jobs[3].key, 0, unknown)).unwrap();
    let told = |store: &S| -> Vec<_> {
        let coming = store.coming_files().unwrap().into_iter();
        coming.map(|of| (of.name, of.id, of.take, of.file, of.total)).collect()
    };
    let of = |id: &str, n: u64| ("june".to_owned(), id.to_owned(), 1, format!("/v/{n}.mp4"), n << 40);
    assert_eq!(told(&store), [of("a", 1), of("c", 3)]);
    store.hand_back(AT, Record::Downloaded(jobs[0].key, file("/v/1.mp4"))).unwrap();
    assert_eq!(told(&store), [of("c", 3)]);
}

pub(super) fn pages_of_what_is_to_be_fetched_follow_each_other<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    for (n, job) in (1..).zip(&jobs) {
        deliver(&mut store, job, n);
    }
    let first = store.to_download(JUNE, Undownloaded::All, None, 2).unwrap();
    let after = first.last().map(|job| (job.seq, job.key));
    let then = store.to_download(JUNE, Undownloaded::All, after, 2).unwrap();
    let ids: Vec<String> = first.into_iter().chain(then).map(|job| job.id).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

pub(super) fn a_file_is_one_job_s_whatever_its_case<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    let mark = FetchMark { file: "/v/Cat.mp4".to_owned(), ..FetchMark::default() };
    store.hand_back(AT, Record::Fetching(jobs[0].key, 0, mark)).unwrap();
    assert!(store.is_file_of_another(jobs[1].key, "/v/cat.MP4").unwrap());
    assert!(!store.is_file_of_another(jobs[0].key, "/v/cat.mp4").unwrap(), "it is its own");
    assert!(!store.is_file_of_another(jobs[1].key, "/v/dog.mp4").unwrap());
}

pub(super) fn a_delivered_job_has_its_answer_and_its_credential<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    assert!(store.delivery(jobs[0].key).unwrap().is_none() && store.credential(jobs[0].key).unwrap().is_none());
    deliver(&mut store, &jobs[0], 1);
    assert_eq!(store.delivery(jobs[0].key).unwrap(), Some(http(200)));
    assert!(store.credential(jobs[0].key).unwrap().is_some());
    assert!(store.delivery(jobs[1].key).unwrap().is_none());
    assert_eq!(new_intent(&jobs[0], 1).job, jobs[0].key);
}

pub(super) fn a_file_that_is_gone_is_fetched_again<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("b.mp4");
    std::fs::write(&here, b"whole").unwrap();
    let gone = folder.path().join("a.mp4");
    for (n, (job, path)) in (1..).zip([(&jobs[0], &gone), (&jobs[1], &here)]) {
        deliver(&mut store, job, n);
        store.hand_back(AT, Record::Downloaded(job.key, file(&path.display().to_string()))).unwrap();
    }
    assert_eq!(store.forget_missing_files(AT, JUNE, &["b".to_owned()]).unwrap(), 0);
    assert_eq!(store.forget_missing_files(AT, JUNE, &[]).unwrap(), 1);
    assert_eq!(to_fetch(&store, Undownloaded::All), ["a"]);
    assert_eq!(store.job(jobs[0].key).reason, Reason::NotDownloaded);
}

/// A delivered job of each of these ids.
fn delivered<S: Subject>(ids: &[&str]) -> (S, Vec<JobKey>) {
    let (mut store, jobs) = S::with(&[("june", ids)]);
    for (n, job) in (1..).zip(&jobs) {
        deliver(&mut store, job, n);
    }
    (store, jobs.iter().map(|job| job.key).collect())
}

fn not_downloaded(job: JobKey, reason: Reason) -> Record {
    Record::NotDownloaded { job, reason, error: "HTTP 404".to_owned() }
}

fn fetching(job: JobKey, name: &str) -> Record {
    Record::Fetching(job, 0, FetchMark { file: name.to_owned(), ..FetchMark::default() })
}

pub(super) fn a_file_that_is_here_is_not_written_anew<S: Subject>() {
    let (mut store, jobs) = delivered::<S>(&["a"]);
    store.hand_back(AT.plus_ms(5), Record::Downloaded(jobs[0], file("/v/a.mp4"))).unwrap();
    assert_eq!(store.job(jobs[0]).finished_at, Some(AT.plus_ms(5)));
    let before = store.seen();
    for record in [
        Record::Downloaded(jobs[0], file("/v/b.mp4")),
        not_downloaded(jobs[0], Reason::UrlGone),
        fetching(jobs[0], "/v/c.mp4"),
    ] {
        assert!(is_contradiction(&store.hand_back(AT, record)), "a file that is here was written anew");
    }
    assert_eq!(store.seen(), before);
}

pub(super) fn only_what_is_delivered_is_fetched_and_only_reasons_of_files_are_said_of_it<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    assert!(is_contradiction(&store.hand_back(AT, not_downloaded(jobs[0].key, Reason::NoRoute))));
    for record in [
        fetching(jobs[1].key, "/v/b.mp4"),
        Record::Downloaded(jobs[1].key, file("/v/b.mp4")),
        not_downloaded(jobs[1].key, Reason::NotDownloaded),
    ] {
        assert!(is_contradiction(&store.hand_back(AT, record)), "it is not delivered");
    }
}

/// Letters are compared without their case, each by itself: what is written with two is another name.
pub(super) fn names_are_compared_letter_by_letter_without_their_case<S: Subject>() {
    let (mut store, jobs) = delivered::<S>(&["a", "b"]);
    store.hand_back(AT, fetching(jobs[0], "/v/Größe.mp4")).unwrap();
    assert!(store.is_file_of_another(jobs[1], "/v/GRÖßE.MP4").unwrap());
    assert!(!store.is_file_of_another(jobs[1], "/v/gRÖSSE.mp4").unwrap());
    assert!(!store.is_file_of_another(jobs[0], "/v/größe.mp4").unwrap(), "it is its own");
}

pub(super) fn further_results_of_an_answer_are_fetched_each_by_itself<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let more = vec!["https://s.example/2".to_owned(), "https://s.example/3".to_owned()];
    for (n, job) in (1..).zip(&jobs) {
        let payment = intend(&mut store, new_intent(job, n));
        store.hand_back(AT, paid(payment, n, Some(posted()))).unwrap();
        let (url, more, own) = (format!("https://s.example/1/{n}"), more.clone(), false);
        let record = match n {
            1 => Record::DeliveredAtOnce { payment, kind: AnswerKind::Redeem, answer: http(200), url, more, own },
            2 => Record::Delivered { payment, answer: answer(&mut store, payment, 200), url, more, own },
            _ => Record::Delivered { payment, answer: answer(&mut store, payment, 200), url, more: Vec::new(), own },
        };
        store.hand_back(AT, record).unwrap();
    }
    let found = store.to_download(JUNE, Undownloaded::New, None, 9).unwrap();
    let urls = |at: usize| found[at].more.iter().map(|one| one.url.clone()).collect::<Vec<_>>();
    assert_eq!([urls(0), urls(1), urls(2)], [more.clone(), more, Vec::new()]);
    let resume = Resume { version: "\"a\"".to_owned(), total: 9, synced: 4, sha256: Some([1; 32]) };
    let mark = |name: &str, resume| FetchMark { file: format!("/nowhere/{name}"), resume, sha256: Some([9; 32]) };
    store.hand_back(AT, Record::Fetching(jobs[0].key, 0, mark("kite.png", None))).unwrap();
    store.hand_back(AT, Record::Fetching(jobs[0].key, 2, mark("kite-3.jpg", Some(resume)))).unwrap();
    let marks = |store: &S| {
        let job = store.to_download(JUNE, Undownloaded::All, None, 9).unwrap().remove(0);
        let files = [job.mark].into_iter().chain(job.more.into_iter().map(|one| one.mark));
        files.map(|mark| mark.map(|mark| mark.file)).collect::<Vec<_>>()
    };
    let file_of = |name: &str| Some(format!("/nowhere/{name}"));
    assert_eq!(marks(&store), [file_of("kite.png"), None, file_of("kite-3.jpg")]);
    let coming: Vec<_> = store.coming_files().unwrap().into_iter().map(|of| (of.id, of.file, of.total)).collect();
    assert_eq!(coming, [("a".to_owned(), "/nowhere/kite-3.jpg".to_owned(), 9)]);
    // Its names are its own, that of the first and that of each other one.
    for (name, is_taken) in [("KITE.png", true), ("kite-3.JPG", true), ("kite-2.jpg", false), ("kite-3.png", false)] {
        let file = format!("/nowhere/{name}");
        assert_eq!(store.is_file_of_another(jobs[1].key, &file).unwrap(), is_taken, "{name}");
        assert!(!store.is_file_of_another(jobs[0].key, &file).unwrap(), "{name}");
    }
    store.hand_back(AT, Record::Fetching(jobs[0].key, 1, mark("kite-2.png", None))).unwrap();
    store.hand_back(AT, Record::Fetching(jobs[0].key, 2, mark("kite-3.jpg", None))).unwrap();
    store.hand_back(AT, Record::Downloaded(jobs[0].key, file("/nowhere/kite.png"))).unwrap();
    assert!(store.is_file_of_another(jobs[1].key, "/nowhere/kite-2.png").unwrap());
    // Where one has gone, each is looked at again under its name.
    assert_eq!(store.forget_missing_files(AT, JUNE, &[]).unwrap(), 1);
    assert_eq!(marks(&store), [file_of("kite.png"), file_of("kite-2.png"), file_of("kite-3.jpg")]);
}

pub(super) fn a_name_stays_its_job_s_until_its_file_has_gone<S: Subject>() {
    let (mut store, jobs) = delivered::<S>(&["a", "b"]);
    store.hand_back(AT, Record::Downloaded(jobs[0], file("/nowhere/Kite.mp4"))).unwrap();
    assert!(store.is_file_of_another(jobs[1], "/nowhere/kite.mp4").unwrap());
    assert_eq!(store.forget_missing_files(AT, JUNE, &[]).unwrap(), 1);
    assert!(!store.is_file_of_another(jobs[1], "/nowhere/kite.mp4").unwrap(), "its name is free");
    assert_eq!(to_fetch(&store, Undownloaded::Left), ["a"]);
}

pub(super) fn that_the_manifest_has_changed_says_more_than_what_became_of_the_file<S: Subject>() {
    let (mut store, jobs) = delivered::<S>(&["a"]);
    store.take_in(JUNE, vec![planned(&endpoint(), "a", "another prompt")]).unwrap();
    let stands = |store: &S| (store.job(jobs[0]).state, store.job(jobs[0]).reason);
    store.hand_back(AT, not_downloaded(jobs[0], Reason::UrlGone)).unwrap();
    assert_eq!(stands(&store), (JobState::Delivered, Reason::Changed));
    assert_eq!(to_fetch(&store, Undownloaded::Left), ["a"]);
    store.hand_back(AT, Record::Downloaded(jobs[0], file("/nowhere/a.mp4"))).unwrap();
    assert_eq!(stands(&store), (JobState::Downloaded, Reason::Changed));
    store.forget_missing_files(AT, JUNE, &[]).unwrap();
    assert_eq!(stands(&store), (JobState::Delivered, Reason::Changed));
}
