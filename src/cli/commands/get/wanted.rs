//! What `get` is to buy, as a manifest of one job: everything that buys, shows and finishes a batch knows it then.

use std::path::Path;

use data_encoding::BASE32_NOPAD;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::catalog::{Catalog, Decimal, ParamKind, Structured};
use crate::cli::options::config::GetOptions;
use crate::cli::options::values::{Pair, RequestMethod};
use crate::cli::{CommandError, Failure};
use crate::diagnostic::closest;
use crate::manifest::{Format, Manifest, OpenOptions};
use crate::money::Sats;
use crate::terminal_text::printable;

/// Characters of a batch's name that tell one purchase from another.
const NAME_CHARS: usize = 16;
/// A body that is longer is not sent.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One purchase.
pub(super) struct Wanted {
    /// Of its batch, its job and, where there is one, its endpoint: the same for the same words, and no other's.
    pub(super) name: String,
    /// The endpoint that is made for an address, but for its price.
    endpoint: Option<Table>,
    job: Table,
}

impl Wanted {
    /// # Errors
    /// Where what is typed cannot be asked for.
    pub(super) fn of(options: &GetOptions, catalogs: &[std::path::PathBuf]) -> Result<Self, Failure> {
        let twice = |(at, pair): (usize, &Pair)| {
            options.params.iter().take(at).any(|known| known.key == pair.key).then(|| pair.key.clone())
        };
        if let Some(key) = options.params.iter().enumerate().find_map(twice) {
            return Err(CommandError::usage(format!("{} is given twice", printable(&key))).into());
        }
        if options.target.contains("://") {
            return Self::of_address(options);
        }
        if options.json.is_some() || options.method.is_some() {
            return Err(CommandError::usage("--json and --method go with an address, not with an endpoint").into());
        }
        let catalog = catalog(catalogs)?;
        let Some(endpoint) = catalog.get(&options.target) else {
            let known = closest(&options.target, catalog.iter().map(|endpoint| endpoint.name.as_str()));
            let hint = known.map_or_else(
                || "the command `catalog show` lists them; an address begins with https://".to_owned(),
                |known| format!("did you mean \"{known}\"?"),
            );
            let message = format!("unknown endpoint \"{}\"", printable(&options.target));
            return Err(CommandError::usage(message).hint(hint).into());
        };
        let kind = |name: &str| endpoint.param(name).map(|param| param.kind.clone());
        let params = options.params.iter().map(|pair| (pair.key.clone(), typed(kind(&pair.key), pair)));
        let params: Table = params.collect();
        // A picture is named from here; everything else is what was typed.
        let words = options.params.iter().map(|pair| match params.get(&pair.key) {
            Some(Value::String(text)) => (pair.key.as_str(), text.as_str()),
            _ => (pair.key.as_str(), pair.value.as_str()),
        });
        let name = name(&options.target, "", "", words.collect());
        Ok(Self::named(name, None, &options.target, params))
    }

    /// An address that no catalogue knows: what it answers with is the result.
    fn of_address(options: &GetOptions) -> Result<Self, Failure> {
        let json = options.json.as_deref().map(read_json).transpose()?;
        let body = json.clone().map(body).transpose()?;
        let method =
            match options.method.unwrap_or(if body.is_some() { RequestMethod::Post } else { RequestMethod::Get }) {
                RequestMethod::Get => "GET",
                RequestMethod::Post => "POST",
                RequestMethod::Put => "PUT",
            };
        let text = || Value::Table(Table::from_iter([("type".to_owned(), Value::from("text"))]));
        let mut endpoint = Table::from_iter([
            ("url".to_owned(), Value::from(options.target.as_str())),
            ("method".to_owned(), Value::from(method)),
            ("source".to_owned(), Value::from("get")),
            ("result".to_owned(), Value::Table(Table::from_iter([("body".to_owned(), Value::from(true))]))),
        ]);
        if !options.params.is_empty() {
            let params = options.params.iter().map(|pair| (pair.key.clone(), text()));
            endpoint.insert("params".to_owned(), Value::Table(params.collect()));
        }
        if let Some(body) = body {
            endpoint.insert("body".to_owned(), body);
        }
        let params = options.params.iter().map(|pair| (pair.key.clone(), Value::from(pair.value.as_str()))).collect();
        let words = options.params.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
        let json = json.map(|mut json| {
            json.sort_all_objects();
            json.to_string()
        });
        let name = name(&options.target, method, &json.unwrap_or_default(), words);
        Ok(Self::named(name, Some(endpoint), &options.target, params))
    }

    fn named(name: String, endpoint: Option<Table>, target: &str, params: Table) -> Self {
        let of = if endpoint.is_some() { name.as_str() } else { target };
        let mut job =
            Table::from_iter([("id".to_owned(), Value::from(name.as_str())), ("endpoint".to_owned(), Value::from(of))]);
        if !params.is_empty() {
            job.insert("params".to_owned(), Value::Table(params));
        }
        Self { name, endpoint, job }
    }

    /// Whether its price is nowhere but at its seller.
    pub(super) const fn is_address(&self) -> bool {
        self.endpoint.is_some()
    }

    /// The manifest, with what an address costs.
    pub(super) fn manifest(&self, price: Sats) -> String {
        let mut whole = Table::from_iter([
            ("version".to_owned(), Value::from(1)),
            ("name".to_owned(), Value::from(self.name.as_str())),
        ]);
        if let Some(mut endpoint) = self.endpoint.clone() {
            let sats = i64::try_from(price.get()).unwrap_or(i64::MAX);
            endpoint
                .insert("price".to_owned(), Value::Table(Table::from_iter([("sats".to_owned(), Value::from(sats))])));
            let of = Table::from_iter([(self.name.clone(), Value::Table(endpoint))]);
            whole.insert("endpoint".to_owned(), Value::Table(of));
        }
        whole.insert("job".to_owned(), Value::Array(vec![Value::Table(self.job.clone())]));
        format!("# Made by the command `get`.\n{whole}")
    }

    /// The same, read.
    pub(super) fn open(&self, price: Sats, path: &Path, catalogs: &[std::path::PathBuf]) -> Result<Manifest, Failure> {
        let options = OpenOptions {
            path: path.to_owned(),
            format: Some(Format::Toml),
            catalogs: catalogs.to_vec(),
            ..OpenOptions::default()
        };
        Manifest::open_from(&options, &mut self.manifest(price).as_bytes()).map_err(Failure::Input)
    }
}

/// The name of a purchase: of what was typed, whatever writes it down. Nothing of this may ever change, or the same words would buy anew.
fn name(target: &str, method: &str, json: &str, mut words: Vec<(&str, &str)>) -> String {
    words.sort_unstable();
    let pairs = words.into_iter().flat_map(|(key, value)| [key, value]);
    let mut hash = Sha256::new();
    for part in ["l402-batch get 1", target, method, json].into_iter().chain(pairs) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = BASE32_NOPAD.encode(&hash.finalize()).to_lowercase();
    format!("get-{}", hash.chars().take(NAME_CHARS).collect::<String>())
}

fn catalog(files: &[std::path::PathBuf]) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::builtin().map_err(Failure::Input)?;
    for file in files {
        catalog.read_file(file).map_err(Failure::Input)?;
    }
    Ok(catalog)
}

/// What is typed as a value of that kind, where it may be one: else it stays text, and is told to be none.
fn typed(kind: Option<ParamKind>, pair: &Pair) -> Value {
    let text = pair.value.as_str();
    let number = || text.parse::<i64>().ok().map(Value::from);
    let value = match kind {
        Some(ParamKind::Integer { .. } | ParamKind::IntegerOrText) => number(),
        // One of which the manifest's binary number would lose a digit stays text, and is told to be none.
        Some(ParamKind::Decimal { .. }) => text
            .parse::<f64>()
            .ok()
            .filter(|number| {
                Decimal::parse(text).is_some_and(|exact| Decimal::parse(&number.to_string()) == Some(exact))
            })
            .map(Value::from),
        Some(ParamKind::List | ParamKind::Object) => {
            Structured::parse(text).and_then(|json| Value::try_from(json.json()).ok())
        }
        Some(ParamKind::Boolean) => text.to_lowercase().parse::<bool>().ok().map(Value::from),
        // From here, wherever the manifest is.
        Some(ParamKind::Image | ParamKind::File { .. }) => std::path::absolute(text)
            .ok()
            .filter(|path| path.is_file())
            .and_then(|path| Some(Value::from(path.to_str()?))),
        Some(ParamKind::Text | ParamKind::Choice { .. }) | None => None,
    };
    value.unwrap_or_else(|| Value::from(text))
}

/// The body that is typed, or that stands in a file.
fn read_json(given: &str) -> Result<Json, Failure> {
    let text = match given.strip_prefix('@') {
        None => given.to_owned(),
        Some(file) => read(file).map_err(|error| CommandError::usage(format!("--json @{file}")).because(error))?,
    };
    let json: Map<String, Json> = serde_json::from_str(&text)
        .map_err(|error| CommandError::usage("--json: expected a JSON object, or @FILE with one").because(error))?;
    Ok(Json::Object(json))
}

/// The same, as a TOML table.
fn body(json: Json) -> Result<Value, Failure> {
    Ok(Value::try_from(json).map_err(|error| {
        CommandError::usage("--json: it holds null, or a number that no manifest can say; neither is sent yet")
            .because(error)
    })?)
}

fn read(file: &str) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file)?.take(BODY_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that changes is a purchase that is made anew.
    #[test]
    fn a_name_is_of_what_was_typed_and_never_changes() {
        let at = "https://api.example.com/quote";
        let of = [
            name(at, "GET", "", vec![("city", "Oslo"), ("unit", "c")]),
            name(at, "GET", "", vec![("unit", "c"), ("city", "Oslo")]),
            name(at, "POST", r#"{"a":1}"#, vec![]),
            name(at, "PUT", r#"{"a":1}"#, vec![]),
            name("generate-video", "", "", vec![("prompt", "kite")]),
            name("generate-video", "", "", vec![("prompt", "kit"), ("e", "")]),
        ];
        let (sorted, posted, put) = ("get-w5yvh5hb6phen4j6", "get-xz5at3tupuq5km4c", "get-lnrcgucsau5f27fi");
        assert_eq!(of, [sorted, sorted, posted, put, "get-nkywbi53vwf55t62", "get-xzj65pcx6szd5kmt"]);
    }
}
