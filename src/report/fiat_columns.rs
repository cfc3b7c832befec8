//! What single amounts were worth when they were moved, as columns of a table.

use std::cell::RefCell;
use std::io;

use crate::fiat::{NoRate, Rate, Rates};
use crate::money::Msat;
use crate::time::UnixMs;

use super::table_row::Cells;

/// The columns behind an amount's own: how it came about.
pub(super) const FIAT_COLUMNS: [&str; 4] = ["currency", "rate", "rate_at", "rate_source"];

/// Rates by their moments. Where none counts there is no figure, and that is kept to be told.
#[derive(Clone, Copy, Debug)]
pub struct FiatColumns<'r> {
    rates: &'r Rates,
    lacks: &'r RefCell<Option<Lack>>,
}

/// Moments of which there is no rate.
#[derive(Clone, Debug)]
pub struct Lack {
    /// Of the first one.
    pub why: NoRate,
    /// How many there are.
    pub count: u64,
}

impl<'r> FiatColumns<'r> {
    /// Rates, and where what they lack is kept.
    #[must_use]
    pub const fn new(rates: &'r Rates, lacks: &'r RefCell<Option<Lack>>) -> Self {
        Self { rates, lacks }
    }

    /// The rate that counted at a moment.
    pub(super) fn rate(&self, at: UnixMs) -> Option<Rate> {
        let found = self.rates.at(at);
        if let Err(why) = &found {
            self.lacks.borrow_mut().get_or_insert_with(|| Lack { why: why.clone(), count: 0 }).count += 1;
        }
        found.ok()
    }

    /// Puts an amount's figure, and how it came about.
    pub(super) fn put(&self, put: &mut Cells<'_>, at: UnixMs, amount: Option<Msat>) -> io::Result<()> {
        let rate = self.rate(at);
        put.decimal(rate.as_ref().zip(amount).and_then(|(rate, amount)| rate.exact(amount)))?;
        put.maybe(rate.as_ref().map(|rate| rate.currency.to_string()).as_deref())?;
        put.decimal(rate.as_ref().map(|rate| rate.price))?;
        put.time(rate.as_ref().map(|rate| rate.at))?;
        put.maybe(rate.as_ref().map(|rate| rate.source.as_str()))
    }
}
