//! The input is a TOML manifest, as it would come through a pipe.

#![no_main]

use std::path::PathBuf;

use l402_batch::manifest::{Format, JobSource, Manifest, OpenOptions};
use l402_batch_fuzz::assert_shown_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let options =
        OpenOptions { path: PathBuf::from("/nowhere/jobs.toml"), format: Some(Format::Toml), ..OpenOptions::default() };
    let mut text = input;
    let manifest = match Manifest::open_from(&options, &mut text) {
        Ok(manifest) => manifest,
        Err(errors) => {
            assert!(!errors.is_empty());
            return assert_shown_harmless(&errors);
        }
    };
    let lines = input.iter().filter(|b| **b == b'\n').count() as u64 + 1;
    let once: Vec<_> = manifest.jobs().collect();
    assert!(!once.is_empty(), "neither a job nor an error");
    for item in &once {
        match item {
            Ok(job) => {
                assert!((1..=lines).contains(&job.line));
                assert!(job.id.as_ref().is_none_or(|id| !id.is_empty() && !id.chars().any(char::is_control)));
            }
            Err(errors) => assert_shown_harmless(errors),
        }
    }
    for limit in [manifest.limits.max_sats, manifest.limits.max_sats_per_job, manifest.limits.max_sats_per_day] {
        assert!(limit.is_none_or(|sats| sats.get() > 0 && sats.msat().is_some()));
    }
    assert!(once == manifest.jobs().collect::<Vec<_>>(), "the second reading differs from the first");
});
