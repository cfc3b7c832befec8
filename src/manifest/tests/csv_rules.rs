//! Rules of a CSV manifest.

use std::fs;

use super::*;
use crate::diagnostic::render;

#[test]
fn an_empty_cell_takes_the_default() {
    let case = csv("prompt,duration,mode\na cat,,\na dog,7,standard\n").default("duration", "9");
    let jobs = case.jobs();
    assert_eq!(texts(&jobs, "duration"), ["9", "7"]);
    assert_eq!(texts(&jobs, "mode"), ["pro", "standard"]);
    assert_eq!(texts(&jobs, "generate_audio"), ["false", "false"]);
    assert_eq!(lines(&jobs), [2, 3]);
}

#[test]
fn delimiters_marks_and_line_ends_are_understood() {
    let cases: &[(&str, &[u8], u8, bool)] = &[
        ("a.csv", b"id,prompt,duration\n1,a cat,7\n", b',', false),
        ("a.csv", b"id;prompt;duration\r\n1;a cat;7\r\n", b';', false),
        ("a.txt", b"id\tprompt\tduration\r\n1\ta cat\t7", b'\t', false),
        ("a.tsv", b"id\tprompt\tduration\n1\ta cat\t7", b'\t', false),
        ("a.csv", b"\xef\xbb\xbfid,prompt,duration\n1,a cat,7", b',', true),
        ("a.csv", b"\xef\xbb\xbfsep=;\r\nid;prompt;duration\r\n1;a cat;7\r\n", b';', true),
        ("a.csv", b"sep=|\nID|Prompt| DURATION \n 1 | a cat |\"7\"\n", b'|', false),
        ("a.csv", b"\r\n\nid,prompt,duration\n1,\"a cat\" ,7\n", b',', false),
    ];
    for (name, content, delimiter, bom) in cases {
        let case = Case::new(name, content).default("endpoint", "generate-video");
        let jobs = case.jobs();
        let text = String::from_utf8_lossy(content);
        assert_eq!(
            (texts(&jobs, "prompt"), texts(&jobs, "duration")),
            (vec!["a cat".into()], vec!["7".into()]),
            "{text}"
        );
        assert_eq!(jobs[0].id.as_deref(), Some("1"));
        let manifest = case.open().unwrap();
        assert_eq!((manifest.delimiter, manifest.bom), (*delimiter, *bom), "{text}");
    }
}

#[test]
fn lines_are_physical_whatever_the_cells_hold() {
    for end in ["\n", "\r\n"] {
        let text = "prompt,duration\n\n\"two\nlines\",4\n,\n\n\n\"three\n\nlines\",5\nlast,6".replace('\n', end);
        let case = csv(&text);
        let jobs = case.jobs();
        assert_eq!(lines(&jobs), [3, 8, 11], "{end:?}");
        assert_eq!(texts(&jobs, "prompt"), ["two\nlines", "three\n\nlines", "last"], "{end:?}");
    }
}

#[test]
fn what_is_skipped_is_counted() {
    let case = csv("id,,prompt,state,url,\n\n1,,a cat,pending,,\n,,,,,\n\n2,,a dog,paid,https://x,\n\n");
    let manifest = case.open().unwrap();
    assert_eq!(drain(&manifest).1, vec![]);
    let notes = manifest.notes();
    assert_eq!((notes.empty_records, notes.unnamed_columns), (4, 2));
    assert_eq!(
        notes.lines(),
        ["skipped 4 empty records", "skipped 2 empty columns without a name", "skipped the results columns state, url"]
    );
    drain(&manifest);
    assert_eq!(manifest.notes(), notes, "a second reading counts anew");
}

#[test]
fn columns_are_known_by_any_spelling_and_by_alias() {
    let case =
        csv("Prompt,Seconds,Generate Audio,X Note,x_Shot,MODELID\na cat,4,yes,n,s,6\n").column("seconds", "duration");
    let jobs = case.jobs();
    assert_eq!(value(&jobs[0], "duration").as_deref(), Some("4"));
    assert_eq!(value(&jobs[0], "generate_audio").as_deref(), Some("true"));
    assert_eq!(value(&jobs[0], "modelId").as_deref(), Some("6"));
    let extra = [("x_note".to_owned(), "n".to_owned()), ("x_Shot".to_owned(), "s".to_owned())];
    assert_eq!(jobs[0].extra, extra);
}

#[test]
fn a_quote_before_a_formula_sign_is_ours() {
    let jobs = csv("id,prompt,x_note\n'-1,'=a cat,'tis\n").jobs();
    assert_eq!(jobs[0].id.as_deref(), Some("-1"));
    assert_eq!(value(&jobs[0], "prompt").as_deref(), Some("=a cat"));
    assert_eq!(jobs[0].extra[0].1, "'tis");
}

#[test]
fn errors_of_headers_name_them() {
    let cases: &[(&str, &[&str])] = &[
        (
            "prompt,duratoin\na,4\n",
            &[
                "1:8: unknown column \"duratoin\" | did you mean \"duration\"?; --column \"duratoin=NAME\" says which of them it is; \
               --column \"duratoin=x_duratoin\", or other_columns = \"pass\" under a manifest's [rows], passes it through",
            ],
        ),
        (
            "prompt,skip\na,\n",
            &["1:8: column \"skip\": not yet; the name is kept for a later version | remove it; a parameter of that \
               name is written params.skip"],
        ),
        ("prompt,Prompt\na,b\n", &["1:8: column \"Prompt\" means the same as column \"prompt\" | keep one of the two"]),
        ("", &["1:1: the file is empty | its first line names the columns: id,endpoint,prompt,duration"]),
        (
            "prompt\ra cat\r",
            &["1:1: lines end in CR alone | save it again with LF or CR LF line ends, as \"CSV UTF-8\""],
        ),
        ("prompt\n", &["there are no jobs in it"]),
    ];
    for (text, expected) in cases {
        assert_eq!(csv(text).errors(), *expected, "{text}");
    }
    let unknown = csv("prompt,colour\na,\n").errors();
    assert!(
        unknown[0].contains("columns are id, endpoint, max_sats, repeat, prompt, modelId, duration"),
        "{unknown:?}"
    );
    assert!(unknown[0].contains("--column \"colour=x_colour\"") && unknown[0].contains("other_columns"), "{unknown:?}");
    let through = csv("prompt,Shot List\na,b\n").column("Shot List", "x_shot_list").jobs();
    assert_eq!(through[0].extra, [("x_shot_list".to_owned(), "b".to_owned())], "as the help says");
    let odd = csv("prompt,a=b\na,\n").errors();
    assert!(!odd[0].contains("--column") && odd[0].contains("other_columns"), "{odd:?}");
    let alias = csv("prompt,Seconds\na,4\n").column("secods", "duration").column("Seconds", "duratoin").errors();
    assert_eq!(
        alias,
        [
            "columns: there is no column \"secods\" in FILE | did you mean \"Seconds\"?",
            "columns: \"Seconds\" stands for an unknown name, \"duratoin\" | did you mean \"duration\"?"
        ]
        .map(|line| line.replace("FILE", &csv_name(&alias[0])))
    );
}

/// The path that an error of an alias names.
fn csv_name(error: &str) -> String {
    error.split(" in ").nth(1).and_then(|rest| rest.split(" |").next()).unwrap_or_default().to_owned()
}

#[test]
fn errors_of_cells_name_line_and_column() {
    let cases: &[(&str, &[&str])] = &[
        (
            "prompt,duration\na,8s\n",
            &["2:3: duration: expected an integer from 3 to 15, got \"8s\" | did you mean \"8\"?"],
        ),
        ("prompt,duration\n\"a\nb\", 2 \n", &["3:5: duration: expected an integer from 3 to 15, got \"2\""]),
        (
            "prompt,mode\nä,\"pr0\"\n",
            &["2:4: mode: expected \"standard\" or \"pro\", got \"pr0\" | did you mean \"pro\"?"],
        ),
        (
            "prompt,image\na,a.png\n",
            &["2:3: image: generate-video does not take it | empty the cell, or change the row's endpoint"],
        ),
        ("prompt,duration\n,4\n", &["2:1: prompt: missing; generate-video requires it"]),
        ("prompt,max_sats\na,0\n", &["2:3: max_sats: expected a whole number of sats above zero, got \"0\""]),
        (
            "prompt,endpoint\na,generate-vidoe\n",
            &["2:3: unknown endpoint \"generate-vidoe\" | did you mean \"generate-video\"?"],
        ),
        ("prompt,\na,b\n", &["2:3: a cell in a column without a name | name the column, or empty the cell"]),
        (
            "prompt,duration\na, b,4\nc\n",
            &[
                "2:6: the row has 3 cells, the header names 2 columns | put quotes around text that holds a comma or a \
                 line end; keep every comma",
                "3:1: the row has 1 cell, the header names 2 columns | put quotes around text that holds a comma or a \
                 line end; keep every comma",
            ],
        ),
        (
            "prompt,duration\na,4\n\"b,5\nc,6\n",
            &[
                "3:1: the quote that opens here is never closed | close it, or write a quote inside a quoted cell twice: \"\"",
            ],
        ),
    ];
    for (text, expected) in cases {
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(csv(text).errors(), *expected, "{text}");
        assert_eq!(csv(crlf).errors(), *expected, "with CR LF: {text}");
    }
    let no_endpoint = Case::new("a.csv", "prompt\na\n").errors();
    assert_eq!(
        no_endpoint,
        ["2:1: endpoint: the row names none | fill a column named endpoint, or give --default endpoint=generate-video"]
    );
}

#[test]
fn the_same_error_in_many_rows_is_one_message() {
    let text = format!("prompt,duration\na,4\n{}a,5\n{}", "a,99\n".repeat(3), "a,99\n".repeat(1_000));
    let (jobs, _) = csv(&text).read();
    assert_eq!(jobs.len(), 2);
    let case = csv(&text);
    let (_, errors) = drain(&case.open().unwrap());
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].place.as_ref().map(|p| (p.line, p.also_lines.clone())), Some((3, vec![(4, 5), (7, 1_006)])));
    assert!(render(&errors, false, None).contains("\n1,003 errors in "), "every wrong cell counts");
}

#[test]
fn other_encodings_say_how_to_mend_them() {
    let errors = csv(b"prompt,duration\nok,4\ncaf\xe9,5\nth\xe9,6\n").errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("3:4: this is not UTF-8 text | the byte 0xE9 is \"é\" in Windows-1252; save it as"));
    let split = csv(b"prompt,x_a\na\xc3,\xa9\n").errors();
    assert!(split[0].starts_with("2:2: this is not UTF-8 text"), "{split:?}");
    let header = csv(b"pr\xf6mpt\na\n").errors();
    assert!(header[0].starts_with("1:3: this is not UTF-8 text"), "{header:?}");
    let wide = csv(b"\xff\xfep\0r\0").errors();
    assert!(wide[0].contains("UTF-16"), "{wide:?}");
    let in_toml = Case::new("a.toml", b"version = 1\n# caf\xe9\n").errors();
    assert!(in_toml[0].starts_with("2:6: this is not UTF-8 text"), "{in_toml:?}");
}

#[test]
fn a_column_of_ours_does_not_hide_a_parameter() {
    let entry = "[endpoint.fetch]\nurl = \"https://example.com/x\"\nmethod = \"POST\"\n[endpoint.fetch.params]\n\
                 url = { type = \"text\", required = true }\n[endpoint.fetch.price]\nsats = 1\n\
                 [endpoint.fetch.result]\nurl = [\"/url\"]\n";
    let read = |text: &str| {
        let mut case = Case::new("a.csv", text).file("c.toml", entry).default("endpoint", "fetch");
        case.options.catalogs.push(case.folder.path().join("c.toml"));
        case.read()
    };
    let (jobs, errors) = read("id,params.url,url\n1,https://a,https://result\n");
    assert_eq!((texts(&jobs, "url"), errors), (vec!["https://a".to_owned()], vec![]));
    let (_, errors) = read("id,url\n1,https://a\n");
    assert!(errors[0].contains("column \"url\" is a column of the results"), "{errors:?}");
}

#[test]
fn a_file_written_to_while_it_is_read_is_refused() {
    let case = csv("prompt\na\n");
    let manifest = case.open().unwrap();
    fs::write(&case.options.path, "prompt\na\nb\n").unwrap();
    let (_, errors) = drain(&manifest);
    assert_eq!(errors[0].message, "the file was written to while it was read");
}

#[test]
fn what_follows_from_a_wrong_default_is_no_error_of_its_own() {
    let wrong = ["default mode: expected \"standard\" or \"pro\", got \"proo\" | did you mean \"pro\"?"];
    let case = csv("prompt,mode\na cat,\na dog,pro\n").default("mode", "proo");
    let (jobs, errors) = case.read();
    assert_eq!(errors, wrong);
    assert_eq!(lines(&jobs), [3], "a job that rests on it has no price");
    let text = "version = 1\n[defaults]\nendpoint = \"generate-video\"\nmode = \"proo\"\n[[job]]\nprompt = \"a cat\"\n";
    let (jobs, errors) = toml(text).read();
    assert_eq!((jobs.len(), errors.len()), (0, 1), "{errors:?}");
}

/// Stray quotes of every sort, and `line:column` of what is said of them; the `@` of the row stands for the delimiter.
const STRAY: [(&str, &str); 8] = [
    ("\"Sign says \"open\" at night\"@5", "2:12: text follows"),
    ("\"A cat\" runs@5", "2:7: text follows"),
    ("\"A \\\"big\\\" cat\"@5", "2:5: text follows"),
    ("\"\"A cat\"\"@5", "2:2: text follows"),
    ("\"ein\nSchild \"offen\"\"@5", "3:8: text follows"),
    ("a@\"5\" s", "2:5: text follows"),
    ("a@ \"5\"", "2:4: white space stands before the quote"),
    ("says \"hello@ world\" loudly", "2:6: a quote opens within this cell"),
];

#[test]
fn a_stray_quote_is_an_error_with_its_place() {
    for (row, expected) in STRAY {
        for (delimiter, end, bom) in [(",", "\n", ""), (";", "\r\n", "\u{feff}"), ("\t", "\n", ""), ("|", "\r\n", "")] {
            let sep = if delimiter == "|" { "sep=|\n" } else { "" };
            let text = format!("{bom}{sep}prompt@duration\n{row}\na good one@4\n");
            let text = text.replace('@', delimiter).replace('\n', end);
            let (jobs, errors) = csv(&text).read();
            let (line, rest) = expected.split_at(1);
            let line = line.parse::<u64>().unwrap() + u64::from(!sep.is_empty());
            assert_eq!(errors.len(), 1, "{text:?}: {errors:?}");
            assert!(errors[0].starts_with(&format!("{line}{rest}")), "{text:?}: {errors:?}");
            assert_eq!(texts(&jobs, "prompt"), ["a good one"], "{text:?}");
        }
    }
}

#[test]
fn a_stray_quote_in_the_header_is_an_error_too() {
    for (header, expected) in [
        ("\"pro\"mpt\",duration", "1:5: text follows"),
        ("prompt, \"duration\"", "1:9: white space"),
        ("prompt,\"duration", "1:8: the quote that opens here is never closed"),
    ] {
        let errors = csv(format!("{header}\na,5\n")).errors();
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{header}: {errors:?}");
    }
}

#[test]
fn stray_quotes_in_many_rows_are_one_message_that_says_how_to_write_them() {
    let text = format!("prompt,duration\n{}", "\"a \"b\" c\",5\n".repeat(900));
    let (jobs, errors) = drain(&csv(text).open().unwrap());
    assert_eq!((jobs.len(), errors.len()), (0, 1));
    assert_eq!(errors[0].place.as_ref().map(|place| (place.line, place.also_lines.clone())), Some((2, vec![(3, 901)])));
    assert!(errors[0].help.as_ref().unwrap().contains("as in \"Sign says \"\"open\"\" at night\""));
    let escaped = csv("prompt\n\"A \\\"big\\\" cat\"\n").errors();
    assert!(escaped[0].contains("CSV has no \\\":") && escaped[0].contains("as in \"A \"\"big"), "{escaped:?}");
}

#[test]
fn a_quote_that_closes_too_late_shows_where_its_cell_begins() {
    let (_, errors) = drain(&csv("prompt,duration\n\"a cat,5\nb,6\n\"a dog\",7\n").open().unwrap());
    let at = errors[0].place.as_ref().map(|place| (place.line, place.column));
    let begins = errors[0].related.first().map(|(place, words)| (place.line, place.column, words.as_str()));
    assert_eq!((errors.len(), at, begins), (1, Some((4, 1)), Some((2, 1, "the cell begins here"))));
}

#[test]
fn a_quote_within_an_unquoted_cell_is_text() {
    let jobs = csv("id,prompt\n5\",a 5\" screen\nb,it says \"open\"\nc\"\",\"d\" \n").jobs();
    assert_eq!(texts(&jobs, "prompt"), ["a 5\" screen", "it says \"open\"", "d"]);
}

#[test]
fn input_that_ends_inside_a_row_is_refused() {
    let cases = [
        (
            "id,prompt,duration\n1,a cat,5\n2,a d",
            "3:3: the input ends inside this row: it has 2 cells, the header names 3",
        ),
        ("id,prompt,duration\n1,a cat,5\n2", "3:1: the input ends inside this row: it has 1 cell, "),
        ("id,prompt,duration\n1,a cat,5\n2,\"a dog", "3:3: the quote that opens here is never closed"),
        ("id,prompt,duration\n1,a cat,5\n2,\"a\ndog\"", "3:4: the input ends inside this row"),
    ];
    for (text, expected) in cases {
        let options = OpenOptions { path: "-".into(), format: Some(Format::Csv), ..OpenOptions::default() };
        let options = OpenOptions { defaults: vec![("endpoint".to_owned(), "generate-video".to_owned())], ..options };
        let manifest = Manifest::open_from(&options, &mut text.as_bytes()).unwrap();
        let (jobs, errors) = drain(&manifest);
        let errors: Vec<String> = errors.iter().map(short).collect();
        assert!(jobs.len() == 1 && errors.len() == 1 && errors[0].starts_with(expected), "{text:?}: {errors:?}");
    }
    assert_eq!(csv("id,prompt,duration\n1,a cat,5").jobs().len(), 1, "a whole row needs no line end");
}

#[test]
fn the_right_spelling_is_named() {
    let cases = [
        ("mode", "Prp", "did you mean \"pro\"?"),
        ("generate_audio", "WAHR", "did you mean \"true\"?"),
        ("generate_audio", "Ja", "did you mean \"true\"?"),
        ("generate_audio", "Nein", "did you mean \"false\"?"),
        ("duration", "5,0", "did you mean \"5\"?"),
        ("duration", "10 s", "did you mean \"10\"?"),
        ("duration", "2.500", "write it in digits alone, without a point, a comma or a unit"),
        ("max_sats", "2.500", "did you mean \"2500\"?"),
        ("max_sats", "2 500 sats", "did you mean \"2500\"?"),
    ];
    for (column, cell, help) in cases {
        let errors = csv(format!("prompt;{column}\na;{cell}\n")).errors();
        assert!(errors.len() == 1 && errors[0].ends_with(&format!("got \"{cell}\" | {help}")), "{errors:?}");
    }
}

#[test]
fn what_is_no_csv_is_called_by_its_name() {
    let cases: &[(&[u8], &str)] = &[
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml xl/workbook.xml", "an Excel workbook"),
        (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "a LibreOffice workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an old Excel workbook"),
        (b"PK\x03\x04....jobs.csv", "compressed"),
        (b"\x1f\x8b\x08\0", "compressed"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\n<!DOCTYPE html>\n<html lang=\"en\">", "a web page"),
        (b"\xff\xfep\0r\0", "UTF-16"),
    ];
    for (content, what) in cases {
        for name in ["jobs.csv", "jobs.toml"] {
            let errors = Case::new(name, content).errors();
            assert!(
                errors.len() == 1 && errors[0].starts_with(&format!("1:1: the file is {what}")),
                "{what}: {errors:?}"
            );
            assert!(errors[0].contains(" | "), "{errors:?}");
        }
    }
}

#[test]
fn one_wrong_image_folder_is_one_error() {
    let rows: String = (1..=400).map(|n| format!("a,pics/shot-{n:03}.png\n")).collect();
    let case = Case::new("jobs.csv", format!("prompt,image\n{rows}")).default("endpoint", "animate-image");
    let (_, errors) = drain(&case.open().unwrap());
    let shown = render(&errors, false, None);
    assert!(shown.lines().count() < 40, "{} lines", shown.lines().count());
    assert!(shown.contains("there is no folder ") && shown.contains("387 more like it"), "{shown}");
    let jobs: String = (1..=400)
        .map(|n| format!("[[job]]\nendpoint = \"animate-image\"\nprompt = \"a\"\nimage = \"pics/shot-{n:03}.png\"\n"))
        .collect();
    let (_, errors) = drain(&toml(&jobs).open().unwrap());
    let shown = render(&errors, false, None);
    assert!(shown.lines().count() < 40 && shown.contains("387 more like it"), "{shown}");
}

#[test]
fn an_image_is_found_by_its_name_in_either_form() {
    let case = Case::new("jobs.csv", "prompt,image\na,caf\u{e9}.png\nb,u\u{308}ber.png\n");
    let case = case.file("cafe\u{301}.png", PNG).file("\u{fc}ber.png", PNG).default("endpoint", "animate-image");
    assert_eq!(case.jobs().len(), 2);
    let errors = Case::new("jobs.csv", "prompt,image\na,A.PNG\nb,https://drive.google.com/file/d/1\n");
    let errors = errors.default("endpoint", "animate-image").errors();
    assert_eq!(errors[0], "2:3: image: no such file: A.PNG | did you mean \"a.png\"?");
    assert!(
        errors[1].starts_with("3:3: image: a link is no image file: https://drive.google.com/file/d/1 | such a link")
    );
}

#[test]
fn what_is_wrong_with_an_image_is_said_as_it_is() {
    let rows = "a,gone.png\nb,empty.png\nc,photo.png\nd,moving.png\ne,boat.png.png\nf,half.png\ng,half.jpg\nh,\"data:image/png;base64,iVBORw0KGgo=\"\n";
    let case = Case::new("jobs.csv", format!("prompt,image\n{rows}")).default("endpoint", "animate-image");
    let case = case.file("empty.png", b"").file("photo.png", b"\0\0\0\x18ftypheic").file("moving.png", b"GIF89a");
    let case = case.file("half.png", &PNG[..15]).file("half.jpg", b"\xff\xd8\xff\xda\x00\x02half of it");
    std::os::unix::fs::symlink("nowhere.png", case.folder.path().join("gone.png")).unwrap();
    let errors = case.errors();
    let says = |at: usize, words: &str| assert!(errors[at].contains(words), "{words}: {errors:?}");
    says(0, "image: gone.png is a symbolic link that leads to no file");
    says(1, "empty.png is empty");
    says(2, "is not a png, jpeg or webp image | it is a photo of a phone (HEIC); save it as png or jpeg");
    says(3, "it is a GIF; save it as png or jpeg");
    says(4, "no such file: boat.png.png");
    says(5, "half.png is cut: its end is missing | copy or download it anew");
    says(6, "half.jpg is cut: its end is missing | copy");
    says(7, "image: the image is cut: its end is missing");
}

/// A folder for each scene, and none of them is there: one mistake.
#[test]
fn wrong_image_folders_are_one_error() {
    let rows: String = (1..=300).map(|n| format!("a,d{n}/pic.png\n")).collect();
    let case = Case::new("jobs.csv", format!("prompt,image\n{rows}")).default("endpoint", "animate-image");
    let (_, errors) = drain(&case.open().unwrap());
    let shown = render(&errors, false, None);
    assert!(shown.lines().count() < 40, "{} lines", shown.lines().count());
    assert!(shown.contains("d3/pic.png (there is no folder ") && shown.contains("287 more like it"), "{shown}");
}
