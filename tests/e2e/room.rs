//! Disks that are full of files, and disks that have gone: nothing is bought whose file could not be kept, in whatever batch.

use std::fs;

use crate::harness::{Client, Ended, Sale, Sandbox, Seller, Served};

/// Of 65 MiB 64 are left to others: no film of two fits.
const FULL: &str =
    "export L402_BATCH_DOWNLOAD=videos; mkdir -p videos && mount -t tmpfs -o size=65m tmpfs videos || exit 9\n";
const RUN: &str = "run jobs.csv --default endpoint=generate-video --default duration=3 --jobs-in-flight 1";

fn jobs(client: &Client, name: &str) {
    let rows: String = (1..=6).map(|n| format!("{n},kite {n} of {name}\n")).collect();
    client.write(name, &format!("id,prompt\n{rows}"));
}

/// A script about `RUN`, whose program and catalogue are named in it; none where nobody may mount.
fn scripted(client: &Client, script: &str) -> Option<Ended> {
    let catalog = client.node()[..2].join(" ");
    let plan = format!(r#""$1" plan jobs.csv {catalog} --default endpoint=generate-video --default duration=3"#);
    let doctor = format!(
        "L402_BATCH_DOWNLOAD=videos L402_BATCH_MAX_SATS=100000 \"$1\" doctor jobs.csv --batch b --no-ask {} --default \
         endpoint=generate-video --default duration=3",
        client.node().join(" ")
    );
    let script = format!("{FULL}{}", script.replace("PLAN", &plan).replace("DOCTOR", &doctor));
    client.shell_that_mounts(&script, &client.buying(RUN)).map(|ended| ended.with(0))
}

/// Each night a list of a new name: what waits for the disk is the other batches'.
#[test]
fn another_batch_is_held_back_by_what_waits_for_its_disk() {
    let sandbox = Sandbox::start("--sandbox-video-kib 2048");
    let client = Client::of(&sandbox);
    jobs(&client, "jobs.csv");
    jobs(&client, "b.csv");
    jobs(&client, "c.csv");
    let script = r#"
        cp jobs.csv a-jobs.csv; cp c.csv jobs.csv; "$@" --batch c --download elsewhere; echo "c $?"; cp a-jobs.csv jobs.csv
        "$@" --batch a; echo "a $?"; cp jobs.a.results.csv a.csv; cp b.csv jobs.csv; ln -s videos also; mkdir videos/sub
        PLAN --batch b --download videos; echo "planned $?"
        PLAN --batch b --download videos --json > plan.json; echo "json $?"
        DOCTOR --json > doctor.json; echo "doctor $?"; DOCTOR > doctor.txt
        for folder in videos also videos/sub; do
            export L402_BATCH_DOWNLOAD=$folder
            "$@" --batch b --dry-run; echo "$folder foretold $?"; "$@" --batch b -q > said 2>&1; echo "$folder $?"; cat said >&2
        done; PATH=$(dirname "$1"):$PATH; export L402_BATCH_DOWNLOAD=videos
        cp c.csv jobs.csv; PLAN --batch c --download videos; echo "c planned $?"
        "$@" --batch c --dry-run; echo "c foretold $?"; "$@" --batch c; echo "c once more $?"; cp b.csv jobs.csv
        "$@" --batch b --dry-run --json > dry.json
        fetch=$(sed -n 's/.*(of the batch a; `\([^`]*\)`.*/\1/p' said | head -1); echo "printed $fetch"
        eval "$(echo "$fetch" | sed s/DIR/elsewhere/)"; echo "fetched $?"
        "$@" --batch b --limit 1; echo "b $?"; cp jobs.b.results.csv one.csv; mount -o remount,size=99m videos; export L402_BATCH_DOWNLOAD=videos/sub
        eval "$(sed -n 's/^next .*once files can be kept, this goes on: //p' said)"; echo "gone on $?"
        rm videos/*.mp4 videos/*.part 2>/dev/null; true"#;
    let Some(ended) = scripted(&client, script) else { return };
    let bought = client.column("a.csv", "state").iter().filter(|state| *state != "pending").count();
    assert!((1..6).contains(&bought), "{ended}");
    // Whoever has nothing left to buy is in nobody's way.
    let of_c = ["c 0", "c planned 0", "c foretold 0", "c once more 0"];
    for end in ["a 3", "planned 3", "json 3", "doctor 3", "fetched 0", "gone on 0"].into_iter().chain(of_c) {
        assert!(ended.stdout.contains(&format!("{end}\n")), "{end}: {ended}");
    }
    for folder in ["videos", "also", "videos/sub"] {
        let ends = [format!("{folder} foretold 3\n"), format!("{folder} 3\n")];
        assert!(ends.iter().all(|end| ended.stdout.contains(end)), "{folder}: {ended}");
    }
    // Also where nothing but what needs somebody is said.
    assert_eq!(ended.stderr.matches("next       once files can be kept, this goes on: ").count(), 3, "{ended}");
    let ended = ended.saying("(of the batch a; `").saying("download --batch a --download DIR").not_saying("is ready");
    let waits = "nothing is bought until there is room (6 jobs for ";
    let ended = ended.saying("6 jobs: nothing to buy").saying("dry run: nothing is bought until there is room");
    ended.saying(waits);
    assert!(client.read("dry.json").contains("\"to_buy_count\":0"), "{}", client.read("dry.json"));
    assert!(client.read("plan.json").contains("\"fits\": {\"job_count\":0"), "{}", client.read("plan.json"));
    let warned = "\"warnings\": [{\"severity\":\"warning\",\"line\":null,\"message\":\"";
    let plan = client.read("plan.json");
    assert!(plan.contains(warned) && plan.contains(waits), "{plan}");
    let doctor = client.read("doctor.json");
    assert!(doctor.contains("\"to_buy_count\":0,\"to_buy_msat\":0,"), "{doctor}");
    let doctor = client.read("doctor.txt");
    assert!(
        doctor.contains("nothing to buy until there is room (6 jobs for ") && !doctor.contains("6 to buy"),
        "{doctor}"
    );
    assert!(doctor.contains(waits) && doctor.contains("; nothing of it until there is room"), "{doctor}");
    // Once it is fetched elsewhere, it is in nobody's way: one more, and what was printed goes on with the rest.
    assert_eq!(client.column("one.csv", "state").iter().filter(|state| *state != "pending").count(), 1);
    assert_eq!(sandbox.books().settled().len(), 6 + bought + 6);
}

/// What was made free for the files of one batch is not bought away by another one, of whose results nobody knows how long they will be:
/// what is paid for goes before what is not. What is in flight when that is seen may need more than is left: one film here.
#[test]
fn room_that_was_made_for_what_waits_is_not_bought_away() {
    let sandbox = Sandbox::start("--sandbox-video-kib 2048 --sandbox-pay-ms 2000");
    let client = Client::of(&sandbox);
    jobs(&client, "a.csv");
    jobs(&client, "b.csv");
    let script = r#"
        cp a.csv jobs.csv; "$@" --batch a --limit 2; echo "a $?"; waits=$(grep -c not_downloaded jobs.results.csv)
        cp b.csv jobs.csv; mount -o remount,size=$((64 + 2 * waits - 1))m videos; "$@" --batch b --dry-run; echo "lacking foretold $?"; "$@" --batch b; echo "lacking $?"
        mount -o remount,size=$((64 + 2 * waits + 1))m videos; "$@" --batch b --dry-run; echo "roomy foretold $?"
        mount -o remount,size=$((64 + 2 * waits + 5))m videos; "$@" --batch b; echo "b $?"
        "$@" --batch b --dry-run; echo "foretold $?"; PLAN --batch b --download videos; echo "planned $?"; "$@" --batch b; echo "once more $?"
        mount -o remount,size=$((64 + 2 * waits + 7))m videos; "$1" download --batch a; echo "fetched $?""#;
    let Some(ended) = scripted(&client, script) else { return };
    for end in [
        "a 3",
        "lacking foretold 3",
        "lacking 3",
        "roomy foretold 0",
        "b 3",
        "foretold 3",
        "planned 3",
        "once more 3",
        "fetched 0",
    ] {
        assert!(ended.stdout.contains(&format!("{end}\n")), "{end}: {ended}");
    }
    let bought = client.rows("jobs.b.results.csv").iter().filter(|row| row["state"] != "pending").count();
    assert!((1..=3).contains(&bought), "{bought}: {ended}");
    ended.saying("of the batch a; `").saying("each as long as the longest");
}

/// What is left beside a long film that waits for another batch is there for what is short.
#[test]
fn a_long_film_of_another_batch_keeps_no_more_room_than_it_needs() {
    let film = |mib_16ths: usize| [b"\x00\x00\x00\x20ftypisom".as_slice(), &vec![0; mib_16ths << 16]].concat();
    let (long, short) = (film(8 << 4), film(1));
    let sandbox = Sandbox::start("");
    let seller = Seller::before(
        &sandbox,
        |prompt| Sale::File(format!("{}.mp4", prompt.replace([' ', '.'], "-"))),
        move |file| Served::of("video/mp4", if file.contains("a-csv") { &long } else { &short }),
    );
    let client = Client::at(&sandbox.node, &seller.catalog, &sandbox);
    jobs(&client, "a.csv");
    jobs(&client, "b.csv");
    let script = r#"
        cp a.csv jobs.csv; "$@" --batch a --limit 1; echo "a $?"; cp b.csv jobs.csv; mount -o remount,size=75m videos
        "$@" --batch b --dry-run; echo "foretold $?"; "$@" --batch b; echo "b $?"; "$1" download --batch a; echo "fetched $?""#;
    let Some(ended) = scripted(&client, script) else { return };
    for end in ["a 3", "foretold 0", "b 0", "fetched 0"] {
        assert!(ended.stdout.contains(&format!("{end}\n")), "{end}: {ended}");
    }
}

/// How long a file is, is known also where its host names no version of it.
#[test]
fn what_waits_is_known_without_a_version() {
    let film = [b"\x00\x00\x00\x20ftypisom".as_slice(), &[0; 2 << 20]].concat();
    let sandbox = Sandbox::start("");
    let seller = Seller::before(
        &sandbox,
        |prompt| Sale::File(format!("{}.mp4", prompt.replace(' ', "-"))),
        move |_| Served::of("video/mp4", &film),
    );
    let client = Client::at(&sandbox.node, &seller.catalog, &sandbox);
    jobs(&client, "jobs.csv");
    let script = r#"
        "$@"; echo "first $?"; cp jobs.results.csv first.csv; "$@" --dry-run; echo "foretold $?"; PLAN --download videos; echo "planned $?"
        "$@"; echo "then $?"; ln -s videos also; export L402_BATCH_DOWNLOAD=also
        "$@" --dry-run; echo "also foretold $?"; "$@"; echo "also $?""#;
    let Some(ended) = scripted(&client, script) else { return };
    let ended = ended.saying("also foretold 3").saying("also 3");
    let ended =
        ended.saying("first 3").saying("foretold 3").saying("planned 3").saying("then 3").saying("from before wait");
    let bought = client.column("first.csv", "state").iter().filter(|state| *state != "pending").count();
    assert!((1..6).contains(&bought), "{ended}");
    assert_eq!(sandbox.books().settled().len(), bought);
}

/// A folder whose disk has gone is not filled, by whatever name it is called.
#[test]
fn a_disk_that_has_gone_is_missed_under_every_spelling() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, "jobs.csv");
    fs::create_dir(client.path("t")).unwrap();
    std::os::unix::fs::symlink("t/v", client.path("link")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=99m tmpfs t && mkdir t/v || exit 9
        export L402_BATCH_DOWNLOAD=link; "$@" --limit 1; echo "there $?"; umount t
        for folder in link t/v ./t/v t/../t/v t/./v/; do
            export L402_BATCH_DOWNLOAD=$folder; "$@"; echo "$folder $?"
        done"#;
    let Some(ended) = scripted(&client, script) else { return };
    let ended = ended.saying("there 3");
    for folder in ["link", "t/v", "./t/v", "t/../t/v", "t/./v/"] {
        assert!(ended.stdout.contains(&format!("{folder} 2\n")), "{folder}: {ended}");
    }
    ended.saying("another disk");
    assert_eq!(sandbox.books().settled().len(), 1);
    assert_eq!(fs::read_dir(client.path("t")).unwrap().count(), 0);
}
