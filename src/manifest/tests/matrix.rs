//! `matrix` and `exclude` of a `[[job]]`.

use super::*;

const JOB: &str = "[[job]]\nid = \"opening\"\nendpoint = \"generate-video\"\nprompt = \"a cat\"\n";

/// Ids, and what varies.
fn read(text: &str) -> Vec<String> {
    let manifest = toml(text).open().unwrap();
    let (jobs, errors) = drain(&manifest);
    assert_eq!(errors, vec![]);
    let shown = |job: &JobSpec| {
        let value = |name: &str| job.params().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        let extra: Vec<&str> = job.extra.iter().map(|(_, text)| text.as_str()).collect();
        let values = [value("mode"), value("duration")].map(Option::unwrap_or_default);
        format!("{} {} {}", job.id.as_deref().unwrap_or("-"), values.join(" "), extra.join(" ")).trim().to_owned()
    };
    jobs.iter().map(shown).collect()
}

#[test]
fn a_job_is_bought_in_each_combination() {
    let matrix = "matrix = { mode = [\"standard\", \"pro\"], duration = [5, 10] }\n";
    let all = ["opening-standard-5 standard 5", "opening-standard-10 standard 10", "opening-pro-5 pro 5"];
    let exclude = "exclude = [{ mode = \"pro\", duration = 10 }]\n";
    assert_eq!(read(&format!("{JOB}{matrix}{exclude}")), all);
    let last = "[[job]]\nid = \"b\"\nendpoint = \"generate-video\"\nprompt = \"a dog\"\nduration = 3\n";
    assert_eq!(read(&format!("{JOB}{exclude}{matrix}{last}"))[2..], ["opening-pro-5 pro 5", "b pro 3"]);
    // A value that is added changes no id of before.
    let more = read(&format!("{JOB}matrix = {{ mode = [\"pro\", \"standard\"], duration = [7, 10, 5] }}\n{exclude}"));
    assert!(all.iter().all(|job| more.contains(&(*job).to_owned())) && more.len() == 5, "{more:?}");
}

#[test]
fn labels_and_defaults_vary_too() {
    let text = format!(
        "[defaults]\nduration = 9\n{JOB}x_client = \"acme\"\n[job.matrix]\nx_look = [\"\", \"wide\"]\nparams.duration = [3]\n"
    );
    assert_eq!(read(&text), ["opening-~msy62eszu5-3 pro 3 acme", "opening-wide-3 pro 3 acme wide"]);
    let anonymous = JOB.replace("id = \"opening\"\n", "");
    let text = format!("{anonymous}matrix = {{ duration = [3, 4] }}\nexclude = [{{ params = {{ duration = 3 }} }}]\n");
    assert_eq!(read(&text), ["- pro 4"]);
}

#[test]
fn how_many_jobs_it_makes_is_told() {
    let matrix = "matrix = { mode = [\"standard\", \"pro\"], duration = [5, 10] }\n";
    let exclude = "exclude = [{ mode = \"pro\", duration = 10 }]\n";
    let anonymous = JOB.replace("id = \"opening\"\n", "");
    let manifest = toml(&format!("{JOB}{matrix}{exclude}{anonymous}{matrix}")).open().unwrap();
    let (jobs, _) = drain(&manifest);
    assert_eq!((jobs.len(), jobs[6].line), (7, 7));
    assert_eq!(
        manifest.notes().lines(),
        ["matrix of job \"opening\": 2 × 2 less 1 = 3 jobs", "matrix of the job on line 7: 2 × 2 = 4 jobs"]
    );
    assert_eq!(manifest.locate(6, 7).1.line, 7);
}

/// What is wrong, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    (
        "matrix = 3",
        "5:10: matrix: expected a table of lists, such as { mode = [\"standard\", \"pro\"], duration = [5, 10] }, got 3",
    ),
    (
        "matrix = {}",
        "5:10: matrix: expected a table of lists, such as { mode = [\"standard\", \"pro\"], duration = [5, 10] }, got {}",
    ),
    (
        "matrix = { duration = [] }",
        "5:23: duration: expected a list of the values that it has in turn, at least one, got []",
    ),
    (
        "matrix = { duration = 5 }",
        "5:23: duration: expected a list of the values that it has in turn, at least one, got 5",
    ),
    (
        "matrix = { duration = [5, 20], mode = [\"pro\", \"standard\"] }",
        "5:27: duration: expected an integer from 3 to 15, got 20",
    ),
    (
        "matrix = { duration = [20, 5], mode = [\"pro\", \"standard\"] }",
        "5:24: duration: expected an integer from 3 to 15, got 20",
    ),
    ("matrix = { duratoin = [5], duration = [6] }", "5:12: unknown key \"duratoin\" | did you mean \"duration\"?"),
    (
        "duration = 5\nmatrix = { duration = [5] }",
        "6:12: matrix: duration is given twice | keep it in the job, or in its matrix",
    ),
    ("matrix = { x_a = [1] }\nx_a = 2", "5:12: matrix: x_a is given twice | keep it in the job, or in its matrix"),
    (
        "matrix = { duration = [5], params = { duration = [6] } }",
        "5:39: matrix: duration is given twice | keep one of the two",
    ),
    ("matrix = { duration = [5, 6, 5] }", "5:30: matrix: duration has that value twice | keep one of the two"),
    ("matrix = { x_a = [[1]] }", "5:19: x_a: expected a text, a number or a truth value, got [1]"),
    ("matrix = { x_a = [1, [1]] }", "5:22: x_a: expected a text, a number or a truth value, got [1]"),
    (
        "matrix = { id = [\"a\"] }",
        "5:12: matrix: id does not vary | parameters and x_* do; write a [[job]] for each id; a parameter of that name is written params.id",
    ),
    (
        "matrix = { duration = [5] }\nexclude = 5",
        "6:11: exclude: expected a list of tables, such as [{ mode = \"pro\", duration = 10 }], got 5",
    ),
    (
        "matrix = { duration = [5] }\nexclude = [{}]",
        "6:12: exclude: expected a table of one or more keys of the matrix, got {}",
    ),
    (
        "matrix = { duration = [5] }\nexclude = [{ mode = \"pro\" }]",
        "6:14: exclude: the matrix has no mode | the matrix has duration",
    ),
    (
        "matrix = { duration = [5] }\nexclude = [{ duration = 6 }]",
        "6:25: exclude: duration: expected one of the values that the matrix has, got 6",
    ),
    (
        "matrix = { duration = [5, 6], x_a = [1] }\nexclude = [{ duration = 5 }, { x_a = 1, duration = 5 }]",
        "6:30: exclude: nothing is left of what it names | remove it: what stands before it leaves the same out",
    ),
    (
        "matrix = { duration = [5, 6] }\nexclude = [{ duration = 5, params = { duration = 6 } }]",
        "6:39: exclude: duration is given twice | keep one of the two",
    ),
    (
        "matrix = { duration = [5] }\nexclude = [{ duration = 5 }]",
        "6:11: exclude: no job is left of the matrix | remove the [[job]], or exclude less",
    ),
    ("exclude = [{ duration = 5 }]", "5:1: unknown key \"exclude\" | generate-video takes"),
    ("repeat = 65", "5:10: repeat: expected a whole number from 1 to 64, got 65"),
];

#[test]
fn errors_name_their_place_once() {
    for (lines, expected) in WRONG {
        let found = toml(&format!("{JOB}{lines}\n")).default("duration", "9").errors();
        let is_it = |error: &String| error.starts_with(expected);
        assert!(found.len() == 1 && found.iter().all(is_it), "{lines}: {found:#?}");
    }
}

/// What an id is made of is the content, of which an `x_*` is no part: ids by place would be others once a value is added.
#[test]
fn a_label_varies_under_an_id_alone() {
    let anonymous = JOB.replace("id = \"opening\"\n", "duration = 3\n");
    let errors = toml(&format!("{anonymous}matrix = {{ mode = [\"pro\"], x_a = [1, 2], x_b = [1, 2] }}\n")).errors();
    let help = "give the job an id: x_* makes no other content";
    assert_eq!(errors, [format!("5:28: matrix: x_a varies, and the job has no id | {help}")]);
    assert_eq!(read(&format!("{anonymous}matrix = {{ x_a = [1] }}\n")), ["- pro 3 1"]);
}

#[test]
fn an_exclude_is_bounded() {
    let texts = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let tables = |n: usize| (0..n).map(|n| format!("{{ x_a = {n} }}")).collect::<Vec<_>>().join(", ");
    let text = |n| format!("{JOB}duration = 3\nmatrix = {{ x_a = [{}] }}\nexclude = [{}]\n", texts(1_002), tables(n));
    assert_eq!(read(&text(1_000)), ["opening-1000 pro 3 1000", "opening-1001 pro 3 1001"]);
    let help = "name fewer keys in each, or write several [[job]]";
    assert_eq!(toml(&text(1_001)).errors(), [format!("7:11: exclude: more than 1,000 tables | {help}")]);
}

#[test]
fn a_matrix_is_bounded() {
    let list = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let matrix = |a, b| format!("{JOB}duration = 3\nmatrix = {{ x_a = [{}], x_b = [{}] }}\n", list(a), list(b));
    let manifest = toml(&matrix(400, 250)).open().unwrap();
    assert_eq!(drain(&manifest).0.len(), 100_000);
    let help = "one [[job]] stands for 100,000 at most: write several of them";
    assert_eq!(toml(&matrix(401, 250)).errors(), [format!("6:1: matrix: more than 100,000 combinations | {help}")]);
    let long = JOB.replace("opening", &"a".repeat(120));
    let errors = toml(&format!("{long}matrix = {{ duration = [3, 4], mode = [\"pro\", \"standard\"] }}\n")).errors();
    assert!(
        errors[0].starts_with("5:1: matrix: the id with its values is longer than 128 characters: aaa"),
        "{errors:?}"
    );
    let twin = "[[job]]\nid = \"opening-3\"\nendpoint = \"generate-video\"\nprompt = \"b\"\nduration = 3\n";
    let manifest = toml(&format!("{JOB}matrix = {{ duration = [3, 4] }}\n{twin}")).open().unwrap();
    assert_eq!(drain(&manifest).0.len(), 3, "that an id is given twice is found with the plan's ids");
}

const SHOTS: &str = "id,endpoint,prompt,duration,mode,x_look\nopening,,a cat,,,\nmoon,animate-image,a moon,,,\n";

/// A manifest whose rows are `shots.csv`, with these lines under `[rows]`.
fn of_rows(lines: &str, shots: &str) -> Case {
    let image = if shots.contains("animate-image") { "params.image = \"a.png\"" } else { "" };
    let head = format!("[defaults]\nendpoint = \"generate-video\"\n{image}\n[rows]\nfile = \"shots.csv\"\n");
    toml(&format!("{head}{lines}\n")).file("shots.csv", shots)
}

#[test]
fn each_row_is_bought_in_each_combination() {
    let keys =
        "matrix = { duration = [5, 10], x_look = [\"\", \"wide\"] }\nexclude = [{ duration = 10, x_look = \"\" }]";
    let case = of_rows(keys, SHOTS);
    let jobs = case.jobs();
    let ids: Vec<_> = jobs.iter().map(|job| job.id.clone().unwrap()).collect();
    let ends = ["5-~msy62eszu5", "5-wide", "10-wide"];
    let expected = ["opening", "moon"].iter().flat_map(|id| ends.iter().map(move |end| format!("{id}-{end}")));
    assert_eq!(ids, expected.collect::<Vec<_>>());
    assert_eq!(texts(&jobs, "duration"), ["5", "5", "10", "5", "5", "10"]);
    assert_eq!(lines(&jobs), [2, 2, 2, 3, 3, 3]);
    assert_eq!(texts(&jobs, "mode"), ["pro", "pro", "pro", "", "", ""], "each endpoint has its own parameters");
    assert_eq!(jobs[1].extra, [("x_look".to_owned(), "wide".to_owned())]);
    let manifest = case.open().unwrap();
    let (again, _) = drain(&manifest);
    assert_eq!(again, jobs);
    assert_eq!(manifest.notes().lines(), ["matrix under [rows]: 2 × 2 less 1 = 3 jobs a row"]);
    // The same as tables with a matrix: what a job is has nothing to do with where it stands.
    let job = format!("{JOB}matrix = {{ duration = [5, 10], x_look = [\"\", \"wide\"] }}\n");
    let of_table: Vec<_> = toml(&job).jobs().into_iter().map(|job| (job.id, job.values)).collect();
    assert!(jobs[..3].iter().all(|job| of_table.contains(&(job.id.clone(), job.values.clone()))), "{of_table:?}");
    let anonymous = of_rows("matrix = { duration = [5, 10] }", "prompt\na cat\na dog\n").jobs();
    assert!(anonymous.len() == 4 && anonymous.iter().all(|job| job.id.is_none()));
}

/// What is wrong under `[rows]` or in the rows, and what is said of it: once, and with what else is wrong.
const WRONG_ROWS: &[(&str, &str, &[&str])] = &[
    (
        "matrix = 3",
        SHOTS,
        &[
            "6:10: matrix: expected a table of lists, such as { mode = [\"standard\", \"pro\"], duration = [5, 10] }, got 3",
        ],
    ),
    ("matrix = { duration = [5, 20] }", SHOTS, &["6:27: duration: expected an integer from 3 to 15, got 20"]),
    (
        "matrix = { mode = [\"pro\", \"standard\"] }",
        SHOTS,
        &["6:12: mode: animate-image does not take it | remove it, or change the row's endpoint"],
    ),
    ("matrix = { duratoin = [5] }", SHOTS, &["6:12: unknown key \"duratoin\" | did you mean \"duration\"?"]),
    ("matrix = { duration = [5, 5] }", SHOTS, &["6:27: matrix: duration has that value twice | keep one of the two"]),
    (
        "matrix = { duration = [5, 6] }\nexclude = [{ mode = \"pro\" }]",
        SHOTS,
        &["7:14: exclude: the matrix has no mode | the matrix has duration"],
    ),
    (
        "exclude = [{ duration = 5 }]",
        SHOTS,
        &[
            "6:1: rows: exclude: there is no matrix to exclude from | write matrix = { duration = [5, 10] } before it, or remove it",
        ],
    ),
    (
        "matrix = { duration = [5, 6], x_look = [1] }",
        "id,prompt,duration,X Look\na,a cat,5,\nb,a dog,,wide\nc,a cow,,\n",
        &[
            "2:9: duration: the row gives it, and so does the matrix | empty the cell, or take it out of the matrix under [rows]",
            "3:10: x_look: the row gives it, and so does the matrix | empty the cell, or take it out of the matrix under [rows]",
        ],
    ),
    (
        "matrix = { x_look = [1, 2] }",
        "prompt,duration\na cat,5\n",
        &["2:1: matrix: x_look varies, and the row has no id | give each row an id: x_* makes no other content"],
    ),
    (
        "matrix = { duration = [5, 99] }",
        "prompt,mode\n,pro\na cat,best\n",
        &[
            "6:27: duration: expected an integer from 3 to 15, got 99",
            "3:7: mode: expected \"standard\" or \"pro\", got \"best\"",
        ],
    ),
];

#[test]
fn errors_of_rows_and_their_matrix_come_in_one_pass() {
    for (lines, shots, expected) in WRONG_ROWS {
        let found = of_rows(lines, shots).errors();
        let are_they = found.len() == expected.len() && found.iter().zip(*expected).all(|(a, b)| a.starts_with(b));
        assert!(are_they, "{lines}: {found:#?}");
    }
    let long = "a".repeat(120);
    let found =
        of_rows("matrix = { duration = [5, 10], x_look = [\"standard\"] }", &format!("id,prompt\n{long},a cat\n"));
    let message = "2:1: id: expected at most 128 characters with what a matrix or `repeat` puts behind it, such as -10-standard, got";
    assert!(found.errors()[0].starts_with(message), "{:?}", found.errors());
    let list = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let matrix = |a| of_rows(&format!("matrix = {{ x_a = [{}], x_b = [{}] }}", list(a), list(25)), SHOTS);
    assert_eq!(matrix(40).jobs().len(), 2_000);
    let help = "one row stands for 1,000 at most: name fewer values";
    assert_eq!(matrix(41).errors(), [format!("6:1: matrix: more than 1,000 combinations | {help}")]);
}
