//! What amounts are worth in another currency, by the options.

use crate::error::Hinted;
use crate::fiat::{Rate, Rates};
use crate::run::{Clock, SystemClock};

use crate::cli::options::config::RateOptions;
use crate::cli::terminal;

/// The rate that counts now. Where one is asked for and there is none, that is said once, and there are no figures.
pub(in crate::cli) fn now(options: &RateOptions) -> Option<Rate> {
    let RateOptions { file, currency, max_age } = options;
    let rate = match (file, currency) {
        (None, None) => return None,
        (None, Some(currency)) => Err(format!("no rate_file says what a bitcoin costs in {currency}")),
        (Some(file), currency) => Rates::read(file, currency.as_ref(), *max_age)
            .and_then(|rates| rates.at(SystemClock.now()))
            .map_err(|no| no.told()),
    };
    rate.map_err(|why| terminal::say(&format!("warning: no amounts in fiat: {why}\n"))).ok()
}
