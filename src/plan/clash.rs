//! Ids that clash, in words. The compact tables know lines only; here the manifest is read once more to name the ids, and
//! only where something was found.

use std::collections::HashMap;

use super::findings;
use super::identity::{self, Encoding, MadeKey};
use super::ids::{Clash, GivenIds, IdHash, MadeClash, id_hash};
use super::same::Contents;
use crate::diagnostic::Diagnostic;
use crate::manifest::{JobSource, planned_take};

/// One id for two jobs; `wrong` are ids of jobs that the source does not hand out, with their lines.
pub(super) fn errors(
    source: &dyn JobSource,
    given: &mut GivenIds,
    contents: &Contents,
    wrong: Vec<(u64, String)>,
) -> Vec<Diagnostic> {
    let repeated = given.repeated();
    let also_made = given.also_made(contents);
    if repeated.is_empty() && also_made.is_empty() {
        return Vec::new();
    }
    let mut ids = ids_of(source, &repeated);
    for (_, id) in wrong {
        let known = ids.entry(id_hash(&id)).or_default();
        known.text = id;
    }
    let mut errors: Vec<Diagnostic> = Vec::with_capacity(repeated.len() + also_made.len());
    for clash in &repeated {
        let known = ids.get(&clash.ids[1]);
        let id = known.map_or("", |known| &known.text);
        let error = Diagnostic::error(source.file(), format!("the id {id:?} is given to more than one job"));
        let help = match planned_take(id).filter(|_| known.is_some_and(|known| known.is_take)) {
            Some((of, take)) => format!("`repeat` makes it take {take} of {of:?}: give the other job another id"),
            None => "give each job an id of its own, or none".to_owned(),
        };
        errors.push(both_places(source, error, clash, "first given here").help(help));
    }
    for (clash, line) in also_made.iter().zip(lines_of_made(source, &also_made)) {
        let message = format!("the id {:?} is also made for another job, which has none", clash.key.id(clash.number));
        let mut error = Diagnostic::error(source.file(), message).at(source.place_of_line(clash.given_line));
        error.related.extend(line.map(|line| (source.place_of_line(line), "made for this job".to_owned())));
        errors.push(error.help("give the other job an id too, or leave this one's out"));
    }
    errors
}

/// Ids that a spreadsheet or a careless hand would make the same.
pub(super) fn warnings(source: &dyn JobSource, given: &mut GivenIds) -> Vec<Diagnostic> {
    let alike = given.alike();
    if alike.is_empty() {
        return Vec::new();
    }
    let ids = ids_of(source, &alike);
    let name = |id: &IdHash| ids.get(id).map_or("", |known| &known.text);
    let warning = |clash: &Clash| {
        let [first, second] = clash.ids.each_ref().map(name);
        let message = format!("the ids {first:?} and {second:?} differ only by case or leading zeros");
        let warning = Diagnostic::warning(source.file(), message);
        both_places(source, warning, clash, "the other one")
            .help("spreadsheets turn 010 into 10; keep ids apart otherwise")
    };
    alike.iter().map(warning).collect()
}

fn both_places(source: &dyn JobSource, found: Diagnostic, clash: &Clash, words: &str) -> Diagnostic {
    let mut place = source.place_of_line(clash.second);
    for line in &clash.others {
        findings::also(&mut place.also_lines, *line, *line);
    }
    let mut found = Diagnostic { count: clash.count, ..found.at(place) };
    found.related.push((source.place_of_line(clash.first), words.to_owned()));
    found
}

/// An id that clashes.
#[derive(Default)]
struct Named {
    text: String,
    /// Of a planned take after the first.
    is_take: bool,
}

/// The ids that clash, in words.
fn ids_of(source: &dyn JobSource, clashes: &[Clash]) -> HashMap<IdHash, Named> {
    let mut ids: HashMap<IdHash, Named> =
        clashes.iter().flat_map(|clash| clash.ids).map(|id| (id, Named::default())).collect();
    if ids.is_empty() {
        return ids;
    }
    for spec in source.jobs().flatten() {
        let Some(id) = spec.id else { continue };
        if let Some(named) = ids.get_mut(&id_hash(&id)) {
            named.is_take |= spec.take > 1;
            named.text = id;
        }
    }
    ids
}

/// The line of the job for which each of these ids is made.
fn lines_of_made(source: &dyn JobSource, clashes: &[MadeClash]) -> Vec<Option<u64>> {
    let mut lines = vec![None; clashes.len()];
    if clashes.is_empty() {
        return lines;
    }
    let mut seen = vec![0u32; clashes.len()];
    for spec in source.jobs().flatten().filter(|spec| spec.id.is_none()) {
        let named = || spec.endpoint.params.iter().map(|param| param.name.as_str());
        let mut content = Vec::new();
        Encoding::new(&spec.endpoint.name, named()).put(&mut content, |at| spec.content_value(at));
        let key = MadeKey::of(&identity::hash(&content));
        for ((clash, seen), line) in clashes.iter().zip(&mut seen).zip(&mut lines) {
            if clash.key == key {
                *seen = seen.saturating_add(1);
                if *seen == clash.number {
                    *line = Some(spec.line);
                }
            }
        }
    }
    lines
}
