//! What may be spent, and the `[limits]` table of a manifest, which says so.

use toml::de::{DeTable, DeValue};

use super::Limits;
use super::values::{integer_of, shown};
use crate::diagnostic::{Diagnostic, SourceText, closest};
use crate::money::Sats;

/// A key of `[limits]`, and how its value is taken over; the error says what was expected.
type Key = (&'static str, fn(&mut Limits, &DeValue<'_>) -> Result<(), &'static str>);

/// The keys of `[limits]`.
const KEYS: [Key; 7] = [
    ("max_sats", |limits, value| sats(value).map(|n| limits.max_sats = Some(n))),
    ("max_sats_per_job", |limits, value| sats(value).map(|n| limits.max_sats_per_job = Some(n))),
    ("max_sats_per_day", |limits, value| sats(value).map(|n| limits.max_sats_per_day = Some(n))),
    ("max_sats_per_month", |limits, value| sats(value).map(|n| limits.max_sats_per_month = Some(n))),
    ("time_zone", |limits, value| time_zone(value).map(|zone| limits.time_zone = Some(zone))),
    ("max_fee_ppm", |limits, value| above_zero(value).map(|n| limits.max_fee_ppm = Some(n))),
    ("fee_floor_sats", |limits, value| sats(value).map(|n| limits.fee_floor_sats = Some(n))),
];

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
