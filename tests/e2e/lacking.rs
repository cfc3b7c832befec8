//! What one job lacks (a body's file, a sane row) is that job's: the others go on, in every batch.

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::harness::{Client, PATIENCE, Sandbox};

fn wait_for_preimages(client: &Client, count: i64) {
    let give_up = Instant::now() + PATIENCE;
    let so_far = || -> Option<i64> {
        let conn = Connection::open(client.ledger()).ok()?;
        conn.query_row("SELECT count(*) FROM payments WHERE state = 'posted'", [], |row| row.get(0)).ok()
    };
    while so_far() != Some(count) {
        assert!(Instant::now() < give_up, "never: {count} payments posted");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_missing_body_and_a_damaged_row_hold_up_nobody_else() {
    let mut sandbox = Sandbox::start("--sandbox-redeem-error SERVICE_ERROR");
    let client = Client::of(&sandbox);
    let mut image = fs::read(client.path("picture.png")).unwrap();
    image.extend([b'a'; 60_000]);
    fs::write(client.path("big.png"), &image).unwrap();
    client.write(
        "mixed.csv",
        "id,endpoint,image,prompt,duration\na,animate-image,big.png,wave,\nb,generate-video,,moon,3\nc,generate-video,,sun,3\n",
    );
    client.write("other.csv", "id,endpoint,prompt,duration\nd,generate-video,star,3\n");
    for (name, posted) in [("mixed", 3), ("other", 4)] {
        let running = client.start(&format!("run {name}.csv"));
        wait_for_preimages(&client, posted);
        assert!(running.kill());
    }
    let bodies = client.ledger().with_file_name("ledger.db.bodies");
    let body = fs::read_dir(&bodies).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&body).unwrap();
    fs::write(client.path("big.png"), "another picture").unwrap();
    let preimage = "(SELECT p.id FROM payments p JOIN jobs j ON j.id = p.job WHERE j.job = 'c')";
    let conn = Connection::open(client.ledger()).unwrap();
    let sound: Vec<u8> =
        conn.query_row(&format!("SELECT preimage FROM payments WHERE id = {preimage}"), [], |row| row.get(0)).unwrap();
    conn.execute(&format!("UPDATE payments SET preimage = zeroblob(32) WHERE id = {preimage}"), []).unwrap();
    drop(conn);
    sandbox.restart_with("");

    let ended = client.run("recover --all").with(4);
    let ended = ended.saying(&format!("a: {} is missing", body.canonicalize().unwrap_or(body.clone()).display()));
    ended.saying("c: the ledger is damaged in a row of this job");
    client.says("status --batch other").with(0);
    let ended = client.says("status --batch mixed --all").with(4).saying("body_missing").saying("row_damaged");
    ended.saying("delivered       1");
    client.says("export --batch mixed").with(0);
    assert_eq!(client.column("mixed.results.csv", "next"), ["person", "none", "person"]);

    // The image is back: the body is made anew from it.
    fs::write(client.path("big.png"), &image).unwrap();
    client.run("recover --all").with(4);
    assert_eq!(client.column("mixed.results.csv", "state"), ["delivered", "delivered", "paid"]);
    let conn = Connection::open(client.ledger()).unwrap();
    conn.execute(&format!("UPDATE payments SET preimage = ?1 WHERE id = {preimage}"), [sound]).unwrap();
    conn.execute("UPDATE jobs SET extra = '{' WHERE job = 'b'", []).unwrap();
    drop(conn);
    client.run("recover --all").with(0);
    client.says("status --batch mixed --all").saying("row_damaged");
    client.run("run mixed.csv").with(0);
    assert_eq!(sandbox.books().settled().len(), 4);
}

/// What a batch remembers of its files is no other batch's trouble, and none of its money.
#[test]
fn what_one_batch_remembers_is_damaged_and_the_others_go_on() {
    let mut sandbox = Sandbox::start("--sandbox-redeem-error SERVICE_ERROR");
    let client = Client::of(&sandbox);
    for name in ["june", "july"] {
        client.write(&format!("{name}.csv"), &format!("id,endpoint,prompt,duration\na,generate-video,{name},3\n"));
    }
    for (name, posted) in [("june", 1), ("july", 2)] {
        let running = client.start(&format!("run {name}.csv"));
        wait_for_preimages(&client, posted);
        assert!(running.kill());
    }
    let conn = Connection::open(client.ledger()).unwrap();
    conn.execute("UPDATE batches SET remembered = '{' WHERE name = 'june'", []).unwrap();
    drop(conn);
    sandbox.restart_with("");
    client.says("batches").with(0).saying("june").saying("july");
    // Its purchase is finished like the other's; of its files nothing is known.
    client.run("recover --all").with(7).saying("damaged in what it remembers of the batch june");
    for batch in ["june", "july"] {
        client.says(&format!("status --batch {batch}")).with(0).saying("delivered       1");
    }
    assert_eq!(client.column("july.results.csv", "state"), ["delivered"]);
    client.run("run july.csv").with(0);
    let ended = client.run("run june.csv").with(7);
    ended.saying("damaged in what it remembers of the batch june").saying("ledger merge");
    client.run("run june.csv --dry-run").with(7);
    assert_eq!(sandbox.books().settled().len(), 2);
}
