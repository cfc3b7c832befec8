//! What is not as planned, and payments that fail: nothing is spent.

use serde_json::Value;

use crate::harness::{Audit, Client, Sandbox, two_jobs};

#[test]
fn a_price_that_is_not_the_plans_is_refused() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(6).saying("2 jobs are not asked for at the plan's prices");
    sandbox.books().are_unpaid();
    let results = client.rows("jobs.results.csv");
    for (row, [planned, asked]) in results.iter().zip([["1,350", "1,485"], ["500", "550"]]) {
        assert_eq!((row["state"].as_str(), row["reason"].as_str()), ("refused", "price_changed"));
        assert!(row["error"].contains(planned) && row["error"].contains(asked), "{}", row["error"]);
    }
    assert!(client.rows("jobs.receipts.csv").is_empty());
    client.run("run jobs.toml").with(6);
    sandbox.books().are_unpaid();
    // The new price, once a person has taken it over.
    let price = "\n[endpoint.animate-image.price]\nsats_per_unit = 110\nquantity = \"duration\"\nunit = \"second\"\n";
    client.write("jobs.toml", &(two_jobs("") + price));
    client.run("run jobs.toml").with(6);
    assert_eq!(client.column("jobs.results.csv", "state"), ["refused", "delivered"]);
    Audit::of(&client, "jobs", &sandbox.books());
}

#[test]
fn a_cheaper_price_is_paid_unless_it_has_to_be_exact() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent -10");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --exact-price").with(6);
    sandbox.books().are_unpaid();
    client.run("run jobs.toml").with(0).saying("2 jobs for 185 sats less than planned");
    // Both are paid at once, and either may be the first.
    let mut paid = client.column("jobs.receipts.csv", "amount_sats");
    paid.sort_unstable();
    assert_eq!(paid, ["1215", "450"]);
    // What was planned stays what it was.
    assert_eq!(client.column("jobs.results.csv", "price_sats"), ["1350", "500"]);
    Audit::of(&client, "jobs", &sandbox.books());
}

/// Within a cap the invoice decides, whatever `--exact-price` says of other prices; limits count the cap.
#[test]
fn an_invoice_within_a_cap_is_paid_and_one_above_it_refused() {
    let mut sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &(two_jobs("") + "\n[endpoint.animate-image.price]\nat_most_sats = 600\n"));
    let plan: Value = serde_json::from_str(&client.says("plan jobs.toml --json").with(0).stdout).unwrap();
    assert_eq!(
        ["total_msat", "exact_msat", "capped_msat"].map(|sum| plan[sum].as_u64().unwrap()),
        [1_950_000, 1_350_000, 600_000]
    );
    // 1,350 and 10, 600 and 10.
    client.run("run jobs.toml --max-sats 1969").with(8);
    sandbox.books().are_empty();
    client
        .run("run jobs.toml --max-sats 1970 --exact-price")
        .with(0)
        .saying("at most 1,950 sats (1,350 sats exact, at most 600 sats capped)")
        .saying("1 job for 100 sats less than its cap")
        .not_saying("less than planned");
    assert_eq!(client.column("jobs.receipts.csv", "amount_sats"), ["1350", "500"]);
    client
        .says("status jobs.toml")
        .with(0)
        .saying("of at most 1,950 (1,350 sats exact, at most 600 sats capped) planned");
    client.says("status jobs.toml --job image").with(0).saying("at most 600 sats");
    Audit::of(&client, "jobs", &sandbox.books());
    sandbox.restart_with("--sandbox-price-drift-percent 30");
    client.write("again.toml", &(two_jobs("again") + "\n[endpoint.animate-image.price]\nat_most_sats = 600\n"));
    client.run("run again.toml --only image").with(6);
    let refused = client.rows("again.results.csv").remove(1);
    assert_eq!((refused["state"].as_str(), refused["reason"].as_str()), ("refused", "price_changed"));
    assert!(refused["error"].contains("the origin asks 650 sats, above the cap of 600 sats"), "{}", refused["error"]);
}

/// The ceiling for routing is a share of what is paid, not of what was planned.
#[test]
fn a_cheaper_invoice_has_its_own_fee_ceiling() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent -90 --sandbox-fee-msat 20000");
    let client = Client::of(&sandbox);
    let long =
        "version = 1\n\n[[job]]\nid = \"long\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 15\n";
    client.write("jobs.toml", long);
    // By the plan 33 sats would be allowed; of the 675 sats that are asked for, 10.
    client.run("run jobs.toml").with(3);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["no_route"]);
    assert!(sandbox.books().settled().is_empty());
}

#[test]
fn three_price_refusals_in_a_row_end_the_asking_at_their_rate() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10");
    let client = Client::of(&sandbox);
    let one = |at: usize| {
        let job = format!("[[job]]\nid = \"j{at}\"\nendpoint = \"generate-video\"\nprompt = \"kite {at}\"\n");
        format!("{job}duration = {}\n\n", if at < 2 { 3 } else { 5 })
    };
    client.write("jobs.toml", &("version = 1\n\n".to_owned() + &(0..20).map(one).collect::<String>()));
    let asking = "run jobs.toml --jobs-in-flight 1";
    let ran = client.run(asking).with(6).saying("20 jobs are not asked for at the plan's prices");
    sandbox.books().are_unpaid();
    assert_eq!(sandbox.books().sales.len(), 5, "two of one price, and three of the other");
    let told =
        "the origin asks 2,475 sats where the plan says 2,250 sats, which is 495 sats a second instead of 450 sats";
    assert_eq!(ran.stderr.matches(told).count(), 1, "{}", ran.stderr);
    let rows = client.rows("jobs.results.csv");
    assert!(rows.iter().all(|row| row["reason"] == "price_changed" && row["next"] == "person"));
    let not_asked = |row: &&std::collections::HashMap<String, String>| {
        row["state"] == "pending" && row["error"].starts_with("not asked for, since")
    };
    assert_eq!(rows.iter().filter(not_asked).count(), 15);
    client.says("status jobs.toml").with(6).saying("15");
    // The next run asks anew: the price may be what it was.
    client.run(asking).with(6);
    assert_eq!(sandbox.books().sales.len(), 10);
}

#[test]
fn a_payment_that_fails_spends_nothing() {
    let sandbox = Sandbox::start("--sandbox-fail-pay-percent 100");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(3);
    let books = sandbox.books();
    assert!(!books.payments.is_empty() && books.settled().is_empty(), "{books:?}");
    assert_eq!(client.column("jobs.results.csv", "state"), ["failed", "failed"]);
    assert_eq!(client.column("jobs.results.csv", "next"), ["rerun", "rerun"]);
    Audit::of(&client, "jobs", &books);
}

#[test]
fn a_fee_above_the_ceiling_spends_nothing() {
    // The ceiling is the larger of 1 % and 10 sats.
    let sandbox = Sandbox::start("--sandbox-fee-msat 20000");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(3);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["no_route", "no_route"]);
    assert!(sandbox.books().settled().is_empty());
}

#[test]
fn every_error_of_a_manifest_in_one_pass() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write(
        "jobs.toml",
        r#"version = 1
nmae = "june"

[defaults]
duration = 3
quality = "high"

[limits]
max_sat = 5

[[job]]
id = "one"
endpoint = "generate-vidoe"
prompt = "a kite"

[[job]]
id = "two"
endpoint = "generate-video"
promt = "a kite"

[[job]]
id = "three"
endpoint = "generate-video"
prompt = "a kite"
duration = 99
mode = "profi"

[[job]]
id = "four"
endpoint = "animate-image"
image = "nowhere.png"

[[job]]
id = "five"
endpoint = "generate-video"
prompt = "a kite"

[[job]]
id = "five"
endpoint = "generate-video"
prompt = "a dog"
"#,
    );
    let ended = client.run("run jobs.toml").with(2);
    insta::with_settings!({ filters => [(r"/\S+/desk/", "[desk]/")] }, {
        insta::assert_snapshot!("errors_toml", ended.stderr);
    });
    assert_eq!(ended.stdout, "");
    client.write(
        "jobs.csv",
        "id,endpoint,prompt,Secnds,mode\n1,generate-video,a kite,3,standard\n2,generate-video,,3,pro\n\
         3,generate-video,a kite,x,pro\n4,nothing,a kite,3,pro\n5,generate-video,\"a dog\",3,turbo\n\
         1,generate-video,a dog,3,pro\n",
    );
    let ended = client.run("run jobs.csv --default quality=high").with(2);
    insta::with_settings!({ filters => [(r"/\S+/desk/", "[desk]/")] }, {
        insta::assert_snapshot!("errors_csv", ended.stderr);
    });
    sandbox.books().are_empty();
    assert!(!client.ledger().exists());
    assert_eq!(client.files(), ["jobs.csv", "jobs.toml", "picture.png"]);
}

#[test]
fn events_for_programs_end_with_the_exit_code() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10 --sandbox-drift-jobs-percent 100");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let ended = client.run("run jobs.toml --json").with(6);
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|event| event["format_version"] == 1 && event["type"].is_string()), "{ended}");
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&Value::from("run_ended"), &Value::from(6)), "{ended}");
    // What nobody but a program reads says nothing to people.
    assert_eq!(ended.stderr, "");
}

/// Above a cap each refusal is of its own job: ten in a row leave the others to the next run, which comes to others.
#[test]
fn jobs_above_their_cap_do_not_shut_out_the_others_of_their_endpoint() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let one = |at: usize| {
        format!(
            "[[job]]\nid = \"j{at}\"\nendpoint = \"generate-video\"\nprompt = \"kite {at}\"\nduration = {}\n\n",
            if at < 12 { 5 } else { 3 }
        )
    };
    let cap = "[endpoint.generate-video.price]\nat_most_sats = 1500\n";
    client.write("jobs.toml", &("version = 1\n\n".to_owned() + &(0..14).map(one).collect::<String>() + cap));
    let asking = "run jobs.toml --jobs-in-flight 1";
    client.run(asking).with(6).saying("the next run asks others");
    sandbox.books().are_unpaid();
    assert_eq!(sandbox.books().sales.len(), 10);
    // Of those that were refused before ten are asked again; the two that are within the cap are bought.
    client.run(asking).with(6).saying("2 jobs");
    assert_eq!(sandbox.books().settled().len(), 2);
    assert!(client.rows("jobs.results.csv").iter().all(|row| row["attempts"] != "0"));
    Audit::of(&client, "jobs", &sandbox.books());
}
