//! The `[rows]` table of a TOML manifest: where its rows are, and how they are written.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Reader;
use super::header::{Alias, ColumnRules};
use super::names::parse_delimiter;
use super::rows_matrix::RowsMatrix;
use super::table_options::{HiddenRows, SheetChoice, TableOptions};
use super::tolerance::{ColumnWords, Declared, LOCALES, Locale, compared};
use super::values::{extra_text, integer_of};
use crate::diagnostic::Place;

const ROWS_KEYS: &[&str] = &[
    "file",
    "delimiter",
    "sheet",
    "header_row",
    "hidden_rows",
    "files",
    "columns",
    "other_columns",
    "values",
    "locale",
    "units",
    "matrix",
    "exclude",
];

/// The `[rows]` table.
pub(super) struct RowsTable {
    pub(super) file: String,
    pub(super) place: Place,
    pub(super) files: Option<String>,
    pub(super) rules: ColumnRules,
    pub(super) table: TableOptions,
    pub(super) declared: Declared,
    pub(super) matrix: Option<RowsMatrix>,
}

impl Reader<'_> {
    pub(super) fn rows(&mut self, rows: &DeTable<'_>, document: &DeTable<'_>) -> Option<RowsTable> {
        for key in rows.keys() {
            let name = key.get_ref().as_ref();
            if !ROWS_KEYS.contains(&name) && !self.is_full() {
                self.unknown_key("rows: ", name, key.span(), ROWS_KEYS);
            }
        }
        let passes_others = self.word(rows, "other_columns", "\"error\" or \"pass\"", |text| match text {
            "pass" => Some(true),
            "error" => Some(false),
            _ => None,
        });
        let files = self.text(rows, "files").map(|(text, _)| text.to_owned());
        let rules = ColumnRules { aliases: self.aliases(rows), passes_others: passes_others.unwrap_or_default() };
        let (table, declared) = (self.table_options(rows), self.declared(rows));
        let Some(value) = rows.get("file") else {
            let span = document.get_key_value("rows").map_or(0..0, |(key, _)| key.span());
            let error = self.error("rows: file is missing".to_owned(), span);
            self.errors.push(error.help("name the table beside this file: file = \"shots.csv\""));
            return None;
        };
        let (file, _) = self.text(rows, "file")?;
        let place = self.source.place(value.span());
        Some(RowsTable { file: file.to_owned(), place, files, rules, table, declared, matrix: None })
    }

    fn table_options(&mut self, rows: &DeTable<'_>) -> TableOptions {
        let sheet = rows.get("sheet").and_then(|value| {
            let number = integer_of(value.get_ref()).and_then(|number| u64::try_from(number).ok());
            let number = number.filter(|number| *number > 0).map(SheetChoice::Number);
            let sheet = number.or_else(|| value.get_ref().as_str().map(SheetChoice::from));
            if sheet.is_none() {
                self.mismatch("sheet", "a sheet's name, or its number from 1", value);
            }
            sheet
        });
        let header_row = rows.get("header_row").and_then(|value| {
            let row = integer_of(value.get_ref()).and_then(|row| u32::try_from(row).ok()).filter(|row| *row > 0);
            if row.is_none() {
                self.mismatch("header_row", "a number from 1", value);
            }
            row
        });
        TableOptions {
            delimiter: self.word(rows, "delimiter", "\",\", \";\", \"|\" or \"tab\"", parse_delimiter),
            sheet,
            header_row,
            hidden_rows: self.word(rows, "hidden_rows", "\"read\" or \"skip\"", |text| text.parse::<HiddenRows>().ok()),
        }
    }

    fn declared(&mut self, rows: &DeTable<'_>) -> Declared {
        let locales = LOCALES.map(|locale| format!("\"{}\"", locale.name)).join(", ");
        let locale = self.word(rows, "locale", &format!("one of {locales}"), Locale::named);
        let strips_units = self.word(rows, "units", "\"strip\" or \"error\"", |text| match text {
            "strip" => Some(true),
            "error" => Some(false),
            _ => None,
        });
        let mut words = Vec::new();
        for (key, value) in self.table(rows, "values").into_iter().flatten() {
            let Some(table) = value.get_ref().as_table() else {
                self.mismatch("values", "a table of the column's words: { \"Hoch\" = \"pro\" }", value);
                continue;
            };
            words.push(ColumnWords {
                column: key.get_ref().as_ref().to_owned(),
                words: self.words(table),
                file: self.source.file.clone(),
                place: Some(self.source.place(key.span().start..value.span().end)),
            });
        }
        Declared { words, locale, strips_units: strips_units.unwrap_or_default() }
    }

    /// A column's words, each once.
    fn words(&mut self, table: &DeTable<'_>) -> Vec<(String, String)> {
        let mut words: Vec<(String, String)> = Vec::new();
        for (key, value) in table {
            let word = key.get_ref().as_ref();
            let earlier = words.iter().find(|(known, _)| compared(known) == compared(word));
            if compared(word).is_empty() {
                let error = self.error("values: a word is empty, and an empty cell has none".to_owned(), key.span());
                self.errors.push(error.help("what empty cells stand for is said under [defaults]"));
            } else if let Some((earlier, _)) = earlier {
                let words = format!(
                    "values: \"{word}\" is the same word as \"{earlier}\": neither case nor blanks around it count"
                );
                let error = self.error(words, key.span());
                self.errors.push(error.help("keep one of the two"));
            } else {
                words.extend(self.pair(word, value));
            }
        }
        words
    }

    fn pair(&mut self, word: &str, value: &Spanned<DeValue<'_>>) -> Option<(String, String)> {
        let meant = extra_text(self.given(value));
        if meant.is_none() {
            self.mismatch("values", "what the word stands for: a text, a number or a truth value", value);
        }
        meant.map(|meant| (word.to_owned(), meant))
    }

    fn aliases(&mut self, rows: &DeTable<'_>) -> Vec<Alias> {
        let mut aliases = Vec::new();
        for (key, value) in self.table(rows, "columns").into_iter().flatten() {
            let Some(name) = value.get_ref().as_str() else {
                self.mismatch("columns", "the name that the column stands for", value);
                continue;
            };
            aliases.push(Alias {
                header: key.get_ref().as_ref().to_owned(),
                name: name.trim().to_owned(),
                file: self.source.file.clone(),
                place: Some(self.source.place(key.span().start..value.span().end)),
            });
        }
        aliases
    }

    /// What one of some words means.
    fn word<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (text, value) = self.text(table, name)?;
        let meant = read(text);
        if meant.is_none() {
            self.mismatch(name, expected, value);
        }
        meant
    }
}
