//! The input is a document in which a seller says what it sells.

#![no_main]

use std::collections::HashSet;

use l402_batch::catalog::import::{Source, Wanted, import};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(document) = serde_json::from_slice(input) else { return };
    let base = "https://a.example/.well-known/l402-services".parse().ok();
    let source = Source { shown: "https://a.example/", base: base.as_ref(), day: "2026-11-30" };
    let Ok(found) = import(&document, &source, &Wanted { prefix: "", names: &[] }) else { return };
    let names: HashSet<&String> = found.names.iter().collect();
    assert_eq!(names.len(), found.names.len());
    let left: usize = found.left.iter().map(String::len).sum();
    assert!(found.tables.len() <= 900_000 && left <= 100_100);
    let steers = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{2028}';
    for line in found.tables.lines().chain(found.left.iter().map(String::as_str)) {
        assert!(!line.contains(steers), "{line:?}");
    }
    // A line is a table's head only where we begin one.
    let heads: Vec<&str> = found.tables.lines().filter(|line| line.starts_with('[')).collect();
    for head in heads {
        let name = head.trim_start_matches("[endpoint.").trim_end_matches(']').trim_end_matches(".params");
        assert!(found.names.iter().any(|known| known == name), "{head:?}");
    }
});
