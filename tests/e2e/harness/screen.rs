//! A process on a terminal of its own: what is typed there, and what a person sees.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::{PATIENCE, under};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// So many rows that nothing scrolls away.
const ROWS: u16 = 300;

/// A terminal with a process on it. Both end with the test.
pub struct Screen {
    child: Child,
    keys: File,
    seen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Screen {
    /// Starts it on a terminal of so many columns; none where this machine has no `setsid` to give it one. That is said,
    /// since what was to be tested is not.
    pub fn start(command: &Command, columns: u16) -> Option<Self> {
        Self::start_after(command, columns, "")
    }

    /// The same, where these keys were pressed before it began.
    pub fn start_after(command: &Command, columns: u16, keys: &str) -> Option<Self> {
        if Command::new("setsid").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no setsid to give a process a terminal of its own");
            return None;
        }
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let side = || OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut terminal = File::from(terminal);
        let (stdin, stdout, stderr) = (side(), side(), side());
        terminal.write_all(keys.as_bytes()).unwrap();
        let mut command = under(&["setsid", "--ctty"], command);
        let child = command.env("TERM", "xterm").stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        drop(command);
        let size = |size| NonZeroU16::new(size).unwrap();
        let seen = Arc::new(Mutex::new(vt100::Parser::new(size(ROWS), size(columns), 0)));
        let mut screen = terminal.try_clone().unwrap();
        let into = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut piece = [0; 4_096];
            // Once nobody has the other side open any more, reading ends with an error.
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                into.lock().unwrap().process(&piece[..length]);
            }
        });
        Some(Self { child, keys: terminal, seen, reader: Some(reader) })
    }

    /// Presses keys.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// What stands on the terminal: a line a row, `↩` where the terminal itself broke one.
    pub fn shown(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let screen = seen.screen();
        let rows = screen.rows(0, screen.size().1.get()).zip(0..);
        let rows = rows.map(|(row, nth)| if screen.row_wrapped(nth) { format!("{row}↩") } else { row });
        let text: String = rows.map(|row| format!("{}\n", row.trim_end())).collect();
        format!("{}\n", text.trim_end())
    }

    /// Waits until what stands there is so.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !is_so(&self.shown()) {
            assert!(Instant::now() < give_up, "`{what}` is never there:\n{}", self.shown());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether the terminal shows what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.keys).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Lets the terminal show what is typed, as a shell does.
    pub fn let_echo(&self) {
        let mut modes = tcgetattr(&self.keys).unwrap();
        modes.local_modes.insert(LocalModes::ECHO);
        tcsetattr(&self.keys, OptionalActions::Now, &modes).unwrap();
    }

    /// Waits for the end: the exit code, and what stands there then.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let give_up = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(Instant::now() < give_up, "it does not end:\n{}", self.shown());
            thread::sleep(LOOK_EVERY);
        };
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (code, self.shown())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
