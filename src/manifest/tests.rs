//! What the readers make of manifests, rule by rule.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::catalog::ImageSource;
use crate::diagnostic::render;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and the rest";

/// A manifest in a folder of its own, with an image beside it.
struct Case {
    folder: TempDir,
    options: OpenOptions,
}

/// Good jobs, and errors as `line:column: message | help`.
type Outcome = (Vec<JobSpec>, Vec<String>);

impl Case {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("a.png"), PNG).unwrap();
        fs::create_dir(folder.path().join("images")).unwrap();
        fs::write(folder.path().join("images/b.jpg"), b"\xff\xd8\xff and the rest").unwrap();
        fs::write(folder.path().join("words.txt"), "no image").unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        let options = OpenOptions { path: folder.path().join(name), ..OpenOptions::default() };
        Self { folder, options }
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    fn default(mut self, key: &str, value: &str) -> Self {
        self.options.defaults.push((key.to_owned(), value.to_owned()));
        self
    }

    fn column(mut self, header: &str, name: &str) -> Self {
        self.options.columns.push((header.to_owned(), name.to_owned()));
        self
    }

    fn open(&self) -> Result<Manifest, Vec<Diagnostic>> {
        Manifest::open(&self.options)
    }

    fn read(&self) -> Outcome {
        match self.open() {
            Ok(manifest) => {
                let (jobs, errors) = drain(&manifest);
                (jobs, errors.iter().map(short).collect())
            }
            Err(errors) => (Vec::new(), errors.iter().map(short).collect()),
        }
    }

    fn jobs(&self) -> Vec<JobSpec> {
        let (jobs, errors) = self.read();
        assert_eq!(errors, Vec::<String>::new());
        jobs
    }

    fn errors(&self) -> Vec<String> {
        self.read().1
    }
}

fn csv(content: impl AsRef<[u8]>) -> Case {
    Case::new("jobs.csv", content).default("endpoint", "generate-video")
}

fn toml(content: &str) -> Case {
    Case::new("jobs.toml", content)
}

fn drain(manifest: &Manifest) -> (Vec<JobSpec>, Vec<Diagnostic>) {
    let (mut jobs, mut errors) = (Vec::new(), Vec::new());
    for item in manifest.jobs() {
        match item {
            Ok(job) => jobs.push(job),
            Err(found) => {
                assert!(!found.is_empty());
                errors.extend(found);
            }
        }
    }
    (jobs, errors)
}

fn short(error: &Diagnostic) -> String {
    let place = error.place.as_ref().map_or(String::new(), |p| format!("{}:{}: ", p.line, p.column));
    let help = error.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
    format!("{place}{}{help}", error.message)
}

fn value(job: &JobSpec, name: &str) -> Option<String> {
    job.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string())
}

fn texts(jobs: &[JobSpec], name: &str) -> Vec<String> {
    jobs.iter().map(|job| value(job, name).unwrap_or_default()).collect()
}

fn lines(jobs: &[JobSpec]) -> Vec<u64> {
    jobs.iter().map(|job| job.line).collect()
}

#[test]
fn the_examples_mean_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| {
        let options = OpenOptions { path: root.join(name), ..OpenOptions::default() };
        let (mut jobs, errors) = drain(&Manifest::open(&options).unwrap());
        assert_eq!(errors, vec![]);
        jobs.iter_mut().for_each(|job| job.line = 0);
        jobs
    };
    let jobs = read("jobs.example.toml");
    assert_eq!(jobs, read("jobs.example.csv"));
    let price = |job: &JobSpec| {
        let of = |name: &str| job.params.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        job.endpoint.price.price(of).unwrap().price.get()
    };
    assert_eq!(jobs.iter().map(price).sum::<u64>(), 13_850_000, "the total in the example's comment");
}

#[test]
fn an_empty_cell_takes_the_default() {
    let case = csv("prompt,duration,mode\na cat,,\na dog,7,standard\n").default("duration", "9");
    let jobs = case.jobs();
    assert_eq!(texts(&jobs, "duration"), ["9", "7"]);
    assert_eq!(texts(&jobs, "mode"), ["pro", "standard"]);
    assert_eq!(texts(&jobs, "generate_audio"), ["false", "false"]);
    assert_eq!(lines(&jobs), [2, 3]);
}

#[test]
fn delimiters_marks_and_line_ends_are_understood() {
    let cases: &[(&str, &[u8], u8, bool)] = &[
        ("a.csv", b"id,prompt,duration\n1,a cat,7\n", b',', false),
        ("a.csv", b"id;prompt;duration\r\n1;a cat;7\r\n", b';', false),
        ("a.txt", b"id\tprompt\tduration\r\n1\ta cat\t7", b'\t', false),
        ("a.tsv", b"id\tprompt\tduration\n1\ta cat\t7", b'\t', false),
        ("a.csv", b"\xef\xbb\xbfid,prompt,duration\n1,a cat,7", b',', true),
        ("a.csv", b"\xef\xbb\xbfsep=;\r\nid;prompt;duration\r\n1;a cat;7\r\n", b';', true),
        ("a.csv", b"sep=|\nID|Prompt| DURATION \n 1 | a cat |\"7\"\n", b'|', false),
        ("a.csv", b"\n\nid,prompt,duration\n1,\"a cat\"\r\n,7\n", b',', false),
    ];
    for (name, content, delimiter, bom) in &cases[..7] {
        let case = Case::new(name, content).default("endpoint", "generate-video");
        let jobs = case.jobs();
        let text = String::from_utf8_lossy(content);
        assert_eq!(
            (texts(&jobs, "prompt"), texts(&jobs, "duration")),
            (vec!["a cat".into()], vec!["7".into()]),
            "{text}"
        );
        assert_eq!(jobs[0].id.as_deref(), Some("1"));
        let manifest = case.open().unwrap();
        assert_eq!((manifest.delimiter, manifest.bom), (*delimiter, *bom), "{text}");
    }
}

#[test]
fn lines_are_physical_whatever_the_cells_hold() {
    for end in ["\n", "\r\n"] {
        let text = "prompt,duration\n\n\"two\nlines\",4\n,\n\n\n\"three\n\nlines\",5\nlast,6".replace('\n', end);
        let case = csv(&text);
        let jobs = case.jobs();
        assert_eq!(lines(&jobs), [3, 8, 11], "{end:?}");
        assert_eq!(texts(&jobs, "prompt"), ["two\nlines", "three\n\nlines", "last"], "{end:?}");
    }
}

#[test]
fn what_is_skipped_is_counted() {
    let case = csv("id,,prompt,state,url,\n\n1,,a cat,pending,,\n,,,,,\n\n2,,a dog,paid,https://x,\n\n");
    let manifest = case.open().unwrap();
    assert_eq!(drain(&manifest).1, vec![]);
    let notes = manifest.notes();
    assert_eq!((notes.empty_records, notes.unnamed_columns), (4, 2));
    assert_eq!(
        notes.lines(),
        ["skipped 4 empty records", "skipped 2 empty columns without a name", "skipped the results columns state, url"]
    );
    drain(&manifest);
    assert_eq!(manifest.notes(), notes, "a second reading counts anew");
}

#[test]
fn columns_are_known_by_any_spelling_and_by_alias() {
    let case =
        csv("Prompt,Seconds,Generate Audio,X Note,x_Shot,MODELID\na cat,4,yes,n,s,6\n").column("seconds", "duration");
    let jobs = case.jobs();
    assert_eq!(value(&jobs[0], "duration").as_deref(), Some("4"));
    assert_eq!(value(&jobs[0], "generate_audio").as_deref(), Some("true"));
    assert_eq!(value(&jobs[0], "modelId").as_deref(), Some("6"));
    let extra = [("x_note".to_owned(), "n".to_owned()), ("x_Shot".to_owned(), "s".to_owned())];
    assert_eq!(jobs[0].extra, extra);
}

#[test]
fn a_quote_before_a_formula_sign_is_ours() {
    let jobs = csv("id,prompt,x_note\n'-1,'=a cat,'tis\n").jobs();
    assert_eq!(jobs[0].id.as_deref(), Some("-1"));
    assert_eq!(value(&jobs[0], "prompt").as_deref(), Some("=a cat"));
    assert_eq!(jobs[0].extra[0].1, "'tis");
}

#[test]
fn errors_of_headers_name_them() {
    let cases: &[(&str, &[&str])] = &[
        ("prompt,duratoin\na,4\n", &["1:8: unknown column \"duratoin\" | did you mean \"duration\"?"]),
        (
            "prompt,skip\na,\n",
            &["1:8: column \"skip\": not yet; the name is kept for a later version | remove it; a parameter of that \
               name is written params.skip"],
        ),
        ("prompt,Prompt\na,b\n", &["1:8: column \"Prompt\" means the same as column \"prompt\" | keep one of the two"]),
        ("", &["1:1: the file is empty | its first line names the columns: id,endpoint,prompt,duration"]),
        (
            "prompt\ra cat\r",
            &["1:1: lines end in CR alone | save it again with LF or CR LF line ends, as \"CSV UTF-8\""],
        ),
        ("prompt\n", &["there are no jobs in it"]),
    ];
    for (text, expected) in cases {
        assert_eq!(csv(text).errors(), *expected, "{text}");
    }
    let unknown = csv("prompt,colour\na,\n").errors();
    assert!(unknown[0].contains("columns are id, endpoint, max_sats, prompt, modelId, duration"), "{unknown:?}");
    let alias = csv("prompt,Seconds\na,4\n").column("secods", "duration").column("Seconds", "duratoin").errors();
    assert_eq!(
        alias,
        [
            "columns: there is no column \"secods\" in FILE | did you mean \"Seconds\"?",
            "columns: \"Seconds\" stands for an unknown name, \"duratoin\" | did you mean \"duration\"?"
        ]
        .map(|line| line.replace("FILE", &csv_name(&alias[0])))
    );
}

/// The path that an error of an alias names.
fn csv_name(error: &str) -> String {
    error.split(" in ").nth(1).and_then(|rest| rest.split(" |").next()).unwrap_or_default().to_owned()
}

#[test]
fn errors_of_cells_name_line_and_column() {
    let cases: &[(&str, &[&str])] = &[
        ("prompt,duration\na,8s\n", &["2:3: duration: expected an integer from 3 to 15, got \"8s\""]),
        ("prompt,duration\n\"a\nb\", 2 \n", &["3:5: duration: expected an integer from 3 to 15, got \"2\""]),
        (
            "prompt,mode\nä,\"pr0\"\n",
            &["2:4: mode: expected \"standard\" or \"pro\", got \"pr0\" | did you mean \"pro\"?"],
        ),
        (
            "prompt,image\na,a.png\n",
            &["2:3: image: generate-video does not take it | empty the cell, or change the row's endpoint"],
        ),
        ("prompt,duration\n,4\n", &["2:1: prompt: missing; generate-video requires it"]),
        ("prompt,max_sats\na,0\n", &["2:3: max_sats: expected a whole number of sats above zero, got \"0\""]),
        (
            "prompt,endpoint\na,generate-vidoe\n",
            &["2:3: unknown endpoint \"generate-vidoe\" | did you mean \"generate-video\"?"],
        ),
        ("prompt,\na,b\n", &["2:3: a cell in a column without a name | name the column, or empty the cell"]),
        (
            "prompt,duration\na, b,4\nc\n",
            &[
                "2:6: the row has 3 cells, the header names 2 columns | put quotes around text that holds a comma or a \
                 line end; keep every comma",
                "3:1: the row has 1 cells, the header names 2 columns | put quotes around text that holds a comma or a \
                 line end; keep every comma",
            ],
        ),
        (
            "prompt,duration\na,4\n\"b,5\nc,6\n",
            &[
                "3:1: the quote that opens here is never closed | close it, or write a quote inside a quoted cell twice: \"\"",
            ],
        ),
    ];
    for (text, expected) in cases {
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(csv(text).errors(), *expected, "{text}");
        assert_eq!(csv(crlf).errors(), *expected, "with CR LF: {text}");
    }
    let no_endpoint = Case::new("a.csv", "prompt\na\n").errors();
    assert_eq!(
        no_endpoint,
        ["2:1: endpoint: the row names none | fill a column named endpoint, or give --default endpoint=generate-video"]
    );
}

#[test]
fn the_same_error_in_many_rows_is_one_message() {
    let text = format!("prompt,duration\na,4\n{}a,5\n{}", "a,99\n".repeat(3), "a,99\n".repeat(1_000));
    let (jobs, _) = csv(&text).read();
    assert_eq!(jobs.len(), 2);
    let case = csv(&text);
    let (_, errors) = drain(&case.open().unwrap());
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].place.as_ref().map(|p| (p.line, p.also_lines.clone())), Some((3, vec![(4, 5), (7, 1_006)])));
}

#[test]
fn other_encodings_say_how_to_mend_them() {
    let errors = csv(b"prompt,duration\nok,4\ncaf\xe9,5\nth\xe9,6\n").errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("3:4: this is not UTF-8 text | the byte 0xE9 is \"é\" in Windows-1252; save it as"));
    let header = csv(b"pr\xf6mpt\na\n").errors();
    assert!(header[0].starts_with("1:3: this is not UTF-8 text"), "{header:?}");
    let wide = csv(b"\xff\xfep\0r\0").errors();
    assert!(wide[0].contains("UTF-16"), "{wide:?}");
    let in_toml = Case::new("a.toml", b"version = 1\n# caf\xe9\n").errors();
    assert!(in_toml[0].starts_with("2:6: this is not UTF-8 text"), "{in_toml:?}");
}

#[test]
fn a_column_of_ours_does_not_hide_a_parameter() {
    let entry = "[endpoint.fetch]\nurl = \"https://example.com/x\"\nmethod = \"POST\"\n[endpoint.fetch.params]\n\
                 url = { type = \"text\", required = true }\n[endpoint.fetch.price]\nsats = 1\n\
                 [endpoint.fetch.result]\nurl = [\"/url\"]\n";
    let read = |text: &str| {
        let mut case = Case::new("a.csv", text).file("c.toml", entry).default("endpoint", "fetch");
        case.options.catalogs.push(case.folder.path().join("c.toml"));
        case.read()
    };
    let (jobs, errors) = read("id,params.url,url\n1,https://a,https://result\n");
    assert_eq!((texts(&jobs, "url"), errors), (vec!["https://a".to_owned()], vec![]));
    let (_, errors) = read("id,url\n1,https://a\n");
    assert!(errors[0].contains("column \"url\" is a column of the results"), "{errors:?}");
}

#[test]
fn images_are_found_recognised_and_loaded() {
    let base64 = data_encoding::BASE64.encode(PNG);
    let text = format!(
        "prompt,image\na,a.png\nb,images\\b.jpg\nc,\"data:image/png;base64,{base64}\"\nd,{}\n",
        base64.trim_end_matches('=')
    );
    let case = Case::new("jobs.csv", text).default("endpoint", "animate-image");
    let jobs = case.jobs();
    let images: Vec<_> = jobs
        .iter()
        .filter_map(|job| match &job.params.iter().find(|(name, _)| name == "image")?.1 {
            Value::Image(image) => Some(image.clone()),
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) => None,
        })
        .collect();
    assert_eq!(images[0].source, ImageSource::File(case.folder.path().join("a.png")));
    assert!(matches!(&images[1].source, ImageSource::File(path) if path.ends_with("images/b.jpg")));
    assert_eq!((&images[2], &images[3].source), (&images[3], &ImageSource::Inline(base64)));
    assert_eq!(images[0].sha256, images[2].sha256);
    for image in &images {
        image::load(image).unwrap();
    }
    assert_eq!(image::load(&images[0]).unwrap(), PNG);
    fs::write(case.folder.path().join("a.png"), b"\x89PNG\r\n\x1a\n another").unwrap();
    assert_eq!(image::load(&images[0]), Err(image::ImageProblem::Changed));
    fs::remove_file(case.folder.path().join("a.png")).unwrap();
    assert!(matches!(image::load(&images[0]), Err(image::ImageProblem::Unreadable(_))));
}

#[test]
fn images_that_are_none_are_errors() {
    let text = "prompt,image\na,b.png\na,images\na,words.txt\na,\"data:image/png,x\"\na,data:image/png;base64\na,\"data:;base64,AAAA\"\n";
    let case = Case::new("jobs.csv", text).default("endpoint", "animate-image");
    let root = case.folder.path().display().to_string();
    let errors: Vec<String> = case.errors().iter().map(|error| error.replace(&root, "ROOT")).collect();
    assert_eq!(
        errors,
        [
            "2:3: image: no such file: b.png",
            "3:3: image: ROOT/images is not a file",
            "4:3: image: ROOT/words.txt is not a png, jpeg or webp image",
            "5:4: image: expected a data URI that says ;base64 before the comma",
            "6:3: image: expected a data URI with base64 after a comma",
            "7:4: image: expected a png, jpeg or webp image",
        ]
    );
}

#[test]
fn toml_and_csv_that_mean_the_same_are_the_same() {
    let from_toml = toml(
        "[defaults]\nendpoint = \"generate-video\"\nduration = 9\n[[job]]\nid = \"a\"\nprompt = \"x\"\nx_n = 1\n\
         [[job]]\nparams.prompt = \"\"\"\ny\r\nz\"\"\"\nmodelId = 7\nmax_sats = 9_000\ngenerate_audio = true\n",
    );
    let from_csv =
        csv("id,prompt,x_n,modelId,max_sats,generate_audio\na,x,1,,,\n,\"y\nz\",,7,9000,1\n").default("Duration", "9");
    let strip = |mut jobs: Vec<JobSpec>| {
        jobs.iter_mut().for_each(|job| job.line = 0);
        jobs
    };
    assert_eq!(lines(&from_toml.jobs()), [4, 8]);
    assert_eq!(strip(from_toml.jobs()), strip(from_csv.jobs()));
}

#[test]
fn toml_jobs_and_rows_come_together() {
    let case = toml(
        "version = 1\nname = \"june\"\n[defaults]\nduration = 4\n[limits]\nmax_sats = 5000\ntime_zone = \"UTC\"\n\
         max_fee_ppm = 2000\n[rows]\nfile = \"shots.csv\"\nfiles = \"images\"\nother_columns = \"pass\"\n\
         columns = { Bild = \"image\" }\n[[job]]\nendpoint = \"generate-video\"\nprompt = \"first\"\n",
    )
    .file("shots.csv", "endpoint;prompt;Bild;Szene\nanimate-image;second;b.jpg;7\n");
    let manifest = case.open().unwrap();
    let (jobs, errors) = drain(&manifest);
    assert_eq!(errors, vec![]);
    assert_eq!(
        (texts(&jobs, "prompt"), texts(&jobs, "duration")),
        (vec!["first".into(), "second".into()], vec!["4".into(), "4".into()])
    );
    assert_eq!(jobs[1].extra, [("x_Szene".to_owned(), "7".to_owned())]);
    assert_eq!(manifest.name.as_deref(), Some("june"));
    assert_eq!(manifest.limits.max_sats, Some(Sats::new(5_000)));
    assert_eq!(manifest.limits.max_fee_ppm, Some(2_000));
    assert_eq!((manifest.delimiter, manifest.fallback_name().as_deref()), (b';', Some("jobs")));
    assert_eq!(manifest.locate(0, 14).1.text, "[[job]]");
    let (file, place) = manifest.locate(1, 2);
    assert!(file.ends_with("shots.csv") && place.text.starts_with("animate-image"));
}

#[test]
fn errors_of_toml_name_their_place() {
    let job = "[[job]]\nendpoint = \"generate-video\"\nprompt = \"x\"\n";
    let cases: &[(&str, &[&str])] = &[
        ("version = 2", &["1:11: version: expected 1, the version that this program reads, got 2"]),
        ("nmae = \"x\"", &["1:1: unknown key \"nmae\" | did you mean \"name\"?"]),
        (
            "matrix = 1",
            &[
                "1:1: matrix: not yet; the name is kept for a later version | remove it; a parameter of that name is written params.matrix",
            ],
        ),
        ("limits.max_sats = 0", &["1:19: max_sats: expected a whole number of sats above zero, got 0"]),
        ("limits.max_sat = 1", &["1:8: limits: unknown key \"max_sat\" | did you mean \"max_sats\"?"]),
        (
            "limits.time_zone = \"Mars/One\"",
            &["1:20: time_zone: expected an IANA time zone such as \"Europe/Berlin\", got \"Mars/One\""],
        ),
        ("limits = 3", &["1:10: limits: expected a table, got 3"]),
        ("defaults.duration = 99", &["1:10: default duration: expected an integer from 3 to 15, got 99"]),
        ("defaults.image = \"a.png\"", &["1:10: default image: no endpoint in use takes it"]),
        ("defaults.durtion = 9", &["1:10: default durtion: no endpoint in use takes it | did you mean \"duration\"?"]),
        ("defaults.id = \"a\"", &["1:10: id cannot be a default | every job has its own id"]),
        (
            "defaults.endpoint = \"vdeo\"",
            &["1:21: unknown endpoint \"vdeo\" | known endpoints: generate-video, animate-image"],
        ),
        ("rows.file = \"no.csv\"", &["1:13: rows: no.csv cannot be read: No such file or directory (os error 2)"]),
        (
            "rows.fil = \"no.csv\"",
            &[
                "1:6: rows: unknown key \"fil\" | did you mean \"file\"?",
                "1:1: rows: file is missing | name the CSV beside this file: file = \"shots.csv\"",
            ],
        ),
    ];
    for (head, expected) in cases {
        assert_eq!(toml(&format!("{head}\n{job}")).errors(), *expected, "{head}");
    }
}

#[test]
fn errors_of_toml_jobs_name_their_place() {
    let cases: &[(&str, &str)] = &[
        ("duration = 20", "4:12: duration: expected an integer from 3 to 15, got 20"),
        ("duratoin = 5", "4:1: unknown key \"duratoin\" | did you mean \"duration\"?"),
        ("endpont = 5", "4:1: unknown key \"endpont\" | did you mean \"endpoint\"?"),
        ("image = \"a.png\"", "4:1: image: generate-video does not take it | remove it, or change the job's endpoint"),
        ("id = 10", "4:6: id: expected a text of 1 to 128 printable characters, got 10 | put it in quotes"),
        (
            "repeat = 2",
            "4:1: repeat: not yet; the name is kept for a later version | remove it; a parameter of that name is written params.repeat",
        ),
        (
            "params.repeat = 2",
            "4:8: unknown key \"repeat\" | generate-video takes prompt, modelId, duration, mode, generate_audio",
        ),
        ("params.prompt = \"y\"", "4:8: prompt is given twice | keep one of the two"),
        ("x_a = [1]", "4:7: x_a: expected a text, a number or a truth value, got [1]"),
        ("max_sats = -1", "4:12: max_sats: expected a whole number of sats above zero, got -1"),
    ];
    for (line, expected) in cases {
        let text = format!("[[job]]\nendpoint = \"generate-video\"\nprompt = \"x\"\n{line}\n");
        assert_eq!(toml(&text).errors(), [*expected], "{line}");
    }
    let (jobs, errors) = toml("[[job]]\nprompt = \"x\"\n\n[[job]]\nendpoint = \"generate-video\"\n").read();
    assert_eq!(jobs, vec![]);
    assert_eq!(
        errors,
        [
            "1:1: endpoint: the job names none | write endpoint = \"generate-video\" here or under [defaults]",
            "4:1: prompt: missing; generate-video requires it",
        ]
    );
    assert_eq!(toml("job = 3").errors()[0], "1:1: job: expected a list of tables | write [[job]] before each job");
}

#[test]
fn a_slip_in_toml_does_not_hide_other_errors() {
    let errors =
        toml("name = \"x\nnmae = \"y\"\n[[job]]\nendpoint = \"generate-video\"\nprompt = \"x\"\nduration = 99\n")
            .errors();
    assert!(errors[0].starts_with("1:10: not TOML: "), "{errors:?}");
    assert_eq!(
        errors[1..],
        [
            "2:1: unknown key \"nmae\" | did you mean \"name\"?",
            "6:12: duration: expected an integer from 3 to 15, got 99"
        ]
    );
}

#[test]
fn standard_input_is_read_from_a_copy() {
    let options = OpenOptions {
        path: STDIN.into(),
        format: Some(Format::Csv),
        defaults: vec![("endpoint".into(), "generate-video".into())],
        ..OpenOptions::default()
    };
    let manifest = Manifest::open_from(&options, &mut &b"prompt\na cat\n"[..]).unwrap();
    assert_eq!(drain(&manifest).0.len(), 1);
    assert_eq!(drain(&manifest).0.len(), 1, "it can be read again");
    assert_eq!((manifest.file(), manifest.fallback_name()), ("-", None));
    let unknown = Manifest::open_from(&OpenOptions { format: None, ..options }, &mut &b""[..]);
    assert!(
        unknown.is_err_and(|errors| errors[0].help.as_ref().is_some_and(|help| help.contains("--manifest-format")))
    );
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let case = Case::new("a.csv", "prompt\n");
    for (name, words) in [("no.csv", "cannot be read"), ("images", "cannot tell"), ("a.xlsx", "cannot tell")] {
        let options = OpenOptions { path: case.folder.path().join(name), ..OpenOptions::default() };
        let errors = Manifest::open(&options).err().unwrap();
        assert!(errors[0].message.contains(words), "{name}: {errors:?}");
    }
}

#[test]
fn a_file_written_to_while_it_is_read_is_refused() {
    let case = csv("prompt\na\n");
    let manifest = case.open().unwrap();
    fs::write(&case.options.path, "prompt\na\nb\n").unwrap();
    let (_, errors) = drain(&manifest);
    assert_eq!(errors[0].message, "the file was written to while it was read");
}

#[test]
fn a_manifest_full_of_errors_is_shown_in_one_pass() {
    let case = toml(
        "version = 1\nnmae = \"june\"\n\n[defaults]\nduration = 2\ncolour = \"red\"\n\n[limits]\nmax_sats = \"1000\"\n\n\
         [rows]\nfile = \"shots.csv\"\n\n[[job]]\nid = \"a\"\nendpoint = \"generate-vidio\"\nprompt = \"x\"\n\n\
         [[job]]\nendpoint = \"generate-video\"\nmode = \"pr0\"\nskip = true\n",
    )
    .file(
        "shots.csv",
        b"endpoint,prompt,duration,image,sedd\ngenerate-video,a cat,8s,,\ngenerate-video,a dog,8s,,\n\
          animate-image,\"two\nlines\",5,no.png,\ngenerate-video,caf\xe9,5,,\ngenerate-video,x,5,a.png,\n",
    );
    let root = format!("{}/", case.folder.path().display());
    let (_, errors) = drain(&case.open().unwrap());
    let text = render(&errors, false).replace(&root, "");
    insta::assert_snapshot!(text);
}

/// Cells as people write them, with what a reader could stumble over.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}( [a-z\"',;=+]{0,6}){0,2}",
        "[a-zé]{1,4}\n[a-z]{1,4}",
        Just("=sum(a1)".to_owned()),
        Just("'".to_owned()),
    ]
    .prop_map(|text| text.trim().to_owned())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", crate::cells::neutralise(text).replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn csv_and_toml_with_the_same_content_agree(
        rows in prop::collection::vec((cell(), 3_i64..=15, any::<bool>(), any::<bool>(), prop::option::of(cell())), 1..6),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        delimiter in prop_oneof![Just(","), Just(";"), Just("\t")],
        bom: bool,
    ) {
        let mut csv_text = String::from(if bom { "\u{feff}" } else { "" });
        csv_text += &["endpoint", "prompt", "duration", "mode", "generate_audio", "x_note"].join(delimiter);
        csv_text += end;
        let mut toml_text = String::from("version = 1\n");
        for (prompt, duration, is_pro, audio, note) in &rows {
            let mode = if *is_pro { "pro" } else { "standard" };
            let note_cell = note.as_deref().map(quoted).unwrap_or_default();
            let cells = ["generate-video".into(), quoted(prompt), duration.to_string(), mode.into(), audio.to_string(), note_cell];
            csv_text += &(cells.join(delimiter) + end);
            toml_text += &format!(
                "[[job]]\nendpoint = \"generate-video\"\nprompt = {}\nduration = {duration}\nmode = \"{mode}\"\ngenerate_audio = {audio}\n",
                toml::Value::String(prompt.clone())
            );
            if let Some(note) = note {
                toml_text += &format!("x_note = {}\n", toml::Value::String(note.clone()));
            }
        }
        let strip = |jobs: Vec<JobSpec>| jobs.into_iter().map(|job| JobSpec { line: 0, ..job }).collect::<Vec<_>>();
        prop_assert_eq!(strip(Case::new("a.csv", csv_text).jobs()), strip(toml(&toml_text).jobs()));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, format in prop_oneof![Just(Format::Csv), Just(Format::Toml), Just(Format::Tsv)]) {
        read_anything(&bytes, format);
    }

    #[test]
    fn no_text_like_a_manifest_makes_a_reader_panic(
        text in "(prompt|id|duration|image|=|\\[\\[job\\]\\]|\\[rows\\]|\"|,|;|\n|\r\n|\t|é|[0-9]|\\.|\\{|\\}|'|sep=| ){0,60}",
        format in prop_oneof![Just(Format::Csv), Just(Format::Toml)],
    ) {
        read_anything(text.as_bytes(), format);
    }
}

fn read_anything(bytes: &[u8], format: Format) {
    let options = OpenOptions { path: STDIN.into(), format: Some(format), ..OpenOptions::default() };
    let errors = match Manifest::open_from(&options, &mut &bytes[..]) {
        Ok(manifest) => drain(&manifest).1,
        Err(errors) => errors,
    };
    let _ = render(&errors, false);
}
