//! A proxy before API and node that kills the client at a chosen piece of traffic.
//!
//! Each piece is counted as the proxy reads it and before it goes on: one that comes from the client is cut before the
//! other side knows of it, one that comes back is cut after the other side has acted and before the client knows. TLS
//! passes as it is, so the handshakes are cut too.
//!
//! How bytes fall into pieces is the network's affair. Turns, of which each is all that goes one way before something goes
//! another, are the same at every run of one job after the other; single pieces also cut within an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use super::{Process, Sandbox};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Turns,
    Pieces,
}

/// The proxy. Its threads end with the connections, and with the test's process.
pub struct Cutter {
    /// The stand-in node, through the proxy.
    pub node: String,
    /// A catalogue that leads through the proxy.
    pub catalog: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Connections of earlier processes carry nothing any more.
    process: u64,
    /// How many still pass, and what is done then; none lets everything pass.
    knife: Option<(usize, Box<dyn FnOnce() + Send>)>,
    /// A turn counts once, however many pieces it has.
    turns: bool,
    /// It has been done.
    cut: bool,
    /// What is done cuts nothing.
    passes_on: bool,
    /// Everything of this process that was counted: for the words of a failure.
    seen: Vec<&'static str>,
}

impl Cutter {
    /// A proxy before that sandbox.
    pub fn before(sandbox: &Sandbox) -> Self {
        Self::between(sandbox, &sandbox.node)
    }

    /// A proxy before that sandbox's API and before this node.
    pub fn between(sandbox: &Sandbox, node: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let origin = listen(&sandbox.origin, ["ask >", "< ask"], &state);
        let node = listen(node, ["node >", "< node"], &state);
        let catalog = sandbox.file("through-the-cutter.toml");
        let text = std::fs::read_to_string(sandbox.file("catalog.toml")).unwrap();
        std::fs::write(&catalog, text.replace(&sandbox.origin, &format!("http://{origin}"))).unwrap();
        Self { node: format!("https://{node}"), catalog, state }
    }

    /// Starts a process that is killed at the `nth` turn or piece, counted from 1.
    pub fn start(&self, count: Count, nth: usize, start: impl FnOnce() -> Process) -> Process {
        self.start_and(count, nth, start, None)
    }

    /// The same; where something else is to happen then, everything passes on.
    pub fn start_and(
        &self,
        count: Count,
        nth: usize,
        start: impl FnOnce() -> Process,
        instead: Option<Box<dyn FnOnce() + Send>>,
    ) -> Process {
        // Held while it starts, so that no piece passes before the knife is in place.
        let mut state = self.state.lock().unwrap();
        let process = start();
        *state = State {
            process: state.process + 1,
            passes_on: instead.is_some(),
            knife: Some((nth, instead.unwrap_or_else(|| Box::new(process.killer())))),
            turns: count == Count::Turns,
            ..State::default()
        };
        process
    }

    /// Ends the cutting: what connects from now on is let pass. Says where it cut, if it did.
    pub fn sheathe(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap();
        let place = state.cut.then(|| state.seen.join(", "));
        *state = State { process: state.process + 1, ..State::default() };
        place
    }
}

/// Listens, and passes on to the address; gives where it listens.
fn listen(to: &str, names: [&'static str; 2], state: &Arc<Mutex<State>>) -> SocketAddr {
    let to: SocketAddr = to.rsplit('/').next().unwrap().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::clone(state);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let process = state.lock().unwrap().process;
            let Ok(server) = TcpStream::connect(to) else { continue };
            for (from, to, name) in [(&client, &server, names[0]), (&server, &client, names[1])] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let state = Arc::clone(&state);
                thread::spawn(move || pass(from, to, name, process, &state));
            }
        }
    });
    address
}

/// Passes one direction on, piece by piece, until it ends or is cut.
fn pass(mut from: TcpStream, mut to: TcpStream, name: &'static str, process: u64, state: &Mutex<State>) {
    let _ = to.set_nodelay(true);
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if !state.lock().unwrap().may_pass(name, process) || to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl State {
    fn may_pass(&mut self, name: &'static str, process: u64) -> bool {
        if (self.cut && !self.passes_on) || self.process != process {
            return false;
        }
        if self.turns && self.seen.last() == Some(&name) {
            return true;
        }
        let Some((left, kill)) = self.knife.take() else { return true };
        self.seen.push(name);
        if left > 1 {
            self.knife = Some((left - 1, kill));
            return true;
        }
        kill();
        self.cut = true;
        self.passes_on
    }
}
