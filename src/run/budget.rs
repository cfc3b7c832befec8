//! What may be spent: limits over the batch, the day and the month. The ledger holds them; this says which apply.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::catalog::origin_of;
use crate::ledger::{Caps, OriginCaps, PeriodCap};
use crate::money::Msat;
use crate::time::UnixMs;
use url::Url;

/// Limits over more than one job, fees included.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Over all runs of the batch.
    pub batch: Option<Msat>,
    /// Over a day, across the batches of the ledger.
    pub day: Option<Msat>,
    /// Over a month, across the batches of the ledger.
    pub month: Option<Msat>,
    /// What single origins may get, by host, and port where it is not the usual one.
    pub origins: BTreeMap<String, OriginCaps>,
    /// What an origin may get in all before its first delivery.
    pub new_origin: Option<Msat>,
    /// Where days and months begin.
    pub time_zone: TimeZone,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            batch: None,
            day: None,
            month: None,
            origins: BTreeMap::new(),
            new_origin: None,
            time_zone: TimeZone::UTC,
        }
    }
}

impl Budget {
    /// When the next day (or, of `months`, the next month) begins: when a reached limit lets the rest go on.
    #[must_use]
    pub fn next_period(&self, now: UnixMs, months: bool) -> Option<UnixMs> {
        let today = Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.time_zone.clone());
        let day = if months { today.last_of_month().ok()? } else { today };
        let next = day.tomorrow().ok()?.start_of_day().ok()?;
        Some(UnixMs(next.timestamp().as_millisecond()))
    }

    /// The limits that an intent made now must fit into. Day and month are always charged, so that a limit that is set
    /// later counts what was spent before it was.
    #[must_use]
    pub fn caps(&self, now: UnixMs) -> Caps {
        let period = |most: Option<Msat>, format: &str| {
            let at = Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.time_zone.clone());
            Some(PeriodCap { period: at.strftime(format).to_string(), most: most.unwrap_or(Msat::new(u64::MAX)) })
        };
        Caps {
            batch: self.batch,
            day: period(self.day, "%Y-%m-%d"),
            month: period(self.month, "%Y-%m"),
            origin: OriginCaps::default(),
        }
    }

    /// The same, with those of the origin at that address.
    #[must_use]
    pub fn caps_at(&self, now: UnixMs, url: &Url) -> Caps {
        Caps { origin: self.origin(&origin_of(url)), ..self.caps(now) }
    }

    /// What that origin may get.
    #[must_use]
    pub fn origin(&self, origin: &str) -> OriginCaps {
        OriginCaps { new: self.new_origin, ..self.origins.get(origin).copied().unwrap_or_default() }
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

    #[test]
    fn what_is_spent_without_a_limit_is_charged_too() {
        let caps = Budget::default().caps(UnixMs(1_793_487_600_000));
        assert_eq!(caps.day.map(|cap| (cap.period, cap.most)), Some(("2026-10-31".to_owned(), Msat::new(u64::MAX))));
    }

    #[test]
    fn a_reached_limit_says_when_it_may_go_on() {
        let budget = Budget { time_zone: TimeZone::fixed(jiff::tz::offset(2)), ..Budget::default() };
        let at = |months| budget.next_period(UnixMs(1_793_487_600_000), months).map(UnixMs::rfc3339);
        assert_eq!(at(false).as_deref(), Some("2026-11-01T22:00:00.000+00:00"));
        assert_eq!(at(true).as_deref(), Some("2026-11-30T22:00:00.000+00:00"));
    }
}
