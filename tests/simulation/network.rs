//! The way between the process and a server: each request is a message of its own, which outlives whoever sent it.

use std::rc::Rc;

use super::faults::Fault;
use super::timeline::{Answer, Timed, sleep};
use super::world::{ON_THE_WAY, World};

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The request never left.
    NotSent,
    /// The connection broke.
    Reset,
    /// The answer broke off in the middle.
    Truncated,
    /// None came in time.
    TooLate,
    /// Somebody on the way answered.
    Proxy,
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It pays: it may be delivered very late, and twice only at once.
    Send,
    /// Anything else.
    Other,
}

/// Sends a request, lets the server act on it, and brings its answer back within `patience_ms`.
pub async fn exchange<T: 'static>(
    world: &Rc<World>,
    kind: Kind,
    patience_ms: i64,
    act: impl Fn(&Rc<World>) -> T + 'static,
) -> Result<T, Lost> {
    if world.strikes(Fault::Refused) {
        sleep(world, world.between(0, 3_000)).await;
        return Err(Lost::NotSent);
    }
    if world.strikes(Fault::ResetBefore) {
        sleep(world, world.between(1, 5_000)).await;
        return Err(Lost::Reset);
    }
    let slow = world.strikes(Fault::Slow);
    let (mut there, back) = if slow {
        (world.spread_ms(1_000, 120_000), world.spread_ms(1_000, 120_000))
    } else {
        (world.between(1, 60), world.between(1, 60))
    };
    let late = kind == Kind::Send && world.strikes(Fault::LateSend);
    if late {
        there = world.spread_ms(5_000, 3 * 86_400_000);
        world.note(|| format!("a send will arrive only in {there} ms"));
    }
    let answer = Answer::default();
    let act = Rc::new(act);
    deliver(world, there, back, &act, Some(&answer));
    if world.strikes(Fault::Twice) {
        let again = if kind == Kind::Send { 0 } else { world.between(0, 5_000) };
        deliver(world, there + again, back, &act, None);
    }
    world.point(if kind == Kind::Send { ON_THE_WAY } else { "a request is on its way" }).await;
    let reset_after = world.strikes(Fault::ResetAfter) || (late && world.between(0, 1) == 0);
    let truncated = world.strikes(Fault::Truncated);
    let proxy = world.strikes(Fault::ProxyAnswers);
    if reset_after || proxy {
        let after = if late { world.between(1, 10_000) } else { there + world.between(0, 2_000) };
        sleep(world, after.min(patience_ms)).await;
        return Err(if proxy { Lost::Proxy } else { Lost::Reset });
    }
    tokio::select! {
        biased;
        answer = answer => if truncated { Err(Lost::Truncated) } else { Ok(answer) },
        () = sleep(world, patience_ms) => Err(Lost::TooLate),
    }
}

fn deliver<T: 'static>(
    world: &Rc<World>,
    there: i64,
    back: i64,
    act: &Rc<impl Fn(&Rc<World>) -> T + 'static>,
    answer: Option<&Answer<T>>,
) {
    let (act, answer) = (Rc::clone(act), answer.cloned());
    world.timeline().after(there, move |world| {
        let said = act(world);
        if let Some(answer) = answer {
            world.timeline().after(back, move |_| answer.give(said));
        }
    });
}
