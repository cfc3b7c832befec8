//! Books by a template, of this program or of the person who keeps them: each value is written so that whoever reads the file takes it for
//! one value, whatever a name or a prompt holds.

use std::borrow::Cow;
use std::io::{self, Write};

use minijinja::filters::tojson;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, HtmlEscape, UndefinedBehavior, context};
use strum::VariantNames as _;

use crate::csv_escape::neutralise;
use crate::error::Hinted;
use crate::fiat::Rate;
use crate::ledger::ReceiptRow;
use crate::money::Msat;

use super::books::{date, network, sats};
use super::csv_out::Rows;
use super::fiat_columns::FiatColumns;

/// Templates that come with the program: by which name, for which file, and the text.
const SHIPPED: [(&str, &str, &str); 2] = [
    ("hledger", "hledger.journal.j2", include_str!("../../templates/hledger.journal.j2")),
    ("beancount", "beancount.beancount.j2", include_str!("../../templates/beancount.beancount.j2")),
];
/// Endings that say only that it is a template.
const ENDINGS: [&str; 3] = ["j2", "jinja", "jinja2"];
/// Steps of a template, in all: a hundred for each of ten million settlements. Tests need not wait for so many.
const STEPS_MAX: u64 = if cfg!(test) { 1_000_000 } else { 1_000_000_000 };

/// What is written, and so how its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
enum Target {
    /// Each value is a cell.
    Csv,
    /// Each value is JSON.
    Json,
    /// Markup, of XML too.
    Html,
    /// A journal of hledger or Ledger: each value is a word within its line.
    Hledger,
    /// Each value is a string in quotes.
    Beancount,
    /// As it is.
    Text,
}

impl Target {
    /// What a file's ending stands for.
    fn of_ending(ending: &str) -> Option<Self> {
        Some(match ending.to_ascii_lowercase().as_str() {
            "csv" => Self::Csv,
            "json" => Self::Json,
            "html" | "htm" | "xml" => Self::Html,
            "journal" | "hledger" | "ledger" => Self::Hledger,
            "beancount" | "bean" => Self::Beancount,
            "txt" => Self::Text,
            _ => return None,
        })
    }

    /// A value as it is written. What is ours, or written already, stays as it is, and whatever else is text becomes one value of what is
    /// written.
    fn escaped(self, value: &Value) -> Result<String, Error> {
        if value.is_safe() {
            return Ok(value.to_string());
        }
        if self == Self::Json {
            return serde_json::to_string(value).map_err(|_| Error::new(ErrorKind::BadSerialization, "it is no JSON"));
        }
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => Ok(String::new()),
            ValueKind::Bool => Ok(value.is_true().to_string()),
            ValueKind::Number => Ok(value.to_string()),
            ValueKind::String => Ok(written(self, value.as_str().unwrap_or_default()).into_owned()),
            _ => {
                let why = "a list is written by a loop, and a settlement by its fields";
                Err(Error::new(ErrorKind::InvalidOperation, why))
            }
        }
    }

    /// A text of our own. It is marked as written only where it would be taken for a name else: what is joined to a marked text (`~`) is
    /// escaped by itself, and not as one value.
    fn own(self, text: String) -> Value {
        if self == Self::Json || written(self, &text) == text { text.into() } else { Value::from_safe_string(text) }
    }
}

/// Why a template is none, or cannot be filled in.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Nobody says what it makes.
    #[error("{name} does not say what it writes")]
    NoTarget {
        /// The template.
        name: String,
    },
    /// Its first line says something else.
    #[error("{name}:1: \"{target}\" is nothing that a template can write")]
    UnknownTarget {
        /// The template.
        name: String,
        /// What stands there.
        target: String,
    },
    /// It cannot be read, or what it asks for is not there.
    #[error("{name}:{line}: {problem}")]
    Wrong {
        /// The template.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// What it is filled in with cannot be read, or the file not be written.
    #[error("it cannot be written")]
    Io(#[from] io::Error),
}

impl Hinted for TemplateError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let targets = || Target::VARIANTS.join(", ");
        match self {
            Self::NoTarget { .. } => Some(
                format!(
                    "call it by that (books.csv.j2), or begin it with {{# target: csv #}}; there are {}",
                    targets()
                )
                .into(),
            ),
            Self::UnknownTarget { .. } => Some(format!("there are {}", targets()).into()),
            Self::Wrong { .. } => Some("docs/books.md lists what a template can ask for".into()),
            Self::Io(_) => None,
        }
    }
}

/// A template of books.
#[derive(Clone, Debug)]
pub struct BooksTemplate {
    name: String,
    text: Cow<'static, str>,
    target: Target,
}

impl BooksTemplate {
    /// The one of that name that comes with the program.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn shipped(name: &str) -> Option<Result<Self, TemplateError>> {
        let (_, file, text) = SHIPPED.iter().find(|(known, ..)| *known == name)?;
        Some(Self::of((*file).to_owned(), Cow::Borrowed(text)))
    }

    /// The names of those that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, ..)| *name)
    }

    /// A person's own, by its file's name and text.
    ///
    /// # Errors
    /// Where neither its first line nor its name says what it writes.
    pub fn new(name: String, text: String) -> Result<Self, TemplateError> {
        Self::of(name, Cow::Owned(text))
    }

    fn of(name: String, text: Cow<'static, str>) -> Result<Self, TemplateError> {
        let target = match declared(&text) {
            Some(target) => target
                .parse()
                .map_err(|_| TemplateError::UnknownTarget { name: name.clone(), target: target.to_owned() })?,
            None => {
                let mut endings = name.rsplit('.').skip_while(|ending| ENDINGS.contains(ending));
                let target = endings.next().and_then(Target::of_ending);
                target.ok_or_else(|| TemplateError::NoTarget { name: name.clone() })?
            }
        };
        Ok(Self { name, text, target })
    }

    /// Writes the books of a batch: `extra` are the `x_*` columns, which every settlement has.
    ///
    /// # Errors
    /// Where the template is none, asks for what is not there or for too much, or something cannot be read or written.
    pub fn write(
        &self,
        out: &mut dyn Write,
        batch: &str,
        extra: &[String],
        fiat: Option<FiatColumns<'_>>,
        rows: Rows<'_, ReceiptRow>,
    ) -> Result<(), TemplateError> {
        let mut settlements = Vec::new();
        let (mut currency, mut is_play) = (None, false);
        rows(&mut |row| {
            let rate = fiat.as_ref().and_then(|fiat| fiat.rate(row.paid_at));
            currency = rate.as_ref().map(|rate| rate.currency.to_string()).or(currency.take());
            is_play |= row.network.is_none();
            settlements.push(settlement(self.target, &row, extra, rate.as_ref()));
            Ok(())
        })?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(STEPS_MAX));
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| self.wrong(&error))?);
        let target = self.target;
        environment.add_filter("account", move |text: &str| target.own(account(text)));
        if !matches!(target, Target::Json | Target::Html) {
            environment.add_filter("tojson", json_text);
        }
        for name in ["e", "escape"] {
            environment.add_filter(name, move |value: &Value| target.escaped(value).map(Value::from_safe_string));
        }
        // What a macro or a block has written is escaped by then.
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("books".into()));
        environment.set_formatter(move |out, _, value| Ok(out.write_str(&target.escaped(value)?)?));
        let context = context! { batch, currency, is_play, settlements };
        let filled = environment.template_from_named_str(&self.name, &self.text).and_then(|one| one.render(context));
        let filled = filled.map_err(|error| self.wrong(&error))?;
        Ok(out.write_all(filled.as_bytes())?)
    }

    fn wrong(&self, error: &Error) -> TemplateError {
        let kind = error.kind().to_string();
        let problem = match error.kind() {
            ErrorKind::OutOfFuel => "it takes more steps than a template may".to_owned(),
            _ => error.detail().map_or(kind.clone(), |detail| format!("{kind}: {detail}")),
        };
        TemplateError::Wrong { name: self.name.clone(), line: error.line().unwrap_or(1), problem }
    }
}

/// What the first line of a template says that it writes: `{# target: csv #}`.
fn declared(text: &str) -> Option<&str> {
    let inside = text.lines().next()?.trim().strip_prefix("{#")?.strip_suffix("#}")?;
    Some(inside.trim_matches('-').trim().strip_prefix("target:")?.trim())
}

/// What a template can ask for of a settlement. Numbers of sats and figures are exact, and written as they are; what is not known is none.
fn settlement(target: Target, row: &ReceiptRow, extra: &[String], rate: Option<&Rate>) -> Value {
    let ours = |text: String| target.own(text);
    let total = row.fee.and_then(|fee| row.amount.checked_add(fee));
    let in_sats = |amount: Option<Msat>| Value::from(amount.map(|amount| ours(sats(amount).to_string())));
    let in_fiat = |amount: Option<Msat>| {
        let figure = rate.zip(amount).and_then(|(rate, amount)| rate.exact(amount));
        Value::from(figure.map(|figure| ours(figure.to_string())))
    };
    let of_rate = |tell: &dyn Fn(&Rate) -> Value| Value::from(rate.map(tell));
    let own = [
        ("batch", Value::from(&*row.batch)),
        ("id", Value::from(&*row.id)),
        ("take", Value::from(row.take)),
        ("kind", ours(row.kind.as_str().to_owned())),
        ("date", ours(date(row.paid_at))),
        ("at", ours(row.paid_at.rfc3339())),
        ("seller", Value::from(&*row.seller)),
        ("endpoint", Value::from(&*row.endpoint)),
        ("network", ours(network(row).to_owned())),
        ("payment_hash", ours(row.hash.hex())),
        ("amount_msat", Value::from(row.amount.get())),
        ("fee_msat", Value::from(row.fee.map(Msat::get))),
        ("total_msat", Value::from(total.map(Msat::get))),
        ("sats", in_sats(Some(row.amount))),
        ("fee_sats", in_sats(row.fee)),
        ("total_sats", in_sats(total)),
        ("fiat", in_fiat(Some(row.amount))),
        ("fee_fiat", in_fiat(row.fee)),
        ("total_fiat", in_fiat(total)),
        ("currency", of_rate(&|rate| ours(rate.currency.to_string()))),
        ("rate", of_rate(&|rate| ours(rate.price.to_string()))),
        ("rate_per_sat", in_fiat(Some(Msat::new(1_000)))),
        ("rate_at", of_rate(&|rate| ours(rate.at.rfc3339()))),
        ("rate_source", of_rate(&|rate| Value::from(&*rate.source))),
    ];
    let given = |name: &String| {
        let cell = row.extra.iter().find(|(known, _)| known == name);
        (name.clone(), Value::from(cell.map_or("", |(_, text)| text.as_str())))
    };
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    own.chain(extra.iter().map(given)).collect::<std::collections::BTreeMap<String, Value>>().into()
}

/// JSON within something else is a text as any other there.
fn json_text(value: &Value, indent: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    Ok(tojson(value, indent, named)?.as_str().unwrap_or_default().into())
}

fn written(target: Target, text: &str) -> Cow<'_, str> {
    match target {
        Target::Csv => cell(text).into(),
        Target::Html => HtmlEscape(text).to_string().into(),
        Target::Hledger => words(text).into(),
        Target::Beancount => quoted(text).into(),
        Target::Json | Target::Text => text.into(),
    }
}

/// A cell of a CSV, whatever stands between its cells.
fn cell(text: &str) -> String {
    let text = neutralise(text);
    if text.contains(['"', ',', ';', '\t', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

/// Words of a journal's line. There is no quoting in a journal: what would end the line or a name, or begin an amount, a date, a tag or a
/// remark, becomes `_`, and white space one blank.
fn words(text: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || " -_.+/&'".contains(c) { c } else { '_' };
    let words: Vec<String> = text.split_whitespace().map(|word| word.chars().map(kept).collect()).collect();
    words.join(" ")
}

/// A string of Beancount.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A part of an account's name, for every program that keeps accounts: `api.example` is `Api-example`.
fn account(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = text.chars().map(kept).collect();
    let mut name = name.trim_matches('-').to_owned();
    if name.is_empty() {
        name.push_str("Other");
    }
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

#[cfg(test)]
mod tests;
