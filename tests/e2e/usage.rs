//! Command lines that are wrong, and questions that nobody can answer.

use crate::harness::{Client, Sandbox, two_jobs};

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
    client.says("man pages/man1").with(0);
    for name in ["l402-batch", "l402-batch-run", "l402-batch-refunds-claim"] {
        let page = client.read(&format!("pages/man1/{name}.1"));
        for words in [".SH \"EXIT STATUS\"", "a payment is in doubt", ".SH \"FILES\"", "ledger.db"] {
            assert!(page.contains(words), "{name}: {words}");
        }
        assert!(all.contains(&page), "{name}");
    }
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

#[test]
fn a_misspelt_variable_is_no_limit_and_says_so() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let mut command = client.program();
    command.args(["plan", "jobs.toml"]).env("L402_BATCH_MAX_SAT", "5");
    crate::harness::Process::start(&mut command).end().with(2).saying("L402_BATCH_MAX_SATS");
}
