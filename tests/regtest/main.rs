//! The real binary against real lnd nodes on regtest: a payer, a hub that takes fees, and a payee at which the sandbox's
//! API mints its invoices. What is believed is the two nodes' own lists.
//!
//! `tests/regtest/rig test` builds the nodes (this needs Go), boots them and runs these tests. Without that they are
//! skipped, and said to be.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod buying;
#[cfg(test)]
mod closed;
#[cfg(test)]
mod died;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod forgot;
#[cfg(test)]
#[path = "../e2e/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests against the stand-in node, which use all of it")]
mod harness;
#[cfg(test)]
mod late;
#[cfg(test)]
mod lnd;
#[cfg(test)]
mod many;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod record;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod renumbered;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod sellers;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod trials;
#[cfg(test)]
mod unusable;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    trials::main()
}

#[cfg(not(test))]
fn main() {}
