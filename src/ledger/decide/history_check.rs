//! What a node must still know before what it does not know counts (rule 5).

use crate::l402::PaymentHash;
use crate::ledger::HistoryCheck;

/// Settled payments of each kind that a node must still know; each costs a look-up at the node.
pub const SETTLED_MAX: usize = 16;

/// Which of the payments that have settled at a node are asked for, beside the payment in question, and in which order: at most
/// [`SETTLED_MAX`] of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Others that had settled when it was intended, the latest settlement first.
    Before,
    /// All others, the latest settlement first.
    Others,
    /// Those that were intended before it, the latest settlement first.
    IntendedBefore,
    /// Those that were intended since, in their order.
    FirstSince,
    /// Those that were intended since, the last one first.
    LastSince,
}

/// What the node must still know. `kept` is the payment that was kept of the node when the payment in question was intended; it is
/// asked for only where nothing had settled there.
///
/// # Errors
/// Where it cannot be looked up.
pub fn history_check<E>(
    settled: impl Fn(Settled) -> Result<Vec<PaymentHash>, E>,
    kept: impl FnOnce() -> Result<Option<PaymentHash>, E>,
) -> Result<HistoryCheck, E> {
    let mut known = settled(Settled::Before)?;
    let kept = if known.is_empty() { kept()? } else { None };
    let is_earlier = !known.is_empty() || kept.is_some();
    for which in [Settled::Others, Settled::IntendedBefore, Settled::FirstSince, Settled::LastSince] {
        for hash in settled(which)? {
            if !known.contains(&hash) {
                known.push(hash);
            }
        }
    }
    known.extend(kept);
    Ok(HistoryCheck { settled: known, is_earlier })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(of: &[u8]) -> Vec<PaymentHash> {
        of.iter().map(|n| PaymentHash([*n; 32])).collect()
    }

    fn check(before: &[u8], kept: Option<u8>) -> HistoryCheck {
        let settled = |which| {
            Ok::<_, ()>(hashes(match which {
                Settled::Before => before,
                Settled::Others => &[5, 1],
                Settled::IntendedBefore => &[1],
                Settled::FirstSince => &[4, 5],
                Settled::LastSince => &[5, 4],
            }))
        };
        history_check(settled, || Ok(kept.map(|n| PaymentHash([n; 32])))).unwrap()
    }

    #[test]
    fn each_settlement_is_asked_for_once_those_before_it_first() {
        let checked = check(&[1, 2], Some(9));
        assert_eq!(checked, HistoryCheck { settled: hashes(&[1, 2, 5, 4]), is_earlier: true });
    }

    #[test]
    fn a_kept_settlement_stands_in_for_those_before_it() {
        assert_eq!(check(&[], Some(9)), HistoryCheck { settled: hashes(&[5, 1, 4, 9]), is_earlier: true });
        assert_eq!(check(&[], None), HistoryCheck { settled: hashes(&[5, 1, 4]), is_earlier: false });
    }
}
