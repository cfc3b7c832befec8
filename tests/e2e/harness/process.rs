//! A process of a test.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::PATIENCE;

const LOOK_EVERY: Duration = Duration::from_millis(3);

/// A running process. It is stopped, by its id, also when the test fails.
pub struct Process {
    child: Arc<Mutex<Child>>,
    words: String,
    stdout: Said,
    stderr: Said,
}

/// What a process has said so far to one of its outputs.
struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    words: String,
}

impl Process {
    /// Starts it, with nothing to read and everything that it says collected.
    pub fn start(command: &mut Command) -> Self {
        let words = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Said::collect(child.stdout.take().unwrap());
        let stderr = Said::collect(child.stderr.take().unwrap());
        Self { child: Arc::new(Mutex::new(child)), words, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// What kills it at once, from any thread, and waits until it has gone.
    pub fn killer(&self) -> impl FnOnce() + Send + use<> {
        let child = Arc::clone(&self.child);
        move || {
            let mut child = child.lock().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills it at once. Whether that ended it: it may have come to its end before.
    pub fn kill(self) -> bool {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap().signal() == Some(rustix::process::Signal::KILL.as_raw())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let mut child = self.child.lock().unwrap();
        // One that has ended keeps its id until it is waited for, so the signal can meet no other process.
        assert!(child.try_wait().unwrap().is_none(), "it has ended already: {}", self.words);
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
    }

    /// Waits until it has said this on standard output, and gives what it has said so far.
    pub fn wait_for(&self, words: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        while !self.stdout.so_far().contains(words) {
            assert!(Instant::now() < give_up, "{} never says `{words}`: {}", self.words, self.stdout.so_far());
            thread::sleep(LOOK_EVERY);
        }
        self.stdout.so_far()
    }

    /// Waits for its end.
    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    /// Waits so long for its end.
    pub fn end_within(mut self, patience: Duration) -> Ended {
        let give_up = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > give_up {
                break None;
            }
            thread::sleep(LOOK_EVERY);
        };
        if status.is_none() {
            self.stop();
        }
        let stdout = self.stdout.all();
        let stderr = self.stderr.all();
        let status = status.unwrap_or_else(|| panic!("{} does not end\n{stdout}{stderr}", self.words));
        Ended { code: status.code(), stdout, stderr, words: self.words.clone() }
    }

    fn stop(&self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Ended {
    /// It ended with this code.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// It said this, to the screen or to a pipe.
    #[track_caller]
    pub fn saying(self, words: &str) -> Self {
        assert!(self.stdout.contains(words) || self.stderr.contains(words), "`{words}` is missing\n{self}");
        self
    }

    /// It did not say this.
    #[track_caller]
    pub fn not_saying(self, words: &str) -> Self {
        assert!(!self.stdout.contains(words) && !self.stderr.contains(words), "`{words}` is there\n{self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nended with {:?}\n{}\n{}", self.words, self.code, self.stdout, self.stderr)
    }
}

impl Said {
    fn collect(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                into.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// Everything, once the process has ended.
    fn all(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.so_far()
    }
}
