//! Plans of small manifests, and what holds for any.

use proptest::prelude::*;

use super::testing::{Rows, animate, job, named, video};
use super::*;
use crate::catalog::Rate;
use crate::diagnostic::Severity;
use crate::manifest::{JobSource as _, JobSpec, Manifest, OpenOptions};
use crate::money::Sats;

fn plan(rows: &Rows) -> Plan {
    Plan::make(rows, &Policy::default()).unwrap()
}

fn jobs(plan: &Plan, rows: &Rows) -> Vec<PlannedJob> {
    plan.jobs(rows).collect::<Result<_, _>>().unwrap()
}

fn ids(rows: &Rows) -> Vec<String> {
    jobs(&plan(rows), rows).into_iter().map(|job| job.id).collect()
}

/// Errors as people read them, with their second places.
fn errors(rows: &Rows) -> String {
    words(&Plan::make(rows, &Policy::default()).unwrap_err())
}

fn words(found: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let also = found.place.as_ref().map(|place| place.also_lines.clone()).unwrap_or_default();
        let also = if also.is_empty() { String::new() } else { format!(" (also {also:?})") };
        let related: String = found.related.iter().map(|(at, words)| format!("; {words}: {}", at.line)).collect();
        format!("{found}{also}{related}")
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_documents_worked_examples() {
    let rows = Rows::of([
        video(2, "A cat walking on the surface of the moon", 5, "pro", true),
        animate(3, "Make the person wave hello", "/a.png", 5),
        animate(4, "Make the person wave hello", "/a.png", 10),
    ]);
    let plan = plan(&rows);
    let prices: Vec<Msat> = jobs(&plan, &rows).iter().map(|job| job.priced.price).collect();
    assert_eq!(prices, [Msat::new(2_750_000), Msat::new(500_000), Msat::new(1_000_000)]);
    let totals = plan.totals();
    assert_eq!((totals.job_count, totals.price), (3, Msat::new(4_250_000)));
    assert_eq!(totals.fee_ceiling, Msat::new(13_750 + 10_000 + 10_000));
    assert_eq!(totals.worst_case, Msat::new(4_283_750));
    let groups: Vec<_> = plan.groups().iter().map(|g| (g.chosen_by.as_str(), g.job_count, g.quantity)).collect();
    assert_eq!(groups, [("", 2, 15), ("mode=pro, generate_audio=true", 1, 5)]);
}

/// These strings stand in people's ledgers and saved plans.
#[test]
fn golden_plan() {
    let rows = Rows::of([
        video(2, "A cat walking on the surface of the moon", 5, "pro", true),
        named("wave-1", animate(3, "Make the person wave hello", "/a.png", 5)),
        video(4, "A cat walking on the surface of the moon", 5, "pro", true),
    ]);
    assert_eq!(ids(&rows), ["jaggwivtmdxneccj6", "wave-1", "jaggwivtmdxneccj6-2"]);
    assert_eq!(plan(&rows).fingerprint(), "20e710cc050020bd76205eb41a34f7bf7cf643f43639a7983f4633a1caab5c82");
    let nothing = Rows::of([]);
    assert_eq!((plan(&nothing).totals(), jobs(&plan(&nothing), &nothing).len()), (Totals::default(), 0));
}

#[test]
fn rows_may_move_and_identical_requests_are_numbered() {
    let (a, b) = (video(2, "a", 5, "pro", false), video(3, "b", 5, "pro", false));
    let before = ids(&Rows::of([a.clone(), b.clone(), a.clone(), a.clone()]));
    let after = ids(&Rows::of([b, a.clone(), a.clone(), a]));
    assert_eq!(before[2], format!("{}-2", before[0]));
    assert_eq!(before[3], format!("{}-3", before[0]));
    assert_eq!(after, [&before[1], &before[0], &before[2], &before[3]].map(String::as_str));
}

#[test]
fn one_id_for_two_jobs_names_both_places() {
    let rows = Rows::of([
        named("x", video(2, "a", 5, "pro", false)),
        named("y", video(3, "b", 5, "pro", false)),
        named("x", video(4, "c", 5, "pro", false)),
        named("x", video(5, "d", 5, "pro", false)),
        named("y", video(9, "e", 5, "pro", false)),
        named("", video(10, "f", 5, "pro", false)),
    ]);
    insta::assert_snapshot!(errors(&rows), @r#"
    jobs.csv:10:1: id: expected 1 to 128 printable characters
    jobs.csv:4:1: the id "x" is given to more than one job (also [(5, 5)]); first given here: 2
    jobs.csv:9:1: the id "y" is given to more than one job; first given here: 3
    "#);
    // Every row that is wrong counts.
    let found = Plan::make(&rows, &Policy::default()).unwrap_err();
    assert_eq!(found.iter().map(|found| found.count).collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn one_id_for_two_jobs_is_reported_beside_other_errors() {
    let rows = Rows::of([named("x", video(2, "a", 5, "pro", false)), named("z", video(3, "b", 5, "pro", false))]);
    let wrong = [(4, "x"), (5, "y"), (6, "y")].map(|(line, id)| (line, id.to_owned()));
    insta::assert_snapshot!(errors(&Rows(rows.0, wrong.into())), @r#"
    jobs.csv:4:1: the id "x" is given to more than one job; first given here: 2
    jobs.csv:6:1: the id "y" is given to more than one job; first given here: 5
    "#);
    let read = |name: &str, text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        let path = folder.path().join(name);
        let defaults = vec![("endpoint".to_owned(), "generate-video".to_owned())];
        let manifest = Manifest::open(&OpenOptions { path, defaults, ..OpenOptions::default() }).unwrap();
        let found = Plan::make(&manifest, &Policy::default()).unwrap_err();
        let lines = |found: &Diagnostic| found.place.as_ref().map(|place| place.line);
        found
            .iter()
            .map(|found| (lines(found), found.message.split(':').next().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    let clash = "the id \"a\" is given to more than one job";
    let found = read("a.csv", "id,prompt,duration\na,x,5\na,y,99\n");
    assert_eq!(found, [(Some(3), "duration".to_owned()), (Some(3), clash.to_owned())]);
    let job = |duration| format!("[[job]]\nid = \"a\"\nprompt = \"x\"\nduration = {duration}\n");
    let found = read("a.toml", &(job(99) + &job(5)));
    assert_eq!(found, [(Some(4), "duration".to_owned()), (Some(5), clash.to_owned())]);
}

#[test]
fn a_given_id_that_is_made_for_another_job() {
    let identical = |line| video(line, "a", 5, "pro", false);
    let made = ids(&Rows::of([identical(1), identical(2)]));
    for at in 0..3 {
        let mut specs = vec![identical(7), identical(8)];
        specs.insert(at, named(&made[1], video(5, "b", 5, "pro", false)));
        let errors = Plan::make(&Rows::of(specs), &Policy::default()).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].message, format!("the id {:?} is also made for another job, which has none", made[1]));
        assert_eq!((errors[0].place.as_ref().unwrap().line, errors[0].related[0].0.line), (5, 8));
    }
    // The same id is harmless where nothing is made for it: a results file that is a manifest again.
    let rows = Rows::of([named(&made[0], identical(1)), named(&made[1], identical(2))]);
    assert_eq!(ids(&rows), made);
    assert_eq!(plan(&rows).fingerprint(), plan(&Rows::of([identical(1), identical(2)])).fingerprint());
}

#[test]
fn ids_that_a_spreadsheet_makes_the_same_draw_a_warning() {
    let rows = Rows::of([
        named("010", video(2, "a", 5, "pro", false)),
        named("Shot", video(3, "b", 5, "pro", false)),
        named("10", video(4, "c", 5, "pro", false)),
        named("shot", video(5, "d", 5, "pro", false)),
        named("100", video(6, "e", 5, "pro", false)),
    ]);
    let plan = plan(&rows);
    assert!(plan.warnings().iter().all(|found| found.severity == Severity::Warning));
    insta::assert_snapshot!(words(plan.warnings()), @r#"
    jobs.csv:4:1: the ids "010" and "10" differ only by case or leading zeros; the other one: 2
    jobs.csv:5:1: the ids "Shot" and "shot" differ only by case or leading zeros; the other one: 3
    "#);
}

/// Whether an id is given or made, by whatever id: what is asked for twice is said.
#[test]
fn jobs_that_ask_for_the_very_same_are_said() {
    let dog = |line| video(line, "A dog", 5, "pro", true);
    let rows = Rows::of([
        dog(2),
        video(3, "A dog", 6, "pro", true),
        named("c", dog(4)),
        named("d", video(5, "A dog", 6, "pro", true)),
        dog(6),
    ]);
    insta::assert_snapshot!(words(plan(&rows).warnings()), @"jobs.csv:4:1: 3 jobs ask for the very same as one before them (also [(5, 6)]); the same is asked for here: 2");
    let different = Rows::of([dog(2), named("b", video(3, "A dog", 6, "pro", true))]);
    assert_eq!(words(plan(&different).warnings()), "");
}

/// Under another name of the endpoint, or with another value of what is not sent, the same is sent.
#[test]
fn jobs_that_send_the_very_same_are_said_though_their_contents_differ() {
    let dog = |line, seconds| video(line, "A dog", seconds, "pro", true);
    let of = |change: &dyn Fn(&mut Endpoint), spec: JobSpec| {
        let mut endpoint = Endpoint::clone(&spec.endpoint);
        change(&mut endpoint);
        JobSpec { endpoint: Arc::new(endpoint), ..spec }
    };
    let other = |spec| of(&|endpoint| endpoint.name = "other".to_owned(), spec);
    let said = |specs: Vec<JobSpec>| words(plan(&Rows::of(specs)).warnings());
    let again = "jobs.csv:4:1: this job asks for the very same as another; the same is asked for here: 2";
    assert_eq!(said(vec![dog(2, 5), other(dog(3, 6)), other(dog(4, 5))]), again);
    assert_eq!(said(vec![other(dog(2, 5)), dog(3, 6), named("c", dog(4, 5))]), again);
    let elsewhere = of(&|endpoint| endpoint.url.set_path("/elsewhere"), other(dog(4, 5)));
    assert_eq!(said(vec![dog(2, 5), elsewhere]), "");
    let unsent = |spec| {
        let place = crate::catalog::Place::Unsent;
        of(
            &|endpoint| {
                endpoint.params.iter_mut().filter(|param| param.name == "duration").for_each(|p| p.place = place)
            },
            spec,
        )
    };
    assert_eq!(said(vec![unsent(dog(2, 5)), unsent(video(3, "A cat", 5, "pro", true)), unsent(dog(4, 6))]), again);
    assert_eq!(said(vec![named("a", unsent(dog(2, 5))), named("c", unsent(dog(4, 6)))]), again);
    let both = vec![dog(2, 5), other(dog(3, 5)), dog(4, 5), other(dog(5, 5))];
    assert_eq!(
        said(both),
        "jobs.csv:3:1: 3 jobs ask for the very same as one before them (also [(4, 5)]); the same is asked for here: 2"
    );
}

#[test]
fn a_job_above_its_own_limit_stays_and_is_shown() {
    let limited =
        |line, sats| JobSpec { max_sats: Some(Sats::new(sats)), ..animate(line, &format!("p{line}"), "/a.png", 5) };
    // 500 sats and a ceiling of 10.
    let rows = Rows::of([limited(2, 509), limited(3, 510), limited(4, 1), limited(5, 1)]);
    let plan = plan(&rows);
    assert_eq!(plan.totals().job_count, 4);
    insta::assert_snapshot!(words(plan.warnings()), @"jobs.csv:2:1: 3 jobs may cost more than their limits, fee ceilings included (also [(4, 5)])");
    let limits: Vec<_> = jobs(&plan, &rows).iter().map(|job| job.max_cost).collect();
    assert_eq!(limits[0], Some(Msat::new(509_000)));
}

#[test]
fn every_error_in_one_pass() {
    let place = |rows: &Rows, line| rows.place_of_line(line);
    let wrong = |line| {
        let rows = Rows::default();
        Err(vec![Diagnostic::error("jobs.csv", "duration: expected an integer").at(place(&rows, line))])
    };
    let mut rows = Rows::of([named("x", video(2, "a", 5, "pro", false)), named("x", video(3, "b", 5, "pro", false))]);
    rows.0.extend([wrong(4), wrong(5), wrong(7)]);
    let mut unpriced = video(8, "c", 5, "pro", false);
    let mode = unpriced.endpoint.params.iter().position(|param| param.name == "mode").unwrap();
    unpriced.values[mode] = None;
    rows.0.push(Ok(unpriced));
    insta::assert_snapshot!(errors(&rows), @r#"
    jobs.csv:4:1: duration: expected an integer (also [(5, 5), (7, 7)])
    jobs.csv:8:1: the price rule has no rate for mode=(none), generate_audio=false
    jobs.csv:3:1: the id "x" is given to more than one job; first given here: 2
    "#);
}

#[test]
fn sums_that_do_not_fit_are_errors() {
    let dear = |line, rate| {
        let mut spec = video(line, "a", 5, "pro", false);
        let mut endpoint = Endpoint::clone(&spec.endpoint);
        endpoint.price.by = Vec::new();
        endpoint.price.rates = vec![Rate { when: Vec::new(), rate: Msat::new(rate) }];
        spec.endpoint = Arc::new(endpoint);
        spec
    };
    insta::assert_snapshot!(errors(&Rows::of([dear(2, u64::MAX / 2)])), @"jobs.csv:2:1: the price is larger than any amount of money");
    let half = u64::MAX / 10 - 1;
    insta::assert_snapshot!(errors(&Rows::of([dear(2, half), dear(3, half), dear(4, half)])), @"jobs.csv:3:1: the plan's total is larger than any amount of money (also [(4, 4)])");
    let policy = Policy { max_fee_ppm: u64::MAX, ..Policy::default() };
    let errors = Plan::make(&Rows::of([dear(2, half)]), &policy).unwrap_err();
    assert_eq!(errors[0].message, "the fee ceiling is larger than any amount of money");
}

#[test]
fn a_manifest_that_changes_in_between_is_noticed() {
    let rows = Rows::of([video(2, "a", 5, "pro", false), video(3, "b", 5, "pro", false)]);
    let plan = plan(&rows);
    let changes = [
        Rows::of([video(2, "a", 5, "pro", false)]),
        Rows::of([video(2, "a", 5, "pro", false), video(3, "b", 6, "pro", false)]),
        Rows::of([video(2, "a", 5, "pro", false), named("x", video(3, "b", 5, "pro", false))]),
        Rows::of([video(2, "a", 5, "pro", false), video(3, "b", 5, "pro", false), video(4, "a", 5, "pro", false)]),
    ];
    for changed in &changes {
        let read: Vec<_> = plan.jobs(changed).collect();
        let (last, before) = read.split_last().unwrap();
        assert!(before.iter().all(Result::is_ok));
        assert!(last.as_ref().unwrap_err()[0].message.starts_with("the manifest changed while it was read"));
    }
    let mut broken = rows.clone();
    broken.0.insert(1, Err(vec![Diagnostic::error("jobs.csv", "gone")]));
    let read: Vec<_> = plan.jobs(&broken).collect();
    assert_eq!((read.len(), read[1].is_err()), (2, true), "nothing follows an error");
}

/// A few jobs of either endpoint, some of them identical requests, some with ids.
fn some_jobs() -> impl Strategy<Value = Vec<JobSpec>> {
    let one = (any::<bool>(), "[ab]", 3..=15i64, any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 0..12).prop_map(|jobs| {
        let spec =
            |(line, (is_video, prompt, seconds, pro, audio, has_id)): (u64, (bool, String, i64, bool, bool, bool))| {
                let mode = if pro { "pro" } else { "standard" };
                let spec = if is_video {
                    video(line, &prompt, seconds, mode, audio)
                } else {
                    animate(line, &prompt, "/a.png", seconds)
                };
                if has_id { named(&format!("id {line}"), spec) } else { spec }
            };
        (1..).zip(jobs).map(spec).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_total_is_the_sum_of_its_jobs(specs in some_jobs()) {
        let rows = Rows::of(specs);
        let plan = plan(&rows);
        let jobs = jobs(&plan, &rows);
        let totals = plan.totals();
        prop_assert_eq!(totals.job_count, jobs.len() as u64);
        prop_assert_eq!(Msat::checked_sum(jobs.iter().map(|job| job.priced.price)), Some(totals.price));
        prop_assert_eq!(Msat::checked_sum(jobs.iter().map(|job| job.fee_ceiling)), Some(totals.fee_ceiling));
        prop_assert_eq!(totals.price.checked_add(totals.fee_ceiling), Some(totals.worst_case));
        prop_assert_eq!(Msat::checked_sum(plan.groups().iter().map(|group| group.total_msat)), Some(totals.price));
        prop_assert_eq!(plan.groups().iter().map(|group| group.job_count).sum::<u64>(), totals.job_count);
        for group in plan.groups() {
            prop_assert_eq!(group.rate_msat.checked_mul(group.quantity), Some(group.total_msat));
        }
        let mut ids: Vec<_> = jobs.iter().map(|job| &job.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), jobs.len(), "every job has an id of its own");
    }

    #[test]
    fn order_does_not_matter(specs in some_jobs(), turn in 0..12usize) {
        let mut turned = specs.clone();
        turned.rotate_left(turn.checked_rem(specs.len()).unwrap_or(0));
        turned.reverse();
        let (a, b) = (plan(&Rows::of(specs)), plan(&Rows::of(turned)));
        prop_assert_eq!(a.fingerprint(), b.fingerprint());
        prop_assert_eq!(a.totals(), b.totals());
        prop_assert_eq!(a.groups(), b.groups());
    }
}

#[test]
fn a_model_counts() {
    let prompt = ("prompt", Value::Text("a".to_owned()));
    let with = |value| Rows::of([job(1, "generate-video", &[prompt.clone(), ("modelId", value)])]);
    let (number, text) = (ids(&with(Value::Integer(6))), ids(&with(Value::Text("kling".to_owned()))));
    assert_ne!(number, text);
    assert_ne!(number, ids(&Rows::of([job(1, "generate-video", std::slice::from_ref(&prompt))])));
}

#[test]
fn batches_lose_and_swap_nothing() {
    let prompt = |line: u64| format!("{} {}", line % 700, "words ".repeat(20));
    let spec = |line| {
        let spec = video(line, &prompt(line), 5, "pro", false);
        if line % 3 == 0 { named(&format!("id {line}"), spec) } else { spec }
    };
    let rows = Rows::of((1..=2_000).map(spec));
    let plan = plan(&rows);
    assert_eq!((plan.totals().job_count, plan.totals().price), (2_000, Msat::new(2_000 * 2_250_000)));
    // Reading again numbers and hashes job by job; a fingerprint that is not the plan's would be an error.
    let jobs = jobs(&plan, &rows);
    assert!(jobs.iter().filter(|job| job.line % 3 == 0).all(|job| job.id == format!("id {}", job.line)));
    assert!(jobs.iter().any(|job| job.id.ends_with("-2")));
}
