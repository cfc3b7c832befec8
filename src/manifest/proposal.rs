//! What the columns of a table most likely mean: a proposal for a person to read, as the TOML of a manifest. Nothing is bought by it before
//! that manifest is planned, and run.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::names::{EXTRA_PREFIX, JOB_KEYS, PARAMS_PREFIX, RESULTS_COLUMNS, fold};
use super::survey::SurveyedColumn;
use super::table_options::{SheetChoice, TableOptions};
use super::tolerance::{Languages, Readable, compared};
use crate::catalog::{Catalog, Endpoint, Param, ParamKind, toml_key, toml_text};
use crate::diagnostic::closest;

/// Words for names, as headers in several languages have them: lower case, without marks, what is no letter or digit as `_`.
const SYNONYMS: [(&str, &[&str]); 6] = [
    (
        "id",
        &[
            "nr", "no", "num", "number", "nummer", "numero", "shot", "shot_id", "shot_no", "plan", "toma", "opname",
            "job", "key",
        ],
    ),
    (
        "prompt",
        &[
            "text",
            "texte",
            "texto",
            "testo",
            "tekst",
            "description",
            "beschreibung",
            "descripcion",
            "descrizione",
            "descricao",
            "beschrijving",
            "omschrijving",
            "bildbeschreibung",
            "anweisung",
            "idea",
            "idee",
        ],
    ),
    (
        "duration",
        &[
            "seconds", "secs", "sec", "s", "length", "dauer", "lange", "laufzeit", "sekunden", "sek", "duree",
            "secondes", "duracion", "segundos", "durata", "secondi", "duracao", "duur", "seconden",
        ],
    ),
    ("mode", &["quality", "qualitat", "qualite", "calidad", "qualita", "qualidade", "kwaliteit", "modus", "modo"]),
    (
        "generate_audio",
        &[
            "audio",
            "sound",
            "ton",
            "son",
            "sonido",
            "suono",
            "som",
            "geluid",
            "klang",
            "with_audio",
            "with_sound",
            "mit_ton",
            "avec_son",
            "con_sonido",
            "con_suono",
            "com_som",
            "met_geluid",
        ],
    ),
    (
        "image",
        &[
            "picture",
            "photo",
            "foto",
            "bild",
            "imagen",
            "immagine",
            "imagem",
            "afbeelding",
            "first_frame",
            "still",
            "start_image",
        ],
    ),
];
/// Words of a column that are listed for a person to say what they stand for.
const WORDS_MAX: usize = 20;

/// Why a column is taken for what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Given,
    Name,
    Synonym,
    Similar,
    Values,
}

impl Why {
    /// In the order in which they count.
    const FOUND: [Self; 4] = [Self::Name, Self::Synonym, Self::Similar, Self::Values];

    const fn words(self) -> &'static str {
        match self {
            Self::Given => "as you said",
            Self::Name => "its own name",
            Self::Synonym => "another word for it",
            Self::Similar => "nearly its name",
            Self::Values => "by what stands in the column",
        }
    }
}

/// What is proposed.
#[derive(Debug)]
pub struct Proposal<'a> {
    columns: &'a [SurveyedColumn],
    /// By column: the name that it is read under, and why.
    meant: Vec<Option<(String, Why)>>,
    /// The endpoint of rows that name none, and others that take as many of the columns.
    endpoint: Option<(&'a Endpoint, Vec<&'a str>)>,
    has_endpoint_column: bool,
}

impl<'a> Proposal<'a> {
    /// Finds out what the columns most likely are; of those that are `given`, headers and names, a person has said it, and likewise which
    /// endpoint is `wanted`.
    #[must_use]
    pub fn of(
        columns: &'a [SurveyedColumn],
        given: &[(&str, &str)],
        catalog: &'a Catalog,
        wanted: Option<&str>,
    ) -> Self {
        let endpoints: Vec<&Endpoint> = catalog
            .iter()
            .map(|endpoint| &**endpoint)
            .filter(|endpoint| wanted.is_none_or(|name| name == endpoint.name))
            .collect();
        let has_endpoint_column = wanted.is_none() && columns.iter().any(|column| fold(&column.header) == "endpoint");
        let params: Vec<&Param> = endpoints.iter().flat_map(|endpoint| &endpoint.params).collect();
        let all = Self::matched(columns, given, &params);
        if has_endpoint_column {
            return Self { columns, meant: all, endpoint: None, has_endpoint_column };
        }
        // Of endpoints for which nothing is missing, the one that takes most of the columns.
        let takes = |endpoint: &&Endpoint| {
            let meant = Self::matched(columns, given, &endpoint.params.iter().collect::<Vec<_>>());
            let has = |name: &str| meant.iter().flatten().any(|(known, _)| known == name);
            let is_whole = endpoint.params.iter().all(|param| !param.required || has(&param.name));
            let count = endpoint.params.iter().filter(|param| has(&param.name)).count();
            is_whole.then_some(count)
        };
        let counted: Vec<(usize, &Endpoint)> =
            endpoints.iter().filter_map(|endpoint| Some((takes(endpoint)?, *endpoint))).collect();
        let most = counted.iter().map(|(count, _)| *count).max();
        let mut best = counted.iter().filter(|(count, _)| Some(*count) == most).map(|(_, endpoint)| *endpoint);
        let endpoint = best.next().map(|first| (first, best.map(|other| other.name.as_str()).collect()));
        let meant = match &endpoint {
            Some((endpoint, _)) => Self::matched(columns, given, &endpoint.params.iter().collect::<Vec<_>>()),
            None => all,
        };
        Self { columns, meant, endpoint, has_endpoint_column }
    }

    /// Of each column the name that it is read under. Each name is one column's; the best reason comes first.
    fn matched(columns: &[SurveyedColumn], given: &[(&str, &str)], params: &[&Param]) -> Vec<Option<(String, Why)>> {
        let said = |column: &SurveyedColumn| {
            let is_it = |(header, _): &&(&str, &str)| fold(header) == fold(&column.header);
            given.iter().find(is_it).map(|(_, name)| ((*name).to_owned(), Why::Given))
        };
        let mut meant: Vec<Option<(String, Why)>> = columns.iter().map(said).collect();
        for why in Why::FOUND {
            for (index, column) in columns.iter().enumerate() {
                let is_free = |name: &str| !meant.iter().flatten().any(|(known, _)| known == name);
                if meant.get(index).is_some_and(Option::is_some) || column.header.is_empty() || is_own(&column.header) {
                    continue;
                }
                let found = name_of(column, params, why).filter(|name| is_free(name)).map(|name| (name, why));
                if let Some(slot) = meant.get_mut(index) {
                    *slot = found;
                }
            }
        }
        meant
    }

    /// The manifest that says so. `file` is the table as the manifest names it, `options` how it is read.
    #[must_use]
    pub fn toml(&self, name: &str, file: &str, options: &TableOptions) -> String {
        let mut text = format!(
            "# Proposed by `init` from {}: read it, and mend it. Nothing is bought before it is planned and run.\n\nversion = 1\nname = {}\n\n",
            file.replace(char::is_control, "?"),
            toml_text(name)
        );
        match (&self.endpoint, self.has_endpoint_column) {
            (_, true) => {}
            (Some((endpoint, others)), false) => {
                let also = match others.as_slice() {
                    [] => String::new(),
                    others => format!("; {} would do as well", others.join(", ")),
                };
                let _ = writeln!(
                    text,
                    "[defaults]\nendpoint = {}  # it takes most of the columns{also}\n",
                    toml_text(&endpoint.name)
                );
            }
            (None, false) => {
                text.push_str("# Left to you: no known endpoint has all that it requires in these columns.\n# [defaults]\n# endpoint = \"…\"\n\n");
            }
        }
        let _ = writeln!(text, "[rows]\nfile = {}", toml_text(file));
        if let Some(sheet) = &options.sheet {
            let named = match sheet {
                SheetChoice::Named(name) => toml_text(name),
                SheetChoice::Number(number) => number.to_string(),
            };
            let _ = writeln!(text, "sheet = {named}");
        }
        if let Some(row) = options.header_row {
            let _ = writeln!(text, "header_row = {row}");
        }
        if let Some(hidden) = options.hidden_rows {
            let _ = writeln!(text, "hidden_rows = \"{}\"", hidden.as_str());
        }
        if let Some(delimiter) = options.delimiter {
            let _ = writeln!(text, "delimiter = {}", toml_text(&char::from(delimiter).to_string()));
        }
        self.write_tolerance(&mut text);
        self.write_columns(&mut text);
        self.write_words(&mut text);
        text
    }

    fn write_tolerance(&self, text: &mut String) {
        let read = Readable::of(self.read_columns());
        if let Some(Languages { example, readings }) = read.locale {
            let example = comment(&example);
            let _ = match readings.as_slice() {
                [(names, _)] => match names.split_first() {
                    Some((locale, [])) => writeln!(text, "locale = \"{locale}\"  # for {example}"),
                    Some((locale, others)) => {
                        writeln!(text, "locale = \"{locale}\"  # for {example}; {} read the same", others.join(", "))
                    }
                    None => Ok(()),
                },
                several => {
                    let each: Vec<String> =
                        several.iter().map(|(names, number)| format!("{number} in {}", names.join(", "))).collect();
                    writeln!(
                        text,
                        "# Left to you: the language of the numbers. {example} is {}.\n# locale = \"…\"",
                        each.join("; ")
                    )
                }
            };
        }
        if let Some(example) = read.unit {
            let _ = writeln!(text, "units = \"strip\"  # for {}", comment(&example));
        }
    }

    /// Columns that are parameters of an endpoint that is meant, with what its prices are counted in.
    fn read_columns(&self) -> impl Iterator<Item = (&Param, Option<&str>, &[(String, bool)])> {
        let endpoint = self.endpoint.as_ref().map(|(endpoint, _)| *endpoint);
        let of = move |(column, meant): (&'a SurveyedColumn, &Option<(String, Why)>)| {
            let (endpoint, (name, _)) = (endpoint?, meant.as_ref()?);
            let param = endpoint.param(name)?;
            let unit = (endpoint.price.quantity.as_ref() == Some(name)).then_some(endpoint.price.unit.as_str());
            Some((param, unit, column.cells.as_slice()))
        };
        self.columns.iter().zip(&self.meant).filter_map(of)
    }

    fn write_columns(&self, text: &mut String) {
        text.push_str("\n[rows.columns]\n");
        let mut extra: Vec<String> = Vec::new();
        for (index, (column, meant)) in self.columns.iter().zip(&self.meant).enumerate() {
            let header = &column.header;
            if header.is_empty() || is_own(header) {
                continue;
            }
            if self.is_again(index) {
                let key = toml_key(header);
                let _ = writeln!(
                    text,
                    "# Left to you: {key} heads another column, too; give each a name of its own in the table."
                );
                continue;
            }
            let (name, why) = match meant {
                Some((name, why)) => (name.clone(), why.words().to_owned()),
                None => {
                    let mut name = format!("{EXTRA_PREFIX}{}", plain(header));
                    while extra.contains(&name) || name == EXTRA_PREFIX {
                        name.push_str("_2");
                    }
                    extra.push(name.clone());
                    (name, "fits no parameter: not sent, and comes back in the results".to_owned())
                }
            };
            let name = if RESULTS_COLUMNS.contains(&name.as_str()) { format!("{PARAMS_PREFIX}{name}") } else { name };
            let _ = writeln!(text, "{} = {}  # {why}", toml_key(header), toml_text(&name));
        }
    }

    /// Whether an earlier column has that header: TOML takes each once.
    fn is_again(&self, index: usize) -> bool {
        let folded = |column: &SurveyedColumn| fold(&column.header);
        let (earlier, own) = (self.columns.iter().take(index), self.columns.get(index).map(folded));
        earlier.map(folded).any(|known| Some(known) == own)
    }

    /// Words of a column that are none of its parameter's: what each stands for is a person's to say.
    fn write_words(&self, text: &mut String) {
        let endpoint = self.endpoint.as_ref().map(|(endpoint, _)| *endpoint);
        for (index, (column, meant)) in self.columns.iter().zip(&self.meant).enumerate() {
            if self.is_again(index) {
                continue;
            }
            let param = endpoint.zip(meant.as_ref()).and_then(|(endpoint, (name, _))| endpoint.param(name));
            let Some(Param { kind: ParamKind::Choice { values }, name, .. }) = param else { continue };
            let is_value = |word: &str| values.iter().any(|value| value.to_lowercase() == word.to_lowercase());
            let mut unknown: Vec<&str> = Vec::new();
            for (cell, _) in &column.cells {
                if !is_value(cell) && !unknown.iter().any(|known| compared(known) == compared(cell)) {
                    unknown.push(cell);
                }
            }
            if unknown.is_empty() {
                continue;
            }
            let known: Vec<String> = values.iter().map(|value| toml_text(value)).collect();
            let _ = writeln!(
                text,
                "\n# Left to you: what each word stands for, one of {}, the values of {name}.",
                known.join(", ")
            );
            let _ = writeln!(text, "[rows.values.{}]", toml_key(&column.header));
            for word in unknown.iter().take(WORDS_MAX) {
                let _ = writeln!(text, "{} = \"\"", toml_key(word));
            }
        }
    }
}

/// Whether a header names a column of its own accord: what is passed through, or is of our results.
fn is_own(header: &str) -> bool {
    let folded = fold(header);
    RESULTS_COLUMNS.contains(&folded.as_str())
        || (folded.len() > EXTRA_PREFIX.len() && folded.starts_with(EXTRA_PREFIX))
}

/// The name that a column would be read under for that reason.
fn name_of(column: &SurveyedColumn, params: &[&Param], why: Why) -> Option<String> {
    let (folded, plain) = (fold(&column.header), plain(&column.header));
    let own = JOB_KEYS.iter().copied().filter(|key| *key != "params");
    let mut known = own.chain(params.iter().map(|param| param.name.as_str()));
    let found = match why {
        Why::Given => None,
        Why::Name => known.find(|name| fold(name) == folded),
        Why::Synonym => {
            let is_it = |name: &&str| SYNONYMS.iter().any(|(of, words)| of == name && words.contains(&plain.as_str()));
            known.find(is_it)
        }
        Why::Similar => closest(&plain, known).filter(|_| plain.chars().count() > 3),
        Why::Values => {
            let fits = |param: &&&Param| match &param.kind {
                ParamKind::Choice { values } => {
                    let is_value =
                        |cell: &String| values.iter().any(|value| value.to_lowercase() == cell.to_lowercase());
                    !column.cells.is_empty() && column.cells.iter().all(|(cell, _)| is_value(cell))
                }
                ParamKind::Image => {
                    let is_picture = |cell: &str| {
                        let ending = cell.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
                        matches!(ending.as_str(), "png" | "jpg" | "jpeg" | "webp") && cell.contains('.')
                    };
                    !column.cells.is_empty() && column.cells.iter().all(|(cell, _)| is_picture(cell))
                }
                // Any number may be any other: what it is, its name has to say.
                ParamKind::Text
                | ParamKind::Integer { .. }
                | ParamKind::Decimal { .. }
                | ParamKind::Boolean
                | ParamKind::IntegerOrText
                | ParamKind::List
                | ParamKind::Object
                | ParamKind::File { .. } => false,
            };
            params.iter().find(fits).map(|param| param.name.as_str())
        }
    };
    found.map(str::to_owned)
}

/// A header in plain letters: lower case, without marks, what is no letter or digit as one `_`.
fn plain(header: &str) -> String {
    let letters = header.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let mut plain = String::new();
    for c in letters {
        match c {
            c if c.is_alphanumeric() => plain.push(c),
            _ if !plain.is_empty() && !plain.ends_with('_') => plain.push('_'),
            _ => {}
        }
    }
    plain.trim_end_matches('_').to_owned()
}

/// A cell as a comment shows it.
fn comment(cell: &str) -> String {
    toml_text(&cell.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(table: &[(&str, &[&str])]) -> Vec<SurveyedColumn> {
        let column = |(header, cells): &(&str, &[&str])| SurveyedColumn {
            header: (*header).to_owned(),
            cells: cells.iter().map(|cell| ((*cell).to_owned(), false)).collect(),
        };
        table.iter().map(column).collect()
    }

    #[test]
    fn a_german_sheet_is_understood_as_far_as_it_can_be() {
        let columns = columns(&[
            ("Nr.", &["s1", "s2"]),
            ("Beschreibung", &["a fox", "an owl"]),
            ("Sekunden", &["10 s", "5 s"]),
            ("Qualität", &["Hoch", "Standard"]),
            ("Ton", &["ja", "nein"]),
            ("", &[]),
            ("Kunde", &["ACME"]),
            ("x_scene", &["1"]),
            ("state", &["pending"]),
        ]);
        let catalog = Catalog::builtin().unwrap();
        let options = TableOptions { sheet: Some("Shots".into()), header_row: Some(3), ..TableOptions::default() };
        insta::assert_snapshot!(Proposal::of(&columns, &[], &catalog, None).toml("june", "june.xlsx", &options));
    }

    #[test]
    fn what_is_proposed_is_toml_whatever_stands_in_the_table() {
        let columns = columns(&[
            ("Text", &["a"]),
            ("Look", &["Hoch", "hoch", "pro"]),
            ("look", &["b"]),
            ("Note", &["b"]),
            ("Note", &["c"]),
        ]);
        let catalog = Catalog::builtin().unwrap();
        let proposal = Proposal::of(&columns, &[("Look", "mode")], &catalog, None);
        let text = proposal.toml("june", "a\n[limits]\n.csv", &TableOptions::default());
        let document = toml::de::DeTable::parse(&text).unwrap();
        let keys: Vec<&str> = document.get_ref().keys().map(|key| key.get_ref().as_ref()).collect();
        assert_eq!(keys, ["version", "name", "defaults", "rows"], "{text}");
        assert!(text.contains("# Left to you: Note heads another column, too"), "{text}");
        assert_eq!(text.matches(" = \"\"").count(), 1, "a word stands there once: {text}");
    }

    #[test]
    fn columns_are_found_by_name_by_likeness_and_by_what_they_hold() {
        let catalog = Catalog::builtin().unwrap();
        let meant = |table: &[(&str, &[&str])], wanted: Option<&str>| {
            let columns = columns(table);
            let proposal = Proposal::of(&columns, &[], &catalog, wanted);
            let names = proposal.meant.iter().map(|meant| meant.as_ref().map_or("-", |(name, _)| name).to_owned());
            let endpoint = proposal.endpoint.as_ref().map_or("-", |(endpoint, _)| endpoint.name.as_str());
            format!("{endpoint}: {}", names.collect::<Vec<_>>().join(" "))
        };
        let animated: &[(&str, &[&str])] = &[("Text", &["a"]), ("Start", &["a.png", "b/c.JPG"])];
        assert_eq!(meant(animated, None), "animate-image: prompt image");
        assert_eq!(meant(&[("Propmt", &["a"]), ("Look", &["Pro", "standard"])], None), "generate-video: prompt mode");
        assert_eq!(meant(&[("Prompt", &["a"]), ("Text", &["b"])], None), "generate-video: prompt -");
        assert_eq!(meant(&[("Farbe", &["rot"])], None), "-: -", "no endpoint does without a prompt");
        assert_eq!(
            meant(&[("endpoint", &["x"]), ("prompt", &["a"]), ("image", &["a"])], None),
            "-: endpoint prompt image"
        );
        assert_eq!(meant(animated, Some("generate-video")), "generate-video: prompt -");
    }
}
