//! What receipts prove: batch, job, take, payment and result. What was asked for, and the credential, stood in the ledger that is gone.

use sha2::{Digest, Sha256};

use crate::catalog::Value;
use crate::l402::{PaymentHash, Preimage};
use crate::ledger::decide::{Job, PaymentState};
use crate::ledger::{BadReceipt, KNOWN_BY_RECEIPT, ReceiptRow};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::Side;

/// What the receipt of a payment proves.
pub struct Proof<'r> {
    pub preimage: [u8; 32],
    pub payment: PaymentState,
    pub posted_at: Option<UnixMs>,
    pub job: JobState,
    /// The result's address, those of further results of the same answer, and since when they are known.
    pub url: Option<&'r str>,
    pub more: Vec<&'r str>,
    pub delivered_at: Option<UnixMs>,
    /// The node that paid, which old receipts may not name.
    pub node: &'r str,
    /// The digest of a request that nobody makes: what was sent is not known.
    pub request: [u8; 32],
    /// What was asked for, as far as cells of results tell it.
    pub asked: Vec<(String, Value)>,
}

impl<'r> Proof<'r> {
    /// What that receipt proves, with the cells that its results have of it.
    ///
    /// # Errors
    /// Where its preimage is not its own, or it names no purchase.
    pub fn of(row: &'r ReceiptRow, asked: &[(String, String)]) -> Result<Self, BadReceipt> {
        let preimage = data_encoding::HEXLOWER_PERMISSIVE.decode(row.preimage.as_bytes()).ok();
        let preimage: Option<[u8; 32]> = preimage.and_then(|bytes| bytes.try_into().ok());
        let Some(preimage) = preimage.filter(|bytes| Preimage::verify(*bytes, &row.hash).is_ok()) else {
            return Err(BadReceipt::Unproved { id: row.id.clone(), batch: row.batch.clone() });
        };
        if row.amount.get() == 0 || row.id.is_empty() || row.batch.is_empty() || row.take == 0 {
            return Err(BadReceipt::Nameless(row.hash.hex()));
        }
        let mut urls = row.url.iter().flat_map(|urls| urls.split_whitespace());
        let (url, more): (_, Vec<&str>) = (urls.next(), urls.collect());
        let url = url.filter(|url| is_result(url) && more.iter().all(|url| is_result(url)));
        // Results that were written while nobody knew more tell nothing.
        let told = asked.iter().filter(|(_, cell)| !cell.trim().is_empty());
        Ok(Self {
            preimage,
            payment: if row.fee.is_some() { PaymentState::Posted } else { PaymentState::Paid },
            posted_at: row.fee.map(|_| row.paid_at),
            job: if url.is_some() { JobState::Delivered } else { JobState::Paid },
            url,
            more: if url.is_some() { more } else { Vec::new() },
            delivered_at: url.map(|_| row.paid_at),
            node: if row.payer_node.is_empty() { "unknown" } else { &row.payer_node },
            request: Sha256::digest([b"receipt", row.hash.0.as_slice()].concat()).into(),
            asked: told.map(|(name, cell)| (name.clone(), Value::Text(cell.clone()))).collect(),
        })
    }
}

/// Whether what a receipt says of the result is where it is: one that came in the answer itself stood in the ledger.
fn is_result(url: &str) -> bool {
    !url.starts_with("data:")
}

/// Whether the row stands twice, as in two files that were put together: `known` is the payment of a receipt of the same take before it.
///
/// # Errors
/// Where that is another one.
pub fn stands_twice(row: &ReceiptRow, known: Option<PaymentHash>) -> Result<bool, BadReceipt> {
    if known.is_some_and(|known| known != row.hash) {
        return Err(BadReceipt::TwoPayments { take: row.take, id: row.id.clone(), batch: row.batch.clone() });
    }
    Ok(known.is_some())
}

/// How a paid job stands whose credential is gone: only a person can decide on it. None where it is not so.
pub fn left_to_a_person(side: &Side) -> Option<Job> {
    let is_left = side.by_receipt && side.has_preimage() && side.job.state == JobState::Paid;
    is_left.then(|| Job {
        state: JobState::Lost,
        reason: Reason::NotDelivered,
        error: Some(KNOWN_BY_RECEIPT.to_owned()),
        ..side.job.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::side;
    use super::*;
    use crate::ledger::ReceiptKind;
    use crate::money::Msat;

    #[test]
    fn a_receipt_proves_what_its_preimage_belongs_to_and_a_result_only_where_it_is() {
        let (url, data) = ("https://seller.example/v/1", "data:image/png;base64,...#ab");
        for (fee, url, is) in [
            (Some(Msat::new(3)), Some(url), (PaymentState::Posted, JobState::Delivered, Some(url))),
            (None, Some(url), (PaymentState::Paid, JobState::Delivered, Some(url))),
            (Some(Msat::new(3)), Some(data), (PaymentState::Posted, JobState::Paid, None)),
            (Some(Msat::new(3)), Some(""), (PaymentState::Posted, JobState::Paid, None)),
            (None, None, (PaymentState::Paid, JobState::Paid, None)),
        ] {
            let row = ReceiptRow { fee, url: url.map(str::to_owned), ..receipt() };
            let proof = Proof::of(&row, &[]).unwrap();
            assert_eq!((proof.payment, proof.job, proof.url), is);
            let at = |is: bool| is.then_some(row.paid_at);
            assert_eq!((proof.posted_at, proof.delivered_at), (at(fee.is_some()), at(is.2.is_some())));
        }
        for (urls, is) in [
            ("https://s.example/1 https://s.example/2", (Some("https://s.example/1"), vec!["https://s.example/2"])),
            ("https://s.example/1 data:image/png;base64,...#ab", (None, vec![])),
        ] {
            let row = ReceiptRow { url: Some(urls.to_owned()), ..receipt() };
            let proof = Proof::of(&row, &[]).unwrap();
            assert_eq!((proof.url, proof.more), is, "all of them, or none");
        }
        let cells = [("prompt", "a kite"), ("n", " ")].map(|(name, cell)| (name.to_owned(), cell.to_owned()));
        let row = receipt();
        assert_eq!(Proof::of(&row, &cells).unwrap().asked.len(), 1, "a cell that is empty tells nothing");
        let other = ReceiptRow { preimage: "00".repeat(32), ..receipt() };
        assert!(matches!(Proof::of(&other, &[]), Err(BadReceipt::Unproved { .. })));
        for row in [
            ReceiptRow { amount: Msat::new(0), ..receipt() },
            ReceiptRow { id: String::new(), ..receipt() },
            ReceiptRow { batch: String::new(), ..receipt() },
            ReceiptRow { take: 0, ..receipt() },
        ] {
            assert!(matches!(Proof::of(&row, &[]), Err(BadReceipt::Nameless(_))));
        }
    }

    #[test]
    fn of_two_receipts_of_one_take_the_second_is_the_same_or_wrong() {
        let row = receipt();
        for (known, is) in [(None, Some(false)), (Some(row.hash), Some(true)), (Some(PaymentHash([9; 32])), None)] {
            assert_eq!(stands_twice(&row, known).ok(), is);
        }
    }

    #[test]
    fn what_is_paid_and_has_lost_its_credential_is_left_to_a_person() {
        for state in JobState::ALL {
            // Whether a receipt is all that is left, how its payment stands, and whether that is left to a person.
            for (by_receipt, payment, is_left) in [
                (true, PaymentState::Posted, true),
                (true, PaymentState::Intended, false),
                (false, PaymentState::Posted, false),
            ] {
                let left = left_to_a_person(&Side { by_receipt, ..side(payment, *state) });
                let expected = (is_left && *state == JobState::Paid).then_some((JobState::Lost, Reason::NotDelivered));
                assert_eq!(left.map(|job| (job.state, job.reason)), expected, "{state:?} {by_receipt} {payment:?}");
            }
        }
    }

    /// The receipt of a payment.
    fn receipt() -> ReceiptRow {
        ReceiptRow {
            batch: "june".to_owned(),
            id: "a".to_owned(),
            take: 1,
            kind: ReceiptKind::Payment,
            paid_at: UnixMs(7),
            seller: "seller.example".to_owned(),
            endpoint: "video".to_owned(),
            network: None,
            amount: Msat::new(1_000),
            fee: None,
            hash: PaymentHash(Sha256::digest([7; 32]).into()),
            preimage: data_encoding::HEXLOWER.encode(&[7; 32]),
            invoice: String::new(),
            payee_node: String::new(),
            payer_node: String::new(),
            url: None,
            extra: Vec::new(),
        }
    }
}
