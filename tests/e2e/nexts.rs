//! Every "next" that a run can end with: come to with the real binary, given to a shell as printed, and held against what it says.

use std::process::Command;

use l402_batch::cli::Advice;

use crate::harness::{Client, Ended, Process, Sandbox, every, two_jobs};

/// One video.
const JOB: &str =
    "version = 1\n\n[[job]]\nid = \"one\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n";
/// Words that a person says once, and choices that were made once.
const NEVER: [&str; 9] = [
    "--retake",
    "--overwrite",
    "--adopt",
    "--trust",
    "--duplicates=buy",
    "--duplicates buy",
    "--limit",
    "--only",
    "--where",
];

/// A run that has ended so.
struct Case {
    sandbox: Sandbox,
    client: Client,
    ended: Ended,
}

impl Case {
    /// One video, or what the manifest holds, against such a sandbox.
    fn of(flags: &str, manifest: &str, line: &str, code: i32) -> Self {
        let sandbox = Sandbox::start(flags);
        let client = Client::of(&sandbox);
        client.write("it's.toml", manifest);
        let ended = ran(&client, line).with(code);
        for line in ended.stdout.lines().filter(|line| line.starts_with("needs you")) {
            // It shows, whatever there is to be decided.
            let shown = sh(&client, &commands(line)[0]);
            assert_eq!((shown.code, shown.stdout.contains("\nstate ")), (Some(code), true), "{shown}");
        }
        Self { sandbox, client, ended }
    }

    /// The sentence after `next` that holds these words: there is exactly one.
    #[track_caller]
    fn next(&self, words: &str) -> String {
        next(&self.ended, words)
    }

    /// Runs the only command of the sentence with these words, as printed.
    #[track_caller]
    fn does(&self, words: &str, code: i32) -> Ended {
        self.does_each(words, &[code]).remove(0)
    }

    /// Runs the commands of the sentence with these words, as printed, and holds their exit codes against these.
    #[track_caller]
    fn does_each(&self, words: &str, codes: &[i32]) -> Vec<Ended> {
        let commands = commands(&self.next(words));
        assert_eq!(commands.len(), codes.len(), "{commands:?}");
        commands.iter().zip(codes).map(|(command, code)| sh(&self.client, command).with(*code)).collect()
    }

    fn settled(&self) -> usize {
        self.sandbox.books().settled().len()
    }
}

/// `run` of that manifest by its own name, which a shell takes only quoted; `run` alone is of `it's.toml`.
fn ran(client: &Client, line: &str) -> Ended {
    let line = format!("{line} --requests-per-second 1000");
    let mut command = client.program();
    let mut words = line.split_whitespace();
    command.args(words.next());
    if line.starts_with("run ") {
        command.args(["it's.toml", "--yes"]).args(client.node());
        if !line.contains("--max-sats ") {
            command.args(["--max-sats", "100000"]);
        }
    } else {
        command.args(&client.node()[2..]);
    }
    Process::start(command.args(words)).end()
}

#[track_caller]
pub fn next(ended: &Ended, words: &str) -> String {
    let is_it = |line: &&str| line.starts_with("next ") && line.contains(words);
    let mut found = ended.stdout.lines().filter(is_it);
    let line = found.next().unwrap_or_else(|| panic!("no next with `{words}`\n{ended}"));
    assert_eq!(found.next(), None, "{ended}");
    line["next ".len()..].trim().to_owned()
}

/// The commands of a sentence: those in backquotes, else what begins with the program's name.
pub fn commands(sentence: &str) -> Vec<String> {
    if sentence.contains('`') {
        let quoted = sentence.split('`').skip(1).step_by(2);
        return quoted.filter(|words| words.starts_with("l402-batch ")).map(str::to_owned).collect();
    }
    let begins = ["env -u ", "l402-batch "].iter().filter_map(|program| sentence.find(&format!(" {program}"))).min();
    begins.map(|at| sentence[at + 1..].to_owned()).into_iter().collect()
}

/// A command as a shell takes it, in the same place and environment.
fn shell(client: &Client, command: &str) -> Command {
    for word in NEVER {
        assert!(!command.contains(word), "{command}");
    }
    let program = client.program();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {command}")]).env_clear();
    shell.current_dir(program.get_current_dir().unwrap());
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

pub fn sh(client: &Client, command: &str) -> Ended {
    Process::start(&mut shell(client, command)).end()
}

/// Five videos of 900 sats, each with a fee ceiling of 10.
fn five() -> String {
    let jobs: String = (1..=5).map(|n| format!("[[job]]\nid = \"{n}\"\nprompt = \"kite {n}\"\n")).collect();
    format!("version = 1\n[defaults]\nendpoint = \"generate-video\"\nduration = 3\nmode = \"standard\"\n{jobs}")
}

#[test]
fn every_next_is_true_and_works_as_printed() {
    let kinds = std::sync::Mutex::new(Advice::ALL.into_iter().step_by(every(3)));
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some(kind) = kinds.lock().unwrap().next() else { return };
                    if std::panic::catch_unwind(|| come_to(kind)).is_err() {
                        failed.lock().unwrap().push(kind);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().unwrap(), []);
}

/// Comes to each kind of advice, and does what it says.
fn come_to(kind: Advice) {
    match kind {
        Advice::Limit => a_limit(),
        Advice::Node => the_node(),
        Advice::HeldBack => held_back(),
        Advice::Identical => identical(),
        Advice::Price => a_price(),
        Advice::Duplicate => duplicates(),
        Advice::Stopped => stopped(),
        Advice::Unmet => unmet(),
        Advice::Edited => edited(),
        Advice::Elsewhere => elsewhere(),
        Advice::Changed => changed(),
        Advice::Unknown => unknown(),
        Advice::Doubt => doubt(),
        Advice::Decide => to_decide(),
        Advice::Lost => lost(),
        Advice::Refund => refunds(),
        Advice::RefundRights => rights(),
        Advice::RefundGone => refunds_gone(),
        Advice::Refunded => refunded(),
        Advice::Disk => disk(),
        Advice::Files => files(),
        Advice::FilesGone => files_gone(),
        Advice::Outputs => outputs(),
        Advice::Play => play(),
        Advice::GoOn => going_on(),
        Advice::ToBuy => to_buy(),
    }
}

/// A batch's limit that is used up, by a flag and elsewhere; and a day's.
fn a_limit() {
    let case = Case::of("", &five(), "run --max-sats 2000 --partial", 8);
    case.next("the batch's limit of 2,000 sats has no room for the next job");
    let most = case.next("may bring the batch to");
    let most: u64 = most.split(" to ").nth(2).unwrap().split(' ').next().unwrap().replace(',', "").parse().unwrap();
    case.does("may bring the batch to", 0);
    assert_eq!(case.settled(), 5);
    assert!(case.sandbox.books().spent_msat() <= most * 1_000, "{most}");
    // A trial whose limit does not hold the rest, and one that buys what fits.
    let case = Case::of("", &five(), "run --max-sats 2000 --limit 2", 3);
    case.does("may bring the batch to", 0);
    assert_eq!(case.settled(), 5);
    let case = Case::of("", &five(), "run --max-sats 2000 --partial --limit 1", 3);
    case.does("4 jobs are left to buy; without --limit, --only and --where this goes on", 8);
    assert_eq!(case.settled(), 2);
    // What stands elsewhere, no flag can raise.
    let manifest = five().replace("version = 1", "version = 1\n[limits]\nmax_sats = 2000");
    let case = Case::of("", &manifest, "run --partial", 8);
    assert_eq!(commands(&case.next("once max_sats is as high wherever it is set")), Vec::<String>::new());
    case.client.write("it's.toml", &five());
    ran(&case.client, "run --partial").with(0);
    let case = Case::of("", &five(), "run --max-sats-per-day 2000 --time-zone UTC --limit 4", 8);
    let words = case.next("2,000 sats has no room for the next job");
    assert!(words.contains("today in the whole ledger"), "{words}");
    case.does("from then on this goes on", 8);
    assert_eq!(case.settled(), 2);
    limits_that_are_full();
}

/// A limit that no run has reached and that holds nothing more: what is printed to go on with would buy nothing now.
fn limits_that_are_full() {
    let day = "--max-sats-per-day 1400 --time-zone UTC";
    let case = Case::of("", &five(), &format!("run {day} --limit 1"), 3);
    let words = case.next(", and the next job may cost 910 sats; what is left stays pending until 20");
    let tomorrow = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).tomorrow().unwrap();
    assert!(words.ends_with(&format!(" until {} 00:00 UTC", tomorrow.date())), "{words}");
    assert!(!case.ended.stdout.contains("without --limit"), "{}", case.ended);
    case.does("from then on this goes on", 8);
    assert_eq!(case.settled(), 1);
    // The longer of two; and as a variable.
    let mut again = case.client.program();
    again.args(["run", "it's.toml", "--yes", "--max-sats", "5000", "--max-sats-per-month", "1400", "--limit", "1"]);
    again.args(["--time-zone", "UTC"]).args(case.client.node()).env("L402_BATCH_MAX_SATS_PER_DAY", "1400");
    let ended = Process::start(&mut again).end().with(8);
    let words = next(&ended, "; what is left stays pending until ");
    assert!(words.contains("this month") || words.contains("the month's limit leaves 49"), "{words}");
    assert!(words.ends_with("-01 00:00 UTC"), "{words}");
    // With a limit of the batch's that does not hold the rest either.
    let case = Case::of("", &five(), &format!("run {day} --limit 1 --max-sats 1000"), 3);
    case.next("the day's limit leaves 49");
    case.does("with that limit this goes on from then on: ", 8);
    assert_eq!(case.settled(), 1);
    let case = Case::of("", &five(), "run --max-sats 1000 --partial --limit 1", 3);
    case.next("the batch's limit leaves 9");
    case.does("may bring the batch to", 0);
    assert_eq!(case.settled(), 5);
    // A results file, whose own rows are bought.
    let case = Case::of("", &five(), "run --limit 1", 3);
    let two = |client: &Client| -> String {
        client.read("it's.results.csv").lines().take(3).map(|line| format!("{line}\n")).collect()
    };
    case.client.write("two.csv", &two(&case.client));
    let ended = case.client.run("run two.csv --max-sats-per-day 2000 --time-zone UTC").with(3);
    next(&ended, "the day's limit leaves 1");
    let words = next(&ended, "3 jobs are left to buy, from then on: ");
    let options = format!("{day} --yes --max-sats 5000 --catalog {}", case.client.node()[1]);
    sh(&case.client, &format!("{} {options}", commands(&words).remove(0))).with(8);
    assert_eq!(case.settled(), 2);
    // The same where the batch's limit does not hold the rest: a limit as high as is said does.
    let case = Case::of("", &five(), "run --limit 1", 3);
    case.client.write("two.csv", &two(&case.client));
    let ended = case.client.run("run two.csv --max-sats 2000").with(3);
    let words = next(&ended, "3 jobs are left to buy, which may bring the batch to ");
    let most = words.split(" batch to ").nth(1).unwrap().split(' ').next().unwrap().replace(',', "");
    assert!(words.contains("; with a limit as high, wherever one is set: "), "{words}");
    let options = format!("--yes --max-sats {most} --catalog {}", case.client.node()[1]);
    sh(&case.client, &format!("{} {options}", commands(&words).remove(0))).with(0);
    assert_eq!(case.settled(), 5);
    assert!(case.sandbox.books().spent_msat() <= most.parse::<u64>().unwrap() * 1_000, "{most}");
}

/// Channels that hold less than anything that is left: nothing is waited for.
fn the_node() {
    let case = Case::of("--sandbox-balance-sats 1000", &five(), "run --partial", 9);
    case.next("the node could not pay any more: the node's channels hold 98 sats, and the cheapest job that is left costs 900 sats by the plan;");
    let words =
        "sats, and the cheapest job that is left costs 900 sats by the plan; nothing more is bought in this run";
    assert!(case.ended.stderr.contains(words), "{}", case.ended);
    assert!(!case.ended.stdout.contains("go on where this run stopped"), "{}", case.ended);
    // Its channels are as they were.
    case.does("once it can, this goes on: ", 9);
    assert_eq!(case.settled(), 1);
}

/// Three payments and three refunds in a row: nothing more is bought there, also after a delivery of old.
fn held_back() {
    let case = Case::of("--sandbox-refund-percent 100", &five(), "run", 4);
    let words = case.next("took 3 payments in a row without delivering (--max-undelivered 3): it gets no more");
    assert!(words.ends_with("; what is left of its jobs stays pending"), "{words}");
    assert_eq!(commands(&words), Vec::<String>::new());
    ran(&case.client, "run").with(4);
    assert_eq!(case.settled(), 3);
    let mut case = Case::of("", &five(), "run --limit 2", 3);
    case.sandbox.restart_with("--sandbox-refund-percent 100");
    let grown = five() + "[[job]]\nid = \"6\"\nprompt = \"kite 6\"\n";
    case.client.write("it's.toml", &grown);
    let ended = ran(&case.client, "run --jobs-in-flight 1").with(4).saying("delivered       2 of 6 jobs");
    next(&ended, "took 3 payments in a row without delivering");
    assert_eq!(case.settled(), 5);
}

fn identical() {
    let identicals = JOB.to_owned() + &JOB.replace("version = 1\n", "").replace("one", "two");
    let endpoint = "version = 1\n[endpoint.generate-video]\nbypass_header = \"\"\ndedup_window_s = 1\n";
    let slow = "--sandbox-dedup-s 0 --sandbox-accept --sandbox-accept-ms 600000";
    let case = Case::of(slow, &identicals.replace("version = 1\n", endpoint), "run --deadline 4s", 10);
    let words = case.next("1 job waits for an identical request of another job, which is still open");
    assert_eq!(commands(&words), Vec::<String>::new());
    case.does("go on where this run stopped", 10);
    assert_eq!(case.settled(), 1, "it is still open");
    case.client.says("resolve --batch it's --job one --as lost --note enough").with(0);
    case.does("go on where this run stopped", 10);
    assert_eq!(case.settled(), 2);
}

fn a_price() {
    let case = Case::of("--sandbox-price-drift-percent 10", JOB, "run", 6);
    case.next("1 job is not asked for at the plan's price: look whether the new one is right");
    let price = "\n[endpoint.generate-video.price]\nsats_per_unit = 495\nquantity = \"duration\"\nunit = \"second\"\n";
    case.client.write("it's.toml", &(JOB.to_owned() + price));
    ran(&case.client, "run").with(0);
    let case = Case::of("--sandbox-price-drift-percent 10", &five(), "run", 6);
    case.next("5 jobs are not asked for at the plan's prices");
}

fn duplicates() {
    let case = Case::of("", JOB, "run", 0);
    let copy = JOB.replace("version = 1\n", "version = 1\nname = \"copy\"\n").replace("one", "two");
    case.client.write("copy.toml", &copy);
    let ended = case.client.run("run copy.toml").with(6);
    let named = commands(&next(&ended, "was left out"));
    assert_eq!(named.len(), 1, "{ended}");
    for line in ["plan copy.toml --quiet", "run copy.toml --dry-run --quiet", "run copy.toml --quiet"] {
        let ended = planned_or_run(&case.client, line).with(6);
        assert!(ended.stderr.contains("already under another"), "{line} {ended}");
    }
    sh(&case.client, &named[0]).with(6).saying("job one of the batch it's");
    assert_eq!(case.settled(), 1);
}

fn changed() {
    let case = Case::of("", JOB, "run", 0);
    case.client.write("it's.toml", &JOB.replace("kite", "boat"));
    let case = Case { ended: ran(&case.client, "run").with(6), ..case };
    case.does("changed jobs keep what was delivered", 6).saying("job       one");
    case.client.write("it's.toml", JOB);
    ran(&case.client, "run").with(0);
}

/// A word for one more take of what was changed into what another batch has.
fn stopped() {
    let case = Case::of("", JOB, "run", 0);
    case.client
        .write("copy.toml", &JOB.replace("version = 1\n", "version = 1\nname = \"copy\"\n").replace("kite", "boat"));
    case.client.run("run copy.toml").with(0);
    case.client.write("it's.toml", &JOB.replace("kite", "boat"));
    let case = Case { ended: ran(&case.client, "run --retake-changed").with(6), ..case };
    assert_eq!(commands(&case.next("1 job was not bought once more")), [] as [&str; 0]);
    assert_eq!(case.settled(), 2);
}

/// A word that was carried out before: why it buys nothing is said whatever the verbosity.
fn unmet() {
    let case = Case::of("--sandbox-dedup-s 0", JOB, "run", 0);
    ran(&case.client, "run --retake one").with(0);
    let case = Case { ended: ran(&case.client, "run --retake one").with(6), ..case };
    assert_eq!(commands(&case.next("one is not bought once more: that take was replaced before")), [] as [&str; 0]);
    let quiet = ran(&case.client, "run --retake one --quiet").with(6);
    assert!(quiet.stderr.contains("one is not bought once more"), "{quiet}");
    assert_eq!(case.settled(), 2);
}

/// A results file buys what it names, and what somebody edited there is not bought: what buys the rest is printed.
fn edited() {
    let case = Case::of("", &five(), "run --limit 1", 3);
    let results = case.client.read("it's.results.csv");
    let part: Vec<&str> = results.lines().filter(|row| !row.contains("kite") || row.contains("kite 2")).collect();
    case.client.write("y.csv", &part.join("\n"));
    let ended = case.client.run("run y.csv").with(3);
    let manifest = commands(&next(&ended, "3 jobs are left to buy: "));
    assert_eq!(manifest.len(), 1, "{ended}");
    // Those that are not bought, and all of them.
    let some = ["3", "4", "5"].into_iter().fold(results.clone(), |text, n| text.replace(&format!("kite {n}"), "boat"));
    for text in [some, results.replace("kite", "boat")] {
        case.client.write("y.csv", &text);
        for line in ["plan y.csv --quiet", "run y.csv --quiet", "run y.csv --dry-run --quiet", "run y.csv --json"] {
            let ended = planned_or_run(&case.client, line).with(6);
            assert!(ended.to_string().contains("rows are changed against what the ledger holds"), "{line} {ended}");
        }
        let ended = case.client.run("run y.csv").with(6);
        assert_eq!(commands(&next(&ended, "rows are changed against what the ledger holds")), [] as [&str; 0]);
        assert_eq!(commands(&next(&ended, "3 jobs are left to buy: ")), manifest);
        assert!(!ended.stdout.contains("y.csv"), "it buys nothing, however often: {ended}");
    }
    assert_eq!(case.settled(), 2);
    let options = format!("{} --catalog {} --yes --max-sats 5000", manifest[0], case.client.node()[1]);
    sh(&case.client, &options).with(0);
    assert_eq!(case.settled(), 5);
}

fn planned_or_run(client: &Client, line: &str) -> Ended {
    match line.starts_with("plan") {
        true => client.says(&format!("{line} --catalog {}", client.node()[1])),
        false => client.run(line),
    }
}

/// Another ledger's results: what they say is bought is left out, which is said each time, and to whom.
fn elsewhere() {
    let case = Case::of("--sandbox-dedup-s 0", &five(), "run --limit 2", 3);
    let results = case.client.read("it's.results.csv");
    case.client.write("sent/x.csv", &results);
    for line in ["plan sent/x.csv", "run sent/x.csv --dry-run", "run sent/x.csv", "run sent/x.csv"] {
        for flag in ["--quiet", "--json", ""] {
            let line = format!("{line} --ledger other.db {flag}");
            let ended = planned_or_run(&case.client, &line).with(6);
            assert!(ended.to_string().contains("2 rows were left out, as results of another ledger"), "{line} {ended}");
        }
    }
    let ended = case.client.run("run sent/x.csv --ledger other.db").with(6);
    assert_eq!(commands(&next(&ended, "name the ledger that has them with --ledger")), [] as [&str; 0]);
    let case = Case { ended: case.client.run("run sent/x.csv").with(0), ..case };
    assert_eq!(case.settled(), 2 + 3 + 3);
}

/// What is known by its receipt alone, until its ledger is merged.
fn unknown() {
    let case = Case::of("", JOB, "run", 0);
    let gone = case.client.path("gone.db");
    std::fs::rename(case.client.ledger(), &gone).unwrap();
    std::fs::remove_dir_all(case.client.ledger().with_file_name("ledger.db.locks")).unwrap();
    std::fs::remove_file(case.client.path("it's.results.csv")).unwrap();
    case.client.says("ledger merge it's.receipts.csv").with(0);
    let case = Case { ended: ran(&case.client, "run").with(6), ..case };
    let [merge, status] = &commands(&case.next("known by receipt alone"))[..] else { panic!("{}", case.ended) };
    sh(&case.client, status).with(6).saying("known_by_receipt");
    sh(&case.client, &merge.replace("FILE", gone.to_str().unwrap())).with(0);
    ran(&case.client, "run").with(0).saying("everything is delivered");
    assert_eq!(case.settled(), 1);
}

/// A run that was killed while its payment was on its way, and one that does not wait for that.
fn doubt() {
    let (sandbox, client) = on_its_way("--sandbox-pay-ms 12000");
    let ended = ran(&client, "run --wait-doubt 1s").with(5);
    let case = Case { sandbox, client, ended };
    assert_eq!(commands(&case.next("1 payment is in doubt, and nothing is paid anew by itself")).len(), 2);
    case.sandbox.wait_for("its end", |books| books.settled().len() == 1);
    let looked = case.does_each("1 payment is in doubt", &[0, 0]);
    assert!(looked[0].stdout.contains("delivered       1 of 1 job"), "{}", looked[0]);
    assert_eq!(case.settled(), 1);
}

fn on_its_way(flags: &str) -> (Sandbox, Client) {
    let sandbox = Sandbox::start(flags);
    let client = Client::of(&sandbox);
    client.write("it's.toml", JOB);
    let mut command = client.program();
    command.args(["run", "it's.toml", "--yes", "--max-sats", "5000"]).args(client.node());
    let running = Process::start(&mut command);
    sandbox.wait_for("a payment", |books| books.payments.len() == 1);
    assert!(running.kill());
    (sandbox, client)
}

/// The node that was asked is another one than the one that answers now.
fn to_decide() {
    let (_gone, client) = on_its_way("--sandbox-pay-ms 60000");
    let other = Sandbox::start("");
    let client = Client::of(&other).instead_of(client);
    let ended = ran(&client, "run").with(5);
    let case = Case { sandbox: other, client, ended };
    case.does("1 payment is in doubt, and no run finds out by itself", 5).saying("--as unpaid").saying("other_node");
}

fn lost() {
    let case = Case::of("--sandbox-answer failed", JOB, "run", 4);
    case.does("1 job is paid and lost", 4).saying("preimage").saying("--as rebuy");
    let case = Case::of("--sandbox-answer failed", &two_jobs(""), "run", 4);
    case.does("2 jobs are paid and lost", 4).saying("preimage");
    assert!(case.next("2 jobs are paid and lost").ends_with("(of the first)"));
}

fn refunds() {
    let mut case = Case::of("--sandbox-refund-percent 100 --sandbox-refund refused", JOB, "run --wait-doubt 1s", 3);
    case.sandbox.restart_with("--sandbox-refund-percent 100");
    let done = case.does_each("1 refund is offered and not here yet", &[4, 0]);
    assert!(done[0].stderr.contains("1,350 sats came back"), "{}", done[0]);
    assert!(done[1].stdout.contains("came back"), "{}", done[1]);
    assert_eq!(case.sandbox.books().received_msat(), 1_350_000);
}

fn rights() {
    let case = Case::of("--sandbox-refund-percent 100 --sandbox-node no-invoices", JOB, "run --wait-doubt 1s", 4);
    let words = case.next("lncli --network=regtest bakemacaroon");
    assert!(words.contains("uri:/lnrpc.Lightning/AddInvoice"), "{words}");
    // It is what the doctor advises, which `tests/regtest` types where there is an lncli.
    let doctor = case.client.asks("doctor --json");
    let advised: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap_or_else(|_| panic!("{doctor}"));
    let findings = advised["findings"].as_array().unwrap().iter();
    let bake = findings.filter_map(|finding| finding["advice"].as_str()).find(|advice| advice.starts_with("lncli "));
    let bake = bake.unwrap_or_else(|| panic!("{doctor}")).to_owned();
    assert!(words.contains(&bake), "{words}\n{bake}");
    // One that writes a macaroon, for whoever asks it in these words.
    let folder = case.client.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let made = case.sandbox.file("admin.macaroon");
    let lncli = format!(
        "#!/bin/sh\n[ \"$1 $2 $3\" = '--network=regtest bakemacaroon --save_to=payer.macaroon' ] && cp '{}' payer.macaroon\n",
        made.display()
    );
    std::fs::write(folder.join("lncli"), lncli).unwrap();
    std::fs::set_permissions(folder.join("lncli"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut typed = Command::new("sh");
    typed
        .args(["-ec", &bake])
        .current_dir(case.client.path(""))
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    Process::start(&mut typed).end().with(0);
    assert_eq!(std::fs::read(case.client.path("payer.macaroon")).unwrap(), std::fs::read(made).unwrap());
}

fn refunds_gone() {
    let case = Case::of("--sandbox-refund-percent 100 --sandbox-refund expired", JOB, "run --wait-doubt 1s", 4);
    case.does("1 refund is offered and cannot be had", 4).saying("preimage").saying("--as lost");
}

fn refunded() {
    let case = Case::of("--sandbox-refund-percent 100", JOB, "run", 4);
    case.does("1 job is refunded, and nothing is bought again by itself", 4).saying("--as rebuy");
    assert_eq!(case.settled(), 1);
}

/// A disk that fills up with files, where a user may mount one.
fn disk() {
    let sandbox = Sandbox::start("--sandbox-video-kib 2048");
    let client = Client::of(&sandbox);
    client.write("it's.toml", &five());
    let mut command = client.program();
    command.args(["run", "it's.toml", "--yes", "--max-sats", "5000", "--download", "small"]).args(client.node());
    command.args(["--jobs-in-flight", "1", "--downloads-in-flight", "1"]);
    let script = r#"mkdir small && mount -t tmpfs -o size=67m tmpfs small || exit 9
        "$@" > first; code=$?; cat first; mount -o remount,size=99m small
        eval "$(sed -n 's/^next .*once files can be kept, this goes on: //p' first)" > then; echo "then $?"; exit $code"#;
    let Some(ended) = client.shell_that_mounts(script, &command) else { return };
    let words = next(&ended, "as files cannot be kept: ");
    assert!(words.starts_with("nothing more was bought") && words.contains("of which 64 MiB are left"), "{words}");
    // It is printed as it stands there, and goes on once there is room.
    next(&ended, "once files can be kept, this goes on: ");
    assert!(ended.stdout.contains("then 0\n") && client.read("then").contains("downloaded      5 files"), "{ended}");
    assert_eq!(sandbox.books().settled().len(), 5);
    let files = commands(&next(&ended, "not downloaded yet"));
    // The folder is there, and its disk is not: that is not filled up.
    sh(&client, &files[0]).with(2).saying("is that disk mounted?");
}

fn files() {
    let flags = "run --download videos --download-idle 1s --downloads-per-second 1000";
    let mut case = Case::of("--sandbox-downloads slow", &two_jobs(""), flags, 3);
    case.sandbox.restart_with("");
    case.does("2 files are not downloaded yet", 0).saying("downloaded      2 files");
    assert_eq!(std::fs::read_dir(case.client.path("videos")).unwrap().count(), 2);
    assert_eq!(case.settled(), 2);
}

fn files_gone() {
    let mut case = Case::of("--sandbox-downloads gone", JOB, "run --download videos --downloads-per-second 1000", 4);
    case.sandbox.restart_with("");
    let done = case.does_each("1 file could not be fetched as it is served", &[0, 0]);
    assert!(done[0].stdout.contains("downloaded      1 file"), "{}", done[0]);
    assert!(done[1].stdout.contains("job       one"), "{}", done[1]);
}

/// A folder stands in the place of the results, from a time on.
fn outputs() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 1500");
    let client = Client::of(&sandbox);
    client.write("it's.toml", JOB);
    let mut command = client.program();
    command
        .args(["run", "it's.toml", "--yes", "--max-sats", "5000", "--results", "our results.csv"])
        .args(client.node());
    let running = Process::start(&mut command);
    let results = client.path("our results.csv");
    sandbox.wait_for("a payment beside results", |books| books.payments.len() == 1 && results.exists());
    std::fs::remove_file(&results).unwrap();
    std::fs::create_dir(&results).unwrap();
    std::fs::write(results.join("in the way"), "").unwrap();
    let ended = running.end().with(3).saying("cannot be replaced");
    let export = commands(&next(&ended, "results or receipts are not as the ledger is"));
    std::fs::remove_dir_all(&results).unwrap();
    sh(&client, &export[0]).with(0);
    assert_eq!(client.column("our results.csv", "state"), ["delivered"]);
    assert_eq!(client.rows("it's.receipts.csv").len(), 1);
}

/// The same with `-q`, where the folder stands there long before the end: the reason is named.
#[test]
fn why_files_are_not_whole_is_said_quietly_too() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 1500");
    let client = Client::of(&sandbox);
    client.write("j.toml", &two_jobs(""));
    let running = client.start("run j.toml -q --results r.csv --payments-in-flight 1");
    let results = client.path("r.csv");
    sandbox.wait_for("a payment beside results", |books| books.payments.len() == 1 && results.exists());
    std::fs::remove_file(client.path("r.csv")).unwrap();
    std::fs::create_dir(client.path("r.csv")).unwrap();
    std::fs::write(client.path("r.csv/in the way"), "").unwrap();
    let ended = running.end().with(3).saying("r.csv cannot be replaced: it is a folder");
    assert_eq!(ended.stderr.matches("cannot be replaced").count(), 1, "{ended}");
}

/// What stays is begun by the printed command, and sells as it says.
fn play() {
    let client = Client::alone();
    client.write("it's.toml", JOB);
    let line = ["run", "it's.toml", "--sandbox", "--sandbox-ask-error", "NOT_FOUND"];
    let ended = Process::start(client.program().args(line)).end().with(4);
    assert!(!ended.stdout.contains("next  "), "nothing is left to buy: {ended}");
    let line = ["run", "it's.toml", "--sandbox", "--limit", "1", "--sandbox-fail-pay-percent", "100"];
    let ended = Process::start(client.program().args(line)).end().with(3);
    let begin = commands(&next(&ended, "start a sandbox that stays"));
    let sandbox = Process::start(&mut shell(&client, &begin[0]));
    let how = sandbox.wait_for("Ctrl-C stops it");
    assert!(client.path("sandbox-state/catalog.toml").is_file());
    ["jobs.example.toml", "jobs.example.png"].iter().for_each(|name| client.copy_of(name));
    let buy = how.split("buy from it:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    sh(&client, &format!("{} --yes --max-sats 100000", buy.trim())).with(0).saying("delivered ");
    sandbox.signal(rustix::process::Signal::INT);
    sandbox.end().with(0);
}

/// All that a run with play money prints is about its own ledger, also where that by default has a batch of the same name; and
/// nothing is said to bring on what has ended with it.
#[test]
fn play_money_is_found_again() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("it's.toml", &five());
    ran(&client, "run").with(0);
    client.write("own.toml", "download_name = \"{id}\"\n");
    // How it ends, and how many commands it prints, as many with -q.
    let ends: [(&str, i32, usize, &str); 6] = [
        ("--sandbox-refund-percent 100 --jobs-in-flight 1", 4, 6, "refunded"),
        ("--sandbox-price-drift-percent 10", 6, 5, "price_changed"),
        ("--sandbox-downloads gone --download videos --downloads-per-second 1000", 4, 6, "url_gone"),
        ("--sandbox-refund-percent 100 --sandbox-refund expired --wait-doubt 1s --jobs-in-flight 1", 4, 6, "expired"),
        ("--sandbox-answer failed --jobs-in-flight 1", 4, 6, "lost"),
        ("--sandbox-refund-percent 100 --sandbox-refund refused --wait-doubt 1s --max-undelivered 9", 3, 1, ""),
    ];
    for (flags, code, count, words) in ends.into_iter().step_by(every(3)) {
        for (more, variable) in [("--sandbox", None), ("--sandbox -q", None), ("--config own.toml --json", Some("1"))] {
            let with = |command: &mut Command| {
                Process::start(command.envs(variable.map(|value| ("L402_BATCH_SANDBOX", value)))).end()
            };
            let line = format!("run it's.toml {more} {flags}");
            let ended = with(client.program().args(line.split(' '))).with(code);
            let printed = printed(&ended);
            assert_eq!(printed.len(), count, "{line}: {printed:?} {ended}");
            tells_of_play(&ended);
            for command in printed.iter().filter(|command| !command.contains(" sandbox --state ")) {
                let shown =
                    with(&mut shell(&client, command)).with(code).saying("note: play money: its API and its node end ");
                let is_own = shown.stdout.contains(words) || shown.stdout.contains("breaker_open");
                assert!(is_own && !shown.stdout.contains("state     delivered\n"), "{command}: {shown}");
                tells_of_play(&shown);
                for more in ["--all", "--json", "--all --format csv"] {
                    tells_of_play(&with(&mut shell(&client, &format!("{command} {more}"))));
                }
            }
        }
    }
    assert_eq!(sandbox.books().settled().len(), 5, "no more than before");
}

/// Nothing of it names who has ended with its run.
#[track_caller]
fn tells_of_play(ended: &Ended) {
    let lies = ["recover", "refunds claim", "l402-batch download", "ledger merge", "every run", "next run", "lncli"];
    for lie in lies.iter().chain(&["--as rebuy", "--as retry", "--trust"]) {
        assert!(!ended.to_string().contains(lie), "{lie}: {ended}");
    }
}

/// Every command that was printed, in words or for programs.
fn printed(ended: &Ended) -> Vec<String> {
    let mut all = Vec::new();
    for line in ended.stdout.lines().chain(ended.stderr.lines()) {
        match serde_json::from_str::<serde_json::Value>(line) {
            Ok(event) => {
                let list = |name: &str| event[name].as_array().cloned().unwrap_or_default();
                all.extend(list("needs_person").iter().map(|need| need["command"].as_str().unwrap().to_owned()));
                all.extend(list("advice").iter().flat_map(|words| commands(words.as_str().unwrap())));
            }
            Err(_) => all.extend(commands(line)),
        }
    }
    all
}

/// From wherever a run has stopped.
fn going_on() {
    let case = Case::of("", &five(), "run --limit 2", 3);
    case.does("3 jobs are left to buy; without --limit, --only and --where this goes on", 0);
    assert_eq!(case.settled(), 5);
    // What chooses may be a variable, which the same shell still has.
    for (variable, value) in [("L402_BATCH_LIMIT", "2"), ("L402_BATCH_ONLY", "1,2")] {
        let case = Case::of("", &five(), "run --limit 1", 3);
        let with = |command: &mut Command| Process::start(command.env(variable, value)).end();
        let mut again = case.client.program();
        again.args(["run", "it's.toml", "--yes", "--max-sats", "5000"]).args(case.client.node());
        let next = next(&with(&mut again).with(3), "left to buy; without --limit, --only and --where this goes on");
        assert!(next.contains(&format!("env -u {variable} ")), "{next}");
        with(&mut shell(&case.client, &commands(&next).remove(0))).with(0);
        assert_eq!(case.settled(), 5, "{variable}");
    }
    let mut case = Case::of("--sandbox-fail-pay-percent 100", JOB, "run", 3);
    case.sandbox.restart_with("");
    case.does("go on where this run stopped", 0);
}

/// A deadline, and one that has passed when the command is given again.
#[test]
fn after_a_deadline_it_goes_on_as_printed() {
    for is_time in [false, true] {
        let at = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(10)).unwrap();
        let deadline = if is_time { at.to_string() } else { "2s".to_owned() };
        let mut case = Case::of("--sandbox-redeem-error NOT_FOUND", JOB, &format!("run --deadline {deadline}"), 10);
        case.sandbox.restart_with("");
        let going_on = case.does("go on where this run stopped", 0);
        assert!(!is_time || !going_on.to_string().contains("--deadline"), "{going_on}");
        assert_eq!(case.settled(), 1);
    }
}

#[test]
fn after_a_deadline_amid_payments_it_goes_on_as_printed() {
    let at = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(10)).unwrap();
    let line = format!("run --payments-in-flight 1 --deadline {at}");
    let mut case = Case::of("--sandbox-pay-ms 12000", &five(), &line, 10);
    case.sandbox.restart_with("");
    case.does("the deadline came with 4 jobs left to buy; go on where this run stopped: ", 0);
    assert_eq!(case.settled(), 5);
}

#[test]
fn a_recovery_and_a_command_for_files_go_on_as_printed() {
    let mut case = Case::of("--sandbox-redeem-error NOT_FOUND", JOB, "run --deadline 2s", 10);
    let recovery = ran(&case.client, "recover --batch it's --deadline 1s").with(10);
    let download = case.client.says("download --batch it's --download videos").with(3);
    case.sandbox.restart_with("");
    let case = Case { ended: download, ..case };
    case.does("1 job is under way", 0).saying("delivered       1 of 1 job");
    let case = Case { ended: recovery, ..case };
    case.does("go on where this command stopped", 0);
    assert_eq!(case.settled(), 1);
}

/// A recovery says what buys the rest: with what the run was begun with.
fn to_buy() {
    let case = Case::of("", &five(), "run --limit 2", 3);
    let case = Case { ended: ran(&case.client, "recover --all"), ..case };
    assert!(case.ended.stdout.is_empty(), "nothing was open: {}", case.ended);
    let case = Case { ended: ran(&case.client, "recover --batch it's").with(0), ..case };
    let words = case.next("3 jobs are not bought yet, and this command buys nothing");
    let command = commands(&words).remove(0);
    let options = format!("{command} --catalog {} --yes --max-sats 5000", case.client.node()[1]);
    sh(&case.client, &options).with(0);
    assert_eq!(case.settled(), 5);
}
