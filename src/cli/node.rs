//! Which node pays: as it was named, and what was not named where lnd keeps it.

use std::path::{Path, PathBuf};

use url::Url;

use crate::command::absolute;
use crate::error::Hinted;
use crate::loopback::is_loopback;
use crate::payer::lnd::{CERTIFICATE_BYTES_MAX, LndOptions, LndPayer, Macaroon, certificate_pem};

use crate::cli::options::layer::{CertSource, MacaroonFile, MacaroonSource};
use crate::cli::options::{Layer, variable};
use crate::cli::{CommandError, Environment, Failure};

/// lnd's REST address, where lnd's own configuration says nothing else.
const URL_DEFAULT: &str = "https://127.0.0.1:8080";
/// lnd's network where none is said, as lncli has it.
pub(super) const NETWORK_DEFAULT: &str = "mainnet";
/// The macaroons in lnd's folder that can pay, the smaller one first.
const MACAROONS: [&str; 2] = ["payer.macaroon", "admin.macaroon"];
const MACAROON_BYTES_MAX: u64 = 16 * 1024;

/// The node that pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// LND's REST address.
    pub url: Url,
    /// Where the macaroon stands.
    pub macaroon: MacaroonSource,
    /// The node's own certificate, then the only one that is trusted; without it the public roots are.
    pub cert: Option<CertSource>,
    /// What of this nobody named, and was found where lnd keeps it.
    pub found: Found,
}

/// What nobody named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The address is lnd's default.
    pub url: bool,
    /// The macaroon was found.
    pub macaroon: bool,
    /// The certificate was found.
    pub cert: bool,
}

/// A node that can be asked, and what a person should know about how it was named.
pub(super) struct Connected {
    pub(super) payer: LndPayer,
    pub(super) macaroon: Macaroon,
    /// What nobody named, in words.
    pub(super) found: Option<String>,
    /// What should be mended about its macaroon and certificate.
    pub(super) warnings: Vec<String>,
}

/// The flags and values that name the node so, for a command that is printed. What holds a secret is left out: the variable that
/// said it says it again.
pub(super) fn flags(layer: &Layer) -> Vec<String> {
    let path = |path: &PathBuf| absolute(path);
    let url = layer.lnd_url.as_ref().filter(|url| place(url) == url.as_str().trim_end_matches('/'));
    let macaroon = layer.lnd_macaroon_file.as_ref().and_then(|macaroon| match macaroon {
        MacaroonFile::Named(file) => Some(path(file)),
        MacaroonFile::Pasted => None,
    });
    let named = [
        ("--lnd-url", url.map(place)),
        ("--lnd-macaroon-file", macaroon),
        ("--lnd-cert-file", layer.lnd_cert_file.as_ref().map(path)),
        ("--lnd-dir", layer.lnd_dir.as_ref().map(path)),
        ("--lnd-network", layer.lnd_network.clone()),
    ];
    named.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
}

/// The node, where one is named or lnd's own folder is where it usually is.
///
/// # Errors
/// Where a node is named and its macaroon is neither named nor found.
pub(super) fn resolve(layer: &Layer, environment: &Environment) -> Result<Option<NodeOptions>, Failure> {
    let folder = folder(layer, environment);
    let network = layer.lnd_network.as_deref().unwrap_or(NETWORK_DEFAULT);
    let found_macaroon = || folder.as_deref().and_then(|folder| macaroon_in(folder, network));
    let (macaroon, cert) = (layer.macaroon(), layer.certificate());
    let found = Found { url: layer.lnd_url.is_none(), macaroon: macaroon.is_none(), cert: cert.is_none() };
    let Some(macaroon) = macaroon.or_else(|| found_macaroon().map(MacaroonSource::File)) else {
        let named = layer.lnd_url.is_some() || layer.lnd_dir.is_some();
        return if named { Err(no_macaroon(layer, folder.as_deref(), network).into()) } else { Ok(None) };
    };
    let found_cert =
        || folder.map(|folder| folder.join("tls.cert")).filter(|file| file.is_file()).map(CertSource::File);
    let cert = cert.or_else(found_cert);
    let found = Found { cert: found.cert && cert.is_some(), ..found };
    let url = match &layer.lnd_url {
        Some(url) => url.clone(),
        None => Url::parse(URL_DEFAULT)
            .map_err(|error| CommandError::internal("the usual address of a node").because(error))?,
    };
    Ok(Some(NodeOptions { url, macaroon, cert, found }))
}

/// Where to look for what was not named: the folder that was named, else lnd's usual one, if the node is on this machine.
/// The macaroon and certificate of this machine's node are never sent to a node elsewhere.
fn folder(layer: &Layer, environment: &Environment) -> Option<PathBuf> {
    let local = layer.lnd_url.as_ref().is_none_or(is_loopback);
    layer.lnd_dir.clone().or_else(|| environment.lnd_folder().filter(|folder| local && folder.is_dir()))
}

fn chain(folder: &Path) -> PathBuf {
    folder.join("data/chain/bitcoin")
}

fn macaroon_in(folder: &Path, network: &str) -> Option<PathBuf> {
    let place = chain(folder).join(network);
    // One that may not be read serves nobody, and does not keep those who need no node from their work.
    let readable = |file: &PathBuf| file.is_file() && std::fs::File::open(file).is_ok();
    MACAROONS.iter().map(|name| place.join(name)).find(readable)
}

fn no_macaroon(layer: &Layer, folder: Option<&Path>, network: &str) -> CommandError {
    let host = layer.lnd_url.as_ref().and_then(Url::host_str).unwrap_or("127.0.0.1");
    let give = format!(
        "give --lnd-macaroon-file FILE, or its hex in {}, or a command that says it in lnd_macaroon_command",
        variable("lnd_macaroon")
    );
    let looked = folder.map(|folder| {
        let place = chain(folder).join(network);
        let there = || std::fs::read_dir(chain(folder)).into_iter().flatten().filter_map(Result::ok);
        let others: Vec<String> = there()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| macaroon_in(folder, name).is_some())
            .map(|name| format!("--lnd-network {name}"))
            .collect();
        let others =
            if others.is_empty() { String::new() } else { format!("; one is there with {}", others.join(" or ")) };
        format!(" (none of {} can be read in {}{others})", MACAROONS.join(", "), place.display())
    });
    CommandError::usage(format!("the node at {host} needs a macaroon{}", looked.unwrap_or_default())).hint(give)
}

impl NodeOptions {
    /// What a person should hear of what nobody named.
    pub(super) fn told(&self) -> Option<String> {
        let mut found = Vec::new();
        if let (true, MacaroonSource::File(file)) = (self.found.macaroon, &self.macaroon) {
            found.push(format!("its macaroon in {}", file.display()));
        }
        if let (true, Some(CertSource::File(file))) = (self.found.cert, &self.cert) {
            found.push(format!("its certificate in {}", file.display()));
        }
        (!found.is_empty()).then(|| format!("the node at {} was not named in full: {}", self.place(), found.join(", ")))
    }

    /// The address without what may be secret in it.
    pub(super) fn place(&self) -> String {
        place(&self.url)
    }

    /// Whether nobody named any of it.
    pub(super) const fn is_found_only(&self) -> bool {
        self.found.url && self.found.macaroon
    }

    /// The macaroon, and what a person should know of it.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub(super) fn macaroon(&self) -> Result<(Macaroon, Vec<String>), Failure> {
        match &self.macaroon {
            MacaroonSource::File(path) => {
                let file = Macaroon::from_file(path).map_err(unusable)?;
                Ok((file.macaroon, file.warning.into_iter().collect()))
            }
            MacaroonSource::Pasted => {
                Err(CommandError::usage("what is given as the file of the macaroon is a macaroon itself")
                    .hint(format!(
                        "save it to a file that only you can read, or put it into {}",
                        variable("lnd_macaroon")
                    ))
                    .into())
            }
            MacaroonSource::Text(secret) => {
                let source = format!("the variable {}", variable("lnd_macaroon"));
                Ok((Macaroon::from_text(secret.reveal(), &source).map_err(unusable)?, Vec::new()))
            }
            MacaroonSource::Command(line) => {
                let said = line.output(MACAROON_BYTES_MAX).map_err(|why| said_nothing("lnd_macaroon_command", &why))?;
                Ok((Macaroon::from_bytes(&said, "lnd_macaroon_command").map_err(unusable)?, Vec::new()))
            }
        }
    }

    /// The certificate as PEM, where one is given.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub(super) fn certificate(&self) -> Result<Option<Vec<u8>>, Failure> {
        let (bytes, source) = match &self.cert {
            None => return Ok(None),
            Some(CertSource::File(path)) => {
                let read = crate::safe_open::read_small(path, CERTIFICATE_BYTES_MAX);
                let read = read.map_err(|error| {
                    CommandError::usage(format!("{}: the certificate cannot be read", path.display())).because(error)
                });
                (read?, path.display().to_string())
            }
            Some(CertSource::Text(text)) => {
                (text.clone().into_bytes(), format!("the variable {}", variable("lnd_cert")))
            }
            Some(CertSource::Command(line)) => {
                let said = line.output(CERTIFICATE_BYTES_MAX).map_err(|why| said_nothing("lnd_cert_command", &why))?;
                (said, "lnd_cert_command".to_owned())
            }
        };
        Ok(certificate_pem(&bytes, &source).map(Some).map_err(unusable)?)
    }

    /// A client of the node, with what a person should know. Nothing is sent yet.
    ///
    /// # Errors
    /// Where macaroon, certificate or address cannot be used.
    pub(super) fn connect(&self) -> Result<Connected, Failure> {
        let (macaroon, warnings) = self.macaroon()?;
        let certificate_pem = self.certificate()?;
        let options = LndOptions { url: self.url.to_string(), macaroon: macaroon.clone(), certificate_pem };
        let payer = LndPayer::new(&options).map_err(unusable)?;
        Ok(Connected { payer, macaroon, found: self.told(), warnings })
    }
}

/// Whoever pays in this build.
pub(super) type Wallet = LndPayer;

/// The sandbox's own node.
#[cfg(feature = "sandbox")]
pub(super) fn of_sandbox(node: &crate::sandbox::StandIn) -> Result<Wallet, Failure> {
    let options = LndOptions {
        url: node.url.to_string(),
        macaroon: Macaroon::from_text(&node.macaroon, "the sandbox").map_err(unusable)?,
        certificate_pem: Some(node.certificate_pem.clone().into_bytes()),
    };
    Ok(LndPayer::new(&options).map_err(unusable)?)
}

impl Connected {
    /// What a run says first of how its node was named.
    pub(super) fn first_words(&self, node: &NodeOptions) -> Vec<String> {
        let mut words: Vec<String> = self.warnings.iter().chain(&self.found).cloned().collect();
        let powerful = self.macaroon.rights().is_some_and(|rights| !rights.beyond_paying().is_empty());
        if node.found.macaroon && powerful {
            words.push(
                "that macaroon can do more than pay, such as empty the node's on-chain wallet; the command `doctor` shows how \
                 to bake a smaller one"
                    .to_owned(),
            );
        }
        words
    }
}

/// An address without what may be secret in it.
pub(super) fn place(url: &Url) -> String {
    let mut url = url.clone();
    // Neither fails on an address that has a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

fn said_nothing(key: &str, why: &str) -> CommandError {
    CommandError::usage(format!("{key}: {why}"))
}

/// In the words of the wallet's own folder.
fn unusable(error: impl Hinted) -> CommandError {
    CommandError::usage_of(&error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A home in which lnd keeps these files.
    fn home(files: &[&str]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for file in files {
            let path = home.path().join(".lnd").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        home
    }

    fn resolved(home: &Path, layer: &Layer) -> Result<Option<NodeOptions>, String> {
        let environment = Environment::made_up(&[], home, jiff::Zoned::default());
        resolve(layer, &environment).map_err(|failure| failure.told())
    }

    const ADMIN: &str = "data/chain/bitcoin/mainnet/admin.macaroon";
    const PAYER: &str = "data/chain/bitcoin/mainnet/payer.macaroon";

    fn at(url: &str) -> Layer {
        Layer { lnd_url: Some(Url::parse(url).unwrap()), ..Layer::default() }
    }

    #[test]
    fn what_nobody_names_is_found_where_lnd_keeps_it() {
        let home = home(&["tls.cert", ADMIN]);
        let place = home.path().join(".lnd");
        let node = resolved(home.path(), &Layer::default()).unwrap().unwrap();
        assert_eq!(node.url.as_str(), "https://127.0.0.1:8080/");
        assert_eq!(node.macaroon, MacaroonSource::File(place.join(ADMIN)));
        assert_eq!(node.cert, Some(CertSource::File(place.join("tls.cert"))));
        assert_eq!(node.found, Found { url: true, macaroon: true, cert: true });
        assert!(node.told().unwrap().contains("admin.macaroon"));
        fs::write(place.join(PAYER), "").unwrap();
        let node = resolved(home.path(), &at("https://localhost:9")).unwrap().unwrap();
        assert_eq!(node.macaroon, MacaroonSource::File(place.join(PAYER)), "the one that can only pay goes first");
        let named = Layer { lnd_macaroon_file: Some(MacaroonFile::Named("m".into())), ..Layer::default() };
        let node = resolved(home.path(), &named).unwrap().unwrap();
        assert_eq!((node.macaroon, node.found.macaroon), (MacaroonSource::File("m".into()), false));
    }

    #[test]
    fn this_machines_papers_are_not_shown_to_another() {
        let home = home(&["tls.cert", ADMIN]);
        assert!(resolved(home.path(), &at("https://node.example:8080")).unwrap_err().contains("needs a macaroon"));
        let named = Layer { lnd_dir: Some(home.path().join(".lnd")), ..at("https://node.example:8080") };
        assert!(resolved(home.path(), &named).unwrap().is_some(), "unless the folder was named");
    }

    #[test]
    fn without_any_trace_there_is_no_node_and_half_a_trace_is_told() {
        assert_eq!(resolved(home(&[]).path(), &Layer::default()), Ok(None));
        assert_eq!(resolved(home(&["tls.cert"]).path(), &Layer::default()), Ok(None));
        let regtest = home(&["tls.cert", "data/chain/bitcoin/regtest/admin.macaroon"]);
        assert_eq!(resolved(regtest.path(), &Layer::default()), Ok(None));
        assert!(resolved(regtest.path(), &at("https://127.0.0.1:1")).unwrap_err().contains("--lnd-network regtest"));
        let network = Layer { lnd_network: Some("regtest".to_owned()), ..Layer::default() };
        assert!(resolved(regtest.path(), &network).unwrap().is_some());
        let macaroon = Layer { lnd_macaroon_file: Some(MacaroonFile::Named("m".into())), ..Layer::default() };
        let node = resolved(home(&[]).path(), &macaroon).unwrap().unwrap();
        assert_eq!((node.cert, node.found), (None, Found { url: true, macaroon: false, cert: false }));
    }

    #[test]
    fn an_address_shows_no_password() {
        assert_eq!(place(&Url::parse("https://u:p@n:1/?k=v").unwrap()), "https://n:1");
    }
}
