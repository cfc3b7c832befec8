//! What of a request an endpoint entry says beside its parameters: headers, and the places in its address.

use url::Url;

use super::reader::{Item, Reader};
use crate::catalog::header::{is_free, is_value};
use crate::catalog::{Header, Method, Param, Place, place};
use crate::diagnostic::closest;

/// More headers than any service wants.
const HEADERS_MAX: usize = 32;

/// Reads `[endpoint.NAME.headers]` over the base's, name by name; an empty text takes one away.
pub(super) fn headers(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, base: &[Header]) -> Option<Vec<Header>> {
    let table = reader.table(at, item)?;
    let before = reader.error_count();
    let mut headers = base.to_vec();
    for (key, item) in table {
        let name = key.get_ref().as_ref();
        if !is_free(name) {
            let message = format!("{at}: expected the name of a header of the service's own, got {name:?}");
            let help = "what HTTP itself, the payment or a cache needs is sent as it has to be";
            reader.error_with(key.span(), message, Some(help.to_owned()));
        }
        headers.retain(|known| !known.name.eq_ignore_ascii_case(name));
        match item.get_ref().as_str() {
            Some("") => {}
            Some(text) if is_value(text) => headers.push(Header { name: name.to_owned(), value: text.to_owned() }),
            None if item.get_ref().as_table().is_some_and(|table| table.get("secret").is_some()) => {
                reader.error(item.span(), format!("{at}.{name}: not yet: this version sends no secret header"));
            }
            Some(_) | None => {
                reader.error(item.span(), format!("{at}.{name}: expected text of visible ASCII, or \"\" for none"));
            }
        }
    }
    let mut names: Vec<String> = table.iter().map(|(key, _)| key.get_ref().to_ascii_lowercase()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two.first() == two.last()) {
        reader.error(item.span(), format!("{at}: a header is named twice: upper and lower case are the same"));
    }
    if headers.len() > HEADERS_MAX {
        reader.expected(at, item, &format!("at most {HEADERS_MAX} headers"));
    }
    (reader.error_count() == before).then_some(headers)
}

/// Says of each parameter where it goes, by the places in the address. What is wrong with these, a sentence and what helps each.
pub(super) fn place_params(params: &mut [Param], url: &Url) -> Vec<(String, Option<String>)> {
    let places = place::places(url);
    let mut faults = Vec::new();
    for (_, name) in &places {
        if params.iter().all(|param| param.name != *name) {
            let meant = closest(name, params.iter().map(|param| param.name.as_str()));
            let help = meant.map(|meant| format!("did you mean \"{{{meant}}}\"?"));
            faults.push((format!("the endpoint has no parameter `{name}`"), help));
        }
    }
    if place::has_crowded_step(url) {
        faults.push(("a step of the path has a place for one parameter".to_owned(), None));
    }
    for param in params {
        // What a base's address had a place for may stand in the body now.
        let at = places.iter().find(|(_, name)| *name == param.name).map(|(place, _)| *place);
        if param.place == Place::Unsent {
            if at.is_some() {
                faults.push((format!("`{}` has a place in it, and `send = false`", param.name), None));
            }
            continue;
        }
        param.place = at.unwrap_or_default();
        if !param.place.is_usual() && param.kind.is_file() {
            faults.push((format!("`{}` is a file: an address has no room for it", param.name), None));
        }
        if param.place != Place::Path {
            continue;
        }
        if !param.required && param.default.is_none() {
            let help = Some("give it `required = true` or a default".to_owned());
            faults.push((format!("`{}`, which stands in the path, may be left out of a job", param.name), help));
        }
        if param.default.as_ref().is_some_and(|value| !place::is_step(&value.to_string())) {
            faults.push((format!("the default of `{}` is dots alone, which lead to another path", param.name), None));
        }
    }
    faults
}

/// Which parameter has nowhere to go with that method, in words.
pub(super) fn bodiless(method: Method) -> Option<&'static str> {
    match method {
        Method::Get => Some("a GET has no body: its parameters are the query"),
        Method::Post | Method::Put => None,
    }
}
