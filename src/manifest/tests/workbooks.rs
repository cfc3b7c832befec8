//! Workbooks, and tables as people and programs of other countries write them: the files of `tests/sheets`, which `make.py` there has made.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn sheets(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sheets").join(name)
}

fn of_sheets(name: &str, table: TableOptions) -> OpenOptions {
    OpenOptions {
        path: sheets(name),
        catalogs: vec![sheets("catalog.toml")],
        defaults: vec![("endpoint".to_owned(), "clip".to_owned())],
        table,
        ..OpenOptions::default()
    }
}

/// Errors as they are shown on one line each, with what to do, and notes.
fn told(options: &OpenOptions) -> (Vec<JobSpec>, Vec<String>) {
    let line = |error: &Diagnostic| {
        let help = error.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
        format!("{error}{help}").replace(&sheets("").display().to_string(), "")
    };
    match Manifest::open(options) {
        Ok(manifest) => {
            let (jobs, errors) = drain(&manifest);
            let notes = manifest.notes().lines().into_iter().map(|note| format!("note: {note}"));
            (jobs, notes.chain(errors.iter().map(line)).collect())
        }
        Err(errors) => (Vec::new(), errors.iter().map(line).collect()),
    }
}

#[test]
fn the_same_shots_are_the_same_jobs_whoever_wrote_them() {
    let read = |name: &str| {
        let (mut jobs, told) = told(&of_sheets(name, TableOptions::default()));
        let expected = match name {
            "shots.xlsxwriter.toml" => {
                "note: the table of sheet \"Shots\" ends at row 43, before a blank row: 1 row with content below it, not read (46)"
            }
            _ => "",
        };
        assert_eq!(told.join("\n"), expected, "{name}");
        jobs.iter_mut().for_each(|job| job.line = 0);
        jobs
    };
    let jobs = read("shots.en.csv");
    assert_eq!(jobs.len(), 40);
    for name in [
        "shots.de.toml",
        "shots.fr.toml",
        "shots.libreoffice.csv",
        "shots.libreoffice.xlsx",
        "shots.libreoffice.ods",
        "shots.openpyxl.xlsx",
        "shots.xlsxwriter.toml",
        "shots.odfpy.ods",
    ] {
        assert!(read(name) == jobs, "{name}");
    }
}

#[test]
fn what_spreadsheets_do_to_tables_is_said() {
    let all = |file: &str| {
        let names = [
            "exact",
            "dates",
            "errors",
            "uncomputed",
            "hidden rows",
            "merged",
            "below",
            "beside",
            "texts",
            "blank below",
        ];
        let one = |name: &str| {
            let table = TableOptions { sheet: Some(name.into()), ..TableOptions::default() };
            let (jobs, told) = told(&of_sheets(file, table));
            let jobs = jobs.iter().map(|job| {
                let values: Vec<String> = job.params().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{}: {:?} {} {:?}", job.line, job.id, values.join(" "), job.extra)
            });
            format!("[{name}]\n{}", jobs.chain(told).collect::<Vec<_>>().join("\n"))
        };
        names.map(one).join("\n\n").replace(file, "FILE")
    };
    let xlsx = all("quirks.xlsx");
    insta::assert_snapshot!(xlsx);
    // LibreOffice computes what was not computed; all else it keeps.
    let but_computed = |all: &str| {
        all.split("\n\n").filter(|sheet| !sheet.starts_with("[uncomputed]")).collect::<Vec<_>>().join("\n\n")
    };
    let rounded = xlsx.replace("0.3333333333333333", "0.333333333333333");
    assert_eq!(but_computed(&all("quirks.ods")), but_computed(&rounded));
}

#[test]
fn hidden_rows_are_what_a_person_says() {
    let read = |hidden| {
        let table =
            TableOptions { sheet: Some("hidden rows".into()), hidden_rows: Some(hidden), ..TableOptions::default() };
        let (jobs, told) = told(&of_sheets("quirks.xlsx", table));
        (lines(&jobs), told)
    };
    let columns = "note: sheet \"hidden rows\": hidden columns that are read: D";
    let rows = |done: &str| format!("note: sheet \"hidden rows\": 3 hidden rows (3-4, 6), {done}");
    assert_eq!(read(HiddenRows::Skip), (vec![2, 5, 7], vec![rows("passed over"), columns.to_owned()]));
    assert_eq!(read(HiddenRows::Read), (vec![2, 3, 4, 5, 6, 7], vec![rows("read as jobs"), columns.to_owned()]));
}

#[test]
fn a_sheet_is_named_or_the_only_one() {
    let of = |sheet: Option<&str>| {
        let table = TableOptions { sheet: sheet.map(SheetChoice::from), ..TableOptions::default() };
        told(&of_sheets("quirks.xlsx", table)).1.join("\n")
    };
    assert!(of(None).starts_with("quirks.xlsx: 10 of its sheets hold something: \"exact\", "), "{}", of(None));
    assert!(of(None).ends_with("say which one is meant: --sheet exact"), "{}", of(None));
    assert_eq!(of(Some("9")), "", "by number");
    assert_eq!(of(Some("Texts")), "", "without case");
    assert!(of(Some("text")).contains("there is no sheet \"text\" | did you mean \"texts\"?"), "{}", of(Some("text")));
    assert!(of(Some("11")).contains("there is no sheet \"11\""));
    let text = TableOptions { sheet: Some("a".into()), ..TableOptions::default() };
    let said = told(&of_sheets("shots.en.csv", text)).1;
    assert_eq!(
        said,
        ["shots.en.csv: sheet is said of workbooks, and this file is text | leave it out, or name the workbook"]
    );
}

#[test]
fn a_header_further_down_is_named() {
    let case = csv("June trailers\n\nid,prompt\n1,a cat\n");
    let mut options = case.options.clone();
    options.table.header_row = Some(3);
    let (jobs, told) = told(&options);
    assert_eq!((told, lines(&jobs)), (vec![], vec![4]));
    options = of_sheets(
        "quirks.xlsx",
        TableOptions { sheet: Some("texts".into()), header_row: Some(9), ..TableOptions::default() },
    );
    let (_, told) = super::workbooks::told(&options);
    assert!(told[0].contains("there is nothing in row 9, which is said to be the header"), "{told:?}");
}

/// Rows of a results file choose jobs that are stored: nothing is chosen by a row that nobody sees, or a cell that is no value.
#[test]
fn rows_of_results_are_held_against_what_any_row_has_to_be() {
    let read = |sheet: &str, hidden_rows| {
        let table = TableOptions { sheet: Some(sheet.into()), hidden_rows, ..TableOptions::default() };
        let manifest = Manifest::open(&of_sheets("quirks.xlsx", table)).unwrap();
        let mut told: Vec<String> = Vec::new();
        for row in manifest.results_rows() {
            match row {
                Ok(row) => told.push(row.id),
                Err(errors) => told.extend(errors.iter().map(|error| error.message.clone())),
            }
        }
        (told.join(" "), manifest.notes().lines().join(" "))
    };
    let (told, _) = read("hidden rows", None);
    assert!(told.ends_with("h5 the table has 3 hidden rows: 3-4, 6"), "{told}");
    let (told, notes) = read("hidden rows", Some(HiddenRows::Skip));
    assert_eq!(told, "h0 h3 h5");
    assert!(notes.contains("3 hidden rows (3-4, 6), passed over"), "{notes}");
    let (told, _) = read("merged", None);
    assert!(told.contains("the cells B2:B3 are merged"), "{told}");
    let (told, _) = read("beside", None);
    assert_eq!(told, "a cell in a column without a name");
    let (told, notes) = read("below", None);
    assert!(told == "a" && notes.contains("with content below it, not read"), "{told} {notes}");
    let (told, _) = read("dates", None);
    assert!(told.contains("duration: the cell holds a date") && told.contains("id: the cell holds a date"), "{told}");
}

/// The workbook of that name, its parts stored as they are, edited on the way.
fn stored(name: &str, edit: impl Fn(String) -> String) -> Vec<u8> {
    use std::io::{Cursor, Read as _, Write as _};
    let mut whole = zip::ZipArchive::new(Cursor::new(fs::read(sheets(name)).unwrap())).unwrap();
    let mut stored = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for index in 0..whole.len() {
        let mut part = whole.by_index(index).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        stored.start_file(part.name().unwrap().into_owned(), options).unwrap();
        stored.write_all(edit(text).as_bytes()).unwrap();
    }
    stored.finish().unwrap().into_inner()
}

/// The jobs of a workbook with such bytes, and what is wrong with them.
fn planned(name: &str, bytes: &[u8]) -> (Vec<JobSpec>, Vec<String>) {
    Case::new(name, bytes).default("endpoint", "generate-video").column("Strength", "x_s").read()
}

/// The checksum of a part stands at its end, and the texts of cells are read no further than they go.
#[test]
fn damage_in_the_texts_of_cells_is_found() {
    let mut bytes = stored("shots.openpyxl.xlsx", |part| part);
    let (jobs, errors) = planned("a.xlsx", &bytes);
    assert_eq!((jobs.len(), errors), (40, vec![]));
    let at = bytes.windows(7).position(|bytes| bytes == b"red fox").unwrap();
    bytes[at..at + 7].copy_from_slice(b"red fix");
    let (jobs, errors) = planned("a.xlsx", &bytes);
    assert!(jobs.is_empty() && errors[0].contains("it cannot be read as a workbook: "), "{errors:?}");
}

/// What a cell says that it holds is not taken for nothing, which would buy the default.
#[test]
fn a_cell_of_a_type_without_its_value_is_not_empty() {
    for (there, gone) in [
        ("office:value-type=\"float\" office:value=\"3\"", "office:value-type=\"float\""),
        ("office:value-type=\"boolean\" office:boolean-value=\"true\"", "office:value-type=\"boolean\""),
    ] {
        let (jobs, errors) = planned("a.ods", &stored("shots.odfpy.ods", |part| part.replacen(there, gone, 1)));
        assert_eq!((jobs.len(), errors.len()), (39, 1), "{errors:?}");
        assert!(errors[0].contains("the cell holds a value that is not stored"), "{errors:?}");
    }
    let listed = |part: String| {
        let text = "<text:p>A red fox crosses a frozen river, take 00</text:p>";
        part.replacen(text, &format!("<text:list><text:list-item>{text}</text:list-item></text:list>"), 1)
    };
    let (in_list, errors) = planned("a.ods", &stored("shots.odfpy.ods", listed));
    assert_eq!((in_list, errors), planned("a.ods", &stored("shots.odfpy.ods", |part| part)), "a list's text is text");
}

/// A file by another name, or what is no workbook.
#[test]
fn what_is_no_workbook_is_told_and_what_to_do() {
    let xlsx = fs::read(sheets("shots.openpyxl.xlsx")).unwrap();
    let old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on".as_slice();
    for (name, bytes, said) in [
        ("a.xlsx", b"id,prompt\n1,a cat\n".as_slice(), "it is no workbook, whatever its name says"),
        ("a.xlsx", old, "it is an old Excel workbook, whatever its name says"),
        ("a.xlsx", &xlsx[..xlsx.len() / 2], "it cannot be read as a workbook: "),
        ("a.ods", &xlsx, "it is no spreadsheet as OpenDocument has them"),
        ("a.csv", &xlsx, "the file is an Excel workbook, whatever its name says | name it .xlsx"),
        ("a.xls", old, "cannot tell whether this is TOML, CSV or a workbook | a workbook of this kind is not read"),
    ] {
        let errors = Case::new(name, bytes).errors();
        assert!(errors[0].contains(said), "{name}: {errors:?}");
    }
}

#[test]
fn what_is_declared_is_read_and_no_more() {
    let read = |rows: &str, cells: &str| {
        let case = toml(&format!(
            "version = 1\n[defaults]\nendpoint = \"generate-video\"\nprompt = \"a cat\"\n[rows]\nfile = \"a.csv\"\n{rows}\n"
        ));
        let (jobs, errors) = case.file("a.csv", format!("Sekunden;mode;Ton;max_sats\n{cells}\n")).read();
        let shown = |job: &JobSpec| {
            let of = |name| value(job, name).unwrap_or_default();
            format!("{} {} {} {:?}", of("duration"), of("mode"), of("generate_audio"), job.max_sats.map(Sats::get))
        };
        jobs.iter().map(shown).chain(errors).collect::<Vec<_>>().join("\n")
    };
    let columns = "columns = { Sekunden = \"duration\", Ton = \"generate_audio\" }";
    let german = format!(
        "{columns}\nlocale = \"de\"\nunits = \"strip\"\nvalues = {{ Mode = {{ Hoch = \"pro\", normal = \"STANDARD\" }} }}"
    );
    assert_eq!(read(&german, "10 s;hoch;Ja;2.500 Sats"), "10 pro true Some(2500)");
    assert_eq!(read(&german, "5,0;Normal;FALSCH;1.000"), "5 standard false Some(1000)");
    assert_eq!(read(&german, "10 Sek.;Pro;no;"), "10 pro false None");
    // What a word stands for is written as everybody writes it, and stays so.
    let words = format!(
        "{columns}\nlocale = \"de\"\nvalues = {{ Sekunden = {{ lang = 10 }}, max_sats = {{ viel = 1500, falsch = \"1.500\" }} }}"
    );
    assert_eq!(read(&words, "lang;pro;ja;viel"), "10 pro true Some(1500)");
    for (rows, cells, said) in [
        (&words, "5;pro;ja;falsch", "max_sats: expected a whole number of sats above zero, got \"1.500\""),
        (&german, "10 min;pro;ja;", "duration: expected an integer from 3 to 15, got \"10 min\""),
        (&german, "5.5;pro;ja;", "duration: expected a number as locale \"de\" writes it (1.000,5), got \"5.5\""),
        (&german, "5;mittel;ja;", "mode: expected \"standard\" or \"pro\", got \"mittel\""),
        (&german, "5;pro;oui;", "generate_audio: expected true or false, got \"oui\""),
        (&columns.to_owned(), "10 s;pro;ja;1.000", "duration: expected an integer from 3 to 15, got \"10 s\""),
        (&format!("{columns}\nlocale = \"xx\""), "5;pro;1;", "locale: expected one of \"en\", \"de\""),
        (&format!("{columns}\nunits = \"drop\""), "5;pro;1;", "units: expected \"strip\" or \"error\", got \"drop\""),
        (
            &format!("{columns}\nvalues = {{ Moode = {{ a = \"pro\" }} }}"),
            "5;pro;1;",
            "values: there is no column \"Moode\" | did you mean \"mode\"?",
        ),
        (
            &format!("{columns}\nvalues = {{ mode = {{ Hoch = \"pro\", \" hoch\" = \"standard\" }} }}"),
            "5;hoch;1;",
            "neither case nor blanks around it count | keep one of the two",
        ),
        (&format!("{columns}\nvalues = {{ mode = {{ \" \" = \"pro\" }} }}"), "5;;1;", "values: a word is empty"),
        (
            &"columns = { Sekunden = \"duration\", Ton = \"x_ton\" }\nvalues = { Ton = { ja = \"1\" } }".to_owned(),
            "5;pro;ja;",
            "values: the cells of column \"Ton\" stand for themselves",
        ),
    ] {
        let told = read(rows, cells);
        assert!(told.contains(said), "{cells}: {told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_panic(at in 0_usize..7_000, byte: u8, is_ods: bool) {
        let name = if is_ods { "shots.odfpy.ods" } else { "shots.openpyxl.xlsx" };
        let mut bytes = fs::read(sheets(name)).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Case::new(name, bytes).default("endpoint", "generate-video").read();
    }
}
