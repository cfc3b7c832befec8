//! How batches stand in the maps, and that their sums are those of their payments: for tests.

use crate::ledger::decide::PaymentState;
use crate::ledger::{BatchKey, Counts, RefundStanding};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

use super::{JobRow, MemoryLedger};

impl MemoryLedger {
    /// The latest take of each job of the batch, in the manifest's order.
    pub fn standing(&self, batch: BatchKey) -> Vec<(String, JobState, Reason, Option<String>)> {
        let is_it = |row: &&JobRow| row.job.batch == batch && !row.job.superseded;
        let mut rows: Vec<&JobRow> = self.jobs.values().filter(is_it).collect();
        rows.sort_by_key(|row| (row.seq, row.job.key));
        rows.into_iter().map(|row| (row.id.clone(), row.job.state, row.job.reason, row.job.error.clone())).collect()
    }

    /// The money of the batch.
    pub fn counts(&self, batch: BatchKey) -> Counts {
        let sums = self.batches.get(&batch).map(|row| row.sums).unwrap_or_default();
        let msat = |sum: i64| Msat::new(u64::try_from(sum).unwrap());
        let is_planned =
            |row: &&JobRow| row.job.batch == batch && (row.job.superseded || row.job.reason != Reason::Withdrawn);
        let prices = |is_meant: fn(&JobRow) -> bool| {
            let rows = self.jobs.values().filter(is_planned).filter(|row| is_meant(row));
            Msat::checked_sum(rows.map(|row| row.job.price)).unwrap()
        };
        Counts {
            planned: prices(|_| true),
            planned_capped: prices(|row| row.endpoint.is_capped()),
            spent: msat(sums.spent),
            fees: msat(sums.fees),
            held: msat(sums.held),
            refunded: msat(sums.refunded),
            ..Counts::default()
        }
    }

    /// How the first refund stands.
    pub fn refund_standing(&self) -> RefundStanding {
        self.refunds.values().next().unwrap().standing
    }

    /// Sums up payments anew, and compares with what was counted.
    pub fn check_money(&self) {
        for batch in self.batches.keys() {
            let (mut held, mut spent, mut fees) = (0, 0, 0);
            for payment in self.payments.values().filter(|payment| payment.batch == *batch) {
                match payment.fate.state {
                    PaymentState::Intended | PaymentState::Paid => {
                        held += payment.amount.get() + payment.fee_limit.get()
                    }
                    PaymentState::Posted => {
                        spent += payment.amount.get();
                        fees += payment.fate.fee.unwrap_or_default().get();
                    }
                    PaymentState::Dead => {}
                }
            }
            let counts = self.counts(*batch);
            assert_eq!((counts.held.get(), counts.spent.get(), counts.fees.get()), (held, spent, fees));
        }
    }
}
