//! The page and its folder.

use std::fs;
use std::path::Path;

use jiff::tz::TimeZone;

use super::folder::{ContactFolder, FolderRefused};
use super::page::ContactFacts;
use crate::catalog::Value;
use crate::ledger::{Marked, TakeMark, TakeRow, UNKNOWN_CONTENT};
use crate::money::Msat;
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason};
use crate::report::status::tests::row as result_row;
use crate::time::UnixMs;

const HOSTILE: &str = "</script><script>alert(1)</script> \"q\" 'a' & \u{202e}turned\u{7}";

fn facts() -> ContactFacts {
    ContactFacts {
        batch: "june <b>&\"".to_owned(),
        ledger: "aa".to_owned(),
        owner: "aa".to_owned(),
        is_play: false,
        made_at: UnixMs(1_790_000_000_000),
        zone: TimeZone::UTC,
    }
}

fn take(id: &str, number: u32, file: Option<&Path>) -> TakeRow {
    let mut row = result_row(id, JobState::Delivered, Reason::None);
    row.take = number;
    row.params =
        vec![("prompt".to_owned(), Value::Text(HOSTILE.to_owned())), ("duration".to_owned(), Value::Integer(5))];
    row.url = Some("https://seller.example/v/1?token=secret".to_owned());
    if let Some(file) = file {
        row.state = JobState::Downloaded;
        row.file = Some(file.display().to_string());
    }
    let marked = Marked { mark: Some(TakeMark::Reject), note: HOSTILE.to_owned(), at: Some(UnixMs(1)) };
    TakeRow { row, content: ContentHash([1; 32]), paid: Some(Msat::new(1_500_000)), is_replaced: number == 1, marked }
}

fn write(folder: &Path, takes: &[TakeRow]) -> String {
    let at = ContactFolder::at(folder, Some(&facts().owner()), false).unwrap();
    let written = at.write(&facts(), &mut |each| takes.iter().cloned().try_for_each(&mut *each)).unwrap();
    fs::read_to_string(written.page).unwrap()
}

#[test]
fn what_comes_from_elsewhere_stays_text_and_names_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (sheet, file) = (folder.path().join("sheet"), folder.path().join("a.mp4"));
    fs::write(&file, "video").unwrap();
    let page = write(&sheet, &[take("a\"<", 1, Some(&file)), take("a\"<", 2, None), take("b", 1, None)]);
    assert_eq!(page.matches("<script>").count(), 1, "the page's own\n{page}");
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(!page.contains('\u{202e}') && !page.contains('\u{7}'), "{page}");
    assert!(!page.contains(&*folder.path().to_string_lossy()), "no folder of this machine\n{page}");
    assert_eq!(page.matches("<section").count(), 2, "takes of one job stand side by side");
    assert_eq!(page.matches("<article").count(), 3);
    assert_eq!(page.matches("<video preload=\"none\"").count(), 1);
    assert_eq!(page.matches("rel=\"noreferrer noopener\" referrerpolicy=\"no-referrer\"").count(), 2);
    assert!(page.contains("3 takes; paid for these takes: 4,500 sats"), "{page}");
}

#[test]
fn files_are_linked_and_the_page_alone_is_replaced() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let (sheet, file) = (folder.path().join("sheet"), folder.path().join("a.mp4"));
    fs::write(&file, "video").unwrap();
    write(&sheet, &[take("a", 1, Some(&file))]);
    let media = || fs::read_dir(sheet.join("media")).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let linked = media();
    assert_eq!(linked.len(), 1);
    assert_eq!(fs::metadata(&linked[0]).unwrap().ino(), fs::metadata(&file).unwrap().ino(), "it takes no room");
    fs::write(sheet.join("marks.csv"), "kept").unwrap();
    write(&sheet, &[take("a", 1, Some(&file))]);
    assert_eq!(media(), linked, "the same file has the same name");
    assert_eq!(fs::read_to_string(sheet.join("marks.csv")).unwrap(), "kept");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&sheet), mode(&sheet.join("index.html"))), (0o700, 0o600));
    // Its file is moved away.
    fs::rename(&file, folder.path().join("b.mp4")).unwrap();
    assert!(write(&sheet, &[take("a", 1, Some(&file))]).contains("no longer where it was downloaded"));
}

#[test]
fn what_runs_in_a_browser_is_not_opened_from_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let file = folder.path().join(name);
        fs::write(&file, "<svg/>").unwrap();
        write(&folder.path().join("sheet"), &[take("a", 1, Some(&file))])
    };
    for name in ["a.svg", "a.html", "a.xhtml", "a.xml", "a.md", "a.SVG", "a"] {
        assert!(!place(name).contains("<a href=\"media/"), "{name}");
    }
    assert!(place("a.svg").contains("<img loading=\"lazy\""));
    assert!(place("a.html").contains("the file a.html"));
    assert!(place("a.png").contains("<a href=\"media/") && place("a.json").contains("<a href=\"media/"));
}

#[test]
fn a_folder_that_was_copied_has_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (far, link) = (folder.path().join("far.mp4"), folder.path().join("out/a.mp4"));
    fs::write(&far, "video").unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    std::os::unix::fs::symlink("../far.mp4", &link).unwrap();
    let (sheet, copy) = (folder.path().join("sheet"), folder.path().join("copy"));
    let first = write(&sheet, &[take("a", 1, Some(&link))]);
    fs::create_dir_all(copy.join("media")).unwrap();
    for entry in fs::read_dir(sheet.join("media")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(fs::read_to_string(&path).unwrap(), "video", "a link that leads somewhere");
        fs::copy(&path, copy.join("media").join(path.file_name().unwrap())).unwrap();
    }
    fs::copy(sheet.join("index.html"), copy.join("index.html")).unwrap();
    assert_eq!(write(&copy, &[take("a", 1, Some(&link))]), first, "nothing is said to be left elsewhere");
}

#[test]
fn a_parameter_that_equals_the_prompt_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut take = take("a", 1, None);
    take.row.params[0].1 = Value::Text("5".to_owned());
    let page = write(folder.path(), &[take]);
    assert!(page.contains("<dt>duration</dt>") && !page.contains("<dt>prompt</dt>"), "{page}");
}

/// Ids, takes and their headings of each shot, in the page's order.
fn shots(takes: &[(&str, u32)]) -> Vec<String> {
    let takes: Vec<TakeRow> = takes.iter().map(|(id, number)| asking(id, *number, "film")).collect();
    shots_of(&takes).into_iter().map(|shot| shot.replace(" [film]", "")).collect()
}

/// A take that asks for that.
fn asking(id: &str, number: u32, prompt: &str) -> TakeRow {
    let mut take = take(id, number, None);
    take.row.params = vec![("prompt".to_owned(), Value::Text(prompt.to_owned()))];
    TakeRow { content: ContentHash([prompt.as_bytes()[0]; 32]), ..take }
}

/// The same, with the prompt that stands above each.
fn shots_of(takes: &[TakeRow]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let page = write(folder.path(), takes);
    let between = |text: &str, from: &str, to: &str| {
        text.split_once(from).and_then(|(_, rest)| Some(rest.split_once(to)?.0.to_owned())).unwrap_or_default()
    };
    let articles = |section: &str| {
        let each = section.split("<article").skip(1).map(|article| {
            let name = format!("{}@{}", between(article, "data-id=\"", "\""), between(article, "data-take=\"", "\""));
            format!("{name} {}", between(article, "<h3>", " <span").replace("<bdi>", "").replace("</bdi>", ""))
        });
        each.collect::<Vec<_>>().join(" | ")
    };
    let sections = page.split("<section").skip(1);
    let head = |section: &str| (between(section, "<bdi>", "</bdi>"), between(section, "dir=\"auto\">", "</p>"));
    let shots = sections.map(|section| (head(section), articles(section)));
    shots.map(|((id, prompt), takes)| format!("{id} [{prompt}]: {takes}")).collect()
}

#[test]
fn planned_takes_of_one_job_are_one_shot_wherever_they_stand() {
    let planned = [("a", 1), ("a", 2), ("a.t2", 1), ("a.t3", 1), ("b", 1), ("b", 2)];
    let a = "a: a@1 a, take 1 | a@2 a, take 2 | a.t2@1 a.t2, take 1 | a.t3@1 a.t3, take 1";
    let b = "b: b@1 Take 1 | b@2 Take 2";
    assert_eq!(shots(&planned), [a, b]);
    // What is planned no more stands where it stood, before or behind others.
    assert_eq!(shots(&[("a", 1), ("a", 2), ("b", 1), ("a.t3", 1), ("b", 2), ("a.t2", 1)]), [a, b]);
    assert_eq!(shots(&[("a.t3", 1), ("b", 1), ("b", 2), ("a.t2", 1), ("a", 1), ("a", 2)]), [a, b]);
    // An id that only looks like one.
    let own = shots(&[("b", 1), ("c.t2", 1), ("c.t2", 2), ("c.t3", 1), ("d", 1)]);
    assert_eq!(own, ["b: b@1 Take 1", "c.t2: c.t2@1 Take 1 | c.t2@2 Take 2", "c.t3: c.t3@1 Take 1", "d: d@1 Take 1"]);
}

#[test]
fn what_is_only_called_like_a_planned_take_is_a_shot_by_itself() {
    let (lamp, fog, dawn) = (asking("lamp", 1, "a lamp"), asking("lamp.t2", 1, "fog"), asking("lamp.t3", 1, "a lamp"));
    let lamps = "lamp [a lamp]: lamp@1 lamp, take 1 | lamp.t3@1 lamp.t3, take 1";
    let fogs = "lamp.t2 [fog]: lamp.t2@1 Take 1";
    assert_eq!(shots_of(&[lamp.clone(), fog.clone(), dawn.clone()]), [lamps, fogs]);
    assert_eq!(shots_of(&[dawn.clone(), fog, lamp.clone()]), [lamps, fogs], "wherever they stand");
    // What a ledger knows by its receipt alone may have asked for anything.
    let unknown = |take| TakeRow { content: UNKNOWN_CONTENT, ..take };
    let apart = shots_of(&[unknown(lamp), unknown(dawn)]);
    assert_eq!(apart, ["lamp [a lamp]: lamp@1 Take 1", "lamp.t3 [a lamp]: lamp.t3@1 Take 1"]);
}

/// What was planned of a row before it was edited stays beside the take that asked for the same; above all stands what the row asks for now.
#[test]
fn an_edited_shot_is_headed_by_its_jobs_latest_take() {
    let edited = [("kite", 1, "old"), ("kite", 2, "new"), ("lamp", 1, "lamp"), ("kite.t3", 1, "old")];
    let kites = "kite [new]: kite@1 kite, take 1 | kite@2 kite, take 2 | kite.t3@1 kite.t3, take 1";
    let edited = edited.map(|(id, number, prompt)| asking(id, number, prompt));
    assert_eq!(shots_of(&edited), [kites, "lamp [lamp]: lamp@1 Take 1"]);
    let folder = tempfile::tempdir().unwrap();
    let page = write(folder.path(), &edited);
    assert_eq!(page.matches("<dt>prompt</dt><dd dir=\"auto\">old</dd>").count(), 2, "each says its own\n{page}");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("sheet");
    write(&sheet, &[]);
    let other = ContactFolder::at(&sheet, Some("aa july"), false);
    assert!(matches!(other, Err(FolderRefused::Foreign(_))), "another batch's: {other:?}");
    assert!(matches!(ContactFolder::at(&sheet, None, false), Err(FolderRefused::Foreign(_))));
    assert!(ContactFolder::at(&sheet, None, true).is_ok());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(ContactFolder::at(&file, None, true), Err(FolderRefused::NoFolder(_))));
    assert!(ContactFolder::at(&folder.path().join("new/one"), None, false).is_ok(), "nothing is made so far");
    assert!(!folder.path().join("new").exists());
}
