//! `matrix`: its count is said before anything else, what is planned is bought, and a value that is added makes no other job of one before.

use crate::foretold::World;

const HEAD: &str = "version = 1\n[[job]]\nid = \"opening\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\n";

#[test]
fn a_matrix_is_planned_and_bought_and_grows() {
    let world = World::with("");
    let client = &world.client;
    let matrix = "matrix = { mode = [\"standard\", \"pro\"], duration = [3, 4] }\n";
    client.write("june.toml", &format!("{HEAD}{matrix}exclude = [{{ mode = \"pro\", duration = 4 }}]\n"));
    let words = "note: matrix of job \"opening\": 2 × 2 less 1 = 3 jobs\n";
    let plan = client.says("plan june.toml").with(0);
    assert!(plan.stderr.starts_with(words), "{}", plan.stderr);
    client.run("run june.toml --dry-run").with(0).saying(words);
    world.all_say("june.toml --only opening-standard-*", 3, 7 * 300_000);
    world.all_say("june.toml", 0, 3 * 450_000);
    let ids = ["opening-standard-3", "opening-standard-4", "opening-pro-3"];
    assert_eq!(client.column("june.results.csv", "id"), ids);
    assert_eq!(client.column("june.results.csv", "line"), ["2", "2", "2"]);
    // One value more, and the others in another order: that alone is bought.
    let matrix = "matrix = { mode = [\"pro\", \"standard\"], duration = [5, 4, 3] }\n";
    client.write("june.toml", &format!("{HEAD}{matrix}exclude = [{{ mode = \"pro\", duration = 4 }}]\n"));
    world.all_say("june.toml", 0, 5 * 300_000 + 5 * 450_000);
    // Another key makes another id, and what is bought is not bought again.
    client.write("june.toml", &format!("{HEAD}matrix = {{ duration = [5, 6] }}\nmode = \"pro\"\n"));
    world.all_say("june.toml", 6, 6 * 450_000);
    assert_eq!(client.column("june.results.csv", "reason").iter().filter(|reason| *reason == "duplicate").count(), 1);
}

#[test]
fn one_wrong_value_is_said_once_and_nothing_is_bought() {
    let world = World::with("");
    let client = &world.client;
    client.write("june.toml", &format!("{HEAD}matrix = {{ mode = [\"standard\", \"pro\"], duration = [3, 99] }}\n"));
    for command in ["plan june.toml", "plan june.toml --json"] {
        let ended = client.says(command).with(2).saying("june.toml:6:55");
        assert_eq!(ended.stderr.matches("expected an integer from 3 to 15, got 99").count(), 1, "{}", ended.stderr);
    }
    client.run("run june.toml").with(2).saying("june.toml:6:55");
    world.sandbox.books().are_empty();
}

#[test]
fn each_row_of_a_table_is_bought_in_each_combination() {
    let world = World::with("");
    let client = &world.client;
    client.write("shots.csv", "id,prompt,duration\na,a kite,\nb,a boat,\n");
    let rows = "[defaults]\nendpoint = \"generate-video\"\n[rows]\nfile = \"shots.csv\"\n";
    let manifest = |durations: &str| format!("{rows}matrix = {{ mode = [\"standard\"], duration = [{durations}] }}\n");
    client.write("june.toml", &manifest("3, 4"));
    let words = "note: matrix under [rows]: 1 × 2 = 2 jobs a row\n";
    let plan = client.says("plan june.toml").with(0);
    assert!(plan.stderr.starts_with(words), "{}", plan.stderr);
    world.all_say("june.toml", 0, 14 * 300_000);
    let ids = ["a-standard-3", "a-standard-4", "b-standard-3", "b-standard-4"];
    assert_eq!(client.column("june.results.csv", "id"), ids);
    assert_eq!(client.column("june.results.csv", "line"), ["2", "2", "3", "3"]);
    // One value more: that alone is bought, once for each row.
    client.write("june.toml", &manifest("5, 3, 4"));
    world.all_say("june.toml", 0, 10 * 300_000);
    // What a row gives, too, is nobody's guess.
    client.write("shots.csv", "id,prompt,duration\na,a kite,\nb,a boat,9\n");
    client.run("run june.toml").with(2).saying("shots.csv:3:10").saying("the row gives it, and so does the matrix");
}
