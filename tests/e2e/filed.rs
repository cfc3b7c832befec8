//! Where files are put, and what stands beside them: folders of a name, and sidecars.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;

use crate::downloads::sha256;
use crate::harness::{Client, Sandbox};

const RUN: &str = "run jobs.csv --default endpoint=generate-video --default duration=3 --download videos --download-name {x_scene}/{id}";

fn shots(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.csv", "id,prompt,x_scene\na,kite,harbour\nb/../c,boat,../../up\nd,dog,\n");
    client
}

/// All files below a folder, by their paths from there.
fn below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(below(&entry.path()).into_iter().map(|path| format!("{name}/{path}")));
        } else {
            found.insert(name);
        }
    }
    found
}

fn are(found: &BTreeSet<String>, expected: &[&str]) {
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_name_leads_into_folders_and_no_value_leads_anywhere() {
    let sandbox = Sandbox::start("");
    let client = shots(&sandbox);
    client.run(RUN).with(0);
    let films = ["_.._up/b_.._c.mp4", "_/d.mp4", "harbour/a.mp4"];
    are(&below(&client.path("videos")), &films);
    assert_eq!(client.files(), ["jobs.csv", "jobs.receipts.csv", "jobs.results.csv", "picture.png", "videos"]);
    for row in client.rows("jobs.results.csv") {
        assert_eq!(row["sha256"], sha256(&fs::read(&row["file"]).unwrap()), "{row:?}");
    }
    // The next ones go where these went, and a later take stands beside the first.
    fs::remove_dir_all(client.path("videos/harbour")).unwrap();
    client.says("download jobs.csv --missing").with(0);
    are(&below(&client.path("videos")), &films);
    client.run(&format!("{RUN} --retake a")).with(0);
    assert!(client.path("videos/harbour/a-take2.mp4").exists());
    assert_eq!(sandbox.books().settled().len(), 4);
}

#[test]
fn a_file_where_a_folder_would_be_keeps_its_own_files_away() {
    let sandbox = Sandbox::start("");
    let client = shots(&sandbox);
    client.write("videos/harbour", "somebody's");
    client.run(RUN).with(3).saying("a file stands where a folder of its name would be");
    assert_eq!(client.column("jobs.results.csv", "state"), ["delivered", "downloaded", "downloaded"]);
    assert_eq!(client.read("videos/harbour"), "somebody's");
    fs::remove_file(client.path("videos/harbour")).unwrap();
    client.says("download jobs.csv").with(0);
    assert_eq!(client.column("jobs.results.csv", "state"), ["downloaded"; 3]);
    assert_eq!(sandbox.books().settled().len(), 3);
}

fn sidecar(client: &Client, film: &str) -> Value {
    serde_json::from_str(&client.read(&format!("videos/{film}.json"))).unwrap()
}

#[test]
fn a_sidecar_tells_what_a_file_is_and_proves_nothing() {
    let sandbox = Sandbox::start("");
    let client = shots(&sandbox);
    client.run(RUN).with(0);
    assert_eq!(below(&client.path("videos")).len(), 3, "nobody has asked for more");
    client.run(&format!("{RUN} --sidecars")).with(0);
    let films = ["_.._up/b_.._c.mp4", "_/d.mp4", "harbour/a.mp4"];
    assert_eq!(below(&client.path("videos")).len(), 6, "what was here gets one, too");
    let (results, receipts) = (client.rows("jobs.results.csv"), client.rows("jobs.receipts.csv"));
    for (film, id) in films.iter().zip(["b/../c", "d", "a"]) {
        let told = sidecar(&client, film);
        let row = results.iter().find(|row| row["id"] == id).unwrap();
        let receipt = receipts.iter().find(|row| row["id"] == id).unwrap();
        for (field, cell) in [
            ("sha256", &row["sha256"]),
            ("url", &row["url"]),
            ("paid_at", &receipt["paid_at"]),
            ("payment_hash", &receipt["payment_hash"]),
        ] {
            assert_eq!(told[field], **cell, "{field}");
        }
        assert_eq!(told["fee_msat"].to_string(), row["fee_msat"]);
        assert_eq!((&told["type"], &told["id"]), (&Value::from("sidecar"), &Value::from(id)));
        let said = (told["params"]["prompt"].as_str(), told["extra"]["x_scene"].as_str().unwrap_or_default());
        assert_eq!(said, (Some(&*row["prompt"]), &*row["x_scene"]));
        let text = told.to_string();
        assert!(!text.contains(&receipt["preimage"]) && !text.contains(&receipt["invoice"]), "{text}");
        let about = fs::metadata(client.path(&format!("videos/{film}.json"))).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    // One that says what it would say is not written again; one that is gone is, by whatever fetches.
    let inode = |film: &str| fs::metadata(client.path(&format!("videos/{film}.json"))).unwrap().ino();
    let before = inode(films[0]);
    let gone = client.path(&format!("videos/{}.json", films[2]));
    for line in [&format!("{RUN} --sidecars"), "recover jobs.csv --sidecars", "download jobs.csv --sidecars"] {
        fs::remove_file(&gone).unwrap();
        let ended = if line.starts_with("download") { client.says(line) } else { client.run(line) };
        ended.with(0);
        assert!(gone.exists(), "{line}");
    }
    assert_eq!(inode(films[0]), before);
    // A film that was moved has taken its own along.
    fs::remove_dir_all(client.path("videos/_")).unwrap();
    client.says("download jobs.csv --sidecars").with(0);
    assert!(!client.path("videos/_").exists());
    assert_eq!(sandbox.books().settled().len(), 3);
}

#[test]
fn a_sidecar_replaces_nothing_of_somebody_else() {
    let sandbox = Sandbox::start("");
    let client = shots(&sandbox);
    client.write("videos/harbour/a.mp4.json", "{\"mine\": true}");
    client.run(&format!("{RUN} --sidecars")).with(0).saying("a.mp4.json cannot be written: somebody else's file");
    assert_eq!(client.read("videos/harbour/a.mp4.json"), "{\"mine\": true}");
    assert_eq!(sidecar(&client, "_/d.mp4")["id"], "d");
}
