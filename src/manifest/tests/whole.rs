//! Both kinds together: what means the same, images, pipes, and whatever bytes may come.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sha2::Digest as _;

use super::*;
use crate::catalog::ImageSource;
use crate::diagnostic::render;

#[test]
fn the_examples_mean_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| {
        let options = OpenOptions { path: root.join(name), ..OpenOptions::default() };
        let (mut jobs, errors) = drain(&Manifest::open(&options).unwrap());
        assert_eq!(errors, vec![]);
        jobs.iter_mut().for_each(|job| job.line = 0);
        jobs
    };
    let jobs = read("jobs.example.toml");
    assert_eq!(jobs, read("jobs.example.csv"));
    let price = |job: &JobSpec| {
        let of = |name: &str| job.params().find(|(key, _)| *key == name).map(|(_, value)| value);
        job.endpoint.price.price(of).unwrap().price.get()
    };
    assert_eq!(jobs.iter().map(price).sum::<u64>(), 13_850_000, "the total in the example's comment");
}

#[test]
fn images_are_found_recognised_and_loaded() {
    let base64 = data_encoding::BASE64.encode(PNG);
    let text = format!(
        "prompt,image\na,a.png\nb,images\\b.jpg\nc,\"data:image/png;base64,{base64}\"\nd,{}\n",
        base64.trim_end_matches('=')
    );
    let case = Case::new("jobs.csv", text).default("endpoint", "animate-image");
    let jobs = case.jobs();
    let images: Vec<_> = jobs
        .iter()
        .filter_map(|job| match job.params().find(|(name, _)| *name == "image")?.1 {
            Value::Image(image) => Some(image.clone()),
            Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) => None,
        })
        .collect();
    assert_eq!(images[0].source, ImageSource::File(case.folder.path().join("a.png")));
    assert!(matches!(&images[1].source, ImageSource::File(path) if path.ends_with("images/b.jpg")));
    assert_eq!((&images[2], &images[3].source), (&images[3], &ImageSource::Inline(base64)));
    assert_eq!(images[0].sha256, images[2].sha256);
    for image in &images {
        image::load(image).unwrap();
    }
    assert_eq!(image::load(&images[0]).unwrap(), PNG);
    fs::write(case.folder.path().join("a.png"), b"\x89PNG\r\n\x1a\n another").unwrap();
    assert_eq!(image::load(&images[0]), Err(image::ImageProblem::Changed));
    fs::remove_file(case.folder.path().join("a.png")).unwrap();
    assert!(matches!(image::load(&images[0]), Err(image::ImageProblem::Unreadable(_))));
}

#[test]
fn images_that_are_none_are_errors() {
    let text = "prompt,image\na,b.png\na,images\na,words.txt\na,\"data:image/png,x\"\na,data:image/png;base64\na,\"data:;base64,AAAA\"\n";
    let case = Case::new("jobs.csv", text).default("endpoint", "animate-image");
    let root = case.folder.path().display().to_string();
    let errors: Vec<String> = case.errors().iter().map(|error| error.replace(&root, "ROOT")).collect();
    assert_eq!(
        errors,
        [
            "2:3: image: no such file: b.png",
            "3:3: image: ROOT/images is not a file",
            "4:3: image: ROOT/words.txt is not a png, jpeg or webp image",
            "5:4: image: expected a data URI that says ;base64 before the comma",
            "6:3: image: expected a data URI with base64 after a comma",
            "7:4: image: expected a png, jpeg or webp image",
        ]
    );
}

#[test]
fn toml_and_csv_that_mean_the_same_are_the_same() {
    let from_toml = toml(
        "[defaults]\nendpoint = \"generate-video\"\nduration = 9\n[[job]]\nid = \"a\"\nprompt = \"x\"\nx_n = 1\n\
         [[job]]\nparams.prompt = \"\"\"\ny\r\nz\"\"\"\nmodelId = 7\nmax_sats = 9_000\ngenerate_audio = true\n",
    );
    let from_csv =
        csv("id,prompt,x_n,modelId,max_sats,generate_audio\na,x,1,,,\n,\"y\nz\",,7,9000,1\n").default("Duration", "9");
    let strip = |mut jobs: Vec<JobSpec>| {
        jobs.iter_mut().for_each(|job| job.line = 0);
        jobs
    };
    assert_eq!(lines(&from_toml.jobs()), [4, 8]);
    assert_eq!(strip(from_toml.jobs()), strip(from_csv.jobs()));
}

#[test]
fn standard_input_is_read_from_a_copy() {
    let options = OpenOptions {
        path: STDIN.into(),
        format: Some(Format::Csv),
        defaults: vec![("endpoint".into(), "generate-video".into())],
        ..OpenOptions::default()
    };
    let manifest = Manifest::open_from(&options, &mut &b"prompt\na cat\n"[..]).unwrap();
    assert_eq!(drain(&manifest).0.len(), 1);
    assert_eq!(drain(&manifest).0.len(), 1, "it can be read again");
    assert_eq!((manifest.file(), manifest.fallback_name()), ("-", None));
    let unknown = Manifest::open_from(&OpenOptions { format: None, ..options }, &mut &b""[..]);
    assert!(
        unknown.is_err_and(|errors| errors[0].help.as_ref().is_some_and(|help| help.contains("--manifest-format")))
    );
}

#[test]
fn a_job_takes_nothing_from_the_one_before() {
    let case = Case::new(
        "jobs.csv",
        "id,endpoint,prompt,modelId,image,mode,max_sats,x_a,x_b\n\
         one,generate-video,a long prompt,kling,,standard,9,u,v\n\
         ,animate-image,b,,a.png,,,,w\n\
         three,generate-video,c,6,,,,,\n\
         ,generate-video,,7,,pro,1,x,y\n\
         ,generate-video,d,,,,,z,\n",
    );
    // `drain` compares both ways of reading.
    let (jobs, errors) = drain(&case.open().unwrap());
    assert_eq!((lines(&jobs), errors.len()), (vec![2, 3, 4, 6], 1));
    let last = JobSpec { line: 6, ..csv("prompt,x_a\nd,z\n").jobs().remove(0) };
    assert_eq!(jobs[3], last);
}

#[test]
fn a_manifest_has_a_digest() {
    let words = "prompt\na cat\n";
    let manifest = csv(words).open().unwrap();
    let sha256 = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(words));
    assert_eq!(manifest.sha256(), Ok(sha256.as_str()));
    assert_eq!(toml("").open().unwrap().sha256().map(str::len), Ok(64));
    let changed = csv(words);
    let manifest = changed.open().unwrap();
    fs::write(&changed.options.path, "prompt\na cat, a dog\n").unwrap();
    assert_eq!(manifest.sha256().unwrap_err()[0].message, "the file was written to while it was read");
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let case = Case::new("a.csv", "prompt\n");
    for (name, words) in [("no.csv", "there is no such file"), ("images", "cannot tell"), ("a.xls", "cannot tell")] {
        let options = OpenOptions { path: case.folder.path().join(name), ..OpenOptions::default() };
        let errors = Manifest::open(&options).err().unwrap();
        assert!(errors[0].message.contains(words), "{name}: {errors:?}");
    }
}

#[test]
fn a_manifest_full_of_errors_is_shown_in_one_pass() {
    let case = toml(
        "version = 1\nnmae = \"june\"\n\n[defaults]\nduration = 2\ncolour = \"red\"\n\n[limits]\nmax_sats = \"1000\"\n\n\
         [rows]\nfile = \"shots.csv\"\n\n[[job]]\nid = \"a\"\nendpoint = \"generate-vidio\"\nprompt = \"x\"\n\n\
         [[job]]\nendpoint = \"generate-video\"\nmode = \"pr0\"\nskip = true\n",
    )
    .file(
        "shots.csv",
        b"endpoint,prompt,duration,image,sedd\ngenerate-video,a cat,8s,,\ngenerate-video,a dog,8s,,\n\
          animate-image,\"two\nlines\",5,no.png,\ngenerate-video,caf\xe9,5,,\ngenerate-video,x,5,a.png,\n",
    );
    let root = format!("{}/", case.folder.path().display());
    let (_, errors) = drain(&case.open().unwrap());
    let text = render(&errors, false, None).replace(&root, "");
    insta::assert_snapshot!(text);
}

/// Cells as people write them, with what a reader could stumble over.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}( [a-z\"',;=+]{0,6}){0,2}",
        "[a-zé]{1,4}\n[a-z]{1,4}",
        Just("=sum(a1)".to_owned()),
        Just("'".to_owned()),
    ]
    .prop_map(|text| text.trim().to_owned())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", crate::csv_escape::neutralise(text).replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn csv_and_toml_with_the_same_content_agree(
        rows in prop::collection::vec((cell(), 3_i64..=15, any::<bool>(), any::<bool>(), prop::option::of(cell())), 1..6),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        delimiter in prop_oneof![Just(","), Just(";"), Just("\t")],
        bom: bool,
    ) {
        let mut csv_text = String::from(if bom { "\u{feff}" } else { "" });
        csv_text += &["endpoint", "prompt", "duration", "mode", "generate_audio", "x_note"].join(delimiter);
        csv_text += end;
        let mut toml_text = String::from("version = 1\n");
        for (prompt, duration, is_pro, audio, note) in &rows {
            let mode = if *is_pro { "pro" } else { "standard" };
            let note_cell = note.as_deref().map(quoted).unwrap_or_default();
            let cells = ["generate-video".into(), quoted(prompt), duration.to_string(), mode.into(), audio.to_string(), note_cell];
            csv_text += &(cells.join(delimiter) + end);
            toml_text += &format!(
                "[[job]]\nendpoint = \"generate-video\"\nprompt = {}\nduration = {duration}\nmode = \"{mode}\"\ngenerate_audio = {audio}\n",
                toml::Value::String(prompt.clone())
            );
            if let Some(note) = note {
                toml_text += &format!("x_note = {}\n", toml::Value::String(note.clone()));
            }
        }
        let strip = |jobs: Vec<JobSpec>| jobs.into_iter().map(|job| JobSpec { line: 0, ..job }).collect::<Vec<_>>();
        prop_assert_eq!(strip(Case::new("a.csv", csv_text).jobs()), strip(toml(&toml_text).jobs()));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, format in prop_oneof![Just(Format::Csv), Just(Format::Toml), Just(Format::Tsv)]) {
        read_anything(&bytes, format);
    }

    #[test]
    fn no_text_like_a_manifest_makes_a_reader_panic(
        text in "(prompt|id|duration|image|=|\\[\\[job\\]\\]|\\[rows\\]|\"|,|;|\n|\r\n|\t|é|[0-9]|\\.|\\{|\\}|'|sep=| ){0,60}",
        format in prop_oneof![Just(Format::Csv), Just(Format::Toml)],
    ) {
        read_anything(text.as_bytes(), format);
    }
}

fn read_anything(bytes: &[u8], format: Format) {
    let options = OpenOptions { path: STDIN.into(), format: Some(format), ..OpenOptions::default() };
    let errors = match Manifest::open_from(&options, &mut &bytes[..]) {
        Ok(manifest) => drain(&manifest).1,
        Err(errors) => errors,
    };
    let _ = render(&errors, false, None);
}
