//! Requests a second, host by host: paid before polled before asked, slowed where the host asks for it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Add;
use std::rc::Rc;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use url::{Position, Url};

use super::Clock;
use crate::time::UnixMs;

/// What a request is for; the first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Paid for, not delivered.
    Redeem,
    /// Accepted, being made.
    Poll,
    /// Nothing at stake yet.
    Ask,
}

/// The longest that a host can keep us away.
const BLOCK_MS_MAX: u64 = 3_600_000;
const BLOCK_MS_FIRST: u64 = 1_000;
const BLOCK_MS_UNASKED_MAX: u64 = 60_000;
const CLASSES: usize = 3;
/// At most this share of a second's requests goes out at once.
const HANDFULS_PER_S: u32 = 100;
const NS_PER_MS: i64 = 1_000_000;
/// How often at least the clock is looked at by what waits for a host. A machine that slept meanwhile, or whose clock was set,
/// would else keep a paid job waiting, and all that stand behind it.
const LOOK_MS: u64 = 10_000;

/// Between two requests to a host that has refused one for the first time, where its pace is learnt.
const GAP_MS_FIRST: u64 = 100;
const GAP_MS_MAX: u64 = 10_000;
/// Each good answer takes this part of the time between two requests away.
const GAP_PART: u64 = 16;

/// The pace of every host.
pub(crate) struct Pace {
    quota: Option<Quota>,
    /// Whether hosts are also gone to as fast as they bear it: slower once one refuses, and slowly faster again.
    learns: bool,
    hosts: RefCell<HashMap<String, Rc<Host>>>,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, RunClock, NoOpMiddleware<UnixNs>>;

struct Host {
    limiter: Option<Limiter>,
    now: Rc<Cell<UnixMs>>,
    /// One request a class stands at the head of the line; the others wait here, first come first served.
    lines: [Mutex<()>; CLASSES],
    waiting: [Cell<u32>; CLASSES],
    blocked_until: Cell<UnixMs>,
    refusals: Cell<u32>,
    /// What was learnt of it: so many milliseconds pass between two requests, the last of which went out then.
    gap_ms: Cell<u64>,
    last: Cell<UnixMs>,
}

impl Pace {
    pub(crate) fn new(requests_per_second: Option<NonZeroU32>) -> Self {
        // No burst to speak of: a second's worth of requests at once is what limits are there to prevent. But the clock
        // ticks in milliseconds and a sleep takes some of them, so a fast pace goes out in small handfuls.
        let burst = |rate: NonZeroU32| NonZeroU32::new(rate.get() / HANDFULS_PER_S).unwrap_or(NonZeroU32::MIN);
        Self {
            quota: requests_per_second.map(|rate| Quota::per_second(rate).allow_burst(burst(rate))),
            learns: false,
            hosts: RefCell::default(),
        }
    }

    /// As fast as a host bears it, and never faster than that.
    pub(crate) fn learnt(requests_per_second: Option<NonZeroU32>) -> Self {
        Self { learns: true, ..Self::new(requests_per_second) }
    }

    /// Returns when the request may go out. `latest` bounds how long a host's own wish can hold it back.
    pub(crate) async fn turn<C: Clock>(&self, clock: &C, url: &Url, class: Class, latest: Option<UnixMs>) {
        let host = self.host(url, clock.now());
        let _waiting = Waiting::new(&host.waiting[class as usize]);
        loop {
            // Not at the head of the line: whoever has less time than this one must get past it.
            host.unblocked(clock, latest).await;
            if host.head_of_line(clock, class, latest).await {
                return;
            }
        }
    }

    /// Whether a new challenge may be asked for: true once it is its turn, false as soon as the host wants to be left
    /// alone.
    pub(super) async fn ask_turn<C: Clock>(&self, clock: &C, url: &Url) -> bool {
        let host = self.host(url, clock.now());
        let _waiting = Waiting::new(&host.waiting[Class::Ask as usize]);
        host.head_of_line(clock, Class::Ask, None).await
    }

    /// Whether a refund may be asked about: as for a challenge, and as soon as a poll would be.
    pub(super) async fn claim_turn<C: Clock>(&self, clock: &C, url: &Url) -> bool {
        let host = self.host(url, clock.now());
        let _waiting = Waiting::new(&host.waiting[Class::Poll as usize]);
        host.head_of_line(clock, Class::Poll, None).await
    }

    /// Returns when the host does not want to be left alone any more.
    pub(super) async fn unblocked<C: Clock>(&self, clock: &C, url: &Url) {
        self.host(url, clock.now()).unblocked(clock, None).await;
    }

    /// Until when the host wants to be left alone, where it does now.
    pub(crate) fn blocked_until(&self, url: &Url, now: UnixMs) -> Option<UnixMs> {
        let hosts = self.hosts.borrow();
        hosts.get(key(url)).map(|host| host.blocked_until.get()).filter(|until| *until > now)
    }

    /// The host said 429 or 503: nothing goes there for as long as it asks, or a growing while.
    pub(crate) fn slow_down(&self, url: &Url, now: UnixMs, retry_after_ms: Option<u64>) {
        let host = self.host(url, now);
        // What was under way when a host refused says the same once more.
        if self.learns && host.blocked_ms(now, None) == 0 {
            host.gap_ms.set(host.gap_ms.get().saturating_mul(2).clamp(GAP_MS_FIRST, GAP_MS_MAX));
        }
        let refusals = host.refusals.get();
        host.refusals.set(refusals.saturating_add(1));
        let unasked = BLOCK_MS_FIRST.saturating_mul(1 << refusals.min(6)).min(BLOCK_MS_UNASKED_MAX);
        let block_ms = retry_after_ms.unwrap_or(unasked).min(BLOCK_MS_MAX);
        let until = now.plus_ms(i64::try_from(block_ms).unwrap_or(i64::MAX));
        host.blocked_until.set(host.blocked_until.get().max(until));
    }

    /// The host answers as it should.
    pub(crate) fn well(&self, url: &Url, now: UnixMs) {
        let host = self.host(url, now);
        host.refusals.set(0);
        let gap_ms = host.gap_ms.get();
        host.gap_ms.set(gap_ms.saturating_sub(gap_ms.div_ceil(GAP_PART)));
    }

    fn host(&self, url: &Url, now: UnixMs) -> Rc<Host> {
        let mut hosts = self.hosts.borrow_mut();
        if let Some(host) = hosts.get(key(url)) {
            return Rc::clone(host);
        }
        Rc::clone(hosts.entry(key(url).to_owned()).or_insert_with(|| Rc::new(Host::new(self.quota, now))))
    }
}

/// Host, and port where it is not the usual one.
fn key(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

impl Host {
    fn new(quota: Option<Quota>, now: UnixMs) -> Self {
        let now = Rc::new(Cell::new(now));
        let clock = RunClock(Rc::clone(&now));
        Self {
            limiter: quota.map(|quota| RateLimiter::direct_with_clock(quota, clock)),
            now,
            lines: Default::default(),
            waiting: Default::default(),
            blocked_until: Cell::new(UnixMs(i64::MIN)),
            refusals: Cell::new(0),
            gap_ms: Cell::new(0),
            last: Cell::new(UnixMs(i64::MIN)),
        }
    }

    /// Milliseconds for which the host wants to be left alone, by one that cannot wait longer than `latest`.
    fn blocked_ms(&self, now: UnixMs, latest: Option<UnixMs>) -> u64 {
        let blocked_until = self.blocked_until.get().min(latest.unwrap_or(UnixMs(i64::MAX)));
        u64::try_from(blocked_until.since_ms(now)).unwrap_or(0)
    }

    async fn unblocked<C: Clock>(&self, clock: &C, latest: Option<UnixMs>) {
        loop {
            match self.blocked_ms(clock.now(), latest) {
                0 => return,
                wait_ms => clock.sleep_ms(wait_ms.min(LOOK_MS)).await,
            }
        }
    }

    /// Stands in line, and takes the turn; false as soon as the host wants to be left alone.
    async fn head_of_line<C: Clock>(&self, clock: &C, class: Class, latest: Option<UnixMs>) -> bool {
        let _head = self.lines[class as usize].lock().await;
        loop {
            let now = clock.now();
            if self.blocked_ms(now, latest) > 0 {
                return false;
            }
            match self.wait_ms(now, class) {
                0 => return true,
                wait_ms => clock.sleep_ms(wait_ms).await,
            }
        }
    }

    /// Milliseconds until another try is worthwhile; 0 takes the turn.
    fn wait_ms(&self, now: UnixMs, class: Class) -> u64 {
        let others_first = self.waiting.iter().take(class as usize).any(|waiting| waiting.get() > 0);
        if others_first {
            return 5;
        }
        // Time that stands still or goes back (a clock that was set) must not undo the limiter's own arithmetic.
        self.now.set(self.now.get().max(now));
        let now = self.now.get();
        let next = self.last.get().plus_ms(i64::try_from(self.gap_ms.get()).unwrap_or(i64::MAX));
        if let Ok(left_ms @ 1..) = u64::try_from(next.since_ms(now)) {
            return left_ms;
        }
        let wait_ms = self.limiter_wait_ms();
        if wait_ms == 0 {
            self.last.set(now);
        }
        wait_ms
    }

    fn limiter_wait_ms(&self) -> u64 {
        match &self.limiter {
            None => 0,
            Some(limiter) => match limiter.check() {
                Ok(()) => 0,
                Err(not_until) => {
                    let wait = not_until.wait_time_from(UnixNs::from(self.now.get()));
                    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1)
                }
            },
        }
    }
}

/// Counts a waiting request for as long as it lives, also when its job is dropped.
struct Waiting<'a>(&'a Cell<u32>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get().saturating_add(1));
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The run's clock, as governor reads it: whatever time the run has last seen.
#[derive(Clone, Debug)]
struct RunClock(Rc<Cell<UnixMs>>);

/// Nanoseconds since the Unix epoch: finer than the clock, so that what is left of a millisecond is not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnixNs(i64);

impl From<UnixMs> for UnixNs {
    fn from(time: UnixMs) -> Self {
        Self(time.0.saturating_mul(NS_PER_MS))
    }
}

impl GovernorClock for RunClock {
    type Instant = UnixNs;

    fn now(&self) -> Self::Instant {
        self.0.get().into()
    }
}

impl Reference for UnixNs {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Nanos::new(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_u64()).unwrap_or(i64::MAX)))
    }
}

impl Add<Nanos> for UnixNs {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_u64()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests a host gets in so many milliseconds, with a clock that ticks in steps of `tick_ms`.
    fn turns(rate: u32, ms: i64, tick_ms: i64) -> u32 {
        let pace = Pace::new(NonZeroU32::new(rate));
        let host = pace.host(&Url::parse("http://127.0.0.1:1/").unwrap(), UnixMs(1_790_000_000_000));
        let mut taken = 0;
        for tick in (0..ms).step_by(usize::try_from(tick_ms).unwrap()) {
            while host.wait_ms(UnixMs(1_790_000_000_000 + tick), Class::Ask) == 0 {
                taken += 1;
            }
        }
        taken
    }

    /// A clock that goes on by an hour while somebody sleeps: the machine slept, or the clock was set.
    struct Jumps(Cell<i64>);

    impl Clock for Jumps {
        fn now(&self) -> UnixMs {
            UnixMs(self.0.get())
        }

        async fn sleep_ms(&self, ms: u64) {
            assert!(ms <= LOOK_MS, "nobody looks at the clock for {ms} ms");
            self.0.set(self.0.get() + 3_600_000);
        }
    }

    #[tokio::test]
    async fn a_host_is_not_left_alone_for_longer_than_it_wants_by_the_clock() {
        let (pace, clock) = (Pace::new(None), Jumps(Cell::new(0)));
        let url = Url::parse("http://127.0.0.1:1/").unwrap();
        pace.slow_down(&url, clock.now(), Some(1_800_000));
        pace.turn(&clock, &url, Class::Redeem, None).await;
        assert_eq!(clock.now(), UnixMs(3_600_000));
    }

    /// As many as want to, until one is refused; then some, and more and more as it goes well.
    #[test]
    fn a_pace_that_is_learnt_is_as_fast_as_the_host_bears_it() {
        let (pace, url) = (Pace::learnt(None), Url::parse("http://127.0.0.1:1/").unwrap());
        let at = |ms: i64| UnixMs(1_790_000_000_000 + ms);
        let host = pace.host(&url, at(0));
        let in_a_second =
            |from_ms: i64| (from_ms..from_ms + 1_000).filter(|ms| host.wait_ms(at(*ms), Class::Poll) == 0).count();
        assert_eq!(in_a_second(0), 1_000, "one in each look");
        for _ in 0..8 {
            pace.slow_down(&url, at(1_000), None);
        }
        assert_eq!(in_a_second(200_000), 10, "one burst is one refusal");
        for _ in 0..5 {
            pace.well(&url, at(201_000));
        }
        assert!((11..20).contains(&in_a_second(202_000)));
        pace.slow_down(&url, at(203_000), None);
        assert!((5..10).contains(&in_a_second(300_000)));
        for _ in 0..1_000 {
            pace.well(&url, at(301_000));
        }
        assert_eq!(in_a_second(302_000), 1_000);
        for hour in 1..100 {
            pace.slow_down(&url, at(hour * 3_600_000), None);
        }
        let wait_ms = host.wait_ms(at(400_000_000), Class::Poll);
        assert_eq!((wait_ms, host.wait_ms(at(400_000_000), Class::Poll)), (0, GAP_MS_MAX), "it is never given up");

        let (bought, now) = (Pace::new(None), at(0));
        bought.slow_down(&url, now, Some(1));
        assert_eq!(bought.host(&url, now).gap_ms.get(), 0, "who buys is held back by its own limit");
    }

    #[test]
    fn a_slow_pace_has_no_burst() {
        assert_eq!(turns(10, 1, 1), 1);
        assert_eq!(turns(10, 1_000, 1), 10);
        assert_eq!(turns(3, 1_000, 1), 3);
    }

    #[test]
    fn a_fast_pace_is_kept_although_the_clock_ticks_slowly() {
        assert_eq!(turns(10_000, 1, 1), 100, "a handful");
        for tick_ms in [1, 2, 5] {
            let taken = turns(10_000, 1_000, tick_ms);
            assert!((9_900..=10_100).contains(&taken), "{taken} with ticks of {tick_ms} ms");
        }
    }
}
