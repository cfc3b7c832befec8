//! A node that cannot be used: clear words, and nothing spent.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use data_encoding::{BASE64, HEXLOWER};

use crate::harness::{Audit, Client, PROGRAM, Process, Sandbox, two_jobs};

fn prepared(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client
}

#[test]
fn another_nodes_macaroon() {
    let (sandbox, other) = (Sandbox::start(""), Sandbox::start(""));
    let client = prepared(&sandbox);
    fs::copy(other.file("admin.macaroon"), sandbox.file("admin.macaroon")).unwrap();
    client.run("run jobs.toml").with(9).saying("macaroon");
    client.run("run jobs.toml --dry-run").with(9).saying("macaroon");
    sandbox.books().are_empty();
}

#[test]
fn another_nodes_certificate() {
    let (sandbox, other) = (Sandbox::start(""), Sandbox::start(""));
    let client = prepared(&sandbox);
    fs::copy(other.file("tls.cert"), sandbox.file("tls.cert")).unwrap();
    client.run("run jobs.toml").with(9).saying("certificate");
    sandbox.books().are_empty();
}

#[test]
fn nobody_answers() {
    let mut sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    sandbox.stop();
    client.run("run jobs.toml").with(9).saying("cannot be reached");
    assert_eq!(client.files(), ["jobs.toml", "picture.png"]);
}

#[test]
fn what_is_no_macaroon_and_what_is_no_certificate() {
    let sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    let (macaroon, certificate) = (sandbox.file("admin.macaroon"), sandbox.file("tls.cert"));
    let (good_macaroon, good_certificate) = (fs::read(&macaroon).unwrap(), fs::read(&certificate).unwrap());

    fs::write(&macaroon, "hunter2").unwrap();
    client.run("run jobs.toml").with(2).saying("macaroon").not_saying("hunter2");
    fs::remove_file(&macaroon).unwrap();
    client.run("run jobs.toml").with(2).saying("admin.macaroon");
    fs::write(&macaroon, &good_macaroon).unwrap();
    fs::write(&certificate, "no certificate").unwrap();
    client.run("run jobs.toml").with(2).saying("certificate");
    fs::remove_file(&certificate).unwrap();
    client.run("run jobs.toml").with(2).saying("tls.cert");
    fs::write(&certificate, &good_certificate).unwrap();
    sandbox.books().are_empty();

    // In hex, as many keep it, it is a macaroon too.
    fs::write(&macaroon, HEXLOWER.encode(&good_macaroon)).unwrap();
    client.run("run jobs.toml").with(0);
}

#[test]
fn the_macaroon_in_a_variable() {
    let sandbox = Sandbox::start("");
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let mut command = client.program();
    command.args(["run", "jobs.toml", "--yes", "--lnd-url", &sandbox.node]);
    command.arg("--catalog").arg(sandbox.file("catalog.toml")).arg("--lnd-cert-file").arg(sandbox.file("tls.cert"));
    let macaroon = HEXLOWER.encode(&fs::read(sandbox.file("admin.macaroon")).unwrap());
    command.env("L402_BATCH_LND_MACAROON", &macaroon).env("L402_BATCH_MAX_SATS", "5000");
    let ended = Process::start(&mut command).end().with(0);
    assert!(!ended.stderr.contains(&macaroon) && !ended.stdout.contains(&macaroon));
}

#[test]
fn no_node_at_all() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    client.says("run jobs.toml --yes --max-sats 5000").with(2).saying("--lnd-url").saying("--sandbox");
    client.says("run jobs.toml --lnd-url https://127.0.0.1:1").with(2).saying("macaroon");
    client.says("run jobs.toml --sandbox --lnd-url https://127.0.0.1:1").with(2);
}

#[test]
fn what_is_paid_is_redeemed_without_a_node() {
    let sandbox = Sandbox::start("--sandbox-accept --sandbox-accept-ms 100");
    let client = prepared(&sandbox);
    let running = client.start("run jobs.toml");
    sandbox.wait_for("both sold", |books| books.sales.iter().filter(|sale| sale.video.is_some()).count() == 2);
    running.killer()();
    running.end();
    client.says("recover --batch jobs").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

/// As with a node that nobody named and that was found where lnd keeps its files, and does not run.
#[test]
fn what_is_paid_is_redeemed_though_the_node_is_gone() {
    let sandbox = Sandbox::start("--sandbox-accept --sandbox-accept-ms 100");
    let client = prepared(&sandbox);
    let running = client.start("run jobs.toml");
    sandbox.wait_for("both sold", |books| books.sales.iter().filter(|sale| sale.video.is_some()).count() == 2);
    running.killer()();
    running.end();
    let papers = sandbox.file("payer.macaroon");
    let line = format!("recover --batch jobs --lnd-url https://127.0.0.1:1 --lnd-macaroon-file {}", papers.display());
    client.says(&line).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn what_may_be_paid_stays_in_doubt_without_a_node() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 500");
    let client = prepared(&sandbox);
    let running = client.start("run jobs.toml");
    sandbox.wait_for("both on their way", |books| books.payments.len() == 2);
    running.killer()();
    running.end();
    client.says("recover --all --wait-doubt 1s").with(5).saying("in doubt");
    client.says("status --batch jobs").with(5);
    client.run("run jobs.toml").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn a_node_that_dies_while_it_pays_and_comes_back() {
    let mut sandbox = Sandbox::start("--sandbox-pay-ms 700");
    let client = prepared(&sandbox);
    let running = client.start("run jobs.toml");
    sandbox.wait_for("both on their way", |books| books.payments.len() == 2);
    sandbox.restart();
    let ended = running.end();
    assert!(matches!(ended.code, Some(0 | 3 | 5)), "{ended}");
    client.run("run jobs.toml").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

/// As `xxd -p` and `base64` print them.
#[test]
fn macaroon_and_certificate_are_taken_as_usual_tools_print_them() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let flag = |name: &str| {
        let at = client.node().iter().position(|word| word == name).unwrap();
        std::fs::read(&client.node()[at + 1]).unwrap()
    };
    let (macaroon, certificate) = (flag("--lnd-macaroon-file"), flag("--lnd-cert-file"));
    let lines = |text: String, width: usize| {
        text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>()
    };
    client.write("macaroon.hex", &lines(HEXLOWER.encode(&macaroon), 60));
    client.write("cert.b64", &lines(BASE64.encode(&certificate), 76));
    let mut words: Vec<String> = client.node().to_vec();
    for (name, file) in [("--lnd-macaroon-file", "macaroon.hex"), ("--lnd-cert-file", "cert.b64")] {
        let at = words.iter().position(|word| word == name).unwrap();
        words[at + 1] = client.path(file).display().to_string();
    }
    let mut program = client.program();
    program.args("run jobs.toml --max-sats 100000 --yes".split(' ')).args(&words);
    Process::start(&mut program).end().with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// Preimages stand in memory; and what stands on this machine is not asked for through a proxy.
/// No crash writes what is in memory to a disk, and no other process of the same user reads it.
#[test]
fn memory_is_kept_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let everybody = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("l402-batch");
    // By another process: what another test starts meanwhile would hold it open for writing, and then it cannot be executed.
    assert!(Command::new("cp").arg(PROGRAM).arg(&program).status().unwrap().success());
    [folder.path(), &program].into_iter().for_each(everybody);
    // In /proc, what shows its memory to nobody belongs to root: it is somebody else's.
    let is_root = rustix::process::getuid().is_root();
    let begun = |line: &[&str], words: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -S -c "$(ulimit -H -c)" && exec "$@""#, "sh"]);
        if is_root {
            command.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        let process = Process::start(command.args(line).env("TMPDIR", folder.path()));
        process.wait_for(words);
        let of = |name: &str| format!("/proc/{}/{name}", process.id());
        let limits = fs::read_to_string(of("limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let most = core.split_whitespace().skip(4).take(2).map(str::to_owned).collect::<Vec<_>>();
        (most, fs::metadata(of("environ")).unwrap().uid() == 0)
    };
    let (most, is_hidden) = begun(&["sh", "-c", "echo begun; exec sleep 60"], "begun");
    assert!(!is_hidden, "what is not hidden can be told");
    if most.contains(&"0".to_owned()) {
        eprintln!("SKIPPED: nothing is ever dumped here");
    }
    assert_eq!(begun(&[program.to_str().unwrap(), "sandbox"], "Ctrl-C stops it"), (vec!["0".to_owned(); 2], true));
}

#[test]
fn loopback_needs_no_proxy() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let mut program = client.buying("run jobs.toml --download videos");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        program.env(name, "http://127.0.0.1:9");
    }
    Process::start(&mut program).end().with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn whom_the_system_trusts_is_asked_for_https_alone() {
    let sandbox = Sandbox::start("");
    let client = prepared(&sandbox);
    let doctor = |client: &Client, roots: &str| {
        let mut command = client.program();
        command.args(["doctor", "jobs.toml"]).args(client.node_for("doctor"));
        Process::start(command.env("SSL_CERT_FILE", roots).env("SSL_CERT_DIR", "/nowhere")).end()
    };
    let catalog = fs::read_to_string(sandbox.file("catalog.toml")).unwrap();
    let http = catalog.split('"').find(|word| word.starts_with("http://")).unwrap();
    let origin = http.split("/api").next().unwrap();
    let https = client.path("https.toml");
    fs::write(&https, catalog.replace(origin, &sandbox.node)).unwrap();
    let stranger = Client::at(&sandbox.node, &https, &sandbox);
    stranger.write("jobs.toml", &two_jobs(""));
    doctor(&stranger, "/nowhere").with(3).saying("this machine has no certificates of authorities");
    let other = Client::at(&sandbox.node, &https, &sandbox);
    other.write("jobs.toml", &two_jobs(""));
    let known = sandbox.file("tls.cert");
    doctor(&other, known.to_str().unwrap())
        .with(3)
        .saying("it is signed by itself")
        .not_saying("no certificates of authorities");
    sandbox.books().are_empty();
    doctor(&client, "/nowhere").with(0);
}
