//! Parameters of an endpoint, and the values that a job gives them.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Decimal, Place, Structured};
use crate::media;

/// A parameter that an endpoint takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name, as it is sent.
    pub name: String,
    /// What it accepts.
    pub kind: ParamKind,
    /// A job without it is an error.
    pub required: bool,
    /// The value where a job gives none. Sent, so that the price never hangs on the service's own default.
    pub default: Option<Value>,
    /// Where its value goes.
    #[serde(default, skip_serializing_if = "Place::is_usual")]
    pub place: Place,
}

/// What a parameter accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum ParamKind {
    /// Any text that is not blank.
    Text,
    /// A whole number within inclusive bounds.
    Integer {
        /// The least it may be.
        min: i64,
        /// The most it may be.
        max: i64,
    },
    /// A decimal number within inclusive bounds, where there are any.
    Decimal {
        /// The least it may be.
        min: Option<Decimal>,
        /// The most it may be.
        max: Option<Decimal>,
    },
    /// `true` or `false`; in CSV also yes/no and 1/0.
    Boolean,
    /// One of some words.
    Choice {
        /// The words that it may be.
        values: Vec<String>,
    },
    /// A number or a text: text that reads as an integer is a number.
    IntegerOrText,
    /// A list: JSON in a CSV cell, a list in TOML.
    List,
    /// An object: JSON in a CSV cell, a table in TOML.
    Object,
    /// A png, jpeg or webp image: a path, base64 or a data URI.
    Image,
    /// A file: a path, base64 or a data URI.
    File {
        /// The media types that it may be of, by its content: `audio/mpeg`, `audio/*`; any where there are none.
        types: Vec<String>,
        /// How it stands in JSON or a query.
        form: FileForm,
    },
}

/// How a file stands in JSON or a query; a part of a multipart body is the file itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FileForm {
    /// As a data URI, which names its type.
    #[default]
    DataUri,
    /// As base64 alone.
    Base64,
}

impl ParamKind {
    /// Whether its values are files.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        match self {
            Self::Image | Self::File { .. } => true,
            Self::Text
            | Self::Integer { .. }
            | Self::Decimal { .. }
            | Self::Boolean
            | Self::Choice { .. }
            | Self::IntegerOrText
            | Self::List
            | Self::Object => false,
        }
    }
}

/// A checked value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Text, trimmed, with LF line ends.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// A list or an object.
    Structured(Structured),
    /// A truth value.
    Boolean(bool),
    /// An image or another file, by digest; its bytes are loaded when the job runs. Boxed, so that values of the other kinds are small: most
    /// jobs have only those.
    Image(Box<ImageRef>),
}

impl Value {
    /// As a results file has it.
    #[must_use]
    pub fn in_file(&self) -> String {
        match self {
            Self::Boolean(is) => is.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Structured(json) => json.to_string(),
            Self::Text(text) => text.clone(),
            Self::Image(image) => match &image.source {
                ImageSource::File(path) => path.to_string_lossy().into_owned(),
                ImageSource::Inline(_) => format!("sha256:{}", image.sha256),
            },
        }
    }
}

/// An image, or another file, that a job sends: known by the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageRef {
    /// Where its bytes come from.
    pub source: ImageSource,
    /// SHA-256 of the decoded bytes, in lower-case hex.
    pub sha256: String,
    /// Its format, recognised by content.
    pub kind: ImageKind,
}

/// Where an image's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// A file (absolute path).
    File(PathBuf),
    /// Standard base64 of the bytes, from the manifest itself.
    Inline(String),
}

/// What a file is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// A PNG image (`image/png`).
    Png,
    /// A JPEG image (`image/jpeg`).
    Jpeg,
    /// A WebP image (`image/webp`).
    Webp,
    /// Something else, for a parameter that takes it.
    Other(FileType),
}

/// A media type that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct FileType(&'static str);

impl<'de> Deserialize<'de> for FileType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = String::deserialize(deserializer)?;
        media::known_type(&named).map(Self).ok_or_else(|| D::Error::custom("no known media type"))
    }
}

impl ImageKind {
    /// What a file of that media type is, where it is known.
    #[must_use]
    pub fn of(media_type: &str) -> Option<Self> {
        let images = [Self::Png, Self::Jpeg, Self::Webp];
        let image = images.into_iter().find(|kind| kind.media_type() == media_type);
        image.or_else(|| media::known_type(media_type).map(FileType).map(Self::Other))
    }

    /// The media type, as a data URI names it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Other(FileType(media_type)) => media_type,
        }
    }
}

/// Why a value does not fit its parameter: what was expected, in words that follow "expected".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `an integer from 3 to 15`
    pub expected: String,
    /// A suggestion: the accepted word that was most likely meant.
    pub suggestion: Option<String>,
}
