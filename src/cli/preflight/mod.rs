//! What is checked, foretold and asked before the first purchase.

pub(in crate::cli) mod duplicates;
pub(in crate::cli) mod foresight;
pub(in crate::cli) mod ground;
pub(in crate::cli) mod planned;
pub(in crate::cli) mod questions;
pub(in crate::cli) mod selection;
pub(in crate::cli) mod trust;
pub(in crate::cli) mod words;
