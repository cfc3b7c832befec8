//! From the night's takes to the next night: contact sheet, marks, and what is bought once more.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Browser, Client, Sandbox};

const SHOTS: &str = "id,prompt,duration,x_scene\n\
    kite,\"A kite </script><script>alert(1)</script> & \"\"quoted\"\"\",3,beach\n\
    rtl,\u{645}\u{631}\u{62d}\u{628}\u{627} a prompt,3,beach\n\
    lamp,A lighthouse in the fog,3,night\n";
const RUN: &str = "run shots.csv --default endpoint=generate-video --download videos";

/// A batch of three, all of it here, and its contact sheet.
fn three_shots() -> (Sandbox, Client) {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("shots.csv", SHOTS);
    client.run(&format!("{RUN} --report sheet")).with(0).saying("contact sheet: sheet/index.html");
    (sandbox, client)
}

fn marks(client: &Client) -> Vec<(String, String, String)> {
    let listed = client.says("takes list shots.csv --all --json").with(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let takes = listed["takes"].as_array().unwrap().iter();
    takes
        .map(|take| (format!("{}@{}", word(&take["id"]), take["take"]), word(&take["mark"]), word(&take["note"])))
        .collect()
}

fn marked(take: &str, mark: &str, note: &str) -> (String, String, String) {
    (take.to_owned(), mark.to_owned(), note.to_owned())
}

#[test]
fn each_rejected_take_is_bought_once_more_by_its_word_alone() {
    let (sandbox, client) = three_shots();
    let settled = || sandbox.books().settled().len();
    client.says("takes pick shots.csv kite").with(0).saying("1 take: 1 picked; nothing is bought by that");
    client.says("takes reject --batch shots rtl@1 lamp").with(0).saying("2 rejected");
    client.says("takes clear rtl").with(0).saying("1 without a mark");
    client.run(RUN).with(0);
    assert_eq!(settled(), 3, "a mark buys nothing");
    client.run(&format!("{RUN} --retake-rejected --dry-run")).with(0).saying("1 to buy");
    client.run(&format!("{RUN} --retake-rejected --max-sats 1")).with(8);
    for _ in 0..3 {
        client.run(&format!("{RUN} --retake-rejected")).with(0).not_saying("--retake-rejected");
        assert_eq!(settled(), 4, "the same command is the same word");
    }
    let expected = [("kite@1", "pick"), ("rtl@1", "-"), ("lamp@1", "reject"), ("lamp@2", "-")];
    assert_eq!(marks(&client), expected.map(|(take, mark)| marked(take, mark, "")));
    client.says("takes reject shots.csv lamp").with(2).saying("the job lamp has 2 takes");
    client.says("takes reject shots.csv lamp@2").with(0);
    client.run(&format!("{RUN} --retake-rejected --only kite")).with(0);
    assert_eq!(settled(), 4, "words are about the chosen jobs");
    client.run(&format!("{RUN} --retake-rejected")).with(0);
    assert_eq!(settled(), 5, "what replaced it was rejected, too");
    client.says("status shots.csv --job lamp").saying("retake: lamp@1").saying("retake: lamp@2");
}

/// Of three takes that are planned of a shot the best is picked: that the others are rejected asks for no further ones.
#[test]
fn the_pick_of_a_planned_take_is_its_shots() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("shots.csv", "id,prompt,duration,repeat\nkite,A kite,3,3\nlamp,A lamp,3,2\n");
    client.run(RUN).with(0);
    client.says("takes reject shots.csv kite kite.t3 lamp lamp.t2").with(0);
    client.says("takes pick shots.csv kite.t2").with(0);
    client.run(&format!("{RUN} --retake-rejected --dry-run")).with(0).saying("2 to buy");
    client.run(&format!("{RUN} --retake-rejected")).with(0);
    assert_eq!(sandbox.books().settled().len(), 7);
    let bought_anew: Vec<String> =
        marks(&client).into_iter().map(|(take, ..)| take).filter(|take| take.ends_with("@2")).collect();
    assert_eq!(bought_anew, ["lamp@2", "lamp.t2@2"]);
}

#[test]
fn marks_of_a_file_are_taken_in_all_or_none() {
    let (_sandbox, client) = three_shots();
    let nothing = [("kite@1", "-"), ("rtl@1", "-"), ("lamp@1", "-")].map(|(take, mark)| marked(take, mark, ""));
    // As a spreadsheet of another country saves it.
    let wrong = "batch;id;take;mark;note\r\nshots;kite;1;pick;\r\nshots;kite;2;pick;\r\n;lamp;1;Reject;\r\njuly;rtl;0;maybe;\r\n";
    client.write("wrong.csv", wrong);
    let said = client.says("takes read wrong.csv").with(2).saying("batch: empty").saying("no batch named july");
    let said =
        said.saying("take: expected a number from 1 on, got \"0\"").saying("got \"maybe\"").saying("wrong.csv:4");
    said.saying("nothing was marked");
    client.write("twice.csv", "batch,id,take,mark\nshots,kite,1,pick\nshots,kite,1,reject\n");
    client.says("takes read twice.csv").with(2).saying("kite@1 stands twice, and not alike").saying("twice.csv:3");
    client.write("none.csv", "batch,id,take,mark\nshots,kite,1,pick\nshots,kite,2,pick\nshots,boat,1,pick\n");
    let said = client.says("takes read none.csv").with(2).saying("the latest take of that job is kite@1");
    said.saying("boat@1: the batch has no such job").saying("none.csv:4");
    client.write("lacking.csv", "batch,id,mark\nshots,kite,pick\n");
    client.says("takes read lacking.csv").with(2).saying("there is no column take");
    assert_eq!(marks(&client), nothing);

    client.write(
        "marks.csv",
        "\u{feff}batch;id;take;mark;note\r\nshots;kite;1;PICK;'=good\r\n;lamp;1;reject;\"odd; hands\"\r\n",
    );
    client.says("takes read marks.csv --batch shots").with(0).saying("2 takes: 1 picked, 1 rejected");
    let expected =
        [marked("kite@1", "pick", "=good"), marked("rtl@1", "-", ""), marked("lamp@1", "reject", "odd; hands")];
    assert_eq!(marks(&client), expected);
    let listed = client.says("takes list shots.csv").with(0).saying("1 picked, 1 rejected").not_saying("rtl").stdout;
    assert!(listed.contains("kite     1  pick    downloaded  =good"), "{listed}");
    // What is listed as CSV is read again.
    client.write("again.csv", &client.says("takes list shots.csv --all --format csv").with(0).stdout);
    client.says("takes read again.csv").with(0).saying("3 takes: 1 picked, 1 rejected, 1 without a mark");
    assert_eq!(marks(&client), expected);
}

#[test]
fn a_file_of_marks_that_may_mean_something_else_marks_nothing() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("shots.csv", "id,prompt,duration\n010,A kite,3\n10,A lamp,3\nboat,A boat,3\n0x7,A tree,3\n");
    client.run(RUN).with(0);
    let refuses = |text: &str, line: u32, words: &str| {
        client.write("marks.csv", text);
        let said = client.says("takes read marks.csv").with(2).saying(words).saying("; nothing was marked");
        said.saying(&format!("marks.csv:{line}"));
    };
    let head = "batch,id,take,mark,note\n";
    // As a spreadsheet saves what stood for 010.
    refuses(&format!("{head}shots,10,1,reject,\n"), 2, "10 and 010 are two jobs of the batch");
    refuses(&format!("{head}shots,boat,1,pick,\nshots,X7,1,reject,\n"), 3, "may have made that of 0x7");
    refuses(&format!("{head}shots,boat,1,reject,\"odd\nshots,010,1,pick,\nshots,10,1,pick,\n"), 2, "never closed");
    refuses("batch,id,take,mark,mark\nshots,boat,1,pick,reject\n", 1, "the column mark stands twice");
    client.write("marks.csv", &format!("{head}{}", "shots,boat,1,pick,,odd\n".repeat(5)));
    client.says("takes read marks.csv").with(2).saying("the row has 6 cells").not_saying("there is no column");
    assert!(marks(&client).iter().all(|(_, mark, _)| mark == "-"), "{:?}", marks(&client));
    client.write("marks.csv", "sep=;\nbatch;id;take;mark\nshots;010;1;reject\nshots;10;1;\n");
    client.says("takes read marks.csv").with(0).saying("1 rejected, 1 without a mark");
    client.says("takes pick shots.csv boat boat@1").with(0).saying("1 take: 1 picked");
    assert_eq!(marks(&client)[0], marked("010@1", "reject", ""));
}

#[test]
fn a_contact_sheet_replaces_no_other_folder_and_stops_no_run() {
    let (sandbox, client) = three_shots();
    let page = client.read("sheet/index.html");
    assert_eq!(page.matches("<article").count(), 3);
    let at = client.path("");
    assert!(!page.contains(&*at.to_string_lossy()), "it names no folder");
    client.says("report videos shots.csv").with(2).saying("holds something that is no contact sheet of this batch");
    client.run(&format!("{RUN} --report videos")).with(2).saying("no contact sheet of this batch");
    client.run(&format!("{RUN} --report videos --dry-run")).with(2).saying("no contact sheet of this batch");
    client.run(&format!("{RUN} --report new --dry-run")).with(0);
    assert!(!client.path("new").exists(), "a dry run writes nothing");
    client.run(&format!("{RUN} --batch july --report sheet")).with(2).saying("no contact sheet of this batch");
    assert_eq!(sandbox.books().settled().len(), 3, "said before anything is bought");
    client.says("takes reject shots.csv lamp").with(0);
    client.says("report sheet shots.csv").with(0).saying("sheet/index.html");
    assert!(client.read("sheet/index.html").contains("data-mark=\"reject\""));
    // What cannot be written by then is a warning.
    std::fs::remove_file(client.path("sheet/index.html")).unwrap();
    std::fs::create_dir(client.path("sheet/index.html")).unwrap();
    client.run(&format!("{RUN} --report sheet --overwrite")).with(2).saying("sheet cannot be used");
    // A run that is refused shows what there is.
    client.write("more.csv", &format!("{SHOTS}more,One more,3,night\n"));
    let refused = format!("{} --batch shots --adopt --report later --max-sats 1", RUN.replace("shots.csv", "more.csv"));
    client.run(&refused).with(8).saying("contact sheet: later/index.html");
    assert_eq!(client.read("later/index.html").matches("<article").count(), 3);
}

/// What each take is marked and noted as, as the page shows it.
const MARKS: &str =
    "return [...document.querySelectorAll('.take')].map(t => t.dataset.mark + ':' + t.querySelector('.note').value)";

/// What a script finds by the first element of a selector.
fn of(browser: &Browser, selector: &str, what: &str) -> Value {
    browser.script(&format!("return document.querySelector('{selector}').{what}"))
}

/// Marks the first take, rejects the second with a note, and rejects the third, by the keyboard alone.
fn mark_by_keys(browser: &Browser) {
    browser.types("jpjrn");
    browser.types("odd, \"hands\"\u{e00c}");
    browser.types("j");
    assert_eq!(browser.script("return document.activeElement.dataset.id"), "lamp");
    browser.types("r");
    let counts = of(browser, "#counts", "textContent");
    assert!(counts.as_str().unwrap().contains("lamp@1 rejected"), "a screen reader hears it: {counts}");
    let label = browser.script("return document.activeElement.getAttribute('aria-label')");
    assert_eq!(label, "lamp, take 1, downloaded, rejected");
}

fn filter_and_search(browser: &Browser) {
    let shown = |of: &str| {
        let ids = "[...document.querySelectorAll('.take:not([hidden])')].map(t => t.dataset.id).join()";
        assert_eq!(browser.script(&format!("return {ids}")), of);
    };
    let choose = |id: &str, value: &str| {
        browser.script(&format!(
            "const e = document.getElementById('{id}'); e.value = '{value}'; e.dispatchEvent(new Event('input'))"
        ));
    };
    choose("mark", "pick");
    shown("kite");
    choose("mark", "");
    choose("search", "LIGHTHOUSE night");
    shown("lamp");
    choose("search", "nowhere");
    shown("");
    assert_eq!(of(browser, "#none", "hidden"), false);
    choose("search", "");
    shown("kite,rtl,lamp");
}

fn play_under_the_mouse(browser: &Browser) {
    assert_eq!(of(browser, "video", "readyState"), 0, "nothing is loaded by itself");
    browser.hovers("video");
    browser.wait_until("document.querySelector('video').currentTime > 0");
    browser.picture("playing");
    browser.hovers("h1");
    browser.wait_until("document.querySelector('video').paused");
}

fn look_at_it(browser: &Browser) {
    let background = || browser.script("return getComputedStyle(document.body).backgroundColor");
    browser.likes("light");
    let light = background();
    browser.likes("dark");
    assert_ne!(background(), light);
    browser.picture("dark");
    let unnamed = "return [...document.querySelectorAll('button, input, select, video, [tabindex]')].filter(e => \
        !(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label'))).length";
    assert_eq!(browser.script(unnamed), 0, "each control has a name");
}

/// Everything a person does with it, in a real browser.
#[test]
fn a_contact_sheet_is_used_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let (sandbox, client) = three_shots();
    let sheet: PathBuf = client.path("sheet/index.html");
    browser.open(&sheet);
    let prompt = "A kite </script><script>alert(1)</script> & \"quoted\"";
    assert_eq!(of(&browser, "#s1 + .prompt", "textContent"), prompt);
    assert_eq!(browser.script("return getComputedStyle(document.querySelector('#s2 + .prompt')).direction"), "rtl");
    let counts = of(&browser, "#counts", "textContent");
    assert_eq!(counts, "3 of 3 takes shown \u{b7} 0 picked \u{b7} 0 rejected");
    mark_by_keys(&browser);
    let expected = serde_json::json!(["pick:", "reject:odd, \"hands\"", "reject:"]);
    assert_eq!(browser.script(MARKS), expected);
    browser.picture("marked");
    browser.open(&sheet);
    assert_eq!(browser.script(MARKS), expected, "kept over a reload");
    filter_and_search(&browser);
    play_under_the_mouse(&browser);
    look_at_it(&browser);

    browser.script("document.getElementById('save').click()");
    let saved = browser.saved("shots.marks.csv");
    let rows = "shots,kite,1,pick,\r\nshots,rtl,1,reject,\"odd, \"\"hands\"\"\"\r\nshots,lamp,1,reject,\r\n";
    assert_eq!(saved, format!("batch,id,take,mark,note\r\n{rows}"));
    let (complaints, asked) = browser.complaints_and_requests();
    assert_eq!(complaints, Vec::<String>::new());
    assert!(asked.iter().any(|url| url.contains("/sheet/media/")), "{asked:?}");
    // What is `chrome:` is the browser's own empty page, before ours.
    let leaves = |url: &&String| !["file:", "blob:", "data:", "chrome:"].iter().any(|kind| url.starts_with(kind));
    assert_eq!(asked.iter().find(leaves), None, "no request leaves");

    client.write("shots.marks.csv", &saved);
    client.says("takes read shots.marks.csv").with(0).saying("3 takes: 1 picked, 2 rejected");
    client.run(&format!("{RUN} --retake-rejected --report sheet")).with(0);
    assert_eq!(sandbox.books().settled().len(), 5);
    browser.open(&sheet);
    let takes =
        "[...document.querySelectorAll('.take')].map(t => t.dataset.id + t.dataset.take + t.dataset.mark).join()";
    let expected = "kite1pick,rtl1reject,rtl2,lamp1reject,lamp2";
    assert_eq!(browser.script(&format!("return {takes}")), expected);
}

/// What is shown, by the names that commands take.
const SHOWN: &str =
    "[...document.querySelectorAll('.take:not([hidden])')].map(t => t.dataset.id + '@' + t.dataset.take).join()";

/// Three takes of a shot are planned, and one of them was bought once more: all are marked by the names that commands take.
#[test]
fn planned_takes_of_a_shot_stand_side_by_side_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("shots.csv", "id,prompt,duration,repeat\nkite,A kite,3,3\nlamp,A lamp,3,\n");
    client.run(RUN).with(0);
    client.run(&format!("{RUN} --retake kite.t2 --report sheet")).with(0);
    assert_eq!(sandbox.books().settled().len(), 5);
    let sheet = client.path("sheet/index.html");
    browser.open(&sheet);
    let shown = || browser.script(&format!("return {SHOWN}"));
    assert_eq!(shown(), "kite@1,kite.t2@1,kite.t2@2,kite.t3@1,lamp@1");
    let of_shots = "[...document.querySelectorAll('.shot')].map(s => s.querySelectorAll('.take').length).join()";
    assert_eq!(browser.script(&format!("return {of_shots}")), "4,1");
    let headings = "[...document.querySelectorAll('h3')].map(h => h.textContent).join('|')";
    let headings = browser.script(&format!("return {headings}"));
    let expected = "kite, take 1 downloaded|kite.t2, take 1 downloaded, replaced|kite.t2, take 2 downloaded|kite.t3, take 1 downloaded|Take 1 downloaded";
    assert_eq!(headings, expected);
    browser.picture("planned");
    // The same keys lead through all of them, and a screen reader hears the name that a command takes.
    browser.types("jjjpjr");
    let label = "document.querySelector('[data-id=\"kite.t2\"][data-take=\"2\"]').getAttribute('aria-label')";
    assert_eq!(browser.script(&format!("return {label}")), "kite.t2, take 2, downloaded, picked");
    assert_eq!(
        browser.script("return document.activeElement.getAttribute('aria-label')"),
        "kite.t3, take 1, downloaded, rejected"
    );
    browser.script("document.getElementById('latest').click()");
    assert_eq!(shown(), "kite@1,kite.t2@2,kite.t3@1,lamp@1");
    let search =
        "const e = document.getElementById('search'); e.value = 'KITE.T3'; e.dispatchEvent(new Event('input'))";
    browser.script(search);
    assert_eq!(shown(), "kite.t3@1");

    browser.script("document.getElementById('save').click()");
    let saved = browser.saved("shots.marks.csv");
    assert_eq!(saved, "batch,id,take,mark,note\r\nshots,kite.t2,2,pick,\r\nshots,kite.t3,1,reject,\r\n");
    assert_eq!(browser.complaints_and_requests().0, Vec::<String>::new());
    client.write("shots.marks.csv", &saved);
    client.says("takes read shots.marks.csv").with(0).saying("2 takes: 1 picked, 1 rejected");
    assert!(client.path("videos/picked/kite.t2.mp4").exists(), "each planned take is picked under its own id");
    // What is planned no more stands beside the others all the same.
    client.write("shots.csv", "id,prompt,duration\nlamp,A lamp,3\nkite,A kite,3\n");
    client.run(&format!("{RUN} --report sheet")).with(0);
    browser.open(&sheet);
    assert_eq!(browser.script(&format!("return {of_shots}")), "1,4");
}

/// A row that a person has called like a planned take of another one is no take of it, and an edited row is headed by what it asks for now.
#[test]
fn what_asks_for_something_else_is_a_shot_by_itself() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("shots.csv", "id,prompt,duration,repeat\nkite,A kite,3,2\nlamp,A lamp,3,\nlamp.t2,A fog,3,\n");
    client.run(RUN).with(0);
    client.write("shots.csv", "id,prompt,duration\nkite,A dragon,3\nlamp,A lamp,3\nlamp.t2,A fog,3\n");
    client.run(&format!("{RUN} --retake-changed --report sheet")).with(0);
    assert_eq!(sandbox.books().settled().len(), 5);
    let page = client.read("sheet/index.html");
    let shots = page.split("<section").skip(1).map(|shot| {
        let prompt = shot.split_once("<p class=\"prompt\" dir=\"auto\">").unwrap().1.split_once("</p>").unwrap().0;
        format!("{prompt}: {}", shot.matches("<article").count())
    });
    assert_eq!(shots.collect::<Vec<_>>(), ["A dragon: 3", "A lamp: 1", "A fog: 1"]);
}

/// What stands in the browser above the ledger's word ends with a newer word of the ledger's, and no tab wipes another one's.
#[test]
fn marks_in_a_browser_follow_the_ledger() {
    let Some(browser) = Browser::start() else { return };
    let (_sandbox, client) = three_shots();
    let sheet: PathBuf = client.path("sheet/index.html");
    browser.open(&sheet);
    browser.types("jr");
    assert_eq!(browser.script(MARKS), serde_json::json!(["reject:", ":", ":"]));
    client.says("takes reject shots.csv kite").with(0);
    client.says("takes clear shots.csv kite").with(0);
    client.says("report sheet shots.csv").with(0);
    browser.open(&sheet);
    assert_eq!(browser.script(MARKS), serde_json::json!([":", ":", ":"]), "it was taken back in the ledger");
    // As another tab does.
    browser.script(
        "const key = Object.keys(localStorage).find(key => key.startsWith('l402-batch marks')); \
         const { base } = document.querySelector('.take[data-id=lamp]').dataset; \
         localStorage.setItem(key, JSON.stringify({ 'lamp@1': { mark: 'pick', note: '', base, made: 1 } }))",
    );
    browser.types("jr");
    browser.open(&sheet);
    assert_eq!(browser.script(MARKS), serde_json::json!(["reject:", ":", "pick:"]));
}

#[test]
fn a_sheet_takes_no_place_of_what_a_run_writes() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("shots.csv", SHOTS);
    std::fs::create_dir(client.path("sheet")).unwrap();
    for asked in ["--report videos", "--results sheet/index.html --report sheet", "--report ./videos/"] {
        client.run(&format!("{RUN} {asked}")).with(2).saying("would stand in the contact sheet's place");
    }
    sandbox.books().are_unpaid();
    // The same where a results file is run, whose batch remembers where its files went.
    client.run(&format!("{RUN} --limit 1")).with(3);
    client
        .run("run shots.results.csv --report videos --overwrite")
        .with(2)
        .saying("would stand in the contact sheet's place");
    assert_eq!(sandbox.books().settled().len(), 1);
}
