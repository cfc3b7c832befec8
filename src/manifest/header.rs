//! The head of a CSV manifest: byte order mark, `sep=`, delimiter, and what each column means.

use super::names::{EXTRA_PREFIX, JOB_KEYS, LATER_KEYS, PARAMS_PREFIX, RESULTS_COLUMNS, fold, parse_delimiter};
use super::table_options::TableOptions;
use crate::catalog::Catalog;
use crate::command::command_without_ledger;
use crate::diagnostic::{Diagnostic, Place, closest};

/// Unknown columns that are named.
const UNKNOWN_SHOWN_MAX: usize = 20;
/// The head must end within this many bytes.
pub(super) const HEAD_BYTES_MAX: u64 = 256 * 1024;

/// How a CSV file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// A byte order mark stands before all.
    pub(super) bom: bool,
    /// Where the header line begins.
    pub(super) header_byte: usize,
    /// The physical line of the header.
    pub(super) header_line: u64,
}

/// Finds out how a file is written: a given delimiter wins over a `sep=` line, that over what the header shows.
pub(super) fn dialect(head: &[u8], options: &TableOptions, is_tsv: bool) -> Dialect {
    let bom = head.starts_with(b"\xef\xbb\xbf");
    let bom_len = if bom { 3 } else { 0 };
    let rest = head.get(bom_len..).unwrap_or_default();
    let first_line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    let sep = separator(first_line);
    let (header_byte, header_line) = match (options.header_row, sep) {
        (Some(line), _) => (bom_len + bytes_before(rest, line), u64::from(line)),
        (None, Some(_)) => (bom_len + (first_line.len() + 1).min(rest.len()), 2),
        (None, None) => (bom_len, 1),
    };
    let blank = blank_lines(head.get(header_byte..).unwrap_or_default());
    let (header_byte, header_line) = (header_byte + blank.0, header_line + blank.1);
    let found = || if is_tsv { b'\t' } else { detect(head.get(header_byte..).unwrap_or_default()) };
    Dialect { delimiter: options.delimiter.or(sep).unwrap_or_else(found), bom, header_byte, header_line }
}

/// How many bytes stand before that line, counted from 1.
fn bytes_before(text: &[u8], line: u32) -> usize {
    let lines = text.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1) as usize);
    lines.map(<[u8]>::len).sum()
}

/// Lines without content before the header: their bytes, and how many they are.
fn blank_lines(text: &[u8]) -> (usize, u64) {
    let blank = text.split_inclusive(|b| *b == b'\n').take_while(|line| matches!(*line, b"\n" | b"\r\n"));
    blank.fold((0, 0), |(bytes, lines), line| (bytes + line.len(), lines + 1))
}

/// The delimiter that a line `sep=;` names.
fn separator(line: &[u8]) -> Option<u8> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r').trim_matches('"');
    let (word, delimiter) = line.split_at_checked(4)?;
    word.eq_ignore_ascii_case("sep=").then(|| parse_delimiter(delimiter)).flatten()
}

/// The delimiter that stands most often in the header, outside quotes; a comma where there is none.
fn detect(head: &[u8]) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for b in head {
        match b {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            _ if !is_quoted => {
                if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| delimiter == b) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    // The first of equals: a comma is likelier than a semicolon, and that likelier than a tab.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Endpoint,
    MaxSats,
    Repeat,
    /// A parameter: its folded name, and whether it is written `params.NAME`.
    Param {
        key: String,
        is_prefixed: bool,
    },
    /// Passed through under this name.
    Extra(String),
    /// One of our own results columns.
    Results(String),
    /// A column without a name; it must stay empty.
    Unnamed,
    /// Reported already; its cells are not read.
    Unknown,
}

/// What the manifest and the flags say about columns.
#[derive(Clone, Debug, Default)]
pub(super) struct ColumnRules {
    /// Header and the name that it stands for, with the place where that was said.
    pub(super) aliases: Vec<Alias>,
    /// Unknown columns are passed through as `x_*`.
    pub(super) passes_others: bool,
}

/// One `--column HEADER=NAME`: the column with that header is read as one named NAME.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub(super) header: String,
    pub(super) name: String,
    pub(super) file: String,
    pub(super) place: Option<Place>,
}

/// What is known while the header is read.
pub(super) struct HeaderContext<'a> {
    pub(super) file: &'a str,
    pub(super) catalog: &'a Catalog,
    pub(super) rules: &'a ColumnRules,
    /// The command that proposes what columns are, where the table is the manifest itself.
    pub(super) init: Option<&'a str>,
    /// Where the header's cells stand.
    pub(super) places: &'a dyn Fn(usize) -> Place,
}

impl HeaderContext<'_> {
    /// What every column means, by the trimmed cells of the header; each error names its header.
    pub(super) fn columns(&self, names: &[String], errors: &mut Vec<Diagnostic>) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::with_capacity(names.len());
        let mut unknown = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let mut column = self.column(index, name, errors).unwrap_or_else(|| {
                unknown.push((index, name.as_str()));
                Column::Unknown
            });
            let is_read = !matches!(column, Column::Unnamed | Column::Unknown | Column::Results(_));
            if let Some(first) = columns.iter().position(|known| is_read && is_same(known, &column)) {
                let earlier = names.get(first).map_or("", String::as_str);
                let message = format!("column \"{name}\" means the same as column \"{earlier}\"");
                let mut error = self.error(index, message).help("keep one of the two");
                error.related.push(((self.places)(first), "the first one".to_owned()));
                errors.push(error);
                column = Column::Unknown;
            }
            columns.push(column);
        }
        self.check_aliases(names, errors);
        errors.extend(self.unknown(&unknown));
        columns
    }

    /// The error of columns whose names are not known: one for all.
    fn unknown(&self, columns: &[(usize, &str)]) -> Option<Diagnostic> {
        let (first, name) = *columns.first()?;
        if columns.len() == 1 {
            return Some(self.error(first, format!("unknown column \"{name}\"")).help(self.unknown_help(name)));
        }
        let meant =
            |name: &str| self.suggest(name).map_or_else(String::new, |known| format!(" (did you mean \"{known}\"?)"));
        let named = columns.iter().take(UNKNOWN_SHOWN_MAX).map(|(_, name)| format!("\"{name}\"{}", meant(name)));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = columns.len().saturating_sub(UNKNOWN_SHOWN_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let help = match self.init.map(command_without_ledger) {
            Some(init) => format!(
                "`{init}` proposes what each of them is, and writes a manifest that says so; or say it with --column HEADER=NAME, or \
                 other_columns = \"pass\" under a manifest's [rows], which passes them through"
            ),
            None => "say what each of them is with columns = { HEADER = \"NAME\" } under [rows], or with --column HEADER=NAME; \
                     other_columns = \"pass\" passes them through"
                .to_owned(),
        };
        let error = self.error(first, format!("unknown columns {named}{more}")).help(help);
        Some(Diagnostic { count: columns.len() as u64, ..error })
    }

    /// The names that columns have, or are given, as headers are compared.
    pub(super) fn names(&self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| fold(self.meant(name).1)).collect()
    }

    /// What a header stands for, and whether that was said.
    fn meant<'h>(&'h self, name: &'h str) -> (bool, &'h str) {
        let alias = self.rules.aliases.iter().rfind(|alias| fold(&alias.header) == fold(name));
        (alias.is_some(), alias.map_or(name, |alias| alias.name.trim()))
    }

    /// What a column is; nothing where its name is not known.
    fn column(&self, index: usize, name: &str, errors: &mut Vec<Diagnostic>) -> Option<Column> {
        if fold(name).is_empty() {
            return Some(Column::Unnamed);
        }
        let (is_alias, meant) = self.meant(name);
        Some(match self.known(meant) {
            ColumnMatch::Column(column) => column,
            ColumnMatch::Later => {
                let message = format!("column \"{name}\": not yet; the name is kept for a later version");
                let help = format!("remove it; a parameter of that name is written {PARAMS_PREFIX}{}", fold(meant));
                errors.push(self.error(index, message).help(help));
                Column::Unknown
            }
            ColumnMatch::No if is_alias => Column::Unknown,
            ColumnMatch::No if self.rules.passes_others => Column::Extra(format!("{EXTRA_PREFIX}{name}")),
            ColumnMatch::No => return None,
        })
    }

    /// What to do about a column of an unknown name: which one it may be, and how it is passed through.
    fn unknown_help(&self, name: &str) -> String {
        let suggested = self.suggest(name).map(|known| format!("did you mean \"{known}\"?"));
        let words =
            suggested.unwrap_or_else(|| format!("columns are {}", self.known_names().collect::<Vec<_>>().join(", ")));
        // A header that a shell or the flag itself would take apart is no word of a flag.
        let is_plain = !name.contains(|c: char| c.is_control() || "=\"$`\\!".contains(c));
        let flag = |means: &str| format!("--column \"{name}={means}\"");
        let through = "other_columns = \"pass\" under a manifest's [rows], passes it through";
        match is_plain {
            true => {
                let extra = flag(&format!("{EXTRA_PREFIX}{}", fold(name)));
                format!("{words}; {} says which of them it is; {extra}, or {through}", flag("NAME"))
            }
            false => format!("{words}; {through}"),
        }
    }

    fn known(&self, name: &str) -> ColumnMatch {
        let folded = fold(name);
        let is_param = |key: &str| self.params().any(|param| fold(param) == key);
        if let Some(key) = folded.strip_prefix(PARAMS_PREFIX) {
            let key = key.to_owned();
            return if is_param(&key) {
                ColumnMatch::Column(Column::Param { key, is_prefixed: true })
            } else {
                ColumnMatch::No
            };
        }
        match folded.as_str() {
            "id" => ColumnMatch::Column(Column::Id),
            "endpoint" => ColumnMatch::Column(Column::Endpoint),
            "max_sats" => ColumnMatch::Column(Column::MaxSats),
            "repeat" => ColumnMatch::Column(Column::Repeat),
            key if LATER_KEYS.contains(&key) => ColumnMatch::Later,
            key if RESULTS_COLUMNS.contains(&key) => ColumnMatch::Column(Column::Results(folded)),
            key if key.len() > EXTRA_PREFIX.len() && key.starts_with(EXTRA_PREFIX) => {
                let is_plain = name.get(..2).is_some_and(|start| start == EXTRA_PREFIX);
                ColumnMatch::Column(Column::Extra(if is_plain { name.to_owned() } else { folded }))
            }
            key if is_param(key) => ColumnMatch::Column(Column::Param { key: folded, is_prefixed: false }),
            _ => ColumnMatch::No,
        }
    }

    /// Aliases whose header does not stand in the file, or whose name means nothing.
    fn check_aliases(&self, names: &[String], errors: &mut Vec<Diagnostic>) {
        for alias in &self.rules.aliases {
            let mut error = if !names.iter().any(|name| fold(name) == fold(&alias.header)) {
                let message = format!("columns: there is no column \"{}\" in {}", alias.header, self.file);
                let mut error = Diagnostic::error(&alias.file, message);
                error.help = closest(&alias.header, names.iter().map(String::as_str))
                    .map(|name| format!("did you mean \"{name}\"?"));
                error
            } else if matches!(self.known(&alias.name), ColumnMatch::No) {
                let message = format!("columns: \"{}\" stands for an unknown name, \"{}\"", alias.header, alias.name);
                let mut error = Diagnostic::error(&alias.file, message);
                error.help = self.suggest(&alias.name).map(|name| format!("did you mean \"{name}\"?"));
                error
            } else {
                continue;
            };
            error.place.clone_from(&alias.place);
            errors.push(error);
        }
    }

    fn suggest(&self, name: &str) -> Option<&str> {
        closest(&fold(name), self.known_names())
    }

    fn known_names(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = JOB_KEYS.iter().copied().filter(|key| *key != "params").collect();
        for param in self.params() {
            if !names.contains(&param) {
                names.push(param);
            }
        }
        names.into_iter()
    }

    fn params(&self) -> impl Iterator<Item = &str> {
        self.catalog.iter().flat_map(|endpoint| endpoint.params.iter().map(|param| param.name.as_str()))
    }

    fn error(&self, index: usize, message: String) -> Diagnostic {
        Diagnostic::error(self.file, message).at((self.places)(index))
    }
}

enum ColumnMatch {
    Column(Column),
    Later,
    No,
}

/// Whether two columns would fill the same value.
fn is_same(one: &Column, other: &Column) -> bool {
    match (one, other) {
        (Column::Param { key: one, .. }, Column::Param { key: other, .. }) => one == other,
        (Column::Extra(one), Column::Extra(other)) => fold(one) == fold(other),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_found() {
        type Expected = (u8, usize, u64);
        let cases: &[(&[u8], Option<u8>, bool, Expected)] = &[
            (b"id,prompt\n1;2;3", None, false, (b',', 0, 1)),
            (b"id;prompt\n", None, false, (b';', 0, 1)),
            (b"id\tprompt\n", None, false, (b'\t', 0, 1)),
            (b"\"a;b;c;d\",prompt\n", None, false, (b',', 0, 1)),
            (b"prompt\n", None, false, (b',', 0, 1)),
            (b"prompt\n", None, true, (b'\t', 0, 1)),
            (b"sep=;\r\na,b;c\n", None, false, (b';', 7, 2)),
            (b"\xef\xbb\xbfSEP=\t\na,b\n", None, false, (b'\t', 9, 2)),
            (b"\"sep=|\"\na,b\n", None, false, (b'|', 8, 2)),
            (b"sep=;\na,b\n", Some(b','), false, (b',', 6, 2)),
            (b"sep=;", None, false, (b';', 5, 2)),
            (b"", None, false, (b',', 0, 1)),
            (b"\r\n\nid;prompt\n", None, false, (b';', 3, 3)),
        ];
        for (head, delimiter, is_tsv, expected) in cases {
            let given = TableOptions { delimiter: *delimiter, ..TableOptions::default() };
            let found = dialect(head, &given, *is_tsv);
            let text = String::from_utf8_lossy(head);
            assert_eq!((found.delimiter, found.header_byte, found.header_line), *expected, "{text}");
        }
        let given = TableOptions { header_row: Some(3), ..TableOptions::default() };
        let found = dialect(b"\xef\xbb\xbfJune;\r\n\r\nid;prompt\r\n", &given, false);
        assert_eq!((found.delimiter, found.header_byte, found.header_line), (b';', 12, 3));
    }
}
