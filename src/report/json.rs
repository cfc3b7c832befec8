//! JSON Lines: each event as one object, for programs.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::event::{Event, Listener};
use crate::terminal_text::printable_json;
use crate::time::UnixMs;

use super::format::FORMAT_VERSION;
use super::sink::Sink;

/// Writes each event as a line of JSON: `format_version`, `type`, `at` (RFC 3339), then the event's own fields.
pub struct JsonLines {
    sink: Sink,
    now: Box<dyn Fn() -> UnixMs + Send + Sync>,
}

impl JsonLines {
    /// Lines to `out` (standard output). `now` dates those events that carry no time of their own.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static, now: impl Fn() -> UnixMs + Send + Sync + 'static) -> Self {
        Self { sink: Sink::new(out), now: Box::new(now) }
    }

    /// The error that ended the writing, if any, once. A broken pipe is none.
    pub fn take_error(&self) -> Option<io::Error> {
        self.sink.take_error()
    }
}

impl Listener for JsonLines {
    fn hear(&self, event: &Event) {
        let at = match event {
            Event::Job(job) => job.at,
            Event::RunStarted { .. }
            | Event::Planned { .. }
            | Event::Paused { .. }
            | Event::Resumed
            | Event::Warning { .. }
            | Event::Draining { .. }
            | Event::RunEnded(_) => (self.now)(),
        };
        // Strings and integers under string keys: this cannot fail, and display must not panic if it does.
        if let Ok(Value::Object(fields)) = serde_json::to_value(event) {
            self.sink.line(&printable_json(&Value::Object(dated(fields, at)).to_string()));
        }
    }
}

/// The fields with version, type and time in front.
fn dated(mut fields: Map<String, Value>, at: UnixMs) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("format_version".to_owned(), json!(FORMAT_VERSION));
    if let Some(kind) = fields.shift_remove("type") {
        out.insert("type".to_owned(), kind);
    }
    fields.shift_remove("at");
    out.insert("at".to_owned(), json!(at.rfc3339()));
    out.extend(fields);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Breaking, Shared, ended, story};

    fn told(out: impl Write + Send + 'static) -> JsonLines {
        let json = JsonLines::new(out, || UnixMs(1_790_000_001_000));
        story().iter().for_each(|event| json.hear(event));
        json.hear(&Event::RunEnded(Box::new(ended())));
        json
    }

    #[test]
    fn a_run_in_json_lines() {
        let out = Shared::default();
        told(out.clone());
        insta::assert_snapshot!(out.text());
    }

    #[test]
    fn every_line_is_an_object_with_version_type_and_time() {
        let out = Shared::default();
        told(out.clone());
        let lines: Vec<Value> = out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), story().len() + 1);
        for line in &lines {
            assert_eq!(line["format_version"], 1);
            assert!(line["type"].is_string());
            assert!(line["at"].as_str().unwrap().ends_with("+00:00"));
        }
        let last = lines.last().unwrap();
        assert_eq!((&last["type"], &last["exit_code"]), (&json!("run_ended"), &json!(5)));
        assert_eq!(last["needs_person"][0]["job"], "shot-009");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let json = told(Breaking::after(3, io::ErrorKind::BrokenPipe, Shared::default()));
        assert!(json.take_error().is_none());
    }
}
