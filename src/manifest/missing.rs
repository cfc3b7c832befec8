//! Files that are not where a manifest says: what a person most likely meant.

use std::path::Path;

use crate::diagnostic::similar;

const IMAGE_ENDINGS: [&str; 4] = [".png", ".jpg", ".jpeg", ".webp"];

/// What to do about an image that is not there. `folder` is where paths are read from.
pub(super) fn advice(given: &str, folder: &Path) -> Option<String> {
    let (before, name) = given.rfind(['/', '\\']).map_or(("", given), |at| given.split_at(at + 1));
    if is_link(given) {
        let leads = if is_share(given) { "such a link leads to a page about the image; " } else { "" };
        return Some(format!("{leads}download the image, and write the name of its file here"));
    }
    if is_windows(given) {
        let beside = "this is a path of a Windows computer; put the images beside the manifest (or into a folder that \
                      [rows] files = \"FOLDER\" names) and write their names alone";
        let is_there = folder.join(name).is_file();
        return Some(if is_there { format!("did you mean \"{name}\"?") } else { beside.to_owned() });
    }
    if given.starts_with("~/") {
        return Some("~ means nothing here: write the whole path, or one from the manifest's folder on".to_owned());
    }
    if given.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:")) {
        return Some("write the path alone, without file://".to_owned());
    }
    let path = folder.join(given.replace('\\', "/"));
    let parent = path.parent().filter(|parent| !parent.is_dir());
    match parent {
        Some(parent) => Some(format!("there is no folder {}", parent.display())),
        None => similar(&path, &IMAGE_ENDINGS).map(|known| format!("did you mean \"{before}{known}\"?")),
    }
}

/// What may be done about a file that is no image which is sent.
pub(super) fn format_advice(start: &[u8]) -> Option<String> {
    let is =
        |at: usize, then: &[&[u8]]| then.iter().any(|then| start.get(at..).is_some_and(|rest| rest.starts_with(then)));
    let found = match () {
        () if is(0, &[b"GIF8"]) => "a GIF",
        () if is(4, &[b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"]) => "a photo of a phone (HEIC)",
        () if is(4, &[b"ftypavif"]) => "an AVIF",
        () if is(0, &[b"BM"]) => "a BMP",
        () if is(0, &[b"II*\0", b"MM\0*"]) => "a TIFF or a raw photo",
        () if is(0, &[b"%PDF-"]) => "a PDF",
        () if is(0, &[b"<svg", b"<?xml"]) => "a drawing (SVG)",
        () => return None,
    };
    Some(format!("it is {found}; save it as png or jpeg, and name that file here"))
}

/// Whether a link leads to a page of a service where files are shared.
pub(super) fn is_share(link: &str) -> bool {
    let host = link.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
    let known =
        ["drive.google.com", "docs.google.com", "photos.google.com", "photos.app.goo.gl", "dropbox.com", "1drv.ms"];
    let more = ["onedrive.live.com", "sharepoint.com", "icloud.com"];
    known.iter().chain(&more).any(|known| host == *known || host.ends_with(&format!(".{known}")))
}

/// Whether it is a path as Windows has them: `C:\a.png`, `\\server\share\a.png`.
fn is_windows(given: &str) -> bool {
    match given.as_bytes() {
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        [b'\\', b'\\', ..] => true,
        _ => false,
    }
}

/// A web address.
pub(super) fn is_link(given: &str) -> bool {
    let start = given.get(..8).unwrap_or(given).to_ascii_lowercase();
    start.starts_with("http://") || start.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_missing_image_was_meant_to_be_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.PNG", "Boat.jpg", "shot-01.png", "lighthouse.png", "cafe\u{301}.png"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("pics")).unwrap();
        std::fs::write(folder.path().join("pics/Kite.PNG"), "").unwrap();
        let said = |given: &str| advice(given, folder.path()).unwrap_or_default();
        for (given, expected) in [
            ("a.png", "did you mean \"a.PNG\"?"),
            ("boat.JPG", "did you mean \"Boat.jpg\"?"),
            ("boat.png", "did you mean \"Boat.jpg\"?"),
            ("lighthuose.png", "did you mean \"lighthouse.png\"?"),
            ("CAF\u{c9}.png", "did you mean \"cafe\u{301}.png\"?"),
            ("pics/kite.png", "did you mean \"pics/Kite.PNG\"?"),
            ("pics\\kite.png", "did you mean \"pics\\Kite.PNG\"?"),
            ("shot-02.png", ""),
            ("~/a.png", "~ means nothing here"),
            ("file:///tmp/a.png", "write the path alone"),
            ("HTTPS://example.com/a.png", "download the image, and"),
            ("https://drive.google.com/file/d/1/view", "such a link leads to a page"),
        ] {
            assert!(
                said(given).starts_with(expected) && said(given).is_empty() == expected.is_empty(),
                "{given}: {}",
                said(given)
            );
        }
        assert!(said("nowhere/a.png").starts_with("there is no folder "));
        assert_eq!(said("C:\\Users\\me\\Boat.jpg"), "did you mean \"Boat.jpg\"?");
        assert!(said("C:\\Users\\me\\none.jpg").contains("Windows"));
        assert!(said("\\\\server\\pics\\none.jpg").contains("Windows"));
    }
}
