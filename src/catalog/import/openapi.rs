//! OpenAPI 3: each operation that is paid for, by `x-payment-info` or an answer 402.

use serde_json::{Map, Value as Json};
use url::Url;

use super::cost::{self, Cost};
use super::document::Document;
use super::inputs::Inputs;
use super::lack::Lack;
use super::offer::{Entry, Offer, address, method, results};
use crate::catalog::Method;

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// Reads each paid operation. `base`: where the document stands.
pub(super) fn entries(document: &Document<'_>, base: Option<&Url>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (path, item) in document.root.get("paths").and_then(Json::as_object).into_iter().flatten() {
        let Ok(item) = document.resolved(item) else { continue };
        for (word, operation) in item.as_object().into_iter().flatten() {
            let is_paid = operation.get("x-payment-info").is_some() || operation.pointer("/responses/402").is_some();
            if METHODS.contains(&word.as_str()) && is_paid {
                let called = operation.get("operationId").and_then(Json::as_str).unwrap_or(path).to_owned();
                let offer = Operation { document, item, operation, path, word }.offer(base);
                entries.push(Entry { at: format!("{} {path}", word.to_uppercase()), called, offer });
            }
        }
    }
    entries
}

struct Operation<'d, 'o> {
    document: &'o Document<'d>,
    item: &'d Json,
    operation: &'d Json,
    path: &'d str,
    word: &'d str,
}

impl<'d> Operation<'d, '_> {
    fn offer(&self, base: Option<&Url>) -> Result<Offer, Lack> {
        let method = method(self.word)?;
        self.check_authentication()?;
        let site = self.site(base)?;
        let mut inputs = Inputs::default();
        self.add_parameters(&mut inputs, method)?;
        self.add_body(&mut inputs, method)?;
        inputs.place_in(self.path);
        let cost = match self.operation.get("x-payment-info") {
            Some(info) => cost::of_payment_info(info, |name| inputs.fields.iter().any(|field| field.name == name))?,
            None => Cost::Unknown(String::new()),
        };
        let text = |key| self.operation.get(key).and_then(Json::as_str);
        let url = address(self.path, site.as_ref())?;
        Ok(Offer {
            url,
            method,
            says_method: true,
            about: text("summary").or_else(|| text("description")).unwrap_or_default().to_owned(),
            inputs,
            cost,
            results: results(self.document, self.answer()),
        })
    }

    /// The site of the operation: the first server that it, its path or the document names; else where the document stands.
    fn site(&self, base: Option<&Url>) -> Result<Option<Url>, Lack> {
        let named = [self.operation, self.item, self.document.root];
        let server = named.iter().find_map(|within| within.pointer("/servers/0"));
        let Some(text) = server.and_then(|server| server.get("url")).and_then(Json::as_str) else {
            return Ok(base.map(root_of));
        };
        let mut text = text.to_owned();
        let variables = server.and_then(|server| server.get("variables")).and_then(Json::as_object);
        for (name, variable) in variables.into_iter().flatten() {
            let value = variable.get("default").and_then(Json::as_str).unwrap_or_default();
            text = text.replace(&format!("{{{name}}}"), value);
        }
        let joined = match base {
            Some(base) => base.join(&text).ok(),
            None => Url::parse(&text).ok(),
        };
        joined.filter(Url::has_host).map(Some).ok_or(Lack::Relative(text))
    }

    /// Credentials besides those that are paid for.
    fn check_authentication(&self) -> Result<(), Lack> {
        let asked = self.operation.get("security").or_else(|| self.document.root.get("security"));
        let ways: Vec<&Map<String, Json>> =
            asked.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object).collect();
        let mut lacking = Vec::new();
        for way in &ways {
            let others: Vec<&String> = way.keys().filter(|name| !self.is_paid_for(name)).collect();
            if others.is_empty() {
                return Ok(());
            }
            lacking.extend(others.into_iter().cloned());
        }
        if ways.is_empty() { Ok(()) } else { Err(Lack::Authentication(lacking.join(" or "))) }
    }

    fn is_paid_for(&self, name: &str) -> bool {
        let schemes = self.document.root.pointer("/components/securitySchemes");
        let scheme = schemes.and_then(|schemes| schemes.get(name)).and_then(|scheme| scheme.get("scheme"));
        let word = scheme.and_then(Json::as_str).unwrap_or_default().to_ascii_lowercase();
        ["l402", "lsat", "payment"].contains(&word.as_str())
    }

    fn add_parameters(&self, inputs: &mut Inputs, method: Method) -> Result<(), Lack> {
        let mut all: Vec<&Json> = Vec::new();
        // An operation's own stand for those of its path.
        for within in [self.operation, self.item] {
            for parameter in within.get("parameters").and_then(Json::as_array).into_iter().flatten() {
                let parameter = self.document.resolved(parameter)?;
                let is_same = |known: &&Json| ["name", "in"].iter().all(|key| known.get(*key) == parameter.get(*key));
                if !all.iter().any(is_same) {
                    all.push(parameter);
                }
            }
        }
        for parameter in all {
            self.add_parameter(inputs, parameter, method)?;
        }
        Ok(())
    }

    /// Where a parameter may stand: the one place that requests of that method have for it.
    fn add_parameter(&self, inputs: &mut Inputs, parameter: &'d Json, method: Method) -> Result<(), Lack> {
        let name = parameter.get("name").and_then(Json::as_str).unwrap_or_default();
        let required = parameter.get("required") == Some(&Json::Bool(true));
        let (place, fits) = match parameter.get("in").and_then(Json::as_str) {
            Some("query") if method == Method::Get => ("query", true),
            Some("query") => ("query beside a body", false),
            Some("path") => ("path", self.path.contains(&format!("{{{name}}}"))),
            Some("header") => ("headers", false),
            Some("cookie") => ("cookies", false),
            Some(_) | None => ("request, nobody knows where", false),
        };
        if fits {
            let mut schema = parameter.get("schema").cloned().unwrap_or(Json::Null);
            if let (Some(schema), Some(about)) = (schema.as_object_mut(), parameter.get("description")) {
                schema.entry("description").or_insert_with(|| about.clone());
            }
            return inputs.add_field(self.document, name, &schema, required);
        }
        let lack = Lack::Place(name.to_owned(), place);
        if required {
            return Err(lack);
        }
        inputs.dropped.push(lack);
        Ok(())
    }

    fn add_body(&self, inputs: &mut Inputs, method: Method) -> Result<(), Lack> {
        let Some(body) = self.operation.get("requestBody") else { return Ok(()) };
        let body = self.document.resolved(body)?;
        let required = body.get("required") == Some(&Json::Bool(true));
        if method == Method::Get {
            if required {
                return Err(Lack::GetWithBody);
            }
            inputs.dropped.push(Lack::GetWithBody);
            return Ok(());
        }
        json_of(body)?.map_or(Ok(()), |schema| inputs.add_body(self.document, schema))
    }

    /// The schema of a successful answer.
    fn answer(&self) -> Option<&'d Json> {
        let responses = self.operation.get("responses")?;
        let named = ["200", "201", "202", "2XX", "default"].iter().find_map(|status| responses.get(*status))?;
        json_of(self.document.resolved(named).ok()?).ok()?
    }
}

/// The schema of what is JSON.
fn json_of(body: &Json) -> Result<Option<&Json>, Lack> {
    let Some(content) = body.get("content").and_then(Json::as_object) else { return Ok(None) };
    let is_json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind == "application/json" || kind == "*/*" || kind.ends_with("+json")
    };
    match content.iter().find(|(kind, _)| is_json(kind)) {
        Some((_, media)) => Ok(media.get("schema")),
        None if content.is_empty() => Ok(None),
        None => Err(Lack::Body(content.keys().cloned().collect::<Vec<_>>().join(" or "))),
    }
}

/// The site of an address.
pub(super) fn root_of(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("/");
    root.set_query(None);
    root.set_fragment(None);
    root
}
