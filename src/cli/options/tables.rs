//! The tables of the configuration file: what no flag, variable or manifest can say.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use url::Url;

use crate::catalog::origin_of;
use crate::diagnostic::{Diagnostic, SourceText, closest};
use crate::manifest::OriginLimits;
use crate::money::Sats;

mod secrets;

pub(in crate::cli) use secrets::{SecretEntry, SecretFrom};

use crate::cli::options::{Anchor, values};

/// Their names.
pub(in crate::cli) const NAMES: [&str; 2] = ["origin", "secret"];

/// What they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Tables {
    /// `[origin."HOST"]`: what single origins may get.
    pub(in crate::cli) origins: BTreeMap<String, OriginLimits>,
    /// `[secret.NAME]`: what goes in the head of requests, by name.
    pub(in crate::cli) secrets: BTreeMap<String, SecretEntry>,
}

impl Tables {
    /// Only one source has any.
    pub(super) fn over(self, lower: Self) -> Self {
        if self == Self::default() { lower } else { self }
    }
}

impl Tables {
    /// Gives the paths in them another beginning.
    pub(super) fn anchor(&mut self, anchored: &Anchor<'_>) {
        for entry in self.secrets.values_mut() {
            if let SecretFrom::File(path) = &mut entry.from {
                *path = anchored(path);
            }
        }
    }
}

/// Whether that key is one of them.
pub(super) fn is_table(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Reads one of them; each error has its place.
pub(super) fn read(
    tables: &mut Tables,
    source: &SourceText,
    (name, value): (&str, &Spanned<DeValue<'_>>),
    wrong: &mut Vec<Diagnostic>,
) {
    let Some(entries) = value.get_ref().as_table() else {
        let error = Diagnostic::error("", format!("{name}: expected tables, each with a name"));
        let mut place = source.place(value.span());
        place.text.clear();
        wrong.push(error.at(place).help("for instance [origin.\"api.example.com\"], or [secret.NAME]"));
        return;
    };
    if name == "secret" {
        secrets::read(&mut tables.secrets, source, entries, wrong);
        return;
    }
    for (host, value) in entries {
        match (origin(host.get_ref()), value.get_ref().as_table()) {
            (Err(error), _) => {
                wrong.push(Diagnostic::error("", format!("origin: {error}")).at(source.place(host.span())));
            }
            (Ok(origin), None) => {
                let words = format!("origin.\"{origin}\": expected a table of limits");
                wrong.push(Diagnostic::error("", words).at(source.place(value.span())));
            }
            (Ok(origin), Some(table)) => {
                let limits = limits(source, (&origin, table), wrong);
                if tables.origins.insert(origin.clone(), limits).is_some() {
                    let words = format!("origin: {origin} stands there twice");
                    wrong.push(Diagnostic::error("", words).at(source.place(host.span())));
                }
            }
        }
    }
}

/// A host, with the port where it is not the usual one of `https`, as an origin is known by.
///
/// # Errors
/// In words, where it is none.
pub(in crate::cli) fn origin(text: &str) -> Result<String, String> {
    let expected = || {
        format!(
            "\"{text}\" is no host: write it as \"api.example.com\", or \"api.example.com:8443\" where the port is not 443"
        )
    };
    // Which scheme's usual port it is nobody says, and an origin is known without it: it would stand for no origin at all.
    if text.ends_with(":80") || text.ends_with(":443") {
        return Err(format!("\"{text}\": write the host without the port, which is the usual one of http or https"));
    }
    let is_bare = !text.contains(['/', '?', '#', '@', '\\']) && text.trim() == text;
    // What is not the usual port of one scheme may be that of the other.
    let urls = is_bare.then(|| ["https", "http"].map(|scheme| Url::parse(&format!("{scheme}://{text}/"))));
    match urls {
        Some([Ok(https), Ok(_)]) if https.host().is_some() => Ok(origin_of(&https)),
        Some(_) | None => Err(expected()),
    }
}

type Set = fn(&mut OriginLimits, Sats);

const KEYS: [(&str, Set); 3] = [
    ("max_sats_per_job", |limits, sats| limits.max_sats_per_job = Some(sats)),
    ("max_sats_per_day", |limits, sats| limits.max_sats_per_day = Some(sats)),
    ("max_sats_per_month", |limits, sats| limits.max_sats_per_month = Some(sats)),
];

fn limits(source: &SourceText, (origin, table): (&str, &DeTable<'_>), wrong: &mut Vec<Diagnostic>) -> OriginLimits {
    let mut limits = OriginLimits::default();
    for (key, value) in table {
        let Some((name, set)) = KEYS.iter().find(|(known, _)| *known == key.get_ref()) else {
            wrong.push(unknown(origin, key).at(source.place(key.span())));
            continue;
        };
        match sats(value.get_ref()) {
            Ok(sats) => set(&mut limits, sats),
            Err(error) => {
                let words = format!("origin.\"{origin}\".{name}: {error}");
                wrong.push(Diagnostic::error("", words).at(source.place(value.span())));
            }
        }
    }
    limits
}

fn unknown(origin: &str, key: &Spanned<DeString<'_>>) -> Diagnostic {
    let known = KEYS.map(|(name, _)| name);
    let name = key.get_ref();
    Diagnostic::error("", format!("origin.\"{origin}\": unknown key \"{name}\"")).help(match closest(name, known) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("the keys are {}", known.join(", ")),
    })
}

fn sats(value: &DeValue<'_>) -> Result<Sats, String> {
    match value {
        DeValue::String(text) => values::sats(text),
        DeValue::Integer(number) if number.radix() == 10 => values::sats(&number.to_string()),
        DeValue::Integer(_)
        | DeValue::Boolean(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => Err("expected a whole number of sats".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_host_and_a_port_that_is_not_the_usual_one() {
        for (text, known_by) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.com", "api.example.com"),
            ("api.example.com:8443", "api.example.com:8443"),
            ("127.0.0.1:4711", "127.0.0.1:4711"),
            ("[::1]:4711", "[::1]:4711"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(known_by), "{text}");
        }
        for text in ["shop.lan:80", "api.example.com:443", "[::1]:80", "127.0.0.1:80"] {
            let error = origin(text).unwrap_err();
            assert!(error.contains("write the host without the port"), "{text}: {error}");
        }
        assert_eq!(origin("[::80]").as_deref(), Ok("[::80]"));
        for text in ["", " ", "https://api.example.com", "api.example.com/v1", "me@api.example.com", "a b", "a:port"] {
            let error = origin(text).unwrap_err();
            assert!(error.contains("write it as \"api.example.com\""), "{text}: {error}");
        }
    }
}
