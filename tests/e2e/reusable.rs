//! Tokens that serve more than the job that bought them, by the sandbox's own books.

use crate::harness::{Client, Sandbox};

/// A manifest of that many videos, whose token serves several.
fn jobs(client: &Client, batch: &str, count: usize) {
    let rows: String = (1..=count)
        .map(|n| {
            format!(
                "[[job]]\nid = \"{n}\"\nendpoint = \"generate-video\"\nprompt = \"kite {n} of {batch}\"\nduration = 3\n"
            )
        })
        .collect();
    let endpoint = "[endpoint.generate-video]\ncredential = \"reusable\"\ndedup_window_s = 0\n";
    client.write(&format!("{batch}.toml"), &format!("version = 1\n{endpoint}{rows}"));
}

/// Every job is delivered, each with a video of its own.
fn all_delivered(client: &Client, batch: &str, count: usize) {
    let rows = client.rows(&format!("{batch}.results.csv"));
    let mut urls: Vec<String> = rows.iter().map(|row| row["url"].clone()).collect();
    urls.sort();
    urls.dedup();
    assert_eq!((rows.len(), urls.len()), (count, count), "{rows:?}");
    assert!(rows.iter().all(|row| ["delivered", "downloaded"].contains(&row["state"].as_str())), "{rows:?}");
}

/// What was paid is what the receipts say, once each.
fn paid(client: &Client, sandbox: &Sandbox, batches: &[&str]) -> usize {
    let mut receipts: Vec<String> = Vec::new();
    for batch in batches {
        let rows = client.rows(&format!("{batch}.receipts.csv"));
        receipts.extend(rows.iter().map(|row| row["payment_hash"].clone()));
    }
    receipts.sort();
    let books = sandbox.books();
    let mut settled: Vec<String> = books.settled().keys().map(|hash| (*hash).to_owned()).collect();
    settled.sort();
    assert_eq!(receipts, settled, "a receipt a payment");
    settled.len()
}

#[test]
fn a_token_serves_jobs_until_it_is_refused_and_one_of_them_buys_the_next() {
    let sandbox = Sandbox::start("--sandbox-reusable 7");
    let client = Client::of(&sandbox);
    jobs(&client, "june", 20);
    let plan = client.says(&format!("plan june.toml --catalog {}", sandbox.file("catalog.toml").display())).with(0);
    plan.saying("20 jobs: a token serves several jobs").saying("≤ ");
    let ended = client.run("run june.toml").with(0).saying("20 of 20 jobs");
    let ended = ended.saying("17 jobs by a token that another one had bought");
    all_delivered(&client, "june", 20);
    assert_eq!(paid(&client, &sandbox, &["june"]), 3, "seven uses each: {ended}");
    // What is delivered is delivered.
    client.run("run june.toml").with(0);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.asks_node("audit").with(0);
    let bought = client.column("june.receipts.csv", "id");
    let served = (1..=20).map(|n| n.to_string()).find(|id| !bought.contains(id)).unwrap();
    let status = client.says(&format!("status --batch june --job {served}")).with(0);
    status.saying("nothing was paid for this one").saying("with that token  200");
    // The same under another name is bought already, whoever paid for it.
    client.write("july.toml", &client.read("june.toml").replace("id = \"", "id = \"x"));
    client.run("run july.toml").with(6).saying("20");
    assert_eq!(sandbox.books().settled().len(), 3);
}

/// A claim that is false costs what the plan says: one purchase a job.
#[test]
fn a_token_that_serves_its_own_job_alone_is_bought_for_each() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, "june", 6);
    client.run("run june.toml").with(0);
    all_delivered(&client, "june", 6);
    assert_eq!(paid(&client, &sandbox, &["june"]), 6);
}

#[test]
fn killed_in_the_middle_it_goes_on_with_the_token_that_is_in_use() {
    let sandbox = Sandbox::start("--sandbox-reusable 7 --sandbox-latency-ms 20");
    let client = Client::of(&sandbox);
    jobs(&client, "june", 20);
    let delivered = |books: &crate::harness::Books| books.sales.iter().map(|sale| sale.delivered_count).sum::<u64>();
    // Each kill may lose the one answer that was on its way.
    let run = "run june.toml --jobs-in-flight 1";
    let process = client.start(run);
    sandbox.wait_for("nine deliveries", |books| delivered(books) >= 9);
    process.kill();
    client.run(run).with(0);
    all_delivered(&client, "june", 20);
    assert_eq!(paid(&client, &sandbox, &["june"]), 3);
}

#[test]
fn two_batches_at_once_buy_one_token() {
    let sandbox = Sandbox::start("--sandbox-reusable 100 --sandbox-latency-ms 20");
    let client = Client::of(&sandbox);
    for batch in ["june", "july"] {
        jobs(&client, batch, 10);
    }
    let both = ["june", "july"].map(|batch| client.start(&format!("run {batch}.toml")));
    for process in both {
        process.end().with(0);
    }
    for batch in ["june", "july"] {
        all_delivered(&client, batch, 10);
    }
    assert_eq!(paid(&client, &sandbox, &["june", "july"]), 1);
}

/// While the purchase of the token is open nobody buys another, in whatever batch and process.
#[test]
fn what_waits_for_a_token_that_is_being_bought_says_so_and_is_served_later() {
    let mut sandbox = Sandbox::start("--sandbox-reusable 100 --sandbox-pay-ms 20000");
    let client = Client::of(&sandbox);
    for batch in ["june", "july"] {
        jobs(&client, batch, 3);
    }
    let process = client.start("run june.toml");
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    process.kill();
    client.run("run july.toml --wait-doubt 1s").with(3);
    let rows = client.rows("july.results.csv");
    for row in &rows {
        assert_eq!((row["state"].as_str(), row["reason"].as_str()), ("pending", "awaiting_token"), "{rows:?}");
        assert!(row["error"].contains("of batch june buys the token"), "{rows:?}");
    }
    assert_eq!(sandbox.books().payments.len(), 1);
    sandbox.restart_with("--sandbox-reusable 100");
    for batch in ["june", "july"] {
        client.run(&format!("run {batch}.toml")).with(0);
        all_delivered(&client, batch, 3);
    }
    assert_eq!(paid(&client, &sandbox, &["june", "july"]), 1);
}
