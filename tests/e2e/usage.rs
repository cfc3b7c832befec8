//! Command lines that are wrong, and questions that nobody can answer.

use crate::harness::{Client, Ended, PROGRAM, Process, Sandbox, two_jobs};

#[test]
fn what_is_not_there_is_refused() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    client.says("run jobs.toml --max-sat 5").with(2).saying("--max-sats");
    client.says("frobnicate").with(2);
    for command in ["plan jobs.toml", "run jobs.toml --dry-run", "run jobs.toml", "doctor jobs.toml"] {
        client.says(&format!("{command} --batch=")).with(2).saying("expected a name");
    }
    client.says("").with(2);
    client.says("plan nowhere.toml").with(2).saying("nowhere.toml");
    client.says("recover --all").with(0).saying("there is no ledger");
    client.says("download jobs.toml").with(2).saying("there is no ledger");
    client.says("status nowhere.toml").with(2).saying("there is no ledger");
    client.says("run jobs.toml --sandbox-drop-percent 5 --lnd-url https://127.0.0.1:1").with(2);
}

/// Each error says what was expected there, and what to do.
#[test]
fn what_is_no_such_file_or_value_is_told_so() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    client.write("empty", "");
    std::os::unix::fs::symlink("elsewhere.db", client.path("link.db")).unwrap();
    std::fs::create_dir(client.path("folder")).unwrap();
    std::fs::copy(client.ledger(), client.path("cut.db")).unwrap();
    std::fs::OpenOptions::new().write(true).open(client.path("cut.db")).unwrap().set_len(5000).unwrap();
    for (line, code, words) in [
        ("plan Jobs.toml", 2, "did you mean \"jobs.toml\"?"),
        ("plan jobs.csv", 2, "did you mean \"jobs.toml\"?"),
        ("plan nowhere/jobs.csv", 2, "there is no folder nowhere"),
        ("plan jobs.toml --catalog nowhere.toml", 2, "there is no such file"),
        ("batches --config nowhere.toml", 2, "there is no such file"),
        ("batches --ledger folder", 7, "folder is a folder, and no ledger"),
        ("batches --ledger link.db", 2, "is a link to elsewhere.db, which is not there"),
        ("plan jobs.toml --ledger link.db", 2, "is a link to elsewhere.db, which is not there"),
        (
            "batches --ledger cut.db",
            7,
            "the ledger cut.db is damaged: database disk image is malformed (SQLite 11); restore",
        ),
        ("ledger merge nowhere.db", 2, "there is no file nowhere.db"),
        ("ledger merge jobs.results.csv", 7, "holds results, and only receipts prove"),
        ("ledger merge empty", 7, "empty is empty"),
        ("sandbox --state jobs.toml", 2, "jobs.toml cannot be used: it is a file"),
        ("doctor --lnd-url x", 2, "expected a URL such as"),
    ] {
        client.says(line).with(code).saying(words);
    }
    for (line, words) in [
        ("--retake video@0", "\"0\" is no take of the job video"),
        ("--retake nobody@1", "no job of that id"),
        ("--only video,", "expected a name, got nothing"),
        ("--download jobs.toml", "jobs.toml is no folder; name a folder"),
        ("--download /dev/null", "/dev/null is no folder; name a folder"),
        ("--download /proc/x", "it is on no disk"),
    ] {
        client.run(&format!("run jobs.toml --dry-run {line}")).with(2).saying(words);
    }
}

/// The same of what a node is reached with.
#[test]
fn what_is_no_macaroon_or_certificate_is_told_so() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let certificate = std::fs::read_to_string(sandbox.file("tls.cert")).unwrap();
    client.write("cut.cert", &certificate.lines().take(4).collect::<Vec<_>>().join("\n"));
    client.write("empty", "");
    let mut macaroon = std::fs::read(sandbox.file("admin.macaroon")).unwrap();
    macaroon.extend(b"\r\n");
    std::fs::write(client.path("lined.macaroon"), macaroon).unwrap();
    let node = |flag: &str, file: &str| {
        let mut run = client.program();
        let of_node = client
            .node()
            .chunks(2)
            .flat_map(|pair| [pair[0].as_str(), if pair[0] == flag { file } else { &pair[1] }].map(str::to_owned));
        Process::start(run.args(["run", "jobs.toml", "--dry-run", "--yes", "--max-sats", "5000"]).args(of_node)).end()
    };
    node("--lnd-cert-file", "cut.cert")
        .with(2)
        .saying("cut.cert: the certificate is cut or damaged: the line -----END CERTIFICATE----- is missing");
    node("--lnd-macaroon-file", "empty").with(2).saying("empty: is empty, and no macaroon");
    node("--lnd-macaroon-file", "nowhere").with(2).saying("name the binary file that lncli writes");
    node("--lnd-macaroon-file", "lined.macaroon").with(0);
}

/// What a batch is called, a person reads and types.
#[test]
fn a_batch_is_begun_by_a_printable_name() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.write("a\nb.csv", "id,prompt\n1,kite\n");
    let words = "expected 1 to 128 printable characters";
    for name in ["a\nb", "a\r", "a\u{1b}[2J", "a\u{202e}b", " ", &"x".repeat(129)] {
        for command in ["plan jobs.toml", "run jobs.toml --dry-run", "run jobs.toml", "doctor jobs.toml"] {
            let mut program = if command.starts_with("run") { client.buying(command) } else { client.program() };
            if !command.starts_with("run") {
                program.args(command.split(' '));
            }
            Process::start(program.args(["--batch", name])).end().with(2).saying(words).saying("--batch");
        }
    }
    sandbox.books().are_empty();
    let line = ["plan", "a\nb.csv", "--default", "endpoint=generate-video", "--default", "duration=3"];
    Process::start(client.program().args(line)).end().with(2).saying(words).saying("--batch NAME");
    Process::start(client.program().args(line).args(["--batch", &"ü".repeat(128)])).end().with(0);
}

/// An older version has begun it: it is shown, and every command that is printed for it works in a shell.
#[test]
fn a_batch_that_has_a_line_end_in_its_name_goes_on() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let third = "[[job]]\nid = \"third\"\nendpoint = \"generate-video\"\nprompt = \"three kites\"\nduration = 3\n";
    client.write("jobs.toml", &format!("{}{third}", two_jobs("")));
    client.run("run jobs.toml --limit 1").with(3);
    let ledger = rusqlite::Connection::open(client.ledger()).unwrap();
    ledger.execute("UPDATE batches SET name = ?1", ["a\nb's"]).unwrap();
    drop(ledger);
    client.says("batches").with(0).saying("a b's");
    std::fs::create_dir(client.path("bin")).unwrap();
    std::os::unix::fs::symlink(PROGRAM, client.path("bin/l402-batch")).unwrap();
    let in_bash = |line: &str| {
        let mut bash = crate::harness::under(&["bash", "-c", line], &client.program());
        bash.env("PATH", format!("{}:{}", client.path("bin").display(), std::env::var("PATH").unwrap()));
        Process::start(&mut bash).end()
    };
    let named = r"--batch $'a\nb\'s'";
    in_bash(&format!("l402-batch status {named}")).with(3).saying("1,350 sats of");
    in_bash(&format!("l402-batch export {named}")).with(0);
    let mut run = client.buying("run jobs.toml --limit 1");
    let ended = Process::start(run.args(["--batch", "a\nb's"])).end().with(3);
    let printed = ended.stdout.lines().find_map(|line| Some(&line[line.find("l402-batch run")?..])).unwrap();
    assert!(printed.contains(named), "{ended}");
    in_bash(printed).with(0);
    assert_eq!(sandbox.books().sales.len(), 3, "each once");
}

/// A server's address holds a password, and nothing of it is printed.
#[test]
fn a_ledger_at_a_server_is_refused_before_anything_else() {
    const SERVER: &str = "postgresql://night:tr0ub4dor@db.example/ledger";
    let refused = |ended: Ended| {
        ended.with(2).saying("keeps a ledger in a file").saying("path of a file").not_saying("tr0ub4dor");
    };
    let client = Client::alone();
    let commands = [
        "plan jobs.toml",
        "run jobs.toml",
        "recover --all",
        "status jobs.toml",
        "export jobs.toml",
        "batches",
        "resolve jobs.toml --job j1 --as keep --note n",
        "audit",
        "doctor",
        "refunds list --all",
        "refunds claim --all",
        "download jobs.toml",
        "config show",
        "ledger merge other.db",
    ];
    client.write("config.toml", &format!("max_sats = 5\nledger = \"{SERVER}\"\n"));
    for command in commands {
        refused(client.says(&format!("{command} --ledger {SERVER}")));
        refused(client.says(&format!("{command} --config config.toml")));
        let mut by_variable = client.program();
        by_variable.args(command.split(' ')).env("L402_BATCH_LEDGER", SERVER);
        refused(Process::start(&mut by_variable).end());
    }
    refused(client.says(&format!("ledger merge {SERVER}")));
    for later in ["backup", "copy"] {
        client.says(&format!("ledger {later} {SERVER}")).with(2).not_saying("tr0ub4dor");
    }
    assert_eq!(client.files(), ["config.toml", "picture.png"]);
}

/// Wherever a path is given: by flag, variable and configuration file, and as what a command is about. Nothing of that name is made.
#[test]
fn an_address_in_the_place_of_a_path_is_refused_and_not_shown() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let buying = "run jobs.toml --max-sats 9 --yes --lnd-url https://127.0.0.1:1";
    for address in ["s3://u:pw@b/k", "mysql://night:tr0ub4dor@db.example/x", "file:///etc/tr0ub4dor", "sqlite://pw"] {
        let scheme = &address[..=address.find("//").unwrap() + 1];
        let refused = |ended: Ended| {
            ended.with(2).saying(&format!("begins with {scheme}")).not_saying("tr0ub4dor").not_saying("pw");
        };
        for flag in
            ["ledger", "results", "receipts", "download", "config", "catalog", "lnd-cert-file", "lnd-macaroon-file"]
        {
            refused(client.says(&format!("{buying} --{flag} {address}")));
            let mut by_variable = client.program();
            by_variable
                .args(buying.split(' '))
                .env(format!("L402_BATCH_{}", flag.to_uppercase().replace('-', "_")), address);
            refused(Process::start(&mut by_variable).end());
        }
        client.write("config.toml", &format!("download = \"{address}\"\n"));
        refused(client.says("config show --config config.toml"));
        for line in ["run", "plan", "status", "ledger merge", "doctor"] {
            refused(client.says(&format!("{line} {address}")));
        }
    }
    assert_eq!(client.files(), ["config.toml", "jobs.toml", "picture.png"]);
}

#[test]
fn help_and_version_are_no_errors() {
    let client = Client::alone();
    assert_eq!(client.says("--version").with(0).stdout, format!("l402-batch {}\n", env!("CARGO_PKG_VERSION")));
    for line in ["--help", "run --help", "completions bash", "man"] {
        assert!(client.says(line).with(0).stdout.contains("l402-batch"), "{line}");
    }
    assert_eq!(client.files(), ["picture.png"]);
}

#[test]
fn the_manual_has_a_page_a_command_with_exit_codes_and_files() {
    let client = Client::alone();
    let all = client.says("man").with(0).stdout;
    client.says("man pages/man1").with(0).saying("manual pages in pages/man1\n");
    for name in ["l402-batch", "l402-batch-run", "l402-batch-refunds-claim"] {
        let page = client.read(&format!("pages/man1/{name}.1"));
        for words in [".SH \"EXIT STATUS\"", "a payment is in doubt", ".SH \"FILES\"", "ledger.db"] {
            assert!(page.contains(words), "{name}: {words}");
        }
        assert!(all.contains(&page), "{name}");
    }
    // One command's page, unless a folder is meant.
    for name in ["run", "refunds-claim", "l402-batch-run", "l402-batch"] {
        let page = client.says(&format!("man {name}")).with(0).stdout;
        let page_name = if name.starts_with("l402") { name.to_owned() } else { format!("l402-batch-{name}") };
        assert_eq!(page, client.read(&format!("pages/man1/{page_name}.1")));
        assert!(!client.path(name).exists());
    }
    client.says("man ./run").with(0).saying("manual pages in ./run\n");
    client.says("man run").with(0).saying("manual pages in run\n");
    client.write("file", "");
    client.says("man file/man1").with(2).saying("cannot be written");
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let client = Client::alone();
    for line in ["--help", "--version", "man", "completions bash"] {
        let mut command = client.program();
        command.args(line.split(' '));
        let ended = crate::harness::Process::start(&mut crate::harness::under(
            &["sh", "-c", "exec \"$@\" > /dev/full", "sh"],
            &command,
        ));
        ended.end().with(1).saying("cannot write to standard output");
    }
}

#[test]
fn without_a_terminal_nobody_can_be_asked() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.asks("run jobs.toml").with(2).saying("--yes").saying("--max-sats");
    client.asks("run jobs.toml --max-sats 5000").with(2).saying("--yes");
    client.asks("run jobs.toml --yes").with(2).saying("--max-sats");
    for dry in ["", "--dry-run"] {
        let ended = client.asks(&format!("run jobs.toml --yes --max-sats 5000 --only video,vidoe {dry}")).with(2);
        ended.saying("--only vidoe:").saying("--jobs");
    }
    sandbox.books().are_empty();
    client.asks("run jobs.toml --yes --max-sats 5000").with(0);
}

/// What a program that was installed hands to an editor is what the repository's own examples name.
#[test]
fn schemas_are_handed_out() {
    let client = Client::alone();
    for name in ["manifest", "catalog", "config"] {
        let file = format!("{}/docs/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(
            client.says(&format!("config schema {name}")).with(0).stdout,
            std::fs::read_to_string(file).unwrap()
        );
    }
    client.says("config schema jobs").with(2).saying("manifest").saying("catalog");
}

#[test]
fn a_misspelt_variable_is_no_limit_and_says_so() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let mut command = client.program();
    command.args(["plan", "jobs.toml"]).env("L402_BATCH_MAX_SAT", "5");
    crate::harness::Process::start(&mut command).end().with(2).saying("L402_BATCH_MAX_SATS");
}
