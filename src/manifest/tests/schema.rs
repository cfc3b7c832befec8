//! `docs/schema/manifest.json` against the reader of TOML.

use std::collections::BTreeSet;

use super::*;
use crate::manifest::names::{JOB_KEYS, LATER_KEYS};
use crate::schema::{examples, faults, keys, schema, told};

const NAME: &str = "manifest";
/// What is a wrong manifest to the reader, and to an editor.
const WRONG: &[&str] = &[
    "version = 2",
    "nmae = \"x\"",
    "name = 3",
    "duplicates = \"no\"",
    "edition = 3",
    "job = 3",
    "job = [3]",
    "limits.max_sats = 0",
    "limits.max_sats = \"5000\"",
    "limits.max_sat = 5",
    "limits = 3",
    "rows = {}",
    "rows = { file = 3 }",
    "rows = { file = \"a.csv\", delimiter = \"x\" }",
    "rows = { file = \"a.csv\", other_columns = \"keep\" }",
    "rows = { file = \"a.csv\", columns = { Seconds = 3 } }",
    "rows = { file = \"a.csv\", fiel = 3 }",
    "rows = { file = \"a.csv\", sheet = 0 }",
    "rows = { file = \"a.csv\", header_row = 0 }",
    "rows = { file = \"a.csv\", hidden_rows = \"keep\" }",
    "rows = { file = \"a.csv\", values = { Mode = 3 } }",
    "rows = { file = \"a.csv\", locale = \"xx\" }",
    "rows = { file = \"a.csv\", units = \"drop\" }",
    "rows = { file = \"a.csv\", matrix = {} }",
    "rows = { file = \"a.csv\", matrix = { id = [\"a\"] } }",
    "rows = { file = \"a.csv\", exclude = [{ duration = 5 }] }",
    "defaults.id = \"a\"",
    "defaults.endpoint = 3",
    "defaults.x_scene = \"1\"",
    "defaults.matrix = {}",
    "endpoint.a = 3",
    "endpoint.a = { ulr = \"https://a.example\" }",
    "[[job]]\nid = 10",
    "[[job]]\nid = \"\"",
    "[[job]]\nmax_sats = 0",
    "[[job]]\nparams = 3",
    "[[job]]\nrepeat = 0",
    "[[job]]\nrepeat = 65",
    "defaults.repeat = \"2\"",
    "[[job]]\nskip = true",
    "[[job]]\nx_scene = [1]",
    "[[job]]\nmatrix = {}",
    "[[job]]\nmatrix = { duration = 5 }",
    "[[job]]\nmatrix = { duration = [] }",
    "[[job]]\nmatrix = { id = [\"a\"] }",
    "[[job]]\nmatrix = { duration = [5] }\nexclude = 3",
    "[[job]]\nmatrix = { duration = [5] }\nexclude = [{}]",
];

#[test]
fn what_is_wrong_for_an_editor_is_wrong_for_the_reader() {
    for text in WRONG {
        assert!(!faults(NAME, text).is_empty(), "the schema takes {text}");
        // Whatever else is missing is no more than missing.
        let job = "[[job]]\nendpoint = \"generate-video\"\nprompt = \"a\"\nduration = 3\n";
        let is_of_job = text.starts_with("[[job]]") || text.starts_with("job");
        let whole = match text.strip_prefix("[[job]]\n") {
            Some(keys) => format!("[[job]]\nendpoint = \"generate-video\"\nprompt = \"a\"\n{keys}\n"),
            None if is_of_job => format!("{text}\n"),
            None => format!("{text}\n{job}"),
        };
        assert!(!toml(&whole).file("a.csv", "endpoint\n").errors().is_empty(), "the reader takes {whole}");
    }
}

#[test]
fn an_editor_knows_the_keys_that_the_reader_knows() {
    let whole = schema(NAME);
    let told_of =
        |text: &str| told(toml(&format!("{text}\n")).errors().iter().find(|error| error.contains("keys are")).unwrap());
    assert_eq!(keys(&whole), told_of("qqqqqqqqqqqqqqqq = 1"));
    let table = |name: &str| keys(&whole["definitions"][name]);
    assert_eq!(table("rows"), told_of("rows = { qqqqqqqqqqqqqqqq = 1, file = \"a.csv\" }"));
    assert_eq!(table("limits"), told_of("limits.qqqqqqqqqqqqqqqq = 1"));
    let of_job: BTreeSet<String> = JOB_KEYS.iter().chain(&["matrix"]).map(|key| (*key).to_owned()).collect();
    assert_eq!(table("job"), of_job);
    let job = whole["definitions"]["job"]["properties"].as_object().unwrap();
    assert!(LATER_KEYS.iter().all(|key| *key == "matrix" || job[*key] == false), "{job:?}");
    assert_eq!(table("defaults"), ["endpoint", "params", "repeat"].map(str::to_owned).into());
    let catalog = schema("catalog");
    for (name, definition) in catalog["definitions"].as_object().unwrap() {
        assert_eq!(
            whole["definitions"][name], *definition,
            "an endpoint is one in a manifest and in a catalogue: {name}"
        );
    }
    assert_eq!(whole["properties"]["endpoint"], catalog["properties"]["endpoint"]);
}

#[test]
fn every_example_is_a_manifest_to_an_editor() {
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/jobs.example.toml")).unwrap();
    assert!(example.starts_with("#:schema ./docs/schema/manifest.json\n"), "{example}");
    let mut count = 0;
    let of_documents = ["README.md", "docs/manifest.md", "docs/endpoints.md", "docs/limits.md", "docs/resuming.md"];
    for text in of_documents.iter().flat_map(|document| examples(document)).chain([example]) {
        let table: toml::Table = text.parse().unwrap();
        if keys(&schema(NAME)).iter().any(|key| table.contains_key(key)) {
            count += 1;
            assert_eq!(faults(NAME, &text), Vec::<String>::new(), "{text}");
        }
    }
    assert!(count > 5, "{count}");
}
