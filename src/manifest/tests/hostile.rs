//! What is meant to hang, to fill memory, to mislead or to be read where it must not be.

use std::io::{Read, repeat};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::*;
use crate::diagnostic::render;
use crate::manifest::bounded_reader::{RECORD_BYTES_MAX, RECORD_DELIMITERS_MAX};

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn opened(path: impl AsRef<Path>) -> Result<Outcome, Vec<String>> {
    let options = OpenOptions { path: path.as_ref().to_owned(), format: Some(Format::Csv), ..OpenOptions::default() };
    let options = OpenOptions { defaults: vec![("endpoint".to_owned(), "generate-video".to_owned())], ..options };
    let short_all = |errors: Vec<Diagnostic>| errors.iter().map(short).collect::<Vec<_>>();
    let manifest = Manifest::open(&options).map_err(short_all)?;
    let (jobs, errors) = drain(&manifest);
    Ok((jobs, errors.iter().map(short).collect()))
}

/// The one error of a manifest whose text comes through a pipe.
fn error_of(format: Format, mut from: impl Read) -> String {
    let options = OpenOptions { path: "jobs".into(), format: Some(format), ..OpenOptions::default() };
    let defaults = vec![("endpoint".to_owned(), "generate-video".to_owned())];
    let options = OpenOptions { defaults: if format == Format::Toml { Vec::new() } else { defaults }, ..options };
    let errors = match Manifest::open_from(&options, &mut from) {
        Ok(manifest) => drain(&manifest).1,
        Err(errors) => errors,
    };
    let shown = errors.iter().map(short).collect::<Vec<_>>();
    assert_eq!(shown.len(), 1, "{shown:?}");
    shown.concat()
}

#[test]
fn a_device_or_a_socket_is_no_manifest() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("socket.csv");
    let _listener = UnixListener::bind(&socket).unwrap();
    for path in [Path::new("/dev/zero"), Path::new("/dev/null")] {
        let errors = opened(path).unwrap_err();
        assert_eq!(errors, ["cannot be read: is neither a file nor a pipe"]);
    }
    assert!(opened(&socket).unwrap_err()[0].starts_with("cannot be read: "));
}

#[test]
fn a_pipe_is_read_when_someone_writes_to_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    fifo(&path);
    let to = path.clone();
    let writer = thread::spawn(move || fs::write(to, "prompt\na cat\n"));
    let (jobs, errors) = opened(&path).unwrap();
    assert_eq!((texts(&jobs, "prompt"), errors), (vec!["a cat".to_owned()], vec![]));
    writer.join().unwrap().unwrap();
}

#[test]
fn an_image_is_a_file_and_nothing_of_what_is_none_is_told() {
    let case = csv("prompt,image\nx,/dev/zero\nx,pipe\nx,images\nx,../../../../../../etc/passwd\nx,secret.txt\n");
    let case = Case { options: OpenOptions { defaults: Vec::new(), ..case.options.clone() }, ..case };
    let case = case.default("endpoint", "animate-image").file("secret.txt", "root:x:0:0");
    fifo(&case.folder.path().join("pipe"));
    let errors = case.errors();
    assert_eq!(errors.len(), 5, "{errors:?}");
    for (error, words) in errors.iter().zip(["not a file", "not a file", "not a file", "not a png", "not a png"]) {
        assert!(error.contains(words) && !error.contains("root"), "{error}");
    }
}

#[test]
fn an_image_that_has_become_a_pipe_does_not_hang() {
    let case = csv("prompt,image\nx,a.png\n");
    let case = Case { options: OpenOptions { defaults: Vec::new(), ..case.options.clone() }, ..case };
    let jobs = case.default("endpoint", "animate-image");
    let planned = jobs.jobs();
    let image = planned[0].params().find_map(|(_, value)| match value {
        Value::Image(image) => Some(image.clone()),
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) => None,
    });
    let path = jobs.folder.path().join("a.png");
    fs::remove_file(&path).unwrap();
    fifo(&path);
    let problem = image::load(&image.unwrap()).unwrap_err();
    assert!(matches!(problem, image::ImageProblem::Unreadable(_)), "{problem:?}");
}

#[test]
fn a_cell_without_end_is_given_up() {
    let head = &b"prompt\n\""[..];
    let endless = repeat(b'x').take(RECORD_BYTES_MAX + 1024 * 1024);
    let error = error_of(Format::Csv, head.chain(endless));
    assert!(error.contains("a record is longer than 64 MiB"), "{error}");
}

#[test]
fn cells_and_columns_without_end_are_given_up() {
    let commas = repeat(b',').take(RECORD_DELIMITERS_MAX + 1024 * 1024);
    let error = error_of(Format::Csv, b"prompt,mode\n".chain(commas));
    assert!(error.contains("more than 1048576 cells"), "{error}");
    let error = error_of(Format::Csv, "x,".repeat(60_000).as_bytes());
    assert!(error.contains("the header names 60,001 columns"), "{error}");
}

#[test]
fn deep_toml_is_refused() {
    let deep = [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
    ];
    for text in deep {
        let case = toml(&text);
        let errors = case.errors();
        assert!(!errors.is_empty() && errors.len() < 100, "{} errors", errors.len());
    }
}

#[test]
fn toml_full_of_errors_is_looked_at_so_far() {
    let keys: String = (0..5_000).map(|n| format!("k{n} = 1\n")).collect();
    assert_eq!(toml(&keys).errors().len(), 501);
    let job = format!("[[job]]\nendpoint = \"generate-video\"\nprompt = \"x\"\n{keys}");
    assert!(toml(&job).errors().len() < 510);
    for table in ["defaults", "limits", "rows", "endpoint", "rows.columns", "defaults.params"] {
        let errors = toml(&format!("[{table}]\n{keys}")).errors();
        assert!((1..510).contains(&errors.len()), "{table}: {}", errors.len());
    }
}

#[test]
fn toml_of_too_many_values_is_not_read() {
    let errors = toml(&format!("a = [{}]", "1,".repeat(4_000_001))).errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("more values"), "{errors:?}");
}

#[test]
fn nul_bytes_and_lone_carriage_returns_have_words_of_their_own() {
    assert_eq!(csv("prompt\ra\rb\r").errors().len(), 1);
    let jobs = csv("id,prompt\nx,a\0b\n").jobs();
    assert_eq!(texts(&jobs, "prompt"), ["a\0b"]);
    assert!(csv("id,prompt\nx\0y,a\n").errors()[0].contains("id: expected 1 to 128 printable characters"));
    assert!(!toml("name = \"a\0b\"\n").errors().is_empty());
}

#[test]
fn what_hides_or_turns_around_is_no_id_and_steers_nothing() {
    for id in ["a\u{202e}b", "a\u{200b}b", "a\u{1b}[2J", "\u{feff}a\u{2066}"] {
        let escaped: String = id.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let text = format!("[[job]]\nid = \"{escaped}\"\nendpoint = \"generate-video\"\nprompt = \"x\"\n");
        for case in [csv(format!("id,prompt\n{id},x\n")), toml(&text)] {
            let errors = case.open().map_or_else(|errors| errors, |manifest| drain(&manifest).1);
            assert_eq!(errors.len(), 1, "{id:?}");
            let shown = render(&errors, false, None);
            assert!(shown.lines().all(crate::terminal_text::is_printable), "{shown:?}");
        }
    }
}
