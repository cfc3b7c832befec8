//! A proxy before the payer that can read what passes: it stops a payment order on its way, as a bad network would, and
//! lets it go when the test says so, whether anybody still listens or not.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::lnd::{Lnd, block_on};
use crate::rig::wait_for;

const ORDER: &[u8] = b"POST /v2/router/send";

/// The proxy. Its tasks end with the test's process.
pub struct Proxy {
    pub url: String,
    pub certificate_file: PathBuf,
    state: watch::Sender<State>,
    _folder: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything passes.
    Open,
    /// The next order will be stopped.
    Armed,
    /// One is stopped. Others pass.
    Stopped,
    /// Orders pass, their answers do not.
    Deaf,
}

impl Proxy {
    /// A proxy before that node, with a certificate of its own.
    pub fn before(node: &Lnd) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate_file = folder.path().join("proxy.cert");
        std::fs::write(&certificate_file, made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let pinned = CertificateDer::from_pem_file(&node.certificate_file).unwrap();
        let client = l402_batch::tls::trusting(vec![pinned]).unwrap();
        let ends = (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
        let target = node.url.trim_start_matches("https://").to_owned();
        let state = watch::Sender::new(State::Open);
        let url = block_on(listen(target, ends, state.clone()));
        Self { url, certificate_file, state, _folder: folder }
    }

    /// The next payment order is stopped on its way.
    pub fn stop_next_order(&self) {
        self.state.send_replace(State::Armed);
    }

    /// Waits until one is.
    pub fn wait_stopped(&self) {
        wait_for("an order is stopped", || *self.state.borrow() == State::Stopped);
    }

    /// Lets everything pass, and what was stopped go on.
    pub fn release(&self) {
        self.state.send_replace(State::Open);
    }

    /// From now on no answer to an order comes back.
    pub fn swallow_answers(&self) {
        self.state.send_replace(State::Deaf);
    }
}

async fn listen(target: String, ends: (TlsAcceptor, TlsConnector), state: watch::Sender<State>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(carry(stream, target.clone(), ends.clone(), state.clone()));
        }
    });
    url
}

/// Carries one connection. What breaks concerns its two ends alone.
async fn carry(
    client: TcpStream,
    target: String,
    (acceptor, connector): (TlsAcceptor, TlsConnector),
    state: watch::Sender<State>,
) -> Option<()> {
    let client = acceptor.accept(client).await.ok()?;
    let name = ServerName::try_from("127.0.0.1").ok()?;
    let server = connector.connect(name, TcpStream::connect(target).await.ok()?).await.ok()?;
    let (client_reads, client_writes) = tokio::io::split(client);
    let (server_reads, server_writes) = tokio::io::split(server);
    let back = tokio::spawn(answers(server_reads, client_writes, state.clone()));
    let server_writes = orders(client_reads, server_writes, &state).await;
    // An order that nobody waits for any more is still carried out: the way to the node stays open.
    let _ = back.await;
    drop(server_writes);
    Some(())
}

async fn orders<W: AsyncWrite + Unpin>(mut from: impl AsyncRead + Unpin, mut to: W, state: &watch::Sender<State>) -> W {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let is_order = piece.starts_with(ORDER);
        let stopped = is_order
            && state.send_if_modified(|state| {
                let armed = *state == State::Armed;
                if armed {
                    *state = State::Stopped;
                }
                armed
            });
        if stopped {
            let _ = state.subscribe().wait_for(|state| *state == State::Open).await;
        }
        if to.write_all(&piece[..length]).await.is_err() || to.flush().await.is_err() {
            break;
        }
    }
    to
}

async fn answers(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, state: watch::Sender<State>) {
    let mut piece = vec![0; 1 << 16];
    let mut listened = true;
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        // Not the list of what was paid, which holds preimages too, and without which nothing is bought.
        let is_of_order = has(&piece[..length], b"payment_preimage") && !has(&piece[..length], br#""payments":"#);
        if *state.borrow() == State::Deaf && is_of_order {
            continue;
        }
        listened = listened && to.write_all(&piece[..length]).await.is_ok() && to.flush().await.is_ok();
    }
    let _ = to.shutdown().await;
}

fn has(piece: &[u8], words: &[u8]) -> bool {
    piece.windows(words.len()).any(|window| window == words)
}
