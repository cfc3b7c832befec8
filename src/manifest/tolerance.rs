//! What `[rows]` declares of how cells are written: words of a person's own, numbers and truth values as a country writes them, units behind
//! numbers. What is not declared is not understood, and what is understood in two ways is an error.

use std::borrow::Cow;

use super::header::Column;
use super::names::fold;
use super::values::{Given, Wrong, expected};
use crate::catalog::{Decimal, Endpoint, Param, ParamKind};
use crate::diagnostic::{Diagnostic, Place, closest};

/// How a country writes numbers and truth values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Locale {
    /// Its language, as `locale` names it.
    pub(super) name: &'static str,
    decimal: char,
    /// What may stand between groups of three digits.
    groups: &'static [char],
    truths: &'static [(&'static str, bool)],
}

const SPACES: &[char] = &[' ', '\u{a0}', '\u{202f}', '\u{2009}'];
const POINTS: &[char] = &['.', ' ', '\u{a0}', '\u{202f}', '\u{2009}'];

/// The languages that are known.
pub(super) const LOCALES: [Locale; 7] = [
    Locale { name: "en", decimal: '.', groups: &[','], truths: &[] },
    Locale {
        name: "de",
        decimal: ',',
        groups: POINTS,
        truths: &[("ja", true), ("nein", false), ("wahr", true), ("falsch", false)],
    },
    Locale {
        name: "fr",
        decimal: ',',
        groups: SPACES,
        truths: &[("oui", true), ("non", false), ("vrai", true), ("faux", false)],
    },
    Locale {
        name: "es",
        decimal: ',',
        groups: POINTS,
        truths: &[("sí", true), ("si", true), ("verdadero", true), ("falso", false)],
    },
    Locale {
        name: "it",
        decimal: ',',
        groups: POINTS,
        truths: &[("sì", true), ("si", true), ("vero", true), ("falso", false)],
    },
    Locale {
        name: "nl",
        decimal: ',',
        groups: POINTS,
        truths: &[("ja", true), ("nee", false), ("waar", true), ("onwaar", false)],
    },
    Locale {
        name: "pt",
        decimal: ',',
        groups: POINTS,
        truths: &[("sim", true), ("não", false), ("nao", false), ("verdadeiro", true), ("falso", false)],
    },
];

/// How seconds are written behind a number.
const SECONDS: [&str; 15] = [
    "s", "sec", "secs", "second", "seconds", "sek", "sekunde", "sekunden", "seconde", "secondes", "seg", "segundo",
    "segundos", "secondo", "secondi",
];

impl Locale {
    /// The locale of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        LOCALES.iter().find(|locale| locale.name.eq_ignore_ascii_case(name))
    }

    /// A number as it is written there, in the shortest form that everybody reads: `1.000,50` is `1000.5`.
    fn number(&self, text: &str) -> Option<String> {
        let (sign, digits) = match text.strip_prefix(['-', '\u{2212}']) {
            Some(digits) => ("-", digits),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) =
            digits.split_once(self.decimal).map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let whole = match whole.chars().find(|c| self.groups.contains(c)) {
            None => whole.to_owned(),
            Some(group) => {
                let mut groups = whole.split(group);
                let first = groups.next().filter(|first| (1..=3).contains(&first.len()) && !first.starts_with('0'))?;
                let rest: Vec<&str> = groups.collect();
                rest.iter().all(|group| group.len() == 3).then(|| format!("{first}{}", rest.concat()))?
            }
        };
        let is_number = are_digits(&whole) && fraction.is_none_or(are_digits);
        let fraction = fraction.map_or_else(String::new, |fraction| format!(".{fraction}"));
        let number = Decimal::parse(&format!("{sign}{whole}{fraction}"))?;
        is_number.then(|| number.to_string())
    }

    /// A thousand and a half, as it is written there.
    fn example(&self) -> String {
        let group = self.groups.first().copied().unwrap_or(' ');
        format!("1{group}000{}5", self.decimal)
    }

    fn truth(&self, text: &str) -> Option<&'static str> {
        let word = text.to_lowercase();
        let (_, truth) = self.truths.iter().find(|(known, _)| *known == word)?;
        Some(if *truth { "true" } else { "false" })
    }
}

/// What one column's words stand for.
#[derive(Clone, Debug)]
pub(super) struct ColumnWords {
    /// The column: its header, or the name that it is read under.
    pub(super) column: String,
    /// Each word with what it stands for.
    pub(super) words: Vec<(String, String)>,
    pub(super) file: String,
    pub(super) place: Option<Place>,
}

/// What is declared.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) words: Vec<ColumnWords>,
    pub(super) locale: Option<&'static Locale>,
    pub(super) strips_units: bool,
}

/// The same, with each column where it stands.
#[derive(Debug, Default)]
pub(super) struct Tolerance {
    declared: Declared,
    /// By column: which words are its own.
    words_of: Vec<Option<usize>>,
}

/// A word as words are compared.
pub(super) fn compared(word: &str) -> String {
    word.trim().to_lowercase()
}

/// Whether no word of the column can stand for anything: an id, or what is passed through or over. What is unknown is reported already.
fn stays_as_it_is(column: &Column) -> bool {
    matches!(column, Column::Id | Column::Extra(_) | Column::Results(_) | Column::Unnamed)
}

impl Tolerance {
    /// Finds the columns by their headers, else by the names that they are read under, folded.
    pub(super) fn of(
        declared: Declared,
        (header, names, columns): (&[String], &[String], &[Column]),
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut words_of = vec![None; header.len()];
        for (index, words) in declared.words.iter().enumerate() {
            let key = fold(&words.column);
            let by_header = header.iter().position(|header| fold(header) == key);
            let found = by_header.or_else(|| names.iter().position(|name| *name == key));
            let is_kept = found.and_then(|at| columns.get(at)).is_some_and(stays_as_it_is);
            match found.and_then(|at| words_of.get_mut(at)) {
                Some(_) if is_kept => {
                    let message = format!("values: the cells of column \"{}\" stand for themselves", words.column);
                    let mut error = Diagnostic::error(&words.file, message);
                    error.place.clone_from(&words.place);
                    errors.push(
                        error.help("remove its words: those of parameters, endpoint and max_sats can be declared"),
                    );
                }
                Some(slot @ None) => *slot = Some(index),
                other => {
                    let what = if other.is_some() { "has its words twice: once more as" } else { "there is no column" };
                    let mut error = Diagnostic::error(&words.file, format!("values: {what} \"{}\"", words.column));
                    error.place.clone_from(&words.place);
                    error.help = closest(&words.column, header.iter().map(String::as_str))
                        .map(|name| format!("did you mean \"{name}\"?"));
                    errors.push(error);
                }
            }
        }
        Self { declared, words_of }
    }

    /// Whether nothing is declared.
    pub(super) fn is_none(&self) -> bool {
        self.declared.words.is_empty() && self.declared.locale.is_none() && !self.declared.strips_units
    }

    /// What the word in a cell stands for, where that is said. It is written as everybody writes it: no locale reads it once more.
    pub(super) fn word(&self, column: usize, cell: &str) -> Option<&str> {
        let words = self.words_of.get(column).copied().flatten().and_then(|at| self.declared.words.get(at))?;
        let found = words.words.iter().find(|(word, _)| compared(word) == compared(cell));
        found.map(|(_, value)| value.as_str())
    }

    /// A cell for a parameter, as everybody writes it. One that is typed in its workbook is written in no language.
    ///
    /// # Errors
    /// Where a number is written in another way than is declared: elsewhere it would be read as another number.
    pub(super) fn value<'c>(
        &'c self,
        (column, cell, is_typed): (usize, &'c str, bool),
        param: &Param,
        endpoint: &Endpoint,
    ) -> Result<Cow<'c, str>, Box<Wrong>> {
        if let Some(meant) = self.word(column, cell) {
            return Ok(meant.into());
        }
        match (&param.kind, self.declared.locale) {
            _ if is_typed => Ok(cell.into()),
            (ParamKind::Integer { .. } | ParamKind::Decimal { .. }, _) => {
                let is_counted = endpoint.price.quantity.as_ref() == Some(&param.name);
                self.number(cell, &param.name, is_counted.then_some(endpoint.price.unit.as_str()))
            }
            (ParamKind::Boolean, Some(locale)) => Ok(locale.truth(cell).unwrap_or(cell).into()),
            (
                ParamKind::Boolean
                | ParamKind::Text
                | ParamKind::Choice { .. }
                | ParamKind::IntegerOrText
                | ParamKind::List
                | ParamKind::Object
                | ParamKind::Image
                | ParamKind::File { .. },
                _,
            ) => Ok(cell.into()),
        }
    }

    /// The same for a key of the tool's own that is a number.
    pub(super) fn own_number<'c>(
        &'c self,
        (column, cell, is_typed): (usize, &'c str, bool),
        name: &str,
        unit: Option<&str>,
    ) -> Result<Cow<'c, str>, Box<Wrong>> {
        match self.word(column, cell) {
            Some(meant) => Ok(meant.into()),
            None if is_typed => Ok(cell.into()),
            None => self.number(cell, name, unit),
        }
    }

    fn number<'c>(&self, cell: &'c str, name: &str, unit: Option<&str>) -> Result<Cow<'c, str>, Box<Wrong>> {
        let number = if self.declared.strips_units { without_unit(cell, unit) } else { cell };
        let Some(locale) = self.declared.locale else { return Ok(number.into()) };
        match locale.number(number) {
            Some(number) => Ok(number.into()),
            None if Decimal::parse(number).is_some() => {
                let words = format!("a number as locale \"{}\" writes it ({})", locale.name, locale.example());
                Err(Box::new(expected(name, &words, Given::Text(cell))))
            }
            None => Ok(number.into()),
        }
    }
}

/// What has to be declared so that the cells of some columns can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Readable {
    /// The languages in which all of them can be, where one is needed.
    pub(super) locale: Option<Languages>,
    /// A cell with a unit.
    pub(super) unit: Option<String>,
}

/// Languages in which cells can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Languages {
    /// A cell that needs one; where they read cells in several ways, one that they do not read alike.
    pub(super) example: String,
    /// Languages that read all cells alike, and what the example is in them. Where there are several of these, it is a person who knows.
    pub(super) readings: Vec<(Vec<&'static str>, String)>,
}

impl Languages {
    /// Groups the languages by what the cells are in them; the example is one of the cells.
    fn of(fit: &[&'static Locale], cells: &[(bool, &str)], example: String) -> Option<Self> {
        let read = |locale: &Locale, (is_truth, cell): &(bool, &str)| match is_truth {
            true => locale.truth(cell).map(str::to_owned),
            false => locale.number(cell),
        };
        let all = |locale: &Locale| cells.iter().map(|cell| read(locale, cell)).collect::<Vec<_>>();
        let mut groups: Vec<(Vec<&'static str>, Vec<Option<String>>)> = Vec::new();
        for locale in fit {
            let values = all(locale);
            match groups.iter_mut().find(|(_, known)| *known == values) {
                Some((names, _)) => names.push(locale.name),
                None => groups.push((vec![locale.name], values)),
            }
        }
        let (_, first) = groups.first()?;
        let differs = |at: &usize| groups.iter().any(|(_, values)| values.get(*at) != first.get(*at));
        let at = (0..cells.len()).find(differs);
        let told = |values: &[Option<String>]| at.and_then(|at| values.get(at)?.clone()).unwrap_or_default();
        let example = at.and_then(|at| cells.get(at)).map_or(example, |(_, cell)| (*cell).to_owned());
        let readings = groups.iter().map(|(names, values)| (names.clone(), told(values))).collect();
        Some(Self { example, readings })
    }
}

impl Readable {
    /// Looks at columns: each with its parameter, what its prices are counted in, and cells, of which some are typed as what they are.
    pub(super) fn of<'c>(columns: impl Iterator<Item = (&'c Param, Option<&'c str>, &'c [(String, bool)])>) -> Self {
        let mut readable = Self::default();
        let (mut fit, mut example): (Vec<&'static Locale>, _) = (LOCALES.iter().collect(), None);
        let mut readings = Vec::new();
        for (param, unit, cells) in columns {
            let is_truth = param.kind == ParamKind::Boolean;
            if !is_truth && !matches!(param.kind, ParamKind::Integer { .. } | ParamKind::Decimal { .. }) {
                continue;
            }
            for cell in cells.iter().filter(|(_, is_typed)| !is_typed).map(|(cell, _)| cell) {
                let number = without_unit(cell, unit);
                let fits = |text: &str| param.from_text(text).is_ok();
                let reads = |locale: &&'static Locale| match is_truth {
                    true => fits(cell) || locale.truth(cell).is_some(),
                    false => locale.number(number).is_some_and(|number| fits(&number)),
                };
                if !fits(number) && !fit.iter().any(reads) {
                    // It is wrong in every language: planning says so.
                    continue;
                }
                if number != cell {
                    readable.unit.get_or_insert_with(|| cell.clone());
                }
                if !fits(number) {
                    example.get_or_insert_with(|| cell.clone());
                }
                if !(is_truth && fits(cell)) {
                    readings.push((is_truth, number));
                }
                fit.retain(reads);
            }
        }
        readable.locale = example.and_then(|example| Languages::of(&fit, &readings, example));
        readable
    }
}

/// The number before a unit that is the parameter's own; the whole cell where there is none, or another one: `10 min` is not 10 s.
fn without_unit<'c>(cell: &'c str, unit: Option<&str>) -> &'c str {
    let Some(end) = cell.rfind(|c: char| c.is_ascii_digit()).map(|at| at + 1) else { return cell };
    let (number, behind) = cell.split_at(end);
    let word = behind.trim().trim_end_matches('.').to_lowercase();
    let is_own = unit.is_some_and(|unit| match unit {
        "second" => SECONDS.contains(&word.as_str()),
        unit => word == unit || word.strip_suffix('s') == Some(unit),
    });
    if is_own { number } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_a_country_writes_them() {
        let read = |locale: &str, text: &str| Locale::named(locale).unwrap().number(text).unwrap_or_default();
        for (locale, text, number) in [
            ("de", "1.000", "1000"),
            ("de", "1.000,50", "1000.5"),
            ("de", "1 000", "1000"),
            ("de", "5,0", "5"),
            ("de", "0,5", "0.5"),
            ("de", "-1.234.567,8", "-1234567.8"),
            ("de", "\u{2212}3", "-3"),
            ("de", "1.5", ""),
            ("de", "0.500", ""),
            ("de", "1.000.5", ""),
            ("de", "1.000 000", ""),
            ("de", "1,5,5", ""),
            ("de", "1e5", ""),
            ("de", "", ""),
            ("fr", "1\u{202f}000,5", "1000.5"),
            ("fr", "1.000", ""),
            ("en", "1,000.5", "1000.5"),
            ("en", "1,5", ""),
            ("EN", "12", "12"),
        ] {
            assert_eq!(read(locale, text), number, "{locale} {text:?}");
        }
        assert!(Locale::named("xx").is_none());
    }

    #[test]
    fn languages_that_read_a_cell_otherwise_are_told_apart() {
        let catalog = crate::catalog::Catalog::builtin().unwrap();
        let param = Param {
            kind: ParamKind::Decimal { min: None, max: None },
            ..catalog.iter().next().unwrap().params[0].clone()
        };
        let needed = |cells: &[&str]| {
            let cells: Vec<(String, bool)> = cells.iter().map(|cell| ((*cell).to_owned(), false)).collect();
            let languages = Readable::of([(&param, None, cells.as_slice())].into_iter()).locale?;
            let readings = languages.readings.iter().map(|(names, number)| format!("{number}: {}", names.join(" ")));
            Some((languages.example, readings.collect::<Vec<_>>().join("; ")))
        };
        let told = |example: &str, readings: &str| Some((example.to_owned(), readings.to_owned()));
        assert_eq!(needed(&["1,500"]), told("1,500", "1500: en; 1.5: de fr es it nl pt"));
        assert_eq!(needed(&["1,500", "0,5"]), told("1,500", ": de fr es it nl pt"));
        assert_eq!(needed(&["1,500", "1.000,5"]), told("1,500", ": de es it nl pt"));
        assert_eq!(needed(&["1.5", "2"]), None);
    }

    #[test]
    fn a_unit_is_dropped_where_it_is_the_number_s_own() {
        for (cell, unit, number) in [
            ("10 s", Some("second"), "10"),
            ("10s", Some("second"), "10"),
            ("8 Sek.", Some("second"), "8"),
            ("10 min", Some("second"), "10 min"),
            ("10 m", Some("second"), "10 m"),
            ("10 s", None, "10 s"),
            ("10 s", Some("page"), "10 s"),
            ("3 pages", Some("page"), "3"),
            ("2500 sats", Some("sat"), "2500"),
            ("10 s 5", Some("second"), "10 s 5"),
            ("10", Some("second"), "10"),
            ("s", Some("second"), "s"),
        ] {
            assert_eq!(without_unit(cell, unit), number, "{cell}");
        }
    }

    #[test]
    fn truth_is_what_the_declared_language_says() {
        let truth = |locale: &str, word: &str| Locale::named(locale).unwrap().truth(word);
        assert_eq!([truth("de", "WAHR"), truth("de", "Nein")], [Some("true"), Some("false")]);
        assert_eq!([truth("de", "oui"), truth("fr", "Oui"), truth("en", "ja")], [None, Some("true"), None]);
    }

    proptest::proptest! {
        #[test]
        fn no_cell_panics_and_each_number_is_one(cell in "\\PC{0,12}", more in "[0-9., ]{0,12}") {
            for locale in &LOCALES {
                for text in [&cell, &more] {
                    let _ = (without_unit(text, Some("second")), locale.truth(text));
                    if let Some(number) = locale.number(text) {
                        proptest::prop_assert!(Decimal::parse(&number).is_some());
                    }
                }
            }
        }
    }
}
