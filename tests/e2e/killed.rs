//! Killed at every single turn of the traffic (by default every fourth), and begun again: nothing is paid twice, nothing paid is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Audit, Books, Client, Count, Cutter, Ended, Sandbox, every, two_jobs};

/// More than two jobs can have.
const TURNS_MAX: usize = 200;
/// Runs that are killed at the same time.
const AT_ONCE: usize = 3;

/// Of the turns of a test, so many lie from one that is tried to the next, but where all are.
const EVERY: usize = 4;

/// The turns that fall to the `first` of these; in another round, others.
fn turns(first: usize, round: usize) -> impl Iterator<Item = usize> {
    let every = every(EVERY);
    (first * every - round % every..=TURNS_MAX).step_by(AT_ONCE * every)
}

/// A run that was killed, or that came to its end because there were fewer pieces.
struct Cut<'a> {
    client: &'a Client,
    cutter: &'a Cutter,
    sandbox: &'a Sandbox,
    before: Books,
    /// What tells this manifest's jobs from all others'.
    tag: String,
    nth: usize,
}

impl Cut<'_> {
    /// What the sandbox has booked since this client began.
    fn books(&self) -> Books {
        self.sandbox.books().since(&self.before)
    }

    fn audit(&self) -> Audit {
        Audit::of(self.client, "jobs", &self.books())
    }

    /// Whether the run had come so far: a batch that was accepted has its files, and of another one there is nothing.
    fn was_accepted(&self) -> bool {
        self.client.path("jobs.receipts.csv").exists()
    }

    fn shows_what_was_accepted(&self) {
        if self.was_accepted() {
            self.client.says("export --batch jobs").with(0);
            self.audit();
        } else {
            self.client.says("export --batch jobs").with(2);
            assert!(self.books().payments.is_empty(), "{:?}", self.books());
        }
    }

    /// What an unread manifest allows: what is open is finished, no purchase begins.
    fn buys_nothing(&self, line: &str) -> Ended {
        let asked = self.books().sales.len();
        let ended = self.client.run(line);
        assert_eq!(self.books().sales.len(), asked, "{ended}");
        ended
    }
}

/// Kills a run of two jobs at one turn of its traffic, another at a later one, and so on until there is none left.
/// Several go at once, each against a sandbox of its own: nearly all of their time is waiting.
fn at_every(count: Count, flags: &str, name: &str, afterwards: impl Fn(&Cut<'_>) + Sync) {
    std::thread::scope(|scope| {
        for first in 1..=AT_ONCE {
            let afterwards = &afterwards;
            scope.spawn(move || {
                let sandbox = Sandbox::start(flags);
                let cutter = Cutter::before(&sandbox);
                let end = turns(first, 0).find(|nth| {
                    let tag = format!("{name} {nth}");
                    killed_at(count, *nth, tag, &sandbox, &cutter, afterwards)
                });
                // Cutting where nothing is exchanged would prove nothing: two jobs have at least so many turns.
                assert!(end.is_some_and(|end| end > 12), "{end:?} turns");
            });
        }
    });
}

/// Kills a run at its `nth` turn of traffic. Returns whether there was none, and the run came to its end.
fn killed_at(
    count: Count,
    nth: usize,
    tag: String,
    sandbox: &Sandbox,
    cutter: &Cutter,
    afterwards: impl Fn(&Cut<'_>),
) -> bool {
    let client = Client::at(&cutter.node, &cutter.catalog, sandbox);
    client.write("jobs.toml", &two_jobs(&tag));
    let before = sandbox.books();
    // One after the other where turns are counted, so that they are always the same; else both at once.
    let run = match count {
        Count::Turns => "run jobs.toml --jobs-in-flight 1",
        Count::Pieces => "run jobs.toml",
    };
    let killed = cutter.start(count, nth, || client.start(run)).end();
    let place = cutter.sheathe();
    eprintln!("{tag}, killed at: {place:?}");
    afterwards(&Cut { client: &client, cutter, sandbox, before, tag, nth });
    if place.is_none() {
        killed.with(0);
    }
    place.is_none()
}

#[test]
fn the_same_command_finishes() {
    at_every(Count::Turns, "", "same", |cut| {
        cut.client.run("run jobs.toml").with(0);
        cut.audit().all_delivered(2);
    });
}

#[test]
fn it_is_killed_while_it_polls() {
    at_every(Count::Turns, "--sandbox-accept --sandbox-accept-ms 20", "polls", |cut| {
        cut.client.run("run jobs.toml").with(0);
        cut.audit().all_delivered(2);
    });
}

#[test]
fn it_is_killed_while_a_payment_is_under_way_and_killed_again() {
    at_every(Count::Pieces, "--sandbox-pay-ms 40", "again", |cut| {
        // The second time it dies elsewhere, early or late.
        let second = cut.nth * 7 % 23 + 1;
        cut.cutter.start(Count::Pieces, second, || cut.client.start("run jobs.toml")).end();
        eprintln!("and again: {:?}", cut.cutter.sheathe());
        cut.client.run("run jobs.toml").with(0);
        cut.audit().all_delivered(2);
    });
}

#[test]
fn the_manifest_is_edited_in_between() {
    at_every(Count::Turns, "", "edited", |cut| {
        let [_, video, _] =
            two_jobs(&cut.tag).split("[[job]]").map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        let changed = video.replace("a kite", "two kites");
        let added = video.replace("\"video\"", "\"added\"").replace("a kite", "a third kite");
        cut.client.write("jobs.toml", &format!("version = 1\n[[job]]{changed}[[job]]{added}"));
        let ended = cut.client.run("run jobs.toml");
        let audit = cut.audit();

        assert_eq!((audit.bought.get("video"), audit.bought.get("added")), (Some(&1), Some(&1)), "{ended}");
        let state = |id: &str| {
            let row = audit.results.iter().find(|row| row["id"] == id);
            row.map(|row| (row["state"].as_str(), row["reason"].as_str()))
        };
        assert_eq!(state("added"), Some(("delivered", "")), "{ended}");
        match (audit.bought.get("image"), state("image")) {
            (Some(_), image) => assert_eq!(image, Some(("delivered", "")), "{ended}"),
            // It was killed before anything was accepted.
            (None, None) => {}
            (None, image) => assert_eq!(image, Some(("refused", "withdrawn")), "{ended}"),
        }
        // Bought as it was before: that is not what the manifest now says.
        let as_before = state("video") == Some(("delivered", "changed"));
        assert_eq!(ended.code, Some(if as_before { 6 } else { 0 }), "{ended}");
    });
}

#[test]
fn the_manifest_is_gone_in_between() {
    at_every(Count::Turns, "", "gone", |cut| {
        std::fs::remove_file(cut.client.path("jobs.toml")).unwrap();
        let which = if cut.nth % 2 == 0 { "--all" } else { "--batch jobs" };
        let ended = cut.buys_nothing(&format!("recover {which}"));
        match (cut.was_accepted(), which) {
            (false, "--batch jobs") => assert_eq!(ended.code, Some(2), "{ended}"),
            (_, _) => assert!(matches!(ended.code, Some(0 | 3)), "{ended}"),
        }
        cut.shows_what_was_accepted();
        cut.client.write("jobs.toml", &two_jobs(&cut.tag));
        cut.client.run("run jobs.toml").with(0);
        cut.audit().all_delivered(2);
    });
}

#[test]
fn the_manifest_is_broken_in_between() {
    at_every(Count::Turns, "", "broken", |cut| {
        cut.client.write("jobs.toml", "version = 1\n[[job]\n");
        cut.buys_nothing("run jobs.toml").with(2).saying("jobs.toml:2");
        cut.shows_what_was_accepted();
        cut.client.write("jobs.toml", &two_jobs(&cut.tag).replace("duration = 3", "duration = 99"));
        cut.buys_nothing("run jobs.toml").with(2).saying("duration");
        cut.client.write("jobs.toml", &two_jobs(&cut.tag));
        cut.client.run("run jobs.toml").with(0);
        cut.audit().all_delivered(2);
    });
}

/// All other nodes here are ordinary: somebody has paid with them before. Of one that has never paid for anybody nothing shows that
/// it still knows all that it paid, so that a payment that nobody heard of and that it does not know is a person's. The rest is
/// bought.
#[test]
fn the_node_has_never_paid_for_anybody() {
    // Where a machine is busy, turns fall otherwise from run to run, and each may miss the two at which a payment is sent.
    let rounds = 0..5 * every(EVERY);
    assert!(rounds.map(of_a_person_at_turns).any(|lost| lost > 0), "no first payment was lost");
}

/// How many payments are left to a person, over runs that are killed at turns of their traffic, against a node without history.
fn of_a_person_at_turns(round: usize) -> usize {
    let of_a_person = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for first in 1..=AT_ONCE {
            let of_a_person = &of_a_person;
            scope.spawn(move || {
                let end = turns(first, round).find(|nth| {
                    let sandbox = Sandbox::start("--sandbox-node no-history");
                    let cutter = Cutter::before(&sandbox);
                    let killed_first = |cut: &Cut<'_>| {
                        of_a_person.fetch_add(unheard(cut), Ordering::Relaxed);
                    };
                    killed_at(Count::Turns, *nth, format!("fresh {nth}"), &sandbox, &cutter, killed_first)
                });
                assert!(end.is_some_and(|end| end > 12), "{end:?} turns");
            });
        }
    });
    of_a_person.into_inner()
}

/// How many payments the runs after a kill leave to a person: those that never reached a node without history.
fn unheard(cut: &Cut<'_>) -> usize {
    let mut ends = Vec::new();
    for _ in 0..2 {
        let ended = cut.client.run("run jobs.toml");
        let (rows, books) = (cut.client.rows("jobs.results.csv"), cut.books());
        let standing = rows.iter().map(|row| (row["state"].as_str(), row["reason"].as_str(), row["next"].as_str()));
        let (done, left): (Vec<_>, Vec<_>) = standing.partition(|row| *row == ("delivered", "", "none"));
        assert!(left.iter().all(|row| *row == ("in_doubt", "no_witness", "person")), "{ended}");
        assert_eq!(ended.code, Some(if left.is_empty() { 0 } else { 5 }), "{ended}");
        assert_eq!((done.len() + left.len(), books.settled().len()), (2, done.len()), "{ended}");
        assert_eq!(books.payments.len(), done.len(), "nothing is sent again: {ended}");
        assert_eq!(cut.client.rows("jobs.receipts.csv").len(), done.len(), "{ended}");
        ends.push(left.len());
    }
    assert_eq!(ends[0], ends[1], "no run decides it");
    ends[0]
}
