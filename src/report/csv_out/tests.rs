use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;
use crate::catalog::{ImageKind, ImageRef, ImageSource, Value};
use crate::csv_escape::restore;
use crate::ledger::{FurtherResult, ReceiptKind};
use crate::manifest::{JobSource as _, Manifest, OpenOptions};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason};
use crate::report::table_out::Dialect;
use crate::report::testing::receipt;
use crate::time::UnixMs;

fn result(id: &str, state: JobState, reason: Reason) -> ResultRow {
    ResultRow {
        id: id.into(),
        line: 7,
        take: 1,
        state,
        reason,
        next: Next::of(state, reason),
        endpoint: "generate-video".into(),
        params: vec![
            ("prompt".into(), Value::Text("A cat, \"walking\"\non the moon".into())),
            ("duration".into(), Value::Integer(5)),
            ("generate_audio".into(), Value::Boolean(true)),
        ],
        price: Msat::new(2_750_000),
        is_capped: false,
        fee: None,
        url: None,
        file: None,
        sha256: None,
        more: Vec::new(),
        attempts: 0,
        started_at: None,
        finished_at: None,
        wait_until: None,
        error: None,
        extra: vec![("x_scene".into(), "12".into())],
    }
}

fn delivered() -> ResultRow {
    ResultRow {
        fee: Some(Msat::new(1_500)),
        url: Some("https://cdn.example/one.mp4".into()),
        more: vec![FurtherResult { url: "https://cdn.example/two.mp4".into(), mark: None }],
        attempts: 1,
        started_at: Some(UnixMs(1_790_000_000_123)),
        finished_at: Some(UnixMs(1_790_000_192_000)),
        ..result("shot-001", JobState::Delivered, Reason::None)
    }
}

fn image(source: ImageSource) -> Value {
    Value::Image(Box::new(ImageRef { source, sha256: "ab".repeat(32), kind: ImageKind::Png }))
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn results_text(file: &ResultsFile, rows: &[ResultRow]) -> String {
    let mut out = Vec::new();
    file.write(&mut out, &mut |each| rows.iter().cloned().try_for_each(each)).unwrap();
    String::from_utf8(out).unwrap()
}

fn receipts_text(file: &ReceiptsFile, rows: &[ReceiptRow]) -> String {
    let mut out = Vec::new();
    file.write(&mut out, &mut |each| rows.iter().cloned().try_for_each(each)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn results_as_the_interface_says() {
    let mut animated = result("shot-002", JobState::Pending, Reason::None);
    animated.endpoint = "animate-image".into();
    animated.params = vec![("image".into(), image(ImageSource::File("/pictures/cat.png".into())))];
    animated.extra = Vec::new();
    let mut inline = result("shot-003", JobState::Refused, Reason::PriceChanged);
    inline.params = vec![("image".into(), image(ImageSource::Inline("aGVsbG8=".into())))];
    inline.error = Some("the origin asks 600 sats, the plan says 550 sats".into());
    let file = ResultsFile::new(
        strings(&["prompt", "duration", "generate_audio", "image"]),
        strings(&["x_scene"]),
        TableForm::Csv(Dialect::default()),
    );
    insta::assert_snapshot!(results_text(&file, &[delivered(), animated, inline]));
}

#[test]
fn receipts_as_the_interface_says() {
    let open = ReceiptRow { fee: None, network: None, url: None, extra: Vec::new(), ..receipt() };
    let refund = ReceiptRow { kind: ReceiptKind::Refund, fee: Some(Msat::ZERO), take: 2, ..receipt() };
    let file = ReceiptsFile::new(strings(&["x_scene"]), TableForm::Csv(Dialect::default()));
    insta::assert_snapshot!(receipts_text(&file, &[receipt(), open, refund]));
}

#[test]
fn what_is_written_can_be_read() {
    for dialect in [b',', b';', b'\t'].map(|delimiter| Dialect { delimiter, bom: delimiter == b';' }) {
        let file = ResultsFile::new(strings(&["prompt", "duration"]), strings(&["x_scene"]), TableForm::Csv(dialect));
        let text = results_text(&file, &[delivered(), delivered()]);
        assert_eq!(text.starts_with('\u{feff}'), dialect.bom);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let column = reader.headers().unwrap().iter().position(|name| name == "prompt").unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(&rows[1][column], "A cat, \"walking\"\non the moon");
        assert_eq!(&rows[1][0], "shot-001");
    }
}

#[test]
fn no_text_becomes_a_formula_and_numbers_stay_numbers() {
    let mut row = delivered();
    row.id = "-shot".into();
    row.params = vec![
        ("prompt".into(), Value::Text("=HYPERLINK(\"http://evil.example\")".into())),
        ("offset".into(), Value::Integer(-5)),
    ];
    row.error = Some("@SUM(A1)".into());
    row.extra = vec![("x_note".into(), "+1".into())];
    let file =
        ResultsFile::new(strings(&["prompt", "offset"]), strings(&["x_note"]), TableForm::Csv(Dialect::default()));
    let text = results_text(&file, &[row]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let record = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| record[headers.iter().position(|header| header == name).unwrap()].to_owned();
    assert_eq!(cell("id"), "'-shot");
    assert_eq!(cell("prompt"), "'=HYPERLINK(\"http://evil.example\")");
    assert_eq!(cell("offset"), "-5");
    assert_eq!(cell("error"), "'@SUM(A1)");
    assert_eq!(cell("x_note"), "'+1");
}

#[test]
fn a_parameter_whose_name_is_taken_is_told_apart() {
    let taken = ["id", "URL", "started at", "price-sats", "max_sats", "x_note", "params.a"];
    for name in taken {
        assert_eq!(param_column(name), format!("params.{name}"));
    }
    assert_eq!(param_column("prompt"), "prompt");
    assert_eq!(param_column("files"), "files");
}

#[test]
fn a_row_that_cannot_be_read_ends_the_writing() {
    let file = ResultsFile::new(Vec::new(), Vec::new(), TableForm::Csv(Dialect::default()));
    let failed = file.write(&mut Vec::new(), &mut |each| {
        each(delivered())?;
        Err(io::Error::other("the ledger cannot be read"))
    });
    assert!(failed.is_err());
}

proptest! {
    /// Whatever a prompt holds, the file stays a CSV, no cell begins like a formula, and reading gives the prompt back.
    #[test]
    fn any_text_comes_back(prompt in any::<String>(), note in "['=+@\\-\t\r\n;,\"]{0,4}.{0,4}") {
        let mut row = delivered();
        row.params = vec![("prompt".into(), Value::Text(prompt.clone()))];
        row.extra = vec![("x_note".into(), note.clone())];
        let dialect = Dialect { delimiter: b';', bom: false };
        let file = ResultsFile::new(strings(&["prompt"]), strings(&["x_note"]), TableForm::Csv(dialect));
        let text = results_text(&file, &[row]);
        let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        prop_assert_eq!(record.iter().find(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), None);
        prop_assert_eq!(restore(&record[7]), prompt);
        prop_assert_eq!(restore(&record[record.len() - 3]), note);
    }
}

/// The manifest's readers know the words of results, below the room of the states: both mean the same.
#[test]
fn rows_that_are_bought_or_may_be_are_left_out_of_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    for state in JobState::VARIANTS {
        let may_be_bought = match state {
            JobState::Pending | JobState::Refused | JobState::Failed => false,
            JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::RefundOffered
            | JobState::Refunded
            | JobState::Lost => true,
        };
        let word = state.as_str();
        let ours = ("id,endpoint,prompt,duration,state,take,reason,next", "1,none,none");
        for (header, rest) in [("id,endpoint,prompt,duration,state", None), (ours.0, Some(ours.1))] {
            let path = folder.path().join("results.csv");
            let rest = rest.map(|rest| format!(",{rest}")).unwrap_or_default();
            std::fs::write(&path, format!("{header}\na,generate-video,A cat,5,{word}{rest}\n")).unwrap();
            let mut manifest = Manifest::open(&OpenOptions { path, ..OpenOptions::default() }).unwrap();
            manifest.leave_out_bought();
            let jobs = manifest.jobs().collect::<Result<Vec<_>, _>>().unwrap();
            assert_eq!(
                (jobs.is_empty(), manifest.notes().left_out == 1),
                (may_be_bought, may_be_bought),
                "{word}, {header}"
            );
        }
    }
}
