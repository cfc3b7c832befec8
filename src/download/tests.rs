//! One result, from a host that does what it likes, over real sockets and onto a real disk.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::event::{Changing, JobEvent};
use crate::l402::Network;
use crate::ledger::fixtures::delivered_job;
use crate::ledger::{
    Committed, DeliveredJob, DownloadedFile, FetchMark, HeldBack, HistoryCheck, IdenticalRequest, Ledger, OpenJob,
    OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, Transition, Undownloaded,
};
use crate::money::Msat;
use crate::origin::Fetcher;
use crate::purchase::{Credential, HttpAnswer, Reason, Request, WalletId};
use crate::time::UnixMs;

/// A record of one delivered job.
struct OneJob {
    job: RefCell<DeliveredJob>,
    file: RefCell<Option<DownloadedFile>>,
    given_up: RefCell<Option<(Reason, String)>>,
    /// Another job's file.
    anothers: RefCell<String>,
    /// The job that is delivered, as the run's last word, while the first one's file is finished.
    last: RefCell<Option<DeliveredJob>>,
    feed: Feed,
}

impl Ledger for OneJob {
    async fn commit(&self, _: UnixMs, record: Record) -> Result<Recorded, LedgerError> {
        match record {
            Record::Fetching(_, mark) => self.job.borrow_mut().mark = Some(mark),
            Record::Downloaded(_, file) => {
                *self.file.borrow_mut() = Some(file);
                if let Some(last) = self.last.take() {
                    (*self.job.borrow_mut(), *self.file.borrow_mut()) = (last, None);
                    self.feed.wake();
                    self.feed.end();
                }
            }
            Record::NotDownloaded { reason, error, .. } => *self.given_up.borrow_mut() = Some((reason, error)),
            other => panic!("{other:?}"),
        }
        Ok(Recorded { committed: Committed::Done, transition: None })
    }
    async fn open_jobs(&self, _: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        Ok(Vec::new())
    }
    async fn claim(&self, _: BatchKey, _: usize) -> Result<Vec<PendingJob>, LedgerError> {
        Ok(Vec::new())
    }
    async fn request(&self, _: PaymentKey) -> Result<Request, LedgerError> {
        Err(LedgerError::system("none"))
    }
    async fn history_check(&self, _: &WalletId, _: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        Err(LedgerError::system("none"))
    }
    async fn is_witnessed(&self, _: &WalletId) -> Result<bool, LedgerError> {
        Err(LedgerError::system("none"))
    }
    async fn identical_request(&self, _: JobKey, _: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        Ok(None)
    }
    async fn bought_elsewhere(&self, _: JobKey, _: &[u8; 32], _: Network) -> Result<Option<Original>, LedgerError> {
        Ok(None)
    }

    async fn held_back(&self, _: UnixMs, _: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        Ok(None)
    }
    async fn open_refunds(&self, _: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        Ok(Vec::new())
    }
    async fn refund(&self, _: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        Ok(None)
    }
}

impl Deliveries for OneJob {
    async fn to_download(
        &self,
        _: BatchKey,
        _: Undownloaded,
        after: Option<(u64, JobKey)>,
        _: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        let open = after.is_none() && self.file.borrow().is_none();
        Ok(if open { vec![self.job.borrow().clone()] } else { Vec::new() })
    }
    async fn is_file_of_another(&self, _: JobKey, file: &str) -> Result<bool, LedgerError> {
        Ok(*self.anothers.borrow() == file)
    }
    async fn delivery(&self, _: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        Ok(None)
    }
    async fn credential(&self, _: JobKey) -> Result<Option<Credential>, LedgerError> {
        Ok(Some(crate::ledger::fixtures::purchase(true, 0).credential().clone()))
    }
}

/// A clock by which a tenth of a second is ten seconds.
struct Fast(Instant);

const FAST: u64 = 100;

impl Clock for Fast {
    fn now(&self) -> UnixMs {
        UnixMs(1_800_000_000_000 + i64::try_from(self.0.elapsed().as_micros() / 10).unwrap())
    }
    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_micros(ms.saturating_mul(1_000 / FAST))).await;
    }
}

struct Nobody;

impl Listener for Nobody {
    fn hear(&self, _: &Event) {}
}

/// A folder, and a record of one job whose result stands at a host.
struct Fixture {
    folder: tempfile::TempDir,
    ledger: OneJob,
    heard: std::rc::Rc<RefCell<Vec<String>>>,
}

impl Fixture {
    /// `answers` is called with the number of the request, from 0, and what it says.
    async fn of<F: AsyncFn(usize, String, TcpStream) + 'static>(answers: F) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/kite.mp4", listener.local_addr().unwrap());
        let heard = std::rc::Rc::new(RefCell::new(Vec::new()));
        let hearing = std::rc::Rc::clone(&heard);
        tokio::task::spawn_local(async move {
            for n in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request_of(&mut stream).await;
                hearing.borrow_mut().push(request.clone());
                answers(n, request, stream).await;
            }
        });
        let mut job = delivered_job("kite");
        std::sync::Arc::make_mut(&mut job.endpoint).url = url.parse().unwrap();
        job.url = url;
        let ledger = OneJob {
            job: job.into(),
            file: None.into(),
            given_up: None.into(),
            anothers: RefCell::default(),
            last: RefCell::default(),
            feed: Feed::default(),
        };
        Self { folder: tempfile::tempdir().unwrap(), ledger, heard }
    }

    async fn fetch(&self) -> Fetched {
        self.ledger.feed.end();
        self.fetch_wanted(Wanted::Missing(HashSet::new())).await
    }

    async fn fetch_wanted(&self, wanted: Wanted) -> Fetched {
        let settings = Settings {
            folder: self.folder.path().to_str().unwrap().to_owned(),
            name: "{id}".parse().unwrap(),
            in_flight: 1,
            per_second: None,
            bytes_max: 1 << 20,
            idle_ms: 60_000,
            file_ms_max: 600_000,
            room_min: 0,
            gathered_bytes: 1_024,
            checkpoint_bytes: 16_384,
        };
        let clock = Fast(Instant::now());
        let (_controller, control) = crate::run::Controller::new();
        let fetcher = Fetcher::new(Duration::from_secs(5), false).unwrap();
        let downloads = Downloads {
            ledger: &self.ledger,
            fetch: &fetcher,
            disk: &LocalDisk,
            clock: &clock,
            listener: &Nobody,
            settings: &settings,
            control,
            feed: &self.ledger.feed,
        };
        tokio::time::timeout(Duration::from_secs(60), downloads.run(BatchKey(1), wanted))
            .await
            .expect("it ends")
            .unwrap()
    }

    /// What stands under the name that the record says; its digest is the one that it says.
    fn content(&self) -> Option<Vec<u8>> {
        let file = self.ledger.file.borrow().clone()?;
        let bytes = std::fs::read(&file.file).unwrap();
        assert_eq!(file.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)), "{}", file.file);
        Some(bytes)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn requests(&self) -> usize {
        self.heard.borrow().len()
    }

    #[track_caller]
    fn gave_up(&self, reason: Reason, words: &str) {
        assert_eq!(self.ledger.file.borrow().clone(), None);
        let (found, said) = self.ledger.given_up.borrow().clone().expect("given up");
        assert!(found == reason && said.contains(words), "{found:?} {said}");
    }
}

async fn request_of(stream: &mut TcpStream) -> String {
    let (mut request, mut buffer) = (Vec::new(), [0; 1_024]);
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        request.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(request).unwrap().to_ascii_lowercase()
}

async fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let head = head.replace('\n', "\r\n");
    // Whoever has hung up hears nothing.
    let _ = stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await;
    let _ = stream.write_all(body).await;
}

/// Breaks the connection once what was sent has arrived.
async fn hang_up(stream: TcpStream) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    drop(stream);
}

fn video(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

async fn local<T>(work: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().run_until(work).await
}

/// The first byte that is asked for.
fn from_of(request: &str) -> usize {
    let range = request.lines().find_map(|line| line.strip_prefix("range: bytes="));
    range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0)
}

/// What the run delivers last is fetched too, whatever else ends in that moment.
#[tokio::test]
async fn what_is_delivered_last_is_fetched() {
    local(async {
        let film = video(3_000);
        let fixture = Fixture::of(async move |_, _, mut stream| {
            let head = format!("HTTP/1.1 200 OK\ncontent-length: {}\nconnection: close", film.len());
            send(&mut stream, &head, &film).await;
        })
        .await;
        let last = DeliveredJob { key: JobKey(99), id: "boat".to_owned(), ..fixture.ledger.job.borrow().clone() };
        *fixture.ledger.last.borrow_mut() = Some(last);
        fixture.fetch_wanted(Wanted::OfRun).await;
        assert_eq!(fixture.content().map(|bytes| bytes.len()), Some(3_000));
        assert!(fixture.path("kite.mp4").exists() && fixture.path("boat.mp4").exists());
    })
    .await;
}

#[tokio::test]
async fn a_coding_on_the_way_whose_end_is_the_connections_marks_no_end() {
    for coding in ["identity", "gzip", "chunked, gzip"] {
        local(async {
            let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
                send(&mut stream, &format!("HTTP/1.1 200 x\nTransfer-Encoding: {coding}"), b"half of").await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            place.gave_up(Reason::NotDownloaded, "");
        })
        .await;
    }
}

#[tokio::test]
async fn a_coding_on_the_way_is_not_taken_for_the_content() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            let body = b"6\r\nsecret\r\n0\r\n\r\n";
            send(&mut stream, "HTTP/1.1 200 x\nTransfer-Encoding: gzip, chunked\nConnection: close", body).await;
        })
        .await;
        place.fetch().await;
        place.gave_up(Reason::NotDownloaded, "gzip");
    })
    .await;
}

#[tokio::test]
async fn a_host_that_always_breaks_off_and_never_goes_on_is_given_up_soon() {
    for version in ["", "ETag: \"v\"\n"] {
        local(async {
            let whole = video(200_000);
            let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
                let head = format!("HTTP/1.1 200 x\n{version}Content-Length: {}", whole.len());
                send(&mut stream, &head, &whole[..150_000]).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            place.gave_up(Reason::NotDownloaded, "");
            assert!(place.requests() < 10, "{} times the same bytes", place.requests());
        })
        .await;
    }
}

#[tokio::test]
async fn a_host_that_lets_a_little_more_through_each_time_is_gone_on_with_to_the_end() {
    local(async {
        let whole = video(400_000);
        let sold = whole.clone();
        let place = Fixture::of(async move |_, request: String, mut stream: TcpStream| {
            let (from, total) = (from_of(&request), sold.len());
            let line = if from == 0 {
                "HTTP/1.1 200 x".to_owned()
            } else {
                format!("HTTP/1.1 206 x\nContent-Range: bytes {from}-{}/{total}", total - 1)
            };
            let head = format!("{line}\nETag: \"v\"\nContent-Length: {}", total - from);
            send(&mut stream, &head, &sold[from..total.min(from + 40_000)]).await;
            hang_up(stream).await;
        })
        .await;
        place.fetch().await;
        assert_eq!(place.content(), Some(whole));
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_another_version_is_not_taken() {
    // It ignores If-Range; in one case it hides, too, that what it has is another one.
    for tell in [true, false] {
        local(async {
            let (old, new) = (vec![1; 60_000], vec![2; 60_000]);
            let place = Fixture::of(async move |n, request: String, mut stream: TcpStream| {
                let from = from_of(&request);
                let (content, tag) = if n == 0 { (&old, "a") } else { (&new, "b") };
                let head = if from > 0 {
                    let tag = if tell { format!("ETag: \"{tag}\"\n") } else { String::new() };
                    format!(
                        "HTTP/1.1 206 x\n{tag}Content-Range: bytes {from}-59999/60000\nContent-Length: {}",
                        60_000 - from
                    )
                } else {
                    format!("HTTP/1.1 200 x\nETag: \"{tag}\"\nContent-Length: 60000")
                };
                let until = if n == 0 { 30_000 } else { 60_000 };
                send(&mut stream, &head, &content[from..until]).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            assert!(place.content().is_some_and(|bytes| bytes == vec![2; 60_000]), "of two versions: {tell}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_part_that_is_removed_under_the_hands_concerns_its_file_alone() {
    local(async {
        let folder: std::rc::Rc<RefCell<PathBuf>> = std::rc::Rc::default();
        let seen = std::rc::Rc::clone(&folder);
        let place = Fixture::of(async move |n, _, mut stream: TcpStream| {
            let whole = video(10_000);
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 10000\nConnection: close", &whole[..5_000]).await;
            let part = seen.borrow().join("kite.mp4.part");
            if n == 0 {
                for _ in 0..500 {
                    if std::fs::metadata(&part).is_ok_and(|about| about.len() > 0) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                std::fs::remove_file(&part).unwrap();
                std::fs::write(&part, "somebody's").unwrap();
            }
            let _ = stream.write_all(&whole[5_000..]).await;
        })
        .await;
        *folder.borrow_mut() = place.folder.path().to_owned();
        let fetched = place.fetch().await;
        assert_eq!(fetched.trouble, None);
        assert_eq!(place.content(), Some(video(10_000)));
        assert_eq!(std::fs::read(place.path("kite.mp4.part")).unwrap(), b"somebody's");
    })
    .await;
}

#[tokio::test]
async fn a_part_that_is_removed_before_it_is_thrown_away_halts_nothing() {
    local(async {
        let folder: std::rc::Rc<RefCell<PathBuf>> = std::rc::Rc::default();
        let seen = std::rc::Rc::clone(&folder);
        let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 9000\nConnection: close", b"<!doctype html>").await;
            let part = seen.borrow().join("kite.mp4.part");
            for _ in 0..500 {
                if std::fs::remove_file(&part).is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let _ = stream.write_all(&[b' '; 8_985][..]).await;
        })
        .await;
        *folder.borrow_mut() = place.folder.path().to_owned();
        let fetched = place.fetch().await;
        assert_eq!(fetched.trouble, None);
        place.gave_up(Reason::UrlGone, "a page");
    })
    .await;
}

#[tokio::test]
async fn a_slow_host_does_not_hold_a_run_for_days() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nETag: \"v\"\nContent-Length: 1000000", b"").await;
            tokio::task::spawn_local(async move {
                // Enough to be a flow, and at that pace a large file takes days.
                while stream.write_all(&[7; 16_500]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(150)).await;
                }
            });
        })
        .await;
        place.fetch().await;
        place.gave_up(Reason::NotDownloaded, "not whole after");
        assert_eq!(place.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_in_a_whole_part_is_looked_at_before_it_gets_its_name() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 5000\nConnection: close", &video(5_000)).await;
        })
        .await;
        let file = place.path("kite.mp4").to_str().unwrap().to_owned();
        let sha256 = Some(Sha256::digest(video(5_000)).into());
        place.ledger.job.borrow_mut().mark = Some(FetchMark { file, resume: None, sha256 });
        std::fs::write(place.path("kite.mp4.part"), "edited").unwrap();
        place.fetch().await;
        assert_eq!(place.content(), Some(video(5_000)));
        assert_eq!(place.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_another_jobs_for_good_even_where_its_file_was_moved_away() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 5000\nConnection: close", &video(5_000)).await;
        })
        .await;
        *place.ledger.anothers.borrow_mut() = place.path("kite.mp4").to_str().unwrap().to_owned();
        place.fetch().await;
        assert_eq!(place.content(), Some(video(5_000)));
        assert!(place.path("kite-2.mp4").exists() && !place.path("kite.mp4").exists());
    })
    .await;
}

#[tokio::test]
async fn an_endless_body_stops_at_the_limit_and_leaves_nothing() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nTransfer-Encoding: chunked", b"").await;
            let chunk = [b"4000\r\n".as_slice(), &[7; 0x4000], b"\r\n"].concat();
            while stream.write_all(&chunk).await.is_ok() {}
        })
        .await;
        place.fetch().await;
        place.gave_up(Reason::NotDownloaded, "larger than 1 MiB");
        assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_part_of_another_folder_is_left_alone() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 5000\nConnection: close", &video(5_000)).await;
        })
        .await;
        let before = tempfile::tempdir().unwrap();
        let file = before.path().join("kite.mp4").to_str().unwrap().to_owned();
        std::fs::write(before.path().join("kite.mp4.part"), "begun").unwrap();
        place.ledger.job.borrow_mut().mark = Some(FetchMark { file, resume: None, sha256: None });
        place.fetch().await;
        assert_eq!(place.content(), Some(video(5_000)));
        assert!(place.path("kite.mp4").exists());
        assert_eq!(std::fs::read(before.path().join("kite.mp4.part")).unwrap(), b"begun");
    })
    .await;
}

/// As it was seen: the first transfer breaks, and what follows comes as 200 with the rest alone.
#[tokio::test]
async fn the_rest_that_is_called_the_whole_is_not_taken_for_it() {
    for says_so in [true, false] {
        local(async {
            let whole = video(200_012);
            let sold = whole.clone();
            let place = Fixture::of(async move |_, request: String, mut stream: TcpStream| {
                let (from, total) = (from_of(&request), sold.len());
                let range = if says_so && from > 0 {
                    format!("Content-Range: bytes {from}-{}/{total}\n", total - 1)
                } else {
                    String::new()
                };
                let head = format!("HTTP/1.1 200 x\n{range}ETag: \"v\"\nContent-Length: {}", total - from);
                let until = if from > 0 { total } else { 100_000 };
                send(&mut stream, &head, &sold[from..until]).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            assert!(place.content().is_none_or(|bytes| bytes == whole), "a part was called the whole");
            place.gave_up(Reason::NotDownloaded, "");
        })
        .await;
    }
}

#[tokio::test]
async fn a_message_in_plain_words_is_no_result() {
    for kind in
        ["Content-Type: text/plain\n", "", "Content-Type: application/octet-stream\n", "Content-Type: video/mp4\n"]
    {
        local(async {
            let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
                let head = format!("HTTP/1.1 200 x\n{kind}Content-Length: 17\nConnection: close");
                send(&mut stream, &head, b"link has expired\n").await;
            })
            .await;
            place.fetch().await;
            place.gave_up(Reason::UrlGone, "a message");
            assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_stored_as_gzip_is_unpacked() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&video(300_000)).unwrap();
    let packed = encoder.finish().unwrap();
    // The first transfer breaks in its middle: what was packed cannot be gone on with, and is fetched anew.
    for until in [packed.len(), packed.len() / 2] {
        let packed = packed.clone();
        local(async {
            let place = Fixture::of(async move |n, request: String, mut stream: TcpStream| {
                assert_eq!(from_of(&request), 0, "{request}");
                let head =
                    format!("HTTP/1.1 200 x\nContent-Encoding: gzip\nETag: \"v\"\nContent-Length: {}", packed.len());
                send(&mut stream, &head, if n == 0 { &packed[..until] } else { &packed }).await;
                hang_up(stream).await;
            })
            .await;
            place.fetch().await;
            assert_eq!(place.content(), Some(video(300_000)));
        })
        .await;
    }
}

/// A host that calls these bytes encoded in that way. The first transfer breaks off where `cut` says so.
async fn encoded(label: &'static str, body: Vec<u8>, cut: bool) -> Fixture {
    Fixture::of(async move |n, _, mut stream: TcpStream| {
        let head = format!("HTTP/1.1 200 x\nContent-Encoding: {label}\nContent-Length: {}", body.len());
        send(&mut stream, &head, if cut && n == 0 { &body[..body.len() / 2] } else { &body }).await;
        hang_up(stream).await;
    })
    .await
}

#[tokio::test]
async fn a_label_that_means_nothing_is_no_coding() {
    for label in ["none", "utf-8", "binary", "aws-chunked", "8bit", "identity, UTF-8", "\u{e4}", ","] {
        local(async {
            let place = encoded(label, video(3_000), false).await;
            place.fetch().await;
            assert!(place.content() == Some(video(3_000)), "{label}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_deflated_is_inflated() {
    use std::io::Write as _;
    let level = flate2::Compression::default();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
    zlib.write_all(&video(300_000)).unwrap();
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), level);
    raw.write_all(&video(300_000)).unwrap();
    for packed in [zlib.finish().unwrap(), raw.finish().unwrap()] {
        for label in ["deflate", "Deflate, aws-chunked"] {
            for cut in [false, true] {
                local(async {
                    let place = encoded(label, packed.clone(), cut).await;
                    place.fetch().await;
                    assert!(place.content() == Some(video(300_000)), "{label}, cut: {cut}");
                })
                .await;
            }
        }
    }
    // Half of it, called the whole, is none.
    local(async {
        let place = encoded("deflate", b"x\x9c\x4b".to_vec(), false).await;
        place.fetch().await;
        place.gave_up(Reason::NotDownloaded, "its deflate cannot be undone");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_undone_here_is_kept_as_it_comes_by_a_persons_word() {
    for label in ["br", "zstd", "compress", "gzip, br", "deflate, gzip"] {
        local(async {
            let place = encoded(label, video(3_000), false).await;
            place.fetch().await;
            place.gave_up(Reason::UrlGone, label);
            place.gave_up(Reason::UrlGone, "--as delivered");
            place.ledger.job.borrow_mut().is_taken = true;
            place.fetch().await;
            assert!(place.content() == Some(video(3_000)), "{label}, by a person's word");
        })
        .await;
    }
}

/// As it was seen: the first transfer breaks, and the rest comes as a 200 that says neither that it is a rest nor of what
/// version.
#[tokio::test]
async fn a_rest_that_names_no_version_is_not_the_whole() {
    for chunked in [false, true] {
        local(async {
            let place = Fixture::of(async move |n, request: String, mut stream: TcpStream| {
                let (whole, from) = (video(60_000), from_of(&request));
                if n == 0 {
                    send(&mut stream, "HTTP/1.1 200 x\nETag: \"v\"\nContent-Length: 60000", &whole[..30_000]).await;
                    return hang_up(stream).await;
                }
                let rest = &whole[from..];
                if chunked {
                    let body = [format!("{:x}\r\n", rest.len()).as_bytes(), rest, b"\r\n0\r\n\r\n"].concat();
                    send(&mut stream, "HTTP/1.1 200 x\nTransfer-Encoding: chunked\nConnection: close", &body).await;
                } else {
                    let head = format!("HTTP/1.1 200 x\nConnection: close\nContent-Length: {}", rest.len());
                    send(&mut stream, &head, rest).await;
                }
            })
            .await;
            place.fetch().await;
            assert!(place.heard.borrow()[1].contains("range: bytes=30000-"), "{:?}", place.heard.borrow());
            assert_eq!(place.content().map(|bytes| bytes.len()), Some(60_000), "chunked: {chunked}");
            assert_eq!(place.content(), Some(video(60_000)));
        })
        .await;
    }
}

/// A host that tells these lengths, one a try, and breaks off the first one, which alone is of that version.
async fn telling(answers: &'static [usize], chunked: bool, version: &'static str) -> Fixture {
    Fixture::of(async move |n, _, mut stream: TcpStream| {
        let length = answers.get(n).or(answers.last()).copied().unwrap_or_default();
        let (content, head) = (video(60_000), "HTTP/1.1 200 x\nConnection: close");
        if n > 0 && chunked {
            let body = [format!("{length:x}\r\n").as_bytes(), &content[..length], b"\r\n0\r\n\r\n"].concat();
            send(&mut stream, &format!("{head}\nTransfer-Encoding: chunked"), &body).await;
        } else {
            let sent = if n == 0 { 20_000 } else { length };
            let version = if n == 0 { version } else { "" };
            send(&mut stream, &format!("{head}{version}\nContent-Length: {length}"), &content[..sent]).await;
        }
        hang_up(stream).await;
    })
    .await
}

/// Without a version nothing is gone on with, and what was said of the length counts all the same, in later runs too.
#[tokio::test]
async fn a_result_that_shrinks_between_two_tries_is_not_the_whole() {
    for (answers, whole) in [(&[60_000, 30_000, 60_000], Some(60_000)), (&[60_000, 30_000, 30_000], None)] {
        local(async {
            let place = telling(answers, false, "").await;
            place.fetch().await;
            assert_eq!(place.content().map(|bytes| bytes.len()), whole, "{answers:?}");
            assert!(place.requests() > 2, "{answers:?}");
            if whole.is_some() {
                return;
            }
            place.gave_up(Reason::UrlGone, "60000 bytes long, and to be 30000 now");
            place.fetch().await;
            assert_eq!(place.content(), None, "another run");
            place.ledger.job.borrow_mut().is_taken = true;
            place.fetch().await;
            assert_eq!(place.content().map(|bytes| bytes.len()), Some(30_000), "by a person's word");
        })
        .await;
    }
    for version in ["", "\nETag: \"v\""] {
        local(async {
            let place = telling(&[60_000, 30_000], true, version).await;
            place.fetch().await;
            place.gave_up(Reason::NotDownloaded, "30000 of 60000 bytes");
            place.ledger.job.borrow_mut().is_taken = true;
            place.fetch().await;
            assert_eq!(place.content().map(|bytes| bytes.len()), Some(30_000), "by a person's word: {version}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_result_that_grows_has_to_say_so_twice() {
    local(async {
        let place = telling(&[30_000, 60_000], false, "").await;
        place.fetch().await;
        assert_eq!((place.content().map(|bytes| bytes.len()), place.requests()), (Some(60_000), 3));
    })
    .await;
}

/// What was said of a message's length is not said of the result.
#[tokio::test]
async fn a_message_that_was_longer_than_the_result_is_forgotten() {
    local(async {
        let place = Fixture::of(async move |n, _, mut stream: TcpStream| {
            let body = if n == 0 { "not ready yet ".repeat(5_000).into_bytes() } else { video(6_000) };
            let head = format!("HTTP/1.1 200 x\nConnection: close\nContent-Length: {}", body.len());
            send(&mut stream, &head, &body).await;
        })
        .await;
        place.fetch().await;
        assert_eq!(place.content(), Some(video(6_000)));
    })
    .await;
}

/// And what was told of the result before, in this run or an earlier one, is not forgotten for a message.
#[tokio::test]
async fn what_was_told_of_the_result_outlives_a_message() {
    let long: &str = &"not ready yet ".repeat(5_000);
    let messages = [
        ("Transfer-Encoding: chunked", "10\r\nlink has expired\r\n0\r\n\r\n"),
        ("ETag: \"m\"\nContent-Length: 16", "link has expired"),
        ("Content-Length: 70000", long),
    ];
    for (n, version) in (0..messages.len()).flat_map(|n| ["", "ETag: \"v\"\n"].map(|version| (n, version))) {
        let (said, message) = (messages[n].0, messages[n].1.to_owned());
        local(async {
            let place = Fixture::of(async move |n, _, mut stream: TcpStream| {
                let film = video(60_000);
                let (head, body) = match n {
                    0 => (format!("{version}Content-Length: 60000"), &film[..20_000]),
                    1..=3 => (said.to_owned(), message.as_bytes()),
                    _ => ("Content-Length: 30000".to_owned(), &film[..30_000]),
                };
                send(&mut stream, &format!("HTTP/1.1 200 x\nConnection: close\n{head}"), body).await;
                hang_up(stream).await;
            })
            .await;
            for run in 0..2 {
                place.fetch().await;
                assert_eq!(place.content().map(|bytes| bytes.len()), None, "{said}, {version}, run {run}");
                place.gave_up(Reason::UrlGone, "");
            }
            place.gave_up(Reason::UrlGone, "60000 bytes long, and to be 30000 now");
        })
        .await;
    }
}

/// What a run still buys, and of which of it nobody knows how long its file is.
#[test]
fn what_is_bought_counts_until_its_length_is_known() {
    let feed = Feed::default();
    let hear = |id: &str, from, state| {
        let to =
            Transition { state, reason: Reason::None, fee: None, refunded: None, url: None, file: None, error: None };
        let job = Changing { id, take: 1, endpoint: "e", from, price: Msat::ZERO, fee: None };
        feed.hear(&Event::Job(JobEvent::of(&job, to, UnixMs(0))));
        (feed.has_left(), feed.unmeasured())
    };
    feed.begin_buying(2);
    assert_eq!(hear("a", JobState::Pending, JobState::Running), (true, 1));
    assert_eq!(hear("b", JobState::Pending, JobState::Running), (false, 2), "nothing is left to hold back");
    assert_eq!(hear("b", JobState::Running, JobState::Pending), (true, 1), "it is bought later");
    assert_eq!(hear("b", JobState::Pending, JobState::Running), (false, 2));
    assert_eq!(hear("a", JobState::Paid, JobState::Delivered), (false, 2));
    feed.measured("a", 1, 7);
    assert_eq!((feed.unmeasured(), feed.longest()), (1, 7));
    // The ledger is asked again after it was told something, and only then.
    assert!(!feed.take_recorded());
    feed.recorded();
    assert!(feed.take_recorded() && !feed.take_recorded());
}
