//! Each error code of the service, before the payment and after it: state, reason, words, exit code, and what was paid.

use crate::harness::{Audit, Client, Sandbox};

/// One video, with a short window for what is answered from the cache.
const JOB: &str = "version = 1\n\n[endpoint.generate-video]\ndedup_window_s = 1\n\n\
                   [[job]]\nid = \"one\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n";

struct Case {
    sandbox: Sandbox,
    client: Client,
}

impl Case {
    fn of(flags: &str, manifest: &str) -> Self {
        let sandbox = Sandbox::start(flags);
        let client = Client::of(&sandbox);
        client.write("jobs.toml", manifest);
        Self { sandbox, client }
    }

    /// The codes that pass: answered once so, the job is delivered by the same run, and paid for once.
    #[track_caller]
    fn passes(self) {
        self.client.run("run jobs.toml").with(0);
        Audit::of(&self.client, "jobs", &self.sandbox.books()).all_delivered(1);
    }

    /// The codes that end a job; how it ended, in words. Nothing more is spent by the next run.
    #[track_caller]
    fn ends(self, code: i32) -> String {
        let ended = self.client.run("run jobs.toml").with(code);
        let row = self.client.rows("jobs.results.csv").remove(0);
        assert!(
            ended.stdout.contains(&row["error"]) || ended.stderr.contains(&row["error"]),
            "{}: {ended}",
            row["error"]
        );
        let paid = self.sandbox.books().settled().len();
        self.client.run("run jobs.toml").with(code);
        assert_eq!(self.sandbox.books().settled().len(), paid, "{row:?}");
        let payments = self.client.column("jobs.receipts.csv", "kind");
        assert_eq!(payments.iter().filter(|kind| *kind == "payment").count(), paid, "{row:?}");
        format!("{} {} {}, paid {paid}: {}", row["state"], row["reason"], row["next"], row["error"])
    }
}

#[test]
fn codes_that_pass_before_the_payment() {
    for code in ["TIMEOUT", "RATE_LIMITED", "SERVICE_ERROR", "L402_UPSTREAM_FAILED", "L402_DEDUP_HIT", "NOVELTY"] {
        Case::of(&format!("--sandbox-ask-error {code} --sandbox-errors 1"), JOB).passes();
    }
}

#[test]
fn codes_that_pass_after_the_payment() {
    for code in ["TIMEOUT", "RATE_LIMITED", "SERVICE_ERROR", "L402_DEDUP_HIT", "CONTENT_FILTERED", "NOVELTY"] {
        Case::of(&format!("--sandbox-redeem-error {code} --sandbox-errors 1"), JOB).passes();
    }
}

#[test]
fn codes_that_pass_while_it_is_made() {
    for code in ["TIMEOUT", "RATE_LIMITED", "CONTENT_FILTERED", "NOVELTY"] {
        let flags = format!("--sandbox-poll-error {code} --sandbox-errors 1 --sandbox-accept --sandbox-accept-ms 50");
        Case::of(&flags, JOB).passes();
    }
}

#[test]
fn codes_that_end_a_job_before_the_payment() {
    let ends = |code: &str| Case::of(&format!("--sandbox-ask-error {code}"), JOB).ends(4);
    insta::assert_snapshot!(ends("CONTENT_FILTERED"), @"refused content_filtered person, paid 0: HTTP 400 (CONTENT_FILTERED): the content is not allowed; change the prompt");
    insta::assert_snapshot!(ends("INVALID_INPUT"), @"refused invalid_input person, paid 0: HTTP 400 (INVALID_INPUT): the request is wrong; mend the parameters");
    insta::assert_snapshot!(ends("L402_INVALID_PARAMS"), @"refused invalid_input person, paid 0: HTTP 400 (L402_INVALID_PARAMS): nothing was charged; mend the parameters");
    insta::assert_snapshot!(ends("L402_ESTIMATE_ONLY"), @"refused not_for_sale person, paid 0: HTTP 200 (L402_ESTIMATE_ONLY): this is only an estimate; leave out `estimate`; the origin answered without asking for payment, so nothing is bought here");
}

#[test]
fn codes_that_end_a_job_after_the_payment() {
    let ends = |code: &str| Case::of(&format!("--sandbox-redeem-error {code}"), JOB).ends(4);
    insta::assert_snapshot!(ends("L402_UPSTREAM_FAILED"), @"refunded  person, paid 1: ");
    insta::assert_snapshot!(ends("L402_REFUND_ISSUED"), @"refunded  person, paid 1: ");
    insta::assert_snapshot!(ends("L402_ESTIMATE_ONLY"), @"paid unknown_answer person, paid 1: HTTP 200 (L402_ESTIMATE_ONLY): this is only an estimate; leave out `estimate`; the answer holds no result at /videoUrl, /result/videoUrl, /result/url, /body/videoUrl, /body/result/videoUrl, /body/result/url, /url, /body/url; it is kept in the ledger");
}

#[test]
fn the_answer_with_a_refund_is_kept_whole() {
    let case = Case::of("--sandbox-redeem-error L402_REFUND_ISSUED", JOB);
    case.client.run("run jobs.toml").with(4).not_saying("LNURL1");
    let proof = case.client.says("status --batch jobs --job one --proof --json").with(4);
    assert!(proof.stdout.contains("LNURL1") && proof.stdout.contains("refund_amount"), "{proof}");
}

#[test]
fn a_manifest_and_a_catalogue_have_the_last_word_on_a_code() {
    let once = "--sandbox-redeem-error CONTENT_FILTERED --sandbox-errors 1";
    let table = "\n[endpoint.generate-video.errors]\nCONTENT_FILTERED = \"retry\"\n";
    Case::of(once, &format!("{JOB}{table}")).passes();
    let case = Case::of(once, JOB);
    let catalog = case.sandbox.file("catalog.toml");
    let text = std::fs::read_to_string(&catalog).unwrap();
    std::fs::write(&catalog, text + table).unwrap();
    case.passes();
    let never = "\n[endpoint.generate-video.errors]\nNOVELTY = { before = \"never\", after = \"refund\" }\n";
    let before = Case::of("--sandbox-ask-error NOVELTY", &format!("{JOB}{never}")).ends(4);
    insta::assert_snapshot!(before, @"refused origin_error person, paid 0: HTTP 500 (NOVELTY): this is new; look it up");
    let after = Case::of("--sandbox-redeem-error NOVELTY", &format!("{JOB}{never}")).ends(4);
    insta::assert_snapshot!(after, @"refund_offered refund_failed person, paid 1: HTTP 500 (NOVELTY): this is new; look it up; it names no link to claim a refund with");
}
