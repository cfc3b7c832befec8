//! What every store of the ledger must do, record by record. A further store implements [`Subject`] and is named in [`suite`].

mod cases;
mod downloads;
mod limits;
mod reads;
mod shells;

use std::convert::Infallible;

use self::shells::{InFile, Inline, Threaded};
use super::decide::{Job, Payment};
use super::memory::{MemoryLedger, Sums};
use super::port::{Downloads, Records};
use super::sqlite::SqliteLedger;
use super::sqlite::tests::support::{NOW, endpoint, planned};
use super::{BatchKey, Committed, JobKey, LedgerError, PaymentKey, PendingJob, Record};
use crate::time::UnixMs;

/// A store, as the suite sees it.
pub(in crate::ledger) trait Subject: Records + Downloads + Sized {
    /// Batches of these names with jobs of these ids, all of which are to be bought; and the jobs, in their order. A job's content
    /// follows from its id.
    fn with(batches: &[(&str, &[&str])]) -> (Self, Vec<PendingJob>);

    /// Keeps one record, and gives what is handed back.
    fn hand_back(&mut self, now: UnixMs, record: Record) -> Result<Committed, LedgerError> {
        Ok(self.commit(now, record)?.committed)
    }

    /// Every job, in the order of keys.
    fn jobs(&self) -> Vec<Job>;

    /// Every payment, in the order of keys.
    fn payments(&self) -> Vec<Payment>;

    /// The money of a batch.
    fn sums(&self, batch: BatchKey) -> Sums;

    /// How often the history of jobs was appended to.
    fn transitions(&self) -> usize;

    /// A job.
    fn job(&self, key: JobKey) -> Job {
        self.jobs().into_iter().find(|job| job.key == key).unwrap()
    }

    /// A payment.
    fn payment(&self, key: PaymentKey) -> Payment {
        self.payments().into_iter().find(|payment| payment.key == key).unwrap()
    }

    /// All that can be seen of it.
    fn seen(&self) -> (Vec<Job>, Vec<Payment>, Vec<Sums>, usize) {
        let sums = (1..=2).map(|batch| self.sums(BatchKey(batch))).collect();
        (self.jobs(), self.payments(), sums, self.transitions())
    }
}

impl Subject for MemoryLedger {
    fn with(batches: &[(&str, &[&str])]) -> (Self, Vec<PendingJob>) {
        let (mut ledger, endpoint) = (Self::new(), endpoint());
        let mut jobs = Vec::new();
        for (name, ids) in batches {
            let batch = ledger.add_batch(name, false);
            let planned = ids.iter().map(|id| Ok::<_, Infallible>(planned(&endpoint, id, id)));
            ledger.load_plan(batch, NOW, planned).unwrap();
            jobs.extend(ledger.pending(batch, None, usize::MAX).unwrap());
        }
        (ledger, jobs)
    }

    fn jobs(&self) -> Vec<Job> {
        self.jobs.values().map(|row| row.job.clone()).collect()
    }

    fn payments(&self) -> Vec<Payment> {
        self.payments.keys().map(|key| self.payment(*key).unwrap()).collect()
    }

    fn sums(&self, batch: BatchKey) -> Sums {
        self.batches.get(&batch).map(|row| row.sums).unwrap_or_default()
    }

    fn transitions(&self) -> usize {
        self.transitions.len()
    }
}

/// Each case, for each store and each way to have it.
macro_rules! suite {
    ($($of:ident: $($case:ident),* $(,)?;)*) => {
        mod in_sqlite {
            $($(#[test] fn $case() { super::$of::$case::<super::SqliteLedger>(); })*)*
        }
        mod in_a_file {
            $($(#[test] fn $case() { super::$of::$case::<super::InFile>(); })*)*
        }
        mod inline {
            $($(#[test] fn $case() { super::$of::$case::<super::Inline<super::SqliteLedger>>(); })*)*
        }
        mod threaded {
            $($(#[test] fn $case() { super::$of::$case::<super::Threaded<super::SqliteLedger>>(); })*)*
        }
        mod in_memory {
            $($(#[test] fn $case() { super::$of::$case::<super::MemoryLedger>(); })*)*
        }
    };
}

suite! {
    cases:
        a_record_that_does_not_fit_the_state_is_refused_and_leaves_no_trace,
        an_answer_is_interpreted_only_for_its_own_payment,
        only_an_end_without_spending_ends_a_job_without_a_payment,
        an_intent_needs_a_pending_job_its_exact_price_and_no_more_than_its_ceilings,
        a_hash_belongs_to_one_purchase_for_ever,
        a_node_that_forgot_once_never_proves_an_absence_again,
        sends_are_counted_and_decide_which_proof_of_death_holds,
        what_is_posted_stays_as_it_was_posted,
        what_a_node_took_up_and_does_not_know_is_not_dead_although_every_send_is_answered,
        a_death_is_no_end_that_claims_a_purchase,
        half_a_record_is_never_written,
        a_result_of_an_identical_request_is_not_its_own;
    limits:
        a_batch_s_limit_holds_fees_and_all,
        a_day_s_limit_is_over_all_batches_and_the_clock_never_goes_back,
        what_came_back_makes_room_again,
        an_endpoint_that_takes_and_does_not_deliver_gets_no_more,
        a_node_in_doubt_gets_no_more,
        the_same_request_is_not_bought_under_another_name,
        an_identical_request_waits_for_its_window;
    reads:
        each_pending_job_is_claimed_once_and_in_its_order,
        another_run_claims_what_one_has_left,
        what_is_under_way_or_at_its_end_is_not_claimed,
        a_purchase_is_open_as_far_as_it_came,
        what_is_posted_and_delivered_is_open_no_more,
        a_batch_s_open_jobs_are_its_own,
        the_request_of_an_intent_is_kept_without_what_leads_past_a_cache,
        a_payment_is_no_witness_of_its_own_node,
        what_settled_before_an_intent_is_asked_of_its_node,
        a_witness_counts_where_nothing_has_settled,
        an_identical_request_is_found_and_not_the_job_s_own,
        what_is_bought_under_another_name_is_known_before_the_ask,
        what_holds_an_endpoint_back_is_known_before_the_ask,
        a_refund_is_open_while_it_can_be_claimed_or_come,
        a_record_of_nothing_is_refused;
    downloads:
        what_is_delivered_is_to_be_fetched_until_it_is_here,
        what_could_not_be_had_is_left_for_another_time,
        pages_of_what_is_to_be_fetched_follow_each_other,
        a_file_is_one_job_s_whatever_its_case,
        a_delivered_job_has_its_answer_and_its_credential,
        a_file_that_is_gone_is_fetched_again;
}

/// The time of most cases.
const AT: UnixMs = NOW;
