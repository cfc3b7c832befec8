//! What is printed as the next thing to do is true, and works as printed; what is written never goes through a link.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::harness::{Client, Ended, PROGRAM, Process, Sandbox, two_jobs};

#[test]
fn a_recovery_with_nothing_open_is_done_and_says_what_is_not_bought() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 100 --sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --dry-run").with(0);
    client.run("run jobs.toml --limit 1").with(4);
    client.says("resolve --batch jobs --job video --as lost --note enough").with(0);
    for line in ["recover --all", "recover --batch jobs"] {
        client
            .run(line)
            .with(0)
            .saying("1 job is not bought yet, and this command buys nothing")
            .saying("--batch jobs --lnd-url ");
    }
    assert_eq!(sandbox.books().settled().len(), 1, "a recovery buys nothing");
    client.run("run jobs.toml").with(4);
    for line in [
        "recover --all",
        "recover --batch jobs",
        "recover --all --quiet",
        "recover --batch jobs --quiet",
        "recover --all --json",
    ] {
        client.run(line).with(4).not_saying("not bought yet").saying("status --batch jobs");
    }
    client.says("resolve --batch jobs --job image --as lost --note enough").with(0);
    client.run("run jobs.toml").with(0).saying("nothing to do").not_saying("everything is delivered");
    client.run("recover --all").with(0).saying("nothing is open");
}

/// A link in an output's place is replaced, at any time of the batch; what it points to stays as it is.
#[test]
fn nothing_is_written_through_a_link() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let names = ["results", "receipts"];
    names.iter().for_each(|name| client.write(&format!("their {name}"), ""));
    let outputs = ["jobs.results.csv", "jobs.receipts.csv"];
    let link = |name: &str| {
        let _ = std::fs::remove_file(client.path(&format!("jobs.{name}.csv")));
        symlink(client.path(&format!("their {name}")), client.path(&format!("jobs.{name}.csv"))).unwrap();
    };
    names.iter().for_each(|name| link(name));
    client.run("run jobs.toml --limit 1").with(3);
    assert!(outputs.iter().all(|name| client.path(name).symlink_metadata().unwrap().is_file()));
    assert!(names.iter().all(|name| client.read(&format!("their {name}")).is_empty()));
    client.write("their results", "theirs");
    link("results");
    client.run("run jobs.toml").with(0);
    assert!(outputs.iter().all(|name| client.path(name).symlink_metadata().unwrap().is_file()));
    assert_eq!(client.read("their results"), "theirs");
    assert_eq!(client.rows("jobs.receipts.csv").len(), 2);
    // What is kept under another name does not go through a link either.
    client.write("other.csv", "id,prompt\n1,a dog\n");
    let other = "run other.csv --default endpoint=generate-video --default duration=3 --batch june --overwrite \
                 --receipts jobs.receipts.csv --results r.csv --ledger other.db";
    symlink(client.path("nobody"), client.path("jobs.receipts.kept-1.csv")).unwrap();
    client.run(other);
    assert!(!client.path("nobody").exists());
}

/// `rebuy` is a word for one take: said again, it never acts on the take that it made.
#[test]
fn a_rebuy_that_is_repeated_buys_once() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 100 --sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --only video").with(4);
    let bare = "resolve --batch jobs --job video --as rebuy --note again";
    let of_take = bare.replace("video", "video@1");
    let repeated = |bought: usize| {
        client.says(bare).with(2).saying("2 takes").saying("nothing was decided");
        client.says(&of_take).with(0).saying("replaced already");
        client.says(&of_take.replace("rebuy", "lost")).with(2).saying("nothing was decided");
        assert_eq!(sandbox.books().settled().len(), bought);
    };
    client.says(&bare.replace("video", "video@2")).with(2).saying("no job video@2");
    client.says(bare).with(0).saying("the next run buys it once more");
    repeated(1);
    client.run("run jobs.toml --only video").with(4);
    repeated(2);
    client.run("run jobs.toml --only video").with(4);
    repeated(2);
    client.says("status --batch jobs --job video").saying("--job video@2 --as rebuy");
    client.says(&bare.replace("video", "video@2")).with(0);
    client.run("run jobs.toml --only video").with(4);
    assert_eq!(sandbox.books().settled().len(), 3);
}

/// Every command that a run with books of its own prints works as a shell takes it.
#[test]
fn a_printed_command_works_as_printed() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("my jobs.toml", &two_jobs(""));
    let node = client.node();
    let config = format!(
        "catalog = [{:?}]\nlnd_url = {:?}\nlnd_macaroon_file = {:?}\nlnd_cert_file = {:?}\nmax_sats = 100000\n",
        node[1], node[3], node[5], node[7]
    );
    client.write("it's set/up.toml", &config);
    client.write("our books/nothing", "");
    let words = ["--ledger", "our books/l.db", "--config", "it's set/up.toml"];
    let says = |line: &[&str]| Process::start(client.program().args(line).args(words)).end();
    let ended = says(&["run", "my jobs.toml", "--yes", "--limit", "1"]).with(3);
    let status = says(&["status", "--batch", "my jobs"]).with(3);
    let recovered = says(&["recover", "--batch", "my jobs"]).with(0).saying("1 job is not bought yet");
    works(&client, &status, &[3]);
    let bought = works(&client, &ended, &[0]);
    assert_eq!(bought, 1, "{ended}");
    assert_eq!(sandbox.books().settled().len(), 2);
    // On no terminal it takes a word more to spend; there is nothing left to buy.
    assert_eq!(works(&client, &recovered, &[0]), 1, "{recovered}");
    client.write("my jobs.toml", &two_jobs("changed"));
    let changed = says(&["run", "my jobs.toml", "--yes"]).with(6);
    assert!(works(&client, &changed, &[6]) >= 2, "{changed}");
    let missing = says(&["status", "--batch", "nobody"]).with(2);
    assert_eq!(works(&client, &missing, &[0]), 1, "{missing}");
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// Ids, batches and files that begin with `-` are named so that no command takes them for its flags.
#[test]
fn what_begins_with_a_dash_is_no_flag_of_a_printed_command() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    let write = |what: &str| {
        let rows = "-q,generate-video,a WHAT,3\n--limit,generate-video,a kite,3\n".replace("WHAT", what);
        client.write("-d.csv", &format!("id,endpoint,prompt,duration\n{rows}"));
    };
    let says = |line: &str| Process::start(client.program().args(line.split(' ')).arg("--ledger=-l.db")).end();
    let run = |line: &str| {
        let mut command = client.program();
        command.args(line.split(' ')).args(["--yes", "--max-sats", "10000", "--ledger=-l.db"]).args(client.node());
        Process::start(command.args(["--", "-d.csv"])).end()
    };
    write("boat");
    let trial = run("run --limit 1").with(3);
    assert_eq!(works(&client, &says("status --batch=-d").with(3), &[3]), 0);
    assert_eq!(works(&client, &trial, &[0]), 1, "{trial}");
    assert_eq!(sandbox.books().settled().len(), 2);
    write("tree");
    let changed = run("run").with(6);
    assert!(works(&client, &changed, &[6]) >= 2, "{changed}");
    let shown = says("status --batch=-d --job=-q").with(6);
    assert!(works(&client, &shown, &[0]) >= 1, "{shown}");
    run("run").with(0);
    // The receipts are newer than the ledger: a merge of them is printed.
    std::fs::remove_file(client.path("-l.db")).unwrap();
    std::fs::remove_dir_all(client.path("-l.db.locks")).unwrap();
    let gone = run("run").with(7);
    assert!(
        gone.stderr.contains("ledger merge ./-d.receipts.csv") || gone.stderr.contains("/-d.receipts.csv"),
        "{gone}"
    );
    assert!(works(&client, &gone, &[0]) >= 1, "{gone}");
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// Every command begins with one word, by which this very program is started: its name where a shell finds it by that.
#[test]
fn a_printed_command_begins_with_what_starts_this_program() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 100 --sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    std::fs::create_dir_all(client.path("it's here")).unwrap();
    let place = client.path("it's here/l402-batch");
    symlink(PROGRAM, &place).unwrap();
    std::fs::create_dir(client.path("other")).unwrap();
    std::fs::copy("/bin/true", client.path("other/l402-batch")).unwrap();
    let other = client.path("other").display().to_string();
    let begins = |started: &Path, path: Option<&str>, word: &str| {
        let client = Client::of(&sandbox);
        // What a shell finds here only by a path.
        for place in ["a=b", "."] {
            std::fs::create_dir_all(client.path(place)).unwrap();
            symlink(PROGRAM, client.path(place).join("l402-batch")).unwrap();
        }
        client.write("jobs.toml", &two_jobs(""));
        let bought = client.buying("run jobs.toml --limit 1");
        let mut run = Command::new(started);
        run.args(bought.get_args()).env_clear().current_dir(bought.get_current_dir().unwrap());
        run.envs(bought.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("PATH");
        run.envs(path.map(|path| ("PATH", path)));
        let text = Process::start(&mut run).end().stdout;
        let commands = text.matches("l402-batch").count() - text.matches("/state/l402-batch/").count();
        assert!(text.contains("l402-batch run ") || text.contains("l402-batch' run "), "{text}");
        assert!(text.contains("l402-batch status ") || text.contains("l402-batch' status "), "{text}");
        assert_eq!(text.matches(&format!("{word} ")).count(), commands, "{word}\n{text}");
        assert_eq!(text.matches("/l402-batch' ").count(), if word.contains('/') { commands } else { 0 }, "{text}");
    };
    let quoted = format!("'{}'", place.display().to_string().replace('\'', r"'\''"));
    let own = place.parent().unwrap().display().to_string();
    begins(&place, Some("/usr/bin:/bin"), &quoted);
    begins(&place, Some(&format!("{other}:{own}")), &quoted);
    begins(&place, Some(&format!("{own}:{other}")), "l402-batch");
    begins(&place, None, &quoted);
    // A shell takes a bare word with `=` for a variable.
    begins(Path::new("a=b/l402-batch"), Some("/usr/bin:/bin"), "'a=b/l402-batch'");
}

/// What chooses jobs may be a variable, which the printed command leaves out: `env` would take such a program for a variable.
#[test]
fn a_program_with_an_equals_sign_goes_on_without_a_variable() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    std::fs::create_dir(client.path("a=b")).unwrap();
    symlink(PROGRAM, client.path("a=b/l402-batch")).unwrap();
    client.write("jobs.toml", &two_jobs(""));
    let bought = client.buying("run jobs.toml");
    let of = |mut command: Command| {
        command.env_clear().current_dir(bought.get_current_dir().unwrap());
        command.envs(bought.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Process::start(command.env("PATH", "/usr/bin:/bin").env("L402_BATCH_LIMIT", "1")).end()
    };
    let mut run = Command::new("a=b/l402-batch");
    run.args(bought.get_args());
    let text = of(run).with(3).stdout;
    let begins = "(unset L402_BATCH_LIMIT; 'a=b/l402-batch' run ";
    let next = text.lines().find_map(|line| line.find(begins).map(|at| &line[at..])).expect(&text);
    let mut shell = Command::new("sh");
    shell.args(["-c", next]);
    of(shell).with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// Gives each printed command to a shell, and holds its exit code against these. Returns how many there were.
fn works(client: &Client, printed: &Ended, codes: &[i32]) -> usize {
    let text = format!("{}\n{}", printed.stdout, printed.stderr);
    let mut commands: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|it| it.starts_with("l402-batch ")).collect();
    for line in text.lines().filter(|line| !line.contains('`')) {
        commands.extend(line.find(" l402-batch ").map(|at| line[at..].trim()));
    }
    for command in &commands {
        for word in ["--retake", "--overwrite", "--adopt", "--trust", "--limit", "--only"] {
            assert!(!command.contains(word), "{command}");
        }
        let program = client.program();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env_clear().current_dir(program.get_current_dir().unwrap());
        shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = Process::start(&mut shell).end();
        assert!(ended.code.is_some_and(|code| codes.contains(&code)), "{command}\n{ended}");
    }
    commands.len()
}
