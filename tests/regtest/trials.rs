//! Which tests there are, and whether they can run.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::rig::Rig;
use crate::{
    buying, closed, died, doctor, forgot, late, many, record, refunds, refused, renumbered, sellers, unusable,
};

type Test = fn(&'static Rig);

/// In this order, one after the other: they share the nodes. The last ones take a channel, or a history, with them.
const TESTS: &[(&str, Test)] = &[
    ("buying::both_endpoints", buying::both_endpoints),
    ("buying::the_payment_scheme", buying::the_payment_scheme),
    ("doctor::the_readmes_macaroon_is_enough", doctor::the_readmes_macaroon_is_enough),
    ("doctor::what_the_macaroon_allows", doctor::what_the_macaroon_allows),
    ("doctor::whose_certificate_it_is", doctor::whose_certificate_it_is),
    ("doctor::the_largest_payment", doctor::the_largest_payment),
    ("sellers::aperture", sellers::aperture),
    ("sellers::boltwall", sellers::boltwall),
    ("sellers::of_pypi", sellers::of_pypi),
    ("many::five_hundred", many::five_hundred),
    ("refunds::what_is_paid_back_comes", refunds::what_is_paid_back_comes),
    ("refunds::a_claim_waits_for_the_right_to_receive", refunds::a_claim_waits_for_the_right_to_receive),
    ("refunds::an_invoice_that_no_node_knows", refunds::an_invoice_that_no_node_knows),
    ("refused::no_route", refused::no_route),
    ("refused::the_fee_limit_is_too_low", refused::the_fee_limit_is_too_low),
    ("refused::the_recipient_cancels", refused::the_recipient_cancels),
    ("refused::too_little_balance", refused::too_little_balance),
    ("refused::the_invoice_has_expired", refused::the_invoice_has_expired),
    ("unusable::macaroons_that_do_not_serve", unusable::macaroons_that_do_not_serve),
    ("unusable::another_nodes_certificate", unusable::another_nodes_certificate),
    ("unusable::another_network", unusable::another_network),
    ("unusable::a_locked_wallet", unusable::a_locked_wallet),
    ("unusable::not_synced", unusable::not_synced),
    ("late::the_same_invoice_twice_at_once", late::the_same_invoice_twice_at_once),
    ("late::a_stalled_send_arrives_after_another_failed", late::a_stalled_send_arrives_after_another_failed),
    ("died::we_die_while_a_payment_is_out", died::we_die_while_a_payment_is_out),
    ("died::we_die_at_every_turn", died::we_die_at_every_turn),
    ("died::the_node_dies_while_a_payment_is_out", died::the_node_dies_while_a_payment_is_out),
    ("died::the_node_dies_at_every_turn", died::the_node_dies_at_every_turn),
    ("died::both_die_and_the_wallet_is_locked", died::both_die_and_the_wallet_is_locked),
    ("record::answers", record::answers),
    ("renumbered::failed_payments_deleted_under_doubt", renumbered::failed_payments_deleted_under_doubt),
    ("renumbered::the_payer_moves_to_native_sql", renumbered::the_payer_moves_to_native_sql),
    ("forgot::payments_deleted_under_open_jobs", forgot::payments_deleted_under_open_jobs),
    ("closed::the_channel_is_closed_under_a_payment", closed::the_channel_is_closed_under_a_payment),
];

/// What a test needs beyond the network, as the script calls it.
const NEEDS: &[(&str, &str)] =
    &[("sellers::aperture", "aperture"), ("sellers::boltwall", "npm"), ("sellers::of_pypi", "python")];

pub fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let rig: Option<&'static Rig> = Rig::from_env().map(|rig| &*Box::leak(Box::new(rig)));
    if rig.is_none() && !arguments.list {
        println!(
            "\nskipped, as no regtest network is up: `tests/regtest/rig test` builds one (needs Go) and runs these tests"
        );
    }
    let lacks = |name: &str| {
        let (rig, (_, needs)) = (rig?, NEEDS.iter().find(|(test, _)| *test == name)?);
        (!sellers::is_there(rig, needs)).then_some(*needs)
    };
    let trials = TESTS.iter().map(|(name, test)| {
        if let Some(needs) = lacks(name) {
            println!("skipped: {name}, as {needs} could not be had (`tests/regtest/rig build` says why)");
        }
        let trial = move || {
            if let Some(rig) = rig {
                rig.settle_down();
                test(rig);
            }
            Ok(())
        };
        Trial::test(*name, trial).with_ignored_flag(rig.is_none() || lacks(name).is_some())
    });
    let trials = trials.collect();
    // Asked for by `--ignored`, they would pass without having been run.
    if rig.is_none() {
        arguments.ignored = false;
        arguments.include_ignored = false;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
