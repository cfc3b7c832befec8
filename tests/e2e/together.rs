//! Two batches on one ledger at the same time.

use crate::harness::{Client, Sandbox};

/// Each video costs 900 sats and a fee of at most 10.
const RUN: &str = "--default endpoint=generate-video --default duration=3 --default mode=standard \
                   --max-sats-per-day 5000 --max-sats-per-month 1000000 --time-zone UTC --payments-in-flight 4";

#[test]
fn they_share_the_day_and_never_pass_it() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 60 --sandbox-latency-ms 5");
    let client = Client::of(&sandbox);
    for name in ["june", "july"] {
        let rows: String = (1..=5).map(|n| format!("{n},kite {n} of {name}\n")).collect();
        client.write(&format!("{name}.csv"), &format!("id,prompt\n{rows}"));
    }
    let both: Vec<_> = ["june", "july"].map(|name| client.start(&format!("run {name}.csv {RUN}"))).into();
    let ended: Vec<_> = both.into_iter().map(|running| running.end()).collect();
    // One of them may have all its five before the other begins.
    let held_back: Vec<_> = ended.into_iter().filter(|ended| ended.code != Some(0)).collect();
    assert!(!held_back.is_empty(), "ten do not fit");
    for ended in held_back {
        ended.with(8).saying("the day's limit of 5,000 sats").saying("too much").saying("stays pending until");
    }
    let books = sandbox.books();
    assert_eq!(books.settled().len(), 5, "five of ten fit, whichever they are");
    assert!(books.spent_msat() <= 5_000_000);
    let receipts: Vec<_> =
        ["june", "july"].into_iter().flat_map(|n| client.rows(&format!("{n}.receipts.csv"))).collect();
    assert_eq!(receipts.len(), 5);
    assert!(receipts.iter().all(|receipt| books.settled().contains_key(receipt["payment_hash"].as_str())));
    client.asks_node("audit").with(0).saying("agree    5 payments").saying("differ   0 payments");
    let raised = RUN.replace("5000", "9101");
    let july = client.run(&format!("run july.csv {raised}"));
    let june = client.run(&format!("run june.csv {raised}"));
    assert_eq!((july.code, june.code), (Some(0), Some(0)), "{july}{june}");
    assert_eq!(sandbox.books().settled().len(), 10);
}

#[test]
fn they_share_what_one_origin_may_get_and_never_pass_it() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 60 --sandbox-latency-ms 5");
    let client = Client::of(&sandbox);
    let host = sandbox.origin.strip_prefix("http://").unwrap();
    client.write("../config/l402-batch/config.toml", &format!("[origin.\"{host}\"]\nmax_sats_per_day = 5_000\n"));
    for name in ["june", "july"] {
        let rows: String = (1..=5).map(|n| format!("{n},kite {n} of {name}\n")).collect();
        client.write(&format!("{name}.csv"), &format!("id,prompt\n{rows}"));
    }
    let run = RUN.replace("--max-sats-per-day 5000", "");
    let both: Vec<_> = ["june", "july"].map(|name| client.start(&format!("run {name}.csv {run}"))).into();
    let ended: Vec<_> = both.into_iter().map(|running| running.end()).collect();
    assert!(ended.iter().any(|ended| ended.code == Some(8)), "ten do not fit");
    assert!(sandbox.books().spent_msat() <= 5_000_000);
    assert_eq!(sandbox.books().settled().len(), 5, "five of ten fit, whichever they are");
    client.asks_node("audit").with(0).saying("agree    5 payments").saying("differ   0 payments");
}
