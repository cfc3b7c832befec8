//! Results become files: whole or not at all, once, and whatever happens on the way, the purchase stands.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Audit, Books, Client, PATIENCE, Process, Sandbox, get, two_jobs};

const RUN: &str = "run jobs.toml --download videos";
/// Breaks off soon where nothing comes.
const QUICK: &str = "--download-idle 1s --downloads-per-second 1000";

pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn two(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.toml", &two_jobs("kept"));
    client
}

/// The video that a job bought, as the sandbox has it.
fn video<'b>(books: &'b Books, client: &Client, id: &str) -> &'b str {
    let receipts = client.rows("jobs.receipts.csv");
    let hash =
        &receipts.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id}: {receipts:?}"))["payment_hash"];
    books.sales.iter().find(|sale| sale.hash == *hash).unwrap().video.as_deref().unwrap()
}

/// The bytes that a job's file must have. The sandbox commits no fault now.
pub fn bought(sandbox: &Sandbox, client: &Client, id: &str) -> Vec<u8> {
    bytes_of(sandbox, video(&sandbox.books(), client, id))
}

/// The bytes of a video, as the sandbox has them.
pub fn bytes_of(sandbox: &Sandbox, video: &str) -> Vec<u8> {
    get(&format!("{}/videos/{video}.mp4", sandbox.origin))
}

/// Every job is bought once, and its file holds what the sandbox sold, as ledger and results say; nothing half is left.
#[track_caller]
pub fn all_are_files(sandbox: &Sandbox, client: &Client, jobs: usize) {
    let audit = Audit::of(client, "jobs", &sandbox.books()).all_downloaded(jobs);
    for row in &audit.results {
        let bytes = fs::read(&row["file"]).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        assert!(bytes == bought(sandbox, client, &row["id"]), "{row:?}: other bytes");
        assert_eq!(row["sha256"], sha256(&bytes), "{row:?}");
        assert!(row["reason"].is_empty() && row["error"].is_empty(), "{row:?}");
    }
    let left: Vec<String> = names(client).into_iter().filter(|name| name.ends_with(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn names(client: &Client) -> Vec<String> {
    let Ok(entries) = fs::read_dir(client.path("videos")) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn cells(client: &Client, column: &str) -> HashMap<String, String> {
    client.rows("jobs.results.csv").iter().map(|row| (row["id"].clone(), row[column].clone())).collect()
}

#[test]
fn each_result_is_a_file_and_is_fetched_once() {
    let sandbox = Sandbox::start("");
    let client = two(&sandbox);
    client.run(RUN).with(0).saying("files go to").saying("downloaded video").saying("2 files");
    assert_eq!(names(&client), ["image.mp4", "video.mp4"]);
    let fetches = sandbox.books().fetches;
    assert!(
        fetches.len() == 2 && fetches.values().all(|each| (each.requests, each.to_the_end) == (1, 1)),
        "{fetches:?}"
    );
    all_are_files(&sandbox, &client, 2);

    let before = sandbox.books();
    client.run(RUN).with(0).saying("there was nothing to do");
    client.says("download jobs.toml").with(0);
    // A file is an end, wherever one looks.
    client.run("recover --all").with(0).saying("nothing is open");
    client.run("recover jobs.toml").with(0);
    client.says("status jobs.toml").with(0).saying("downloaded");
    client.asks_node("audit").with(0);
    client.says("export --batch jobs --results r.csv --receipts s.csv").with(0);
    assert_eq!(
        (client.read("r.csv"), client.read("s.csv")),
        (client.read("jobs.results.csv"), client.read("jobs.receipts.csv"))
    );
    // What the user moves is the user's affair.
    fs::rename(client.path("videos/video.mp4"), client.path("mine.mp4")).unwrap();
    client.run(RUN).with(0).saying("there was nothing to do");
    client.says("download jobs.toml").with(0);
    assert_eq!(sandbox.books().fetches, before.fetches);
    assert_eq!(names(&client), ["image.mp4"]);
    client.says("download jobs.toml --missing --job image").with(0);
    assert_eq!(sandbox.books().fetches, before.fetches);
    client.says("download jobs.toml --missing").with(0).saying("downloaded video");
    assert_eq!(sandbox.books().sales.len(), before.sales.len());
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn a_way_that_breaks_is_gone_on_with() {
    let flawed = "dropped,hung-up,busy,redirect,unsized,unranged,changed";
    thread::scope(|scope| {
        for fault in flawed.split(',') {
            scope.spawn(move || {
                let mut sandbox = Sandbox::start(&format!("--sandbox-downloads {fault}"));
                let client = two(&sandbox);
                client.run(&format!("{RUN} {QUICK}")).with(0);
                let fetches: Vec<_> = sandbox.books().fetches.into_values().collect();
                assert_eq!(fetches.len(), 2, "{fault}: {fetches:?}");
                match fault {
                    // Each of them is asked for the rest alone, and sent to its end once.
                    "dropped" => {
                        assert!(fetches.iter().all(|each| each.ranged >= 2 && each.to_the_end == 1), "{fetches:?}")
                    }
                    "hung-up" | "busy" | "redirect" | "changed" => {
                        assert!(
                            fetches.iter().all(|each| each.requests >= 2 && each.ranged == 0),
                            "{fault}: {fetches:?}"
                        );
                    }
                    _ => assert!(fetches.iter().all(|each| each.requests == 1), "{fault}: {fetches:?}"),
                }
                if fault != "changed" {
                    // What is in the way would be here too.
                    sandbox.restart_with("");
                }
                all_are_files(&sandbox, &client, 2);
            });
        }
    });
}

#[test]
fn what_does_not_come_leaves_the_purchase_as_it_is() {
    let not_now = ["slow", "wrong-length", "empty"];
    let gone = ["gone", "expired", "html", "hidden-html", "redirect-loop", "redirect-away"];
    let cases = not_now.map(|fault| (fault, 3, "not_downloaded", "rerun"));
    let cases = cases.into_iter().chain(gone.map(|fault| (fault, 4, "url_gone", "person")));
    thread::scope(|scope| {
        for (fault, code, reason, next) in cases {
            scope.spawn(move || {
                let mut sandbox = Sandbox::start(&format!("--sandbox-downloads {fault}"));
                let client = two(&sandbox);
                let ended = client.run(&format!("{RUN} {QUICK}")).with(code).saying("delivered       2 of 2");
                let ended = ended.saying(reason).saying("l402-batch download --batch jobs");
                for (column, expected) in [("state", "delivered"), ("reason", reason), ("next", next), ("file", "")] {
                    assert!(cells(&client, column).values().all(|cell| cell == expected), "{column}: {ended}");
                }
                assert!(names(&client).iter().all(|name| name.ends_with(".part")), "{:?}", names(&client));
                Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
                client.says("status jobs.toml").with(code).saying(reason);

                sandbox.restart_with("");
                let before = sandbox.books();
                if code == 3 {
                    client.run(RUN).with(0).saying("2 to fetch");
                } else {
                    // Only a person brings this on.
                    client.run(RUN).with(4);
                    assert!(sandbox.books().fetches.is_empty(), "{:?}", sandbox.books());
                    client.says("download jobs.toml").with(0);
                }
                assert_eq!(sandbox.books().sales.len(), before.sales.len());
                all_are_files(&sandbox, &client, 2);
            });
        }
    });
}

#[test]
fn results_in_the_answer_itself_are_files_too() {
    for (how, accept) in [("data-uri", ""), ("base64", " --sandbox-accept --sandbox-accept-ms 20")] {
        let sandbox = Sandbox::start(&format!("--sandbox-in-answer {how} --sandbox-video-kib 2000{accept}"));
        let client = two(&sandbox);
        client.run("run jobs.toml").with(0);
        assert!(
            cells(&client, "url").values().all(|url| url.starts_with("data:video/mp4;base64,...#")),
            "{:?}",
            cells(&client, "url")
        );
        client.says("download jobs.toml --download videos").with(0);
        assert!(sandbox.books().fetches.is_empty());
        all_are_files(&sandbox, &client, 2);
        assert_eq!(names(&client), ["image.mp4", "video.mp4"]);
    }
}

#[test]
fn later_from_the_ledger_alone() {
    let sandbox = Sandbox::start("");
    let client = two(&sandbox);
    client.run("run jobs.toml").with(0).not_saying("fetch");
    assert!(sandbox.books().fetches.is_empty());
    fs::remove_file(client.path("jobs.toml")).unwrap();
    client.says("download --batch jobs").with(2).saying("--download DIR");
    client.says("download --batch jobs --download videos --job neither").with(2).saying("neither");
    assert!(names(&client).is_empty());
    client.says("download --batch jobs --download videos --job image --download-name {endpoint}-{id}").with(0);
    assert_eq!(names(&client), ["animate-image-image.mp4"]);
    // The batch remembers where to.
    client.says("download --batch jobs").with(0);
    assert_eq!(names(&client), ["animate-image-image.mp4", "generate-video-video.mp4"]);
    assert!(sandbox.books().fetches.values().all(|each| each.requests == 1));
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn names_are_safe_and_nobody_elses() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let ids = ["../up", "a/b", "a:b", "A_b", "con", "-rf", "größe 1"];
    let rows: String = ids.iter().map(|id| format!("{id},kite {id},s\n")).collect();
    client.write("jobs.csv", &format!("id,prompt,x_scene\n{rows}"));
    fs::create_dir(client.path("videos")).unwrap();
    client.write("videos/largest.mp4", "not ours");
    client.write("videos/größe 1.mp4", "not ours");
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3 --download videos";
    client.run(run).with(0);
    let files = names(&client);
    assert_eq!(files.len(), ids.len() + 2, "{files:?}");
    for name in ["_up.mp4", "_con.mp4", "rf.mp4", "größe 1-2.mp4"] {
        assert!(files.iter().any(|file| file == name), "{name}: {files:?}");
    }
    let lower: std::collections::HashSet<String> = files.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(lower.len(), files.len(), "two names are one on many systems: {files:?}");
    assert_eq!(client.read("videos/größe 1.mp4"), "not ours");
    all_are_files(&sandbox, &client, ids.len());
    let inside = client.path("videos").canonicalize().unwrap();
    for row in client.rows("jobs.results.csv") {
        assert_eq!(fs::canonicalize(&row["file"]).unwrap().parent(), Some(inside.as_path()), "{row:?}");
    }
    assert!(!client.path("up.mp4").exists());
}

#[test]
fn a_name_that_is_taken_meanwhile_costs_no_second_fetch() {
    let mut sandbox = Sandbox::start("--sandbox-video-kib 200 --sandbox-downloads dropped");
    let client = two(&sandbox);
    fs::create_dir_all(client.path("videos/image.mp4.part")).unwrap();
    std::os::unix::fs::symlink(client.path("outside"), client.path("videos/image-2.mp4")).unwrap();
    let running = client.start(&format!("{RUN} --downloads-per-second 3"));
    let give_up = Instant::now() + PATIENCE;
    while !client.path("videos/video.mp4.part").exists() {
        assert!(Instant::now() < give_up, "never begun: {:?}", names(&client));
        thread::sleep(Duration::from_millis(2));
    }
    client.write("videos/video.mp4", "not ours");
    running.end().with(0);
    assert_eq!(client.read("videos/video.mp4"), "not ours");
    assert!(!client.path("outside").exists(), "a link was followed");
    fs::remove_dir(client.path("videos/image.mp4.part")).unwrap();
    assert_eq!(names(&client), ["image-2.mp4", "image-3.mp4", "video-2.mp4", "video.mp4"]);
    let fetches = sandbox.books().fetches;
    assert!(fetches.values().all(|each| each.to_the_end == 1), "{fetches:?}");
    sandbox.restart_with("--sandbox-video-kib 200");
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn what_cannot_work_is_said_before_anything_is_bought() {
    let sandbox = Sandbox::start("");
    let client = two(&sandbox);
    client.write("file", "");
    for (flags, words) in [
        ("--download videos --download-name {prmpt}", "no job has a {prmpt}"),
        ("--download videos --download-name ../{id}", "expected a name before and after each /"),
        ("--download videos --download-name kite", "at least one name in braces"),
        ("--download file", "--download"),
        ("--download /proc/nowhere", "nothing was fetched or bought"),
    ] {
        client.run(&format!("run jobs.toml {flags}")).with(2).saying(words);
    }
    assert!(names(&client).is_empty());
    client.run("run jobs.toml --dry-run --download videos").with(0).saying("files go to").saying("/videos/{id}");
    client
        .says("plan jobs.toml --download videos --download-name {endpoint}-{id}")
        .with(0)
        .saying("/videos/{endpoint}-{id}");
    let plan: Value = serde_json::from_str(&client.says("plan jobs.toml --download videos --json").stdout).unwrap();
    assert!(plan["download"].as_str().unwrap().ends_with("/videos/{id}"), "{plan}");
    assert!(!client.path("videos").exists(), "a plan writes nothing");
    sandbox.books().are_empty();
}

/// Both are delivered; their files are not here.
fn wait_for_both(running: &Process) {
    for (id, endpoint) in [("video", "generate-video"), ("image", "animate-image")] {
        let of = format!("\"id\":\"{id}\",\"take\":1,\"endpoint\":\"{endpoint}\"");
        running.wait_for(&format!("{of},\"from\":\"paid\",\"state\":\"delivered\""));
    }
}

#[test]
fn a_signal_stops_downloads_and_the_next_run_goes_on() {
    stopped_and_gone_on_with(false);
}

#[test]
fn a_part_that_somebody_wrote_into_is_fetched_anew() {
    stopped_and_gone_on_with(true);
}

fn stopped_and_gone_on_with(spoiled: bool) {
    const KIB: &str = "--sandbox-video-kib 1024";
    let mut sandbox = Sandbox::start(&format!("{KIB} --sandbox-downloads dropped"));
    let client = two(&sandbox);
    // Slow enough to be met: each file has many tries, and few of them begin in a second.
    let running = client.start(&format!("{RUN} --downloads-per-second 1 --downloads-in-flight 1 --json"));
    wait_for_both(&running);
    let give_up = Instant::now() + PATIENCE;
    let part = || names(&client).into_iter().find(|name| name.ends_with(".part"));
    while !part()
        .is_some_and(|name| fs::metadata(client.path("videos").join(name)).is_ok_and(|about| about.len() > 500_000))
    {
        assert!(Instant::now() < give_up, "never half of a file: {:?}", names(&client));
        thread::sleep(Duration::from_millis(2));
    }
    running.signal(Signal::INT);
    let ended = running.end().with(130);
    let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((last["type"].as_str(), last["exit_code"].as_u64()), (Some("run_ended"), Some(130)), "{ended}");
    assert!(names(&client).iter().any(|name| name.ends_with(".part")), "{:?}", names(&client));
    client.says("status jobs.toml").with(3).saying("not_downloaded");
    client.says("status jobs.toml --job video").with(3).saying("l402-batch download --batch jobs --job video");
    Audit::of(&client, "jobs", &sandbox.books());

    if spoiled {
        let part = client.path("videos").join(part().unwrap());
        let mut bytes = fs::read(&part).unwrap();
        bytes[0] ^= 0xff;
        fs::write(&part, bytes).unwrap();
    }
    sandbox.restart_with(KIB);
    client.run("recover --all").with(0);
    let fetches = sandbox.books().fetches;
    assert_eq!(fetches.values().any(|each| each.ranged == 1), !spoiled, "{fetches:?}");
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn what_a_killed_run_could_not_say_is_fetched_by_recover() {
    let mut sandbox = Sandbox::start("--sandbox-downloads slow");
    let client = two(&sandbox);
    // The second is bought while the first one's file does not come.
    let running = client.start(&format!("{RUN} --jobs-in-flight 1 --downloads-in-flight 1 --json"));
    wait_for_both(&running);
    running.signal(Signal::KILL);
    running.end();
    sandbox.restart_with("");
    client.run("recover --all").with(0);
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn events_tell_of_files() {
    let sandbox = Sandbox::start("");
    let client = two(&sandbox);
    let ended = client.run(&format!("{RUN} --json")).with(0);
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let planned = events.iter().find(|event| event["type"] == "planned").unwrap();
    assert!(planned["download"].as_str().unwrap().ends_with("/videos/{id}"), "{planned}");
    let files: Vec<&Value> = events.iter().filter(|event| event["state"] == "downloaded").collect();
    assert_eq!(files.len(), 2, "{ended}");
    for event in files {
        assert_eq!((event["from"].as_str(), event["next"].as_str()), (Some("delivered"), Some("none")), "{event}");
        assert!(fs::metadata(event["file"].as_str().unwrap()).is_ok() && event["fee_msat"].is_u64(), "{event}");
    }
}

#[test]
fn a_full_disk_is_said_before_anything_is_bought() {
    let sandbox = Sandbox::start("");
    let client = two(&sandbox);
    fs::create_dir(client.path("videos")).unwrap();
    let script = r#"mount -t tmpfs -o size=1m tmpfs videos && exec "$@""#;
    let Some(ended) = client.shell_that_mounts(script, &client.buying(RUN)) else { return };
    ended.with(2).saying("is full").saying("64 MiB").saying("nothing was fetched or bought");
    assert!(sandbox.books().settled().is_empty());
    client.run(RUN).with(0);
    all_are_files(&sandbox, &client, 2);
}

/// What is bought is to be kept: a disk that fills up under a run ends the buying, under `--quiet` too.
#[test]
fn nothing_more_is_bought_while_files_cannot_be_kept() {
    let sandbox = Sandbox::start("--sandbox-video-kib 1024 --sandbox-pay-ms 500");
    let client = two(&sandbox);
    let rows: String = (1..=12).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("many.csv", &format!("id,prompt\n{rows}"));
    fs::create_dir(client.path("videos")).unwrap();
    let run =
        "run many.csv --default endpoint=generate-video --default duration=3 --download videos --jobs-in-flight 1 -q";
    let script = r#"mount -t tmpfs -o size=67m tmpfs videos && exec "$@""#;
    let Some(ended) = client.shell_that_mounts(script, &client.buying(run)) else { return };
    ended.with(3).saying("paused").saying("are left to others").saying("nothing more is bought in this run");
    let bought = sandbox.books().settled().len();
    assert!((3..12).contains(&bought), "{bought} of 12 were bought");
    // The same with room: what is there is not bought again.
    client.run(run).with(2).saying("another disk");
    assert_eq!(sandbox.books().settled().len(), bought);
    client.run(&run.replace("videos", "films")).with(0);
    assert_eq!(sandbox.books().settled().len(), 12);
}

/// What waits for a disk that is full is tried before anything new is bought: a schedule would buy on, run after run.
#[test]
fn what_waits_for_room_is_tried_before_anything_is_bought() {
    let sandbox = Sandbox::start("--sandbox-video-kib 1024");
    let client = two(&sandbox);
    let rows: String = (1..=40).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("many.csv", &format!("id,prompt\n{rows}"));
    fs::create_dir(client.path("videos")).unwrap();
    let run = "run many.csv --default endpoint=generate-video --default duration=3 --download videos";
    let script = r#"mount -t tmpfs -o size=67m tmpfs videos || exit 9
        "$@" --jobs-in-flight 2; echo "first $?"; cp many.results.csv first.csv; ls videos
        "$@" --dry-run; echo "foretold $?"; "$@" -q; echo "then $?"
        "$@" --dry-run --max-sats-per-day 1; echo "foretold of a full day $?"; "$@" -q --max-sats-per-day 1; echo "of a full day $?"
        L402_BATCH_DOWNLOAD=videos L402_BATCH_MAX_SATS=100000 "$1" doctor many.csv --no-ask DOCTOR; echo "doctor $?""#;
    let doctor = format!("--default endpoint=generate-video --default duration=3 {}", client.node().join(" "));
    let script = script.replace("DOCTOR", &doctor);
    let Some(ended) = client.shell_that_mounts(&script, &client.buying(run)) else { return };
    let ended = ended.with(0).saying("first 3").saying("then 3").saying("foretold 3").saying("from before wait");
    assert!(!ended.stdout.contains(".part"), "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr).matches("from before wait").count();
    assert_eq!(said, 7, "the run does as its dry run and doctor say, whoever sends the files: {ended}");
    ended.saying("foretold of a full day 8").saying("\nof a full day 8").saying("doctor 3");
    let bought = |name: &str| client.rows(name).iter().filter(|row| row["state"] != "pending").count();
    let first = bought("first.csv");
    assert!((3..40).contains(&first), "{first} of 40 were bought");
    assert_eq!((bought("many.results.csv"), sandbox.books().settled().len()), (first, first));
    client.run(&run.replace("videos", "films")).with(0);
    assert_eq!(sandbox.books().settled().len(), 40);
}

/// What cannot be kept is not bought, so that files of before are tried first. Which, and until when buying waits for them, is said; a
/// deadline ends that, and is said too.
#[test]
fn buying_says_for_what_it_waits() {
    const KIB: &str = "--sandbox-video-kib 2048";
    let mut sandbox = Sandbox::start(KIB);
    let client = two(&sandbox);
    client.write("many.csv", "id,prompt\na,kite\nb,boat\nc,dog\n");
    let run = "run many.csv --default endpoint=generate-video --default duration=3 --download videos";
    client.run(&format!("{run} --limit 1 --max-file-mib 1")).with(3);
    sandbox.restart_with(&format!("{KIB} --sandbox-downloads silent"));
    let ended = client.run(&format!("{run} --download-idle 3s --deadline 2s")).with(10);
    let ended =
        ended.saying("paused: the file of a job of before is tried first (a): what could not be kept is not bought;");
    let ended = ended.saying("buying begins at ").saying("the deadline has come: nothing new is bought");
    ended.saying("the deadline came with 2 jobs left to buy; go on where this run stopped: ").not_saying("going on");
    assert_eq!(sandbox.books().settled().len(), 1);
    let running = client.start(&format!("{run} --download-idle 3s --json"));
    running.wait_for("tried first (a)");
    running.wait_for("\"type\":\"resumed\"");
    sandbox.wait_for("the others", |books| books.settled().len() == 3);
    assert!(running.kill());
    // It passes by itself, and is no news for whoever wants to hear of what does not.
    sandbox.restart_with(KIB);
    client.run(&format!("{run} -q")).with(0).not_saying("paused");
}

#[test]
fn what_is_paid_is_recovered_without_its_folder() {
    let mut sandbox = Sandbox::start("--sandbox-downloads slow");
    let client = two(&sandbox);
    client.run(&format!("{RUN} {QUICK}")).with(3);
    fs::remove_dir_all(client.path("videos")).unwrap();
    client.write("videos", "no folder");
    client.run("recover --all").with(3).saying("warning: --download").saying("not_downloaded");
    fs::remove_file(client.path("videos")).unwrap();
    sandbox.restart_with("");
    client.run("recover --all").with(0);
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn a_run_without_its_folder_finishes_what_is_open_and_buys_nothing() {
    let sandbox = Sandbox::start("--sandbox-accept --sandbox-accept-ms 2500");
    let client = two(&sandbox);
    let running = client.start(&format!("{RUN} --json"));
    sandbox.wait_for("both are paid", |books| books.settled().len() == 2);
    running.signal(Signal::KILL);
    running.end();
    let _ = fs::remove_dir_all(client.path("videos"));
    client.write("videos", "no folder");
    client.write("jobs.toml", &two_jobs("kept").replace("id = \"video\"", "id = \"more\""));
    client.run(RUN).with(2).saying("--download");
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
    assert_eq!(sandbox.books().settled().len(), 2, "nothing is bought");
    fs::remove_file(client.path("videos")).unwrap();
    client.write("jobs.toml", &two_jobs("kept"));
    client.run(RUN).with(0);
    all_are_files(&sandbox, &client, 2);
}

#[test]
fn a_result_beyond_the_limit_is_not_fetched() {
    const KIB: &str = "--sandbox-video-kib 2048";
    for flags in ["", " --sandbox-downloads unsized"] {
        let mut sandbox = Sandbox::start(&format!("{KIB}{flags}"));
        let client = two(&sandbox);
        client.run(&format!("{RUN} --max-file-mib 1")).with(3).saying("larger than 1 MiB");
        assert!(names(&client).is_empty(), "{:?}", names(&client));
        client.run(RUN).with(0);
        sandbox.restart_with(KIB);
        all_are_files(&sandbox, &client, 2);
    }
}

#[test]
fn a_results_file_goes_on_with_the_folder_of_its_batch() {
    let sandbox = Sandbox::start("");
    let client = two(&sandbox);
    client.run(&format!("{RUN} --limit 1")).with(3);
    let catalog = client.node()[..2].join(" ");
    for line in [format!("plan jobs.results.csv {catalog} --json"), "run jobs.results.csv --dry-run --json".to_owned()]
    {
        let said = if line.starts_with("plan") { client.says(&line) } else { client.run(&line) }.with(0).stdout;
        assert!(said.contains("/videos/{id}"), "{line}: {said}");
    }
    client.run("run jobs.results.csv").with(0).saying("files go to");
    all_are_files(&sandbox, &client, 2);
    // What is said now counts, and is remembered.
    client.run("run jobs.results.csv --download-name {id}-{take}").with(0).saying("/videos/{id}-{take}");
    client.run("run jobs.results.csv").with(0).saying("/videos/{id}-{take}");
}
