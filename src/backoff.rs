//! Growing pauses between tries.

/// The pause before the next try, in milliseconds: `first_ms`, and twice as long after each further one in vain, at the most
/// `max_ms`. `done` counts from 0.
#[must_use]
pub fn pause_ms(done: u32, first_ms: u64, max_ms: u64) -> u64 {
    first_ms.saturating_mul(1_u64.checked_shl(done).unwrap_or(u64::MAX)).min(max_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_bound() {
        for (done, ms) in [(0, 250), (1, 500), (3, 2_000), (7, 30_000), (63, 30_000), (64, 30_000), (u32::MAX, 30_000)]
        {
            assert_eq!(pause_ms(done, 250, 30_000), ms, "{done}");
        }
        assert_eq!(pause_ms(u32::MAX, 0, 30_000), 0, "no pause stays none");
    }
}
