//! How a table is read, CSV or sheet: what flags and `[rows]` alike may say of it.

use std::fmt;
use std::str::FromStr;

use crate::command::shell;

/// What is said of how a table is written; nothing of what is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TableOptions {
    /// The delimiter of a CSV, where it is not to be found from the header.
    pub delimiter: Option<u8>,
    /// The sheet of a workbook.
    pub sheet: Option<SheetChoice>,
    /// The line, or the sheet's row, in which the header stands, from 1.
    pub header_row: Option<u32>,
    /// What a workbook's hidden rows are.
    pub hidden_rows: Option<HiddenRows>,
}

impl TableOptions {
    /// These, and of what they do not say the others.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            delimiter: self.delimiter.or(other.delimiter),
            sheet: self.sheet.or(other.sheet),
            header_row: self.header_row.or(other.header_row),
            hidden_rows: self.hidden_rows.or(other.hidden_rows),
        }
    }

    /// The flags that say it, each with a blank before it.
    pub(super) fn flags(&self) -> String {
        let delimiter =
            self.delimiter.map(|byte| if byte == b'\t' { "tab".to_owned() } else { char::from(byte).to_string() });
        let said = [
            ("delimiter", delimiter),
            ("sheet", self.sheet.as_ref().map(ToString::to_string)),
            ("header-row", self.header_row.map(|row| row.to_string())),
            ("hidden-rows", self.hidden_rows.map(|word| word.as_str().to_owned())),
        ];
        let flag = |(name, value): (&str, Option<String>)| Some(format!(" --{name} {}", shell(&value?)));
        said.into_iter().filter_map(flag).collect()
    }
}

/// Which sheet of a workbook is read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum SheetChoice {
    /// The one of that name; where none has it and it is a number, as [`Self::Number`].
    Named(String),
    /// The one of that number from 1, among those that are visible.
    Number(u64),
}

impl From<&str> for SheetChoice {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl fmt::Display for SheetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What rows are that a person does not see: a filter has hidden them, or somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HiddenRows {
    /// Jobs like the others.
    Read,
    /// No jobs.
    Skip,
}

impl HiddenRows {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Read, Self::Skip];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Skip => "skip",
        }
    }
}

impl FromStr for HiddenRows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| format!("expected read or skip, got \"{text}\""))
    }
}
