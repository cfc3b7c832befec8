//! The `[limits]` table of a manifest.

use toml::de::{DeTable, DeValue};

use super::Limits;
use super::values::{integer_of, shown};
use crate::diagnostic::{Diagnostic, SourceText, closest};
use crate::money::Sats;

/// The keys of `[limits]`.
const KEYS: &[&str] = &[
    "max_sats",
    "max_sats_per_job",
    "max_sats_per_day",
    "max_sats_per_month",
    "time_zone",
    "max_fee_ppm",
    "fee_floor_sats",
];

/// Reads `[limits]`; every wrong key or value is an error of its own.
pub(super) fn read(source: &SourceText, table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Limits {
    let mut limits = Limits::default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let outcome = match name {
            "max_sats" => sats(value.get_ref()).map(|n| limits.max_sats = Some(n)),
            "max_sats_per_job" => sats(value.get_ref()).map(|n| limits.max_sats_per_job = Some(n)),
            "max_sats_per_day" => sats(value.get_ref()).map(|n| limits.max_sats_per_day = Some(n)),
            "max_sats_per_month" => sats(value.get_ref()).map(|n| limits.max_sats_per_month = Some(n)),
            "fee_floor_sats" => sats(value.get_ref()).map(|n| limits.fee_floor_sats = Some(n)),
            "max_fee_ppm" => above_zero(value.get_ref()).map(|n| limits.max_fee_ppm = Some(n)),
            "time_zone" => time_zone(value.get_ref()).map(|zone| limits.time_zone = Some(zone)),
            _ => {
                let mut error = Diagnostic::error(&source.file, format!("limits: unknown key \"{name}\""));
                error.place = Some(source.place(key.span()));
                error.help = Some(match closest(name, KEYS.iter().copied()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("the keys are {}", KEYS.join(", ")),
                });
                errors.push(error);
                continue;
            }
        };
        if let Err(expected) = outcome {
            let got = source.text.get(value.span()).unwrap_or_default();
            let message = format!("{name}: expected {expected}, got {}", shown(got));
            errors.push(Diagnostic::error(&source.file, message).at(source.place(value.span())));
        }
    }
    limits
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
