//! `repeat`: several takes of one job.

use super::*;
use crate::plan::{Plan, Policy};

const JOB: &str = "[[job]]\nid = \"opening\"\nendpoint = \"generate-video\"\nprompt = \"a cat\"\n";
/// `generate-video` with a seed, which tells takes apart.
const SEED: &str =
    "[endpoint.generate-video]\nnonce = \"seed\"\nparams.seed = { type = \"integer\", min = 0, max = 9999 }\n";

fn ids(jobs: &[JobSpec]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_deref().unwrap_or("-")).collect()
}

#[test]
fn a_job_is_planned_in_several_takes() {
    let jobs = toml(&format!("{JOB}repeat = 3\n")).jobs();
    assert_eq!(ids(&jobs), ["opening", "opening.t2", "opening.t3"]);
    assert!(jobs.iter().all(|job| (job.line, &job.values) == (1, &jobs[0].values) && job.nonce.is_none()));
    assert_eq!(toml(&format!("{JOB}repeat = 1\n")).jobs(), toml(JOB).jobs(), "one is one without");
    let anonymous = JOB.replace("id = \"opening\"\n", "repeat = 2\n");
    assert_eq!(ids(&toml(&anonymous).jobs()), ["-", "-"], "it is made of the content, as of every identical job");
    let matrix = format!("{JOB}repeat = 2\nmatrix = {{ duration = [5, 6, 7] }}\nexclude = [{{ duration = 6 }}]\n");
    let manifest = toml(&matrix).open().unwrap();
    let (jobs, _) = drain(&manifest);
    assert_eq!(ids(&jobs), ["opening-5", "opening-5.t2", "opening-7", "opening-7.t2"]);
    let waits = "takes of one job are the very same request to generate-video, which may answer them alike: each goes out once the one before has its answer";
    let words = "matrix of job \"opening\": 3 less 1 = 2 jobs, each in 2 takes = 4 takes";
    assert_eq!(manifest.notes().lines(), [words, waits]);
}

#[test]
fn rows_say_it_and_defaults_say_it_for_all_that_do_not() {
    let rows = "id,prompt,repeat\na,a cat,\nb,a dog,2\nc,a cow,1\n";
    assert_eq!(ids(&csv(rows).jobs()), ["a", "b", "b.t2", "c"]);
    let case = csv(rows).default("repeat", "3");
    assert_eq!(ids(&case.jobs()), ["a", "a.t2", "a.t3", "b", "b.t2", "c"]);
    let manifest = case.open().unwrap();
    drain(&manifest);
    assert_eq!(manifest.notes().lines()[0], "repeat: 5 takes of 2 rows");
    let defaults = "[defaults]\nrepeat = 2\n";
    let (manifest, second) = (format!("{defaults}{JOB}{}", JOB.replace("opening", "b")), JOB.replace("opening", "c"));
    let manifest = toml(&format!("{manifest}{second}repeat = 3\n")).open().unwrap();
    drain(&manifest);
    assert_eq!(manifest.notes().lines()[..2], ["repeat of job \"c\": 3 takes", "repeat: 4 takes of 2 jobs"]);
    let text =
        format!("{defaults}{JOB}[[job]]\nid = \"b\"\nendpoint = \"generate-video\"\nprompt = \"x\"\nrepeat = 1\n");
    assert_eq!(ids(&toml(&text).jobs()), ["opening", "opening.t2", "b"]);
    assert_eq!(ids(&toml(&text).default("Repeat", "1").jobs()), ["opening", "b"]);
    let rows = "[defaults]\nendpoint = \"generate-video\"\nrepeat = 2\n[rows]\nfile = \"s.csv\"\nmatrix = { duration = [5, 6] }\n";
    let jobs = toml(rows).file("s.csv", "id,prompt\na,a cat\n").jobs();
    assert_eq!(ids(&jobs), ["a-5", "a-5.t2", "a-6", "a-6.t2"]);
}

#[test]
fn takes_are_told_apart_by_what_the_endpoint_says_and_ask_for_the_same() {
    let seeds = |lines: &str| texts(&toml(&format!("{SEED}{JOB}{lines}\n")).jobs(), "seed");
    assert_eq!(seeds("repeat = 3"), ["", "6181", "2362"]);
    assert_eq!(seeds("repeat = 3\nseed = 9998"), ["9998", "6179", "2360"]);
    let jobs = toml(&format!("{SEED}{JOB}repeat = 2\nseed = 7\n")).jobs();
    let first = |job: &JobSpec| (0..job.values.len()).map(|at| job.content_value(at).cloned()).collect::<Vec<_>>();
    assert_eq!(first(&jobs[1]), jobs[0].values, "what counts is the first take's");
    assert_ne!(jobs[1].values, jobs[0].values);
    let manifest = toml(&format!("{SEED}{JOB}repeat = 2\n")).open().unwrap();
    drain(&manifest);
    assert_eq!(manifest.notes().lines(), ["repeat of job \"opening\": 2 takes"], "nothing waits");
}

/// What a plan comes to: jobs, price, fingerprint, and how many rows it warns of.
fn planned(text: &str) -> (u64, u64, String, usize) {
    let manifest = toml(text).open().unwrap();
    let plan = Plan::make(&manifest, &Policy::default()).unwrap();
    assert!(plan.jobs(&manifest).all(|job| job.is_ok()), "the second reading is the same");
    let totals = plan.totals();
    (totals.job_count, totals.price.get(), plan.fingerprint().to_owned(), plan.warnings().len())
}

#[test]
fn a_plan_counts_every_take_and_warns_of_none() {
    let one = planned(JOB);
    assert_eq!(planned(&format!("{JOB}repeat = 1\n")), one);
    let three = planned(&format!("{JOB}repeat = 3\n"));
    assert_eq!((three.0, three.1, three.3), (3, 3 * one.1, 0));
    assert_ne!(three.2, one.2);
    let spelt_out = ["opening", "opening.t2", "opening.t3"].map(|id| JOB.replace("opening", id)).concat();
    assert_eq!(planned(&spelt_out).2, three.2, "each is a job like any other one");
    assert_eq!(planned(&format!("{SEED}{JOB}repeat = 3\n")).2, three.2, "a nonce is no part of what is bought");
    let clash = format!("{JOB}repeat = 2\n{}", JOB.replace("opening", "opening.t2"));
    let manifest = toml(&clash).open().unwrap();
    let told = Plan::make(&manifest, &Policy::default()).unwrap_err();
    assert_eq!(told[0].message, "the id \"opening.t2\" is given to more than one job");
    assert_eq!(told[0].help.as_deref(), Some("`repeat` makes it take 2 of \"opening\": give the other job another id"));
    let clash = format!("{}{JOB}repeat = 2\n", JOB.replace("opening", "opening.t2"));
    let other_way_round = Plan::make(&toml(&clash).open().unwrap(), &Policy::default()).unwrap_err();
    assert_eq!(other_way_round[0].message, told[0].message);
    let within = format!("{JOB}repeat = 2\nmatrix = {{ x_v = [\"1\", \"1.t2\"] }}\n");
    let told = Plan::make(&toml(&within).open().unwrap(), &Policy::default()).unwrap_err();
    assert_eq!(told[0].message, "the id \"opening-1.t2\" is given to more than one job");
    let anonymous = JOB.replace("id = \"opening\"\n", "");
    let twins = planned(&format!("{anonymous}{anonymous}"));
    let takes = planned(&format!("{anonymous}repeat = 2\n"));
    assert_eq!((twins.2, twins.3, takes.3), (takes.2, 1, 0), "only what is not said twice may be a mistake");
}

/// What a plan warns of, with the lines that it names.
fn warned(text: &str) -> Vec<String> {
    let plan = Plan::make(&toml(text).open().unwrap(), &Policy::default()).unwrap();
    let lines = |found: &Diagnostic| {
        let place = found.place.as_ref().unwrap();
        let (other, label) = found.related.first().unwrap();
        format!("{}{:?}: {}; {}: {label}", place.line, place.also_lines, found.message, other.line)
    };
    plan.warnings().iter().map(lines).collect()
}

#[test]
fn a_take_that_sends_what_another_job_sends_is_said() {
    let job = |id: &str, lines: &str| format!("{}{lines}\n", JOB.replace("opening", id));
    let told = |rows: [&str; 2], lines: [&str; 2]| {
        warned(&format!("{SEED}{}{}", job(rows[0], lines[0]), job(rows[1], lines[1])))
    };
    let take = "sends the very same request as another job";
    // The first job begins on line 4, the second one on line 9.
    let met = [format!("4[]: take 2 of this job {take}; 9: the same is asked for here")];
    assert_eq!(told(["a", "b"], ["repeat = 3", "seed = 6181"]), met);
    assert_eq!(told(["a", "b"], ["seed = 7\nrepeat = 2", "seed = 6188"]).len(), 1);
    assert_eq!(told(["a", "b"], ["repeat = 3", "seed = 6180"]), Vec::<String>::new());
    let met = [format!("9[]: take 2 of this job {take}; 4: the same is asked for here")];
    assert_eq!(told(["b", "a"], ["seed = 6181", "repeat = 2"]), met);
    // Each take of the first but its first one is a take of the second.
    let send = take.replace("sends", "send");
    let all = format!(
        "4[(10, 10)]: 3 planned takes {send}, the first of them take 2 of this one; 10: the same is asked for here"
    );
    assert_eq!(told(["a", "b"], ["seed = 0\nrepeat = 4", "seed = 6181\nrepeat = 3"]), [all]);
    // Without ids, and in one matrix.
    let unnamed = format!("{SEED}{}{}", job("a", "repeat = 2"), job("b", "seed = 6181"));
    assert_eq!(warned(&unnamed.replace("id = \"a\"\n", "").replace("id = \"b\"\n", "")).len(), 1);
    let matrix = format!("{SEED}{}", job("a", "repeat = 2\nmatrix = { seed = [1, 6182] }"));
    assert_eq!(warned(&matrix), [format!("4[]: take 2 of this job {take}; 4: the same is asked for here")]);
}

#[test]
fn how_often_is_bounded_and_said_where_it_is_wrong() {
    let words = "repeat: expected a whole number from 1 to 64, got";
    for wrong in ["0", "65", "-1", "2.5", "\"3\"", "[2]"] {
        assert_eq!(toml(&format!("{JOB}repeat = {wrong}\n")).errors(), [format!("5:10: {words} {wrong}")]);
        assert_eq!(toml(&format!("defaults.repeat = {wrong}\n{JOB}")).errors(), [format!("1:19: {words} {wrong}")]);
    }
    assert_eq!(toml(&format!("{JOB}repeat = 64\n")).jobs().len(), 64);
    let found = csv("id,prompt,repeat\na,a cat,65\nb,a dog,x\n").errors();
    assert_eq!(found, [format!("2:9: {words} \"65\""), format!("3:9: {words} \"x\"")]);
    let flag = csv("prompt\na cat\n").default("repeat", "0").errors();
    assert_eq!(flag, [format!("{words} \"0\"")]);
    let long = "a".repeat(126);
    let job = JOB.replace("opening", &long);
    assert_eq!(toml(&job).jobs().len(), 1);
    let told = toml(&format!("{job}repeat = 2\n")).errors();
    assert!(told.len() == 1 && told[0].contains("repeat: the id of a take is longer than 128 characters"), "{told:?}");
    let told = csv(format!("id,prompt,repeat\n{long},a cat,2\n")).errors();
    assert!(told.len() == 1 && told[0].starts_with("2:1: id: expected at most 128 characters with"), "{told:?}");
}

#[test]
fn combinations_are_bounded_in_all_their_takes() {
    let axis = |name: &str, count: usize| {
        let values: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
        format!("{name} = [{}]", values.join(", "))
    };
    let matrix = |takes: u32| {
        let (first, second) = (axis("x_a", 100), axis("x_b", 500));
        toml(&format!("{JOB}matrix = {{ {first}, {second} }}\nrepeat = {takes}\n"))
    };
    assert_eq!(matrix(2).jobs().len(), 100_000);
    let words = "repeat: 3 takes of each combination of the matrix are more than 100,000";
    let told = matrix(3).errors();
    assert!(told[0].contains(words) && told[0].starts_with("6:"), "{told:?}");
    let rows = format!(
        "[defaults]\nendpoint = \"generate-video\"\n[rows]\nfile = \"s.csv\"\nmatrix = {{ {} }}\n",
        axis("x_a", 500)
    );
    let rows = |takes: u32| toml(&rows).file("s.csv", format!("id,prompt,repeat\na,a cat,{takes}\n"));
    assert_eq!(rows(2).jobs().len(), 1_000);
    let told = rows(3).errors();
    assert!(told[0].contains("are more than 1,000") && told[0].contains("one row stands for 1,000"), "{told:?}");
}
