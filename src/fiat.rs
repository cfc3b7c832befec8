//! What amounts are worth in another currency, by a person's own file of rates. Nothing here is ever fetched, and what cannot be told
//! from the file has no figure.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value as Json};

use crate::error::Hinted;
use crate::money::{Msat, thousands};
use crate::safe_open;
use crate::time::UnixMs;

/// The largest file of rates, in bytes: an hourly rate of a hundred years.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Digits behind the point of an amount in another currency.
const DIGITS: u32 = 2;
/// Digits behind the point of a price that is read.
const PRICE_DIGITS_MAX: u32 = 8;
/// A bitcoin is 10 to the power of so many msat.
const MSAT_DIGITS: u32 = 11;
/// Of longer cells an error shows the beginning.
const SHOWN_CHARS_MAX: usize = 40;

/// A currency by its three letters: `EUR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency(String);

impl Currency {
    /// The currency of three letters, in any case; nothing where the text is none.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        let code = code.trim();
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_code.then(|| Self(code.to_ascii_uppercase()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a bitcoin cost at a time, as a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In which currency.
    pub currency: Currency,
    /// The price of one bitcoin.
    pub price: Decimal,
    /// Since when, as its line says.
    pub at: UnixMs,
    /// The file, as the person named it.
    pub source: String,
}

impl Rate {
    /// What an amount is worth, to the hundredth and rounded up, as costs are: each figure from its own exact amount. Nothing where that
    /// is more than there are digits for.
    #[must_use]
    pub fn of(&self, amount: Msat) -> Option<Decimal> {
        let mut rounded = self.exact(amount)?.round_dp_with_strategy(DIGITS, RoundingStrategy::AwayFromZero);
        rounded.rescale(DIGITS);
        Some(rounded)
    }

    /// The same to the last digit, not rounded, so that sums of it are exact too.
    #[must_use]
    pub fn exact(&self, amount: Msat) -> Option<Decimal> {
        let mantissa = self.price.mantissa().checked_mul(amount.get().into())?;
        let exact = Decimal::try_from_i128_with_scale(mantissa, self.price.scale() + MSAT_DIGITS).ok()?;
        Some(exact.normalize())
    }

    /// The same as people read it, `1,234.50 EUR`; empty where there is none.
    #[must_use]
    pub fn words(&self, amount: Msat) -> String {
        let Some(value) = self.of(amount) else { return String::new() };
        let text = value.to_string();
        let (whole, hundredths) = text.split_once('.').unwrap_or((&text, "00"));
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
        format!("{whole}.{hundredths} {}", self.currency)
    }
}

impl Rate {
    /// Amounts by their names for programs, as texts, with rate, time and source beside them; null where there is no figure.
    #[must_use]
    pub fn json(&self, amounts: &[(&str, Msat)]) -> Json {
        let mut json = Map::new();
        for (name, text) in [
            ("currency", self.currency.to_string()),
            ("rate", self.price.to_string()),
            ("rate_at", self.at.rfc3339()),
            ("source", self.source.clone()),
            ("rounding", "up".to_owned()),
        ] {
            json.insert(name.to_owned(), text.into());
        }
        for (name, amount) in amounts {
            json.insert((*name).to_owned(), self.of(*amount).map(|value| value.to_string()).into());
        }
        json.into()
    }
}

/// How figures came about: rate, time, source and rounding.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { currency, price, at, source } = self;
        write!(f, "at {price} {currency} a bitcoin, of {at} ({source}), each rounded up")
    }
}

/// Why there is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRate {
    /// The file cannot be read.
    #[error("{file} cannot be read: {problem}")]
    Unread {
        /// The file.
        file: String,
        /// Why.
        problem: String,
    },
    /// None is named.
    #[error("no rate_file says what a bitcoin costs in {currency}")]
    NoFile {
        /// What is asked for.
        currency: Currency,
    },
    /// A line of it is no rate: then none of it counts.
    #[error("{file}:{line}: expected {expected}, got \"{got}\"")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What should stand there.
        expected: String,
        /// What does.
        got: String,
    },
    /// Nobody says which currency it is of.
    #[error("{file} does not say of which currency its prices are")]
    NoCurrency {
        /// The file.
        file: String,
    },
    /// Its header names others.
    #[error("{file} has no column {currency}: its header names {named}")]
    OtherCurrency {
        /// The file.
        file: String,
        /// What is asked for.
        currency: Currency,
        /// What is there.
        named: String,
    },
    /// Its header has a time behind the time.
    #[error("{file} has its times in two columns, or two times a line")]
    SplitTime {
        /// The file.
        file: String,
    },
    /// Two prices of the same moment.
    #[error("{file}:{line}: another price for {at} than above")]
    Twice {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The moment.
        at: UnixMs,
    },
    /// Every line is of a later time.
    #[error("{file} has no rate of {moment} or before")]
    Later {
        /// The file.
        file: String,
        /// What was asked for.
        moment: UnixMs,
    },
    /// The rate that counts is older than it may be.
    #[error("the last rate in {file} is of {at}, and by {moment} older than max_rate_age")]
    TooOld {
        /// The file.
        file: String,
        /// Its time.
        at: UnixMs,
        /// What was asked for.
        moment: UnixMs,
    },
}

impl Hinted for NoRate {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::NoCurrency { .. } => Some("give --currency, or name it in the header".into()),
            Self::OtherCurrency { .. } => Some(
                "give --currency with what is there, or another file; the column is called as the currency, or price"
                    .into(),
            ),
            Self::SplitTime { .. } => Some("write date and time in the first column, such as 2026-11-30 12:00".into()),
            Self::Line { .. } | Self::Twice { .. } => Some("mend that line: until then none of the file counts".into()),
            Self::Later { moment, .. } | Self::TooOld { moment, .. } => {
                Some(format!("add a line of {moment}, or of shortly before").into())
            }
            Self::NoFile { .. } | Self::Unread { .. } => None,
        }
    }
}

/// The rates of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    source: String,
    currency: Currency,
    max_age: Duration,
    /// In the order of their times.
    lines: Vec<(UnixMs, Decimal)>,
}

impl Rates {
    /// Reads a file of lines `time, price of one bitcoin`, with `,`, `;`, a tab or blanks between; `#` begins a remark. A first line may
    /// name the columns, with the currency's code over its prices.
    ///
    /// # Errors
    /// Where it cannot be read, or any line of it is something else: then none of it counts.
    pub fn read(path: &Path, currency: Option<&Currency>, max_age: Duration) -> Result<Self, NoRate> {
        let file = path.display().to_string();
        let unread = |problem: &dyn fmt::Display| NoRate::Unread { file: file.clone(), problem: problem.to_string() };
        let bytes = safe_open::read_small(path, FILE_BYTES_MAX).map_err(|error| unread(&error))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| unread(&"it is not UTF-8"))?;
        Self::parse(file, text.strip_prefix('\u{feff}').unwrap_or(text), currency, max_age)
    }

    fn parse(source: String, text: &str, currency: Option<&Currency>, max_age: Duration) -> Result<Self, NoRate> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).peekable();
        let mut header = None;
        if let Some((_, first)) = lines.next_if(|(_, line)| is_header(line)) {
            header = Some(columns(first));
        }
        let (column, count, currency) = column(&source, header.as_deref(), currency)?;
        let mut rates: Vec<(UnixMs, Decimal, usize)> = Vec::new();
        for (line, text) in lines {
            let wrong = |expected: String, got: &str| {
                let got = got.chars().take(SHOWN_CHARS_MAX).collect();
                NoRate::Line { file: source.clone(), line, expected, got }
            };
            let cells = cells(text, count);
            let (Some(moment), Some(price), true) = (cells.first(), cells.get(column), cells.len() == count) else {
                return Err(wrong(format!("{count} columns"), text));
            };
            let at = time(moment).ok_or_else(|| wrong("a time such as 2026-11-30T12:00:00Z".to_owned(), moment))?;
            let price = self::price(price)
                .ok_or_else(|| wrong("a price above zero such as 95000.50, without thousands".to_owned(), price))?;
            rates.push((at, price, line));
        }
        rates.sort_by_key(|(at, _, line)| (*at, *line));
        let mut pairs = rates.iter().zip(rates.iter().skip(1));
        if let Some((_, (at, _, line))) = pairs.find(|(a, b)| a.0 == b.0 && a.1 != b.1) {
            return Err(NoRate::Twice { file: source, line: *line, at: *at });
        }
        Ok(Self { source, currency, max_age, lines: rates.into_iter().map(|(at, price, _)| (at, price)).collect() })
    }

    /// The rate that counts at a moment: that of the last line at or before it.
    ///
    /// # Errors
    /// Where there is none, or it is too old by then.
    pub fn at(&self, moment: UnixMs) -> Result<Rate, NoRate> {
        let file = || self.source.clone();
        let before = self.lines.partition_point(|(at, _)| *at <= moment);
        let last = before.checked_sub(1).and_then(|last| self.lines.get(last));
        let (at, price) = *last.ok_or_else(|| NoRate::Later { file: file(), moment })?;
        let age = u128::try_from(moment.since_ms(at)).unwrap_or(u128::MAX);
        if age > self.max_age.as_millis() {
            return Err(NoRate::TooOld { file: file(), at, moment });
        }
        Ok(Rate { currency: self.currency.clone(), price, at, source: self.source.clone() })
    }
}

/// Whether a first line names columns: it does not begin as a time does, and no cell behind that is a price.
fn is_header(line: &str) -> bool {
    let begins_as_time = line.trim_start_matches('"').starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    !begins_as_time && columns(line).iter().skip(1).all(|cell| price(cell).is_none())
}

fn delimiter(line: &str) -> Option<char> {
    [';', '\t', ','].into_iter().find(|delimiter| line.contains(*delimiter))
}

/// The names of a header.
fn columns(line: &str) -> Vec<String> {
    match delimiter(line) {
        Some(delimiter) => line.split(delimiter).map(cell).collect(),
        None => line.split_whitespace().map(cell).collect(),
    }
}

/// The cells of a line; with blanks between, a time may have one in it.
fn cells(line: &str, count: usize) -> Vec<String> {
    match delimiter(line) {
        Some(delimiter) => line.split(delimiter).map(cell).collect(),
        None => {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (moment, prices) = words.split_at(words.len().saturating_sub(count.saturating_sub(1)));
            std::iter::once(moment.join(" ")).chain(prices.iter().map(|price| cell(price))).collect()
        }
    }
}

fn cell(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned()
}

/// In which column the prices of the currency stand, of how many, and which currency that is.
fn column(file: &str, header: Option<&[String]>, asked: Option<&Currency>) -> Result<(usize, usize, Currency), NoRate> {
    let no_currency = || NoRate::NoCurrency { file: file.to_owned() };
    let Some(header) = header else { return Ok((1, 2, asked.cloned().ok_or_else(no_currency)?)) };
    let is_named = |name: &String, of: &[&str]| of.contains(&name.to_ascii_lowercase().as_str());
    if header.iter().skip(1).any(|name| is_named(name, &["date", "time", "hour"])) {
        return Err(NoRate::SplitTime { file: file.to_owned() });
    }
    let named: Vec<(usize, Currency)> =
        header.iter().enumerate().skip(1).filter_map(|(at, name)| Some((at, Currency::of(name)?))).collect();
    let found = match (asked, named.as_slice()) {
        (Some(asked), []) if header.len() == 2 && is_named(&header[1], &["price", "rate", "value"]) => {
            Some((1, asked.clone()))
        }
        (Some(asked), named) => named.iter().find(|(_, currency)| currency == asked).cloned(),
        (None, [one]) => Some(one.clone()),
        (None, _) => return Err(no_currency()),
    };
    let (at, currency) = found.ok_or_else(|| NoRate::OtherCurrency {
        file: file.to_owned(),
        currency: asked.cloned().unwrap_or_else(|| Currency(String::new())),
        named: header.join(", ").chars().take(SHOWN_CHARS_MAX).collect(),
    })?;
    Ok((at, header.len(), currency))
}

/// A time: RFC 3339, a date (its first moment in UTC), a date and a time in UTC, or seconds since 1970.
fn time(text: &str) -> Option<UnixMs> {
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|secs| *secs < 100_000_000_000).map(UnixMs::from_secs);
    }
    // A zone by its name is not read, and so it is not passed over.
    if text.contains('[') {
        return None;
    }
    if let Some(at) = UnixMs::from_rfc3339(text) {
        return Some(at);
    }
    if !is_civil(text) {
        return None;
    }
    let at = text.parse::<jiff::civil::DateTime>().ok()?;
    Some(UnixMs(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

/// Whether a text is a date, or a date and a time to the minute or the second, and has nothing else, such as a zone.
fn is_civil(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (whole, fraction) = shape.split_once('.').unwrap_or((&shape, "0"));
    let is_whole = match whole.split_once(['T', ' ']) {
        None => whole == "0000-00-00" && whole == shape,
        Some((date, time)) => date == "0000-00-00" && (time == "00:00:00" || (time == "00:00" && whole == shape)),
    };
    is_whole && !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0')
}

fn price(text: &str) -> Option<Decimal> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let price = text.parse::<Decimal>().ok().filter(|_| is_plain)?;
    (price > Decimal::ZERO && price.scale() <= PRICE_DIGITS_MAX).then_some(price)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn eur() -> Currency {
        Currency::of("eur").unwrap()
    }

    fn at(text: &str) -> UnixMs {
        UnixMs::from_rfc3339(text).unwrap()
    }

    fn rates(text: &str, currency: Option<&Currency>) -> Result<Rates, String> {
        Rates::parse("rates.csv".to_owned(), text, currency, DAY).map_err(|no| no.to_string())
    }

    #[test]
    fn the_line_at_or_before_the_moment_counts() {
        let rates = rates("time,price\n2026-11-30T12:00:00Z,95000.5\n2026-11-29,90000\n", Some(&eur())).unwrap();
        let price = |moment: &str| rates.at(at(moment)).map(|rate| rate.price.to_string()).map_err(|no| no.to_string());
        assert_eq!(price("2026-11-29T00:00:00Z"), Ok("90000".to_owned()));
        assert_eq!(price("2026-11-30T00:00:00Z"), Ok("90000".to_owned()), "a day old, and no older");
        assert_eq!(
            price("2026-11-30T00:00:00.001Z"),
            Err("the last rate in rates.csv is of 2026-11-29 00:00 UTC, and by 2026-11-30 00:00 UTC older than max_rate_age".to_owned())
        );
        assert_eq!(price("2026-11-30T12:00:00Z"), Ok("95000.5".to_owned()));
        let none = Err("rates.csv has no rate of 2026-11-28 23:59 UTC or before".to_owned());
        assert_eq!(price("2026-11-28T23:59:59Z"), none);
        // What is to be done is told of the moment that was asked for, which need not be now.
        for moment in ["2026-11-28T23:59:59Z", "2026-12-24T18:00:00Z"] {
            let hint = rates.at(at(moment)).unwrap_err().hint().unwrap().into_owned();
            assert_eq!(hint, format!("add a line of {}, or of shortly before", at(moment)));
        }
        let rate = rates.at(at("2026-11-30T13:00:00Z")).unwrap();
        let words = "at 95000.5 EUR a bitcoin, of 2026-11-30 12:00 UTC (rates.csv), each rounded up";
        assert_eq!(rate.to_string(), words);
    }

    #[test]
    fn files_as_people_have_them() {
        for (text, currency) in [
            ("2026-11-30 12:00 95000", Some(eur())),
            ("# mine\n\n2026-11-30T12:00Z\t95000\r\n", Some(eur())),
            ("Date;USD;EUR\n2026-11-30T12:00+00:00;99000;95000", Some(eur())),
            ("time,eur\n1796040000,95000", None),
            ("\"time\",\"price\"\n\"2026-11-30T12:00:00Z\",\"95000\"", Some(eur())),
        ] {
            let rate = rates(text, currency.as_ref()).unwrap().at(at("2026-11-30T12:00:00Z")).unwrap();
            assert_eq!(
                (rate.price, rate.currency, rate.at),
                (95_000.into(), eur(), at("2026-11-30T12:00:00Z")),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for (text, currency, said) in [
            ("2026-11-30,95000", None, "rates.csv does not say of which currency its prices are"),
            ("time,USD,EUR\n2026-11-30,1,2", None, "rates.csv does not say of which currency its prices are"),
            ("time,USD\n2026-11-30,1", Some(eur()), "rates.csv has no column EUR: its header names time, USD"),
            ("2026-11-30,95.000,50", Some(eur()), "rates.csv:1: expected 2 columns, got \"2026-11-30,95.000,50\""),
            ("2026-11-30;95000,50", Some(eur()), "rates.csv:1: expected a price above zero"),
            ("2026-11-30,0", Some(eur()), "rates.csv:1: expected a price above zero"),
            ("2026-11-30,1e5", Some(eur()), "rates.csv:1: expected a price above zero"),
            ("2026-11-30,1\n30.11.2026,2", Some(eur()), "rates.csv:2: expected a time such as"),
            ("30.11.2026,2", Some(eur()), "rates.csv:1: expected a time such as"),
            ("Nov 30 2026,95000\n2026-11-30,1", Some(eur()), "rates.csv:1: expected a time such as"),
            ("time,price USD\n2026-11-30,1", Some(eur()), "rates.csv has no column EUR"),
            ("time,BTCUSD\n2026-11-30,1", Some(eur()), "rates.csv has no column EUR"),
            ("Date,Close (USD)\n2026-11-30,1", Some(eur()), "rates.csv has no column EUR"),
            ("2026-11-30T01:00[Asia/Tokyo],1", Some(eur()), "rates.csv:1: expected a time such as"),
            ("2026-11-30T01,1", Some(eur()), "rates.csv:1: expected a time such as"),
            ("20261130T0100,1", Some(eur()), "rates.csv:1: expected a time such as"),
            ("date,time,EUR\n2026-11-30,12:00,95000", Some(eur()), "rates.csv has its times in two columns"),
            ("date time EUR\n2026-11-30 12:00 95000", Some(eur()), "rates.csv has its times in two columns"),
            (
                "2026-11-30,1\n2026-11-30T00:00:00Z,2",
                Some(eur()),
                "rates.csv:2: another price for 2026-11-30 00:00 UTC",
            ),
        ] {
            let no = rates(text, currency.as_ref()).unwrap_err();
            assert!(no.contains(said), "{text}: {no}");
        }
        assert_eq!((Currency::of("euro"), Currency::of("€")), (None, None));
    }

    #[test]
    fn amounts_are_rounded_up_to_the_hundredth() {
        let rate =
            |price: &str| Rate { currency: eur(), price: price.parse().unwrap(), at: UnixMs(0), source: String::new() };
        for (price, msat, words) in [
            ("100000", 1_000_000, "1.00 EUR"),
            ("100000", 1_000_001, "1.01 EUR"),
            ("95000.50", 11_450_000_000, "10,877.56 EUR"),
            ("100000", 0, "0.00 EUR"),
            ("100000", 1, "0.01 EUR"),
        ] {
            assert_eq!(rate(price).words(Msat::new(msat)), words);
        }
        assert_eq!(rate("99999999999999999.99").words(Msat::new(u64::MAX)), "", "more digits than there are");
    }

    proptest! {
        /// Never below the exact value, and less than a hundredth above.
        #[test]
        fn rounding_is_upwards(price in 1_u64..10_000_000_000, msat in 0_u64..2_100_000_000_000_000) {
            let rate = Rate { currency: eur(), price: Decimal::new(price.try_into().unwrap(), 2), at: UnixMs(0), source: String::new() };
            let value = rate.of(Msat::new(msat)).unwrap();
            // In hundredths: price is in hundredths, and a bitcoin is 10^11 msat.
            let exact = u128::from(price) * u128::from(msat);
            let expected = exact.div_ceil(100_000_000_000);
            prop_assert_eq!(value.mantissa().unsigned_abs(), expected);
            prop_assert_eq!(value.scale(), 2);
        }
    }
}
