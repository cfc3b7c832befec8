//! Secrets in the head of requests: an endpoint names them, the configuration says where they come from and who may have them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{AnyRequest, Client, Sandbox, Served};

const CONFIG: &str = "../config/l402-batch/config.toml";
/// In two pieces, so that this file is not found by it.
const VALUE: &str = concat!("sk-live-", "5eed5eed5eed5eed");

/// A client whose two jobs name the secret SHOP, which its configuration has in a file.
fn client(sandbox: &Sandbox, seller: &AnyRequest) -> Client {
    let client = Client::of(sandbox);
    client.write(
        "jobs.toml",
        &format!(
            "version = 1\ndefaults.endpoint = \"any\"\n[[job]]\nid = \"1\"\nprompt = \"kite\"\n[[job]]\nid = \"2\"\nprompt = \"boat\"\n\
             [endpoint.any]\nurl = \"{}/any\"\nprice = {{ sats = 900 }}\nresult = {{ url = [\"/videoUrl\"] }}\n\
             headers = {{ X-Api-Key = {{ secret = \"SHOP\" }} }}\n[endpoint.any.params]\nprompt = {{ type = \"text\" }}\n",
            seller.origin
        ),
    );
    client.write("../config/l402-batch/key", &format!("{VALUE}\n"));
    client.write(CONFIG, &config(host(seller)));
    client
}

fn host(seller: &AnyRequest) -> &str {
    seller.origin.strip_prefix("http://").unwrap()
}

fn config(origin: &str) -> String {
    format!("[secret.SHOP]\nfile = \"key\"\norigins = [\"{origin}\"]\n")
}

/// No file there but the key itself holds it.
fn holds_nowhere(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            holds_nowhere(&path);
        } else if path.file_name().is_none_or(|name| name != "key") {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let found = bytes.windows(VALUE.len()).any(|part| part == VALUE.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

#[test]
fn a_secret_goes_with_each_request_and_stands_nowhere() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |_| None);
    let client = client(&sandbox, &seller);
    client.says("plan jobs.toml --live").with(0).not_saying(VALUE);
    client.run("run jobs.toml --download files --json").with(0).not_saying(VALUE);
    let asked = seller.asked();
    assert!(asked.len() >= 5, "plan --live, and two asks and redeems");
    for came in &asked {
        assert_eq!(came.headers.get("x-api-key").map(String::as_str), Some(VALUE), "{}", came.path);
    }
    for line in [
        "status jobs.toml --job 1 --proof --json",
        "status jobs.toml --job 1 --proof",
        "catalog show --manifest jobs.toml",
        "config show",
        "plan jobs.toml --json",
        "plan jobs.toml --out saved.plan",
    ] {
        client.says(line).not_saying(VALUE);
    }
    client.asks("doctor jobs.toml").not_saying(VALUE);
    holds_nowhere(client.path("..").as_path());
    // Another key makes no other job of what is bought.
    let paid = sandbox.books().payments.len();
    client.write("../config/l402-batch/key", "sk-another-one");
    client.run("run jobs.toml").with(0).saying("there was nothing to do");
    assert_eq!(sandbox.books().payments.len(), paid);
}

#[test]
fn a_secret_that_is_not_to_be_had_is_told_before_anything_is_asked() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |_| None);
    let client = client(&sandbox, &seller);
    for (text, words) in [
        (String::new(), "the configuration has no secret SHOP".to_owned()),
        (config("api.example.com"), format!("the configuration does not let {} have the secret SHOP", host(&seller))),
    ] {
        client.write(CONFIG, &text);
        let lines = format!(
            "[secret.SHOP] with one of file = \"…\", command = [\"…\"], env = \"…\", and origins = [\"{}\"]",
            host(&seller)
        );
        client.says("plan jobs.toml").with(2).saying("endpoint.any.headers.X-Api-Key").saying(&words).saying(&lines);
        client.run("run jobs.toml").with(2).saying(&words);
    }
    for (source, words) in [
        ("file = \"nokey\"", "the secret SHOP cannot be had"),
        ("env = \"NO_SUCH_VARIABLE\"", "the variable NO_SUCH_VARIABLE is not set"),
        ("command = [\"false\"]", "the command `false …`"),
        ("command = [\"printf\", \"a\\\\r\\\\nX-Other: 1\"]", "it is no header's value"),
    ] {
        client.write(CONFIG, &format!("[secret.SHOP]\n{source}\norigins = [\"{}\"]\n", host(&seller)));
        client.run("run jobs.toml").with(2).saying(words);
    }
    assert!(seller.asked().is_empty());
    for (text, words) in [
        (format!("[secret.SHOP]\nvalue = \"{VALUE}\"\norigins = [\"a.example\"]\n"), "unknown key \"value\""),
        ("[secret.SHOP]\nfile = \"key\"\n".to_owned(), "expected the origins that may have it"),
        (
            "[secret.SHOP]\nfile = \"key\"\nenv = \"KEY\"\norigins = [\"a.example\"]\n".to_owned(),
            "expected one of file, command and env",
        ),
    ] {
        client.write(CONFIG, &text);
        client.says("plan jobs.toml").with(2).saying(words).not_saying(VALUE);
    }
}

#[test]
fn what_is_paid_waits_for_its_secret_and_is_not_lost() {
    let sandbox = Sandbox::start("");
    let is_slow = Arc::new(AtomicBool::new(true));
    let waits = Arc::clone(&is_slow);
    let seller = AnyRequest::before(&sandbox, move |_| {
        let busy = || Served { status: 503, ..Served::of("application/json", b"{}") };
        waits.load(Ordering::Relaxed).then(busy)
    });
    let client = client(&sandbox, &seller);
    let run = client.start("run jobs.toml");
    sandbox.wait_for("both are paid", |books| books.settled().len() == 2);
    run.kill();
    is_slow.store(false, Ordering::Relaxed);
    let key = client.path("../config/l402-batch/key");
    std::fs::remove_file(&key).unwrap();
    client.run("recover jobs.toml --deadline 1s");
    client.says("status jobs.toml --job 1").saying("the secret SHOP cannot be had");
    std::fs::write(&key, VALUE).unwrap();
    client.run("recover jobs.toml").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    holds_nowhere(client.path("..").as_path());
}

#[test]
fn a_result_whose_address_repeats_the_secret_is_a_persons_and_the_key_is_kept_nowhere() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |origin| {
        let body = format!("{{\"videoUrl\":\"{origin}/v/1.mp4?key={VALUE}\"}}");
        Some(Served::of("application/json", body.as_bytes()))
    });
    let client = client(&sandbox, &seller);
    client.run("run jobs.toml").not_saying(VALUE);
    assert_eq!(sandbox.books().settled().len(), 2);
    client.says("status jobs.toml --job 1").saying("unknown_answer").saying("repeats the secret").not_saying(VALUE);
    holds_nowhere(client.path("..").as_path());
}
