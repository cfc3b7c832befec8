//! Saved plans: each begins one batch, ever, and is bought as it says.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Audit, Client, Ended, Process, Sandbox, two_jobs};

fn save(client: &Client, sandbox: &Sandbox, more: &str) -> Ended {
    client.says(&format!("plan jobs.toml --catalog {} --out june.plan {more}", sandbox.file("catalog.toml").display()))
}

fn set_out(flags: &str) -> (Sandbox, Client) {
    let sandbox = Sandbox::start(flags);
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    (sandbox, client)
}

fn lines(client: &Client) -> Vec<Value> {
    client.read("june.plan").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_saved_plan_is_bought_without_a_question_in_one_batch() {
    let (sandbox, client) = set_out("");
    let words = "june.plan is written: 2 jobs for 1,850 sats and at most 20 sats of routing fees";
    save(&client, &sandbox, "").with(0).saying(words);
    assert_eq!(std::fs::metadata(client.path("june.plan")).unwrap().permissions().mode() & 0o777, 0o600);
    let lines = lines(&client);
    let head = &lines[0];
    let sums =
        ["total_msat", "capped_msat", "fee_ceiling_msat", "worst_case_msat"].map(|sum| head[sum].as_u64().unwrap());
    assert_eq!(sums, [1_850_000, 0, 20_000, 1_870_000]);
    assert_eq!((&head["limits"]["max_sats"], &head["ledger"]["id"]), (&1_870.into(), &Value::Null));
    // Two endpoints, two jobs, and the end.
    assert_eq!((lines.len(), &lines[3]["id"], &lines[3]["price_msat"]), (6, &"video".into(), &1_350_000.into()));
    assert!(lines[4]["params"]["image"]["sha256"].is_string(), "a picture by its digest: {}", lines[4]);
    client.asks_node("run june.plan --ledger other.db").with(6).saying("other.db is another one");
    // Its worst case is a limit, and another one may only be tighter.
    client.asks_node("run june.plan --max-sats 1869").with(8);
    sandbox.books().are_empty();
    client.asks_node("run june.plan --limit 1 --max-sats 99999").with(3).saying("run june.plan");
    assert_eq!(sandbox.books().settled().len(), 1);
    for _ in 0..2 {
        client.asks_node("run june.plan").with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
    }
    // Another plan of that batch begins none; the same jobs under another name know this ledger.
    save(&client, &sandbox, "").with(2).saying("has the batch jobs already").saying("--batch OTHER");
    save(&client, &sandbox, "--batch july").with(6).saying("june.plan is written");
    client.asks_node("run june.plan --ledger other.db").with(6).saying("other.db is another one");
    client.asks_node("run june.plan --batch august").with(2).saying("takes no --batch");
    client.says("status june.plan").with(2);
    client.says("plan june.plan").with(2).saying("bought by `run`");
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn what_is_no_longer_as_it_was_saved_is_refused_by_the_name_of_each_row() {
    let (sandbox, client) = set_out("");
    save(&client, &sandbox, "").with(0);
    let refused = |words: &str| client.asks_node("run june.plan").with(6).saying(words);
    client.write("jobs.toml", &two_jobs("").replace("a kite", "a bird"));
    refused("1 row is of other content (an image counts by its bytes): video");
    client.asks_node("run june.plan --dry-run").with(6).saying("other content");
    client.write("jobs.toml", &two_jobs("").replace("\"video\"", "\"film\""));
    refused("1 row is new: film; 1 row is gone: video");
    client.write("jobs.toml", &two_jobs(""));
    let picture = std::fs::read(client.path("picture.png")).unwrap();
    std::fs::copy(client.path("picture.png"), client.path("kept.png")).unwrap();
    client.write("other.toml", "");
    std::fs::write(client.path("picture.png"), other_picture(&picture)).unwrap();
    refused("1 row is of other content (an image counts by its bytes): image");
    std::fs::rename(client.path("kept.png"), client.path("picture.png")).unwrap();
    client.write("jobs.toml", &("duplicates = \"buy\"\n".to_owned() + &two_jobs("")));
    refused("otherwise of duplicates");
    // Neither today's catalogue nor the manifest's own tables say what it costs: the plan does.
    client.write("jobs.toml", &(two_jobs("") + "\n# a remark\n[endpoint.animate-image.price]\nsats = 7\n"));
    sandbox.books().are_empty();
    client.asks_node("run june.plan").with(0);
    assert_eq!(client.column("jobs.receipts.csv", "amount_sats"), ["1350", "500"]);
    // The batch of another beginning is not this plan's.
    let (other, client) = set_out("");
    save(&client, &other, "").with(0);
    client.run("run jobs.toml").with(0);
    client.asks_node("run june.plan").with(6).saying("was not begun by june.plan");
}

/// The same picture of other bytes: one more chunk of text before its end.
fn other_picture(png: &[u8]) -> Vec<u8> {
    let (before, end) = png.split_at(png.len() - 12);
    // tEXt `a\0b`, with its checksum.
    let chunk = [&[0, 0, 0, 3][..], b"tEXta\0b", &crc(b"tEXta\0b")].concat();
    [before, &chunk, end].concat()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step));
    (!crc).to_be_bytes()
}

#[test]
fn a_file_that_is_no_whole_saved_plan_is_neither_run_nor_replaced() {
    let (sandbox, client) = set_out("");
    client.write("june.plan", "mine\n");
    save(&client, &sandbox, "").with(2).saying("is no saved plan").saying("--overwrite");
    client.asks_node("run june.plan").with(2).saying("it is no saved plan");
    assert_eq!(client.read("june.plan"), "mine\n");
    save(&client, &sandbox, "--overwrite").with(0);
    let whole = client.read("june.plan");
    save(&client, &sandbox, "").with(0);
    assert_ne!(client.read("june.plan"), whole, "each has an identity of its own");
    for spoilt in [&whole[..whole.len() / 2], &whole.replace("1350000", "9350000"), &format!("{whole}\n")] {
        client.write("june.plan", spoilt);
        client.asks_node("run june.plan").with(2).saying("not as it was written");
    }
    client.write("june.plan", &whole.replacen("\"format_version\":1", "\"format_version\":2", 1));
    client.asks_node("run june.plan").with(2).saying("of format 2");
    save(&client, &sandbox, "--only video").with(2).saying("of the whole manifest");
    save(&client, &sandbox, "--overwrite --out june.json").with(2);
    sandbox.books().are_empty();
}

#[test]
fn live_prices_are_what_is_saved() {
    let (mut sandbox, client) = set_out("--sandbox-price-drift-percent 10");
    let saved = save(&client, &sandbox, "--live").with(0);
    saved.saying("2 jobs for 2,035 sats").saying("as asked now: animate-image 110 sats a second");
    let endpoint = &lines(&client)[1];
    let live = &endpoint["live"][0];
    assert_eq!((&live["rate_msat"], &live["catalog_msat"]), (&110_000.into(), &100_000.into()));
    sandbox.restart_with("--sandbox-price-drift-percent 20");
    client.asks_node("run june.plan").with(6);
    sandbox.books().are_unpaid();
    sandbox.restart_with("--sandbox-price-drift-percent 10");
    client.asks_node("run june.plan").with(0);
    assert_eq!(client.column("jobs.receipts.csv", "amount_sats"), ["1485", "550"]);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

/// A token may serve several jobs: what each invoice asks is no cap, and is saved like any other price.
#[test]
fn live_prices_of_a_token_that_serves_several_jobs_are_saved() {
    let (sandbox, client) = set_out("--sandbox-price-drift-percent 10");
    let table = "[endpoint.animate-image]\n";
    let text = std::fs::read_to_string(sandbox.file("catalog.toml")).unwrap();
    assert!(text.contains(table), "{text}");
    client.write(
        "reusable.toml",
        &text.replacen(table, &format!("{table}dedup_window_s = 0\ncredential = \"reusable\"\n"), 1),
    );
    let saved = client.says("plan jobs.toml --catalog reusable.toml --out june.plan --live").with(0);
    saved.saying("as asked now: animate-image 110 sats a second");
    assert_eq!(lines(&client)[1]["live"][0]["rate_msat"], 110_000);
}

/// A node that was named when the plan was saved is the one that pays.
#[test]
fn a_saved_plan_is_paid_for_by_the_node_that_it_was_made_with() {
    let (sandbox, client) = set_out("");
    let save = |url: &str| {
        let catalog = sandbox.file("catalog.toml");
        let mut plan = client.program();
        plan.args(["plan", "jobs.toml", "--out", "june.plan", "--catalog"]).arg(catalog).env("L402_BATCH_LND_URL", url);
        plan.env("L402_BATCH_LND_MACAROON_FILE", sandbox.file("admin.macaroon"));
        Process::start(&mut plan).end().with(0);
    };
    save("https://127.0.0.1:1");
    assert!(!client.read("june.plan").contains("macaroon"), "no word of the node's papers");
    client.asks_node("run june.plan").with(6).saying("was made for the node at https://127.0.0.1:1/");
    sandbox.books().are_empty();
    save(&sandbox.node);
    client.asks_node("run june.plan").with(0);
}

/// Before there is a ledger a plan knows it by its place alone.
#[test]
fn a_saved_plan_buys_nothing_again_where_its_ledger_has_gone_or_is_an_older_one() {
    let (sandbox, client) = set_out("");
    save(&client, &sandbox, "").with(0);
    client.write("other.toml", &two_jobs("other").replace("a kite", "a boat"));
    client.run("run other.toml --only video").with(3);
    let before = std::fs::read(client.ledger()).unwrap();
    client.asks_node("run june.plan").with(0);
    let settled = sandbox.books().settled().len();
    std::fs::write(client.ledger(), before).unwrap();
    client.asks_node("run june.plan").with(7).saying("older copy");
    std::fs::remove_file(client.ledger()).unwrap();
    client.asks_node("run june.plan").with(7);
    assert_eq!(sandbox.books().settled().len(), settled);
}
