//! The sandbox as a process of its own, on free ports.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Outcome;

/// What the stand-in node owns: enough for any bench.
const BALANCE_SATS: &str = "100000000000";

/// A node that pays, and what it takes to ask it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) macaroon: PathBuf,
    pub(crate) certificate: PathBuf,
}

/// A sandbox under way; killed when dropped.
pub(crate) struct FarSide {
    child: Child,
    folder: TempDir,
    pub(crate) origin: String,
    /// Who pays there: the stand-in node, or a real one.
    pub(crate) payer: Node,
}

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_l402-batch"));
    // No configuration, variable or proxy of whoever runs the bench has a say.
    command.env_clear();
    command
}

/// A folder on the disk that holds the build: a ledger in memory would sync for free.
pub(crate) fn folder() -> Outcome<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

impl FarSide {
    /// Starts one whose payments take so long, with further flags of the sandbox's.
    pub(crate) fn start(pay_ms: u32, flags: &[&str]) -> Outcome<Self> {
        let pay_ms = pay_ms.to_string();
        let play = ["--sandbox-pay-ms", &pay_ms, "--sandbox-balance-sats", BALANCE_SATS];
        let mut far_side = Self::begin(&[&play, flags].concat())?;
        far_side.payer.macaroon = far_side.file("admin.macaroon");
        far_side.payer.certificate = far_side.file("tls.cert");
        Ok(far_side)
    }

    /// Starts one that sells with invoices of a real node, which another one pays.
    pub(crate) fn minting(payee: &Node, payer: &Node) -> Outcome<Self> {
        let (macaroon, certificate) = (text(&payee.macaroon)?, text(&payee.certificate)?);
        let mint = ["--mint-lnd-url", &payee.url, "--mint-lnd-macaroon-file", macaroon];
        let mut far_side = Self::begin(&[&mint[..], &["--mint-lnd-cert-file", certificate]].concat())?;
        far_side.payer = payer.clone();
        Ok(far_side)
    }

    fn begin(flags: &[&str]) -> Outcome<Self> {
        let folder = folder()?;
        let mut child = program()
            .arg("sandbox")
            .arg("--state")
            .arg(folder.path())
            .args(["--sandbox-dedup-s", "0"])
            .args(flags)
            .env("XDG_CONFIG_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = child.stdout.take().ok_or("the sandbox says nothing")?;
        let mut far_side = Self { child, folder, origin: String::new(), payer: Node::default() };
        let mut lines = BufReader::new(said).lines();
        loop {
            let line = lines.next().ok_or("the sandbox ended before it said its addresses")??;
            let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_default();
            if line.starts_with("stand-in API") {
                url.clone_into(&mut far_side.origin);
            } else if line.starts_with("stand-in node") {
                url.clone_into(&mut far_side.payer.url);
            } else if line.starts_with("buy from it") {
                break;
            }
        }
        // Whoever prints must be heard, or the pipe fills up or breaks.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(far_side)
    }

    /// A file that the sandbox left for its clients.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// That its own books show so many purchases as delivered, and no more.
    pub(crate) fn has_delivered(&self, jobs: u32) -> Outcome<()> {
        let address = self.origin.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address)?;
        let request = format!("GET /sandbox/books HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("the sandbox's books are no answer")?;
        let books: serde_json::Value = serde_json::from_str(body)?;
        let sales =
            books.get("sales").and_then(serde_json::Value::as_array).ok_or("the sandbox's books have no sales")?;
        let delivered = sales.iter().filter(|sale| sale.get("video").is_some_and(|video| !video.is_null())).count();
        if u32::try_from(delivered)? == jobs {
            return Ok(());
        }
        Err(format!("{jobs} jobs, and the sandbox delivered {delivered}").into())
    }
}

impl Drop for FarSide {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a path that is no text")?)
}
