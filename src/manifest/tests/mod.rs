//! What the readers make of manifests, rule by rule.

mod csv_rules;
mod hostile;
mod matrix;
mod repeat;
mod schema;
mod toml_rules;
mod whole;
mod workbooks;

use std::fs;

use tempfile::TempDir;

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\xae\x42\x60\x82 and the rest";

/// A manifest in a folder of its own, with an image beside it.
struct Case {
    folder: TempDir,
    options: OpenOptions,
}

/// Good jobs, and errors as `line:column: message | help`.
type Outcome = (Vec<JobSpec>, Vec<String>);

impl Case {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("a.png"), PNG).unwrap();
        fs::create_dir(folder.path().join("images")).unwrap();
        fs::write(folder.path().join("images/b.jpg"), b"\xff\xd8\xff\xd9 and the rest").unwrap();
        fs::write(folder.path().join("words.txt"), "no image").unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        let options = OpenOptions { path: folder.path().join(name), ..OpenOptions::default() };
        Self { folder, options }
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    fn default(mut self, key: &str, value: &str) -> Self {
        self.options.defaults.push((key.to_owned(), value.to_owned()));
        self
    }

    fn column(mut self, header: &str, name: &str) -> Self {
        self.options.columns.push((header.to_owned(), name.to_owned()));
        self
    }

    fn open(&self) -> Result<Manifest, Vec<Diagnostic>> {
        Manifest::open(&self.options)
    }

    fn read(&self) -> Outcome {
        match self.open() {
            Ok(manifest) => {
                let (jobs, errors) = drain(&manifest);
                self.is_known_to_editors(&errors);
                (jobs, errors.iter().map(short).collect())
            }
            Err(errors) => (Vec::new(), errors.iter().map(short).collect()),
        }
    }

    /// What reads well as TOML is valid by the schema too.
    fn is_known_to_editors(&self, errors: &[Diagnostic]) {
        let is_toml = self.options.path.extension().is_some_and(|ending| ending == "toml");
        if is_toml && errors.is_empty() {
            let text = fs::read_to_string(&self.options.path).unwrap();
            assert_eq!(crate::schema::faults("manifest", &text), Vec::<String>::new(), "{text}");
        }
    }

    fn jobs(&self) -> Vec<JobSpec> {
        let (jobs, errors) = self.read();
        assert_eq!(errors, Vec::<String>::new());
        jobs
    }

    fn errors(&self) -> Vec<String> {
        self.read().1
    }
}

fn csv(content: impl AsRef<[u8]>) -> Case {
    Case::new("jobs.csv", content).default("endpoint", "generate-video")
}

fn toml(content: &str) -> Case {
    Case::new("jobs.toml", content)
}

fn drain(manifest: &Manifest) -> (Vec<JobSpec>, Vec<Diagnostic>) {
    let (mut jobs, mut errors) = (Vec::new(), Vec::new());
    for item in manifest.jobs() {
        match item {
            Ok(job) => jobs.push(job),
            Err(found) => {
                assert!(!found.is_empty());
                errors.extend(found);
            }
        }
    }
    (jobs, errors)
}

fn short(error: &Diagnostic) -> String {
    let place = error.place.as_ref().map_or(String::new(), |p| format!("{}:{}: ", p.line, p.column));
    let help = error.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
    format!("{place}{}{help}", error.message)
}

fn value(job: &JobSpec, name: &str) -> Option<String> {
    job.params().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
}

fn texts(jobs: &[JobSpec], name: &str) -> Vec<String> {
    jobs.iter().map(|job| value(job, name).unwrap_or_default()).collect()
}

fn lines(jobs: &[JobSpec]) -> Vec<u64> {
    jobs.iter().map(|job| job.line).collect()
}
