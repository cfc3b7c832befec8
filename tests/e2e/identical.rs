//! Identical requests: each purchase gets a video of its own.

use std::collections::HashSet;

use crate::harness::{Client, Sandbox};

/// So long a cache that no test sees its end: only the header leads past it.
const LONG: &str = "--sandbox-dedup-s 36000";

/// Jobs with one body, and what the manifest says of the endpoint.
fn identicals(count: usize, endpoint: &str) -> String {
    let job =
        |n| format!("\n[[job]]\nid = \"t{n}\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n");
    let jobs: String = (1..=count).map(job).collect();
    format!("version = 1\n\n[endpoint.generate-video]\n{endpoint}\n{jobs}")
}

/// So many purchases, of one body, each paid once and each with a video of its own.
#[track_caller]
fn each_has_its_own(sandbox: &Sandbox, count: usize) {
    let books = sandbox.books();
    let paid: Vec<_> = books.sales.iter().filter(|sale| sale.paid).collect();
    assert_eq!((paid.len(), books.settled().len()), (count, count), "{books:?}");
    let bodies: HashSet<_> = paid.iter().map(|sale| &sale.body_sha256).collect();
    let videos: HashSet<_> = paid.iter().filter_map(|sale| sale.video.as_deref()).collect();
    assert_eq!((bodies.len(), videos.len()), (1, count), "{books:?}");
}

#[test]
fn two_jobs_takes_and_batches_with_the_header_need_no_window() {
    let sandbox = Sandbox::start(LONG);
    let client = Client::of(&sandbox);
    let manifest = identicals(3, "dedup_window_s = 36000");
    client.write("june.toml", &manifest);
    client.run("run june.toml").with(0);
    each_has_its_own(&sandbox, 3);
    client.run("run june.toml --retake t2").with(0);
    each_has_its_own(&sandbox, 4);
    client.write("july.toml", &manifest);
    client.run("run july.toml --only t1 --duplicates buy").with(6);
    each_has_its_own(&sandbox, 5);
    let urls: HashSet<_> = client.column("june.results.csv", "url").into_iter().collect();
    assert_eq!(urls.len(), 3);
}

#[test]
fn accepted_identical_requests_have_their_own_poll_addresses() {
    let sandbox = Sandbox::start(&format!("{LONG} --sandbox-accept --sandbox-accept-ms 300"));
    let client = Client::of(&sandbox);
    client.write("june.toml", &identicals(4, "dedup_window_s = 36000"));
    client.run("run june.toml").with(0);
    each_has_its_own(&sandbox, 4);
}

/// Content is told apart like addresses are: what comes in the answer itself has none.
#[test]
fn identical_requests_in_the_answer_itself_have_a_file_each() {
    let sandbox = Sandbox::start(&format!("{LONG} --sandbox-in-answer data-uri"));
    let client = Client::of(&sandbox);
    client.write("june.toml", &identicals(3, "dedup_window_s = 36000"));
    client.run("run june.toml --download videos").with(0);
    each_has_its_own(&sandbox, 3);
    let digests: HashSet<_> = client.column("june.results.csv", "sha256").into_iter().collect();
    assert_eq!(digests.len(), 3, "{digests:?}");
}

#[test]
fn without_a_header_a_window_lies_between_them() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 1");
    let client = Client::of(&sandbox);
    client.write("june.toml", &identicals(3, "bypass_header = \"\"\ndedup_window_s = 2"));
    client.run("run june.toml").with(0);
    each_has_its_own(&sandbox, 3);
}

/// The service has changed the name of its header, and nobody knows: two payments, one video. The second is not called
/// delivered, nothing more is paid, and the video is the file of one job alone.
#[test]
fn an_identical_request_s_video_is_not_taken_for_a_second_one() {
    std::thread::scope(|scope| {
        for in_answer in ["", " --sandbox-in-answer base64"] {
            scope.spawn(move || one_video_for_two(in_answer));
        }
    });
}

fn one_video_for_two(in_answer: &str) {
    let sandbox = Sandbox::start(&format!("{LONG}{in_answer}"));
    let client = Client::of(&sandbox);
    client.write("june.toml", &identicals(2, "bypass_header = \"X-Fresh\"\ndedup_window_s = 1"));
    let running = client.start("run june.toml --json --download videos");
    running.wait_for("answered_from_cache");
    running.wait_for("\"state\":\"downloaded\"");
    running.signal(rustix::process::Signal::INT);
    running.end().with(130);
    assert_eq!(client.column("june.results.csv", "state"), ["downloaded", "paid"]);
    assert_eq!(client.column("june.results.csv", "reason"), ["", "answered_from_cache"]);
    assert!(client.column("june.results.csv", "error")[1].contains("identical request"));
    assert_eq!(client.column("june.results.csv", "file")[1], "");
    assert_eq!(client.rows("june.receipts.csv").len(), 2, "paid is paid");
    assert_eq!(sandbox.books().settled().len(), 2);
    client.says("download june.toml").with(3);
    assert_eq!(std::fs::read_dir(client.path("videos")).unwrap().count(), 1);
}
