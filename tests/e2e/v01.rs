//! What version 0.1.0 left: its ledger in every state that a job can be left in, a body, receipts, and the sandbox's books
//! of the same purchases. The new version goes on with it and buys nothing twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::harness::{Client, Sandbox};

const RUN: &str = "--default endpoint=generate-video --default duration=3";

fn left(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/v01").join(name)
}

/// The sandbox, whose addresses the ledger names, and the client with the ledger in its place.
fn as_it_was_left() -> (Sandbox, Client) {
    let sandbox = Sandbox::going_on_with(&left("sandbox"), "--sandbox-credential-s 2000000000");
    let client = Client::of(&sandbox);
    std::fs::create_dir_all(client.ledger().parent().unwrap()).unwrap();
    let conn = Connection::open(client.ledger()).unwrap();
    let desk = client.path("").canonicalize().unwrap();
    let desk = desk.to_str().unwrap().trim_end_matches('/').to_owned();
    let dump = std::fs::read_to_string(left("ledger.sql")).unwrap();
    conn.execute_batch(&dump.replace("/DESK", &desk)).unwrap();
    conn.execute_batch("PRAGMA application_id = 0x4c34426b; PRAGMA user_version = 1").unwrap();
    drop(conn);
    let bodies = client.ledger().with_file_name("ledger.db.bodies");
    std::fs::create_dir(&bodies).unwrap();
    for file in std::fs::read_dir(left("")).unwrap().map(Result::unwrap) {
        let name = file.file_name().into_string().unwrap();
        if name.ends_with(".receipts.csv") {
            std::fs::copy(file.path(), client.path(&name)).unwrap();
        } else if !name.contains('.') && name != "sandbox" {
            std::fs::copy(file.path(), bodies.join(&name)).unwrap();
        }
    }
    let rows = [
        ("plain", "id,prompt,x_note\n1,kite one,first\n2,kite two,\n3,kite three,\n"),
        ("files", "id,prompt\n1,boat one\n2,boat two\n"),
        ("small", "id,prompt\n1,sun one\n"),
        ("failing", "id,prompt\n1,rain one\n"),
        ("lost", "id,prompt\n1,snow one\n2,snow two\n"),
        ("refund", "id,prompt\n1,hail one\n"),
        ("owed", "id,prompt\n1,moon one\n"),
        ("killed", "id,prompt\n1,wave three\n"),
        (
            "doubt",
            "id,endpoint,image,prompt,duration\n1,animate-image,big.png,wave one,\n2,generate-video,,wave two,3\n",
        ),
    ];
    for (name, text) in rows {
        client.write(&format!("{name}.csv"), text);
    }
    let mut image = std::fs::read(client.path("picture.png")).unwrap();
    image.extend([b'a'; 48_500]);
    std::fs::write(client.path("big.png"), image).unwrap();
    (sandbox, client)
}

#[test]
fn what_0_1_left_is_finished_and_nothing_is_bought_twice() {
    let (sandbox, client) = as_it_was_left();
    // What was on its way at the node settles as soon as it is there again.
    let before = 9;
    client.says("status --batch plain --all").with(3).saying("delivered").saying("pending");
    client.says("status --batch lost").with(4).saying("invalid_input");
    client.says("batches").with(0).saying("doubt");

    client.run("recover --all").with(4);
    for (name, state) in
        [("owed", "delivered"), ("killed", "delivered"), ("files", "downloaded"), ("refund", "refunded")]
    {
        client.says(&format!("status --batch {name} --all")).saying(state);
    }
    client.says("status --batch doubt").with(0);
    assert_eq!(sandbox.books().settled().len(), before + 3, "what was on its way has come, and nothing else");

    for name in ["plain", "files", "small", "failing", "owed", "killed"] {
        client.run(&format!("run {name}.csv {RUN}")).with(0);
    }
    client.run("run doubt.csv").with(0);
    for name in ["lost", "refund"] {
        client.run(&format!("run {name}.csv {RUN}")).with(4);
    }
    let books = sandbox.books();
    assert_eq!(books.settled().len(), before + 6, "pending, failed and refused ones are bought: one each");
    let mut paid: HashMap<&str, usize> = HashMap::new();
    for sale in books.sales.iter().filter(|sale| sale.paid) {
        *paid.entry(&sale.body_sha256).or_default() += 1;
    }
    assert_eq!(
        paid.values().filter(|times| **times > 1).count(),
        1,
        "the one that 0.1 was told to buy once more: {paid:?}"
    );
    client.asks_node("audit").with(0);
}
