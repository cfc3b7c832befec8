//! What every store of the ledger must do, record by record. A further store implements [`Subject`] and is named in [`suite`]; with
//! [`Commanded`] also what commands ask of it.

mod batches;
mod bounds;
mod cases;
mod downloads;
mod groups;
mod limits;
mod loads;
mod marks;
mod money;
mod origin_limits;
mod person;
mod preparing;
mod reads;
mod redeeming;
mod refunds;
mod reopening;
mod shells;
pub(in crate::ledger) mod support;
mod tokens;
mod views;
mod whole;
mod words;

use std::convert::Infallible;

use self::shells::{InFile, Inline, Threaded};
use self::support::{NOW, endpoint, planned};
use super::decide::{Job, Payment, Sums};
use super::desk::Desks;
use super::memory::MemoryLedger;
use super::port::{Audit, Batches, Decisions, Downloads, Inspection, Loading, Records, Views};
use super::sqlite::SqliteLedger;
use super::{
    AnswerKey, AnswerKind, BatchKey, Committed, DeadProof, Decided, Decision, JobKey, LedgerError, LoadError,
    PaymentKey, PendingJob, PlanLoad, Record, Retake,
};
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::purchase::HttpAnswer;
use crate::time::UnixMs;

/// An answer as it is kept: of which payment, to what, when; and whether it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct KeptAnswer {
    pub(in crate::ledger) key: AnswerKey,
    pub(in crate::ledger) payment: PaymentKey,
    pub(in crate::ledger) kind: AnswerKind,
    pub(in crate::ledger) at: UnixMs,
    pub(in crate::ledger) answer: HttpAnswer,
    pub(in crate::ledger) is_read: bool,
}

/// A store, as the suite sees it.
pub(in crate::ledger) trait Subject: Records + Downloads + Desks + Loading + Sized {
    /// One of which nothing is known.
    fn empty() -> Self;

    /// The batch of that name, begun where it is new.
    fn begin(&mut self, name: &str) -> BatchKey;

    /// Loads a plan without any word of a person.
    fn take_in(&mut self, batch: BatchKey, jobs: Vec<PlannedJob>) -> Result<PlanLoad, LedgerError> {
        of_ledger(self.load_plan(batch, NOW, &Retake::default(), jobs.into_iter().map(Ok)))
    }

    /// Carries out a person's decision.
    fn say(
        &mut self,
        now: UnixMs,
        job: JobKey,
        decision: Decision,
        proof: Option<DeadProof>,
    ) -> Result<Decided, LedgerError> {
        self.decide(now, job, decision, "a note", "nobody was asked", proof)
    }

    /// Batches of these names with jobs of these ids, all of which are to be bought; and the jobs, in their order. A job's content
    /// follows from its id.
    fn with(batches: &[(&str, &[&str])]) -> (Self, Vec<PendingJob>) {
        let (mut store, mut jobs) = (Self::empty(), Vec::new());
        for (name, ids) in batches {
            let batch = store.begin(name);
            store.take_in(batch, plan(ids)).unwrap();
            jobs.extend(store.pending(batch, None, 1_000).unwrap());
        }
        (store, jobs)
    }

    /// Keeps one record, and gives what is handed back.
    fn hand_back(&mut self, now: UnixMs, record: Record) -> Result<Committed, LedgerError> {
        Ok(self.commit(now, record)?.committed)
    }

    /// Every job, in the order of keys.
    fn jobs(&self) -> Vec<Job>;

    /// Every payment, in the order of keys.
    fn payments(&self) -> Vec<Payment>;

    /// The money of a batch; what is counted is the sum of all payments.
    fn sums(&self, batch: BatchKey) -> Sums;

    /// The prices of a batch's jobs, and of that what is the most that it may be.
    fn planned(&self, batch: BatchKey) -> [Msat; 2];

    /// How often the history of jobs was appended to.
    fn transitions(&self) -> usize;

    /// Every answer, in the order of keys.
    fn answers(&self) -> Vec<KeptAnswer>;

    /// A job.
    fn job(&self, key: JobKey) -> Job {
        self.jobs().into_iter().find(|job| job.key == key).unwrap()
    }

    /// A payment.
    fn payment(&self, key: PaymentKey) -> Payment {
        self.payments().into_iter().find(|payment| payment.key == key).unwrap()
    }

    /// All that can be seen of it.
    fn seen(&self) -> (Vec<Job>, Vec<Payment>, Vec<Sums>, usize, Vec<KeptAnswer>) {
        let sums = (1..=2).map(|batch| self.sums(BatchKey(batch))).collect();
        (self.jobs(), self.payments(), sums, self.transitions(), self.answers())
    }
}

/// A store with what commands ask of it besides.
pub(in crate::ledger) trait Commanded: Subject {
    /// The ledger, as it has those traits.
    type Ledger: Batches + Views + Inspection + Audit;

    /// What commands ask.
    fn ledger(&mut self) -> &mut Self::Ledger;
}

/// Jobs of these ids, each with its id as its prompt.
pub(in crate::ledger) fn plan(ids: &[&str]) -> Vec<PlannedJob> {
    let endpoint = endpoint();
    ids.iter().map(|id| planned(&endpoint, id, id)).collect()
}

/// What loading jobs that can all be read comes to.
pub(in crate::ledger) fn of_ledger<T>(loaded: Result<T, LoadError<Infallible>>) -> Result<T, LedgerError> {
    loaded.map_err(|error| match error {
        LoadError::Ledger(error) => error,
        LoadError::Plan(never) => match never {},
    })
}

/// Each case, for each store and each way to have it.
macro_rules! suite {
    ($($name:ident: $store:ty),* $(,)?; $cases:tt) => {
        $(in_store! { $name: $store; $cases })*
    };
}

/// Each case, for one.
macro_rules! in_store {
    ($name:ident: $store:ty; { $($of:ident: $($case:ident),* $(,)?;)* }) => {
        mod $name {
            use super::*;

            $($(#[test] fn $case() { super::$of::$case::<$store>(); })*)*
        }
    };
}

suite! {
    in_sqlite: SqliteLedger,
    in_a_file: InFile,
    inline: Inline<SqliteLedger>,
    threaded: Threaded<SqliteLedger>,
    in_memory: MemoryLedger;
{
    cases:
        a_record_that_does_not_fit_the_state_is_refused_and_leaves_no_trace,
        an_answer_is_interpreted_only_for_its_own_payment,
        only_an_end_without_spending_ends_a_job_without_a_payment,
        a_payment_below_the_price_is_held_and_spent_as_it_is,
        an_intent_needs_a_pending_job_and_no_more_than_its_price_and_its_ceilings,
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
        an_identical_request_waits_for_its_window,
        what_leads_past_a_cache_waits_for_an_answer_alone;
    bounds:
        who_takes_three_and_delivers_none_gets_no_more_in_any_batch_until_it_delivers,
        until_it_delivers_no_more_are_open_whatever_they_are_called,
        what_earlier_runs_have_left_brings_an_endpoint_back_on_trial_within_the_hour,
        what_a_person_gave_up_counts_until_the_endpoint_delivers,
        a_node_holds_no_more_than_the_bounds_say_over_all_batches,
        what_a_node_holds_for_whoever_asks_is_counted_by_its_slots,
        an_origin_that_does_not_take_what_was_paid_for_gets_no_more_at_any_endpoint,
        a_credential_that_has_ended_may_be_rejected,
        what_is_left_after_a_long_wait_counts;
    origin_limits:
        each_limit_of_an_origin_refuses_the_first_purchase_that_would_pass_it,
        a_limit_of_an_origin_counts_what_was_bought_before_it_was_set,
        what_an_origin_gives_back_makes_room_there,
        an_origin_is_charged_in_the_period_of_the_ledger,
        an_origin_that_has_delivered_is_new_no_more,
        a_purchase_above_what_one_may_cost_at_its_origin_is_refused;
    money:
        each_limit_refuses_the_first_purchase_that_would_pass_it,
        a_payment_belongs_to_the_periods_of_its_intent_whenever_it_settles,
        a_fee_above_its_ceiling_is_posted_as_it_is,
        an_amount_that_no_ledger_can_count_fits_nothing,
        a_job_with_its_own_limit_takes_no_intent_above_it,
        what_is_paid_is_held_until_it_is_posted,
        a_death_makes_room_in_batch_day_and_month;
    groups:
        outcomes_stand_in_the_order_of_their_records,
        one_contradiction_in_a_group_leaves_the_others_standing,
        records_of_one_payment_in_a_group_follow_each_other,
        a_limit_holds_within_a_group,
        a_hash_is_one_purchase_s_within_a_group_too,
        a_record_tells_how_its_job_stands_then,
        an_intent_comes_back_as_it_was_made,
        a_body_in_a_file_is_kept_with_its_intent_alone;
    redeeming:
        redeems_are_counted_and_polls_are_not,
        an_answer_with_the_result_is_as_the_answer_and_then_the_result,
        an_answer_with_a_result_that_may_not_be_its_own_is_kept_alone,
        an_answer_that_nobody_has_read_is_found_whole,
        the_first_success_counts_and_later_ones_change_nothing_of_it,
        a_redeem_after_a_success_is_durable_before_it_is_sent,
        a_poll_address_stays_until_the_result_is_here,
        what_was_lost_may_be_delivered_in_the_end,
        nobody_can_go_on_for_few_reasons_alone_and_the_state_stays,
        tries_that_ended_are_counted_and_those_that_wait_are_not,
        what_is_in_doubt_waits_and_says_why_until_it_is_known,
        the_first_settlement_that_is_kept_of_a_node_stays,
        what_is_waited_for_in_vain_counts_for_its_own_job_alone,
        a_delivery_frees_the_endpoint_of_what_it_took_before;
    refunds:
        an_offer_is_durable_with_its_link_and_its_job_waits_for_it,
        a_refund_has_one_invoice_ever,
        one_invoice_serves_one_refund,
        what_came_counts_once_and_no_sooner,
        what_is_more_than_was_paid_gives_no_limit_more_room,
        limits_of_batch_day_and_month_have_room_again,
        an_expired_refund_is_for_a_person,
        only_reasons_of_refunds_are_said_of_one,
        what_a_person_has_left_at_that_stays_so_whatever_becomes_of_the_refund,
        a_person_leaves_a_refunded_job_at_that;
    person:
        what_may_still_settle_is_not_replaced,
        what_its_node_proves_need_not_wait,
        unpaid_frees_the_hold_and_lets_the_job_be_bought_again,
        lost_keeps_the_hold_used_and_the_job_unbought,
        rebuy_makes_one_more_take_once,
        a_take_is_bought_once_what_it_replaces_can_settle_no_more,
        what_a_person_took_as_never_made_and_settles_is_paid,
        what_settles_late_is_redeemed_with_the_headers_that_it_was_asked_with,
        what_settles_beside_its_successor_is_a_take_of_its_own,
        what_was_rebought_and_settles_is_the_take_that_was_to_be_bought,
        what_is_paid_is_not_taken_as_unpaid,
        what_is_delivered_or_not_bought_is_nothing_to_decide_on,
        what_a_run_gave_up_on_is_dead_only_by_a_word_or_a_proof;
    reopening:
        a_lost_job_is_asked_for_again_with_what_was_paid_and_only_once_a_word,
        a_success_is_sent_for_once_more_by_a_word_alone,
        a_word_sends_for_a_success_once_whatever_the_clock_shows,
        nothing_is_bought_in_the_place_of_what_is_asked_for_again,
        a_take_that_was_bought_stays_beside_what_is_asked_for_again,
        an_answer_that_is_kept_is_taken_as_the_result,
        of_polls_the_last_word_is_taken,
        what_brought_no_answer_or_was_never_paid_cannot_be_taken,
        what_is_given_back_is_not_asked_for_again,
        what_was_fetched_in_vain_is_taken_as_it_is;
    tokens:
        a_token_is_open_until_its_own_job_is_delivered_and_then_serves_others,
        there_is_never_a_second_purchase_in_the_place_of_one_token,
        the_token_that_was_bought_last_is_the_newest,
        within_a_group_too_one_token_is_bought,
        a_token_serves_its_own_endpoint_network_and_kind_of_money_alone,
        a_token_that_came_to_nothing_is_none,
        what_a_token_serves_is_delivered_and_costs_nothing,
        what_a_token_brings_and_is_not_understood_is_a_person_s,
        further_results_of_what_a_token_serves_are_kept,
        what_a_token_has_delivered_is_not_bought_under_another_name,
        what_a_token_has_delivered_is_set_aside_elsewhere,
        a_result_that_a_token_has_brought_is_no_other_purchase_s,
        a_take_that_a_token_has_answered_to_stays,
        what_may_still_be_paid_for_is_not_served,
        what_settles_late_leaves_what_a_token_has_served_as_it_is;
    words:
        a_word_lets_one_purchase_begin_once,
        a_word_for_what_was_never_paid_is_not_used_up,
        a_word_lapses_where_it_is_not_needed,
        a_job_is_found_by_its_id_and_its_take,
        what_is_left_as_it_was_delivered_says_no_more;
    loads:
        the_same_plan_again_changes_nothing,
        jobs_are_bought_in_the_order_of_the_last_plan,
        what_has_gone_from_the_plan_is_withdrawn_until_it_is_back,
        what_is_not_bought_becomes_what_the_plan_asks_for_now,
        what_is_bought_is_marked_and_not_bought_again,
        what_failed_is_tried_again_where_another_try_may_fare_better,
        two_jobs_of_one_id_are_no_plan,
        batches_do_not_know_of_each_other_s_ids;
    preparing:
        a_word_buys_once_more_where_it_is_accepted_and_goes_where_it_is_not,
        what_is_bought_under_another_name_is_set_aside_until_a_person_means_it,
        a_retake_that_is_set_aside_is_taken_back,
        a_further_take_sends_what_its_endpoint_tells_takes_apart_by,
        planned_takes_are_given_as_before_where_a_default_is_another,
        what_is_set_aside_is_of_its_own_edition_and_told_of_where_it_is_named,
        what_costs_more_than_one_may_is_refused_until_it_may,
        what_is_begun_and_changes_is_told_and_marked_once_it_is_delivered,
        what_ended_without_spending_is_chosen_again,
        what_is_capped_is_told_apart;
    reads:
        each_pending_job_is_claimed_once_and_in_its_order,
        another_run_claims_what_one_has_left,
        what_is_under_way_or_at_its_end_is_not_claimed,
        a_purchase_is_open_as_far_as_it_came,
        what_is_posted_and_delivered_is_open_no_more,
        a_batch_s_open_jobs_are_its_own,
        the_request_of_an_intent_is_kept_without_what_leads_past_a_cache,
        a_payment_is_not_in_its_own_history_check,
        what_settled_before_an_intent_is_asked_of_its_node,
        a_kept_settlement_counts_where_nothing_has_settled,
        an_identical_request_is_found_and_not_the_job_s_own,
        what_is_bought_under_another_name_is_known_before_the_ask,
        what_holds_an_endpoint_back_is_known_before_the_ask,
        a_refund_is_open_while_it_can_be_claimed_or_come,
        a_record_of_nothing_is_refused,
        pages_of_what_is_pending_follow_each_other,
        a_pending_job_has_all_that_the_plan_gave_it;
    downloads:
        what_is_delivered_is_to_be_fetched_until_it_is_here,
        what_could_not_be_had_is_left_for_another_time,
        of_what_is_to_come_its_length_is_told,
        pages_of_what_is_to_be_fetched_follow_each_other,
        a_file_is_one_job_s_whatever_its_case,
        a_delivered_job_has_its_answer_and_its_credential,
        a_file_that_is_gone_is_fetched_again,
        a_file_that_is_here_is_not_written_anew,
        only_what_is_delivered_is_fetched_and_only_reasons_of_files_are_said_of_it,
        names_are_compared_letter_by_letter_without_their_case,
        further_results_of_an_answer_are_fetched_each_by_itself,
        a_name_stays_its_job_s_until_its_file_has_gone,
        that_the_manifest_has_changed_says_more_than_what_became_of_the_file;
}}

suite! {
    commands_in_sqlite: SqliteLedger,
    commands_in_a_file: InFile;
{
    batches:
        a_batch_begins_once_and_goes_on_with_its_own_manifest_and_money,
        what_is_remembered_of_a_batch_is_there_again,
        batches_are_listed_in_their_order_and_those_of_a_manifest_the_newest_first,
        files_are_told_of_where_any_are_waited_for,
        why_jobs_were_not_bought_is_said_of_what_is_pending_alone,
        why_an_endpoint_gets_no_more_is_said_anew_once_it_has_delivered;
    views:
        counts_are_of_latest_takes_and_money_of_all,
        every_take_has_a_row_where_its_job_stands,
        results_show_what_was_bought_and_tell_of_the_take_after_it,
        whoever_reads_ends_the_reading,
        receipts_are_of_settlements_in_the_order_of_their_times,
        periods_tell_what_the_next_payment_would_find_used,
        origins_tell_what_is_used_there,
        a_payment_is_shown_as_open_until_it_delivers,
        a_job_is_shown_with_all_its_takes_and_without_its_secrets,
        what_was_ever_intended_is_known_and_told_by_its_node;
}}

suite! {
    whole_in_sqlite: SqliteLedger,
    whole_in_memory: MemoryLedger;
{
    whole:
        what_is_taken_back_is_read_meanwhile_and_was_never_written,
        what_fails_on_its_way_was_never_written,
        nothing_is_recorded_amid_what_may_be_taken_back;
}}

suite! {
    marks_in_sqlite: SqliteLedger,
    marks_in_memory: MemoryLedger;
{
    marks:
        what_is_rejected_is_bought_once_more_by_a_word_and_once,
        a_shot_has_its_pick_whichever_planned_take_that_is,
        all_marks_are_taken_in_or_none;
}}

/// The time of most cases.
const AT: UnixMs = NOW;
