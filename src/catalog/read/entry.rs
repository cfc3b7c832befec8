//! One `[endpoint.NAME]` table: a new endpoint, or the keys of a known one that it overrides.

use std::ops::Range;
use std::str::FromStr;

use strum::VariantNames;
use toml::Spanned;
use toml::de::DeTable;
use url::Url;

use crate::catalog::address::normal;
use crate::catalog::header::is_free;
use crate::catalog::nonce;
use crate::catalog::place::{places, written};

use super::reader::{Item, Key, Reader};
use super::{check, errors, params, price, request, template};
use crate::catalog::{
    AuthScheme, CredentialRule, Endpoint, ErrorRule, Header, Method, Param, PriceRule, RedeemRule, ResultRule,
    Template, Terms,
};
use crate::loopback::is_loopback;

const KEYS: [&str; 20] = [
    "url",
    "method",
    "source",
    "as_of",
    "dedup_window_s",
    "bypass_header",
    "nonce",
    "headers",
    "scheme",
    "redeem",
    "patience_s",
    "credential",
    "listing",
    "allow_http",
    "params",
    "body",
    "parts",
    "price",
    "result",
    "errors",
];
const RESULT_KEYS: [&str; 8] = ["url", "text", "body", "poll_url", "poll_interval_ms", "status", "done", "failed"];
/// Where answers usually say how far they are, and in which words, beside those that always mean "not yet".
const STATUS: [&str; 1] = ["/status"];
const DONE: [&str; 7] = ["completed", "complete", "succeeded", "success", "done", "finished", "ok"];
const FAILED: [&str; 5] = ["failed", "failure", "error", "cancelled", "canceled"];
const POLL_URL: [&str; 1] = ["/poll_url"];
/// Longest name of an endpoint, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Longest window of a service's cache that makes sense: a day, in seconds.
const DEDUP_WINDOW_S_MAX: i64 = 86_400;
/// Longest patience with a service: a year, in seconds.
const PATIENCE_S_MAX: i64 = 365 * 86_400;

/// Reads one entry over `base`, the endpoint of the same name where there is one. Nothing where anything is wrong.
pub(super) fn entry(
    reader: &mut Reader<'_>,
    key: &Key<'_>,
    item: &Item<'_>,
    base: Option<&Endpoint>,
    defined_in: &str,
    suggestion: Option<&str>,
) -> Option<Endpoint> {
    let name = key.get_ref().as_ref();
    let at = format!("endpoint.{name}");
    let before = reader.error_count();
    if !is_name(name) {
        let rule = format!("letters, digits, `-`, `_` and `.`, at most {NAME_CHARS_MAX}");
        reader.error(key.span(), format!("{at}: expected a name of {rule}"));
    }
    let table = reader.table(&at, item)?;
    known_keys(reader, &at, table);
    let entry = Entry { at, table, span: key.span(), base, defined_in };
    let allow_http = entry.allow_http(reader);
    let url = entry.url(reader, allow_http.unwrap_or(true), suggestion);
    let method = entry.method(reader);
    let dedup_window_s = entry.dedup_window(reader);
    let headers = entry.headers(reader);
    let bypass_header = entry.bypass_header(reader);
    if let (Some(headers), Some(Some(bypass))) = (&headers, &bypass_header) {
        entry.keep_apart(reader, headers, bypass);
    }
    let terms = entry.terms(reader, dedup_window_s);
    let listing = entry.listing(reader, url.as_ref(), allow_http.unwrap_or(true));
    let (source, as_of) = entry.origin(reader);
    let (params, params_whole) = entry.params(reader, url.as_ref());
    let (form, price, nonce) = if params_whole { entry.of_params(reader, method, &params) } else { Default::default() };
    let result = entry.result(reader, dedup_window_s);
    let errors = entry.errors(reader);
    if reader.error_count() > before {
        return None;
    }
    let (multipart, body) = form?;
    Some(Endpoint {
        name: name.to_owned(),
        url: url?,
        method: method?,
        params,
        multipart,
        body,
        price: price?,
        result: result?,
        errors: errors?,
        dedup_window_s: dedup_window_s?,
        bypass_header: bypass_header?,
        nonce: nonce?,
        headers: headers?,
        terms: terms?,
        listing: listing?,
        allow_http: allow_http?,
        source,
        as_of,
        defined_in: base.map_or_else(|| defined_in.to_owned(), |base| format!("{}, {defined_in}", base.defined_in)),
    })
}

fn known_keys(reader: &mut Reader<'_>, at: &str, table: &DeTable<'_>) {
    for (key, _) in table {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            reader.unknown_key(at, key, &KEYS);
        }
    }
}

/// Whether the body is multipart, and where parameters stand in it.
type Form = (bool, Option<Template>);
/// What depends on an entry's parameters: form, price and nonce, each none where it is wrong.
type OfParams = (Option<Form>, Option<PriceRule>, Option<Option<String>>);

/// An entry while it is read.
struct Entry<'e, 'i> {
    at: String,
    table: &'e DeTable<'i>,
    /// Where the entry begins: the place of what is missing.
    span: Range<usize>,
    base: Option<&'e Endpoint>,
    defined_in: &'e str,
}

impl<'i> Entry<'_, 'i> {
    fn item(&self, key: &str) -> Option<(String, &Item<'i>)> {
        self.table.get(key).map(|item| (format!("{}.{key}", self.at), item))
    }

    fn url(&self, reader: &mut Reader<'_>, allow_http: bool, suggestion: Option<&str>) -> Option<Url> {
        let (at, item) = match (self.item("url"), self.base) {
            (Some(found), _) => found,
            (None, Some(base)) => {
                if let Some(fault) = transport_fault(&base.url, allow_http) {
                    reader.error(self.span.clone(), format!("{}.url: {fault}", self.at));
                }
                return Some(base.url.clone());
            }
            (None, None) => {
                let help = suggestion.map(|known| format!("to override a known endpoint: did you mean `{known}`?"));
                reader.error_with(self.span.clone(), format!("{}: a new endpoint needs `url`", self.at), help);
                return None;
            }
        };
        let text = reader.text(&at, item)?;
        let url = match Url::parse(&text) {
            Ok(url) => normal(url),
            Err(error) => {
                reader.error(item.span(), format!("{at}: expected an absolute URL ({error})"));
                return None;
            }
        };
        match url_fault(&url).or_else(|| transport_fault(&url, allow_http)) {
            Some(fault) => {
                reader.error(item.span(), format!("{at}: {fault}"));
                None
            }
            None => Some(url),
        }
    }

    fn allow_http(&self, reader: &mut Reader<'_>) -> Option<bool> {
        match self.item("allow_http") {
            Some((at, item)) => reader.boolean(&at, item),
            None => Some(self.base.is_some_and(|base| base.allow_http)),
        }
    }

    fn method(&self, reader: &mut Reader<'_>) -> Option<Method> {
        let Some((at, item)) = self.item("method") else {
            return Some(self.base.map_or(Method::Post, |base| base.method));
        };
        match item.get_ref().as_str() {
            Some("POST") => Some(Method::Post),
            Some("PUT") => Some(Method::Put),
            Some("GET") => Some(Method::Get),
            Some(_) | None => {
                reader.expected(&at, item, "\"POST\", \"PUT\" or \"GET\"");
                None
            }
        }
    }

    fn dedup_window(&self, reader: &mut Reader<'_>) -> Option<u32> {
        match self.item("dedup_window_s") {
            Some((at, item)) => {
                reader.integer(&at, item, 0..=DEDUP_WINDOW_S_MAX).and_then(|seconds| u32::try_from(seconds).ok())
            }
            None => Some(self.base.map_or(0, |base| base.dedup_window_s)),
        }
    }

    /// An address to read without payment; an empty one says that there is none.
    fn listing(&self, reader: &mut Reader<'_>, url: Option<&Url>, allow_http: bool) -> Option<Option<String>> {
        let Some((at, item)) = self.item("listing") else {
            return Some(self.base.and_then(|base| base.listing.clone()));
        };
        let Some(text) = item.get_ref().as_str() else {
            reader.expected(&at, item, "a URL, or a path on the endpoint's host");
            return None;
        };
        if text.is_empty() {
            return Some(None);
        }
        // Without the endpoint's own address there is an error already.
        let fault = match url?.join(text) {
            Ok(url) => url_fault(&url).or_else(|| transport_fault(&url, allow_http)).map(str::to_owned),
            Err(error) => Some(format!("expected a URL, or a path on the endpoint's host ({error})")),
        };
        match fault {
            Some(fault) => {
                reader.error(item.span(), format!("{at}: {fault}"));
                None
            }
            None => Some(Some(text.to_owned())),
        }
    }

    /// Name by name over the base's.
    fn headers(&self, reader: &mut Reader<'_>) -> Option<Vec<Header>> {
        let base = self.base.map(|base| base.headers.as_slice()).unwrap_or_default();
        match self.item("headers") {
            Some((at, item)) => request::headers(reader, &at, item, base),
            None => Some(base.to_vec()),
        }
    }

    /// Where each parameter goes, by the places in the address.
    fn place_params(&self, reader: &mut Reader<'_>, url: &Url, params: &mut [Param]) {
        let span = self.table.get("url").map_or_else(|| self.span.clone(), Spanned::span);
        let text = self.table.get("url").and_then(|item| item.get_ref().as_str());
        let of_base = |name: &str| self.base.is_some_and(|base| base.has_place(name));
        let places = text.map_or_else(|| places(url).into_iter().filter(|(_, name)| of_base(name)).collect(), written);
        for (fault, help) in request::place_params(params, url, &places) {
            reader.error_with(span.clone(), format!("{}.url: {fault}", self.at), help);
        }
    }

    /// The name of a header; an empty one says that there is none.
    fn bypass_header(&self, reader: &mut Reader<'_>) -> Option<Option<String>> {
        let Some((at, item)) = self.item("bypass_header") else {
            return Some(self.base.and_then(|base| base.bypass_header.clone()));
        };
        match item.get_ref().as_str() {
            Some("") => Some(None),
            Some(name) if is_free(name) && !name.eq_ignore_ascii_case("accept") => Some(Some(name.to_owned())),
            Some(_) | None => {
                reader.expected(&at, item, "the name of a header of the service's own, or \"\" for none");
                None
            }
        }
    }

    /// What bypasses a cache, whoever named it, is none of the headers that go with each request.
    fn keep_apart(&self, reader: &mut Reader<'_>, headers: &[Header], bypass: &str) {
        if headers.iter().any(|header| header.name.eq_ignore_ascii_case(bypass)) {
            let named = ["bypass_header", "headers"].into_iter().find_map(|key| self.item(key));
            let span = named.map_or_else(|| self.span.clone(), |(_, item)| item.span());
            let message =
                format!("{}.bypass_header: `headers` names it as well: it would go with each request", self.at);
            reader.error_unseen(span, message, None);
        }
    }

    /// One of the words of a list, where the key stands.
    fn word<T: FromStr + VariantNames>(&self, reader: &mut Reader<'_>, key: &str) -> Option<Option<T>> {
        let Some((at, item)) = self.item(key) else { return Some(None) };
        let known = item.get_ref().as_str().and_then(|word| word.parse().ok());
        if known.is_none() {
            let words: Vec<String> = T::VARIANTS.iter().map(|word| format!("{word:?}")).collect();
            reader.expected(&at, item, &words.join(" or "));
        }
        known.map(Some)
    }

    /// How the service deals with whoever pays, key by key over the base's.
    fn terms(&self, reader: &mut Reader<'_>, dedup_window_s: Option<u32>) -> Option<Terms> {
        let base = self.base.map_or_else(Terms::default, |base| base.terms);
        let scheme = self.word::<AuthScheme>(reader, "scheme");
        let redeem = self.word::<RedeemRule>(reader, "redeem");
        let patience_s = match self.item("patience_s") {
            Some((at, item)) => reader.integer(&at, item, 0..=PATIENCE_S_MAX).and_then(|s| u32::try_from(s).ok()),
            None => Some(base.patience_s),
        };
        let credential = self.word::<CredentialRule>(reader, "credential");
        let terms = Terms {
            scheme: scheme?.or(base.scheme),
            redeem: redeem?.unwrap_or(base.redeem),
            patience_s: patience_s?,
            credential: credential?.unwrap_or(base.credential),
        };
        self.keep_single(reader, terms, dedup_window_s.unwrap_or_default());
        Some(terms)
    }

    /// What a token that serves many requests cannot go with: a charge is one charge, and whether equal answers come from a cache tells
    /// nobody what was bought.
    fn keep_single(&self, reader: &mut Reader<'_>, terms: Terms, dedup_window_s: u32) {
        if terms.credential != CredentialRule::Reusable {
            return;
        }
        let named = |key: &str| ["credential", key].into_iter().find_map(|key| self.item(key));
        let mut fault = |key: &str, why: &str, help: &str| {
            let span = named(key).map_or_else(|| self.span.clone(), |(_, item)| item.span());
            reader.error_with(span, format!("{}.credential: {why}", self.at), Some(help.to_owned()));
        };
        if terms.scheme == Some(AuthScheme::Payment) {
            let help = "leave `credential` out, or pay by `scheme = \"l402\"`";
            fault("scheme", "a charge of the Payment scheme is one charge: it cannot be \"reusable\"", help);
        }
        if dedup_window_s > 0 {
            let help = "where the service makes each request anew, say `dedup_window_s = 0`";
            let why = "what is \"reusable\" has no cache of identical requests (`dedup_window_s`)";
            fault("dedup_window_s", why, help);
        }
    }

    /// The document, and its day. A price that is overridden is no longer the base document's: unless the entry names
    /// its own, it is the file's.
    fn origin(&self, reader: &mut Reader<'_>) -> (String, String) {
        let base = self.base.filter(|_| self.table.get("price").is_none());
        let source = self.item("source").and_then(|(at, item)| reader.text(&at, item));
        let source_named = source.is_some();
        let source =
            source.unwrap_or_else(|| base.map_or_else(|| self.defined_in.to_owned(), |base| base.source.clone()));
        let as_of = match self.item("as_of") {
            Some((at, item)) => day(reader, &at, item).unwrap_or_default(),
            None if source_named => String::new(),
            None => base.map(|base| base.as_of.clone()).unwrap_or_default(),
        };
        (source, as_of)
    }

    /// The base's parameters, each replaced by the entry's of the same name; then those that are new. False where one had
    /// to be left out.
    fn params(&self, reader: &mut Reader<'_>, url: Option<&Url>) -> (Vec<Param>, bool) {
        let (mut params, whole) = self.merged_params(reader);
        if let (Some(url), true) = (url, whole) {
            self.place_params(reader, url, &mut params);
        }
        (params, whole)
    }

    fn merged_params(&self, reader: &mut Reader<'_>) -> (Vec<Param>, bool) {
        let mut merged = self.base.map(|base| base.params.clone()).unwrap_or_default();
        let Some((at, item)) = self.item("params") else { return (merged, true) };
        let Some(table) = reader.table(&at, item) else { return (merged, false) };
        let (params, whole) = params::params(reader, &at, table);
        for param in params {
            match merged.iter_mut().find(|known| known.name == param.name) {
                Some(known) => *known = param,
                None => merged.push(param),
            }
        }
        (merged, whole)
    }

    /// What depends on the parameters: the body's form, the price, and what tells takes apart.
    fn of_params(&self, reader: &mut Reader<'_>, method: Option<Method>, params: &[Param]) -> OfParams {
        let (form, price) = (self.form(reader, method, params), self.price(reader, params));
        let nonce = self.nonce(reader, params, price.as_ref());
        (form, price, nonce)
    }

    /// Whether the body is multipart, and where parameters stand in it; one that is overridden, or new, still needs a place in the base's.
    fn form(&self, reader: &mut Reader<'_>, method: Option<Method>, params: &[Param]) -> Option<Form> {
        let of_base = || self.base.map_or((false, None), |base| (base.multipart, base.body.clone()));
        let named = ["body", "parts"].into_iter().filter_map(|key| self.table.get_key_value(key)).collect::<Vec<_>>();
        let (key, span) =
            named.first().map_or(("body", self.span.clone()), |(key, _)| (key.get_ref().as_ref(), key.span()));
        let at = format!("{}.{key}", self.at);
        let form = match named.as_slice() {
            [] => of_base(),
            [(_, item)] if key == "parts" => (true, Some(template::parts(reader, &at, item, params)?)),
            [(_, item)] if item.get_ref().as_str() == Some("multipart") => (true, None),
            [(_, item)] => (false, Some(template::template(reader, &at, item, params)?)),
            _ => {
                reader.error(span, format!("{at}: `parts` says what `body` would: leave one of the two out"));
                return None;
            }
        };
        let has_body = form.0 || form.1.is_some();
        let bodiless = method.filter(|_| has_body).and_then(request::bodiless).map(str::to_owned);
        let unplaced = || form.1.as_ref().and_then(|template| template::unplaced(template, params));
        if let Some(fault) = bodiless.or_else(unplaced) {
            reader.error(span, format!("{at}: {fault}"));
            return None;
        }
        Some(form)
    }

    fn price(&self, reader: &mut Reader<'_>, params: &[Param]) -> Option<PriceRule> {
        let at = format!("{}.price", self.at);
        let (rule, span) = match (self.table.get_key_value("price"), self.base) {
            (Some((key, item)), _) => (price::price(reader, &at, item, params)?, key.span()),
            (None, Some(base)) => (base.price.clone(), self.span.clone()),
            (None, None) => {
                let help = Some("write `price = { sats = 100 }`, or a rate with `quantity`".to_owned());
                reader.error_with(self.span.clone(), format!("{}: a new endpoint needs `price`", self.at), help);
                return None;
            }
        };
        let faults = check::price_rule(&rule, params);
        for fault in &faults {
            reader.error(span.clone(), format!("{at}: {fault}"));
        }
        faults.is_empty().then_some(rule)
    }

    /// The name of a parameter that tells takes apart; an empty one says that there is none.
    fn nonce(&self, reader: &mut Reader<'_>, params: &[Param], price: Option<&PriceRule>) -> Option<Option<String>> {
        let at = format!("{}.nonce", self.at);
        let (name, span) = match (self.item("nonce"), self.base.and_then(|base| base.nonce.clone())) {
            (Some((_, item)), _) => match item.get_ref().as_str() {
                Some(name) => (name.trim().to_owned(), item.span()),
                None => {
                    reader.expected(&at, item, "the name of a parameter, or \"\" for none");
                    return None;
                }
            },
            (None, Some(name)) => (name, self.span.clone()),
            (None, None) => return Some(None),
        };
        if name.is_empty() {
            return Some(None);
        }
        match nonce::fault(&name, params, price) {
            Some((fault, help)) => {
                reader.error_with(span, format!("{at}: {fault}"), help);
                None
            }
            None => Some(Some(name)),
        }
    }

    /// Code by code over the base's.
    fn errors(&self, reader: &mut Reader<'_>) -> Option<Vec<ErrorRule>> {
        let base = self.base.map(|base| base.errors.as_slice()).unwrap_or_default();
        let Some((at, item)) = self.item("errors") else { return Some(base.to_vec()) };
        let table = reader.table(&at, item)?;
        errors::errors(reader, &at, table, base)
    }

    /// Key by key over the base's.
    fn result(&self, reader: &mut Reader<'_>, dedup_window_s: Option<u32>) -> Option<ResultRule> {
        let mut rule = self.base.map(|base| base.result.clone()).unwrap_or_else(no_result);
        let mut named: Vec<&str> = Vec::new();
        if let Some((at, item)) = self.item("result") {
            let table = reader.table(&at, item)?;
            named.extend(table.iter().map(|(key, _)| key.get_ref().as_ref()));
            for (key, item) in table {
                let field = match key.get_ref().as_ref() {
                    "body" => {
                        rule.body = reader.boolean(&format!("{at}.body"), item)?;
                        continue;
                    }
                    "text" => &mut rule.text,
                    "url" => &mut rule.url,
                    "poll_url" => &mut rule.poll_url,
                    "poll_interval_ms" => &mut rule.poll_interval_ms,
                    "status" => &mut rule.status,
                    "done" => &mut rule.done,
                    "failed" => &mut rule.failed,
                    _ => {
                        reader.unknown_key(&at, key, &RESULT_KEYS);
                        continue;
                    }
                };
                let (words, each) = match key.get_ref().as_ref() {
                    "done" | "failed" => (true, 0),
                    "url" | "text" => (false, 1),
                    _ => (false, 0),
                };
                *field = texts(reader, &format!("{at}.{}", key.get_ref()), item, (words, each))?;
            }
        }
        if rule.url.is_empty() && rule.text.is_empty() && !rule.body {
            let message = format!("{}: `result` is missing: where the answer holds what was bought", self.at);
            let help = "write `result = { url = [\"/url\"] }`, with `text = [\"/text\"]` for text in the answer, or `body = true` for the answer itself";
            let help = Some(help.to_owned());
            reader.error_with(self.span.clone(), message, help);
            return None;
        }
        if !rule.text.is_empty() || rule.body {
            if let Some(1..) = dedup_window_s {
                let what =
                    "what is sold as the answer itself cannot be told from a cached one: equal answers may both be new";
                let help = Some("write `dedup_window_s = 0`".to_owned());
                reader.error_with(self.span.clone(), format!("{}: {what}", self.at), help);
            }
            usual_words(&mut rule, |key| named.contains(&key));
        }
        Some(rule)
    }
}

/// What is sold as the answer itself must not be taken for it before it is done, or where it went wrong: the usual words for that, where the
/// entry names none of its own.
fn usual_words(rule: &mut ResultRule, is_named: impl Fn(&str) -> bool) {
    let fields = [
        ("status", &mut rule.status, &STATUS[..]),
        ("done", &mut rule.done, &DONE),
        ("failed", &mut rule.failed, &FAILED),
        ("poll_url", &mut rule.poll_url, &POLL_URL),
    ];
    for (key, field, usual) in fields {
        if field.is_empty() && !is_named(key) {
            *field = usual.iter().map(|word| (*word).to_owned()).collect();
        }
    }
}

const fn no_result() -> ResultRule {
    ResultRule {
        url: Vec::new(),
        poll_url: Vec::new(),
        poll_interval_ms: Vec::new(),
        status: Vec::new(),
        done: Vec::new(),
        failed: Vec::new(),
        text: Vec::new(),
        body: false,
    }
}

/// A list of words, or of JSON pointers, in each of which so many steps may be `*`.
fn texts(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, (words, each): (bool, usize)) -> Option<Vec<String>> {
    let texts = reader.texts(at, item)?;
    for (text, span) in &texts {
        if !words && !is_pointer(text) {
            let help = Some("RFC 6901: each step begins with `/`; `~` is written `~0`, `/` in a name `~1`".to_owned());
            reader.error_with(span.clone(), format!("{at}: expected a JSON pointer like \"/url\", got {text:?}"), help);
        } else if !words && text.split('/').filter(|step| *step == "*").count() > each {
            let help = Some("`*` stands for each element of one list, in `url` and `text`: \"/data/*/url\"".to_owned());
            reader.error_with(span.clone(), format!("{at}: {text:?} has a step `*` too many"), help);
        }
    }
    Some(texts.into_iter().map(|(text, _)| text).collect())
}

fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(fits)
}

/// A day as TOML's own date or as text.
fn day(reader: &mut Reader<'_>, at: &str, item: &Item<'_>) -> Option<String> {
    let text = match (item.get_ref().as_datetime(), item.get_ref().as_str()) {
        (Some(date), _) => date.to_string(),
        (None, Some(text)) => text.trim().to_owned(),
        (None, None) => String::new(),
    };
    let is_day = text.len() == "2026-11-20".len() && text.parse::<jiff::civil::Date>().is_ok();
    if !is_day {
        reader.expected(at, item, "a day, `2026-11-20`");
        return None;
    }
    Some(text)
}

fn url_fault(url: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        Some("expected an https URL")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("a URL with a user name or password is not taken: it would be shown and stored")
    } else if url.host_str().is_some_and(|host| host.contains(['{', '}'])) {
        Some("a value never says where a request goes: places are in the path and in the query")
    } else if url.fragment().is_some() {
        Some("a URL with `#` is not taken: that part is never sent")
    } else {
        None
    }
}

/// Plain http is for loopback only, unless it is allowed by name.
fn transport_fault(url: &Url, allow_http: bool) -> Option<&'static str> {
    (url.scheme() == "http" && !is_loopback(url) && !allow_http).then_some(
        "plain http would show the request and the credential to anyone on the way; use https, or set `allow_http = true`",
    )
}
