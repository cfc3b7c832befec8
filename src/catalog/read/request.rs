//! What of a request an endpoint entry says beside its parameters: headers, and the places in its address.

use url::Url;

use super::reader::{Item, Reader};
use crate::catalog::header::{is_free, is_of_cache, is_secret, is_secret_name, is_value};
use crate::catalog::{Header, HeaderValue, Method, Param, Place, place};
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
        let named = item.get_ref().as_table();
        if is_secret(name) && is_free(name) && named.is_none() && item.get_ref().as_str() != Some("") {
            let message = format!("{at}: {name:?} is named like a secret, which stands in no such table");
            let help = format!(
                "name it only, {name} = {{ secret = \"NAME\" }}: the configuration file says in [secret.NAME] where it comes from, and who may have it"
            );
            reader.error_unseen(key.span(), message, Some(help));
            continue;
        }
        if !is_free(name) || is_of_cache(name) {
            let message = format!("{at}: expected the name of a header of the service's own, got {name:?}");
            let help = "what HTTP itself, the payment or a cache needs is sent as it has to be";
            reader.error_unseen(key.span(), message, Some(help.to_owned()));
        }
        headers.retain(|known| !known.name.eq_ignore_ascii_case(name));
        let secret = named.filter(|table| table.len() == 1).and_then(|table| table.get("secret")?.get_ref().as_str());
        match (item.get_ref().as_str(), secret) {
            (Some(""), _) => {}
            (Some(text), _) if is_value(text) => headers.push(Header::text(name, text)),
            (None, Some(secret)) if is_secret_name(secret) => {
                let value = HeaderValue::Secret { secret: secret.to_owned() };
                headers.push(Header { name: name.to_owned(), value });
            }
            (None, _) if named.is_some() => {
                let message = format!(
                    "{at}.{name}: expected {{ secret = \"NAME\" }}, with a name of letters, digits, `-` and `_`, and nothing else"
                );
                reader.error_unseen(item.span(), message, None);
            }
            (Some(_) | None, _) => {
                let message = format!("{at}.{name}: expected text of visible ASCII, or \"\" for none");
                reader.error_unseen(item.span(), message, None);
            }
        }
    }
    let mut names: Vec<String> = table.iter().map(|(key, _)| key.get_ref().to_ascii_lowercase()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two.first() == two.last()) {
        let message = format!("{at}: a header is named twice: upper and lower case are the same");
        reader.error_unseen(item.span(), message, None);
    }
    if headers.len() > HEADERS_MAX {
        reader.error_unseen(item.span(), format!("{at}: more than {HEADERS_MAX} headers"), None);
    }
    (reader.error_count() == before).then_some(headers)
}

/// Says of each parameter where it goes, by the places in the address. What is wrong with these, a sentence and what helps each.
pub(super) fn place_params(
    params: &mut [Param],
    url: &Url,
    places: &[(Place, String)],
) -> Vec<(String, Option<String>)> {
    let is_place = |name: &str| places.iter().any(|(_, known)| known == name);
    let mut faults = Vec::new();
    let count = |all: &[(Place, String)], name: &str| all.iter().filter(|(_, known)| known == name).count();
    let in_braces = place::places(url);
    if let Some((_, name)) = places.iter().find(|(_, name)| count(&in_braces, name) > count(places, name)) {
        let help = Some("give the parameter another name".to_owned());
        faults.push((format!("`%7B{name}%7D` stands for itself, and `{name}` has a place as well"), help));
    }
    for (_, name) in places {
        if params.iter().all(|param| param.name != *name) {
            let meant = closest(name, params.iter().map(|param| param.name.as_str()));
            let help = meant.map_or_else(
                || "braces that stand for themselves are written %7B and %7D".to_owned(),
                |meant| format!("did you mean \"{{{meant}}}\"?"),
            );
            let help = Some(help);
            faults.push((format!("the endpoint has no parameter `{name}`"), help));
        }
    }
    if place::has_crowded_step(url, &is_place) {
        faults.push(("a step of the path has a place for one parameter".to_owned(), None));
    }
    let paired = place::paired(url, &is_place);
    for param in params {
        // What a base's address had a place for may stand in the body now.
        let at = places.iter().find(|(_, name)| *name == param.name).map(|(place, _)| *place);
        if !param.is_sent() {
            if at.is_some() {
                faults.push((format!("`{}` has a place in it, and `send = false`", param.name), None));
            }
            continue;
        }
        param.place = at.unwrap_or_default();
        if !param.place.is_usual() && param.kind.is_file() {
            faults.push((format!("`{}` is a file: an address has no room for it", param.name), None));
        }
        let may_be_left_out = !param.required && param.default.is_none();
        if may_be_left_out && paired.contains(&param.name) {
            let help = Some("give it a pair of its own, `required = true` or a default".to_owned());
            let fault = format!("`{}`, which shares a pair of the query, may be left out of a job", param.name);
            faults.push((fault, help));
        }
        if param.place != Place::Path {
            continue;
        }
        if may_be_left_out {
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
