//! A plan's fingerprint: it covers ids, contents and prices; not order, paths, limits, fee ceilings or `x_*`.
//!
//! ```text
//! job         = SHA-256("l402-batch plan job 1", content hash, price in msat, id)        the price 64-bit big-endian
//! capped job  = SHA-256("l402-batch plan capped job 1", content hash, cap in msat, id)
//! sum         = the jobs' digests as 256-bit big-endian numbers, added modulo 2^256
//! fingerprint = SHA-256("l402-batch plan 1", count of jobs as 64-bit big-endian, sum), in lower-case hex
//! ```
//!
//! Adding makes it independent of the order without keeping the jobs. It tells plans apart that differ by accident or by
//! editing; it is no signature against someone who can choose millions of jobs to forge one.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::ContentHash;
use crate::money::Msat;

const JOB_TAG: &[u8] = b"l402-batch plan job 1";
const CAPPED_JOB_TAG: &[u8] = b"l402-batch plan capped job 1";
const PLAN_TAG: &[u8] = b"l402-batch plan 1";

/// The fingerprint of the jobs so far.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint {
    job_count: u64,
    /// The sum, its least part first.
    sum: [u64; 4],
    /// The job at hand, encoded.
    buffer: Vec<u8>,
}

impl Fingerprint {
    /// Takes one job in; `is_cap`: its price is the most that it may be.
    pub fn add(&mut self, id: &str, content: &ContentHash, price: Msat, is_cap: bool) {
        self.buffer.clear();
        self.buffer.extend_from_slice(if is_cap { CAPPED_JOB_TAG } else { JOB_TAG });
        self.buffer.extend_from_slice(&content.0);
        self.buffer.extend_from_slice(&price.get().to_be_bytes());
        self.buffer.extend_from_slice(id.as_bytes());
        let digest = Sha256::digest(&self.buffer).into();
        self.add_digest(&digest);
    }

    fn add_digest(&mut self, digest: &[u8; 32]) {
        let mut carry = false;
        let (parts, _) = digest.as_chunks::<8>();
        for (sum, part) in self.sum.iter_mut().zip(parts.iter().rev()) {
            let (partial, over) = sum.overflowing_add(u64::from_be_bytes(*part));
            let (total, over_too) = partial.overflowing_add(u64::from(carry));
            *sum = total;
            carry = over || over_too;
        }
        self.job_count = self.job_count.wrapping_add(1);
    }

    /// The fingerprint, in lower-case hex.
    #[must_use]
    pub fn hex(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(PLAN_TAG);
        hash.update(self.job_count.to_be_bytes());
        for part in self.sum.iter().rev() {
            hash.update(part.to_be_bytes());
        }
        HEXLOWER.encode(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(jobs: &[(&str, u8, u64)]) -> String {
        let mut sum = Fingerprint::default();
        for (id, content, price) in jobs {
            sum.add(id, &ContentHash([*content; 32]), Msat::new(*price), false);
        }
        sum.hex()
    }

    /// A cap is another thing to accept than the same price.
    #[test]
    fn a_cap_is_no_price() {
        let capped = |is_cap| {
            let mut sum = Fingerprint::default();
            sum.add("a", &ContentHash([1; 32]), Msat::new(1_000), is_cap);
            sum.hex()
        };
        assert_eq!(capped(false), of(&[("a", 1, 1_000)]));
        assert_eq!(capped(true), "ab43da6be4c66942e36ff4c0777f066e364e4e9bcfc47835a1df2f6e8edb1b33");
    }

    /// These strings may stand in saved plans.
    #[test]
    fn golden_vectors() {
        assert_eq!(of(&[]), "5328e41f67db68eafc18b92dc9d2f05e0a76f718608a7d0ae96ea220a56b2a85");
        assert_eq!(of(&[("a", 1, 1_000)]), "47c39b7a5d5468a5411d10a91938cf9abc6c41a7116d2045737f33ff105c48b0");
        assert_eq!(
            of(&[("a", 1, 1_000), ("b", 2, 2_000), ("c", 255, u64::MAX)]),
            "aa860ca5a1262f72bb05bf6c0d079c53fb06ad8520a99b8031f2a2a64cd7939b"
        );
    }

    #[test]
    fn each_part_counts_and_order_does_not() {
        let plan = of(&[("a", 1, 1), ("b", 2, 2)]);
        assert_eq!(of(&[("b", 2, 2), ("a", 1, 1)]), plan);
        for other in [
            of(&[("a", 1, 1)]),
            of(&[("a", 1, 1), ("b", 2, 2), ("b", 2, 2)]),
            of(&[("a", 1, 1), ("c", 2, 2)]),
            of(&[("a", 1, 1), ("b", 3, 2)]),
            of(&[("a", 1, 1), ("b", 2, 3)]),
            of(&[("b", 1, 1), ("a", 2, 2)]),
        ] {
            assert_ne!(other, plan);
        }
    }

    #[test]
    fn the_sum_carries_and_wraps() {
        let mut sum = Fingerprint::default();
        sum.add_digest(&[0xff; 32]);
        assert_eq!(sum.sum, [u64::MAX; 4]);
        let mut one = [0; 32];
        one[31] = 1;
        sum.add_digest(&one);
        assert_eq!((sum.sum, sum.job_count), ([0; 4], 2));
        let mut high = [0; 32];
        high[0] = 0x80;
        sum.add_digest(&high);
        assert_eq!(sum.sum, [0, 0, 0, 1 << 63]);
    }
}
