//! Rules of a TOML manifest.

use super::*;
use crate::catalog::Catalog;

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
                "1:1: matrix: it stands in a [[job]], or under [rows] | write it in each [[job]] that it is for, or under [rows] for every row",
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
        (
            "defaults.matrix = 1",
            &[
                "1:10: matrix cannot be a default | write it in each [[job]] that it is for, or under [rows] for every row",
            ],
        ),
        ("defaults.id = \"a\"", &["1:10: id cannot be a default | every job has its own id"]),
        ("rows.file = \"no.csv\"", &["1:13: rows: no.csv cannot be read: No such file or directory (os error 2)"]),
        (
            "rows.fil = \"no.csv\"",
            &[
                "1:6: rows: unknown key \"fil\" | did you mean \"file\"?",
                "1:1: rows: file is missing | name the table beside this file: file = \"shots.csv\"",
            ],
        ),
    ];
    for (head, expected) in cases {
        assert_eq!(toml(&format!("{head}\n{job}")).errors(), *expected, "{head}");
    }
    let catalog = Catalog::builtin().unwrap();
    let known: Vec<&str> = catalog.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let unknown = format!("1:21: unknown endpoint \"vdeo\" | known endpoints: {}", known.join(", "));
    assert_eq!(toml(&format!("defaults.endpoint = \"vdeo\"\n{job}")).errors(), [unknown]);
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
            "include = 2",
            "4:1: include: not yet; the name is kept for a later version | remove it; a parameter of that name is written params.include",
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
fn what_follows_from_an_error_is_no_error_of_its_own() {
    let job = "[[job]]\nendpoint = \"new\"\n[[job]]\nprompt = \"x\"\n";
    let errors = toml(&format!("defaults.endpoint = \"new\"\n{job}[endpoint.new]\nurl = 3\n")).errors();
    assert!(!errors.is_empty() && errors.iter().all(|error| !error.contains("unknown endpoint")), "{errors:?}");
    let errors = csv("prompt\na\n").default("endpoint", "generate-vido").errors();
    assert_eq!(errors, ["unknown endpoint \"generate-vido\" | did you mean \"generate-video\"?"]);
    let errors = csv("duration\n5\n").default("prompt", " ").errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn very_many_errors_are_cut() {
    let errors = toml(&"[[job]]\nendpoint = \"x\"\n".repeat(600)).errors();
    assert_eq!(errors.len(), 501);
    assert_eq!(errors[500], "100 more jobs were not checked | mend what is shown, then plan again");
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
