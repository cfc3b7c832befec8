//! A server that lists several schemes and takes one of them: the endpoint says which one is paid by.

use crate::harness::{Audit, Client, Sandbox, two_jobs};

/// The two jobs of [`two_jobs`], each endpoint with that word more.
fn jobs(word: &str) -> String {
    format!("{}\n[endpoint.generate-video]\n{word}\n\n[endpoint.animate-image]\n{word}\n", two_jobs(""))
}

#[test]
fn the_scheme_that_the_endpoint_names_is_paid_by() {
    let sandbox = Sandbox::start("--sandbox-scheme mpp");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &jobs("scheme = \"payment\""));
    client.run("run jobs.toml").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn a_server_that_takes_another_scheme_is_told_of() {
    let sandbox = Sandbox::start("--sandbox-scheme mpp");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs("").split("[[job]]").take(2).collect::<Vec<_>>().join("[[job]]"));
    client.run("run jobs.toml --deadline 3s").with(10);
    let row = client.rows("jobs.results.csv").remove(0);
    assert_eq!((row["state"].as_str(), row["reason"].as_str()), ("paid", "credential_rejected"), "{row:?}");
    assert!(row["error"].contains("`scheme = \"payment\"`"), "{row:?}");
    assert_eq!(sandbox.books().settled().len(), 1);
}

#[test]
fn a_scheme_that_is_not_offered_is_not_paid() {
    for (offered, named) in [("payment", "l402"), ("l402", "payment")] {
        let sandbox = Sandbox::start(&format!("--sandbox-scheme {offered}"));
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &jobs(&format!("scheme = \"{named}\"")));
        client.run("run jobs.toml").with(4).saying("`scheme`");
        sandbox.books().are_unpaid();
        assert_eq!(client.column("jobs.results.csv", "reason"), ["challenge_invalid", "challenge_invalid"]);
    }
}

/// A receipt of the seller's is kept beside its answer, and shown without what it may give away.
#[test]
fn the_seller_s_receipt_is_kept_and_shown() {
    let sandbox = Sandbox::start("--sandbox-scheme payment");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    let id = client.column("jobs.results.csv", "id").remove(0);
    let line = format!("status jobs.toml --job {id}");
    client.says(&line).with(0).saying("its receipt says success, by lightning, at 2").saying("for this payment");
    client.says(&format!("{line} --json")).with(0).saying("\"is_of_payment\":true");
}

/// A charge that is consumed without a delivery: the origin says so to the second redeem, and it is a person's then. No run
/// shows the credential again, and none pays again.
#[test]
fn a_charge_that_is_consumed_in_vain_is_a_person_s_at_once() {
    let sandbox = Sandbox::start("--sandbox-scheme payment --sandbox-answer consumed");
    let client = Client::of(&sandbox);
    let one = two_jobs("").split("[[job]]").take(2).collect::<Vec<_>>().join("[[job]]");
    client.write("jobs.toml", &one);
    for _ in 0..2 {
        client.run("run jobs.toml").with(4);
        let row = client.rows("jobs.results.csv").remove(0);
        let stands = (row["state"].as_str(), row["reason"].as_str(), row["next"].as_str());
        assert_eq!(stands, ("lost", "credential_rejected", "person"), "{row:?}");
        assert!(row["error"].contains("Invalid Challenge"), "{row:?}");
        let books = sandbox.books();
        // The second challenge is the fresh one that came with the refusal.
        assert_eq!((books.settled().len(), books.sales.len()), (1, 2), "nothing is asked for, or paid, again");
    }
    let line = format!("status jobs.toml --job {} --proof", client.column("jobs.results.csv", "id").remove(0));
    let shown = client.says(&line).with(4).saying("2 answers").saying("preimage ").saying("invoice ");
    assert_eq!(shown.stdout.matches("redeem").count(), 2, "{shown}");
}

/// A charge is consumed once. Whoever repeats its request, as nothing of the answer came, shows by its key that it is the same one.
#[test]
fn a_repeated_redeem_is_the_same_purchase_by_its_key() {
    let sandbox = Sandbox::start("--sandbox-scheme payment --sandbox-drop-percent 40 --sandbox-seed 3");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    let books = sandbox.books();
    assert!(books.sales.iter().any(|sale| sale.handled > 1), "none was repeated");
    Audit::of(&client, "jobs", &books).all_delivered(2);
}

#[test]
fn an_entry_s_words_are_shown_and_checked() {
    let client = Client::alone();
    client.write("jobs.toml", &jobs("scheme = \"payment\"\nredeem = \"replays\"\npatience_s = 7200"));
    client
        .says("catalog show jobs.toml")
        .with(0)
        .saying("scheme           payment")
        .saying("replays; asked for 2 h after the payment at least");
    client.says("catalog show jobs.toml --json").with(0).saying("\"patience_s\":7200");
    client.says("catalog show --json").with(0).saying("\"scheme\":null,\"redeem\":\"once\",\"patience_s\":86400");
    client.write("jobs.toml", &jobs("scheme = \"mpp\"\nredeem = \"twice\"\npatience_s = -1"));
    client
        .says("plan jobs.toml")
        .with(2)
        .saying("expected \"l402\" or \"payment\"")
        .saying("expected \"once\" or \"replays\"")
        .saying("patience_s");
}
