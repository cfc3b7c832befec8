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
            let table = TableOptions { sheet: Some(name.to_owned()), ..TableOptions::default() };
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
        let table = TableOptions {
            sheet: Some("hidden rows".to_owned()),
            hidden_rows: Some(hidden),
            ..TableOptions::default()
        };
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
        let table = TableOptions { sheet: sheet.map(str::to_owned), ..TableOptions::default() };
        told(&of_sheets("quirks.xlsx", table)).1.join("\n")
    };
    assert!(of(None).starts_with("quirks.xlsx: 10 of its sheets hold something: \"exact\", "), "{}", of(None));
    assert!(of(None).ends_with("say which one is meant: --sheet exact"), "{}", of(None));
    assert_eq!(of(Some("9")), "", "by number");
    assert_eq!(of(Some("Texts")), "", "without case");
    assert!(of(Some("text")).contains("there is no sheet \"text\" | did you mean \"texts\"?"), "{}", of(Some("text")));
    assert!(of(Some("11")).contains("there is no sheet \"11\""));
    let text = TableOptions { sheet: Some("a".to_owned()), ..TableOptions::default() };
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
        TableOptions { sheet: Some("texts".to_owned()), header_row: Some(9), ..TableOptions::default() },
    );
    let (_, told) = super::workbooks::told(&options);
    assert!(told[0].contains("there is nothing in row 9, which is said to be the header"), "{told:?}");
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
    for (rows, cells, said) in [
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
