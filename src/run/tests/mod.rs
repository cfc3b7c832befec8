//! Whole runs in a scripted world: paused time, a node and a shop that keep their own books, and a ledger that can be
//! stopped at any commit. The auditor believes the node's and the shop's books only.

mod bank;
mod codes;
mod contract;
mod crash;
mod credentials;
mod evidence;
mod flow;
mod identical;
mod ledger;
mod limits;
mod node;
mod pace;
mod patience;
mod payments;
mod pictures;
mod refunds;
mod seeds;
mod shop;
mod slots;
mod stop;
mod store;
mod till;
mod world;

use store::Kind;

/// Each test, on each of the stores.
macro_rules! suite {
    ($($module:ident on $kind:ident: { $($of:ident: $($case:ident),* $(,)?;)* })*) => {
        $(mod $module {
            $(mod $of {
                $(#[tokio::test(start_paused = true)]
                async fn $case() {
                    super::super::store::run_on(super::super::Kind::$kind);
                    super::super::$of::$case().await;
                })*
            })*
        })*
    };
}

/// The same tests on both stores.
macro_rules! on_both {
    ($($tests:tt)*) => {
        suite! {
            sqlite on Sqlite: { $($tests)* }
            memory on Memory: { $($tests)* }
        }
    };
}

on_both! {
    codes:
        before_the_payment_each_code_is_treated_as_its_table_says,
        after_the_payment_each_code_is_treated_as_its_table_says,
        a_poll_s_code_is_not_its_last_word,
        no_code_ever_leads_to_a_second_payment;
    crash:
        a_run_stopped_at_any_commit_is_finished_by_the_next,
        a_recovery_stopped_at_any_commit_is_finished_by_the_next,
        a_result_that_a_poll_brought_is_never_lost;
    credentials:
        each_challenge_is_paid_at_once_however_few_the_slots,
        nothing_is_asked_for_while_payments_pause,
        one_that_ran_out_is_renewed_where_its_hash_is_dead,
        one_that_ran_out_in_doubt_is_not_renewed,
        one_that_ran_out_paid_is_tried_all_the_same,
        one_that_ran_out_paid_and_is_rejected_is_paid_and_not_delivered,
        one_that_came_too_late_to_be_paid_leaves_no_intent;
    evidence:
        a_payment_that_the_node_has_is_never_taken_as_not_made,
        while_a_post_may_still_arrive_it_is_no_proof_that_the_node_has_not_paid,
        an_invoice_has_expired_only_by_both_clocks,
        a_node_that_is_gone_proves_nothing_however_late,
        a_node_that_has_forgotten_is_no_proof_that_it_has_not_paid;
    flow:
        many_jobs_are_bought_once_each,
        an_accepted_job_is_polled_to_its_end,
        a_host_that_does_not_answer_for_what_it_works_on_is_told_of_once_an_outage,
        a_redeem_is_repeated_until_it_is_answered,
        a_higher_price_is_refused_and_a_lower_one_is_paid,
        an_offered_refund_and_an_answer_that_says_no_end_the_job_and_the_fee_is_known,
        an_origin_that_never_delivers_ends_the_run_and_keeps_the_job,
        an_invoice_of_another_purchase_is_asked_for_once_more_and_then_refused,
        an_answer_without_a_price_is_no_purchase,
        asks_that_get_nothing_are_bounded;
    identical:
        with_the_header_identical_requests_need_no_window_between_them,
        an_identical_request_goes_out_while_the_other_is_being_made,
        a_repeated_redeem_goes_without_the_header_and_after_the_window,
        a_repeated_redeem_does_not_join_an_identical_request_that_is_being_made,
        a_lone_job_s_repeated_redeem_waits_for_nobody,
        what_never_left_is_not_repeated,
        the_next_run_s_redeem_counts_as_repeated,
        what_an_earlier_run_intended_is_redeemed_past_its_identical_request_s_result,
        a_result_from_the_cache_that_nobody_else_has_is_its_own,
        an_origin_that_only_ever_gives_the_identical_request_s_result_is_not_asked_for_ever;
    limits:
        many_workers_never_pass_the_limit,
        a_whole_budget_buys_the_whole_plan,
        a_limit_of_an_origin_holds_back_its_jobs_alone,
        more_jobs_of_a_new_origin_than_can_be_set_aside_wait_for_its_first_delivery,
        an_origin_that_never_delivered_gets_no_more_until_it_does,
        what_costs_more_than_one_job_may_at_its_origin_is_not_asked_for,
        an_endpoint_that_delivers_nothing_gets_no_more,
        an_endpoint_that_has_still_to_deliver_is_tried_with_a_few,
        refusals_and_failures_do_not_use_up_the_first_few,
        a_breaker_that_closes_again_leaves_no_job_behind,
        a_node_that_is_down_pauses_the_run_and_ends_it_after_the_patience,
        a_node_that_comes_back_in_time_is_used_again,
        channels_without_balance_end_the_run_after_the_patience,
        channels_that_hold_less_than_anything_left_costs_end_the_run_at_once,
        what_comes_back_from_doubt_is_left_to_buy,
        a_node_in_trouble_does_not_hold_a_run_that_has_nothing_to_buy,
        limit_and_only_bound_what_is_bought,
        a_limit_means_the_first_jobs_also_where_one_has_to_wait,
        a_challenge_that_comes_while_the_node_is_in_trouble_is_dropped;
    pace:
        identical_requests_are_a_window_apart,
        identical_requests_that_ask_at_the_same_time_are_told_apart_at_the_intent,
        a_slow_host_slows_only_itself,
        no_wish_of_a_host_outlives_a_paid_credential,
        an_old_credential_leaves_the_host_alone_and_holds_up_nobody,
        requests_to_a_host_keep_their_pace;
    patience:
        a_poll_that_says_anything_for_a_while_is_asked_again,
        over_runs_and_for_a_day_and_no_run_lives_for_it,
        once_the_patience_is_over_it_is_a_person_s,
        a_redeem_that_is_refused_is_repeated_for_the_patience,
        a_poll_s_retry_after_counts_up_to_ten_minutes,
        after_a_success_of_unknown_shape_nothing_is_sent_again,
        after_a_success_that_brings_nothing_one_redeem_more_goes_out_where_it_replays,
        polls_that_fail_send_for_it_once_more_where_it_replays,
        what_cannot_be_sent_for_want_of_a_secret_counts_for_nobody_and_ends_nothing,
        the_redeem_more_is_not_used_up_by_one_that_cannot_be_sent,
        polls_behind_the_gate_are_asked_with_the_credential,
        the_wait_for_doubt_does_not_begin_anew;
    payments:
        whatever_becomes_of_a_post_it_is_paid_once,
        a_stalled_post_that_arrives_after_a_failure_is_not_paid_again,
        a_payment_that_stays_in_flight_ends_the_run_after_the_stated_wait_and_keeps_its_hold,
        doubt_gives_its_place_to_other_jobs,
        an_identical_request_of_a_job_in_doubt_does_not_keep_the_run_alive,
        a_payment_that_settles_while_nobody_looks_is_found_by_the_next_run,
        a_node_that_forgot_proves_nothing,
        a_node_that_forgot_proves_nothing_when_it_has_paid_anew_since,
        another_node_is_never_asked_to_pay_and_never_believed,
        a_node_that_gives_way_to_another_in_the_middle_has_not_forgotten,
        what_was_seen_before_standing_in_line_is_seen_anew_before_sending_again,
        recovering_buys_nothing,
        an_open_job_that_turns_out_unpaid_is_not_bought_by_the_run_that_found_it_open,
        what_waited_too_long_for_a_slot_is_not_sent_again,
        another_node_s_failure_is_no_failure_of_ours,
        every_sign_of_a_lost_history_keeps_a_payment_in_doubt,
        a_failure_of_a_later_post_is_no_proof_where_the_history_is_lost,
        without_a_settlement_nothing_that_is_not_found_is_sent_again,
        without_a_settlement_a_payment_that_the_node_refused_every_time_is_dead,
        nothing_is_bought_before_the_node_has_told_its_newest_settlement;
    refunds:
        a_refund_is_claimed_in_the_run_that_it_is_offered_in,
        whatever_becomes_of_the_claim_it_is_paid_once_for_one_invoice,
        what_came_while_the_run_went_on_is_known_at_its_end,
        a_link_that_says_no_stays_open_and_is_asked_again,
        less_than_was_paid_is_told_and_counts_as_what_it_is,
        a_refund_that_never_comes_expires_and_no_second_invoice_is_made,
        an_invoice_that_was_made_and_not_heard_of_is_not_handed_over,
        another_node_receives_nothing,
        a_refund_may_come_before_the_payment_is_posted,
        a_claim_stopped_at_any_commit_is_finished_by_the_next_run,
        at_the_drain_what_is_offered_is_claimed_once_and_not_waited_for,
        a_limit_has_room_again_only_once_the_refund_is_here,
        many_refunds_are_claimed_beside_the_jobs,
        an_offer_without_a_link_is_for_a_person,
        a_host_that_wants_to_be_left_alone_does_not_keep_the_run_alive,
        of_more_than_was_paid_nothing_more_is_claimed,
        a_node_that_does_not_know_its_invoice_ends_nothing_before_that_has_expired,
        a_node_on_another_network_receives_nothing,
        an_invoice_that_is_not_as_ordered_is_not_handed_over,
        what_earlier_runs_left_is_left_to_the_next_one_by_a_run_that_is_told_to_end,
        a_refund_on_its_way_is_no_payment_in_doubt,
        an_expired_invoice_that_the_node_still_holds_open_is_not_at_its_end,
        an_invoice_of_a_node_that_answered_in_between_is_not_handed_over;
    slots:
        a_challenge_stands_ready_when_a_slot_is_free,
        a_slot_is_free_once_its_answer_is_handed_over,
        a_challenge_that_stood_in_line_for_too_long_is_asked_for_anew,
        what_the_node_would_not_take_is_not_asked_for,
        a_payment_that_failed_keeps_its_slot_until_it_is_dead,
        after_an_error_nothing_goes_on_while_the_next_one_is_admitted,
        jobs_go_on_while_the_next_one_is_admitted;
    stop:
        once_nothing_more_is_bought_whoever_waits_for_its_turn_begins_nothing,
        draining_at_any_moment_buys_nothing_new_and_loses_nothing,
        leaving_at_any_moment_loses_nothing,
        nothing_is_resumed_where_nothing_more_is_bought,
        one_round_brings_every_open_job_one_step_on,
        with_nothing_left_but_doubt_the_run_waits_as_long_as_it_says,
        a_run_that_drains_does_not_sit_out_the_wish_of_a_host;
}

// What asks for receipts or a person's decisions as well, for a file, or for duplicates by content: maps have none of them.
suite! {
    sqlite_alone on Sqlite: {
        crash:
            a_large_body_is_redeemed_from_the_ledger_to_the_byte;
        evidence:
            what_was_given_up_and_settles_after_all_is_redeemed,
            what_settles_after_its_job_was_bought_anew_is_redeemed_too,
            what_was_given_up_and_never_settles_gives_its_hold_back,
            what_was_given_up_stays_so_while_it_is_not_paid;
        identical:
            an_identical_request_s_result_is_not_taken_for_a_second_purchase;
        pace:
            identical_requests_of_another_batch_are_a_window_apart_too,
            an_open_identical_request_of_another_batch_does_not_keep_the_run_alive;
        pictures:
            a_run_with_a_picture_stopped_at_any_commit_is_finished_by_the_next,
            what_cannot_be_kept_stops_the_buying_and_what_is_paid_goes_on,
            no_picture_is_read_before_its_job_may_be_asked_for,
            a_body_that_changes_once_it_is_paid_for_is_made_anew,
            while_it_is_waited_for_no_body_is_open;
        refunds:
            a_macaroon_without_invoices_fails_no_run_and_the_refund_stays_open,
            what_was_given_up_and_comes_all_the_same_is_in_the_books,
            what_was_given_up_before_it_was_claimed_is_left_alone;
    }
}
