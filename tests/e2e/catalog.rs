//! `catalog`: what is in use, whether the service still asks for it, and a file of what it asks for now.

use serde_json::Value;

use crate::downloads::sha256;
use crate::harness::{Client, Ended, Sandbox, two_jobs};

/// A command of `catalog` that leads to that sandbox.
fn catalog(client: &Client, sandbox: &Sandbox, line: &str) -> Ended {
    client.says(&format!("catalog {line} --catalog {}", sandbox.file("catalog.toml").display()))
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"))
}

#[test]
fn show_says_what_is_in_use_and_where_it_comes_from() {
    let client = Client::alone();
    insta::assert_snapshot!("catalog_show", client.says("catalog show --endpoint animate-image").with(0).stdout);
    client.write(
        "mine.toml",
        "[endpoint.animate-image.price]\nsats_per_unit = 250\nquantity = \"duration\"\nunit = \"second\"\n",
    );
    let manifest =
        "\n[endpoint.animate-image.params]\nduration = { type = \"integer\", min = 5, max = 10, default = 5 }\n";
    client.write("jobs.toml", &(two_jobs("") + manifest));
    let shown = client.says("catalog show jobs.toml --catalog mine.toml --json").with(0);
    let document = json(&shown);
    assert_eq!((&document["type"], &document["format_version"]), (&"catalog".into(), &1.into()));
    let animate = document["endpoints"].as_array().unwrap().iter().find(|e| e["endpoint"] == "animate-image").unwrap();
    assert_eq!(animate["url_from"], "built-in");
    assert_eq!(
        (&animate["price"]["from"], &animate["price"]["rates"][0]["rate_sats"]),
        (&"mine.toml".into(), &250.into())
    );
    let from = |name: &str| {
        let params = animate["params"].as_array().unwrap();
        params.iter().find(|param| param["name"] == name).unwrap()["from"].as_str().unwrap().to_owned()
    };
    assert_eq!((from("prompt").as_str(), from("duration").as_str()), ("built-in", "jobs.toml"));
    client.says("catalog show --endpoint animate-imag").with(2).saying("animate-image?");
    client.says("catalog show --format csv").with(2);
}

#[test]
fn check_agrees_with_a_service_that_has_not_changed_and_pays_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::alone();
    catalog(&client, &sandbox, "check").with(0).saying("the service asks for what the catalogue says");
    let quiet = catalog(&client, &sandbox, "check --quiet").with(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let found = json(&catalog(&client, &sandbox, "check --json --endpoint generate-video").with(0));
    let endpoint = &found["endpoints"][0];
    assert_eq!((&found["type"], &found["exit_code"]), (&"catalog_check".into(), &0.into()));
    assert_eq!(endpoint["quotes"].as_array().unwrap().len(), 5, "each rate, and one large job");
    assert_eq!(
        (&endpoint["listing"]["verdict"], &endpoint["listing"]["listed_sats"]),
        (&"agrees".into(), &Value::from([300, 400, 450, 550].to_vec()))
    );
    sandbox.books().are_unpaid();
}

#[test]
fn check_says_what_has_changed() {
    let client = Client::alone();
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10");
    let ended = catalog(&client, &sandbox, "check").with(6);
    let ended = ended.saying("330 sats for duration=3; the catalogue says 300 sats").saying("the service has changed");
    assert!(!ended.stdout.contains("differs  generate-video   the listing"), "{ended}");
    let sandbox = Sandbox::start("--sandbox-listing-drift-percent 20");
    let ended = catalog(&client, &sandbox, "check --endpoint animate-image").with(6);
    ended.saying("names 120 sats; the catalogue has 100").saying("agrees   animate-image");
    let sandbox = Sandbox::start("--sandbox-ask-error INVALID_INPUT");
    catalog(&client, &sandbox, "check").with(6).saying("is refused: HTTP 400 (INVALID_INPUT)");
    let sandbox = Sandbox::start("--sandbox-ask-error RATE_LIMITED --sandbox-errors 1");
    catalog(&client, &sandbox, "check").with(0);
    let mut sandbox = Sandbox::start("");
    sandbox.stop();
    let ended = catalog(&client, &sandbox, "check").with(3).saying("cannot be asked");
    assert_eq!(ended.stdout.matches("not asked any more").count(), 6, "asked in vain once: {ended}");
}

#[test]
fn check_says_where_the_invoice_is_on_another_network_than_the_node() {
    let sandbox = Sandbox::start("");
    let client = Client::alone();
    client.write("../config/l402-batch/config.toml", "lnd_network = \"mainnet\"\n");
    let ended = catalog(&client, &sandbox, "check --endpoint animate-image").with(6);
    ended.saying("300 sats for duration=3, but its invoice is on regtest, and lnd_network is mainnet");
    let found = json(&catalog(&client, &sandbox, "check --endpoint animate-image --json").with(6));
    let quote = &found["endpoints"][0]["quotes"][0];
    assert_eq!((&quote["verdict"], &quote["asked_msat"]), (&"differs".into(), &Value::Null), "play money is no price");
    let ended = catalog(&client, &sandbox, "update --endpoint animate-image --out prices.toml").with(6);
    ended.saying("not written: animate-image: 300 sats");
    assert!(!client.files().contains(&"prices.toml".to_owned()));
    client.write("../config/l402-batch/config.toml", "lnd_network = \"regtest\"\n");
    catalog(&client, &sandbox, "check --endpoint animate-image").with(0);
}

#[test]
fn update_writes_what_is_asked_for_now_and_replaces_nothing_unasked() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(6);
    catalog(&client, &sandbox, "update --out prices.toml").with(0).saying("prices.toml is written");
    let written = client.read("prices.toml");
    let dated = day_in(&written);
    insta::assert_snapshot!("catalog_update", written.replace(&dated, "[today]").replace(&sandbox.origin, "[origin]"));
    // It is read, and found good.
    client.run("run jobs.toml --catalog prices.toml").with(0);
    assert_eq!(client.column("jobs.results.csv", "price_sats"), ["1485", "550"]);
    // The quotes agree with it now; the listing is as it was.
    let both = catalog(&client, &sandbox, "check --catalog prices.toml").with(6);
    assert!(both.stdout.lines().all(|line| !line.starts_with("differs") || line.contains("the listing")), "{both}");
    client.write("prices.toml", "mine");
    catalog(&client, &sandbox, "update --out prices.toml").with(2).saying("--overwrite");
    assert_eq!(client.read("prices.toml"), "mine");
    catalog(&client, &sandbox, "update --out prices.toml --overwrite").with(0);
    assert_eq!(client.read("prices.toml"), written);
    let unchanged = Sandbox::start("");
    catalog(&client, &unchanged, "update --out none.toml").with(0);
    assert!(!client.files().contains(&"none.toml".to_owned()));
}

/// The day in the file's first line.
fn day_in(text: &str) -> String {
    text.split("asked for on ").nth(1).unwrap().chars().take(10).collect()
}

/// Of each rate one job is asked for, without payment and without a trace; what it comes to is told, and decides how it ends.
#[test]
fn a_plan_asks_what_it_costs_now() {
    let mut sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let plan = |more: &str| {
        let catalog = sandbox.file("catalog.toml").display().to_string();
        client.says(&format!("plan jobs.toml --live --catalog {catalog}{more}"))
    };
    let same = plan("").with(0).saying("as planned").saying("left, at live prices");
    assert!(!same.stderr.contains("live prices"), "{same}");
    assert_eq!(sandbox.books().sales.len(), 2, "one of each rate");
    sandbox.books().are_unpaid();
    assert_eq!(client.files(), ["jobs.toml", "picture.png"]);
    // What is bought already is not asked for.
    client.run("run jobs.toml --only image").with(3);
    let left = json(&plan(" --json").with(0));
    let rates = left["live"]["rates"].as_array().unwrap();
    assert_eq!((rates.len(), &rates[0]["job"], &rates[0]["verdict"]), (1, &"video".into(), &"same".into()));
    sandbox.restart_with("--sandbox-price-drift-percent 10");
    let plan = |more: &str| {
        let catalog = sandbox.file("catalog.toml").display().to_string();
        client.says(&format!("plan jobs.toml --live --catalog {catalog}{more}"))
    };
    plan("").with(6).saying("live prices: 1 rate dearer: it costs 1,485 sats now, and 1,350 sats by the plan");
    let dearer = json(&plan(" --json").with(6));
    assert_eq!(
        (&dearer["live"]["total_msat"], &dearer["live"]["live_total_msat"]),
        (&1_350_000.into(), &1_485_000.into())
    );
    plan(" --quiet").with(6).saying("live prices: 1 rate dearer");
    sandbox.restart_with("--sandbox-ask-error INVALID_INPUT");
    let catalog = sandbox.file("catalog.toml").display().to_string();
    client.says(&format!("plan jobs.toml --live --catalog {catalog}")).with(6).saying("not to be had");
    sandbox.stop();
    client.says(&format!("plan jobs.toml --live --catalog {catalog}")).with(3).saying("not known");
}

/// A live price within its cap is as planned, and `catalog check` agrees with it; one above it differs.
#[test]
fn a_cap_agrees_with_what_is_asked_within_it() {
    for (most, code, words) in [(500, 0, "within the cap"), (499, 6, "above the cap of 499 sats")] {
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &two_jobs(""));
        client.write("caps.toml", &format!("[endpoint.animate-image.price]\nat_most_sats = {most}\n"));
        let of_sandbox = sandbox.file("catalog.toml").display().to_string();
        let plan = client.says(&format!("plan jobs.toml --live --catalog {of_sandbox} --catalog caps.toml")).with(code);
        plan.saying(if code == 0 { words } else { "dearer" });
        let checked =
            client.says(&format!("catalog check --endpoint animate-image --catalog {of_sandbox} --catalog caps.toml"));
        checked.saying(words);
        client
            .says("catalog show --endpoint animate-image --catalog caps.toml")
            .with(0)
            .saying(&format!("at most {most} sats a job"));
        sandbox.books().are_unpaid();
    }
}

/// A body is as its endpoint's template has it: constants, parameters under other names, and none that a job does not give.
#[test]
fn a_body_is_as_the_template_says() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write(
        "jobs.toml",
        &format!(
            "version = 1\n[[job]]\nid = \"a\"\nendpoint = \"kites\"\ntext = \"a kite\"\nseconds = 3\n\
             [endpoint.kites]\nurl = \"{}/api/l402/generate-video\"\nprice = {{ sats_per_unit = 300, quantity = \"seconds\" }}\n\
             result = {{ url = [\"/videoUrl\", \"/result/videoUrl\"] }}\n\
             body = {{ mode = \"standard\", prompt = \"{{text}}\", duration = \"{{seconds}}\", aspect_ratio = \"{{shape}}\" }}\n\
             [endpoint.kites.params]\ntext = {{ type = \"text\", required = true }}\n\
             seconds = {{ type = \"integer\", min = 1, max = 15, required = true }}\n\
             shape = {{ type = \"text\" }}\n",
            sandbox.origin
        ),
    );
    client.run("run jobs.toml").with(0);
    let [sale] = &sandbox.books().sales[..] else { panic!() };
    let body = "{\"mode\":\"standard\",\"prompt\":\"a kite\",\"duration\":3}";
    assert_eq!(sale.amount_msat, 900_000);
    let shown = client.says("status jobs.toml --job a --json").with(0);
    assert!(shown.stdout.contains(&sha256(body.as_bytes())), "{shown}");
    client.says("catalog show jobs.toml --endpoint kites").with(0).saying("\"prompt\":\"{text}\"");
}
