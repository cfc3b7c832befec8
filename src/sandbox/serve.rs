//! Serves a router over loopback, with or without TLS, until it is told to stop.

use crate::error::SharedError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::SandboxError;
use super::state::Certificate;

const CONNECTIONS_MAX: usize = 4_096;
/// How long open connections may take to end once the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// After a failed accept (too many open files), so that it does not spin.
const BREATH: Duration = Duration::from_millis(50);

/// Carried by a response in whose stead the connection is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sandbox closed the connection, as it was told to")
    }
}

impl std::error::Error for HangUp {}

impl IntoResponse for HangUp {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// One server.
pub(super) struct Server {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    pub router: Router,
    /// Turns true, or loses its sender, when it is time to stop.
    pub stop: watch::Receiver<bool>,
}

impl Server {
    /// Serves until told to stop, and then at most `GRACE` longer.
    pub(super) async fn run(mut self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopped(&mut self.stop) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connect(stream, self.tls.clone(), self.router.clone(), self.stop.clone()));
                    }
                    Err(_) => tokio::time::sleep(BREATH).await,
                },
            }
        }
        drop(self.listener);
        let all_gone = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all_gone).await.is_err() {
            connections.shutdown().await;
        }
    }
}

/// Waits until the sandbox stops.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A lost sender means that the sandbox was dropped: a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The TLS side of the stand-in node: HTTP/1.1 only, as lnd's REST is used.
pub(super) fn tls_acceptor(certificate: &Certificate) -> Result<TlsAcceptor, SandboxError> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let unread = |error: rustls_pki_types::pem::Error| SandboxError::Tls(SharedError::new(error));
    let chain = CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).map_err(unread)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).map_err(unread)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![chain], key))
        .map_err(|error| SandboxError::Tls(SharedError::new(error)))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connect(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, stop: watch::Receiver<bool>) {
    // Without it a small answer could wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, router, stop).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
                serve(stream, router, stop).await;
            }
        }
    }
}

async fn serve<S>(stream: S, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = inner.call(request);
        async move {
            match answer.await {
                Ok(response) if response.extensions().get::<HangUp>().is_some() => Err(HangUp),
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    let mut connection = std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    // A connection that breaks concerns its client alone.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
