//! What a person decides, held against what the node says; and audits that find differences.

use crate::harness::{Client, Sandbox, two_jobs};

/// One job whose payment is on its way at the node, and whose run was killed.
fn in_flight(flags: &str) -> (Sandbox, Client) {
    let sandbox = Sandbox::start(flags);
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let running = client.start("run jobs.toml --only video");
    sandbox.wait_for("a payment", |books| books.payments.len() == 1);
    assert!(running.kill());
    (sandbox, client)
}

/// What time would do: the invoice can be paid no more, and whatever paid it in time has ended.
fn expire(client: &Client) {
    expired_since(client, 20 * 24 * 3_600);
}

fn expired_since(client: &Client, seconds: u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let at_ms = i64::try_from((now.as_secs() - seconds) * 1_000).unwrap();
    let ledger = rusqlite::Connection::open(client.ledger()).unwrap();
    assert_eq!(ledger.execute("UPDATE intents SET invoice_expires_at = ?1", [at_ms]).unwrap(), 1);
}

const UNPAID: &str = "resolve --batch jobs --job video --as unpaid --note because";

#[test]
fn what_the_node_contradicts_is_not_decided() {
    let (sandbox, client) = in_flight("--sandbox-pay-ms 5000");
    client.says(UNPAID).with(2).saying("may still settle until").saying("nothing was decided");
    client.asks_node(UNPAID).with(2).saying("is on its way").saying("nothing was decided");
    for decision in ["lost", "rebuy"] {
        client.asks_node(&UNPAID.replace("unpaid", decision)).with(2).saying("nothing was decided");
    }
    sandbox.wait_for("its end", |books| books.settled().len() == 1);
    client.asks_node(UNPAID).with(2).saying("has settled");
    client.run("run jobs.toml").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    client.asks_node(UNPAID).with(2).saying("is delivered");
    client.asks_node(&UNPAID.replace("unpaid", "rebuy")).with(2).saying("a word of its own").not_saying("--retake");
}

#[test]
fn a_person_may_decide_where_the_old_node_is_gone() {
    let (_, client) = in_flight("--sandbox-pay-ms 60000");
    client.says(UNPAID).with(2).saying("may still settle until");
    expire(&client);
    client.says(UNPAID).with(0).saying("not asked, as none was named");
    client.says("status --batch jobs --job video").saying("decided");

    for decision in ["unpaid", "lost", "rebuy"] {
        let (_, client) = in_flight("--sandbox-pay-ms 60000");
        expire(&client);
        let other = Sandbox::start("");
        let new = Client::of(&other).instead_of(client);
        new.asks_node(&UNPAID.replace("unpaid", decision)).with(0).saying("it alone knows");
        let ended = new.run("run jobs.toml");
        match decision {
            "lost" => assert_eq!(new.column("jobs.results.csv", "state"), ["lost", "delivered"], "{ended}"),
            _ => assert_eq!(new.column("jobs.results.csv", "state"), ["delivered", "delivered"], "{ended}"),
        }
        assert_eq!(ended.code, Some(0), "{decision}: {ended}");
        let take = if decision == "rebuy" { "2" } else { "1" };
        assert_eq!(new.column("jobs.results.csv", "take"), [take, "1"], "{decision}");
        assert_eq!(other.books().settled().len(), if decision == "lost" { 1 } else { 2 }, "{decision}");
    }
}

#[test]
fn a_decision_says_which_job_and_why() {
    let (sandbox, client) = in_flight("--sandbox-pay-ms 1500");
    client.says("resolve --batch jobs --job nobody --as lost --note x").with(2).saying("no job nobody");
    client.says("resolve --batch jobs --job video --as lost").with(2).saying("--note");
    client.says("resolve --batch jobs --job video --as paid --note x").with(2).saying("unpaid");
    client.says("resolve --batch jobs --job image --as lost --note x").with(2);
    client.says("resolve --batch nobody --job video --as lost --note x").with(2);
    sandbox.wait_for("its end", |books| books.settled().len() == 1);
    client.run("run jobs.toml").with(0);
}

#[test]
fn an_audit_finds_what_a_person_decided_against_the_truth() {
    let (sandbox, client) = in_flight("--sandbox-pay-ms 1500");
    expire(&client);
    client.says(UNPAID).with(0);
    sandbox.wait_for("its end", |books| books.settled().len() == 1);
    client.asks_node("audit").with(7).saying("differ   1 payment").saying("the ledger holds that it never can be");
    let json = client.asks_node("audit --json").with(7);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["differing_count"], &json["differences"][0]["job"]), (&1.into(), &"video".into()));
    client.asks_node("recover --all").saying("delivered video");
    client.asks_node("audit").with(0).saying("agree    1 payment");
}

/// The invoice has expired while its payment is in flight: its HTLCs may hold for a week yet.
#[test]
fn what_may_still_settle_is_not_taken_as_unpaid() {
    let (sandbox, client) = in_flight("--sandbox-pay-ms 3000");
    expired_since(&client, 3_600);
    for word in ["unpaid", "rebuy"] {
        let said = UNPAID.replace("unpaid", word);
        client.says(&said).with(2).saying("may still settle until").saying("nothing was decided");
    }
    client.says(&UNPAID.replace("unpaid", "lost")).with(0).saying("taken as lost");
    client.says(&UNPAID.replace("unpaid", "rebuy")).with(2).saying("may still settle until");
    sandbox.wait_for("its end", |books| books.settled().len() == 1);
    client.run("run jobs.toml").with(0);
    assert_eq!(client.column("jobs.results.csv", "state"), ["delivered", "delivered"]);
    assert_eq!(client.column("jobs.results.csv", "take"), ["1", "1"]);
    assert_eq!(sandbox.books().settled().len(), 2, "one payment a job");
    client.asks_node("audit").with(0).saying("agree    2 payments");
}

/// A word that was wrong however late it was said: what it paid for is fetched, and nothing is bought in its place.
#[test]
fn what_settles_after_all_is_fetched_whatever_was_said() {
    for (word, take) in [("unpaid", "1"), ("lost", "1"), ("rebuy", "2")] {
        let (sandbox, client) = in_flight("--sandbox-pay-ms 1500");
        expire(&client);
        client.says(&UNPAID.replace("unpaid", word)).with(0);
        sandbox.wait_for("its end", |books| books.settled().len() == 1);
        let ended = client.run("run jobs.toml").with(0);
        assert_eq!(client.column("jobs.results.csv", "state"), ["delivered", "delivered"], "{word}: {ended}");
        assert_eq!(client.column("jobs.results.csv", "take"), [take, "1"], "{word}");
        assert_eq!(client.column("jobs.receipts.csv", "id").len(), 2, "{word}");
        assert_eq!(sandbox.books().settled().len(), 2, "{word}: one payment a job");
        client.asks_node("audit").with(0).saying("agree    2 payments");
        client.run("run jobs.toml").with(0);
        assert_eq!(sandbox.books().settled().len(), 2, "{word}");
    }
}

#[test]
fn an_audit_finds_what_either_side_has_forgotten() {
    let mut sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --only video").with(3);
    let backup = std::fs::read(sandbox.file("books.jsonl")).unwrap();
    client.run("run jobs.toml").with(0);
    client.asks_node("audit").with(0).saying("agree    2 payments");
    client.asks_node("audit --ledger nothing.db").with(2);

    // The ledger of somebody else knows none of it.
    client.write("other.csv", "id,prompt\n1,a dog\n");
    let other = "run other.csv --default endpoint=generate-video --default duration=3 --ledger other.db";
    client.run(other).with(0);
    client.asks_node("audit --ledger other.db").with(0).saying("others   2 payments");

    // The node was restored from a backup, and knows the first payment only.
    sandbox.stop();
    std::fs::write(sandbox.file("books.jsonl"), backup).unwrap();
    sandbox.restart();
    client.asks_node("audit").with(7).saying("agree    1 payment").saying("differ   1 payment").saying("restored");
}

/// What was saved from under a run may hold what the payment came to: no word makes it unpaid before that is merged.
#[test]
fn nothing_that_leads_to_a_purchase_is_decided_while_a_rescue_is_unmerged() {
    let (sandbox, client) = in_flight("--sandbox-pay-ms 60000");
    expire(&client);
    let rescued = client.ledger().with_file_name("ledger.db.rescued-1");
    rusqlite::Connection::open(client.ledger())
        .unwrap()
        .execute("VACUUM INTO ?1", [rescued.display().to_string()])
        .unwrap();
    for decision in ["unpaid", "rebuy"] {
        let ended = client.says(&UNPAID.replace("unpaid", decision)).with(7);
        ended.saying("ledger merge").saying("nothing was decided");
    }
    client.says("status --batch jobs --job video").not_saying("decided");
    // Nothing is bought by these.
    client.says(&UNPAID.replace("unpaid", "retry")).with(2).saying("ledger merge").saying("is running");
    client.asks_node("refunds claim --all").with(0);
    client.says(&UNPAID.replace("unpaid", "lost")).with(0).saying("ledger merge").saying("taken as lost");
    client.says(&format!("ledger merge {}", rescued.display())).with(0);
    assert_eq!(sandbox.books().settled().len(), 0);
}
