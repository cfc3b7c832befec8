//! `docs/schema/config.json`: what an editor knows of the configuration file, made from the declarations and held against the reader.

use super::*;
use crate::cli::options::{file, tables};
use crate::schema;

/// `docs/schema/config.json`: its tables by hand, its options from the declarations.
fn schema_of_file() -> String {
    let mut properties = serde_json::Map::new();
    for option in OPTIONS.iter().filter(|option| option.who.file) {
        let help = option.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let types = if option.takes_value { ["string", "integer"] } else { ["boolean", "string"] };
        let mut schema = serde_json::json!({ "description": help, "type": types });
        if option.split.is_some() || option.is_command() {
            let item = if option.is_command() { serde_json::json!("string") } else { serde_json::json!(types) };
            let list = serde_json::json!({ "type": "array", "items": { "type": item } });
            schema = serde_json::json!({ "description": help, "anyOf": [{ "type": types }, list] });
        }
        properties.insert(option.name.to_owned(), schema);
    }
    let tables: serde_json::Map<String, serde_json::Value> = serde_json::from_str(TABLES).unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), tables::NAMES);
    properties.extend(tables);
    let whole = serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The configuration file of l402-batch",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{}\n", serde_json::to_string_pretty(&whole).unwrap())
}

const TABLES: &str = r#"{
    "origin": {
        "description": "What single origins may get, by host, with the port where it is not the usual one, over all batches of the ledger.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "max_sats_per_job": { "description": "By one job, in sats, routing fee included.", "type": ["integer", "string"] },
                "max_sats_per_day": { "description": "A day, in sats.", "type": ["integer", "string"] },
                "max_sats_per_month": { "description": "A month, in sats.", "type": ["integer", "string"] }
            }
        }
    },
    "secret": {
        "description": "Secrets that endpoints' headers name: where each comes from, and who may have it.",
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
        "additionalProperties": {
            "type": "object",
            "required": ["origins"],
            "oneOf": [{ "required": ["file"] }, { "required": ["command"] }, { "required": ["env"] }],
            "additionalProperties": false,
            "properties": {
                "file": { "description": "A file holds it.", "type": "string", "pattern": "\\S" },
                "command": { "description": "A program and its arguments print it.", "type": ["string", "array"], "items": { "type": "string" } },
                "env": { "description": "It stands in that variable.", "type": "string", "pattern": "\\S" },
                "origins": { "description": "Who may have it: hosts, with the port where it is not the usual one.", "type": "array", "minItems": 1, "items": { "type": "string" } }
            }
        }
    }
}"#;

/// What is a wrong configuration to the reader, and to an editor.
const WRONG: &[&str] = &[
    "max_sat = 5",
    "only = \"a\"",
    "max_sats = 5.5",
    "max_sats = { a = 1 }",
    "quiet = [true]",
    "lnd_macaroon = \"0201\"",
    "catalog = [3.5]",
    "lnd_macaroon_command = [3]",
    "origin = 3",
    "origin.\"api.example.com\" = 3",
    "origin.\"api.example.com\".max_sats = 3",
    "origin.\"api.example.com\".max_sats_per_day = 3.5",
    "secret = 3",
    "secret.\"a b\" = { env = \"A\", origins = [\"api.example.com\"] }",
    "secret.A = 3",
    "secret.A = { env = \"A\" }",
    "secret.A = { env = \"A\", origins = [] }",
    "secret.A = { env = \"A\", file = \"a\", origins = [\"api.example.com\"] }",
    "secret.A = { origins = [\"api.example.com\"] }",
    "secret.A = { env = \"\", origins = [\"api.example.com\"] }",
    "secret.A = { value = \"x\", env = \"A\", origins = [\"api.example.com\"] }",
];

#[test]
fn the_schema_is_as_the_options_are_declared() {
    let path = schema::file("config");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, schema_of_file()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == schema_of_file(), "{}: not as declared: WRITE_DOCS=1 writes it anew", path.display());
}

fn read(text: &str) -> Result<Option<Layer>, Vec<crate::diagnostic::Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    file::read(&file, true, None)
}

#[test]
fn an_editor_knows_the_configuration_as_the_reader_does() {
    for text in WRONG {
        assert!(!schema::faults("config", text).is_empty(), "the schema takes {text}");
        assert!(read(text).is_err(), "the reader takes {text}");
    }
    let whole = schema::schema("config");
    let secret = &whole["properties"]["secret"]["additionalProperties"];
    let told_of = |table: &str| {
        let errors = read(&format!("{table}qqqqqqqqqqqqqqqq = 1\n")).unwrap_err();
        schema::told(
            errors.iter().find_map(|error| error.help.as_deref().filter(|help| help.contains("keys are"))).unwrap(),
        )
    };
    assert_eq!(schema::keys(secret), told_of("[secret.A]\n"));
    assert_eq!(
        schema::keys(&whole["properties"]["origin"]["additionalProperties"]),
        told_of("[origin.\"a.example\"]\n")
    );
}

#[test]
fn every_example_is_a_configuration_to_an_editor() {
    let mut count = 0;
    for text in
        ["README.md", "docs/endpoints.md", "docs/limits.md", "docs/node.md"].into_iter().flat_map(schema::examples)
    {
        let table: toml::Table = text.parse().unwrap();
        if table
            .keys()
            .all(|key| tables::is_table(key) || OPTIONS.iter().any(|option| option.who.file && option.name == key))
        {
            count += 1;
            assert_eq!(schema::faults("config", &text), Vec::<String>::new(), "{text}");
        }
    }
    assert!(count > 2, "{count}");
}
