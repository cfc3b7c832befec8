//! Refunds: claimed once, through the node that paid, whatever goes wrong; and counted when that node has received them.

use std::fs;

use serde_json::Value;

use crate::harness::{Books, Client, Count, Cutter, Ended, Sandbox, every, two_jobs};

/// One video.
const JOB: &str = "version = 1\n\n[endpoint.generate-video]\ndedup_window_s = 0\n\n\
                   [[job]]\nid = \"one\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n";
const PRICE_MSAT: u64 = 1_350_000;
/// Everything that is paid is given back.
const ALL_BACK: &str = "--sandbox-refund-percent 100";

struct Case {
    sandbox: Sandbox,
    client: Client,
}

impl Case {
    fn of(flags: &str) -> Self {
        let sandbox = Sandbox::start(&format!("{ALL_BACK} --sandbox-dedup-s 0 {flags}"));
        let client = Client::of(&sandbox);
        client.write("jobs.toml", JOB);
        Self { sandbox, client }
    }

    fn run(&self) -> Ended {
        self.client.run("run jobs.toml --wait-doubt 1s")
    }

    fn state(&self) -> String {
        let row = self.client.rows("jobs.results.csv").remove(0);
        format!("{} {}", row["state"], row["reason"]).trim_end().to_owned()
    }

    fn json(&self, line: &str) -> Value {
        let ended = self.client.says(&format!("{line} --json"));
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"))
    }
}

/// Sandbox and papers agree: each sale is given back for one invoice at most, once, and so the receipts say.
#[track_caller]
fn audit(client: &Client, books: &Books, refunded_msat: u64) {
    let mut sales: Vec<&str> = books.refunds.iter().map(|refund| refund.sale.as_str()).collect();
    sales.sort_unstable();
    sales.dedup();
    assert_eq!(sales.len(), books.refunds.len(), "{books:?}");
    assert_eq!(books.received_msat(), refunded_msat, "{books:?}");
    for refund in &books.refunds {
        let invoice = books.invoices.iter().find(|invoice| invoice.hash == refund.invoice).unwrap();
        assert_eq!(invoice.received_msat, refund.paid.then_some(invoice.amount_msat), "{books:?}");
    }
    let receipts = client.rows("jobs.receipts.csv");
    let (payments, refunds): (Vec<_>, Vec<_>) = receipts.iter().partition(|row| row["kind"] == "payment");
    assert_eq!(payments.len(), books.settled().len(), "{receipts:?}");
    let received = books.invoices.iter().filter(|invoice| invoice.status == "SETTLED");
    assert_eq!(refunds.len(), received.count(), "{receipts:?}");
    for refund in refunds {
        let invoice = books.invoices.iter().find(|invoice| invoice.hash == refund["payment_hash"]).unwrap();
        assert_eq!(Some(refund["amount_msat"].parse().unwrap()), invoice.received_msat, "{refund:?}");
        assert_eq!((refund["fee_msat"].as_str(), refund["payer_node"].as_str()), ("0", ""), "{refund:?}");
    }
    let status = client.says("status --batch jobs --json").stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["refunded_msat"], refunded_msat, "{status}");
}

#[test]
fn a_refund_comes_back_in_the_run() {
    let case = Case::of("");
    let before = case.sandbox.books().balance_msat;
    let ended = case.run().with(4).saying("refunded one 1,350 sats, 1,350 sats came back").not_saying("LNURL1");
    assert!(ended.stdout.contains("1,350 sats came back: 0 sats spent on balance"), "{ended}");
    assert_eq!(case.state(), "refunded");
    let books = case.sandbox.books();
    audit(&case.client, &books, PRICE_MSAT);
    assert_eq!(books.balance_msat, before + PRICE_MSAT - books.spent_msat());
    assert_eq!((books.invoices.len(), books.refunds.len()), (1, 1), "{books:?}");
    // Running again buys nothing and claims nothing.
    case.run().with(4).saying("1 job is refunded, and nothing is bought again by itself").not_saying("--retake");
    let again = case.sandbox.books();
    assert_eq!((again.sales.len(), again.invoices.len()), (books.sales.len(), 1), "{again:?}");
    case.client.asks_node("audit").with(0).saying("1 as at the node: 1,350 sats came back");
    let status = case.json("status --batch jobs --job one");
    assert_eq!(status["net_spent_msat"], 0, "{status}");
    assert_eq!(status["jobs"][0]["takes"][0]["refund"]["refund"], "settled", "{status}");
    case.client.says("plan jobs.toml").with(4).saying("came back");
    case.client.says("batches --json").with(0).saying("\"refunded_msat\":1350000");
    // A person leaves it at that.
    case.client.says("resolve jobs.toml --job one --as lost --note enough").with(0).saying("came back stays");
    case.run().with(0);
}

#[test]
fn what_goes_wrong_with_a_claim_is_told_and_nothing_is_claimed_twice() {
    let all = [
        ("less", 4, "refunded refund_partial", PRICE_MSAT - 2_000),
        ("expired", 4, "refund_offered refund_failed", 0),
        ("refused", 3, "refund_offered refund_pending", 0),
        ("error-but-paid", 4, "refunded", PRICE_MSAT),
        ("never-paid", 3, "refund_offered refund_pending", 0),
        ("twice", 4, "refunded", PRICE_MSAT),
        ("unanswered", 4, "refunded", PRICE_MSAT),
        ("slow", 4, "refunded", PRICE_MSAT),
    ];
    std::thread::scope(|scope| {
        for (fault, code, state, back) in all {
            scope.spawn(move || {
                let case = Case::of(&format!("--sandbox-refund {fault}"));
                let ended = case.run().with(code);
                assert_eq!(case.state(), state, "{fault}: {ended}");
                case.run().with(code);
                case.client.run("recover jobs.toml --wait-doubt 1s").with(code);
                let books = case.sandbox.books();
                audit(&case.client, &books, back);
                assert!(books.invoices.len() <= 1, "{fault}: {books:?}");
                assert_eq!(books.settled().len(), 1, "{fault}: {books:?}");
            });
        }
    });
}

#[test]
fn a_refund_that_was_refused_is_claimed_later_with_the_same_invoice() {
    let mut case = Case::of("--sandbox-refund refused");
    case.run().with(3);
    let list = case.client.says("refunds list jobs.toml").with(3).saying("claimed").saying("invoice is taken now");
    assert!(!list.stdout.contains("LNURL1"), "{list}");
    case.client.says("refunds list --all --proof").with(3).saying("LNURL1");
    case.sandbox.restart_with(ALL_BACK);
    case.client.run("refunds claim jobs.toml --job two --wait-doubt 1s").with(3);
    assert_eq!(case.sandbox.books().received_msat(), 0, "another job's");
    case.client.run("refunds claim --all --job one --wait-doubt 1s").with(4).saying("came back");
    let books = case.sandbox.books();
    audit(&case.client, &books, PRICE_MSAT);
    assert_eq!(books.invoices.len(), 1, "{books:?}");
    let refunds = case.json("refunds list jobs.toml");
    let refund = &refunds["refunds"][0];
    assert_eq!((refund["refund"].as_str(), refund["refunded_msat"].as_u64()), (Some("settled"), Some(PRICE_MSAT)));
    assert_eq!(refund["invoice_hash"], books.invoices[0].hash, "{refunds}");
    case.client.says("refunds list --batch jobs").with(0);
    case.client.run("refunds claim --all").with(0);
}

/// An older copy learns what came back: from the refund's record alone, and where a person has taken the job as delivered since.
#[test]
fn an_older_copy_learns_what_came_back_whatever_it_holds() {
    let mut case = Case::of("--sandbox-refund refused");
    case.run().with(3);
    for copy in ["alone.db", "taken.db"] {
        fs::copy(case.client.ledger(), case.client.path(copy)).unwrap();
    }
    let taken = rusqlite::Connection::open(case.client.path("taken.db")).unwrap();
    taken.execute_batch("UPDATE jobs SET state = 'delivered', reason = '', url = 'https://a.example/x.mp4'").unwrap();
    drop(taken);
    case.sandbox.restart_with(ALL_BACK);
    case.client.run("refunds claim --all").with(4).saying("came back");
    let whole = case.client.read("jobs.receipts.csv");
    let payment = whole.lines().find(|line| line.contains(",payment,")).unwrap();
    case.client.write("back.csv", &whole.replace(&format!("{payment}\n"), ""));
    for (copy, receipts) in [("alone.db", "back.csv"), ("taken.db", "jobs.receipts.csv")] {
        let merge = format!("ledger merge {receipts} --ledger {copy}");
        case.client.says(&merge).with(0).saying("0 payments were new");
        case.client.says(&merge).with(0);
        let refunds = case.json(&format!("refunds list --all --ledger {copy}"));
        let refund = &refunds["refunds"][0];
        assert_eq!((refund["refund"].as_str(), refund["refunded_msat"].as_u64()), (Some("settled"), Some(PRICE_MSAT)));
        let status = case.json(&format!("status --batch jobs --ledger {copy}"));
        assert_eq!(status["refunded_msat"], PRICE_MSAT, "{status}");
    }
}

#[test]
fn a_macaroon_that_may_make_no_invoice_keeps_the_refund_open() {
    let mut case = Case::of("--sandbox-node no-invoices");
    let ended = case.run().with(4);
    assert_eq!(case.state(), "refund_offered refund_not_permitted", "{ended}");
    let bake = "lncli --network=regtest bakemacaroon --save_to=payer.macaroon uri:/lnrpc.Lightning/GetInfo ";
    assert!(ended.stdout.contains(bake) && ended.stdout.contains("uri:/lnrpc.Lightning/AddInvoice"), "{ended}");
    assert!(ended.stdout.contains("uri:/lnrpc.Lightning/LookupInvoice"), "{ended}");
    case.client.says("refunds list jobs.toml").with(4).saying(bake);
    case.sandbox.restart_with(ALL_BACK);
    case.client.run("recover --all").with(4);
    audit(&case.client, &case.sandbox.books(), PRICE_MSAT);
}

#[test]
fn only_the_user_s_word_buys_a_refunded_job_again() {
    let sandbox = Sandbox::start("--sandbox-redeem-error L402_REFUND_ISSUED --sandbox-errors 1 --sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", JOB);
    client.run("run jobs.toml").with(4);
    client.run("run jobs.toml --retake-changed").with(4);
    assert_eq!(sandbox.books().settled().len(), 1);
    // The bound holds over both: what came back makes room.
    client.run("run jobs.toml --retake-refunded --max-sats 1700").with(0);
    let books = sandbox.books();
    audit(&client, &books, PRICE_MSAT);
    assert_eq!(books.settled().len(), 2);
    let row = client.rows("jobs.results.csv").remove(0);
    assert_eq!((row["state"].as_str(), row["take"].as_str()), ("delivered", "2"));
}

#[test]
fn two_jobs_of_which_one_is_given_back() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 50 --sandbox-seed 3");
    let client = Client::of(&sandbox);
    let jobs: String = (1..=8).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3 --max-undelivered 20";
    client.run(run).with(4);
    let states = client.column("jobs.results.csv", "state");
    let back = states.iter().filter(|state| *state == "refunded").count();
    let delivered = states.iter().filter(|state| *state == "delivered").count();
    assert!(back > 0 && delivered > 0 && back + delivered == 8, "{states:?}");
    audit(&client, &sandbox.books(), PRICE_MSAT * u64::try_from(back).unwrap());
}

/// Killed at every turn of the traffic: between invoice and commit, commit and callback, callback and settlement.
#[test]
fn killed_at_every_turn_each_refund_is_claimed_once() {
    const AT_ONCE: usize = 3;
    std::thread::scope(|scope| {
        for first in 1..=AT_ONCE {
            scope.spawn(move || {
                let sandbox = Sandbox::start(ALL_BACK);
                let cutter = Cutter::before(&sandbox);
                let every = every(3);
                let mut turns = (first * every..=200).step_by(AT_ONCE * every);
                let end = turns.find(|nth| killed_at(*nth, &sandbox, &cutter));
                assert!(end.is_some_and(|end| end > 12), "{end:?} turns");
            });
        }
    });
}

fn killed_at(nth: usize, sandbox: &Sandbox, cutter: &Cutter) -> bool {
    let client = Client::at(&cutter.node, &cutter.catalog, sandbox);
    let manifest = two_jobs(&format!("refund {nth}"));
    let one = manifest.rsplit_once("[[job]]").unwrap().0;
    client.write("jobs.toml", one);
    let before = sandbox.books();
    let killed = cutter.start(Count::Turns, nth, || client.start("run jobs.toml --jobs-in-flight 1")).end();
    let place = cutter.sheathe();
    eprintln!("refund {nth}, killed at: {place:?}");
    client.run("run jobs.toml").with(4);
    let books = sandbox.books().since(&before);
    audit(&client, &books, PRICE_MSAT);
    assert_eq!((books.settled().len(), books.refunds.len()), (1, 1), "{books:?}");
    client.asks_node("audit").with(0);
    if place.is_none() {
        killed.with(4);
    }
    place.is_none()
}
