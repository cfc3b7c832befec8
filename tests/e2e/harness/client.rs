//! The client: a folder with a manifest, a home, a ledger, and commands.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Ended, PROGRAM, Process, Sandbox};

/// Somebody who uses the program, with a home of their own.
pub struct Client {
    folder: TempDir,
    node: Vec<String>,
}

/// Rows of a CSV file, cell by column.
pub type Rows = Vec<HashMap<String, String>>;

/// Two cheap jobs, one an endpoint; the tag makes their bodies differ from everybody else's.
pub fn two_jobs(tag: &str) -> String {
    format!(
        "version = 1\n\n\
         [[job]]\nid = \"video\"\nendpoint = \"generate-video\"\nprompt = \"a kite {tag}\"\nduration = 3\n\n\
         [[job]]\nid = \"image\"\nendpoint = \"animate-image\"\nimage = \"picture.png\"\nprompt = \"a boat {tag}\"\n"
    )
}

/// A command as the last words of another one.
pub fn under(words: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(words[0]);
    outer.args(&words[1..]).arg(command.get_program()).args(command.get_args());
    outer.env_clear();
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.current_dir(command.get_current_dir().unwrap());
    outer
}

impl Client {
    /// One who buys from that sandbox.
    pub fn of(sandbox: &Sandbox) -> Self {
        Self::at(&sandbox.node, &sandbox.file("catalog.toml"), sandbox)
    }

    /// One who reaches that sandbox's node and API elsewhere: through a proxy, or not at all.
    pub fn at(node: &str, catalog: &Path, sandbox: &Sandbox) -> Self {
        Self::with(catalog, node, &sandbox.file("admin.macaroon"), &sandbox.file("tls.cert"))
    }

    /// One who has this node and this catalogue.
    pub fn with(catalog: &Path, node: &str, macaroon: &Path, certificate: &Path) -> Self {
        let path = |path: &Path| path.display().to_string();
        let node = [
            ("--catalog", path(catalog)),
            ("--lnd-url", node.to_owned()),
            ("--lnd-macaroon-file", path(macaroon)),
            ("--lnd-cert-file", path(certificate)),
        ];
        Self { node: node.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect(), ..Self::alone() }
    }

    /// One who knows no node.
    pub fn alone() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = Self { folder, node: Vec::new() };
        for name in ["home", "state", "config", "tmp", "desk"] {
            std::fs::create_dir(client.folder.path().join(name)).unwrap();
        }
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs.example.png");
        std::fs::copy(image, client.path("picture.png")).unwrap();
        client
    }

    /// The same person with that one's folders: the node and the API are others now.
    pub fn instead_of(self, former: Self) -> Self {
        Self { folder: former.folder, node: self.node }
    }

    /// A file in the folder where this client works.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("desk").join(name)
    }

    /// The ledger that is used where none is named.
    pub fn ledger(&self) -> PathBuf {
        self.folder.path().join("state/l402-batch/ledger.db")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A copy of a file that lies beside the README.
    pub fn copy_of(&self, name: &str) {
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), self.path(name)).unwrap();
    }

    /// The program, with this client's home, and nothing else of the environment but where programs are, this one first.
    pub fn program(&self) -> Command {
        let folder = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(PROGRAM);
        command.env_clear().current_dir(folder("desk")).env("TZ", "UTC");
        let own = Path::new(PROGRAM).parent().unwrap().display();
        command.env("PATH", format!("{own}:{}", std::env::var("PATH").unwrap()));
        command.env("HOME", folder("home")).env("TMPDIR", folder("tmp"));
        command.env("XDG_STATE_HOME", folder("state")).env("XDG_CONFIG_HOME", folder("config"));
        command
    }

    /// A command line, to its end.
    pub fn says(&self, line: &str) -> Ended {
        Process::start(self.program().args(line.split_whitespace())).end()
    }

    /// `run` or `recover`, with the node, no question and no pace.
    pub fn start(&self, line: &str) -> Process {
        Process::start(&mut self.buying(line))
    }

    /// A command line with the node and nothing else added, to its end.
    pub fn asks(&self, line: &str) -> Ended {
        Process::start(self.program().args(line.split_whitespace()).args(self.node_for(line))).end()
    }

    /// A command line with the node's address and papers added, to its end: for commands that know no catalogue.
    pub fn asks_node(&self, line: &str) -> Ended {
        Process::start(self.program().args(line.split_whitespace()).args(&self.node[2..])).end()
    }

    /// `run` or `recover`, to its end.
    pub fn run(&self, line: &str) -> Ended {
        self.start(line).end()
    }

    /// The command line of `run` or `recover`: as [`Self::start`] has it.
    pub fn buying(&self, line: &str) -> Command {
        let mut command = self.program();
        command.args(line.split_whitespace());
        command.args(self.node_for(line)).args(["--requests-per-second", "1000"]);
        if line.starts_with("run") {
            command.arg("--yes");
            if !line.contains("--max-sats ") {
                command.args(["--max-sats", "100000"]);
            }
        }
        command
    }

    /// `run` or `recover` as the last words of a shell script (`"$@"`), to its end.
    pub fn shell(&self, script: &str, line: &str) -> Ended {
        Process::start(&mut under(&["sh", "-c", script, "sh"], &self.buying(line))).end()
    }

    /// The same, of any command line as it stands, in a mount namespace of its own, in which even a user may mount. None
    /// where this machine allows none; that is said, since what was to be tested is not.
    pub fn shell_that_mounts(&self, script: &str, command: &Command) -> Option<Ended> {
        let namespace = ["unshare", "--map-root-user", "--mount"];
        let mut trial = Command::new(namespace[0]);
        trial.args(&namespace[1..]).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        if !trial.output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: there are no mount namespaces for this user");
            return None;
        }
        let words = [&namespace[..], &["sh", "-c", script, "sh"]].concat();
        Some(Process::start(&mut under(&words, command)).end())
    }

    /// The flags that name the node and the catalogue.
    pub fn node(&self) -> &[String] {
        &self.node
    }

    /// The flags that name the node; only what reads a manifest has a use for a catalogue.
    pub fn node_for(&self, line: &str) -> &[String] {
        let buys = ["run", "doctor", "get"].iter().any(|word| line.starts_with(word)) || self.node.is_empty();
        &self.node[if buys { 0 } else { 2 }..]
    }

    /// The rows of a CSV file.
    pub fn rows(&self, name: &str) -> Rows {
        let mut reader = csv::Reader::from_path(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        reader.deserialize().map(|row| row.unwrap_or_else(|error| panic!("{name}: {error}"))).collect()
    }

    /// One column of a CSV file, top to bottom.
    pub fn column(&self, name: &str, column: &str) -> Vec<String> {
        self.rows(name).iter().map(|row| row[column].clone()).collect()
    }

    /// The names of what lies in the folder where this client works, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
