//! The run is stopped at every commit, before and after it, and the next one goes on.

use super::ledger::Stop;
use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::store::Store;
use super::world::{HOUR, World, wishes};
use crate::every::every;
use crate::ledger::OpenMode;
use crate::ledger::sqlite::SqliteLedger;
use crate::payer::PayFailure;
use crate::run::{Controller, RunError};

fn scripted() -> World {
    let world = World::new(&wishes(3));
    world.shop.script(Kind::Redeem, "j002", [say(402, "{}"), Act::Accept]);
    world.shop.script(Kind::Poll, "j002", [Act::Accept]);
    world.node.script_for("j001", [Fate::Fail(PayFailure::NoRoute), Fate::Deaf(Box::new(Fate::Settle))]);
    world.node.script_for("j003", [Fate::PreimageFirst(20_000)]);
    world
}

pub(super) async fn stopped_at(world: &World, stop: Stop) {
    world.ledger.stop.set(Some(stop));
    let (_controller, control) = Controller::new();
    let ended = world.try_buy(3 * HOUR, control).await;
    assert!(matches!(ended, Err(RunError::Ledger(_))), "{stop:?}: {ended:?}");
    world.audit();
    world.ledger.stop.set(None);
}

pub(super) async fn a_run_stopped_at_any_commit_is_finished_by_the_next() {
    let whole = scripted();
    whole.buy(HOUR).await;
    whole.audit_all_delivered();
    let commits = whole.ledger.commits();
    assert!(commits > 20, "{commits}");
    for number in (1..=commits).step_by(every(4)) {
        for stop in [Stop::Before(number), Stop::After(number)] {
            let world = scripted();
            stopped_at(&world, stop).await;
            // What was buried while nothing could be asked is bought by the run after that.
            for _ in 0..3 {
                world.buy(3 * HOUR).await;
                world.audit();
            }
            world.audit_all_delivered();
        }
    }
}

/// The second run is stopped too, at each of its own commits.
pub(super) async fn a_recovery_stopped_at_any_commit_is_finished_by_the_next() {
    for first in 1..=12 {
        let mut second = 1;
        loop {
            let world = scripted();
            stopped_at(&world, Stop::After(first)).await;
            let so_far = world.ledger.commits();
            world.ledger.stop.set(Some(Stop::After(so_far + second)));
            let (_controller, control) = Controller::new();
            let ended = world.try_buy(3 * HOUR, control).await;
            world.ledger.stop.set(None);
            for _ in 0..3 {
                world.buy(3 * HOUR).await;
                world.audit();
            }
            world.audit_all_delivered();
            if ended.is_ok() {
                break;
            }
            second += 3 * every(4);
        }
    }
}

pub(super) async fn a_result_that_a_poll_brought_is_never_lost() {
    let whole = World::new(&wishes(1));
    whole.shop.script(Kind::Redeem, "j001", [Act::Accept]);
    whole.buy(HOUR).await;
    let commits = whole.ledger.commits();
    for number in 1..=commits {
        let world = World::new(&wishes(1));
        world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
        stopped_at(&world, Stop::After(number)).await;
        let handed_over = !world.shop.times(Kind::Poll, "j001").is_empty();
        if handed_over {
            // The result was handed over, and the shop forgets it.
            world.shop.always(Kind::Poll, "j001", say(404, "{}"));
            world.shop.always(Kind::Redeem, "j001", say(401, "{}"));
        }
        world.buy(HOUR).await;
        world.audit_all_delivered();
    }
}

/// A large body stands in a file beside the ledger; the shop compares every byte of it.
pub(super) async fn a_large_body_is_redeemed_from_the_ledger_to_the_byte() {
    for number in 1..=4 {
        let folder = tempfile::tempdir().unwrap();
        let mut wishes = wishes(1);
        wishes[0].prompt = "long ".repeat(30_000);
        let path = folder.path().join("ledger.sqlite");
        let world = World::on(Store::Sqlite(Box::new(SqliteLedger::open(&path, OpenMode::Write).unwrap())), &wishes);
        stopped_at(&world, Stop::After(number)).await;
        world.buy(HOUR).await;
        world.audit_all_delivered();
    }
}
