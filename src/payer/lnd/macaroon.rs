//! The macaroon that authorises us to the node: read from a file or a variable, never shown.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use reqwest::header::HeaderValue;

use super::rights::Rights;
use crate::encoded_text::one_line;
use crate::error::Hinted;
use crate::safe_open;

/// Longest macaroon that is read, in bytes. LND's own take some hundreds.
const MACAROON_BYTES_MAX: u64 = 16 * 1024;

/// The first byte of a macaroon in binary format 2, the only one that LND writes.
const VERSION_2: u8 = 2;

/// A node's macaroon. It can spend money: nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Macaroon {
    hex: String,
}

/// A macaroon from a file, and what a person should know about that file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacaroonFile {
    /// The macaroon.
    pub macaroon: Macaroon,
    /// That others on the machine can read it, and how to mend that.
    pub warning: Option<String>,
}

/// Why there is no macaroon. Nothing of its content is shown.
#[derive(Debug, thiserror::Error)]
pub enum MacaroonError {
    /// The file cannot be read.
    #[error("{}: the macaroon cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Nothing is there.
    #[error("{0}: is empty, and no macaroon of lnd's")]
    Empty(String),
    /// It is no macaroon.
    #[error("{0}: no macaroon of lnd's (expected the binary file that lncli writes, or the same in hex or base64)")]
    NotOne(String),
}

impl Hinted for MacaroonError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unreadable { .. } | Self::Empty(_) => {
                Some("name the binary file that lncli writes, or one with the same in hex or base64".into())
            }
            Self::NotOne(_) => None,
        }
    }
}

impl Macaroon {
    /// From hex or base64 text, in one line or wrapped as `xxd -p` and `base64` print it. `source` names where it came from, for the message.
    ///
    /// # Errors
    /// Where the text is neither, or what it encodes is no macaroon.
    pub fn from_text(text: &str, source: &str) -> Result<Self, MacaroonError> {
        Self::from_encoded(text.as_bytes(), source)
    }

    fn from_encoded(text: &[u8], source: &str) -> Result<Self, MacaroonError> {
        let text = one_line(text);
        // Hex digits are base64 digits too, so hex goes first; the version byte then tells whether it was right.
        [&HEXLOWER_PERMISSIVE, &BASE64, &BASE64_NOPAD, &BASE64URL, &BASE64URL_NOPAD]
            .into_iter()
            .filter_map(|encoding| encoding.decode(&text).ok())
            .find_map(|bytes| Self::from_binary(&bytes))
            .ok_or_else(|| MacaroonError::NotOne(source.to_owned()))
    }

    /// From what a file or a command gives: binary, hex or base64. `source` names where it came from, for the message.
    ///
    /// # Errors
    /// Where it is no macaroon.
    pub fn from_bytes(bytes: &[u8], source: &str) -> Result<Self, MacaroonError> {
        if bytes.trim_ascii().is_empty() {
            return Err(MacaroonError::Empty(source.to_owned()));
        }
        match Self::from_binary(without_line_end(bytes)) {
            Some(macaroon) => Ok(macaroon),
            None => Self::from_encoded(bytes, source),
        }
    }

    /// From a file that holds it in binary, hex or base64.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no macaroon.
    pub fn from_file(path: &Path) -> Result<MacaroonFile, MacaroonError> {
        let shown = path.display().to_string();
        let bytes = safe_open::read_small(path, MACAROON_BYTES_MAX).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => MacaroonError::NotOne(shown.clone()),
            _ => MacaroonError::Unreadable { path: path.to_owned(), source: error },
        })?;
        let macaroon = Self::from_bytes(&bytes, &shown)?;
        Ok(MacaroonFile { macaroon, warning: warning(path, &shown) })
    }

    /// What it says that it allows; nothing where it is none of lnd's own kind. It is not verified: only the node can.
    #[must_use]
    pub fn rights(&self) -> Option<Rights> {
        Rights::of_macaroon(&HEXLOWER.decode(self.hex.as_bytes()).ok()?)
    }

    fn from_binary(bytes: &[u8]) -> Option<Self> {
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= MACAROON_BYTES_MAX);
        (fits && bytes.len() > 1 && bytes[0] == VERSION_2).then(|| Self { hex: HEXLOWER.encode(bytes) })
    }

    /// The value of the header `Grpc-Metadata-macaroon`, marked so that no log shows it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.hex).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// A binary macaroon without the line end that an editor or `echo` has put behind it: it ends in its signature, a field of 32
/// bytes.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let is_signed = |bytes: &[u8]| bytes.len() > 34 && bytes[bytes.len() - 34..].starts_with(&[6, 32]);
    let cut =
        [b"\r\n".as_slice(), b"\n"].into_iter().filter_map(|end| bytes.strip_suffix(end)).find(|cut| is_signed(cut));
    cut.filter(|_| !is_signed(bytes)).unwrap_or(bytes)
}

impl fmt::Debug for Macaroon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Macaroon(…)")
    }
}

fn warning(path: &Path, shown: &str) -> Option<String> {
    safe_open::is_readable_by_all(path)
        .then(|| format!("{shown}: everybody on this machine can read the macaroon; do `chmod o-r` on it"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const BYTES: [u8; 6] = [2, 1, 3, 0xff, 0xfe, 0xfb];

    fn of(text: &str) -> Option<String> {
        Macaroon::from_text(text, "here").ok().map(|macaroon| macaroon.hex)
    }

    #[test]
    fn text_is_hex_or_base64() {
        let hex = Some("020103fffefb".to_owned());
        for text in ["020103fffefb", " 020103FFFEFB\n", "AgED//77", "AgED__77"] {
            assert_eq!(of(text), hex, "{text}");
        }
        for wrapped in ["020103\nfffefb\n", "020103\r\nfffefb\r\n", "AgED\n//77\n", " 0201 03ff fefb"] {
            assert_eq!(of(wrapped), hex, "{wrapped:?}");
        }
        assert_eq!(of("AgED//4="), of("AgED//4"));
        assert!(of("AgED//4").is_some());
    }

    #[test]
    fn what_is_no_macaroon_is_refused_without_being_shown() {
        for text in ["", "02", "zz", "-----BEGIN CERTIFICATE-----", "ff0103", "secret words"] {
            assert_eq!(of(text), None, "{text}");
        }
        let error = Macaroon::from_text("secret", "L402_BATCH_LND_MACAROON").unwrap_err().to_string();
        assert!(error.starts_with("L402_BATCH_LND_MACAROON: ") && !error.contains("secret"));
    }

    #[test]
    fn nothing_shows_it() {
        let macaroon = Macaroon::from_text("020103fffefb", "here").unwrap();
        assert_eq!(format!("{macaroon:?}"), "Macaroon(…)");
        assert_eq!(format!("{:?}", macaroon.header().unwrap()), "Sensitive");
    }

    #[test]
    fn a_file_is_binary_or_text() {
        let utf_16: Vec<u8> = "\u{feff}020103fffefb\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}AgED//77".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let texts = [
            "020103fffefb\n",
            "AgED//77",
            "\u{feff}020103fffefb\r\n",
            "0x020103fffefb",
            "\"0X020103FFFEFB\"\n",
            "'AgED//77'",
        ];
        for content in texts.map(str::as_bytes).into_iter().chain([&BYTES[..], &utf_16, &big]) {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content).unwrap();
            let read = Macaroon::from_file(file.path()).unwrap();
            assert_eq!((read.macaroon.hex.as_str(), read.warning), ("020103fffefb", None));
        }
        let missing = Macaroon::from_file(Path::new("/nowhere/payer.macaroon"));
        assert!(matches!(missing, Err(MacaroonError::Unreadable { .. })));
    }

    #[test]
    fn a_huge_file_is_no_macaroon() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![VERSION_2; 100_000]).unwrap();
        assert!(matches!(Macaroon::from_file(file.path()), Err(MacaroonError::NotOne(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_draws_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&BYTES).unwrap();
        let mut warned = |mode| {
            file.as_file_mut().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            Macaroon::from_file(file.path()).unwrap().warning.is_some()
        };
        assert_eq!([0o600, 0o640, 0o644].map(&mut warned), [false, false, true]);
    }
}
