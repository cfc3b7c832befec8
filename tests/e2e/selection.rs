//! `--only` by globs and files, and `--where`: what is counted is what is bought, and what chooses nothing buys nothing.

use crate::foretold::{VIDEO, World};

const FLAGS: &str = "--default endpoint=generate-video --default duration=3";
/// The rate of a video of three seconds in the mode `pro`, in millisatoshi.
const PRO: u64 = 1_350_000;
const SHOTS: &str = "id,prompt,Mode,x_scene\n\
    shot-1,a kite,standard,one\n\
    shot-2,a boat,pro,one\n\
    shot-10,a dog,standard,two\n\
    shot-*,a cat,standard,two\n\
    ünder,a tree,pro,\n";

#[test]
fn what_is_chosen_is_counted_and_bought() {
    let world = World::with("");
    let client = &world.client;
    client.write("june.csv", SHOTS);
    let june = format!("june.csv {FLAGS}");
    world.all_say(&format!("{june} --only shot-*"), 3, VIDEO);
    world.all_say(&format!("{june} --where x-scene=o* --where MODE=standard"), 3, VIDEO);
    client.write("ids.txt", "shot-1?\nshot-2\n");
    world.all_say(&format!("{june} --only @ids.txt --where params.mode=pro"), 3, PRO);
    // Of what is left, nobody withdraws anything: the others are bought by a run that chooses nothing.
    world.all_say(&format!("{june} --where id=?nder --where x_scene="), 3, PRO);
    world.all_say(&june, 0, VIDEO);
}

#[test]
fn stored_jobs_of_a_results_file_are_chosen_likewise() {
    let world = World::with("");
    let client = &world.client;
    client.write("june.csv", SHOTS);
    let june = format!("june.csv {FLAGS}");
    world.all_say(&format!("{june} --only shot-1"), 3, VIDEO);
    std::fs::rename(client.path("june.results.csv"), client.path("left.csv")).unwrap();
    world.all_say("left.csv --where mode=pro --where x_scene=one", 3, PRO);
    client.run("run left.csv --only shot-7*").with(2).saying("the file has no row whose id is like that");
    client.run("run left.csv --where mode=fast").with(2).saying("no job is so").saying("\"pro\", \"standard\"");
    world.all_say("left.csv --only shot-1*,ünder", 3, VIDEO + PRO);
}

#[test]
fn what_chooses_nothing_buys_nothing() {
    let world = World::with("");
    let client = &world.client;
    client.write("june.csv", SHOTS);
    client.write("ids.txt", "shot-1\nshot-3\n");
    for (choice, words) in [
        ("--only clip*", "--only clip*: the manifest has no job whose id is like that; nothing was bought"),
        ("--only sho-1,shot-1", "did you mean shot-1? "),
        ("--only @ids.txt", "--only @ids.txt: line 2: shot-3: the manifest has no job of that id"),
        ("--only @gone.txt", "--only @gone.txt: the manifest has no job of that id, and it is no file of ids"),
        ("--where moode=pro", "--where moode=pro: no job has such a column; nothing was bought"),
        ("--where moode=pro", "did you mean mode? the columns are id, endpoint, prompt, "),
        ("--where x_sheet=1", "--where x_sheet=1: no job has anything in such a column; nothing was bought"),
        ("--where x_sheet=1", "x_scene"),
        // A glob is no path: `**/` is not nothing.
        ("--where prompt=**/a?kite", "no job is so; nothing was bought"),
        ("--where mode=fast", "--where mode=fast: no job is so; nothing was bought"),
        ("--where mode=pro --where x_scene=two", "--where mode=pro --where x_scene=two: no job is so"),
        ("--only shot-1 --where mode=pro", "none of the jobs that --only names is so"),
        ("--where mode", "expected COLUMN=GLOB"),
        ("--where mode=[", "is no glob"),
    ] {
        for line in [format!("run june.csv {FLAGS} {choice}"), format!("run june.csv {FLAGS} {choice} --dry-run")] {
            client.run(&line).with(2).saying(words);
        }
        client.says(&format!("plan june.csv {FLAGS} {choice}")).with(2).saying(words);
    }
    world.sandbox.books().are_empty();
    assert!(!client.ledger().exists(), "and nothing is left behind");
}
