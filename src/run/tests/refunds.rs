//! Refunds: claimed once, whatever becomes of the claim, and counted when our own node has received them.

use std::time::Duration;

use super::bank::Back;
use super::ledger::Stop;
use super::shop::{Act, Kind};
use super::world::{FEE_CEILING, HOUR, MINUTE, PRICE, START, World, wishes};
use crate::event::Event;
use crate::every::every;
use crate::l402::Network;
use crate::ledger::port::{Decisions, Views};
use crate::ledger::{Decision, ReceiptKind, ReceiptRow, RefundStanding};
use crate::money::Msat;
use crate::payer::PayFailure;
use crate::purchase::{JobState, Reason};
use crate::run::{Controller, DrainCause, RunError};

const DAY: u64 = 24 * HOUR;

/// Two jobs, of which the first one is given back.
fn refunded() -> World {
    let world = World::new(&wishes(2));
    world.shop.always(Kind::Redeem, "j001", Act::Refund);
    world
}

async fn later(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

impl World {
    fn refunded(&self) -> Msat {
        self.ledger().counts(self.batch).refunded
    }

    /// The first job's money is back, to the msat that the node has received, and the other one is delivered.
    fn audit_refunded(&self, received: u64) {
        self.audit();
        assert_eq!(self.state_of("j001").0, JobState::Refunded, "{:?}", self.standing());
        assert_eq!(self.state_of("j002").0, JobState::Delivered, "{:?}", self.standing());
        assert_eq!((self.shop.bank.received().get(), self.refunded().get()), (received, received));
        assert_eq!(self.shop.bank.handed_over(), [1]);
        let Some(receipts) = self.ledger().receipts(self.batch) else { return };
        let back: Vec<ReceiptRow> = receipts.into_iter().filter(|row| row.kind == ReceiptKind::Refund).collect();
        assert_eq!(back.iter().map(|row| row.amount.get()).collect::<Vec<_>>(), [received]);
        assert_eq!((back[0].id.as_str(), back[0].payee_node.as_str()), ("j001", "03payer0000000000000"));
    }
}

pub(super) async fn a_refund_is_claimed_in_the_run_that_it_is_offered_in() {
    let world = refunded();
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get());
    assert_eq!(world.state_of("j001"), (JobState::Refunded, Reason::None));
    if let Some(receipts) = world.ledger().receipts(world.batch) {
        assert_eq!(receipts.iter().filter(|row| row.kind == ReceiptKind::Payment).count(), 2, "{receipts:?}");
    }
    assert_eq!(world.shop.bank.made(), 1);
    // Running again buys nothing, and asks nobody.
    let asked = world.shop.bank.asked.get();
    world.load_again();
    world.buy(HOUR).await;
    assert_eq!((world.node.posts.get(), world.shop.bank.asked.get()), (2, asked));
}

pub(super) async fn whatever_becomes_of_the_claim_it_is_paid_once_for_one_invoice() {
    let variants = [
        vec![Back::Drop],
        vec![Back::Drop, Back::Drop, Back::Drop, Back::Drop, Back::Drop],
        vec![Back::Busy, Back::Drop],
        vec![Back::Refuse],
        vec![Back::Refuse; 12],
        vec![Back::PayUnheard],
        vec![Back::PayAndDeny],
        vec![Back::Drop, Back::PayUnheard],
        vec![Back::Later(30_000)],
        vec![Back::Later(200_000)],
        vec![Back::Later(2_000_000)],
        vec![Back::Twice],
    ];
    for acts in variants {
        let world = refunded();
        world.shop.bank.script_claim("j001", acts.clone());
        for _ in 0..4 {
            world.buy(HOUR).await;
            world.audit();
            later(HOUR).await;
        }
        world.audit_refunded(PRICE.get());
        assert_eq!(world.shop.bank.made(), 1, "{acts:?}");
    }
}

/// Nobody watches it so long, and the run goes on: at its end it is looked for once more.
pub(super) async fn what_came_while_the_run_went_on_is_known_at_its_end() {
    let world = refunded();
    world.shop.bank.script_claim("j001", [Back::Later(300_000)]);
    world.shop.script(Kind::Redeem, "j002", [Act::Slow(10 * MINUTE)]);
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get());
    assert_eq!(world.state_of("j002").0, JobState::Delivered);
}

pub(super) async fn a_link_that_says_no_stays_open_and_is_asked_again() {
    for acts in [vec![Back::Drop], vec![Back::Busy], vec![Back::Refuse; 3], vec![Back::Drop; 9]] {
        let world = refunded();
        world.shop.bank.script_link("j001", acts.clone());
        world.buy(HOUR).await;
        match world.state_of("j001") {
            (JobState::Refunded, Reason::None) => assert!(acts.len() < 3),
            (JobState::RefundOffered, Reason::RefundFailed) => assert_eq!(acts[0], Back::Refuse),
            (JobState::RefundOffered, Reason::RefundOffered) => assert_eq!(acts.len(), 9),
            other => panic!("{acts:?}: {other:?}"),
        }
        for _ in 0..4 {
            later(HOUR).await;
            world.recover(HOUR).await;
        }
        world.audit_refunded(PRICE.get());
        assert_eq!(world.shop.bank.made(), 1, "nothing is made before it is known what may be withdrawn");
    }
}

pub(super) async fn less_than_was_paid_is_told_and_counts_as_what_it_is() {
    let world = refunded();
    world.shop.bank.script_link("j001", [Back::Less(2_000)]);
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get() - 2_000);
    assert_eq!(world.state_of("j001"), (JobState::Refunded, Reason::RefundPartial));
    let nothing = refunded();
    nothing.shop.bank.script_link("j001", [Back::Less(PRICE.get()), Back::Less(PRICE.get() - 1)]);
    nothing.buy(HOUR).await;
    assert_eq!(nothing.state_of("j001"), (JobState::RefundOffered, Reason::RefundFailed));
    assert_eq!((nothing.refunded(), nothing.shop.bank.made()), (Msat::ZERO, 0));
}

pub(super) async fn a_refund_that_never_comes_expires_and_no_second_invoice_is_made() {
    let world = refunded();
    world.shop.bank.script_claim("j001", vec![Back::Never; 50]);
    for day in 0..6 {
        world.buy(HOUR).await;
        let reason = if day == 0 { Reason::RefundPending } else { Reason::RefundFailed };
        assert_eq!(world.state_of("j001"), (JobState::RefundOffered, reason), "after {day} days");
        later(DAY).await;
    }
    later(25 * DAY).await;
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundExpired));
    let asked = world.shop.bank.asked.get();
    world.buy(HOUR).await;
    world.audit();
    assert_eq!(world.shop.bank.asked.get(), asked, "it is over");
    assert_eq!((world.shop.bank.made(), world.refunded()), (1, Msat::ZERO));
}

pub(super) async fn a_macaroon_without_invoices_fails_no_run_and_the_refund_stays_open() {
    let world = refunded();
    world.shop.bank.permitted.set(false);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundNotPermitted));
    assert_eq!(world.state_of("j002").0, JobState::Delivered);
    let rows = world.ledger().sqlite().refunds(None).unwrap();
    let words = rows[0].words.clone().unwrap();
    for part in ["bakemacaroon", "--network=regtest", "uri:/lnrpc.Lightning/AddInvoice", "LookupInvoice"] {
        assert!(words.contains(part), "{words}");
    }
    world.shop.bank.permitted.set(true);
    world.recover(HOUR).await;
    world.audit_refunded(PRICE.get());
}

pub(super) async fn an_invoice_that_was_made_and_not_heard_of_is_not_handed_over() {
    let world = refunded();
    world.shop.bank.unheard.set(2);
    for _ in 0..3 {
        world.buy(HOUR).await;
    }
    world.audit_refunded(PRICE.get());
    assert_eq!(world.shop.bank.made(), 3);
}

pub(super) async fn another_node_receives_nothing() {
    let world = refunded();
    world.shop.bank.script_link("j001", vec![Back::Drop; 4]);
    world.buy(HOUR).await;
    world.node.id.replace("03another000000000000".to_owned());
    world.recover(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundOffered));
    assert_eq!(world.shop.bank.made(), 0);
    world.node.id.replace("03payer0000000000000".to_owned());
    world.recover(HOUR).await;
    world.audit_refunded(PRICE.get());
}

/// The refund of a payment that the node has still to post.
pub(super) async fn a_refund_may_come_before_the_payment_is_posted() {
    let world = refunded();
    world.node.script_for("j001", [super::node::Fate::PreimageFirst(i64::try_from(MINUTE).unwrap())]);
    world.buy(HOUR).await;
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get());
    assert_eq!(world.ledger().counts(world.batch).held, Msat::ZERO);
}

fn scripted() -> World {
    let world = World::new(&wishes(3));
    world.shop.always(Kind::Redeem, "j001", Act::Refund);
    world.shop.always(Kind::Redeem, "j003", Act::Refund);
    world.node.script_for("j001", [super::node::Fate::Fail(PayFailure::NoRoute)]);
    world.shop.bank.script_claim("j001", [Back::Drop, Back::PayUnheard]);
    world.shop.bank.script_claim("j003", [Back::PayAndDeny]);
    world.shop.bank.script_link("j003", [Back::Less(2_000)]);
    world
}

fn audit_scripted(world: &World, stop: Stop) {
    world.audit();
    for id in ["j001", "j003"] {
        assert_eq!(world.state_of(id).0, JobState::Refunded, "{stop:?}: {:?}", world.standing());
    }
    assert_eq!(world.state_of("j002").0, JobState::Delivered, "{stop:?}");
    assert_eq!(world.shop.bank.received(), world.refunded(), "{stop:?}");
    assert_eq!(world.shop.bank.handed_over(), [1, 1], "{stop:?}");
    assert!(world.refunded().get() >= 2 * PRICE.get() - 2_000, "{stop:?}");
}

/// Stopped before and after each commit: between invoice and commit, commit and callback, callback and settlement.
pub(super) async fn a_claim_stopped_at_any_commit_is_finished_by_the_next_run() {
    let whole = scripted();
    whole.buy(HOUR).await;
    whole.buy(HOUR).await;
    audit_scripted(&whole, Stop::Before(0));
    let commits = whole.ledger.commits();
    assert!(commits > 20, "{commits}");
    for number in (1..=commits).step_by(every(4)) {
        for stop in [Stop::Before(number), Stop::After(number)] {
            let world = scripted();
            world.ledger.stop.set(Some(stop));
            for _ in 0..2 {
                let (_controller, control) = Controller::new();
                match world.try_buy(3 * HOUR, control).await {
                    Err(RunError::Ledger(_)) => world.ledger.stop.set(None),
                    ended => assert!(ended.is_ok(), "{stop:?}: {ended:?}"),
                }
                world.audit();
            }
            world.ledger.stop.set(None);
            for _ in 0..4 {
                world.buy(3 * HOUR).await;
                world.audit();
            }
            audit_scripted(&world, stop);
        }
    }
}

pub(super) async fn at_the_drain_what_is_offered_is_claimed_once_and_not_waited_for() {
    for (drain_ms, act) in [(10, Back::Pay), (400, Back::Pay), (400, Back::Later(600_000)), (800, Back::Drop)] {
        let world = refunded();
        world.shop.bank.script_claim("j001", [act]);
        let (controller, control) = Controller::new();
        let run = world.try_buy(10 * MINUTE, control);
        let drain = async {
            later(drain_ms).await;
            controller.drain(DrainCause::Interrupted);
        };
        let before = tokio::time::Instant::now();
        let (ended, ()) = tokio::join!(run, drain);
        ended.unwrap();
        assert!(before.elapsed() < Duration::from_millis(MINUTE), "{act:?}: {:?}", before.elapsed());
        world.audit();
        for _ in 0..3 {
            world.buy(HOUR).await;
            later(HOUR).await;
        }
        world.audit_refunded(PRICE.get());
    }
}

pub(super) async fn a_limit_has_room_again_only_once_the_refund_is_here() {
    let mut world = World::new(&wishes(2));
    world.settings.jobs_in_flight = 1;
    let one = PRICE.checked_add(FEE_CEILING).unwrap();
    world.settings.budget.batch = Some(one);
    world.ledger.cap.set(Some((world.batch, one)));
    world.shop.always(Kind::Redeem, "j001", Act::Refund);
    world.shop.bank.script_claim("j001", [Back::Later(600_000)]);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j002"), (JobState::Pending, Reason::BatchLimit), "it is not here yet");
    later(HOUR).await;
    world.recover(HOUR).await;
    assert_eq!(world.state_of("j001").0, JobState::Refunded);
    // The routing fee stays spent, so that the limit holds the next price, and a little less of its fees.
    world.settings.budget.batch = one.checked_add(Msat::new(1_500));
    world.ledger.cap.set(Some((world.batch, one.checked_add(Msat::new(1_500)).unwrap())));
    world.load_again();
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get());
}

pub(super) async fn many_refunds_are_claimed_beside_the_jobs() {
    let world = World::new(&wishes(40));
    world.shop.always(Kind::Redeem, "shop.example", Act::Refund);
    let mut world = world;
    world.settings.max_undelivered = 100;
    world.buy(HOUR).await;
    world.audit();
    assert_eq!(world.in_state(JobState::Refunded), 40);
    assert_eq!(world.shop.bank.received().get(), 40 * PRICE.get());
    assert_eq!(world.shop.bank.handed_over(), vec![1; 40]);
}

/// A person has given it up, and then it comes.
pub(super) async fn what_was_given_up_and_comes_all_the_same_is_in_the_books() {
    let world = refunded();
    world.shop.bank.script_claim("j001", [Back::Later(i64::try_from(DAY).unwrap())]);
    world.buy(HOUR).await;
    let job = world.ledger().sqlite().undecided(world.batch, "j001").unwrap().unwrap().job;
    world.ledger().sqlite().decide(START, job, Decision::Lost, "no hope", "nobody was asked", None).unwrap();
    world.recover(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::Lost, Reason::Decided), "a look changes no decision");
    let undone = |event: &Event| matches!(event, Event::Job(job) if job.from == JobState::Lost);
    assert!(!world.heard.0.borrow().iter().any(undone), "nor does anybody hear that it did");
    later(DAY).await;
    world.recover(HOUR).await;
    world.audit_refunded(PRICE.get());
    let rows = world.ledger().sqlite().refunds(None).unwrap();
    assert_eq!(rows[0].standing, RefundStanding::Settled);
}

pub(super) async fn an_offer_without_a_link_is_for_a_person() {
    let world = World::new(&wishes(1));
    world.shop.script(Kind::Redeem, "j001", [super::shop::say(502, r#"{"error_code":"L402_REFUND_ISSUED"}"#)]);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundFailed));
    world.recover(HOUR).await;
    assert_eq!(world.shop.bank.asked.get(), 0);
}

/// They stand in line for the host's turn when it says so.
pub(super) async fn a_host_that_wants_to_be_left_alone_does_not_keep_the_run_alive() {
    let mut world = World::new(&wishes(4));
    world.settings.requests_per_second = std::num::NonZeroU32::new(1);
    world.settings.max_undelivered = 100;
    world.shop.always(Kind::Redeem, "shop.example", Act::Refund);
    for job in ["j001", "j002", "j003", "j004"] {
        world.shop.bank.script_link(job, vec![Back::Drop; 4]);
        world.shop.bank.script_link(job, [Back::Away]);
    }
    world.buy(HOUR).await;
    assert_eq!(world.in_state(JobState::RefundOffered), 4, "{:?}", world.standing());
    world.recover(5 * MINUTE).await;
    assert_eq!(world.in_state(JobState::RefundOffered), 4, "{:?}", world.standing());
    for _ in 0..4 {
        later(2 * HOUR).await;
        world.recover(5 * MINUTE).await;
    }
    world.audit();
    assert_eq!(world.in_state(JobState::Refunded), 4, "{:?}", world.standing());
}

/// No more than was paid: the books have no place for a gift, and a limit none for more room than was used.
pub(super) async fn of_more_than_was_paid_nothing_more_is_claimed() {
    let world = refunded();
    world.shop.bank.script_link("j001", [Back::More(7_000)]);
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get());
    assert_eq!(world.state_of("j001"), (JobState::Refunded, Reason::None));
}

/// What it does not know today may be there tomorrow: only past the invoice's expiry is it certain that nothing comes.
pub(super) async fn a_node_that_does_not_know_its_invoice_ends_nothing_before_that_has_expired() {
    for comes_back in [true, false] {
        let world = refunded();
        world.shop.bank.script_claim("j001", vec![Back::Drop; 4]);
        world.buy(HOUR).await;
        world.shop.bank.forgetful.set(true);
        later(29 * DAY).await;
        world.recover(HOUR).await;
        assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundFailed));
        assert_eq!(world.ledger().refund_standing(), RefundStanding::Invoiced);
        if comes_back {
            world.shop.bank.forgetful.set(false);
            world.recover(HOUR).await;
            world.audit_refunded(PRICE.get());
        } else {
            later(2 * DAY).await;
            world.recover(HOUR).await;
            assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundExpired));
            assert_eq!(world.shop.bank.made(), 1);
        }
    }
}

/// One identity on two networks: what was paid with play money is not claimed with money.
pub(super) async fn a_node_on_another_network_receives_nothing() {
    let world = refunded();
    world.shop.bank.script_link("j001", vec![Back::Drop; 4]);
    world.buy(HOUR).await;
    world.node.network.set(Network::Mainnet);
    world.recover(HOUR).await;
    assert_eq!((world.state_of("j001").0, world.shop.bank.made()), (JobState::RefundOffered, 0));
}

pub(super) async fn an_invoice_that_is_not_as_ordered_is_not_handed_over() {
    let world = refunded();
    world.shop.bank.crooked.set(true);
    world.buy(HOUR).await;
    assert_eq!(world.ledger().refund_standing(), RefundStanding::Offered);
    assert!(world.shop.bank.handed_over().is_empty(), "an invoice that could not be looked up");
    world.shop.bank.crooked.set(false);
    world.recover(HOUR).await;
    world.audit_refunded(PRICE.get());
}

pub(super) async fn what_earlier_runs_left_is_left_to_the_next_one_by_a_run_that_is_told_to_end() {
    let world = refunded();
    world.shop.bank.script_link("j001", vec![Back::Drop; 4]);
    world.buy(HOUR).await;
    let asked = world.shop.bank.asked.get();
    let (controller, control) = Controller::new();
    controller.drain(DrainCause::Interrupted);
    world.try_buy(MINUTE, control).await.unwrap();
    assert_eq!(world.shop.bank.asked.get(), asked);
    world.recover(HOUR).await;
    world.audit_refunded(PRICE.get());
}

pub(super) async fn a_refund_on_its_way_is_no_payment_in_doubt() {
    let mut world = World::new(&wishes(4));
    (world.settings.max_doubt, world.settings.jobs_in_flight) = (1, 1);
    world.shop.always(Kind::Redeem, "j001", Act::Refund);
    world.shop.bank.script_claim("j001", [Back::Later(50_000)]);
    world.buy(HOUR).await;
    world.audit();
    assert_eq!((world.in_state(JobState::Refunded), world.in_state(JobState::Delivered)), (1, 3));
    let paused = |event: &Event| matches!(event, Event::Paused { .. });
    assert!(!world.heard.0.borrow().iter().any(paused), "the others need not wait for it");
}

/// It may have been claimed by hand, with the link: nothing more is asked of anybody.
pub(super) async fn what_was_given_up_before_it_was_claimed_is_left_alone() {
    let world = refunded();
    world.shop.bank.script_link("j001", vec![Back::Drop; 4]);
    world.buy(HOUR).await;
    let job = world.ledger().sqlite().undecided(world.batch, "j001").unwrap().unwrap().job;
    world.ledger().sqlite().decide(START, job, Decision::Lost, "claimed by hand", "nobody was asked", None).unwrap();
    let asked = world.shop.bank.asked.get();
    world.recover(HOUR).await;
    assert_eq!((world.shop.bank.asked.get(), world.shop.bank.made()), (asked, 0));
    assert_eq!(world.state_of("j001"), (JobState::Lost, Reason::Decided));
}

/// Money may be held for it: only the node knows when it cannot come any more.
pub(super) async fn an_expired_invoice_that_the_node_still_holds_open_is_not_at_its_end() {
    let world = refunded();
    world.shop.bank.script_claim("j001", vec![Back::Never; 4]);
    world.shop.bank.idle.set(true);
    world.buy(HOUR).await;
    later(40 * DAY).await;
    world.recover(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundFailed));
    assert_eq!(world.ledger().refund_standing(), RefundStanding::Invoiced);
    world.shop.bank.idle.set(false);
    world.recover(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundExpired));
}

/// A balancer stands before two nodes, or a file of settings was changed.
pub(super) async fn an_invoice_of_a_node_that_answered_in_between_is_not_handed_over() {
    let world = refunded();
    world.node.swapped_for.replace(Some("03another000000000000".to_owned()));
    world.buy(HOUR).await;
    assert!(world.shop.bank.handed_over().is_empty(), "the refund would come where nobody looks for it");
    assert_eq!(world.ledger().refund_standing(), RefundStanding::Offered);
    world.node.id.replace("03payer0000000000000".to_owned());
    world.buy(HOUR).await;
    world.audit_refunded(PRICE.get());
}
