//! Which source counts, and what is wrong.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::cli::args::{
    self, CatalogArgs, CatalogCommand, Command, LedgerCommand, LedgerCommandArgs, RefundsArgs, RefundsCommand,
};
use crate::cli::options::config::{Buying, Payment};
use crate::cli::options::layer::{CertSource, MacaroonSource};
use crate::cli::options::resolve::resolved::format;
use crate::cli::options::resolve::*;
use crate::cli::options::values::ManifestFormat;
use crate::cli::options::{OPTIONS, flag, variable};
use crate::manifest::Limits;
use crate::money::Sats;

/// A home folder with that configuration file.
fn home(file: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".config/l402-batch")).unwrap();
    fs::write(home.path().join(".config/l402-batch/config.toml"), file).unwrap();
    home
}

fn config(home: &Path, variables: &[(&str, &str)]) -> Result<Config, Failure> {
    let now = "2026-11-20T22:00:00+01:00[Europe/Berlin]".parse().unwrap();
    Config::load(None, Environment::made_up(variables, home, now))
}

fn command(line: &str) -> Command {
    let words = std::iter::once("l402-batch").chain(line.split_whitespace());
    args::parse(words.map(OsString::from)).unwrap().command
}

/// `run a.toml` and the flags, under these variables and that file.
fn run(flags: &str, variables: &[(&str, &str)], file: &str) -> Result<RunOptions, String> {
    let home = home(file);
    let Command::Run(args) = command(&format!("run a.toml {flags}")) else { panic!("{flags}") };
    config(home.path(), variables).and_then(|config| config.run(*args)).map_err(|error| match error {
        Failure::Input(wrong) => format!("{} {:?}", wrong[0], wrong[0].help),
        other => other.to_string(),
    })
}

/// What a command works with, as text: the limits in force, whoever gave them.
fn resolved(line: &str, variables: &[(&str, &str)], home: &Path) -> String {
    let limits = |buying: &mut Buying| std::mem::take(&mut buying.limits).with_manifest(&Limits::default());
    let config = config(home, variables).unwrap();
    let resolved = match command(line) {
        Command::Plan(args) => config.plan(*args).map(|mut plan| format!("{:?}{plan:?}", limits(&mut plan.buying))),
        Command::Run(args) => config.run(*args).map(|mut run| format!("{:?}{run:?}", limits(&mut run.buying))),
        Command::Doctor(args) => {
            config.doctor(*args).map(|mut doctor| format!("{:?}{doctor:?}", limits(&mut doctor.buying)))
        }
        Command::Recover(args) => config.recover(*args).map(|of| format!("{of:?}")),
        Command::Status(args) => config.status(args).map(|of| format!("{of:?}")),
        Command::Export(args) => config.export(args).map(|of| format!("{of:?}")),
        Command::Batches(args) => config.batches(args).map(|of| format!("{of:?}")),
        Command::Resolve(args) => config.resolve(*args).map(|of| format!("{of:?}")),
        Command::Audit(args) => config.audit(args).map(|of| format!("{of:?}")),
        Command::Download(args) => config.download(*args).map(|of| format!("{of:?}")),
        Command::Catalog(CatalogArgs { what: CatalogCommand::Show(args) }) => {
            config.catalog_show(*args).map(|of| format!("{of:?}"))
        }
        Command::Refunds(RefundsArgs { what: RefundsCommand::List(args) }) => {
            config.refunds_list(args).map(|of| format!("{of:?}"))
        }
        Command::Refunds(RefundsArgs { what: RefundsCommand::Claim(args) }) => {
            config.refunds_claim(*args).map(|of| format!("{of:?}"))
        }
        Command::Ledger(LedgerCommandArgs { what: LedgerCommand::Merge(args) }) => {
            config.ledger_merge(args).map(|of| format!("{of:?}"))
        }
        other => panic!("{other:?}"),
    };
    resolved.unwrap_or_else(|error| panic!("{line} {variables:?}: {error}"))
}

/// Every command that takes options, but for `config show`, which shows them all.
const LINES: [&str; 14] = [
    "plan a.toml",
    "run a.toml",
    "doctor a.toml",
    "recover a.toml",
    "status a.toml",
    "export a.toml",
    "batches",
    "resolve a.toml --job j --as keep --note n",
    "audit",
    "download a.toml",
    "catalog show a.toml",
    "refunds list a.toml",
    "refunds claim a.toml",
    "ledger merge f",
];

/// A value that is not the default. `lnd` is a folder of lnd's.
fn value(option: &str, lnd: &str) -> String {
    let value = match option {
        "manifest_format" => "csv",
        "default" | "column" | "where" => "a=b",
        "delimiter" => ";",
        "hidden_rows" => "skip",
        "time_zone" => "UTC",
        "lnd_url" => "https://n:8080",
        "lnd_dir" => lnd,
        "lnd_network" => "regtest",
        "currency" => "EUR",
        "wait_doubt" | "max_invoice_life" | "download_idle" | "deadline" | "max_rate_age" => "70s",
        "download_name" => "{take}",
        "format" => "json",
        "duplicates" => "skip",
        _ => "7",
    };
    value.to_owned()
}

/// Whatever option a command takes it obeys, as a flag and as a variable alike; and a plan is of play money where the run is.
#[test]
fn every_command_obeys_the_variable_of_every_option_that_it_takes() {
    let home = home("");
    for folder in ["lnd", "other"] {
        for network in ["mainnet", "regtest"] {
            let place = home.path().join(format!("{folder}/data/chain/bitcoin/{network}"));
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("admin.macaroon"), "m").unwrap();
        }
    }
    let folder = |name: &str| home.path().join(name).display().to_string();
    let (url, lnd) = (("L402_BATCH_LND_URL", "https://127.0.0.1:1"), folder("lnd"));
    let mut pairs = 0;
    for line in LINES {
        let described = args::command();
        let mut of = &described;
        line.split(' ').map_while(|word| of.find_subcommand(word).inspect(|sub| of = sub)).for_each(drop);
        for option in OPTIONS.iter().filter(|option| option.who.variable && option.who.flag) {
            let Some(arg) = of.get_arguments().find(|arg| arg.get_id() == option.name) else { continue };
            let is_switch = !arg.get_action().takes_values();
            let value = if is_switch { "true".to_owned() } else { value(option.name, &folder("other")) };
            let flag = if is_switch { flag(option.name) } else { format!("{} {value}", flag(option.name)) };
            let name = variable(option.name);
            let node = [url, ("L402_BATCH_LND_DIR", &lnd)].into_iter().filter(|(set, _)| *set != name);
            let node: Vec<(&str, &str)> = node.collect();
            let by_flag = resolved(&format!("{line} {flag}"), &node, home.path());
            let by_variable = resolved(line, &[&node[..], &[(&name, &value)]].concat(), home.path());
            // What is wrong with a value is told with the name of what gave it.
            let plain =
                |text: &str| text.replace("L402_BATCH_DEFAULT", "--default").replace("L402_BATCH_COLUMN", "--column");
            assert_eq!(plain(&by_flag), plain(&by_variable), "{line}: {flag}");
            let node = [url, ("L402_BATCH_LND_DIR", &lnd)];
            assert_ne!(plain(&by_flag), plain(&resolved(line, &node, home.path())), "{line}: {flag}");
            pairs += 1;
        }
    }
    assert!(pairs > 150, "{pairs}");
    let play = [("L402_BATCH_SANDBOX", "1")];
    assert_ne!(resolved("plan a.toml", &play, home.path()), resolved("plan a.toml", &[], home.path()));
}

const NODE: &str = "--lnd-url https://127.0.0.1:8080 --lnd-macaroon-file m";

#[test]
fn flag_beats_variable_beats_file() {
    let variable = [("L402_BATCH_JOBS_IN_FLIGHT", "8")];
    let jobs = |flags: &str, variables: &[(&str, &str)], file: &str| {
        run(&format!("{NODE} {flags}"), variables, file).unwrap().buying.pace.jobs_in_flight
    };
    assert_eq!(jobs("", &[], ""), 64);
    assert_eq!(jobs("", &[], "jobs_in_flight = 4"), 4);
    assert_eq!(jobs("", &variable, "jobs_in_flight = 4"), 8);
    assert_eq!(jobs("--jobs-in-flight 16", &variable, "jobs_in_flight = 4"), 16);
}

#[test]
fn a_variable_can_take_back_what_the_file_says() {
    let quiet = |variables: &[(&str, &str)]| run(NODE, variables, "quiet = true").unwrap().output.quiet;
    assert!(quiet(&[]));
    assert!(!quiet(&[("L402_BATCH_QUIET", "no")]));
}

#[test]
fn the_tightest_limit_wins_whoever_says_it() {
    let manifest = |sats| Limits { max_sats: Some(Sats::new(sats)), ..Limits::default() };
    for (flag, variable, in_manifest, in_file, expected) in
        [(1, 2, 3, 4, 1), (2, 1, 3, 4, 1), (3, 2, 1, 4, 1), (4, 3, 2, 1, 1)]
    {
        let options = run(
            &format!("{NODE} --max-sats {flag}"),
            &[("L402_BATCH_MAX_SATS", &variable.to_string())],
            &format!("max_sats = {in_file}"),
        );
        let limits = options.unwrap().buying.limits.with_manifest(&manifest(in_manifest));
        assert_eq!(limits.max_sats, Some(Sats::new(expected)), "{flag} {variable} {in_manifest} {in_file}");
    }
    let one_source = run(NODE, &[], "fee_floor_sats = 7\nmax_fee_ppm = 100").unwrap().buying.limits;
    let limits = one_source.with_manifest(&Limits { max_fee_ppm: Some(50), ..Limits::default() });
    assert_eq!((limits.fee_floor_sats, limits.max_fee_ppm), (Some(Sats::new(7)), Some(50)));
    assert_eq!(limits.max_sats, None);
}

#[test]
fn the_time_zone_goes_by_precedence() {
    let manifest = Limits { time_zone: Some("Asia/Tokyo".to_owned()), ..Limits::default() };
    let file = "time_zone = \"America/Lima\"";
    let variable = [("L402_BATCH_TIME_ZONE", "Europe/Paris")];
    let zone = |flags: &str, variables: &[(&str, &str)], manifest: &Limits| {
        let options = run(&format!("{NODE} {flags}"), variables, file).unwrap();
        options.buying.limits.with_manifest(manifest).time_zone.unwrap()
    };
    assert_eq!(zone("", &[], &Limits::default()), "America/Lima");
    assert_eq!(zone("", &[], &manifest), "Asia/Tokyo");
    assert_eq!(zone("", &variable, &manifest), "Europe/Paris");
    assert_eq!(zone("--time-zone UTC", &variable, &manifest), "UTC");
    assert_eq!(run(NODE, &[], "").unwrap().buying.system_time_zone, "Europe/Berlin");
}

#[test]
fn catalogues_add_up_and_the_nearest_comes_last() {
    let variables = [("L402_BATCH_CATALOG", "v1.toml:v2.toml")];
    let options = run(&format!("{NODE} --catalog f.toml"), &variables, "catalog = [\"/c.toml\"]").unwrap();
    let expected = ["/c.toml", "v1.toml", "v2.toml", "f.toml"];
    assert_eq!(options.manifest.catalogs, expected.map(PathBuf::from));
}

#[test]
fn the_ledger_has_a_place_by_itself() {
    let home = home("");
    let ledger = |variables: &[(&str, &str)], line: &str| {
        let Command::Batches(args) = command(line) else { panic!("{line}") };
        config(home.path(), variables).unwrap().batches(args).unwrap().ledger.file().to_owned()
    };
    let systemd = ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b");
    assert_eq!(ledger(&[], "batches"), home.path().join(".local/state/l402-batch/ledger.db"));
    assert_eq!(ledger(&[systemd], "batches"), Path::new("/var/lib/a/ledger.db"));
    assert_eq!(ledger(&[systemd, ("L402_BATCH_LEDGER", "v.db")], "batches"), Path::new("v.db"));
    assert_eq!(ledger(&[("L402_BATCH_LEDGER", "v.db")], "batches --ledger f.db"), Path::new("f.db"));
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let home = home("lnd_url = \"https://n:8080\"\nlnd_macaroon_file = \"m\"\nlnd_cert_file = \"~/tls.cert\"");
    let Command::Run(args) = command("run a.toml") else { panic!() };
    let Payment::Node(node, _) = config(home.path(), &[]).unwrap().run(*args).unwrap().payment else { panic!() };
    assert_eq!(node.macaroon, MacaroonSource::File(home.path().join(".config/l402-batch/m")));
    assert_eq!(node.cert, Some(CertSource::File(home.path().join("tls.cert"))));
}

#[test]
fn a_macaroon_in_the_environment_does_not_show() {
    let variables = [("L402_BATCH_LND_MACAROON", "c0ffee00"), ("L402_BATCH_LND_URL", "https://n:8080")];
    let options = run("", &variables, "lnd_macaroon_file = \"m\"").unwrap();
    assert!(!format!("{options:?}").contains("c0ffee"), "{options:?}");
    let Payment::Node(node, _) = options.payment else { panic!() };
    assert!(matches!(node.macaroon, MacaroonSource::Text(hex) if hex.reveal() == "c0ffee00"));
    let environment = Environment::made_up(&variables, Path::new("/"), jiff::Zoned::default());
    assert!(!format!("{environment:?}").contains("c0ffee"));
    let twice = [variables[0], ("L402_BATCH_LND_MACAROON_FILE", "m")];
    assert!(run("", &twice, "").unwrap_err().contains("given twice"));
}

#[test]
fn of_ways_to_say_the_same_the_nearest_counts() {
    let format = |flags: &str, variable: (&str, &str)| {
        let home = home("");
        let Command::Batches(args) = command(&format!("batches {flags}")) else { panic!("{flags}") };
        config(home.path(), &[variable]).unwrap().batches(args).unwrap().output.format
    };
    assert_eq!(format("", ("L402_BATCH_JSON", "1")), Format::Json);
    assert_eq!(format("--format table", ("L402_BATCH_JSON", "1")), Format::Table);
    assert_eq!(format("--json", ("L402_BATCH_FORMAT", "csv")), Format::Json);
    let both = [("L402_BATCH_JSON", "1"), ("L402_BATCH_FORMAT", "csv")];
    for variables in [both, [both[1], both[0]]] {
        let home = home("");
        let Command::Batches(args) = command("batches") else { panic!() };
        let format = config(home.path(), &variables).unwrap().batches(args).unwrap().output.format;
        assert_eq!(format, Format::Json, "whatever the order of the variables");
    }
    let variables = [("L402_BATCH_LND_CERT", "pem"), ("L402_BATCH_LND_URL", "https://n:8080")];
    let options = run("--lnd-macaroon-file m --lnd-cert-file c", &variables, "").unwrap();
    let Payment::Node(node, _) = options.payment else { panic!() };
    assert_eq!(node.cert, Some(CertSource::File("c".into())));
}

#[test]
fn what_is_wrong_is_said() {
    for (flags, variables, file, words) in [
        ("", &[][..], "", "no node to pay"),
        ("--lnd-url https://n:8080", &[], "", "needs a macaroon"),
        ("--sandbox --format csv", &[], "", "run prints table or json"),
        ("--sandbox --deadline 2026-11-20T20:00:00Z", &[], "", "has passed"),
        ("--sandbox", &[("L402_BATCH_MAX_SAT", "5")], "", "did you mean L402_BATCH_MAX_SATS?"),
        ("--sandbox", &[("L402_BATCH_MAX_SATS", "")], "", "L402_BATCH_MAX_SATS: is set to nothing"),
        ("--sandbox", &[("L402_BATCH_RETAKE", "a")], "", "on the command line only"),
        ("--lnd-url https://n:8080", &[("L402_BATCH_SANDBOX", "1")], "", "asks for play money"),
        ("--sandbox", &[], "max_sat = 5", "config.toml:1:1: unknown key \"max_sat\" Some(\"did you mean \\\"max_sats"),
        ("--sandbox", &[], "\nquiet = 3", "config.toml:2:9: quiet: expected true or false"),
        ("--sandbox", &[], "max_sats = 1.5", "expected a text, a whole number"),
        ("--sandbox", &[], "max_sats = 0x10", "expected a text, a whole number"),
        ("--sandbox", &[], "yes = true", "for one command only: --yes"),
        ("--sandbox", &[], "lnd_macaroon = \"00\"", "its own file"),
        ("--sandbox", &[], "max_sats = ", "config.toml:1:"),
    ] {
        let said = run(flags, variables, file).unwrap_err();
        assert!(said.contains(words), "{flags} {variables:?} {file}: {said}");
    }
}

#[test]
fn every_error_of_the_file_comes_in_one_pass() {
    let home = home("a = 1\nmax_sats = -1\nb = 2\n");
    match config(home.path(), &[]) {
        Err(Failure::Input(wrong)) => assert_eq!(wrong.len(), 3),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let home = home("");
    let missing = [("L402_BATCH_CONFIG", "/nowhere/config.toml")];
    assert!(matches!(config(home.path(), &missing), Err(Failure::Input(_))));
    fs::remove_dir_all(home.path().join(".config")).unwrap();
    assert!(config(home.path(), &[]).is_ok());
}

#[test]
fn manifests_are_known_by_their_names() {
    let stdin = |flags: &str| {
        let Command::Run(args) = command(&format!("run - --sandbox {flags}")) else { panic!() };
        config(Path::new("/nowhere"), &[]).and_then(|config| config.run(*args)).map(|run| run.manifest.source)
    };
    assert_eq!(format(Path::new("a.CSV"), None).ok(), Some(ManifestFormat::Csv));
    assert_eq!(format(Path::new("a.csv"), Some(ManifestFormat::Tsv)).ok(), Some(ManifestFormat::Tsv));
    assert_eq!(format(Path::new("a.XLSM"), None).ok(), Some(ManifestFormat::Xlsx));
    assert!(format(Path::new("a.xls"), None).is_err() && format(Path::new("toml"), None).is_err());
    assert!(stdin("").is_err() && stdin("--manifest-format csv").is_err());
    let named = stdin("--manifest-format csv --batch june");
    assert!(matches!(named, Ok(ManifestSource::Stdin(ManifestFormat::Csv))), "{named:?}");
}

#[test]
fn a_batch_is_named_somehow() {
    let status = |line: &str, variables: &[(&str, &str)]| {
        let Command::Status(args) = command(line) else { panic!("{line}") };
        config(Path::new("/nowhere"), variables).and_then(|config| config.status(args)).map(|status| status.target)
    };
    assert!(status("status", &[]).is_err());
    assert!(status("status -", &[]).is_err());
    assert_eq!(status("status", &[("L402_BATCH_BATCH", "june")]).unwrap().batch.as_deref(), Some("june"));
    let both = status("status a.toml --batch june", &[]).unwrap();
    assert_eq!(both.manifest, Some((PathBuf::from("a.toml"), ManifestFormat::Toml)));
    assert_eq!(both.batch.as_deref(), Some("june"));
}
