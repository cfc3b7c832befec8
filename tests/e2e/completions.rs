//! Completions, installed as `completions --help` says and tried by completing, in each shell.

use std::path::Path;
use std::process::Command;

use crate::harness::{Client, PROGRAM, Process, Sandbox, Screen};

const PROMPT: &str = "ready> ";

/// Each shell reads its own file at its start; somebody who uses it has one.
const SHELLS: [(&str, &str, &str); 3] = [
    ("bash", ".bashrc", "PS1='ready> '\n"),
    ("zsh", ".zshrc", "PS1='ready> '\n"),
    ("fish", ".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\nset -g fish_greeting\n"),
];

/// What is typed before the tabulator, and what stands there then.
const COMPLETED: [(&str, &str); 21] = [
    ("l402-batch sta", "l402-batch status"),
    ("l402-batch ledger me", "l402-batch ledger merge"),
    ("l402-batch run --max-sats-per-d", "l402-batch run --max-sats-per-day"),
    ("l402-batch status --batch june --pro", "l402-batch status --batch june --proof"),
    ("l402-batch run jabs.t", "l402-batch run jabs.toml"),
    ("l402-batch run of", r"l402-batch run of\ june.csv"),
    ("l402-batch run jabs.toml --ledger led", "l402-batch run jabs.toml --ledger ledger.db"),
    ("l402-batch run jabs.toml --ledger of", r"l402-batch run jabs.toml --ledger of\ june.csv"),
    ("l402-batch run jabs.toml --download vid", "l402-batch run jabs.toml --download videos/"),
    ("l402-batch status --format js", "l402-batch status --format json"),
    ("l402-batch resolve --as unp", "l402-batch resolve --as unpaid"),
    ("l402-batch run jabs.toml --duplicates sk", "l402-batch run jabs.toml --duplicates skip"),
    ("l402-batch doctor --lnd-network regt", "l402-batch doctor --lnd-network regtest"),
    ("l402-batch run jabs.toml --format=j", "l402-batch run jabs.toml --format=json"),
    ("l402-batch run jabs.toml --duplicates=sk", "l402-batch run jabs.toml --duplicates=skip"),
    ("l402-batch run jabs.toml --ledger=led", "l402-batch run jabs.toml --ledger=ledger.db"),
    ("l402-batch run jabs.toml --ledger=of", r"l402-batch run jabs.toml --ledger=of\ june.csv"),
    ("l402-batch run jabs.toml --download=vid", "l402-batch run jabs.toml --download=videos/"),
    ("l402-batch completions zs", "l402-batch completions zsh"),
    ("l402-batch status --batch jul", "l402-batch status --batch july"),
    ("l402-batch recover --batch jun", r"l402-batch recover --batch june\ trailers"),
];

/// The lines that the help gives for a shell, as they stand there.
fn install_lines(client: &Client, shell: &str) -> Vec<String> {
    let help = client.says("completions --help").with(0).stdout;
    let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1).take_while(|line| !line.is_empty());
    let mut of = "";
    let mut found = Vec::new();
    for line in examples {
        let (name, command) =
            line.trim_start().split_once(": ").filter(|_| line.starts_with("  ")).unwrap_or(("", line));
        if SHELLS.iter().any(|(known, ..)| *known == name) {
            of = name;
        }
        if of == shell {
            found.push(if name == of { command.trim().to_owned() } else { line.trim().to_owned() });
        }
    }
    found
}

/// The shell on a terminal, with the program in its path and this home.
fn start(client: &Client, shell: &str, home: &Path) -> Option<Screen> {
    let mut command = Command::new(shell);
    let folder = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    command.arg("-i").current_dir(client.path("")).env("HOME", home).env("PATH", path).env("LANG", "C.UTF-8");
    let screen = Screen::start(&command, 120)?;
    screen.wait_until("the prompt", |shown| shown.contains(PROMPT.trim_end()));
    Some(screen)
}

fn completes(shell: &str) {
    let Some((_, file, text)) = SHELLS.iter().find(|(name, ..)| *name == shell) else { panic!("{shell}") };
    if Command::new(shell).arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no {shell} to complete in");
        return;
    }
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    for name in ["jabs.toml", "of june.csv", "ledger.db", "videos/one.mp4"] {
        client.write(name, "");
    }
    client.write(&format!("home/{file}"), text);
    let home = client.path("home");
    two_batches(&client, &home.join(".local/state/l402-batch/ledger.db"));
    let lines = install_lines(&client, shell);
    assert!(!lines.is_empty(), "the help does not say how it is installed for {shell}");
    let Some(mut screen) = start(&client, shell, &home) else { return };
    for line in lines {
        screen.types(&format!("{line}\r"));
    }
    screen.types("exit\r");
    screen.end();

    for (typed, expected) in COMPLETED {
        let mut screen = start(&client, shell, &home).unwrap();
        screen.types(&format!("{typed}\t"));
        let stands = |shown: &str| shown.lines().any(|line| line.contains(&format!("{PROMPT}{expected}")));
        screen.wait_until(&format!("{shell}: {expected}"), stands);
    }
}

/// Begins two batches in that ledger.
fn two_batches(client: &Client, ledger: &Path) {
    for name in ["june trailers", "july"] {
        client.write("films/jobs.csv", &format!("id,prompt\n1,kite of {name}\n"));
        let files = format!("--results films/{0}.r.csv --receipts films/{0}.p.csv", &name[..4]);
        let line = format!("run films/jobs.csv --default endpoint=generate-video --default duration=3 {files}");
        Process::start(client.buying(&line).args(["--batch", name, "--ledger"]).arg(ledger)).end().with(0);
    }
}

#[test]
fn bash_completes() {
    completes("bash");
}

/// With nothing typed, what may stand there is offered before any option; names of batches come from the ledger.
#[test]
fn bash_offers_what_may_stand_there() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    two_batches(&client, &client.ledger());
    let script = client.says("completions bash").with(0).stdout;
    client.write("completions.bash", &script);
    let offered = |words: &[&str]| {
        let line = format!(
            "source completions.bash; COMP_WORDS=({}); COMP_CWORD={}; \
             _l402__batch {PROGRAM} \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words.len() - 1
        );
        let mut bash = crate::harness::under(&["bash", "-c", &line], &client.program());
        let ended = Process::start(&mut bash).end().with(0);
        ended.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let none = [""];
    assert_eq!(offered(&[PROGRAM, "completions", ""]), ["bash", "elvish", "fish", "powershell", "zsh"]);
    assert_eq!(offered(&[PROGRAM, "ledger", ""]), ["merge", "help"]);
    assert_eq!(offered(&[PROGRAM, "run", ""]), none, "files, as bash does by itself");
    assert!(offered(&[PROGRAM, "batches", ""]).contains(&"--ledger".to_owned()));
    assert!(offered(&[PROGRAM, "run", "-"]).contains(&"--batch".to_owned()));
    assert_eq!(offered(&[PROGRAM, "status", "--batch", ""]), [r"june\ trailers", "july"]);
    assert_eq!(offered(&[PROGRAM, "status", "--batch", "june"]), [r"june\ trailers"]);
}

#[test]
fn zsh_completes() {
    completes("zsh");
}

#[test]
fn fish_completes() {
    completes("fish");
}

/// What the help hides is not offered either.
#[test]
fn hidden_commands_are_not_offered() {
    let client = Client::alone();
    for (shell, offers) in [("bash", "ledger__subcmd__"), ("zsh", "'"), ("fish", "-a \"")] {
        let script = client.says(&format!("completions {shell}")).with(0).stdout;
        assert!(script.contains(&format!("{offers}merge")), "{shell}");
        for hidden in ["verify", "backup", "prune", "copy"] {
            assert!(!script.contains(&format!("{offers}{hidden}")), "{shell}: {hidden}");
        }
        // `init` is also a command of its own.
        assert!(!script.contains("ledger__subcmd__init"), "{shell}: ledger init");
    }
}
