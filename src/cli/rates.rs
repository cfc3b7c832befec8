//! What amounts are worth in another currency, by the options.

use crate::error::Hinted;
use crate::fiat::{NoRate, Rate, Rates};
use crate::run::{Clock, SystemClock};

use crate::cli::options::config::RateOptions;
use crate::cli::terminal;

/// The rate that counts now. Where one is asked for and there is none, that is said once, and there are no figures.
pub(in crate::cli) fn now(options: &RateOptions) -> Option<Rate> {
    told(read(options)?.and_then(|rates| rates.at(SystemClock.now())))
}

/// The rates, for moments of before: as for [`now`].
pub(in crate::cli) fn of(options: &RateOptions) -> Option<Rates> {
    told(read(options)?)
}

/// The file that is named; none where nothing is asked for.
fn read(options: &RateOptions) -> Option<Result<Rates, NoRate>> {
    let RateOptions { file, currency, max_age } = options;
    match (file, currency) {
        (None, None) => None,
        (None, Some(currency)) => Some(Err(NoRate::NoFile { currency: currency.clone() })),
        (Some(file), currency) => Some(Rates::read(file, currency.as_ref(), *max_age)),
    }
}

fn told<T>(found: Result<T, NoRate>) -> Option<T> {
    found.map_err(|no| terminal::say(&format!("warning: no amounts in fiat: {}\n", no.told()))).ok()
}
