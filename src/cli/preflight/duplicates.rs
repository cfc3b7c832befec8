//! Jobs that are bought already under another name, in words; and the edition within which they are compared.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::{CommandError, Failure};
use crate::command::command;
use crate::ledger::{Duplicates, IdList, Original};
use crate::manifest::Manifest;
use crate::money::{counted, with_caps};
use crate::run::{Clock, SystemClock};

/// Duplicates that a message names.
const NAMED_MAX: usize = 5;

/// The edition that the manifest names, as of today in that zone; empty where it names none.
pub(in crate::cli) fn edition(manifest: &Manifest, zone: &TimeZone) -> Result<String, Failure> {
    let Some(edition) = &manifest.edition else { return Ok(String::new()) };
    let now = Timestamp::from_millisecond(SystemClock.now().0)
        .map_err(|error| CommandError::internal("the clock shows no day").because(error))?;
    Ok(edition.on(&now.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()))
}

/// The first of what was found: the job's id, and in words what it is or may be.
pub(in crate::cli) fn originals(found: &Duplicates) -> Vec<(String, String)> {
    let is = |original: &Original| if original.is_unproved() { "may be" } else { "is" };
    found.first.iter().map(|(id, original)| (id.clone(), format!("{} {original}", is(original)))).collect()
}

/// How it becomes known what receipts alone tell of.
pub(in crate::cli) fn unknown_words() -> String {
    format!(
        "what a receipt was for is known once the ledger that wrote it is merged, or the receipts with their results beside them \
         and then their own manifest is run once more: `{}`; a text of digits with words of at most four letters, as `R31`, is no \
         proof there, since a spreadsheet may have made it of another",
        command("ledger merge FILE")
    )
}

/// Why words bought nothing once more: what their jobs now ask for is bought already under another name.
pub(in crate::cli) fn stopped_words(left_out: &Duplicates) -> Option<String> {
    let IdList { count, first } = &left_out.retaken;
    let is_stopped = |(id, _): &(String, String)| first.contains(id);
    let example = originals(left_out).into_iter().find(is_stopped);
    let example = example.map(|(id, original)| format!(": {id} {original}")).unwrap_or_default();
    let jobs = match count {
        0 => return None,
        1 => "1 job was".to_owned(),
        count => format!("{} were", counted(*count, "job")),
    };
    Some(format!(
        "{jobs} not bought once more, since what is asked for by now is bought already under another name, or may be{example}; \
         whoever means it says so with --duplicates (see `run --help`)"
    ))
}

/// What was found, for a person.
pub(in crate::cli) fn words(found: &Duplicates) -> String {
    let mut named = originals(found)
        .into_iter()
        .take(NAMED_MAX)
        .map(|(id, original)| format!("{id} {original}"))
        .collect::<Vec<_>>()
        .join(", ");
    if usize::try_from(found.count).is_ok_and(|count| count > NAMED_MAX) {
        named.push_str(", …");
    }
    let all_are = found.first.iter().all(|(_, original)| !original.is_unproved());
    format!(
        "{} for {} {} bought already under another name: {named}{}",
        counted(found.count, "job"),
        with_caps(found.price, found.capped, |price| price.sats_ceil().to_string()),
        match (all_are, found.count) {
            (false, _) => "may be",
            (true, 1) => "is",
            (true, _) => "are",
        },
        if all_are { String::new() } else { format!("; {}", unknown_words()) }
    )
}
