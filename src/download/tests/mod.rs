//! One result, from a host that does what it likes, over real sockets and onto a real disk.

mod coding;
mod files;
mod hosts;
mod order;
mod whole;

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
    OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, TokenAt, Transition, Undownloaded,
};
use crate::money::Msat;
use crate::origin::Fetcher;
use crate::purchase::{Credential, HttpAnswer, Reason, Request, WalletId};
use crate::time::UnixMs;

/// A record of one delivered job.
struct OneJob {
    job: RefCell<DeliveredJob>,
    file: RefCell<Option<DownloadedFile>>,
    failed: RefCell<Option<(Reason, String)>>,
    /// Another job's file.
    anothers: RefCell<String>,
    /// The job that is delivered, as the run's last word, while the first one's file is finished.
    last: RefCell<Option<DeliveredJob>>,
    feed: Feed,
}

impl Ledger for OneJob {
    async fn commit_in_line(&self, _: UnixMs, record: Record, _: impl FnOnce()) -> Result<Recorded, LedgerError> {
        match record {
            Record::Fetching(_, number, mark) => {
                let job = &mut *self.job.borrow_mut();
                let place = if number == 0 { &mut job.mark } else { &mut job.more[number - 1].mark };
                *place = Some(mark);
            }
            Record::Downloaded(_, file) => {
                *self.file.borrow_mut() = Some(file);
                if let Some(last) = self.last.take() {
                    (*self.job.borrow_mut(), *self.file.borrow_mut()) = (last, None);
                    self.feed.wake();
                    self.feed.end();
                }
            }
            Record::NotDownloaded { reason, error, .. } => *self.failed.borrow_mut() = Some((reason, error)),
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
    async fn knows_settlement(&self, _: &WalletId) -> Result<bool, LedgerError> {
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
    async fn token(&self, _: JobKey, _: &url::Url, _: Network) -> Result<TokenAt, LedgerError> {
        Ok(TokenAt::None)
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
    name: &'static str,
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
            failed: None.into(),
            anothers: RefCell::default(),
            last: RefCell::default(),
            feed: Feed::default(),
        };
        Self { folder: tempfile::tempdir().unwrap(), name: "{id}", ledger, heard }
    }

    async fn fetch(&self) -> Fetched {
        self.ledger.feed.end();
        self.fetch_wanted(Wanted::Missing(HashSet::new())).await
    }

    async fn fetch_wanted(&self, wanted: Wanted) -> Fetched {
        let settings = Settings {
            folder: self.folder.path().to_str().unwrap().to_owned(),
            name: self.name.parse().unwrap(),
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
    fn failed_with(&self, reason: Reason, words: &str) {
        assert_eq!(self.ledger.file.borrow().clone(), None);
        let (found, said) = self.ledger.failed.borrow().clone().expect("not downloaded");
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
