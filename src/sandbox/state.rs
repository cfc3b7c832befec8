//! The directory of a sandbox: its secrets, its addresses, and the files that a client is given.

use crate::error::SharedError;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::{NamedTempFile, TempDir};

use super::SandboxError;

const ROOT_KEY: &str = "root.key";
const TLS_KEY: &str = "tls.key";
const TLS_CERT: &str = "tls.cert";
const PORTS: &str = "ports.json";

/// A sandbox's directory, locked for as long as this lives. A temporary one is removed with it.
pub(super) struct StateDir {
    path: PathBuf,
    _lock: File,
    _temporary: Option<TempDir>,
}

/// The addresses of the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Ports {
    pub origin: Option<u16>,
    pub node: Option<u16>,
}

/// The certificate that the stand-in node shows, and its key, both as PEM.
pub(super) struct Certificate {
    pub certificate_pem: String,
    pub key_pem: String,
}

impl StateDir {
    /// Opens or makes the directory; a temporary one where none is given.
    pub(super) fn open(given: Option<&Path>) -> Result<Self, SandboxError> {
        let (path, temporary) = match given {
            Some(path) => (path.to_owned(), None),
            None => {
                let made = tempfile::Builder::new().prefix("l402-sandbox-").tempdir();
                let made = made.map_err(|source| SandboxError::State { path: std::env::temp_dir(), source })?;
                (made.path().to_owned(), Some(made))
            }
        };
        let unusable = |source| SandboxError::State { path: path.clone(), source };
        if path.exists() && !path.is_dir() {
            return Err(unusable(io::Error::other("it is a file")));
        }
        make_private_dir(&path).map_err(unusable)?;
        let path = fs::canonicalize(&path).map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock, _temporary: temporary }),
            Err(TryLockError::WouldBlock) => Err(SandboxError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(SandboxError::State { path, source }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The root of every secret of this sandbox: random, made once.
    pub(super) fn root_key(&self) -> Result<[u8; 32], SandboxError> {
        if let Some(text) = self.read(ROOT_KEY)? {
            let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
            let key = bytes.and_then(|bytes| bytes.try_into().ok());
            return key.ok_or_else(|| self.broken(ROOT_KEY, "not 64 hex digits"));
        }
        let mut key = [0; 32];
        let random = rustls::crypto::ring::default_provider().secure_random;
        random.fill(&mut key).map_err(|_| self.broken(ROOT_KEY, "no randomness to be had"))?;
        self.write(ROOT_KEY, HEXLOWER_PERMISSIVE.encode(&key).as_bytes())?;
        Ok(key)
    }

    /// The node's certificate, made once. The key is written first: without a certificate both are made anew.
    pub(super) fn certificate(&self) -> Result<Certificate, SandboxError> {
        if let (Some(certificate_pem), Some(key_pem)) = (self.read(TLS_CERT)?, self.read(TLS_KEY)?) {
            return Ok(Certificate { certificate_pem, key_pem });
        }
        let made = make_certificate().map_err(|error| SandboxError::Tls(SharedError::new(error)))?;
        self.write(TLS_KEY, made.key_pem.as_bytes())?;
        self.write(TLS_CERT, made.certificate_pem.as_bytes())?;
        Ok(made)
    }

    /// The ports of the last time, where there was one.
    pub(super) fn ports(&self) -> Result<Ports, SandboxError> {
        match self.read(PORTS)? {
            Some(text) => serde_json::from_str(&text).map_err(|error| self.broken(PORTS, &error.to_string())),
            None => Ok(Ports::default()),
        }
    }

    /// Remembers the ports for the next time.
    pub(super) fn remember_ports(&self, ports: Ports) -> Result<(), SandboxError> {
        let text = serde_json::to_vec(&ports).map_err(|error| self.broken(PORTS, &error.to_string()))?;
        self.write(PORTS, &text)
    }

    /// Writes one file whole or not at all, readable by its owner only.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), SandboxError> {
        let path = self.path.join(name);
        let written = NamedTempFile::new_in(&self.path).and_then(|mut file| {
            file.write_all(content)?;
            file.persist(&path).map_err(|error| error.error).map(drop)
        });
        written.map_err(|source| SandboxError::State { path, source })
    }

    fn read(&self, name: &str) -> Result<Option<String>, SandboxError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SandboxError::State { path, source }),
        }
    }

    fn broken(&self, name: &str, why: &str) -> SandboxError {
        let source = io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        SandboxError::State { path: self.path.join(name), source }
    }
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Self-signed and marked as a CA, as lnd's own is: clients that take it for a root refuse it as an end entity.
fn make_certificate() -> Result<Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::OrganizationName, "l402-batch sandbox");
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Certificate { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_addresses_stay() {
        let dir = tempfile::tempdir().unwrap();
        let ports = Ports { origin: Some(1), node: None };
        let first = StateDir::open(Some(dir.path())).unwrap();
        let (root, tls) = (first.root_key().unwrap(), first.certificate().unwrap());
        first.remember_ports(ports).unwrap();
        drop(first);
        let second = StateDir::open(Some(dir.path())).unwrap();
        assert_eq!(second.root_key().unwrap(), root);
        assert_eq!(second.certificate().unwrap().certificate_pem, tls.certificate_pem);
        assert_eq!(second.ports().unwrap(), ports);
    }

    #[test]
    fn a_directory_has_one_sandbox() {
        let dir = tempfile::tempdir().unwrap();
        let _first = StateDir::open(Some(dir.path())).unwrap();
        assert!(matches!(StateDir::open(Some(dir.path())), Err(SandboxError::InUse(_))));
    }

    #[cfg(unix)]
    #[test]
    fn files_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(Some(dir.path())).unwrap();
        state.write("admin.macaroon", b"secret").unwrap();
        let mode = fs::metadata(dir.path().join("admin.macaroon")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
