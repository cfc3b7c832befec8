//! Terminals, pipes and outputs that close, and a laptop that sleeps.

use std::fs::OpenOptions;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::{Audit, Client, PATIENCE, Sandbox, Screen, two_jobs, under};

#[test]
fn nobody_reads_and_everything_is_bought() {
    for (what, script) in [
        ("standard output has no reader", r#"{ "$@" 2> /dev/null; echo $? > code; } | true"#),
        ("nobody reads events", r#"{ "$@" --json 2> /dev/null; echo $? > code; } | true"#),
        ("standard error has no reader", r#"{ "$@" 2>&1 > /dev/null; echo $? > code; } | true"#),
        ("everything is closed", r#""$@" <&- >&- 2>&-; echo $? > code"#),
        ("the disk of the output is full", r#""$@" > /dev/full 2> /dev/full; echo $? > code"#),
        ("the disk of the events is full", r#""$@" --json > /dev/full 2> said; echo $? > code"#),
    ] {
        if what.contains("full") && !std::path::Path::new("/dev/full").exists() {
            continue;
        }
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &two_jobs(""));
        client.shell(script, "run jobs.toml").with(0);
        let expected = if what.contains("full") { "1\n" } else { "0\n" };
        assert_eq!(client.read("code"), expected, "{what}");
        if what.contains("events is full") {
            assert_eq!(
                client.read("said"),
                "error: cannot write to standard output: No space left on device (os error 28)\n"
            );
        }
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
    }
}

#[test]
fn views_end_well_where_the_reader_has_gone() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let rows: String = (1..=3_000).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let script = r#"{ "$@"; echo $? > code; } | head -1"#;
    let mut plan = client.program();
    plan.args("plan jobs.csv --jobs --default endpoint=generate-video --default duration=3".split(' '));
    let output = under(&["sh", "-c", script, "sh"], &plan).output().unwrap();
    assert_eq!((client.read("code").as_str(), output.stderr.as_slice()), ("0\n", &b""[..]), "{output:?}");
}

/// A run on a terminal of its own, which is then closed.
#[test]
fn a_terminal_that_closes_is_a_signal_to_end() {
    if Command::new("setsid").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no setsid to give a run a terminal of its own");
        return;
    }
    let sandbox = Sandbox::start("--sandbox-pay-ms 500");
    let client = Client::of(&sandbox);
    let rows: String = (1..=6).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3";

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = || OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = under(&["setsid", "--ctty"], &client.buying(&format!("{run} --jobs-in-flight 2")));
    let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    drop(command);
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    drop(terminal);
    let give_up = Instant::now() + PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > give_up {
            let _ = child.kill();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code, Some(143));
    let books = sandbox.books();
    assert!((1..6).contains(&books.settled().len()), "{books:?}");
    Audit::of(&client, "jobs", &books);
    client.run(run).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
}

/// A run on a terminal of its own, where each question is answered: how it ended, and what stood there.
fn on_a_terminal(client: &Client, line: &str, answers: &[&str]) -> Option<(Option<i32>, String)> {
    let mut screen = Screen::start(&asking(client, line), 120)?;
    for (nth, answer) in answers.iter().enumerate() {
        screen.wait_until("[y/N]", |shown| shown.matches("[y/N]").count() == nth + 1);
        screen.types(answer);
    }
    Some(screen.end())
}

/// A run that asks before it buys.
fn asking(client: &Client, line: &str) -> Command {
    let mut run = client.program();
    run.args(line.split_whitespace()).args(client.node()).args(["--max-sats", "100000"]);
    run
}

/// Where a limit holds not even the first job there is nothing to ask about.
#[test]
fn nobody_is_asked_about_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("june.csv", "prompt\na kite\na boat\n");
    for flags in ["--max-sats-per-day 1", "--max-sats-per-month 1 --partial"] {
        let run = format!("run june.csv --default endpoint=generate-video --default duration=3 {flags}");
        let Some((code, shown)) = on_a_terminal(&client, &run, &[]) else { return };
        assert_eq!(code, Some(8), "{shown}");
        assert!(shown.contains("leaves 1 sat: not even the first of 2 jobs fits; nothing was bought"), "{shown}");
        assert!(!shown.contains("[y/N]") && !shown.contains("what fits"), "{shown}");
    }
    assert!(sandbox.books().settled().is_empty());
}

#[test]
fn duplicates_are_asked_for_on_a_terminal() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let rows = "prompt\na kite\na boat\n";
    let run = |name: &str| format!("run {name}.csv --default endpoint=generate-video --default duration=3");
    client.write("june.csv", rows);
    client.write("july.csv", &format!("{rows}a dog\n"));
    client.run(&run("june")).with(0);
    let question = "buy 2 jobs once more for 2,700 sats? Otherwise they are left out. [y/N]";

    // No to the whole run takes that word back, too: the next one asks again, and nothing was left out for any other reason.
    let Some((code, shown)) = on_a_terminal(&client, &run("july"), &["y\n", "n\n"]) else { return };
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains(question) && shown.contains("buy 3 jobs for 4,050 sats"), "{shown}");
    let (code, shown) = on_a_terminal(&client, &run("july"), &["n\n", "n\n"]).unwrap();
    assert_eq!(code, Some(6), "{shown}");
    assert_eq!(sandbox.books().settled().len(), 2);
    let (code, shown) = on_a_terminal(&client, &run("july"), &["\n", "y\n"]).unwrap();
    assert_eq!(code, Some(6), "{shown}");
    assert!(shown.contains(question) && shown.contains("buy 1 job for 1,350 sats"), "{shown}");
    assert_eq!(sandbox.books().settled().len(), 3);
    // As often as it is run, they are asked for again; `--duplicates` answers before.
    let (code, shown) = on_a_terminal(&client, &format!("{} --duplicates skip", run("july")), &[]).unwrap();
    assert_eq!((code, shown.contains("[y/N]")), (Some(6), false), "{shown}");
    let (code, shown) = on_a_terminal(&client, &run("july"), &["yes\n", "y\n"]).unwrap();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(question) && shown.contains("buy 2 jobs for 2,700 sats"), "{shown}");
    assert_eq!(sandbox.books().settled().len(), 5);
    client.run(&run("july")).with(0).saying("nothing to do");
}

#[test]
fn a_run_that_slept_goes_on() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 200 --sandbox-accept --sandbox-accept-ms 200");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let running = client.start("run jobs.toml");
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    running.signal(Signal::TSTP);
    running.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(1_200));
    running.signal(Signal::CONT);
    running.end().with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

/// A run of ten on a terminal, whose bar is there and whose first payments are on their way.
fn drawing_its_bar(client: &Client, sandbox: &Sandbox, columns: u16) -> Option<Screen> {
    let rows: String = (1..=10).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let line = "run jobs.csv --default endpoint=generate-video --default duration=3 --jobs-in-flight 3";
    let screen = Screen::start(&client.buying(line), columns)?;
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    screen.wait_until("a bar", |shown| shown.contains("jobs ·") && shown.contains("running"));
    Some(screen)
}

#[test]
fn a_real_ctrl_c_leaves_no_torn_bar() {
    for columns in [80, 140] {
        let sandbox = Sandbox::start("--sandbox-pay-ms 2500");
        let client = Client::of(&sandbox);
        let Some(mut screen) = drawing_its_bar(&client, &sandbox, columns) else { return };
        // Keys that do nothing do no harm to it either.
        screen.types("what is it doing?\n\n");
        thread::sleep(Duration::from_millis(300));
        // A shell that has had the terminal for a while (Ctrl-Z, `fg`) sets it up as it likes it.
        screen.let_echo();
        screen.wait_until("no echo", |_| !screen.echoes());
        screen.types("\u{3}");
        let (code, shown) = screen.end();
        assert_eq!(code, Some(130), "{shown}");
        assert!(shown.contains("nothing new is bought"), "{shown}");
        for torn in ["jobs ·", "jobs/min", "^C", "what is it doing"] {
            assert!(!shown.contains(torn), "`{torn}` is left\n{shown}");
        }
        assert!(screen.echoes(), "the terminal is given back as it was");
    }
}

#[test]
fn the_second_ctrl_c_gives_the_terminal_back_too() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 60000");
    let client = Client::of(&sandbox);
    let Some(mut screen) = drawing_its_bar(&client, &sandbox, 80) else { return };
    screen.types("\u{3}");
    screen.wait_until("stopped", |shown| shown.contains("nothing new is bought"));
    screen.types("\u{3}");
    let (code, shown) = screen.end();
    assert_eq!((code, screen.echoes()), (Some(130), true), "{shown}");
    assert!(!shown.contains("jobs ·") && !shown.contains("^C"), "{shown}");
}

#[test]
fn a_run_in_the_background_leaves_the_terminal_alone() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let script = r#"set -m; "$@" & wait $!; echo "it ended with $?""#;
    let run = under(&["sh", "-c", script, "sh"], &client.buying("run jobs.toml"));
    let Some(mut screen) = Screen::start(&run, 80) else { return };
    let (_, shown) = screen.end();
    assert!(shown.contains("it ended with 0"), "{shown}");
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn keys_pressed_before_a_question_are_no_answer() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = |name: &str| format!("run {name}.csv --default endpoint=generate-video --default duration=3");
    client.write("june.csv", "prompt\na kite\na boat\n");
    client.write("july.csv", "prompt\na kite\na boat\na dog\n");
    // Said before anything was asked.
    let Some(mut screen) = Screen::start_after(&asking(&client, &run("june")), 80, "y\ny\ny") else { return };
    screen.wait_until("the question", |shown| shown.contains("buy 2 jobs for 2,700 sats"));
    screen.types("\n");
    let (code, shown) = screen.end();
    assert_eq!((code, sandbox.books().payments.len()), (Some(3), 0), "{shown}");

    client.run(&run("june")).with(0);
    // Neither before the first question, nor with its answer for the second.
    let mut screen = Screen::start_after(&asking(&client, &run("july")), 80, "y\ny\n").unwrap();
    screen.wait_until("the first", |shown| shown.contains("[y/N]"));
    screen.types("n\ny\ny\n");
    screen.wait_until("the second", |shown| shown.contains("buy 1 job for 1,350 sats"));
    screen.types("\n");
    let (code, shown) = screen.end();
    assert_eq!((code, sandbox.books().settled().len()), (Some(6), 2), "{shown}");
    // What speaks for an answer is told before the question.
    let at = |words: &str| shown.find(words).unwrap_or_else(|| panic!("{words} is missing\n{shown}"));
    assert!(at("2 jobs for 2,700 sats are bought already") < at("buy 2 jobs once more"), "{shown}");
    assert!(at("3 jobs: 1 to buy") < at("buy 1 job for"), "{shown}");
}

/// How long a person thinks is no part of what a run took.
#[test]
fn a_run_does_not_count_the_time_at_its_question() {
    const THOUGHT: Duration = Duration::from_secs(8);
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let Some(mut screen) = Screen::start(&asking(&client, "run jobs.toml"), 80) else { return };
    screen.wait_until("the question", |shown| shown.contains("[y/N]"));
    thread::sleep(THOUGHT);
    screen.types("y\n");
    let (code, shown) = screen.end();
    let took = shown.lines().find_map(|line| line.trim().strip_prefix("took")?.trim().strip_suffix(" s")?.parse().ok());
    assert!(code == Some(0) && took.is_some_and(|took: u64| took < THOUGHT.as_secs()), "{took:?}\n{shown}");
}

#[test]
fn a_ctrl_c_answers_a_question() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let Some(mut screen) = Screen::start(&asking(&client, "run jobs.toml"), 80) else { return };
    screen.wait_until("the question", |shown| shown.contains("[y/N]"));
    screen.types("\u{3}");
    let (code, shown) = screen.end();
    assert_eq!((code, sandbox.books().payments.len()), (Some(130), 0), "{shown}");
    assert!(shown.contains("\nstopped: nothing new was bought"), "{shown}");
}

/// The refusal of a dry run stands whole below what came before it, and no bar is left.
#[test]
fn a_dry_run_that_is_refused_leaves_its_whole_reason_and_no_bar() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let rows: String = (1..=120).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let mut run = client.program();
    run.args(
        "run jobs.csv --default endpoint=generate-video --default duration=3 --dry-run --max-sats 2000".split(' '),
    );
    let Some(mut screen) = Screen::start(run.args(client.node()), 80) else { return };
    let (code, shown) = screen.end();
    assert_eq!(code, Some(8), "{shown}");
    assert!(
        !shown.contains("0/120")
            && !shown.lines().any(|line| line.starts_with("⠁"))
            && shown.trim_end().ends_with("--partial"),
        "{shown}"
    );
}

/// A command is copied whole, whatever the program is called and wherever it lies.
#[test]
fn a_terminal_breaks_no_command_of_a_program_with_another_name() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    for place in ["a  b/buy it", "c/buy", "d e/l402-batch"] {
        let program = client.path(place);
        std::fs::create_dir(program.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(client.program().get_program(), &program).unwrap();
        let mut run = Command::new(&program);
        // No word leads to it by its own name.
        run.env_clear()
            .current_dir(client.path(""))
            .envs(client.program().get_envs().filter_map(|(n, v)| Some((n, v?))));
        run.env("PATH", "/usr/bin:/bin").env("L402_BATCH_LIMIT", "1");
        run.args(["run", "jobs.toml", "--sandbox", "--limit", "1", "--sandbox-refund-percent", "100"]);
        let Some(mut screen) = Screen::start(&run, 80) else { return };
        let (code, shown) = screen.end();
        assert_eq!(code, Some(4), "{shown}");
        let program = program.display().to_string();
        let program = if place.contains(' ') { format!("'{program}'") } else { program };
        let shown = shown.replace("↩\n", "");
        let commands: Vec<&str> =
            shown.lines().filter_map(|line| line.split_once(&program)).map(|(_, line)| line).collect();
        let begun = shown.matches(&program[program.len() - 8..]).count();
        assert_eq!(commands.len(), begun, "{shown}");
        assert!(commands.len() >= 3, "{shown}");
        for command in commands {
            assert!(command.contains(" --ledger ") || command.contains(" --state sandbox-state"), "{command}: {shown}");
        }
    }
}
