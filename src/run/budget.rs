//! What may be spent: limits over the batch, the day and the month. The ledger holds them; this says which apply.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ledger::{Caps, PeriodCap};
use crate::money::Msat;
use crate::time::UnixMs;

/// Limits over more than one job, fees included.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Over all runs of the batch.
    pub batch: Option<Msat>,
    /// Over a day, across the batches of the ledger.
    pub day: Option<Msat>,
    /// Over a month, across the batches of the ledger.
    pub month: Option<Msat>,
    /// Where days and months begin.
    pub time_zone: TimeZone,
}

impl Default for Budget {
    fn default() -> Self {
        Self { batch: None, day: None, month: None, time_zone: TimeZone::UTC }
    }
}

impl Budget {
    /// The limits that an intent made now must fit into.
    #[must_use]
    pub fn caps(&self, now: UnixMs) -> Caps {
        let period = |most: Option<Msat>, format: &str| {
            let most = most?;
            let at = Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.time_zone.clone());
            Some(PeriodCap { period: at.strftime(format).to_string(), most })
        };
        Caps { batch: self.batch, day: period(self.day, "%Y-%m-%d"), month: period(self.month, "%Y-%m") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_in_the_users_time_zone() {
        let budget = Budget {
            day: Some(Msat::new(1)),
            month: Some(Msat::new(2)),
            time_zone: TimeZone::fixed(jiff::tz::offset(2)),
            ..Budget::default()
        };
        // 2026-10-31T23:00:00Z is already November two hours further east.
        let caps = budget.caps(UnixMs(1_793_487_600_000));
        assert_eq!(caps.day.map(|cap| cap.period).as_deref(), Some("2026-11-01"));
        assert_eq!(caps.month.map(|cap| cap.period).as_deref(), Some("2026-11"));
        assert_eq!(caps.batch, None);
    }
}
