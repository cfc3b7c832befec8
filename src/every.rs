//! How much of what is tried one after the other a test tries.

/// Of many cases (moments at which a run is stopped, seeds, walks), every `nth`. With `TEST_ALL=1`, as `.ci/run` has it, every single
/// one.
pub(crate) fn every(nth: usize) -> usize {
    if std::env::var_os("TEST_ALL").is_some() { 1 } else { nth }
}

/// Of so many random cases, one in `nth` likewise.
pub(crate) fn one_in(nth: u32, cases: u32) -> u32 {
    if every(2) == 1 { cases } else { cases / nth }
}
