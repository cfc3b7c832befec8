//! The table of error codes of an entry: `CODE = "treatment"`, or `CODE = { before = "…", after = "…" }`.

use toml::de::{DeTable, DeValue};

use super::reader::{Item, Reader};
use crate::catalog::{ErrorRule, Treatment};
use crate::diagnostic::closest;

/// Longest error code, in characters.
const CODE_CHARS_MAX: usize = 64;
/// More codes than any service documents.
const CODES_MAX: usize = 256;
const SITUATIONS: [&str; 2] = ["before", "after"];

/// Reads the table over `base`: a code that it names replaces the base's. None where anything is wrong.
pub(super) fn errors(
    reader: &mut Reader<'_>,
    at: &str,
    table: &DeTable<'_>,
    base: &[ErrorRule],
) -> Option<Vec<ErrorRule>> {
    let before = reader.error_count();
    let mut rules = base.to_vec();
    for (key, item) in table {
        let name = key.get_ref().as_ref();
        let at = format!("{at}.{name}");
        if !is_code(name) {
            let rule = format!("letters, digits, `-`, `_` and `.`, at most {CODE_CHARS_MAX}");
            reader.error(key.span(), format!("{at}: expected an error code of {rule}"));
            continue;
        }
        let Some(rule) = rule(reader, &at, name, item) else { continue };
        match rules.iter_mut().find(|known| known.code == rule.code) {
            Some(known) => *known = rule,
            None => rules.push(rule),
        }
        if rules.len() > CODES_MAX {
            reader.error(key.span(), format!("{at}: more than {CODES_MAX} error codes"));
            return None;
        }
    }
    (reader.error_count() == before).then_some(rules)
}

fn rule(reader: &mut Reader<'_>, at: &str, code: &str, item: &Item<'_>) -> Option<ErrorRule> {
    let table = match item.get_ref() {
        DeValue::Table(table) => table,
        _ => return treatment(reader, at, item).map(|treatment| ErrorRule::of(code, treatment)),
    };
    let by_status = ErrorRule::of(code, Treatment::ByStatus);
    let (mut before, mut after) = (Some(by_status.before), Some(by_status.after));
    for (key, item) in table {
        let name = key.get_ref().as_ref();
        let at = format!("{at}.{name}");
        match name {
            "before" => before = fitting(reader, &at, item, Treatment::is_of_before, "after"),
            "after" => after = fitting(reader, &at, item, Treatment::is_of_after, "before"),
            _ => reader.unknown_key(at.trim_end_matches(&format!(".{name}")), key, &SITUATIONS),
        }
    }
    Some(ErrorRule { before: before?, after: after?, ..by_status })
}

/// A treatment that means something in its situation.
fn fitting(
    reader: &mut Reader<'_>,
    at: &str,
    item: &Item<'_>,
    fits: impl Fn(Treatment) -> bool,
    other: &str,
) -> Option<Treatment> {
    let found = treatment(reader, at, item)?;
    if !fits(found) {
        let word = found.as_str();
        reader.error(item.span(), format!("{at}: \"{word}\" has a meaning only {other} the payment"));
        return None;
    }
    Some(found)
}

fn treatment(reader: &mut Reader<'_>, at: &str, item: &Item<'_>) -> Option<Treatment> {
    let word = item.get_ref().as_str();
    let found = word.and_then(Treatment::from_word);
    if found.is_none() {
        let words = || Treatment::ALL.iter().map(|treatment| treatment.as_str());
        let help = match word.and_then(|word| closest(word, words())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("one of {}", words().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")),
        };
        reader.expected_with(at, item, "a treatment", Some(help));
    }
    found
}

fn is_code(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= CODE_CHARS_MAX && name.chars().all(fits)
}
