//! Starts sandboxes and clients, each with folders of its own, and stops them whatever becomes of a test.

mod audit;
mod browser;
mod client;
mod cutter;
mod front;
mod process;
mod sandbox;
mod screen;
mod seller;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub use audit::Audit;
pub use browser::Browser;
pub use client::{Client, Rows, two_jobs, under};
pub use cutter::{Count, Cutter};
pub use front::{Front, Sells};
pub use process::{Ended, Process};
pub use sandbox::{Books, Sandbox};
pub use screen::Screen;
pub use seller::{AnyRequest, Asked, Sale, Seller, Served};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_l402-batch");

/// How long anything may take before a test gives up: far more than it needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Of what a test tries one after the other (turns at which a run is killed, pairs of circumstances), every `nth`. With `TEST_ALL=1`, as
/// `.ci/run` has it, every single one.
pub fn every(nth: usize) -> usize {
    if std::env::var_os("TEST_ALL").is_some() { 1 } else { nth }
}

/// The body of what an address on loopback answers to a plain GET.
pub fn get(url: &str) -> Vec<u8> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let address: SocketAddr = host.parse().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{url}: {}", String::from_utf8_lossy(&answer[..end]));
    answer.split_off(end + 4)
}
