//! How a downloaded file is called: a template, filled in, and made safe on every system. Only a `/` of the template itself leads into a
//! folder, nothing leads out of the one for all of them, and nothing that a server says is in a name but one known ending.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::catalog::Value;
use crate::ledger::{DeliveredJob, ResultRow};
use crate::media;
use crate::time::UnixMs;

/// Where no template is given.
pub const DEFAULT_TEMPLATE: &str = "{id}";

/// The folder, beside the files, in which those stand that a person has picked: no name leads into it.
pub const PICKED_FOLDER: &str = "picked";
/// Folders that a template may name, one in the other.
const FOLDERS_MAX: usize = 8;

/// Bytes of a name before its ending. Some systems take 255 for all of it, in units of their own; what is added later
/// (a number, the ending, `.part`) has room.
const STEM_BYTES_MAX: usize = 180;
/// Names that some systems keep for devices, whatever ending follows.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// What is not a letter or a digit and may stand in a name all the same.
const HARMLESS_SIGNS: &str = " -_.,+=@()[]";

/// How files are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    /// The folders, the outermost first, and the name itself.
    steps: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

impl Template {
    /// The fields that are neither the job's own nor in `known`: parameters and `x_*` columns.
    #[must_use]
    pub fn unknown<'a>(&'a self, known: &HashSet<String>) -> Option<&'a str> {
        self.parts().find_map(|part| match part {
            Part::Field(name) if !OWN_FIELDS.contains(&name.as_str()) && !known.contains(name) => Some(name.as_str()),
            Part::Field(_) | Part::Text(_) => None,
        })
    }

    /// The name of a job's file without its ending, behind its folders and a `/` each: safe on every system.
    #[must_use]
    pub fn stem(&self, job: &DeliveredJob) -> String {
        // Another purchase of the same job is another file, and says so.
        let says_take = self.parts().any(|part| *part == Part::Field("take".to_owned()));
        let again = if job.take > 1 && !says_take { format!("-take{}", job.take) } else { String::new() };
        self.named(&Named::from(job), &again)
    }

    /// The same for what a person has picked of a job, whichever take that is: `{take}` is nothing in it, nor a sign that stands before it.
    #[must_use]
    pub fn stem_of_picked(&self, row: &ResultRow) -> String {
        self.named(&Named::from(row), "")
    }

    fn named(&self, job: &Named<'_>, again: &str) -> String {
        let last = self.steps.len().saturating_sub(1);
        let step = |(at, parts): (usize, &Vec<Part>)| {
            let filled = filled(parts, job);
            match at {
                _ if at == last => safe(&format!("{filled}{again}"), "result"),
                0 => not_picked(safe(&filled, "_")),
                _ => safe(&filled, "_"),
            }
        };
        self.steps.iter().enumerate().map(step).collect::<Vec<_>>().join("/")
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.steps.iter().flatten()
    }
}

/// What a name is made of.
struct Named<'a> {
    id: &'a str,
    endpoint: &'a str,
    /// None in the name of what is picked.
    take: Option<u32>,
    params: &'a [(String, Value)],
    extra: &'a [(String, String)],
    started_at: Option<UnixMs>,
}

impl<'a> From<&'a DeliveredJob> for Named<'a> {
    fn from(job: &'a DeliveredJob) -> Self {
        let DeliveredJob { id, take, endpoint, params, extra, started_at, .. } = job;
        Self { id, endpoint: &endpoint.name, take: Some(*take), params, extra, started_at: *started_at }
    }
}

impl<'a> From<&'a ResultRow> for Named<'a> {
    fn from(row: &'a ResultRow) -> Self {
        let ResultRow { id, endpoint, params, extra, started_at, .. } = row;
        Self { id, endpoint, take: None, params, extra, started_at: *started_at }
    }
}

fn filled(parts: &[Part], job: &Named<'_>) -> String {
    let mut filled = String::new();
    for part in parts {
        match (part, job.take) {
            (Part::Text(text), _) => filled.push_str(text),
            (Part::Field(name), None) if name == "take" => {
                filled.truncate(filled.trim_end_matches([' ', '-', '_', '.']).len());
            }
            (Part::Field(name), _) => filled.push_str(&field(name, job)),
        }
    }
    filled
}

/// A folder's name that is not the one of what is picked.
fn not_picked(name: String) -> String {
    if name.eq_ignore_ascii_case(PICKED_FOLDER) { format!("_{name}") } else { name }
}

const OWN_FIELDS: [&str; 4] = ["id", "endpoint", "date", "take"];

fn field(name: &str, job: &Named<'_>) -> String {
    match name {
        "id" => job.id.to_owned(),
        "endpoint" => job.endpoint.to_owned(),
        "take" => job.take.map(|take| take.to_string()).unwrap_or_default(),
        "date" => date_of(job),
        _ => {
            let param = job.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
            let extra = || job.extra.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            param.or_else(extra).unwrap_or_default()
        }
    }
}

/// The day on which the purchase began, in UTC: it does not change when a file is fetched again.
fn date_of(job: &Named<'_>) -> String {
    let at = job.started_at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    at.map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('\\') {
            return Err("folders are parted by /, on every system: leave out \\".to_owned());
        }
        let steps = text.split('/').map(parts).collect::<Result<Vec<_>, _>>()?;
        if steps.len() > FOLDERS_MAX + 1 {
            return Err(format!("expected at most {FOLDERS_MAX} folders, one in the other"));
        }
        let begins = steps.first().is_some_and(|first| *first == [Part::Text(PICKED_FOLDER.to_owned())]);
        if steps.len() > 1 && begins {
            return Err(format!("the folder {PICKED_FOLDER} is for what is picked: name another one"));
        }
        let template = Self { text: text.to_owned(), steps };
        if template.parts().any(|part| matches!(part, Part::Field(_))) {
            Ok(template)
        } else {
            Err("expected at least one name in braces, such as {id}: else all files had one name".to_owned())
        }
    }
}

/// What one step of a path is made of.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    if matches!(text, "" | "." | "..") {
        return Err(
            "expected a name before and after each /, which leads into folders below DIR: {x_scene}/{id}".to_owned()
        );
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        parts.push(Part::Text(before.to_owned()));
        let inside = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let Some((name, after)) = inside.filter(|(name, _)| !name.is_empty() && !name.contains('{')) else {
            return Err("expected names in braces, such as {id} or {endpoint}-{id}".to_owned());
        };
        parts.push(Part::Field(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A name that every system takes as a plain name of a file or a folder: without separators, and neither hidden, nor an option, nor a
/// device; `empty` where nothing is left of it.
fn safe(text: &str, empty: &str) -> String {
    let mut name = String::new();
    // Some letters of some scripts, and all of a Mac, have their marks as characters of their own. They stand behind a letter.
    let mut may_have_mark = false;
    for c in text.nfc() {
        may_have_mark = c.is_alphanumeric() || (may_have_mark && is_combining_mark(c));
        let c = if may_have_mark || HARMLESS_SIGNS.contains(c) { c } else { '_' };
        if name.len().saturating_add(c.len_utf8()) > STEM_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    // Windows drops dots and spaces at the end; one at the beginning hides a file elsewhere, or is taken for an option.
    let trimmed = name.trim_start_matches(['.', ' ', '-']).trim_end_matches(['.', ' ']);
    if trimmed.is_empty() {
        return empty.to_owned();
    }
    if is_reserved(trimmed) { format!("_{trimmed}") } else { trimmed.to_owned() }
}

fn is_reserved(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let is_number = |c: char| c.is_ascii_digit() || "¹²³".contains(c);
    let port = |kind| {
        let number = first.strip_prefix(kind).map(|number| (number.chars().count(), number.chars().all(is_number)));
        number == Some((1, true))
    };
    RESERVED.contains(&first.as_str()) || port("com") || port("lpt")
}

/// The ending of a result: by its content type, where that says what it is, else by its URL where that is a known one, else by
/// what its first bytes are `seen` to be, else by how it is written, else `bin`. What is seen to be
/// something else is no page, and nothing that is no text is called so. Words that begin as a picture in letters does (`P1`) are words.
#[must_use]
pub fn ending(content_type: Option<&str>, url: &url::Url, seen: Option<&str>) -> &'static str {
    let media_type = media::essence(content_type.unwrap_or_default());
    let (by_type, is_general) = (media::ending_of(&media_type), media::is_general(&media_type));
    let seen = seen.filter(|_| by_type.is_some() || is_general).and_then(media::ending_of);
    let is_no_text = seen.is_some_and(|seen| !media::is_text(seen));
    let is_page = |ending: &str| matches!(ending, "html" | "htm" | "xhtml");
    let is_words = by_type.is_some_and(|ending| media::is_text(ending) && !is_page(ending));
    let is_sure = |seen: &&str| !is_words || is_no_text || matches!(*seen, "svg" | "mpd" | "m3u8");
    let fits = |ending: &&str| seen.is_none() || !(is_page(ending) || (is_no_text && media::is_text(ending)));
    let telling = by_type.filter(|_| !is_general).filter(fits);
    telling.or_else(|| ending_of_url(url).filter(fits)).or(seen.filter(is_sure)).or(by_type).unwrap_or("bin")
}

/// What the URL's path ends in, where that is known.
#[must_use]
pub fn ending_of_url(url: &url::Url) -> Option<&'static str> {
    let (_, last) = url.path().rsplit_once('.')?;
    media::known_ending(last)
}

/// The `n`-th name to try, from 0: `kite.mp4`, `kite-2.mp4`, …
#[must_use]
pub fn candidate(stem: &str, ending: &str, n: u32) -> String {
    // A template that names the ending itself has said it.
    let whole = stem.rsplit_once('.').filter(|(before, last)| !before.is_empty() && last.eq_ignore_ascii_case(ending));
    let stem = whole.map_or(stem, |(before, _)| before);
    if n == 0 { format!("{stem}.{ending}") } else { format!("{stem}-{}.{ending}", n.saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::delivered_job;
    use proptest::prelude::*;

    fn stem(template: &str, id: &str) -> String {
        template.parse::<Template>().unwrap().stem(&delivered_job(id))
    }

    #[test]
    fn a_template_is_filled_in() {
        assert_eq!(stem("{id}", "shot-7"), "shot-7");
        assert_eq!(
            stem("{date}_{endpoint} {id}({take}) {x_scene}{prompt}", "7"),
            "2026-09-21_generate-video 7(1) harbour_ nighta kite"
        );
        let again = DeliveredJob { take: 2, ..delivered_job("a") };
        assert_eq!("{id}".parse::<Template>().unwrap().stem(&again), "a-take2");
        assert_eq!("{id} {take}".parse::<Template>().unwrap().stem(&again), "a 2");
    }

    #[test]
    fn only_the_template_leads_into_folders() {
        assert_eq!(stem("{x_scene}/{id}", "7"), "harbour_ night/7");
        assert_eq!(stem("{endpoint}/v{take}/{id}", "a/../b"), "generate-video/v1/a_.._b");
        assert_eq!(stem("{id}/{x_none}/{id}.", ".."), "_/_/result");
        assert_eq!(stem("{id}/x", "nul"), "_nul/x");
        for (id, folder) in [("Picked", "_Picked"), ("picked.", "_picked"), ("picked it", "picked it")] {
            assert_eq!(stem("{id}/{id}", id), format!("{folder}/{}", safe(id, "")), "{id}");
        }
        let again = DeliveredJob { take: 2, ..delivered_job("a") };
        let of_again = |template: &str| template.parse::<Template>().unwrap().stem(&again);
        assert_eq!(of_again("{endpoint}/{id}"), "generate-video/a-take2");
        assert_eq!(of_again("take {take}/{id}"), "take 2/a");
    }

    #[test]
    fn what_is_picked_has_a_name_without_a_take() {
        let job = delivered_job("a");
        let picked = |template: &str, take| {
            let row = ResultRow {
                id: job.id.clone(),
                take,
                endpoint: job.endpoint.name.clone(),
                params: job.params.clone(),
                extra: job.extra.clone(),
                started_at: job.started_at,
                ..crate::ledger::fixtures::result_row()
            };
            template.parse::<Template>().unwrap().stem_of_picked(&row)
        };
        for (template, expected) in [
            ("{x_scene}/{id}", "harbour_ night/a"),
            ("{id}-{take}", "a"),
            ("{id} {take} {prompt}", "a a kite"),
            ("take {take}/{id}", "take/a"),
            ("{take}/{id}", "_/a"),
        ] {
            for take in [1, 2] {
                assert_eq!(picked(template, take), expected, "{template}");
            }
        }
    }

    #[test]
    fn a_template_that_is_none_is_refused() {
        for wrong in [
            "",
            "kite",
            "{",
            "{id",
            "id}",
            "{}",
            "{{id}}",
            "..\\{id}",
            "{id}}",
            "/{id}",
            "{id}/",
            "a//{id}",
            "../{id}",
            "./{id}",
            "{x_a/b}",
            "picked/{id}",
            "a/b/c/d/e/f/g/h/i/{id}",
        ] {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
        let template: Template = "{id} {prmpt} {x_scene}".parse().unwrap();
        let known = |names: [&str; 2]| names.map(str::to_owned).into();
        assert_eq!(template.unknown(&known(["prompt", "x_scene"])), Some("prmpt"));
        assert_eq!(template.unknown(&known(["prmpt", "x_scene"])), None);
    }

    #[test]
    fn hostile_names_become_harmless() {
        for (id, expected) in [
            ("../../etc/passwd", "_.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("..", "result"),
            (".hidden", "hidden"),
            ("-rf", "rf"),
            ("a\\b:c*d?e\"f<g>h|i", "a_b_c_d_e_f_g_h_i"),
            ("nul", "_nul"),
            ("Con.txt", "_Con.txt"),
            ("com1", "_com1"),
            ("LPT¹", "_LPT¹"),
            ("come", "come"),
            ("a. . ", "a"),
            ("\u{202e}gpj.exe", "_gpj.exe"),
            ("größe 1\n", "größe 1_"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("x\u{30a}", "x\u{30a}"),
            ("\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}", "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}"),
            ("\u{301}a/\u{301}", "_a__"),
            ("~root $HOME `id`", "_root _HOME _id_"),
        ] {
            assert_eq!(stem("{id}", id), expected, "{id}");
        }
        assert_eq!(stem("{id}", &"ü".repeat(500)).len(), STEM_BYTES_MAX);
    }

    #[test]
    fn the_ending_is_a_known_one() {
        let url = |text: &str| text.parse().unwrap();
        assert_eq!(ending(Some("Video/MP4; codecs=\"avc1\""), &url("https://a.example/x.exe"), None), "mp4");
        assert_eq!(ending(Some("application/octet-stream"), &url("https://a.example/x.WEBM?a=.exe"), None), "webm");
        assert_eq!(ending(None, &url("https://a.example/x.exe"), None), "bin");
        for (kind, at, expected) in [
            ("image/svg+xml", "x", "svg"),
            ("text/vtt; charset=utf-8", "x", "vtt"),
            ("text/plain", "x.m3u8", "m3u8"),
            ("text/plain", "x.MD", "md"),
            ("text/plain", "x.exe", "txt"),
            ("application/octet-stream", "x.srt", "srt"),
            ("application/dash+xml", "x", "mpd"),
            ("application/json", "x.gltf", "gltf"),
            ("application/json", "x", "json"),
            ("text/html", "x", "html"),
            ("", "x.obj", "obj"),
            ("text/csv", "x", "csv"),
        ] {
            assert_eq!(ending(Some(kind), &url(&format!("https://a.example/{at}")), None), expected, "{kind} {at}");
        }
    }

    #[test]
    fn what_is_seen_counts_where_the_type_says_little() {
        for (kind, at, seen, expected) in [
            ("text/html", "x", "video/mp4", "mp4"),
            ("text/html", "x.mov", "video/mp4", "mov"),
            ("text/plain", "x.php", "audio/mpeg", "mp3"),
            ("text/html", "x.html", "video/mp2t", "ts"),
            ("application/octet-stream", "x", "image/png", "png"),
            ("video/quicktime", "x", "video/mp4", "mov"),
            ("text/plain", "x.m3u8", "application/vnd.apple.mpegurl", "m3u8"),
            ("text/html", "x", "image/svg+xml", "svg"),
            ("text/html", "x.html", "application/vnd.apple.mpegurl", "m3u8"),
            ("application/vnd.of-nobody", "x", "application/zip", "bin"),
            ("text/plain", "x", "image/x-portable-bitmap", "txt"),
            ("text/plain", "x.pbm", "image/x-portable-bitmap", "pbm"),
            ("application/json", "x", "image/x-eps", "json"),
            ("text/html", "x", "image/x-eps", "eps"),
            ("text/plain", "x", "application/vnd.apple.mpegurl", "m3u8"),
            ("application/xml", "x", "image/svg+xml", "svg"),
            ("application/xml", "x", "application/dash+xml", "mpd"),
        ] {
            let address = format!("https://a.example/{at}").parse().unwrap();
            assert_eq!(ending(Some(kind), &address, Some(seen)), expected, "{kind} {at} {seen}");
        }
    }

    #[test]
    fn every_name_of_a_type_has_its_ending() {
        let url = |text: &str| text.parse().unwrap();
        for (kind, expected) in [
            ("video/3gpp", "3gp"),
            ("video/ogg", "ogv"),
            ("video/avi", "avi"),
            ("image/jpg", "jpg"),
            ("image/x-ms-bmp", "bmp"),
            ("image/vnd.microsoft.icon", "ico"),
            ("audio/mp3", "mp3"),
            ("audio/x-m4a", "m4a"),
            ("audio/x-flac", "flac"),
            ("audio/vnd.wave", "wav"),
            ("audio/opus", "opus"),
        ] {
            assert_eq!(ending(Some(kind), &url("https://a.example/v1.2/r"), None), expected, "{kind}");
        }
        assert_eq!(ending(None, &url("https://a.example/"), None), "bin");
        assert_eq!(candidate("kite", "mp4", 0), "kite.mp4");
        assert_eq!(candidate("kite.MP4", "mp4", 1), "kite-2.mp4");
    }

    proptest! {
        #[test]
        fn whatever_an_id_is_its_file_stays_in_the_folder(id in any::<String>()) {
            let name = candidate(&stem("{id}", &id), "mp4", 99);
            prop_assert!(name.len() < 200);
            prop_assert!(!name.starts_with(['.', '-', ' ']) && name.ends_with(".mp4"));
            prop_assert!(!name.contains(|c: char| "/\\:*?\"<>|".contains(c) || c.is_control()));
            let below = candidate(&stem("{id}/{x_none}{id}/{id}", &id), "mp4", 0);
            for (path, steps) in [(name, 1), (below, 3)] {
                let parts: Vec<_> = std::path::Path::new(&path).components().collect();
                prop_assert!(parts.iter().all(|part| matches!(part, std::path::Component::Normal(_))));
                prop_assert_eq!(parts.len(), steps);
            }
        }
    }
}
