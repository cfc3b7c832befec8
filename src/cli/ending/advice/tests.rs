//! What is advised, by how jobs stand and what has ended: every state with every reason that can stand there.

use std::fmt::Write;

use super::facts::{Ended, Facts, jobs_to_buy};
use super::kinds::Advice;
use crate::cli::ending::limits::{Bought, Filled, Full};
use crate::cli::exit;
use crate::cli::exit::tests::TABLE;
use crate::cli::preflight::words::LeftOut;
use crate::ledger::{
    Batch, BatchKey, ByKind, Counts, OutputFile, OutputKind, Outputs, Remembered, StateCount, Unbought,
};
use crate::money::{Msat, Sats};
use crate::purchase::{JobState, Next, Reason};
use crate::run::{Budget, HeldJobs, Outcome, Whose};
use crate::time::UnixMs;

const RUN: Ended =
    Ended::Run(Bought { chosen: false, partial: false, most: None, elsewhere: None, periods_elsewhere: (None, None) });

fn batch() -> Batch {
    let files = ByKind::of(|kind| OutputFile { path: Some(format!("/jobs/june.{kind}.csv")), written: true });
    let outputs = Outputs { files, ..Outputs::default() };
    Batch {
        key: BatchKey(1),
        name: "june jobs".to_owned(),
        manifest: "/jobs/june.csv".to_owned(),
        sandbox: false,
        created_at: UnixMs(0),
        last_run_at: UnixMs(0),
        remembered: Remembered { outputs, ..Remembered::default() },
        is_damaged: false,
    }
}

/// What is advised of a batch with so many jobs that stand so, once `change` has said what else has happened.
fn advised(
    (jobs, state, reason): (u64, JobState, Reason),
    ended: Ended,
    change: impl FnOnce(&mut Facts<'_>),
) -> Vec<(Advice, String)> {
    advised_of((jobs, state, reason), ended, &Outcome::default(), change)
}

fn advised_of(
    (jobs, state, reason): (u64, JobState, Reason),
    ended: Ended,
    outcome: &Outcome,
    change: impl FnOnce(&mut Facts<'_>),
) -> Vec<(Advice, String)> {
    let by_state = vec![StateCount { state, reason, jobs, price: Msat::new(900_000) }];
    let counts = Counts { by_state, to_buy_worst_case: Msat::new(910_000), ..Counts::default() };
    let (batch, budget) = (batch(), Budget::default());
    let unbought = Unbought { jobs: jobs_to_buy(&counts), ..Unbought::default() };
    let mut facts = Facts {
        batch: &batch,
        counts: &counts,
        first: [((state, reason), "shot 1".to_owned())].into(),
        outcome,
        unbought: &unbought,
        left_out: &LeftOut::default(),
        budget: &budget,
        unkept: None,
        trouble: None,
        rights: Some("let the node take it, with a macaroon that may make invoices".to_owned()),
        files_whole: true,
        ended,
        refused: false,
        is_stopped: false,
        filled: of_outcome(outcome),
        code: exit::of_job(state, reason),
        now: UnixMs(1_790_000_000_000),
        again: &|most| {
            let most = most.map(|(limit, most)| format!(" {limit}={}", most.get())).unwrap_or_default();
            Some(format!("l402-batch run june.csv{most}"))
        },
    };
    change(&mut facts);
    facts.advice()
}

/// Of the limits that the run reached.
fn of_outcome(outcome: &Outcome) -> Filled {
    let full = |is_batch: bool| {
        let (reason, words) = outcome.limit_reached.clone()?;
        ((reason == Reason::BatchLimit) == is_batch).then_some(Full { reason, words })
    };
    Filled { batch: full(true), period: full(false), too_small: None }
}

#[test]
fn advice_by_state_and_reason() {
    let mut text = String::new();
    for (state, reasons, _) in TABLE {
        for reason in *reasons {
            let _ = writeln!(text, "\n{} {}", state.as_str(), reason.as_str());
            let all = [("run", RUN), ("recover", Ended::Recovery), ("part", Ended::Part)];
            for (what, ended) in all {
                for (_, words) in advised((2, *state, *reason), ended, |_| {}) {
                    let _ = writeln!(text, "  {what:<8} {words}");
                }
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn one_is_not_several() {
    for (state, reasons, _) in TABLE {
        for reason in *reasons {
            for ended in [RUN, Ended::Recovery, Ended::Part] {
                for (_, words) in advised((1, *state, *reason), ended, |_| {}) {
                    for wrong in
                        ["1 jobs", "1 files", "1 payments", "1 refunds", "1 job are", "of the first", " --job ID"]
                    {
                        assert!(!words.contains(wrong), "{words}");
                    }
                }
            }
        }
    }
}

/// Nobody is told to run again what only a person can bring on; and whatever waits for a run is told how it goes on.
#[test]
fn going_on_is_advised_where_it_helps() {
    for (state, reasons, _) in TABLE {
        for reason in *reasons {
            let kinds = |ended| advised((1, *state, *reason), ended, |_| {}).into_iter().map(|(kind, _)| kind);
            let goes_on = kinds(RUN).any(|kind| kind == Advice::GoOn);
            let of_run = match state {
                JobState::Pending | JobState::Running | JobState::Paid | JobState::Failed | JobState::Refused => true,
                JobState::InDoubt
                | JobState::Delivered
                | JobState::Downloaded
                | JobState::RefundOffered
                | JobState::Refunded
                | JobState::Lost => false,
            };
            assert_eq!(goes_on, of_run && Next::of(*state, *reason) == Next::Rerun, "{state:?} {reason:?}");
            let is_told = kinds(RUN).next().is_some() || Next::of(*state, *reason) == Next::None;
            // Each is listed by name, with its command.
            let is_listed = Next::of(*state, *reason) == Next::Person;
            assert!(is_told || is_listed, "{state:?} {reason:?}");
        }
    }
}

#[test]
fn a_run_that_reached_a_limit_says_by_what_it_goes_on() {
    let pending = (3, JobState::Pending, Reason::None);
    let reached = |reason| Outcome { limit_reached: Some((reason, "LIMIT".to_owned())), ..Outcome::default() };
    let limit = |most: u64, elsewhere: Option<u64>, partial, chosen| {
        let (most, elsewhere) = (Some(Sats::new(most)), elsewhere.map(Sats::new));
        Ended::Run(Bought { chosen, partial, most, elsewhere, periods_elsewhere: (None, None) })
    };
    for (ended, reached, limit_words, go_on) in [
        (
            limit(500, None, true, false),
            reached(Reason::BatchLimit),
            Some("LIMIT; what is left stays pending until that limit is higher"),
            "what is left to buy may bring the batch to 910 sats; with that limit this goes on: l402-batch run june.csv \
             --max-sats=910",
        ),
        (
            limit(500, Some(909), true, true),
            reached(Reason::BatchLimit),
            Some("LIMIT; what is left stays pending until that limit is higher"),
            "what is left to buy may bring the batch to 910 sats: once max_sats is as high wherever it is set (the tightest \
             counts), the same command goes on",
        ),
        (
            limit(500, Some(910), false, true),
            Outcome::default(),
            None,
            "what is left to buy may bring the batch to 910 sats; with that limit this goes on: l402-batch run june.csv \
             --max-sats=910",
        ),
        (
            limit(910, None, false, true),
            Outcome::default(),
            None,
            "3 jobs are left to buy; without --limit, --only and --where this goes on: l402-batch run june.csv",
        ),
        (
            limit(500, None, true, true),
            Outcome::default(),
            None,
            "3 jobs are left to buy; without --limit, --only and --where this goes on: l402-batch run june.csv",
        ),
        (
            limit(5_000, None, false, true),
            reached(Reason::DayLimit),
            Some("LIMIT; what is left stays pending until 2026-09-22 00:00 UTC"),
            "from then on this goes on: l402-batch run june.csv",
        ),
        (
            limit(5_000, None, false, false),
            reached(Reason::MonthLimit),
            Some("LIMIT; what is left stays pending until 2026-10-01 00:00 UTC"),
            "from then on this goes on: l402-batch run june.csv",
        ),
    ] {
        let expected: Vec<_> = limit_words.map(|words| (Advice::Limit, words)).into_iter().collect();
        let expected: Vec<(Advice, String)> =
            expected.into_iter().chain([(Advice::GoOn, go_on)]).map(|(kind, words)| (kind, words.to_owned())).collect();
        assert_eq!(advised_of(pending, ended, &reached, |_| {}), expected);
    }
}

#[test]
fn what_concerns_the_whole_run_is_told() {
    let held =
        |whose, words: &str| HeldJobs { whose, reason: Reason::DoubtLimit, words: words.to_owned(), jobs: vec![] };
    let outcome = Outcome {
        node_unusable: Some("it is locked".to_owned()),
        held_back: vec![
            held(Whose::Named, "NAMED"),
            held(Whose::AllOfEndpoint("video".to_owned()), "ENDPOINT"),
            held(Whose::AllPending, "NODE"),
        ],
        ..Outcome::default()
    };
    let done = (1, JobState::Delivered, Reason::None);
    let told = advised_of(done, RUN, &outcome, |facts| {
        facts.trouble = Some("the disk is full".to_owned());
        facts.files_whole = false;
    });
    let words: Vec<&str> = told.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(
        words,
        [
            "the node could not pay any more: it is locked; the same command again once it can",
            "ENDPOINT; what is left of its jobs stays pending",
            "NODE; what is left stays pending",
            "nothing more was fetched, as files cannot be kept: the disk is full",
            "results or receipts are not as the ledger is, for the reason that a warning names: once it is mended, \
             `l402-batch export --batch 'june jobs' --results /jobs/june.results.csv --receipts /jobs/june.receipts.csv` writes \
             them",
        ]
    );
    assert_eq!(advised(done, RUN, |_| {}), []);
    // What the batch never wrote is named by nobody.
    let of_results = |written| -> &'static Batch {
        let mut batch = batch();
        let outputs = &mut batch.remembered.outputs;
        let file = |kind| OutputFile { written: written && kind == OutputKind::Results, ..outputs.files[kind].clone() };
        outputs.files = ByKind::of(file);
        Box::leak(Box::new(batch))
    };
    let (results, nothing) = (of_results(true), of_results(false));
    let told = advised(done, RUN, |facts| (facts.batch, facts.files_whole) = (results, false));
    assert!(
        told[0].1.ends_with("`l402-batch export --batch 'june jobs' --results /jobs/june.results.csv` writes them")
    );
    assert_eq!(advised(done, RUN, |facts| (facts.batch, facts.files_whole) = (nothing, false)), []);
    // The same command buys nothing before that.
    let pending = (2, JobState::Pending, Reason::None);
    let told = advised(pending, RUN, |facts| facts.unkept = Some("the disk is full".to_owned()));
    let words: Vec<&str> = told.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(
        words,
        [
            "nothing more was bought, as files cannot be kept: the disk is full",
            "once files can be kept, this goes on: l402-batch run june.csv",
        ]
    );
    assert_eq!(advised(done, RUN, |facts| facts.unkept = Some("the disk is full".to_owned())), []);
    // What was refused has said what to do.
    let refused = advised((1, JobState::Pending, Reason::None), RUN, |facts| facts.refused = true);
    assert_eq!(refused, []);
}

/// Whoever sold and whoever paid has ended with the run: nothing is said to go on that does not.
#[test]
fn with_play_money_nothing_is_brought_on() {
    let batch: &'static Batch = Box::leak(Box::new(Batch { sandbox: true, ..batch() }));
    let play = |jobs, ended| advised(jobs, ended, |facts| facts.batch = batch);
    let kinds = |jobs| play(jobs, RUN).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(kinds((1, JobState::Failed, Reason::NoRoute)), [Advice::Play]);
    assert_eq!(kinds((1, JobState::Delivered, Reason::NotDownloaded)), [Advice::Play]);
    assert_eq!(kinds((1, JobState::RefundOffered, Reason::RefundPending)), [Advice::Play]);
    assert_eq!(kinds((1, JobState::Delivered, Reason::None)), []);
    for (state, reasons, _) in TABLE {
        for (reason, ended) in
            reasons.iter().flat_map(|reason| [RUN, Ended::Recovery, Ended::Part].map(|it| (reason, it)))
        {
            for (_, words) in play((2, *state, *reason), ended) {
                let ends = ["recover", "refunds claim", "download ", "lncli", "every run", "a run buys", " run /jobs"];
                assert!(!ends.iter().any(|it| words.contains(it)), "{state:?} {reason:?}: {words}");
            }
        }
    }
}

#[test]
fn every_kind_is_in_its_list_once() {
    let kinds: std::collections::HashSet<Advice> = Advice::ALL.into_iter().collect();
    assert_eq!(kinds.len(), Advice::ALL.len());
}
