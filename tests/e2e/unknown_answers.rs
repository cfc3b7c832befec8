//! What is answered with success is never sent for again by itself, whatever it says: the seller's handler ran fourteen times
//! for one payment.

use crate::harness::{Audit, Books, Client, Sandbox};

/// One video at an endpoint with that word more.
fn job(word: &str) -> String {
    format!(
        "version = 1\n\n[endpoint.generate-video]\n{word}\n\n\
         [[job]]\nid = \"one\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n"
    )
}

struct Case {
    sandbox: Sandbox,
    client: Client,
}

impl Case {
    fn of(flags: &str, word: &str) -> Self {
        let sandbox = Sandbox::start(flags);
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &job(word));
        Self { sandbox, client }
    }

    fn state(&self) -> String {
        let row = self.client.rows("jobs.results.csv").remove(0);
        format!("{} {} {}", row["state"], row["reason"], row["next"])
    }

    /// One payment, and so many runs of the seller's handler.
    #[track_caller]
    fn handled(&self, times: u64) -> Books {
        let books = self.sandbox.books();
        let handled: Vec<u64> = books.sales.iter().map(|sale| sale.handled).collect();
        assert_eq!((handled, books.payments.len()), (vec![times], 1), "{books:?}");
        books
    }
}

#[test]
fn nothing_is_sent_again_and_the_answer_is_shown() {
    std::thread::scope(|scope| {
        for (shape, state, words) in [
            ("unknown", "paid unknown_answer person", "film"),
            ("nothing", "paid unknown_answer person", "hello"),
            ("page", "paid unknown_answer person", "Thank you"),
            ("unaddressed", "paid unknown_answer person", "processing"),
            ("cut", "paid unknown_answer person", "videoU"),
            ("failed", "lost origin_failed person", "the model failed"),
        ] {
            scope.spawn(move || {
                let case = Case::of(&format!("--sandbox-answer {shape}"), "");
                case.client.run("run jobs.toml").with(4);
                for _ in 0..2 {
                    case.client.run("run jobs.toml").with(4);
                    case.client.run("recover --all");
                }
                assert_eq!(case.state(), state, "{shape}");
                case.handled(1);
                case.client.says("status jobs.toml --job one").with(4).saying(words);
            });
        }
    });
}

/// What no run brings on decides how a run ends, and that is known before.
#[test]
fn a_plan_and_a_dry_run_end_as_the_run_does_where_only_a_person_can_go_on() {
    for shape in ["unknown", "failed"] {
        let case = Case::of(&format!("--sandbox-answer {shape}"), "");
        let catalog = case.client.node()[..2].join(" ");
        let plan = format!("plan jobs.toml {catalog}");
        case.client.says(&plan).with(0);
        case.client.run("run jobs.toml --dry-run").with(0);
        case.client.run("run jobs.toml").with(4);
        let words = "only a person can bring on: one";
        case.client.says(&plan).with(4).saying(words);
        for flags in ["", "-q", "--json"] {
            case.client.run(&format!("run jobs.toml --dry-run {flags}")).with(4).saying(words);
        }
        let results = format!("{plan} --json").replace("jobs.toml", "jobs.results.csv");
        case.client.says(&results).with(4).saying(words);
        case.client.run("run jobs.results.csv --dry-run").with(4).saying(words);
        case.client.run("run jobs.results.csv").with(4);
        case.client.run("run jobs.toml").with(4);
        case.handled(1);
    }
    // What is bought once more is done by the run.
    let case = Case::of("--sandbox-answer failed", "");
    case.client.run("run jobs.toml").with(4);
    case.client.run("run jobs.toml --retake one --dry-run").with(0);
}

#[test]
fn one_redeem_more_goes_out_where_it_replays_and_only_one() {
    for shape in ["failed", "unaddressed", "cut"] {
        let case = Case::of(&format!("--sandbox-answer {shape} --sandbox-answers 1"), "redeem = \"replays\"");
        case.client.run("run jobs.toml").with(0);
        Audit::of(&case.client, "jobs", &case.handled(2)).all_delivered(1);
        let case = Case::of(&format!("--sandbox-answer {shape}"), "redeem = \"replays\"");
        for _ in 0..3 {
            case.client.run("run jobs.toml").with(4);
        }
        case.handled(2);
    }
}

/// A token that is burned before the handler runs: what is said of it later does not hide the first answer.
#[test]
fn a_later_refusal_does_not_hide_the_first_answer() {
    for (shape, state) in [("failed", "lost origin_failed person"), ("cut", "paid unknown_answer person")] {
        let flags = format!("--sandbox-answer {shape} --sandbox-single-use");
        let case = Case::of(&flags, "redeem = \"replays\"");
        let ended = case.client.run("run jobs.toml").with(4);
        assert_eq!(case.state(), state, "{ended}");
        case.handled(1);
        let error = case.client.rows("jobs.results.csv").remove(0)["error"].clone();
        assert!(!error.contains("already used"), "{error}");
    }
}

/// The program is killed before it knows what was answered: nothing was heard, so the credential is shown again.
#[test]
fn an_answer_that_nobody_heard_is_asked_for_again() {
    let case = Case::of("--sandbox-drop-percent 60 --sandbox-seed 2", "");
    case.client.run("run jobs.toml").with(0);
    let books = case.sandbox.books();
    Audit::of(&case.client, "jobs", &books).all_delivered(1);
}

/// A person finds the result in what no run understands: nothing more is paid, and the seller is not asked again.
#[test]
fn an_answer_that_a_person_understands_is_taken_as_the_result() {
    let as_delivered = "resolve jobs.toml --job one --as delivered --note because";
    for (shape, is_video) in [("unknown", true), ("nothing", false), ("page", false)] {
        let case = Case::of(&format!("--sandbox-answer {shape}"), "");
        case.client.run("run jobs.toml --download out").with(4);
        case.client.says("status jobs.toml --job one").with(4).saying("--as delivered");
        case.client.says(as_delivered).with(0).saying("taken as delivered");
        case.client.says("status jobs.toml --job one").with(0).saying("because");
        case.client.says("download jobs.toml --download out").with(0);
        case.client.run("run jobs.toml --download out").with(0);
        let row = case.client.rows("jobs.results.csv").remove(0);
        assert_eq!(row["state"], "downloaded", "{shape}: {row:?}");
        let file = std::fs::read(&row["file"]).unwrap();
        let text = String::from_utf8_lossy(&file);
        match (is_video, shape) {
            (true, _) => assert!(row["file"].ends_with(".mp4") && row["url"].starts_with("http"), "{row:?}"),
            (false, "page") => {
                assert!(text.contains("Thank you") && row["url"].starts_with("data:text/html;"), "{row:?}")
            }
            (false, _) => assert!(text == r#"{"hello":1}"# && row["file"].ends_with(".json"), "{row:?}"),
        }
        case.handled(1);
        case.client.says(as_delivered).with(2).saying("downloaded");
    }
}

/// What a later run reads once more, to send a redeem again, is no news: it was told and written when it came.
#[test]
fn an_answer_that_is_read_once_more_is_not_told_again() {
    let case = Case::of("--sandbox-answer unknown --sandbox-answers 1", "");
    case.client.run("run jobs.toml").with(4).saying("unknown_answer");
    case.client.says("resolve jobs.toml --job one --as retry --note because").with(0);
    case.client.run("run jobs.toml").with(0).not_saying("unknown_answer");
    let history = case.client.says("status jobs.toml --job one").with(0).stdout;
    assert_eq!(history.matches("paid → paid  unknown_answer").count(), 1, "{history}");
    Audit::of(&case.client, "jobs", &case.handled(2)).all_delivered(1);
}

/// It failed, a person knows that it works again: one redeem more for the word, and no second payment.
#[test]
fn what_is_lost_is_asked_for_again_by_a_word() {
    let case = Case::of("--sandbox-answer failed --sandbox-answers 1", "");
    case.client.run("run jobs.toml").with(4);
    assert_eq!(case.state(), "lost origin_failed person");
    let word = "resolve jobs.toml --job one@1 --as retry --note because";
    case.client.says("resolve jobs.toml --job one --as rebuy --note hasty").with(0);
    case.client.says(word).with(0).saying("asks for it again");
    case.client.says(word).with(0).saying("nothing was changed");
    case.client.says("status jobs.toml --job one").with(3).saying("retry: because").not_saying("take 2, of");
    case.client.run("run jobs.toml").with(0).not_saying("origin_failed");
    Audit::of(&case.client, "jobs", &case.handled(2)).all_delivered(1);
    case.client.says(word).with(2).saying("is delivered");
}
