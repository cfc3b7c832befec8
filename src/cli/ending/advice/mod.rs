//! What to do after a run: of every kind of advice that there is, what is true of how the batch stands, in sentences whose
//! commands work as printed.

mod facts;
mod go_on;
mod jobs;
mod kinds;

pub use kinds::Advice;

pub(in crate::cli) use facts::{Ended, Facts, to_buy_words};

#[cfg(test)]
mod tests;
