//! The input is a CSV manifest, as it would come through a pipe. The first byte picks the delimiter and the defaults.

#![no_main]

use std::path::PathBuf;

use l402_batch::manifest::{Format, JobSource, Manifest, OpenOptions, TableOptions};
use l402_batch_fuzz::assert_shown_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, mut text)) = input.split_first() else { return };
    let delimiter = [None, Some(b';'), Some(b'\t'), Some(b'|')][usize::from(first >> 1) % 4];
    let defaults = if first & 1 == 1 { vec![("endpoint".to_owned(), "generate-video".to_owned())] } else { Vec::new() };
    let options = OpenOptions {
        path: PathBuf::from("/nowhere/jobs.csv"),
        format: Some(Format::Csv),
        table: TableOptions { delimiter, ..TableOptions::default() },
        defaults,
        ..OpenOptions::default()
    };
    let lines = text.iter().filter(|b| **b == b'\n').count() as u64 + 1;
    match Manifest::open_from(&options, &mut text) {
        Err(errors) => {
            assert!(!errors.is_empty());
            assert_shown_harmless(&errors);
        }
        Ok(manifest) => reads_twice_alike(&manifest, lines),
    }
});

fn reads_twice_alike(manifest: &Manifest, lines: u64) {
    let once: Vec<_> = manifest.jobs().collect();
    assert!(!once.is_empty(), "neither a job nor an error");
    let mut last = 0;
    for item in &once {
        match item {
            Ok(job) => {
                assert!(job.line > last && job.line <= lines, "line {} of {lines} after {last}", job.line);
                last = job.line;
                assert!(job.id.as_ref().is_none_or(|id| !id.is_empty() && !id.chars().any(char::is_control)));
                assert_eq!(manifest.place_of_line(job.line).line, job.line);
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                assert!(errors.iter().filter_map(|e| e.place.as_ref()).all(|place| place.line <= lines));
                assert_shown_harmless(errors);
            }
        }
    }
    assert!(once == manifest.jobs().collect::<Vec<_>>(), "the second reading differs from the first");
}
