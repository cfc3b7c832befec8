//! Killed while it downloads: a file is whole or absent, and nothing is bought or written twice.

use std::fs;

use crate::downloads::{all_are_files, sha256};
use crate::harness::{Client, Count, Cutter, Sandbox, every, get, two_jobs};

/// Runs that are killed at the same time.
const AT_ONCE: usize = 3;
/// Answers by a poll address are relative to the endpoint, so the videos come through the cutter too.
const FLAGS: &str = "--sandbox-accept --sandbox-accept-ms 20 --sandbox-video-kib 200";
const RUN: &str = "run jobs.toml --download videos --downloads-per-second 1000";

/// Whatever has its name is whole.
fn holds_nothing_half(client: &Client, sandbox: &Sandbox, place: &str) {
    let Ok(entries) = fs::read_dir(client.path("videos")) else { return };
    let sold: Vec<String> = sandbox
        .books()
        .sales
        .iter()
        .filter_map(|sale| sale.video.as_ref())
        .map(|video| sha256(&get(&format!("{}/videos/{video}.mp4", sandbox.origin))))
        .collect();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|ending| ending != "part") {
            assert!(sold.contains(&sha256(&fs::read(&path).unwrap())), "{} is not whole: {place}", path.display());
        }
    }
}

/// Some of these moments, several at once; returns how many cuts there were.
fn killed_at(count: Count, moments: std::ops::Range<usize>, name: &str) -> usize {
    let (of, every) = (&moments, every(6));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                let nths = (of.start + first * every..of.end).step_by(AT_ONCE * every);
                scope.spawn(move || killed_over_and_over(count, nths, name))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn killed_over_and_over(count: Count, nths: impl Iterator<Item = usize>, name: &str) -> usize {
    let mut cuts = 0;
    for nth in nths {
        let sandbox = Sandbox::start(FLAGS);
        let cutter = Cutter::before(&sandbox);
        let client = Client::at(&cutter.node, &cutter.catalog, &sandbox);
        client.write("jobs.toml", &two_jobs(&format!("{name} {nth}")));
        // Killed, and killed again while it takes up what is left.
        for nth in [nth, nth * 7 % 19 + 2] {
            cutter.start(count, nth, || client.start(RUN)).end();
            let place = cutter.sheathe();
            cuts += usize::from(place.is_some());
            eprintln!("{name} {nth}, killed at: {place:?}");
            holds_nothing_half(&client, &sandbox, &format!("{place:?}"));
        }
        client.run(RUN).with(0);
        all_are_files(&sandbox, &client, 2);
        let names = fs::read_dir(client.path("videos")).unwrap().count();
        assert_eq!(names, 2, "a file was written twice");
    }
    cuts
}

#[test]
fn at_pieces_of_the_traffic() {
    let cuts = killed_at(Count::Pieces, 6..45, "pieces");
    assert!(cuts > 20 / every(6), "{cuts} cuts");
}

#[test]
fn at_turns_of_the_traffic() {
    let cuts = killed_at(Count::Turns, 10..40, "turns");
    assert!(cuts > 20 / every(6), "{cuts} cuts");
}
