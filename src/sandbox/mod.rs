//! The sandbox: a stand-in API and a stand-in LND node on loopback, for practice and for proof.
//!
//! It is the far side of everything that is proven about the client, so it shares nothing with it but the words of
//! L402, money and time: its prices, its parameter rules and its books are its own.

mod books;
mod errors;
mod faults;
mod gate;
mod goods;
mod journal;
mod keys;
mod lnd_error;
mod mint;
mod mpp;
mod node;
mod options;
mod pay;
mod refund;
mod serve;
mod shapes;
mod shop;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod videos;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

pub use self::mint::MintOptions;
pub use self::options::{NodeFault, SandboxOptions};

use self::books::Books;
use self::faults::Faults;
use self::goods::Good;
use self::keys::Keys;
use self::mint::Mint;
use self::serve::{Server, tls_acceptor};
use self::shapes::Handled;
use self::state::{Ports, StateDir};
use self::videos::FetchBook;
use crate::error::{Hinted, SharedError};
use crate::money::Sats;
use crate::time::UnixMs;

const CERTIFICATE_FILE: &str = "tls.cert";
const MACAROON_FILE: &str = "admin.macaroon";
const PAYER_MACAROON_FILE: &str = "payer.macaroon";
const READER_MACAROON_FILE: &str = "readonly.macaroon";
const CATALOG_FILE: &str = "catalog.toml";
const BOOKS_FILE: &str = "books.jsonl";

/// Why a sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file or the directory cannot be read or written.
    #[error("the sandbox's {path} cannot be used", path = path.display())]
    State {
        /// The file or folder that cannot be used.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Another sandbox has the directory.
    #[error("another sandbox uses {path}", path = .0.display())]
    InUse(PathBuf),
    /// A line of the journal is no entry.
    #[error("{path}:{line} is not an entry of a sandbox's books", path = path.display())]
    Books {
        /// The path of the journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A port cannot be listened on.
    #[error("port {port} of 127.0.0.1 cannot be used")]
    Port {
        /// The port; 0 where any would do.
        port: u16,
        /// The operating system's error.
        source: io::Error,
    },
    /// The certificate cannot be made or read.
    #[error("the stand-in node's certificate cannot be used")]
    Tls(#[source] SharedError),
    /// The node that shall mint cannot be used.
    #[error("the node that shall mint the invoices cannot be used{}", file.as_ref().map(|file| format!(": {}", file.display())).unwrap_or_default())]
    Mint {
        /// Which of its files, where it is one.
        file: Option<PathBuf>,
        /// What went wrong at that file or at the node.
        source: SharedError,
    },
    /// The node that shall mint is asked in the clear.
    #[error("the URL of the node that shall mint the invoices must begin with https://")]
    MintUrl,
}

impl Hinted for SandboxError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::State { .. } | Self::Books { .. } | Self::Tls(_) => "choose another directory with --state",
            Self::InUse(_) => "stop it, or choose another directory with --state",
            Self::Port { .. } => "choose another, or leave it out for a free one",
            Self::Mint { .. } | Self::MintUrl => return None,
        };
        Some(hint.into())
    }
}

/// A running sandbox. Dropping it stops it too, without waiting.
pub struct Sandbox {
    /// The stand-in API: `http://127.0.0.1:PORT/`.
    pub origin: Url,
    /// The stand-in node; none where a real one mints the invoices.
    pub node: Option<StandIn>,
    /// Where `tls.cert`, `admin.macaroon`, `catalog.toml` and the books stand.
    pub directory: PathBuf,
    world: Arc<World>,
    servers: JoinSet<()>,
    _state: StateDir,
}

/// The stand-in node, as a client is told of it.
#[derive(Clone)]
pub struct StandIn {
    /// Where its REST interface listens: `https://127.0.0.1:PORT/`.
    pub url: Url,
    /// Its self-signed certificate, as PEM.
    pub certificate_pem: String,
    /// Its macaroon in hex: a secret.
    pub macaroon: String,
}

/// What API and node have in common.
struct World {
    options: SandboxOptions,
    keys: Keys,
    faults: Faults,
    /// Who mints the invoices, where that is not the sandbox itself.
    mint: Option<Mint>,
    books: Mutex<Books>,
    fetches: Mutex<FetchBook>,
    handled: Handled,
    /// Turns true when it is time to stop.
    stop: watch::Sender<bool>,
}

/// Starts a sandbox on 127.0.0.1. With a state directory, keys, books and (where they are free) ports are those of the
/// last time; without one they are fresh, and gone when it stops. Needs a tokio runtime with time and network.
///
/// # Errors
/// Where the directory or a port cannot be used.
pub async fn start(options: &SandboxOptions, state: Option<&Path>) -> Result<Sandbox, SandboxError> {
    launch(options, None, state).await
}

/// The same, with invoices that a real lnd mints and another real node pays: only the API is a stand-in then.
///
/// # Errors
/// Where the minting node's files, the directory or a port cannot be used.
pub async fn start_minting_at(
    mint: &MintOptions,
    options: &SandboxOptions,
    state: Option<&Path>,
) -> Result<Sandbox, SandboxError> {
    launch(options, Some(Mint::open(mint)?), state).await
}

async fn launch(options: &SandboxOptions, mint: Option<Mint>, state: Option<&Path>) -> Result<Sandbox, SandboxError> {
    let state = StateDir::open(state)?;
    let stands_in = mint.is_none();
    let world = Arc::new(World::open(options, mint, &state)?);
    let remembered = state.ports()?;
    let origin_listener = listen(options.origin_port, remembered.origin).await?;
    let origin_port = port_of(&origin_listener)?;
    let origin = loopback("http", origin_port)?;
    let mut servers = JoinSet::new();
    let node = match stands_in {
        true => Some(stand_in(&world, &state, remembered, &mut servers).await?),
        false => None,
    };
    let node_port = node.as_ref().and_then(|node| node.url.port());
    state.remember_ports(Ports { origin: Some(origin_port), node: node_port.or(remembered.node) })?;
    state.write(CATALOG_FILE, catalog(&origin).as_bytes())?;

    let unfinished: Vec<_> = world.books().state.unfinished().collect();
    for hash in unfinished {
        Arc::clone(&world).execute(hash);
    }
    let unpaid: Vec<_> = world.books().state.unpaid_claims().collect();
    for claimed in unpaid {
        Arc::clone(&world).pay_back(claimed);
    }
    let api = shop::router(Arc::clone(&world), origin.clone());
    servers.spawn(Server { listener: origin_listener, tls: None, router: api, stop: world.stop.subscribe() }.run());
    Ok(Sandbox { origin, node, directory: state.path().to_owned(), world, servers, _state: state })
}

/// Starts the stand-in node.
async fn stand_in(
    world: &Arc<World>,
    state: &StateDir,
    remembered: Ports,
    servers: &mut JoinSet<()>,
) -> Result<StandIn, SandboxError> {
    let listener = listen(world.options.node_port, remembered.node).await?;
    let url = loopback("https", port_of(&listener)?)?;
    let certificate = state.certificate()?;
    let tls = tls_acceptor(&certificate)?;
    state.write(MACAROON_FILE, world.keys.node_macaroon())?;
    state.write(PAYER_MACAROON_FILE, world.keys.payer_macaroon())?;
    state.write(READER_MACAROON_FILE, world.keys.reader_macaroon())?;
    let router = node::router(Arc::clone(world));
    servers.spawn(Server { listener, tls: Some(tls), router, stop: world.stop.subscribe() }.run());
    let macaroon = keys::hex(world.keys.node_macaroon());
    Ok(StandIn { url, certificate_pem: certificate.certificate_pem, macaroon })
}

impl World {
    fn open(options: &SandboxOptions, mint: Option<Mint>, state: &StateDir) -> Result<Self, SandboxError> {
        let invalid = |why: &str| SandboxError::State {
            path: state.path().to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()),
        };
        let keys = Keys::new(state.root_key()?).ok_or_else(|| invalid("the root key gives no keys"))?;
        let opening = Sats::new(options.balance_sats).msat().ok_or_else(|| invalid("the balance is too large"))?;
        let mut books = Books::open(&state.path().join(BOOKS_FILE), opening)?;
        if !options.node_faults.contains(&NodeFault::NoHistory) {
            books.remember(keys.earlier().1);
        }
        Ok(Self {
            options: options.clone(),
            keys,
            faults: Faults::new(options),
            mint,
            books: Mutex::new(books),
            fetches: Mutex::default(),
            handled: Handled::default(),
            stop: watch::Sender::new(false),
        })
    }

    /// Whether that is wrong with the node.
    fn has(&self, fault: NodeFault) -> bool {
        self.options.node_faults.contains(&fault)
    }

    /// The books, held shortly and never over an await.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sandbox's clock: the system's.
fn now() -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

impl Sandbox {
    /// Stops it: what is answered is finished within some seconds, payments stay in flight for the next start.
    pub async fn stop(mut self) {
        self.world.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
    }

    /// The books of API and node, as they are now.
    #[cfg(test)]
    #[must_use]
    pub fn books(&self) -> snapshot::Snapshot {
        self.world.snapshot()
    }

    /// The file with the node's certificate (PEM).
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.directory.join(CERTIFICATE_FILE)
    }

    /// The file with a macaroon that can pay, receive refunds, and nothing else (binary).
    #[must_use]
    pub fn payer_macaroon_file(&self) -> PathBuf {
        self.directory.join(PAYER_MACAROON_FILE)
    }

    /// The file that points the endpoints that it sells here.
    #[must_use]
    pub fn catalog_file(&self) -> PathBuf {
        self.directory.join(CATALOG_FILE)
    }

    /// What a person types to buy from this sandbox, with the client started by that word, and to look at its books.
    #[must_use]
    pub fn how_to_use(&self, client: &str) -> String {
        let (origin, catalog) = (&self.origin, quoted(&self.catalog_file()));
        let (node, flags) = match &self.node {
            Some(node) => (
                format!("stand-in node  {} (regtest: play money)\n", node.url),
                format!(
                    "--lnd-url {} \\\n    --lnd-macaroon-file {} \\\n    --lnd-cert-file {}",
                    node.url,
                    quoted(&self.payer_macaroon_file()),
                    quoted(&self.certificate_file())
                ),
            ),
            None => (
                "invoices       minted by the lnd of --mint-lnd-url: real payments, of its network\n".to_owned(),
                "--lnd-url URL --lnd-macaroon-file FILE --lnd-cert-file FILE".to_owned(),
            ),
        };
        format!(
            "stand-in API   {origin}\n{node}\n\
             buy from it:\n  {client} run jobs.example.toml \\\n    --catalog {catalog} \\\n    {flags}\n\n\
             look at its books:\n  curl {origin}sandbox/books\n",
        )
    }
}

impl Drop for Sandbox {
    /// Payments that are still carried out must not write after the directory is another sandbox's.
    fn drop(&mut self) {
        self.world.stop.send_replace(true);
        self.world.books().close();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("origin", &self.origin.as_str())
            .field("node", &self.node.as_ref().map(|node| node.url.as_str()))
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// The asked port, or fail; else the remembered one, where it is free; else any.
async fn listen(asked: Option<u16>, remembered: Option<u16>) -> Result<TcpListener, SandboxError> {
    let bind = async |port| {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        bound.map_err(|source| SandboxError::Port { port, source })
    };
    match (asked, remembered) {
        (Some(port), _) => bind(port).await,
        (None, Some(port)) => match bind(port).await {
            Ok(listener) => Ok(listener),
            Err(_) => bind(0).await,
        },
        (None, None) => bind(0).await,
    }
}

fn port_of(listener: &TcpListener) -> Result<u16, SandboxError> {
    listener.local_addr().map(|address| address.port()).map_err(|source| SandboxError::Port { port: 0, source })
}

fn loopback(scheme: &str, port: u16) -> Result<Url, SandboxError> {
    let url = Url::parse(&format!("{scheme}://127.0.0.1:{port}/"));
    url.map_err(|error| SandboxError::Port { port, source: io::Error::other(error) })
}

/// Overrides where the endpoints stand, and nothing else.
fn catalog(origin: &Url) -> String {
    let mut text = String::from("# Points the built-in endpoints at the sandbox. Written at every start.\n");
    for name in Good::ALL.map(Good::name) {
        text.push_str(&format!("\n[endpoint.{name}]\nurl = \"{origin}api/l402/{name}\"\n"));
    }
    text
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
