//! Macaroons in the place of other values are shown by nothing; and what only looks like one is shown as it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use data_encoding::{BASE64, HEXLOWER};

use crate::harness::{Client, Ended, Process, Sandbox, every, two_jobs};
use crate::nexts::{commands, next, sh};

/// Whoever pastes the macaroon where its file belongs, or anywhere else, sees an error and never the macaroon.
#[test]
fn a_macaroon_that_is_pasted_in_a_wrong_place_is_not_shown() {
    let client = Client::alone();
    let hex = format!("0201036c6e6402{}", "5ec7e7".repeat(40));
    client.write("jobs.toml", &two_jobs(""));
    let config = client.path("m.toml");
    let named = format!("--config {}", config.display());
    let node = "--lnd-url https://127.0.0.1:1";
    let check = |ended: Ended, words: &str| {
        let shown = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!shown.contains("5ec7e75ec7e7"), "{ended}");
        assert!(shown.contains(words), "{ended}");
    };
    let as_file = format!("--lnd-macaroon-file {hex}");
    check(client.says(&format!("run jobs.toml --max-sats 9 --yes {node} {as_file}")), "is a macaroon itself");
    check(
        client.says(&format!("run jobs.toml --max-sats 9 --yes {node} --lnd-macaroon-file={hex}")),
        "is a macaroon itself",
    );
    check(client.says(&format!("doctor {node} {as_file}")), "is a macaroon itself");
    check(client.says(&format!("doctor --json {node} {as_file}")), "is a macaroon itself");
    check(client.says(&format!("run jobs.toml --lnd-macaroon {hex}")), "error: ");
    check(client.says(&format!("run jobs.toml --lnd-macaroon={hex}")), "error: ");
    check(client.says(&format!("run {hex}")), "error: ");
    check(client.says(&format!("run jobs.toml {hex}")), "error: ");
    for (text, words) in [
        (format!("lnd_macaroon = \"{hex}\"\n"), "lnd_macaroon_file"),
        (format!("lnd_macaroon_file = {hex}\n"), "error"),
        (format!("lnd_macaroon_file = \"{hex}\"\nlnd_macaroon_command = \"cat {hex}\"\n"), "given twice"),
        (format!("lnd_url = \"{hex}\"\n"), "lnd_url"),
    ] {
        std::fs::write(&config, text).unwrap();
        check(client.says(&format!("config show {named}")), words);
    }
    std::fs::write(&config, format!("lnd_macaroon_file = \"{hex}\"\n")).unwrap();
    check(client.says(&format!("config show {named}")), "lnd_macaroon_file");
    check(client.says(&format!("config show --json {named}")), "lnd_macaroon_file");
    check(client.says(&format!("doctor {named}")), "is a macaroon itself");
    let mut program = client.program();
    program.args(["config", "show"]).env("L402_BATCH_LND_MACAROON_FILE", &hex);
    check(Process::start(&mut program).end(), "L402_BATCH_LND_MACAROON_FILE");
}

/// As the usual tools print it, and cut at either end.
fn written(bytes: &[u8], (hex, base64): (&str, &str)) -> Vec<String> {
    let pieces = |text: &str, size, between: &str| {
        text.as_bytes().chunks(size).map(String::from_utf8_lossy).collect::<Vec<_>>().join(between)
    };
    // As `xxd` prints it.
    let rows = bytes.chunks(16).enumerate().map(|(nth, row)| {
        let seen: String = row.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        format!("{:08x}: {}  {seen}\n", nth * 16, pieces(&HEXLOWER.encode(row), 4, " "))
    });
    let dump = rows.collect();
    vec![
        pieces(base64, 76, "\n"),
        pieces(hex, 76, "\n"),
        format!("0x{hex}"),
        format!("./{hex}"),
        format!("/home/x/{base64}"),
        format!("macaroon:{hex}"),
        format!("L402 {base64}"),
        hex[..70].to_owned(),
        pieces(hex, 2, " "),
        pieces(hex, 2, ":"),
        pieces(base64, 8, " "),
        bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
        bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
        dump,
        // From its middle it is known by its place alone.
        base64[20..90].to_owned(),
    ]
}

/// A shell pastes its bytes, without those that are zero.
#[test]
fn a_macaroon_that_is_pasted_as_it_is_is_refused_unread() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let bytes = b"\x02\x01\x03lnd\x02\xf8\x01\x03\x0a\x10secret\xff";
    for flag in ["--batch", "--ledger", "--lnd-macaroon-file"] {
        let words = [flag.as_bytes(), b"=", bytes].concat();
        let mut program = client.program();
        program.args(["run", "jobs.toml", "--dry-run"]).arg(OsStr::from_bytes(&words));
        let ended = Process::start(&mut program).end().with(2).saying("a macaroon itself stands on the command line");
        assert_eq!((ended.stdout.len(), ended.stderr.lines().count()), (0, 1), "{ended}");
    }
}

/// However it is written, and in the place of whatever value: by flag, variable and configuration file, in what any command prints.
#[test]
fn a_macaroon_in_the_place_of_any_value_is_not_shown_however_it_is_written() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let noise = (0..150u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap());
    let bytes: Vec<u8> = [2, 1, 3].into_iter().chain(*b"lnd").chain(noise).collect();
    let (hex, base64) = (HEXLOWER.encode(&bytes), BASE64.encode(&bytes));
    let forms = written(&bytes, (&hex, &base64));
    let is_known = |form: &str, place: &str| !base64[20..].starts_with(form) || place.contains("macaroon");
    let check = |ended: Ended| {
        let plain = |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let shown = plain(&format!("{}{}", ended.stdout, ended.stderr));
        let numbers = bytes.iter().map(u8::to_string).collect::<String>();
        let escaped = bytes.iter().map(|byte| format!("x{byte:02x}")).collect::<String>();
        for text in [&hex, &plain(&base64), &numbers, &escaped] {
            let part = (0..text.len() - 14).find(|at| shown.contains(&text[*at..at + 14]));
            assert_eq!(part, None, "{ended}");
        }
    };
    let start = |words: &[&str]| Process::start(client.program().args(words)).end();
    let buying = ["run", "jobs.toml", "--max-sats", "9", "--yes", "--lnd-url", "https://127.0.0.1:1"];
    // That each form is known is tested where they are told apart (`screen::pasted`): here, that each place asks there.
    for form in forms.iter().step_by(every(12)) {
        for flag in [
            "--config",
            "--catalog",
            "--ledger",
            "--download",
            "--batch",
            "--lnd-macaroon-file",
            "--lnd-cert-file",
            "--lnd-dir",
        ]
        .into_iter()
        .filter(|flag| is_known(form, flag))
        {
            check(start(&[&buying[..], &[flag, form]].concat()));
        }
        let small =
            ["ledger", "lnd_dir", "lnd_macaroon_file", "lnd_cert_file", "max_sats", "download", "lnd_macaroon_command"];
        for (nth, key) in small.into_iter().enumerate().filter(|(_, key)| is_known(form, key)) {
            let command = [&["config", "show"][..], &["config", "show", "--json"], &["doctor"], &["recover"]][nth % 4];
            let variable = format!("L402_BATCH_{}", key.to_uppercase());
            check(Process::start(client.program().args(command).env(variable, form)).end());
            std::fs::write(client.path("m.toml"), format!("{key} = {form:?}\n")).unwrap();
            for command in [&["config", "show"][..], &["doctor"]] {
                check(start(&[command, &["--config", "m.toml"]].concat()));
            }
        }
    }
}

/// A sheet of Google's is saved under its long name.
#[test]
fn a_long_name_is_printed_as_it_is_and_stands_in_the_results() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let name = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms";
    client.write(&format!("{name}.toml"), &two_jobs(""));
    let ended = client.run(&format!("run {name}.toml --limit 1")).with(3);
    assert!(ended.stdout.contains(&format!("run {name}.toml")) && !ended.stdout.contains("***"), "{ended}");
    let results = client.says(&format!("export {name}.toml --results -")).with(0).stdout;
    assert!(results.lines().skip(1).all(|row| row.contains(&format!(",{name},"))), "{results}");
}

/// Folders, files and batches are named by digests: what is printed of them does what it says.
#[test]
fn a_command_with_long_names_works_as_printed() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    // In hex it begins as a macaroon does, and says none.
    let digest =
        [2, 0x9e].into_iter().chain((0..62u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()));
    let name = HEXLOWER.encode(&digest.collect::<Vec<u8>>());
    let jobs = "version = 1\n[[job]]\nid = \"1\"\nprompt = \"a kite\"\n[[job]]\nid = \"2\"\nprompt = \"a gull\"\n";
    let jobs = jobs.replace("prompt", "endpoint = \"generate-video\"\nduration = 3\nprompt");
    client.write(&format!("{name}/jobs.toml"), &jobs);
    std::fs::copy(sandbox.file("admin.macaroon"), client.path(&format!("{name}/m"))).unwrap();
    let mut node = client.node().to_vec();
    let papers = node.iter().position(|word| word == "--lnd-macaroon-file").unwrap() + 1;
    node[papers] = client.path(&format!("{name}/m")).display().to_string();
    let mut program = client.program();
    let of_batch =
        ["--batch", &name, "--ledger", &format!("{name}/l.db"), "--max-sats", "100000", "--yes", "--limit", "1"];
    program.args(["run", &format!("{name}/jobs.toml")]).args(node).args(of_batch);
    let ended = Process::start(&mut program).end().with(3).not_saying("***");
    let commands = commands(&next(&ended, "without --limit"));
    assert!(commands[0].matches(&name).count() >= 4, "{commands:?}");
    sh(&client, &commands[0]).with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    // Where a macaroon really is a name, no command is printed that would not work.
    let secret = format!("0201036c6e6402{}", "5ec7e7".repeat(20));
    client.write(&format!("{secret}.toml"), &two_jobs(""));
    let ended = client.run(&format!("run {secret}.toml --batch june --limit 1")).with(3);
    assert!(!ended.stdout.contains("5ec7e75ec7e7") && !ended.stdout.contains("run ***"), "{ended}");
    assert!(next(&ended, "without --limit").contains("rename that file or folder"), "{ended}");
}

/// Lines of nothing but it, or a cell: of a file that is read no more of it is shown than of what is typed.
#[test]
fn a_macaroon_in_a_file_that_is_read_is_not_shown() {
    let client = Client::alone();
    let noise = (0..150u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap());
    let bytes: Vec<u8> = [2, 1, 3].into_iter().chain(*b"lnd").chain(noise).collect();
    let (hex, base64) = (HEXLOWER.encode(&bytes), BASE64.encode(&bytes));
    let shows_none = |words: &str| {
        let ended = client.says(words).with(2);
        let plain = |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let shown = plain(&format!("{}{}", ended.stdout, ended.stderr));
        for secret in [&hex, &plain(&base64)] {
            let part = (0..secret.len() - 14).find(|at| shown.contains(&secret[*at..at + 14]));
            assert_eq!(part, None, "{words}: {ended}");
        }
        ended
    };
    let mut forms = written(&bytes, (&hex, &base64));
    forms.retain(|form| !base64[20..].starts_with(form.as_str()));
    forms.extend([hex.clone(), base64.clone()]);
    for form in &forms {
        for name in ["m.txt", "m.csv", "m.toml"] {
            client.write(name, form);
            shows_none(&format!("plan {name}"));
        }
        shows_none("plan m.txt --manifest-format csv");
        shows_none("catalog show --catalog m.toml");
        let job = "version = 1\n[[job]]\nid = \"1\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\n";
        let many = format!("lnd_macaroon = \"\"\"\n{}\"\"\"\n", form.replace('\\', "\\\\"));
        for line in [format!("duration = {form:?}\n"), many, format!("x = '''\n{form}")] {
            client.write("jobs.toml", &format!("{job}{line}"));
            shows_none("plan jobs.toml");
            client.write("c.toml", &format!("[endpoint.a]\nprice = 5\n{line}"));
            shows_none("plan jobs.toml --catalog c.toml");
        }
        let rows =
            format!("id,endpoint,prompt,duration\n1,generate-video,a kite,\"{form}\"\n2,generate-video,a gull,x\n");
        client.write("rows.csv", &rows);
        shows_none("plan rows.csv");
    }
    client.write(
        "rows.csv",
        &format!("id,endpoint,prompt,duration\n1,generate-video,a kite,{hex}\n2,generate-video,a gull,x\n"),
    );
    shows_none("plan rows.csv").saying("got \"x\"").saying("2,generate-video,a gull,x");
}

/// One of the two files that lnd keeps side by side, for the other.
#[test]
fn a_private_key_in_the_place_of_the_certificate_is_not_shown() {
    let client = Client::alone();
    let noise = (0..130u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap());
    let body = BASE64.encode(&[0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13].into_iter().chain(noise).collect::<Vec<u8>>());
    let lines = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    let key = format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n");
    let macaroon = client.path("m");
    client.write("m", &format!("0201036c6e6402{}", "5ec7e7".repeat(40)));
    let check = |ended: Ended| {
        let shown = format!("{}{}", ended.stdout, ended.stderr);
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("is a private key (tls.key)") && words.contains("the certificate (tls.cert) is meant"),
            "{ended}"
        );
        let plain = shown.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let secret = body.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        assert_eq!((0..secret.len() - 14).find(|at| plain.contains(&secret[*at..at + 14])), None, "{ended}");
    };
    let doctor = format!("doctor --lnd-url https://127.0.0.1:1 --lnd-macaroon-file {}", macaroon.display());
    for form in [key.clone(), key.replace('\n', " "), body.clone()] {
        client.write("k", &form);
        check(client.says(&format!("{doctor} --lnd-cert-file k")));
        let command = format!("cat {}", client.path("k").display());
        for (name, value) in [("CERT", &form), ("CERT_COMMAND", &command), ("CERT_FILE", &form)] {
            let mut program = client.program();
            program.args(doctor.split(' ')).env(format!("L402_BATCH_LND_{name}"), value);
            check(Process::start(&mut program).end());
        }
        let mut program = client.program();
        check(Process::start(program.args(["config", "show"]).env("L402_BATCH_LND_CERT_FILE", &form)).end());
        check(Process::start(client.program().args(["doctor", "--lnd-cert-file", &form])).end());
        check(Process::start(client.program().args(["run", "jobs.toml", &format!("--lnd-cert-file={form}")])).end());
    }
}

/// What is stored is shown later, by commands to which nobody types it.
#[test]
fn a_macaroon_is_neither_a_note_nor_a_name_of_a_batch() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let cut = format!("0201036c6e6402{}", "5ec7e7".repeat(12));
    let note = format!("resolve jobs.toml --job a --as unpaid --note {cut}");
    client.says(&note).with(2).saying("keep macaroons and private keys out of it").not_saying("5ec7e75ec7e7");
    let ended = client.says(&format!("plan jobs.toml --batch {cut}")).with(2);
    ended.saying("which a macaroon or a private key is not").not_saying("5ec7e75ec7e7");
    client.write("named.toml", &format!("name = \"{cut}\"\n{}", two_jobs("")));
    client.says("plan named.toml").with(2).saying("name: expected a name").not_saying("5ec7e75ec7e7");
    client.write(&format!("{cut}.toml"), &two_jobs(""));
    for line in ["plan", "run --sandbox", "doctor"] {
        let ended = client.says(&format!("{line} {cut}.toml")).with(2);
        ended.saying("which a macaroon or a private key is not").saying("--batch NAME").not_saying("5ec7e75ec7e7");
    }
    client.says(&format!("plan {cut}.toml --batch june")).with(0);
    assert!(!client.ledger().exists(), "nothing is stored");
}
