//! An option as `config show` prints it: its value, or that it is a secret.

use serde::Serialize;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Displayed {
    Number(u64),
    Truth(bool),
    Text(String),
    List(Vec<String>),
}

impl std::fmt::Display for Displayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(", ")),
        }
    }
}

/// What stands for a secret.
pub(in crate::cli) const HIDDEN: &str = "(hidden)";
