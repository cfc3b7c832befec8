//! What may be spent, and the `[limits]` table of a manifest, which says so.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::values::{integer_of, shown};
use crate::diagnostic::{Diagnostic, SourceText, closest};
use crate::money::Sats;

/// Every limit, declared once: what it means, its name, its type, and what reads it in `[limits]`. `$with` is a macro that takes
/// them.
macro_rules! limits {
    ($with:ident) => {
        $with! {
            /// The most that a batch may cost over all its runs, fees included.
            max_sats: Sats, sats;
            /// The most that one job may cost, fee included.
            max_sats_per_job: Sats, sats;
            /// The most that may be spent a day, over all batches of the ledger.
            max_sats_per_day: Sats, sats;
            /// The most that may be spent a month, over all batches of the ledger.
            max_sats_per_month: Sats, sats;
            /// The most that an origin that has never delivered may get in all, in a run that nobody watches.
            max_sats_new_origin: Sats, sats;
            /// The IANA time zone in which days and months begin.
            time_zone: String, time_zone;
            /// A payment's fee ceiling, in parts per million of its amount.
            max_fee_ppm: u64, above_zero;
            /// A payment's fee ceiling is never below this.
            fee_floor_sats: Sats, sats;
        }
    };
}
pub(crate) use limits;

macro_rules! declare {
    ($($(#[$about:meta])+ $name:ident: $type:ty, $read:ident;)+) => {
        /// Limits as one source states them (`[limits]`, flags, environment, configuration). Where several do, the tightest
        /// wins, value by value.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct Limits {$(
            $(#[$about])+
            pub $name: Option<$type>,
        )+
            /// Of single origins, by host, and port where it is not the usual one: the configuration alone says them.
            #[serde(skip)]
            pub origins: BTreeMap<String, OriginLimits>,
        }

        /// The keys of `[limits]`.
        const KEYS: &[Key] =
            &[$((stringify!($name), |limits, value| $read(value).map(|value| limits.$name = Some(value)))),+];
    };
}
limits!(declare);

/// What one origin may get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginLimits {
    /// By one job, fee included.
    pub max_sats_per_job: Option<Sats>,
    /// A day, over all batches of the ledger.
    pub max_sats_per_day: Option<Sats>,
    /// A month.
    pub max_sats_per_month: Option<Sats>,
}

/// A key of `[limits]`, and how its value is taken over; the error says what was expected.
type Key = (&'static str, fn(&mut Limits, &DeValue<'_>) -> Result<(), &'static str>);

/// Reads `[limits]`; every wrong key or value is an error of its own.
pub(super) fn read(source: &SourceText, table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Limits {
    let mut limits = Limits::default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let Some((_, take_over)) = KEYS.iter().find(|(known, _)| *known == name) else {
            errors.push(unknown(&source.file, name).at(source.place(key.span())));
            continue;
        };
        if let Err(expected) = take_over(&mut limits, value.get_ref()) {
            let got = source.text.get(value.span()).unwrap_or_default();
            let message = format!("{name}: expected {expected}, got {}", shown(got));
            errors.push(Diagnostic::error(&source.file, message).at(source.place(value.span())));
        }
    }
    limits
}

fn unknown(file: &str, name: &str) -> Diagnostic {
    let known = || KEYS.iter().map(|(name, _)| *name);
    Diagnostic::error(file, format!("limits: unknown key \"{name}\"")).help(match closest(name, known()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("the keys are {}", known().collect::<Vec<_>>().join(", ")),
    })
}

fn above_zero(value: &DeValue<'_>) -> Result<u64, &'static str> {
    integer_of(value).filter(|n| *n > 0).and_then(|n| u64::try_from(n).ok()).ok_or("a whole number above zero")
}

fn sats(value: &DeValue<'_>) -> Result<Sats, &'static str> {
    above_zero(value)
        .ok()
        .map(Sats::new)
        .filter(|sats| sats.msat().is_some())
        .ok_or("a whole number of sats above zero")
}

fn time_zone(value: &DeValue<'_>) -> Result<String, &'static str> {
    value
        .as_str()
        .filter(|name| jiff::tz::TimeZone::get(name).is_ok())
        .map(str::to_owned)
        .ok_or("an IANA time zone such as \"Europe/Berlin\"")
}
