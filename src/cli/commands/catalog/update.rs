//! `catalog update`: writes what the service asks for now into a file of overrides, for a person to read and to name with
//! `--catalog`. It changes nothing by itself, and replaces no file without being told to.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::catalog::{Endpoint, PriceRule, Rate, Value, toml_key, toml_text};
use crate::cli::commands::catalog::finding::{EndpointFacts, QuoteFacts, Verdict};
use crate::cli::commands::catalog::layers::Layers;
use crate::cli::commands::catalog::{check, finding};
use crate::cli::commands::new_file;
use crate::cli::options::config::{CatalogOptions, UpdateFile};
use crate::cli::{ExitCode, Failure, terminal};
use crate::money::Msat;
use crate::run::{Clock, SystemClock};

/// Checks, and writes a file where a price has changed. What could not be derived is said, and ends as a check does.
pub(super) fn execute(options: &CatalogOptions, file: &UpdateFile) -> Result<ExitCode, Failure> {
    let shown = file.path.display();
    new_file::refuse_known(file)?;
    let endpoints = Layers::read(options)?.endpoints(&options.endpoints)?;
    let found = check::survey(&endpoints, options.network, &options.tables)?;
    terminal::print(options.output.format, |out| {
        finding::write(&found, out, options.output.format, options.output.quiet)
    })?;
    let today = SystemClock.now().rfc3339().chars().take(10).collect::<String>();
    let mut entries = String::new();
    let mut rest = Vec::new();
    for (endpoint, facts) in endpoints.iter().zip(&found) {
        match changed(endpoint, facts) {
            RateChange::None => {}
            RateChange::Rates(rates) => entries.push_str(&entry(endpoint, &rates, &today)),
            RateChange::Unclear(why) => rest.push(format!("{}: {why}", endpoint.name)),
        }
    }
    if !entries.is_empty() {
        new_file::write(file, &(head(&today) + &entries))?;
        terminal::say(&format!(
            "{shown} is written, and nothing uses it yet: read it, then name it with --catalog or in the configuration\n"
        ));
    }
    for line in &rest {
        terminal::say(&format!("not written: {line}\n"));
    }
    let written_all = rest.is_empty() && !entries.is_empty();
    Ok(if written_all { ExitCode::Done } else { finding::exit(&found) })
}

enum RateChange {
    None,
    /// The rates as they are asked for, in the order of the rule's.
    Rates(Vec<Msat>),
    Unclear(String),
}

/// The rates that follow from what is asked for each trial.
fn changed(endpoint: &Arc<Endpoint>, facts: &EndpointFacts) -> RateChange {
    let of_verdict = |verdict| facts.quotes.iter().find(|quote| quote.verdict == verdict);
    if let Some(quote) = facts.quotes.iter().find(|quote| quote.asked_msat.is_none()) {
        return RateChange::Unclear(quote.message.clone());
    }
    if let Some(quote) = facts.quotes.first().filter(|_| endpoint.price.is_unknown()) {
        return RateChange::Unclear(format!("{}, and one job tells no rule: write it yourself", quote.message));
    }
    if of_verdict(Verdict::Differs).is_none() {
        return RateChange::None;
    }
    if endpoint.price.is_cap {
        return RateChange::Unclear("its price is a cap, which is yours to raise: at_most_sats".to_owned());
    }
    if !endpoint.price.scale.is_plain() {
        return RateChange::Unclear("its rate does not follow from the price of one job".to_owned());
    }
    let count = endpoint.price.rates.len();
    let mut rates: Vec<Option<Msat>> = vec![None; count];
    for quote in &facts.quotes {
        let Some(rate) = rate_of(quote) else {
            return RateChange::Unclear(format!("{} is no whole multiple of the quantity", quote.message));
        };
        match rates.get_mut(quote.rate_index) {
            Some(known @ None) => *known = Some(rate),
            Some(Some(known)) if *known == rate => {}
            Some(Some(_)) | None => {
                return RateChange::Unclear(format!("{}: the price does not grow with the quantity", quote.message));
            }
        }
    }
    match rates.into_iter().collect::<Option<Vec<Msat>>>() {
        Some(rates) => RateChange::Rates(rates),
        None => RateChange::Unclear("not every rate was asked for".to_owned()),
    }
}

fn rate_of(quote: &QuoteFacts) -> Option<Msat> {
    let asked = quote.asked_msat?.get();
    let rate = asked.checked_div(quote.quantity).filter(|rate| *rate > 0)?;
    (rate.checked_mul(quote.quantity) == Some(asked)).then_some(Msat::new(rate))
}

fn head(today: &str) -> String {
    format!(
        "# What the endpoints asked for on {today}, without payment. Written by `l402-batch catalog update` for you to read:\n\
         # prices alone, no parameters. Name this file with --catalog to plan with it; `l402-batch catalog check` tells when it\n\
         # is out of date.\n"
    )
}

fn entry(endpoint: &Endpoint, rates: &[Msat], today: &str) -> String {
    let PriceRule { by, quantity, unit, rates: before, is_cap: _, scale: _ } = &endpoint.price;
    let mut text = String::new();
    let name = toml_key(&endpoint.name);
    let _ = write!(text, "\n[endpoint.{name}]\nsource = {}\n", toml_text(&format!("quotes of {}", endpoint.url)));
    let _ = write!(text, "as_of = {}\n\n[endpoint.{name}.price]\n", toml_text(today));
    if let Some(quantity) = quantity {
        let _ = write!(text, "quantity = {}\nunit = {}\n", toml_text(quantity), toml_text(unit));
    }
    let was = |at: usize| match before.get(at) {
        Some(Rate { rate, .. }) if rates.get(at) != Some(rate) => format!(" # was {rate}"),
        Some(_) | None => String::new(),
    };
    if by.is_empty() {
        let per_unit = if quantity.is_some() { "_per_unit" } else { "" };
        for (at, rate) in rates.iter().enumerate() {
            let (word, amount) = amount(*rate);
            let _ = writeln!(text, "{word}{per_unit} = {amount}{}", was(at));
        }
        return text;
    }
    let names: Vec<String> = by.iter().map(|name| toml_text(name)).collect();
    let _ = writeln!(text, "by = [{}]\nrates = [", names.join(", "));
    for (at, (rate, known)) in rates.iter().zip(before).enumerate() {
        let when: String = by
            .iter()
            .zip(&known.when)
            .map(|(name, value)| format!("{} = {}, ", toml_key(name), toml_value(value)))
            .collect();
        let (word, amount) = amount(*rate);
        let _ = writeln!(text, "    {{ {when}{word} = {amount} }},{}", was(at));
    }
    text.push_str("]\n");
    text
}

fn amount(rate: Msat) -> (&'static str, u64) {
    match rate.exact_sats() {
        Some(sats) => ("sats", sats.get()),
        None => ("msat", rate.get()),
    }
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Text(text) => toml_text(text),
        Value::Integer(n) => n.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Structured(json) => toml_text(json.as_str()),
        Value::Boolean(truth) => truth.to_string(),
        Value::Image(image) => toml_text(&image.sha256),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn quote(rate_index: usize, quantity: u64, asked_sats: u64) -> QuoteFacts {
        QuoteFacts {
            rate_index,
            chosen_by: String::new(),
            quantity,
            catalog_msat: Some(Msat::ZERO),
            asked_msat: Some(Msat::new(asked_sats * 1_000)),
            verdict: Verdict::Differs,
            message: "m".to_owned(),
        }
    }

    fn facts(quotes: Vec<QuoteFacts>) -> EndpointFacts {
        EndpointFacts { endpoint: String::new(), url: String::new(), listing: None, quotes }
    }

    #[test]
    fn what_is_written_is_read_back_as_the_rates_that_were_asked() {
        let catalog = Catalog::builtin().unwrap();
        for (name, quotes, asked) in [
            ("animate-image", vec![quote(0, 3, 750), quote(0, 15, 3_750)], vec![250]),
            (
                "generate-video",
                vec![quote(0, 3, 900), quote(1, 3, 750), quote(2, 3, 1_200), quote(3, 3, 1_203), quote(0, 15, 4_500)],
                vec![300, 250, 400, 401],
            ),
        ] {
            let endpoint = catalog.get(name).unwrap();
            let RateChange::Rates(rates) = changed(endpoint, &facts(quotes)) else { panic!("{name}") };
            assert_eq!(rates, asked.iter().map(|sats| Msat::new(sats * 1_000)).collect::<Vec<_>>());
            let text = head("2026-11-21") + &entry(endpoint, &rates, "2026-11-21");
            let mut file = tempfile::NamedTempFile::new().unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            let mut updated = Catalog::builtin().unwrap();
            updated.read_file(file.path()).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
            let updated = updated.get(name).unwrap();
            assert_eq!(updated.price.rates.iter().map(|rate| rate.rate).collect::<Vec<_>>(), rates, "{text}");
            assert_eq!((&updated.price.by, updated.as_of.as_str()), (&endpoint.price.by, "2026-11-21"));
        }
    }

    #[test]
    fn what_cannot_be_derived_is_not_made_up() {
        let catalog = Catalog::builtin().unwrap();
        let endpoint = catalog.get("animate-image").unwrap();
        let is_unclear = |quotes| matches!(changed(endpoint, &facts(quotes)), RateChange::Unclear(_));
        assert!(is_unclear(vec![quote(0, 3, 750), quote(0, 15, 3_000)]), "no growth with the quantity");
        assert!(is_unclear(vec![QuoteFacts { asked_msat: None, ..quote(0, 3, 1) }]), "not asked");
        assert!(is_unclear(Vec::new()) || matches!(changed(endpoint, &facts(Vec::new())), RateChange::None));
        let odd = QuoteFacts { asked_msat: Some(Msat::new(1_000_001)), ..quote(0, 3, 1) };
        assert!(is_unclear(vec![odd]), "no whole rate");
    }
}
