//! The pure half of the payer for `fuzz/`: what bytes mean, without a connection. Not for use.

use super::answer::{hear_error, hear_line};
use super::node;
use super::stream::Lines;
use crate::l402::PaymentHash;
use crate::payer::{Found, NodeProblem};

/// What a stream that arrives in these pieces says of a hash, message after message.
#[must_use]
pub fn stream_says(pieces: &[&[u8]], hash: &PaymentHash) -> Vec<Found> {
    let (mut lines, mut said) = (Lines::default(), Vec::new());
    for piece in pieces {
        lines.push(piece);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => said.push(hear_line(line, hash).found()),
                Ok(None) => break,
                Err(_) => return said,
            }
        }
    }
    said.extend(lines.rest().map(|rest| hear_line(rest, hash).found()));
    said
}

/// What an answer with another status than 200 says of a payment.
#[must_use]
pub fn error_says(status: u16, body: &[u8]) -> Found {
    hear_error(status, body).found()
}

/// Why a body is none of the answers about the node itself.
#[must_use]
pub fn node_says(body: &[u8]) -> Vec<NodeProblem> {
    let problems = [
        node::ready(body).err(),
        node::info(body, None).err(),
        node::balance(body).err(),
        node::newest_settled(body).err(),
    ];
    problems.into_iter().flatten().collect()
}
