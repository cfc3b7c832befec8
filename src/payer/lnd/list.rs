//! The node's own list of payments, page by page: what an audit compares the ledger with. Pure, but for the call.

use serde::Deserialize;

use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::payer::{Listed, ListedPage, ListedStatus, NodeProblem};

use super::node::{not_understood, read};
use super::stream::Field;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    payments: Vec<Row<'a>>,
    #[serde(borrow, default)]
    last_index_offset: Field<'a>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    payment_hash: Field<'a>,
    #[serde(borrow)]
    status: Field<'a>,
    #[serde(borrow)]
    value_msat: Field<'a>,
    #[serde(borrow, default)]
    fee_msat: Field<'a>,
}

/// Reads a page of `GET /v1/payments`.
pub(super) fn page(body: &[u8], after: u64) -> Result<ListedPage, NodeProblem> {
    let page: Page<'_> = read(body, PATH)?;
    let payments: Vec<Listed> = page.payments.iter().map(listed).collect::<Result<_, _>>()?;
    let last = page.last_index_offset.unsigned();
    // A page that does not lead on would be read for ever.
    let next = last.filter(|last| !payments.is_empty() && *last > after);
    Ok(ListedPage { payments, next })
}

const PATH: &str = "/v1/payments";

fn listed(row: &Row<'_>) -> Result<Listed, NodeProblem> {
    let odd = |what: &str| not_understood(PATH, what);
    Ok(Listed {
        hash: PaymentHash::from_hex(row.payment_hash.text()).ok_or_else(|| odd("payment_hash is no hash"))?,
        status: match row.status.text() {
            "SUCCEEDED" => ListedStatus::Settled,
            "FAILED" => ListedStatus::Failed,
            "IN_FLIGHT" | "INITIATED" | "UNKNOWN" => ListedStatus::Open,
            _ => return Err(odd("an unknown status")),
        },
        amount: row.value_msat.unsigned().map(Msat::new).ok_or_else(|| odd("value_msat is no amount"))?,
        fee: row.fee_msat.unsigned().map(Msat::new).ok_or_else(|| odd("fee_msat is no amount"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "4f346baedb3ff15e0d4a3a0e0d9a5d2f6a2f7c1a5b2b9d6b4b1c9d2e3f4a5b6c";

    fn body(status: &str, fee: &str, offset: &str) -> String {
        format!(
            r#"{{"payments":[{{"payment_hash":"{HASH}","status":"{status}","value_msat":"5000","fee_msat":"{fee}","x":1}}],
               "first_index_offset":"1","last_index_offset":"{offset}","total_num_payments":"0"}}"#
        )
    }

    #[test]
    fn a_page_is_read_and_leads_on() {
        let page = page(body("SUCCEEDED", "7", "9").as_bytes(), 3).unwrap();
        assert_eq!(page.next, Some(9));
        let [payment] = page.payments.as_slice() else { panic!("{page:?}") };
        assert_eq!(
            (payment.status, payment.amount, payment.fee),
            (ListedStatus::Settled, Msat::new(5_000), Msat::new(7))
        );
    }

    #[test]
    fn the_last_page_ends_it() {
        assert_eq!(page(br#"{"payments":[],"last_index_offset":"0"}"#, 9).unwrap().next, None);
        assert_eq!(page(body("FAILED", "0", "9").as_bytes(), 9).unwrap().next, None, "an offset that stands still");
    }

    #[test]
    fn what_is_odd_is_an_error() {
        for body in [body("PAID", "0", "1"), body("FAILED", "-1", "1"), "{}".to_owned(), "<html>".to_owned()] {
            assert!(page(body.as_bytes(), 0).is_err(), "{body}");
        }
    }
}
