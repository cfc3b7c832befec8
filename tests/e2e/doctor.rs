//! `doctor`: each fault has its words and its exit code, and nothing is paid or written; `config show`; where the node's papers
//! may come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use crate::harness::{Client, Ended, Process, Sandbox, two_jobs};

fn prepared(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.toml", &two_jobs(""));
    // The client's papers are called admin.macaroon; here they are a payer's.
    fs::copy(sandbox.file("payer.macaroon"), sandbox.file("admin.macaroon")).unwrap();
    client
}

fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"))
}

#[test]
fn all_good_is_said_so_and_leaves_no_trace() {
    let sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    client
        .asks("doctor jobs.toml")
        .with(0)
        .saying("all good")
        .saying("asks 1,350 sats for video")
        .not_saying("warning");
    client.asks("doctor").with(0).saying("all good");
    assert_eq!(client.asks("doctor jobs.toml --quiet").with(0).stdout, "");
    assert!(!client.ledger().exists());
    assert_eq!(client.files(), ["jobs.toml", "picture.png"]);
    sandbox.books().are_unpaid();
    assert_eq!(sandbox.books().sales.len(), 4, "each endpoint is asked once a time");

    let found = document(&client.asks("doctor jobs.toml --json --no-ask").with(0));
    assert_eq!(
        (&found["type"], &found["format_version"], &found["exit_code"]),
        (&"doctor".into(), &1.into(), &0.into())
    );
    assert_eq!(found["plan"]["to_buy_msat"], 1_850_000);
    assert_eq!(found["node"]["balance_msat"], 10_000_000_000_u64);
    assert_eq!(sandbox.books().sales.len(), 4, "--no-ask asks nobody");
}

/// Of a results file it is said what running that would buy: of its own batch, and with a ledger that does not have that.
#[test]
fn a_results_file_is_surveyed_as_it_is_run() {
    let sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    client.write("jobs.csv", "id,endpoint,prompt,duration\n1,generate-video,a kite,3\n2,generate-video,a boat,3\n");
    client.run("run jobs.csv --limit 1").with(3);
    let results = client.read("jobs.results.csv");
    let first: Vec<&str> = results.lines().take(2).collect();
    client.write("first.csv", &first.join("\n"));
    client.write("sent/jobs.results.csv", &results);
    client.write("sent/first.csv", &first.join("\n"));
    for (line, jobs, code) in [
        ("jobs.csv", 1, 0),
        ("jobs.results.csv", 1, 0),
        ("first.csv", 0, 3),
        ("sent/jobs.results.csv --ledger other.db", 1, 6),
        ("sent/first.csv --ledger other.db", 0, 6),
    ] {
        let found = document(&client.asks(&format!("doctor {line} --json --no-ask")).with(code));
        assert_eq!(found["plan"]["to_buy_count"], jobs, "{line}: {found}");
    }
    client.asks("doctor jobs.csv").with(0).saying("1 job is to be bought");
    // How it ends is said, and that something is bought only where something is.
    let none = client.asks("doctor first.csv --no-ask").with(3);
    none.saying("a run would end with 3").saying("it buys nothing;").saying("1 problem, 1 warning");
    let some = client.asks("doctor sent/jobs.results.csv --ledger other.db --no-ask").with(6);
    some.saying("a run would end with 6: not as planned").saying("it buys what the warnings leave of that");
}

#[test]
fn every_fault_of_the_node_has_its_words() {
    for (flags, code, check, words) in [
        ("--sandbox-node locked", 9, "node", "lncli unlock"),
        ("--sandbox-node starting", 9, "node", "starting up"),
        ("--sandbox-node unsynced", 9, "sync", "not synced"),
        ("--sandbox-node mainnet", 9, "endpoint", "use a node on regtest"),
        ("--sandbox-node no-channels", 9, "channels", "lncli openchannel"),
        ("--sandbox-balance-sats 1300", 9, "balance", "the channels hold 1,300 sats"),
        ("--sandbox-balance-sats 1860", 0, "balance", "may not be enough"),
        ("--sandbox-balance-sats 4000 --sandbox-node many-channels", 0, "channels", "has to be split"),
        ("--sandbox-node old", 0, "version", "update lnd"),
        ("--sandbox-node late", 0, "clock", "behind this machine's"),
        ("--sandbox-price-drift-percent 10", 6, "endpoint", "the plan says 1,350 sats and the origin asks 1,485 sats"),
        ("--sandbox-rate-limit-percent 100", 3, "endpoint", "try again later"),
    ] {
        let sandbox = Sandbox::start(flags);
        let client = prepared(&sandbox);
        client.asks("doctor jobs.toml").with(code).saying(words);
        let found = document(&client.asks("doctor jobs.toml --json").with(code));
        assert_eq!(found["exit_code"], code, "{flags}");
        let level = if code == 0 { "warning" } else { "problem" };
        let of = |finding: &&Value| finding["check"] == check && finding["level"] == level;
        let finding = found["findings"].as_array().unwrap().iter().find(of);
        assert!(finding.is_some_and(|finding| finding["advice"].is_string()), "{flags}: {found:#}");
        sandbox.books().are_unpaid();
    }
}

#[test]
fn every_fault_of_the_papers_has_its_words() {
    let (mut sandbox, other) = (Sandbox::start(""), Sandbox::start(""));
    let client = Client::of(&sandbox);
    let (macaroon, certificate) = (sandbox.file("admin.macaroon"), sandbox.file("tls.cert"));
    let bake = "lncli --network=regtest bakemacaroon --save_to=payer.macaroon uri:/lnrpc.Lightning/GetInfo ";
    client.asks("doctor").with(0).saying("ready to run; 1 warning").saying("onchain:write").saying(bake);

    fs::copy(sandbox.file("readonly.macaroon"), &macaroon).unwrap();
    client.asks("doctor").with(9).saying("does not allow /routerrpc.Router/SendPaymentV2").saying(bake);
    fs::copy(sandbox.file("payer.macaroon"), &macaroon).unwrap();
    fs::set_permissions(&macaroon, fs::Permissions::from_mode(0o644)).unwrap();
    client.asks("doctor").with(0).saying("chmod o-r");
    fs::set_permissions(&macaroon, fs::Permissions::from_mode(0o600)).unwrap();

    fs::write(&macaroon, "hunter2").unwrap();
    client.asks("doctor").with(2).saying("no macaroon of lnd's").not_saying("hunter2");
    fs::copy(other.file("admin.macaroon"), &macaroon).unwrap();
    client.asks("doctor").with(9).saying("the node refuses the macaroon");
    fs::copy(sandbox.file("payer.macaroon"), &macaroon).unwrap();

    let good = fs::read(&certificate).unwrap();
    fs::copy(other.file("tls.cert"), &certificate).unwrap();
    client.asks("doctor").with(9).saying("problem  tls").saying("not the one that was given");
    fs::write(&certificate, "none").unwrap();
    client.asks("doctor").with(2).saying("tls.cert: holds no certificate");
    fs::write(&certificate, good).unwrap();

    let papers = format!("--lnd-url {} --lnd-macaroon-file {}", sandbox.node, macaroon.display());
    client.says(&format!("doctor {papers}")).with(9).saying("none was given").saying("--lnd-cert-file");
    client.asks("doctor").with(0).saying("all good");
    sandbox.stop();
    client.asks("doctor").with(9).saying("cannot be reached");
}

/// A folder for files that a variable or the configuration file names is one that a run would refuse, too.
#[test]
fn a_folder_for_files_is_looked_at_wherever_it_is_named() {
    let sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    let with = |line: &str, folder: &str, name: &str| {
        let mut command = client.program();
        let node = if line.starts_with("plan") { &client.node()[..2] } else { client.node() };
        command.args(line.split(' ')).args(node);
        command.env("L402_BATCH_DOWNLOAD", folder).env("L402_BATCH_DOWNLOAD_NAME", name);
        Process::start(&mut command).end()
    };
    for line in ["plan jobs.toml", "doctor jobs.toml --no-ask", "doctor"] {
        let words = "cannot be used, and nothing was fetched or bought";
        with(line, "picture.png", "{id}").with(2).saying("picture.png").saying(words);
        with(line, "picture.png/videos", "{id}").with(2).saying(words);
    }
    for line in ["plan jobs.toml", "doctor jobs.toml --no-ask"] {
        with(line, "videos", "{nothing}").with(2).saying("no job has a {nothing}");
    }
    with("doctor jobs.toml --no-ask", "videos", "{id}").with(0).saying("videos can be written").saying("all good");
    with("doctor", "videos", "{id}").with(0).saying("videos can be written");
    assert!(!client.files().contains(&"videos".to_owned()), "nothing is written");
    client.write("config.toml", "download = \"picture.png\"\n");
    client.asks("doctor --config config.toml").with(2).saying("problem  download");
}

#[test]
fn manifest_ledger_limits_and_configuration_are_looked_at_too() {
    let sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    client.write("bad.toml", "version = 1\n[[job]]\nendpoint = \"generate-vide\"\n");
    client.asks("doctor bad.toml").with(2).saying("generate-video").saying("problem  manifest");
    client.asks("doctor jobs.toml --max-sats 5").with(8).saying("max_sats of 5 sats does not hold");
    client.asks("doctor jobs.toml --max-sats 5 --partial").with(8).saying("not even the first of 2 jobs fits");
    client.asks("doctor --ledger jobs.toml").with(7).saying("no ledger of l402-batch");
    client.asks("doctor --ledger /proc/none/ledger.db").with(7).saying("no disk");
    client.asks("doctor --ledger jobs.toml/ledger.db").with(7).saying("no folder");
    client.says("doctor").with(2).saying("no node is named");
    client.says("doctor --lnd-url https://127.0.0.1:1").with(2).saying("needs a macaroon");
    client.write("config.toml", "max_sat = 5\n");
    let found = document(&client.says("doctor --json --config config.toml").with(2));
    assert_eq!((&found["findings"][0]["check"], &found["exit_code"]), (&"configuration".into(), &2.into()));
    client.says("doctor --format csv").with(2);
    client.run("run jobs.toml").with(0);
    client.asks("doctor jobs.toml").with(0).saying("nothing to buy").saying("is there and can be written");
    client.says("doctor --lnd-url https://127.0.0.1:1 --lnd-macaroon-file nowhere").with(2).saying("nowhere");
}

/// A configuration of the client's that names the sandbox's node by these lines.
fn configured(sandbox: &Sandbox, lines: &str) -> Client {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let catalog = sandbox.file("catalog.toml");
    client.write("config.toml", &format!("lnd_url = \"{}\"\ncatalog = [{catalog:?}]\n{lines}\n", sandbox.node));
    client
}

#[test]
fn papers_come_from_files_content_and_commands() {
    let sandbox = Sandbox::start("");
    let (macaroon, certificate) = (sandbox.file("payer.macaroon"), sandbox.file("tls.cert"));
    let hex = HEXLOWER.encode(&fs::read(&macaroon).unwrap());
    let commands = format!(
        "lnd_macaroon_command = \"cat {}\"\nlnd_cert_command = [\"sh\", \"-c\", \"echo one moment >&2; cat '{}'\"]",
        macaroon.display(),
        certificate.display()
    );
    let client = configured(&sandbox, &commands);
    client.says("doctor jobs.toml --config config.toml").with(0).saying("all good").saying("one moment");
    client.says("run jobs.toml --config config.toml --yes --max-sats 5000").with(0).not_saying(&hex);

    let client = configured(&sandbox, "");
    let doctor = |macaroon: &str, certificate: &str| {
        let mut command = client.program();
        command.args(["doctor", "jobs.toml", "--config", "config.toml"]);
        command.env("L402_BATCH_LND_MACAROON", macaroon).env("L402_BATCH_LND_CERT", certificate);
        Process::start(&mut command).end()
    };
    let pem = fs::read_to_string(&certificate).unwrap();
    doctor(&hex, &pem).with(0).saying("all good").not_saying(&hex);
    let bare: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    doctor(&BASE64.encode(&fs::read(&macaroon).unwrap()), &bare).with(0).saying("all good");
    doctor(&hex, "rubbish").with(2).saying("L402_BATCH_LND_CERT: holds no certificate");

    let client = configured(&sandbox, "lnd_macaroon_command = \"sh -c 'echo hunter2; echo why >&2; exit 3'\"");
    client.says("doctor --config config.toml").with(2).saying("failed").saying("why").not_saying("hunter2");
    client.write(
        "bad.toml",
        "version = 1\nlnd_macaroon_command = \"touch here\"\n[[job]]\nendpoint = \"generate-video\"\n",
    );
    client.says("plan bad.toml").with(2).saying("unknown key");
    assert!(!client.path("here").exists(), "a manifest runs nothing");
}

#[test]
fn what_nobody_names_is_found_where_lnd_keeps_it() {
    let sandbox = Sandbox::start("");
    let client = Client::alone();
    let home = client.path("").parent().unwrap().join("home/.lnd");
    let place = home.join("data/chain/bitcoin/regtest");
    fs::create_dir_all(&place).unwrap();
    fs::copy(sandbox.file("tls.cert"), home.join("tls.cert")).unwrap();
    fs::copy(sandbox.file("admin.macaroon"), place.join("admin.macaroon")).unwrap();
    client.write("jobs.toml", &two_jobs(""));
    let node = format!("--lnd-url {} --lnd-network regtest", sandbox.node);
    let catalog = sandbox.file("catalog.toml");
    client
        .says(&format!("run jobs.toml {node} --dry-run --yes --max-sats 5000 --catalog {}", catalog.display()))
        .with(0)
        .saying("admin.macaroon")
        .saying("can do more than pay");
    client.says(&format!("run jobs.toml --lnd-url {} --dry-run", sandbox.node)).with(2).saying("--lnd-network regtest");
    let found = document(&client.says(&format!("config show {node} --json")).with(0));
    let of = |key: &str| found["values"].as_array().unwrap().iter().find(|value| value["key"] == key).unwrap().clone();
    assert_eq!((&of("lnd_macaroon_file")["source"], &of("lnd_url")["source"]), (&"found".into(), &"flag".into()));
    // What is paid is redeemed, and what nobody named does not stand in the way.
    client.says("recover --all --lnd-network regtest").with(0);
}

#[test]
fn each_value_is_shown_with_its_source_and_no_secret() {
    let client = Client::alone();
    client.write("jobs.toml", &format!("{}\n[limits]\nmax_sats = 700\nmax_fee_ppm = 9\n", two_jobs("")));
    client.write("config.toml", "max_sats = 900\njobs_in_flight = 4\nlnd_cert_command = \"sh -c hunter2\"\n");
    let mut command = client.program();
    command.args(["config", "show", "jobs.toml", "--config", "config.toml", "--max-sats", "800", "--json"]);
    command.env("L402_BATCH_LND_MACAROON", "hunter2").env("L402_BATCH_JOBS_IN_FLIGHT", "8");
    command.env("L402_BATCH_LND_URL", "https://me:hunter2@node.example:8080");
    let ended = Process::start(&mut command).end().with(0).not_saying("hunter2");
    let found = document(&ended);
    assert_eq!((&found["type"], &found["file"]), (&"config".into(), &"config.toml".into()));
    let of = |key: &str| found["values"].as_array().unwrap().iter().find(|value| value["key"] == key).cloned();
    for (key, value, source) in [
        ("max_sats", Value::from(700), "manifest"),
        ("max_fee_ppm", 9.into(), "manifest"),
        ("jobs_in_flight", 8.into(), "variable"),
        ("payments_in_flight", 16.into(), "default"),
        ("lnd_macaroon", "(hidden)".into(), "variable"),
        ("lnd_cert_command", "sh …".into(), "file"),
        ("lnd_url", "https://node.example:8080".into(), "variable"),
    ] {
        let shown = of(key).unwrap_or_else(|| panic!("{key}: {found:#}"));
        assert_eq!((&shown["value"], &shown["source"]), (&value, &source.into()), "{key}");
    }
    assert_eq!(of("max_sats_per_day").unwrap()["value"], Value::Null);
    let table = client.says("config show --config config.toml").with(0);
    table.saying("max_sats").saying("900").saying("file").not_saying("hunter2");
}

#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        client.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    client.says("plan jobs.toml --catalog pipe").with(2).saying("nobody writes to");
    client.says("plan jobs.toml --config pipe").with(2).saying("nobody writes to");
    let mut command = std::process::Command::new("bash");
    command.args(["-c", "exec \"$0\" plan jobs.toml --config <(echo 'max_sats = 5')", crate::harness::PROGRAM]);
    command.env_clear().env("HOME", client.path("")).env("PATH", "/usr/bin:/bin").current_dir(client.path(""));
    Process::start(&mut command).end().with(8).saying("max_sats of 5 sats");
}

/// A certificate that is not accepted is no host that cannot be reached, and each reason has its own help.
#[test]
fn a_certificate_that_is_not_trusted_is_told_apart() {
    let sandbox = Sandbox::start("");
    let client = Client::alone();
    let papers = format!("--lnd-url {} --lnd-macaroon-file {}", sandbox.node, sandbox.file("payer.macaroon").display());
    let doctor = |line: &str, authorities: &str| {
        let mut command = client.program();
        command.arg("doctor").args(line.split_whitespace()).env("SSL_CERT_FILE", authorities);
        Process::start(&mut command).end()
    };
    let missing = "SSL_CERT_FILE names /nowhere/ca.pem, which is not there";
    doctor(&papers, "/nowhere/ca.pem").with(9).saying(missing).saying("--lnd-cert-file").not_saying("is lnd running");
    let own = sandbox.file("tls.cert").display().to_string();
    doctor(&papers, &own).with(9).saying("it is signed by itself").saying("--lnd-cert-file");
    client.write(
        "jobs.toml",
        &format!(
            "version = 1\n[endpoint.x]\nurl = \"{}/x\"\nresult = {{ url = [\"/url\"] }}\nprice = {{ sats = 5 }}\n[[job]]\nendpoint = \"x\"\n",
            sandbox.node
        ),
    );
    let ended = doctor("jobs.toml", "/nowhere/ca.pem").with(3).saying(missing).saying("ca-certificates");
    ended.saying("its TLS certificate is not accepted").not_saying("check the network");
    doctor("jobs.toml", &own).with(3).saying("it is signed by itself").saying("An authority of your own");
}
