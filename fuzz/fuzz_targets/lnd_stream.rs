//! The first byte says into which pieces the rest is cut; the rest is the body of an answer.

#![no_main]

use l402_batch::l402::PaymentHash;
use l402_batch::payer::lnd::fuzzing::{error_says, node_says, stream_says};
use l402_batch::payer::{Found, NodeProblem};
use l402_batch_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

const PREIMAGE: [u8; 32] = [7; 32];
/// The HTTP status of every gRPC code that lnd's gateway maps.
const STATUSES: [u16; 13] = [200, 204, 307, 400, 401, 403, 404, 409, 429, 499, 500, 501, 503];

fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else { return };
    let hash = PaymentHash(Sha256::digest(PREIMAGE).into());
    let said = stream_says(&[body], &hash);
    let pieces: Vec<&[u8]> = body.chunks(usize::from(*first).max(1)).collect();
    assert_eq!(said, stream_says(&pieces, &hash), "how the body is cut changes what it says");
    said.iter().for_each(|found| holds(found, body));
    let status = STATUSES[usize::from(*first) % STATUSES.len()];
    holds(&error_says(status, body), body);
    for problem in node_says(body) {
        problem_holds(&problem);
    }
});

fn holds(found: &Found, body: &[u8]) {
    match found {
        Found::Settled(settled) => {
            assert_eq!(settled.preimage.reveal(), &PREIMAGE);
            assert!(names_preimage(body));
        }
        Found::PreimageKnown(preimage) => {
            assert_eq!(preimage.reveal(), &PREIMAGE);
            assert!(names_preimage(body));
        }
        Found::Unknown(problem) => problem_holds(problem),
        Found::Failed(_) | Found::InFlight | Found::NotFound => {}
    }
}

/// The preimage stands in the body, in hex or as JSON escapes of it.
fn names_preimage(body: &[u8]) -> bool {
    body.windows(2).any(|two| two == b"07" || two == b"\\u")
}

fn problem_holds(problem: &NodeProblem) {
    assert_harmless(&problem.to_string());
}
