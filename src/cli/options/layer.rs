//! What each source gives, what options mean together, and the few types that only options have.

use std::fmt;
use std::path::PathBuf;

use crate::manifest::{Limits, limits};
use crate::screen::looks_like_macaroon;

use crate::cli::command_line::CommandLine;
use crate::cli::options::config::Output;
use crate::cli::options::tables::Tables;
use crate::cli::options::values::FormatWord;
use crate::cli::options::{Layer, values};

/// What each source gives, the upper one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub(in crate::cli) flags: Layer,
    pub(in crate::cli) variables: Layer,
    pub(in crate::cli) manifest: Layer,
    pub(in crate::cli) file: Layer,
}

impl Layers {
    /// All in one.
    pub(in crate::cli) fn all(&self) -> Layer {
        self.flags.clone().over(self.all_but_flags())
    }

    /// What they say of secrets, and nothing else.
    pub(in crate::cli) fn of_secrets(&self) -> Self {
        let secrets = self.all().tables.secrets;
        let tables = Tables { secrets, ..Tables::default() };
        Self { file: Layer { tables, ..Layer::default() }, ..Self::default() }
    }

    fn all_but_flags(&self) -> Layer {
        self.variables.clone().over(self.manifest.clone()).over(self.file.clone())
    }

    fn and_manifest(&self, limits: &Limits) -> Self {
        Self { manifest: Layer::from(limits), ..self.clone() }
    }

    /// The limits in force: of all sources the tightest, value by value; the time zone by precedence.
    #[must_use]
    pub fn with_manifest(&self, limits: &Limits) -> Limits {
        self.and_manifest(limits).all().limits()
    }

    /// The same, but for the flags.
    pub(in crate::cli) fn without_flags(&self, limits: &Limits) -> Limits {
        self.and_manifest(limits).all_but_flags().limits()
    }
}

/// The file that is named for the macaroon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacaroonFile {
    /// A file: binary, hex or base64.
    Named(PathBuf),
    /// The macaroon stands itself where its file is to be named: a mistake, of which nothing is kept.
    Pasted,
}

impl From<PathBuf> for MacaroonFile {
    fn from(path: PathBuf) -> Self {
        if path.to_str().is_some_and(looks_like_macaroon) { Self::Pasted } else { Self::Named(path) }
    }
}

impl MacaroonFile {
    pub(in crate::cli) fn read(text: &str) -> Result<Self, String> {
        values::path(text).map(Self::from)
    }
}

/// Where the macaroon stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacaroonSource {
    /// In a file: binary, hex or base64.
    File(PathBuf),
    /// It stands itself where its file is to be named: a mistake, of which nothing is kept.
    Pasted,
    /// In the environment, in hex or base64.
    Text(Secret),
    /// A command says it.
    Command(CommandLine),
}

/// Where the node's certificate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertSource {
    /// In a file, PEM or base64.
    File(PathBuf),
    /// In the environment, PEM or base64.
    Text(String),
    /// A command says it.
    Command(CommandLine),
}

/// A certificate, PEM or base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateText(String);

impl CertificateText {
    #[expect(clippy::unnecessary_wraps, reason = "it is read as every value is")]
    pub(in crate::cli) fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// A text that shows no content in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[expect(clippy::unnecessary_wraps, reason = "it is read as every value is")]
    pub(in crate::cli) fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.trim().to_owned()))
    }

    /// The text itself, for the node. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Layer {
    /// Where the macaroon stands, of the three ways to say it.
    pub(in crate::cli) fn macaroon(&self) -> Option<MacaroonSource> {
        let file = self.lnd_macaroon_file.clone().map(|file| match file {
            MacaroonFile::Named(path) => MacaroonSource::File(path),
            MacaroonFile::Pasted => MacaroonSource::Pasted,
        });
        let text = self.lnd_macaroon.clone().map(MacaroonSource::Text);
        file.or(text).or_else(|| self.lnd_macaroon_command.clone().map(MacaroonSource::Command))
    }

    /// Where the certificate stands, of the three ways to say it.
    pub(in crate::cli) fn certificate(&self) -> Option<CertSource> {
        let file = self.lnd_cert_file.clone().map(CertSource::File);
        let text = self.lnd_cert.clone().map(|CertificateText(text)| CertSource::Text(text));
        file.or(text).or_else(|| self.lnd_cert_command.clone().map(CertSource::Command))
    }

    /// How, and how much, is printed.
    pub(in crate::cli) fn output(&self) -> Output {
        Output {
            format: self.output_format().map(FormatWord::format).unwrap_or_default(),
            quiet: self.quiet.unwrap_or_default(),
            stdout_is_taken: false,
        }
    }

    /// How results are written.
    pub(in crate::cli) fn output_format(&self) -> Option<FormatWord> {
        if self.json == Some(true) { Some(FormatWord::Json) } else { self.format }
    }
}

macro_rules! of_layer {
    ($($(#[$_about:meta])+ $name:ident: $_type:ty, $_read:ident;)+) => {
        impl Layer {
            /// What it says of what may be spent.
            pub(in crate::cli) fn limits(&self) -> Limits {
                Limits { $($name: self.$name.clone(),)+ origins: self.tables.origins.clone() }
            }
        }

        /// What a manifest gives.
        impl From<&Limits> for Layer {
            fn from(limits: &Limits) -> Self {
                Self { $($name: limits.$name.clone(),)+ ..Self::default() }
            }
        }
    };
}
limits!(of_layer);
