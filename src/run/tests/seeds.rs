//! Whole batches under random faults, one seed each: stopped anywhere, resumed, and judged by the node's own record.

use std::time::Duration;

use super::ledger::Stop;
use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::world::{HOLD, HOUR, World, wishes};
use crate::every::every;
use crate::money::Msat;
use crate::payer::{PayFailure, PayRefusal, ProblemKind};
use crate::purchase::JobState;
use crate::run::{Controller, DrainCause};

const SEEDS: u64 = 60;

/// Numbers that only the seed determines (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn ms(&mut self, most: u64) -> i64 {
        i64::try_from(self.roll(most) + 1).unwrap()
    }

    fn plain_fate(&mut self) -> Fate {
        match self.roll(9) {
            0..=2 => Fate::Settle,
            3 => Fate::SettleLate(self.ms(400_000)),
            4 => Fate::Fail(PayFailure::NoRoute),
            5 => Fate::FailLate(PayFailure::Timeout, self.ms(200_000)),
            6 => Fate::PreimageFirst(self.ms(300_000)),
            7 => Fate::Fail(PayFailure::InsufficientBalance),
            _ => Fate::Refuse(PayRefusal::Other("no".to_owned())),
        }
    }

    fn fate(&mut self) -> Fate {
        match self.roll(10) {
            0 => Fate::Lost,
            1 => {
                let ms = self.ms(4_000_000);
                Fate::Stalled(ms, Box::new(self.arriving()))
            }
            2 => {
                let ms = self.ms(3_000);
                Fate::Stalled(ms, Box::new(self.arriving()))
            }
            3 | 4 => Fate::Deaf(Box::new(self.arriving())),
            5 => Fate::Refuse(PayRefusal::Node(ProblemKind::Locked.into())),
            _ => self.plain_fate(),
        }
    }

    fn arriving(&mut self) -> Fate {
        match self.plain_fate() {
            Fate::Refuse(_) => Fate::Fail(PayFailure::Error),
            fate => fate,
        }
    }

    fn act(&mut self) -> Act {
        match self.roll(10) {
            0 => Act::Drop,
            1 => Act::Swallow,
            2 => Act::Slow(self.roll(100_000)),
            3 | 4 => Act::Accept,
            5 => say(402, "{}"),
            6 => say(503, "{}"),
            7 => Act::Say(429, vec![("retry-after", self.roll(300).to_string())], "{}".to_owned()),
            8 => say(404, "<html>"),
            _ => Act::Sell,
        }
    }
}

fn scripted(dice: &mut Dice) -> World {
    let count = usize::try_from(2 + dice.roll(10)).unwrap();
    let mut wishes = wishes(count);
    if dice.roll(3) == 0 {
        wishes[1].prompt = wishes[0].prompt.clone();
    }
    let mut world = World::new(&wishes);
    if wishes[0].prompt == wishes[1].prompt {
        world.shop.want(&wishes[0].prompt, 2);
    }
    for wish in &wishes {
        let fates: Vec<Fate> = (0..dice.roll(4)).map(|_| dice.fate()).collect();
        world.node.script_for(&wish.prompt, fates);
        for kind in [Kind::Ask, Kind::Redeem, Kind::Poll] {
            let acts: Vec<Act> = (0..dice.roll(3)).map(|_| dice.act()).collect();
            world.shop.script(kind, &wish.prompt, acts);
        }
    }
    world.shop.expiry_s.set([90, 600, 3_600][usize::try_from(dice.roll(3)).unwrap()]);
    world.settings.jobs_in_flight = usize::try_from(1 + dice.roll(8)).unwrap();
    world.settings.payments_in_flight = usize::try_from(1 + dice.roll(4)).unwrap();
    world.settings.requests_per_second = std::num::NonZeroU32::new(u32::try_from(dice.roll(5)).unwrap());
    let most = Msat::new(HOLD * (1 + dice.roll(14)));
    world.settings.budget.batch = Some(most);
    world.ledger.cap.set(Some((world.batch, most)));
    world
}

async fn one_run(world: &World, dice: &mut Dice) {
    world.load_again();
    let before = world.ledger.commits();
    let at = before + usize::try_from(1 + dice.roll(40)).unwrap();
    world.ledger.stop.set(match dice.roll(3) {
        0 => Some(Stop::Before(at)),
        1 => Some(Stop::After(at)),
        _ => None,
    });
    let (controller, control) = Controller::new();
    let (what, when) = (dice.roll(4), 100 + dice.roll(60_000));
    let interrupt = async {
        tokio::time::sleep(Duration::from_millis(when)).await;
        match what {
            0 => controller.drain(DrainCause::Terminated),
            1 => controller.leave(),
            2 => {
                world.node.down.set(true);
                tokio::time::sleep(Duration::from_millis(when * 20)).await;
                world.node.down.set(false);
            }
            _ => {}
        }
    };
    // Whether it was stopped does not matter here: only what the node says afterwards.
    let (_ended, ()) = tokio::join!(world.try_buy(6 * HOUR, control), interrupt);
    world.ledger.stop.set(None);
    world.audit();
}

#[tokio::test(start_paused = true)]
async fn random_faults_never_pay_twice_and_lose_nothing() {
    for seed in (1..=SEEDS).step_by(every(8)) {
        let seen = std::panic::AssertUnwindSafe(one_seed(seed));
        if let Err(panic) = futures::FutureExt::catch_unwind(seen).await {
            eprintln!("seed {seed} fails");
            std::panic::resume_unwind(panic);
        }
    }
}

async fn one_seed(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut world = scripted(&mut dice);
    for _ in 0..4 {
        one_run(&world, &mut dice).await;
    }
    // The faults stop, what was stalled has arrived, and there is money enough: now every job ends.
    world.shop.mend();
    world.node.fates_of.borrow_mut().clear();
    world.settings.budget.batch = None;
    world.ledger.cap.set(None);
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(2 * HOUR)).await;
        world.load_again();
        world.buy(6 * HOUR).await;
        world.audit();
    }
    assert_eq!(world.in_state(JobState::Lost), 0, "{:?}", world.standing());
    assert_eq!(world.shop.cached.get(), 0, "identical requests are a window apart");
    world.audit_all_delivered();
}
