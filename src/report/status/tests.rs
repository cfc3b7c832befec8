//! Status pages as people and programs read them.

use serde_json::Value;

use super::*;
use crate::catalog::{self, Method};
use crate::l402::{Network, PaymentHash};
use crate::ledger::{
    AnswerKind, AnswerRow, DecisionRow, KNOWN_BY_RECEIPT, PaymentRecord, Standing, StateCount, TransitionRow,
};
use crate::purchase::{JobState, Reason};

pub(in crate::report) fn row(id: &str, state: JobState, reason: Reason) -> ResultRow {
    ResultRow {
        id: id.into(),
        line: 3,
        take: 1,
        state,
        reason,
        next: Next::of(state, reason),
        endpoint: "generate-video".into(),
        params: Vec::new(),
        price: Msat::new(550_000),
        is_capped: false,
        fee: None,
        url: None,
        file: None,
        sha256: None,
        more: Vec::new(),
        attempts: 1,
        started_at: None,
        finished_at: None,
        wait_until: None,
        error: None,
        extra: Vec::new(),
    }
}

fn batch() -> (StatusHead, Counts, Vec<ResultRow>) {
    let head = StatusHead {
        batch: "june-trailers".into(),
        manifest: Some("/jobs/june.toml".into()),
        ledger: "/home/ada/ledger.db".into(),
        at_work: None,
        is_play: false,
    };
    let count = |state, reason, jobs| StateCount { state, reason, jobs, price: Msat::new(550_000 * jobs) };
    let counts = Counts {
        planned_capped: Msat::ZERO,
        by_state: vec![
            count(JobState::InDoubt, Reason::WaitingForExpiry, 1),
            count(JobState::Delivered, Reason::None, 1),
            count(JobState::Refused, Reason::PriceChanged, 1),
        ],
        spent: Msat::new(550_000),
        fees: Msat::new(1_500),
        refunded: Msat::new(550_000),
        held: Msat::new(553_000),
        planned: Msat::new(1_650_000),
        to_buy_worst_case: Msat::new(555_000),
    };
    let mut done = row("shot-001", JobState::Delivered, Reason::None);
    done.url = Some("https://cdn.example/one.mp4".into());
    let mut doubt = row("shot-002", JobState::InDoubt, Reason::WaitingForExpiry);
    doubt.wait_until = Some(UnixMs(1_790_000_000_123));
    let mut refused = row("=shot\u{1b}[2J", JobState::Refused, Reason::PriceChanged);
    refused.error = Some("the origin asks 600 sats, the plan says 550 sats".into());
    (head, counts, vec![done, doubt, refused])
}

fn payment() -> PaymentRow {
    PaymentRow {
        hash: PaymentHash([0xab; 32]),
        standing: Standing::Open,
        amount: Msat::new(550_000),
        fee_limit: Msat::new(3_000),
        held: Msat::new(553_000),
        fee: None,
        node: "02".repeat(33),
        intended_at: UnixMs(1_789_999_000_000),
        invoice_expires_at: UnixMs(1_789_999_879_123),
        credential_expires_at: UnixMs(1_789_999_600_000),
        sends_begun: 2,
        sends_answered: 1,
        sent_at: UnixMs(1_789_999_050_000),
        send_answered_at: Some(UnixMs(1_789_999_010_000)),
        node_said: Some("not paid so far\u{1b}[2J".into()),
        node_said_at: Some(UnixMs(1_789_999_120_000)),
        paid_at: None,
        posted_at: None,
        answered_at: None,
        answered_status: None,
        redeems: 0,
        delivered_at: None,
        dead_at: None,
        dead_proof: None,
    }
}

fn payments() -> OpenPayments {
    OpenPayments::from([("shot-002".to_owned(), payment())])
}

fn answer(at: i64, status: u16, body: &str) -> AnswerRow {
    AnswerRow {
        kind: AnswerKind::Redeem,
        at: UnixMs(at),
        status,
        body: body.into(),
        body_bytes: body.len() as u64,
        receipt: None,
    }
}

fn record(row: PaymentRow, answers: Vec<AnswerRow>) -> PaymentRecord {
    PaymentRecord {
        by_receipt: false,
        preimage: row.paid_at.map(|_| "5ec7e7".repeat(10)),
        row,
        method: Method::Post,
        url: "https://seller.example/make".into(),
        body_sha256: "ef".repeat(32),
        body_bytes: Some(1_234),
        invoice: "lnbc1invoice".into(),
        payee: "03".repeat(33),
        network: Network::Mainnet,
        answers,
    }
}

/// A job that was doubtful once, then paid for, and lost in the end.
pub(in crate::report) fn lost() -> Vec<TakeRecord> {
    let dead = PaymentRow {
        standing: Standing::Dead,
        held: Msat::ZERO,
        dead_at: Some(UnixMs(1_789_999_200_000)),
        dead_proof: Some("not_found_and_expired".into()),
        ..payment()
    };
    let paid = PaymentRow {
        hash: PaymentHash([0xcd; 32]),
        standing: Standing::Posted,
        held: Msat::ZERO,
        fee: Some(Msat::new(1_500)),
        sends_begun: 1,
        node_said: None,
        node_said_at: None,
        paid_at: Some(UnixMs(1_790_000_000_000)),
        posted_at: Some(UnixMs(1_790_000_000_000)),
        answered_at: Some(UnixMs(1_790_000_001_000)),
        answered_status: Some(422),
        redeems: 2,
        ..payment()
    };
    let mut result = row("shot 3", JobState::Lost, Reason::ContentFiltered);
    result.error = Some("the origin answers 422: blocked".into());
    result.params = vec![("prompt".into(), catalog::Value::Text("a cat\n\u{202e}".into()))];
    let change = |at: i64, from, to, reason| TransitionRow { at: UnixMs(at), from, to, reason };
    vec![TakeRecord {
        served: None,
        row: result,
        fee_ceiling: Msat::new(3_000),
        max_cost: None,
        payments: vec![
            record(dead, Vec::new()),
            record(
                paid,
                vec![
                    answer(1_790_000_000_500, 503, "<html>\u{1b}[2J later"),
                    answer(1_790_000_001_000, 422, "{\"error\":\"blocked\"}"),
                ],
            ),
        ],
        refund: None,
        transitions: vec![
            change(1_789_999_000_000, JobState::Pending, JobState::Running, Reason::None),
            change(1_790_000_001_000, JobState::Paid, JobState::Lost, Reason::ContentFiltered),
        ],
        decisions: vec![DecisionRow {
            at: UnixMs(1_790_000_009_000),
            decision: "unpaid".into(),
            note: "asked the seller".into(),
            evidence: "the node does not know it".into(),
        }],
    }]
}

fn one_job(format: Format, proof: bool) -> String {
    let (head, counts, _) = batch();
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let style = StatusStyle { format, all: true, quiet: false, columns: Some(100), zone, proof };
    let mut out = Vec::new();
    write_jobs(&mut out, &head, &counts, &[lost()], &style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn one_job_with_all_that_is_known_of_it() {
    let text = one_job(Format::Table, false);
    assert!(!text.contains(['\u{1b}', '\u{202e}']) && !text.contains("5ec7e7") && !text.contains("lnbc1"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn one_job_with_its_proof() {
    insta::assert_snapshot!(one_job(Format::Table, true));
}

#[test]
fn one_job_in_json_holds_secrets_only_where_they_are_asked_for() {
    let text = one_job(Format::Json, false);
    assert!(!text.contains(['\u{1b}', '\u{202e}']) && !text.contains("5ec7e7") && !text.contains("lnbc1"), "{text}");
    let parsed: Value = serde_json::from_str(&one_job(Format::Json, true)).unwrap();
    let payment = &parsed["jobs"][0]["takes"][0]["payments"][1];
    assert_eq!((&payment["invoice"], &payment["answers"][1]["status"]), (&json!("lnbc1invoice"), &json!(422)));
    assert!(payment["preimage"].as_str().unwrap().starts_with("5ec7e7"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&parsed["jobs"][0]).unwrap());
}

fn money(counts: &Counts) -> StatusMoney<'_> {
    StatusMoney { counts, sums: None, rate: None }
}

fn shown(format: Format, all: bool, columns: u16) -> String {
    let (head, counts, rows) = batch();
    let style = StatusStyle {
        format,
        all,
        quiet: false,
        columns: Some(columns),
        zone: TimeZone::fixed(jiff::tz::offset(2)),
        proof: false,
    };
    let mut out = Vec::new();
    write_status(
        &mut out,
        &head,
        &money(&counts),
        &mut |each| rows.iter().cloned().try_for_each(each),
        &payments(),
        &style,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_batch_in_a_table() {
    let text = shown(Format::Table, false, 100);
    assert!(!text.contains('\u{1b}') && !text.contains("shot-001"), "{text:?}");
    insta::assert_snapshot!(text);
}

#[test]
fn every_job_in_a_narrow_table() {
    let text = shown(Format::Table, true, 60);
    let table = text.lines().skip(13).take_while(|line| !line.is_empty());
    assert!(table.clone().count() > 3 && table.into_iter().all(|line| line.chars().count() <= 60), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_batch_in_json() {
    let text = shown(Format::Json, false, 80);
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["jobs"].as_array().map(Vec::len), Some(2));
    insta::assert_snapshot!(text);
}

#[test]
fn a_batch_in_csv() {
    insta::assert_snapshot!(shown(Format::Csv, true, 80));
}

#[test]
fn a_batch_without_jobs_to_show_is_whole_json() {
    let (head, counts, _) = batch();
    let style = StatusStyle {
        format: Format::Json,
        all: true,
        quiet: false,
        columns: Some(80),
        zone: TimeZone::UTC,
        proof: false,
    };
    let mut out = Vec::new();
    write_status(&mut out, &head, &money(&counts), &mut |_| Ok(()), &OpenPayments::new(), &style).unwrap();
    let parsed: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(parsed["jobs"], json!([]));
}

#[test]
fn long_lists_are_bounded() {
    let (head, counts, _) = batch();
    let style = StatusStyle {
        format: Format::Table,
        all: false,
        quiet: false,
        columns: Some(80),
        zone: TimeZone::UTC,
        proof: false,
    };
    let mut out = Vec::new();
    let many = |each: &mut dyn FnMut(ResultRow) -> io::Result<()>| {
        (0..1_500).try_for_each(|n| each(row(&format!("job-{n}"), JobState::Failed, Reason::NoRoute)))
    };
    write_status(&mut out, &head, &money(&counts), &mut { many }, &OpenPayments::new(), &style).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("job-999") && !text.contains("job-1000"));
    assert!(text.ends_with("and 500 more; --all or --format csv shows them\n"));
}

/// What a merge put into the ledger so that a receipt has its place is told to nobody as if it were known.
#[test]
fn of_what_is_known_by_its_receipt_alone_nothing_else_is_shown() {
    let mut take = lost();
    take[0].row.error = Some(KNOWN_BY_RECEIPT.to_owned());
    take[0].row.reason = Reason::None;
    take[0].payments.remove(0);
    take[0].payments[0].by_receipt = true;
    take[0].payments[0].answers.clear();
    let style = |format| StatusStyle {
        format,
        all: true,
        quiet: false,
        columns: Some(100),
        zone: TimeZone::fixed(jiff::tz::offset(2)),
        proof: false,
    };
    let (head, counts, _) = batch();
    let shown = |format| {
        let mut out = Vec::new();
        write_jobs(&mut out, &head, &counts, &[vec![take[0].clone()]], &style(format)).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = shown(Format::Table);
    for (words, is_there) in [
        ("known by its receipt alone", true),
        ("seller.example", false),
        ("body", false),
        ("sent once", false),
        ("will not deliver", false),
        ("nothing tells what the origin delivered", true),
    ] {
        assert_eq!(text.contains(words), is_there, "{words}: {text}");
    }
    let json: Value = serde_json::from_str(&shown(Format::Json)).unwrap();
    let payment = json.pointer("/jobs/0/takes/0/payments/0").unwrap_or_else(|| panic!("{json}"));
    assert_eq!((&payment["request"], &payment["known_by_receipt"]), (&Value::Null, &true.into()), "{json}");
}

/// What somebody is at work on nobody is told to bring on beside them, but afterwards: they may do something else.
#[test]
fn a_batch_in_work_names_who_is_at_work_and_when_a_command_works() {
    let shown = |at_work: bool, format| {
        let (mut head, counts, rows) = batch();
        let by =
            LockedBy { pid: Some(7), host: Some("ada\u{1b}[2J".to_owned()), since: Some(UnixMs(1_790_000_000_123)) };
        head.at_work = at_work.then_some(by);
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let style = StatusStyle { format, all: false, quiet: false, columns: None, zone, proof: false };
        let mut out = Vec::new();
        let each_row: Rows<'_, ResultRow> = &mut |each| rows.iter().cloned().try_for_each(each);
        write_status(&mut out, &head, &money(&counts), each_row, &payments(), &style).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = shown(true, Format::Table);
    assert!(text.contains("\nat work process 7 on ada\u{fffd}[2J since 2026-09-21 14:13 UTC: until it has "), "{text}");
    let after = "once nobody is at work on the batch: l402-batch recover";
    assert!(text.contains(after) && !shown(false, Format::Table).contains(after), "{text}");
    let job = |at_work| serde_json::from_str::<Value>(&shown(at_work, Format::Json)).unwrap()["jobs"][0].clone();
    assert_eq!(job(true)["command"], job(false)["command"]);
    assert_eq!((&job(true)["command_needs"], &job(false)["command_needs"]), (&after[..35].into(), &Value::Null));
    let recovers = |at_work| shown(at_work, Format::Csv).contains("l402-batch recover");
    assert!(!recovers(true) && recovers(false));
}

/// What play money has left open nobody brings on: neither a command is named for it nor what it waits for.
#[test]
fn what_play_money_has_left_open_has_no_command() {
    for format in [Format::Table, Format::Json, Format::Csv] {
        let shown = |is_play| {
            let (mut head, counts, mut rows) = batch();
            head.is_play = is_play;
            head.at_work = (format == Format::Table).then_some(LockedBy { pid: Some(7), host: None, since: None });
            rows.push(row("gone", JobState::Delivered, Reason::NotDownloaded));
            let zone = TimeZone::fixed(jiff::tz::offset(2));
            let style = StatusStyle { format, all: false, quiet: false, columns: None, zone, proof: false };
            let mut out = Vec::new();
            let each_row: Rows<'_, ResultRow> = &mut |each| rows.iter().cloned().try_for_each(each);
            write_status(&mut out, &head, &money(&counts), each_row, &payments(), &style).unwrap();
            String::from_utf8(out).unwrap()
        };
        for words in ["l402-batch recover", "l402-batch download", "  waits ", "until it has ended"] {
            let is_said = format == Format::Table || words.starts_with("l402-batch");
            assert_eq!((shown(false).contains(words), shown(true).contains(words)), (is_said, false), "{words}");
        }
    }
}
