//! Paused time: a queue of what is due, and a loop that drives one future and jumps from one due time to the next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// What happens at a point in time.
type Act<W> = Box<dyn FnOnce(&Rc<W>)>;

enum Due<W> {
    Wake(Waker),
    Act(Act<W>),
}

/// Time of a world, in milliseconds from its beginning. It never goes back; clocks that show it may.
pub struct Timeline<W> {
    now: Cell<i64>,
    seq: Cell<u64>,
    due: RefCell<BTreeMap<(i64, u64), Due<W>>>,
}

/// How driving a future ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Driven<T> {
    /// It came to its end.
    Done(T),
    /// The process stopped in the middle of it.
    Stopped,
    /// It waits for something that never comes.
    Hangs,
    /// It goes on and on.
    Endless,
}

/// A world that has a time.
pub trait Timed: Sized {
    fn timeline(&self) -> &Timeline<Self>;
    /// The process is gone: its future is dropped where it stands.
    fn is_stopped(&self) -> bool;
}

impl<W> Default for Timeline<W> {
    fn default() -> Self {
        Self { now: Cell::new(0), seq: Cell::new(0), due: RefCell::default() }
    }
}

impl<W: Timed + 'static> Timeline<W> {
    pub fn now(&self) -> i64 {
        self.now.get()
    }

    /// Does something in so many milliseconds, whether or not the process still lives then.
    pub fn after(&self, ms: i64, act: impl FnOnce(&Rc<W>) + 'static) {
        self.put(ms, Due::Act(Box::new(act)));
    }

    fn put(&self, ms: i64, due: Due<W>) -> (i64, u64) {
        let key = (self.now.get().saturating_add(ms.max(0)), self.seq.get());
        self.seq.set(key.1 + 1);
        self.due.borrow_mut().insert(key, due);
        key
    }

    fn next(&self, until: Option<i64>) -> Option<Due<W>> {
        let mut due = self.due.borrow_mut();
        let (at, _) = *due.first_key_value()?.0;
        if until.is_some_and(|until| at > until) {
            return None;
        }
        self.now.set(self.now.get().max(at));
        due.pop_first().map(|(_, due)| due)
    }
}

fn carry_out<W>(world: &Rc<W>, due: Due<W>) {
    match due {
        Due::Wake(waker) => waker.wake(),
        Due::Act(act) => act(world),
    }
}

/// Lets time go by while no process runs.
pub fn pass<W: Timed + 'static>(world: &Rc<W>, ms: i64) {
    let until = world.timeline().now() + ms;
    while let Some(due) = world.timeline().next(Some(until)) {
        carry_out(world, due);
    }
    world.timeline().now.set(until);
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Drives a future through time, at most `steps` wake-ups and acts long.
pub fn drive<W: Timed + 'static, T>(world: &Rc<W>, future: impl Future<Output = T>, steps: u64) -> Driven<T> {
    let mut future = pin!(future);
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    for _ in 0..steps {
        if flag.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return Driven::Done(done);
            }
            if world.is_stopped() {
                return Driven::Stopped;
            }
            continue;
        }
        match world.timeline().next(None) {
            Some(due) => carry_out(world, due),
            None => return Driven::Hangs,
        }
    }
    Driven::Endless
}

/// Waits for so many milliseconds of the world's time.
pub fn sleep<W: Timed + 'static>(world: &Rc<W>, ms: i64) -> Sleep<W> {
    Sleep { world: Rc::clone(world), until: world.timeline().now() + ms.max(0), key: None }
}

pub struct Sleep<W: Timed + 'static> {
    world: Rc<W>,
    until: i64,
    key: Option<(i64, u64)>,
}

impl<W: Timed + 'static> Future for Sleep<W> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = self.world.timeline().now();
        if now >= self.until {
            return Poll::Ready(());
        }
        self.forget();
        let key = self.world.timeline().put(self.until - now, Due::Wake(context.waker().clone()));
        self.key = Some(key);
        Poll::Pending
    }
}

impl<W: Timed + 'static> Sleep<W> {
    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.world.timeline().due.borrow_mut().remove(&key);
        }
    }
}

impl<W: Timed + 'static> Drop for Sleep<W> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// A place for one answer that may come after whoever waits for it is gone.
pub struct Answer<T>(Rc<RefCell<(Option<T>, Option<Waker>)>>);

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new((None, None))))
    }
}

impl<T> Answer<T> {
    pub fn give(&self, answer: T) {
        let waker = {
            let mut slot = self.0.borrow_mut();
            slot.0 = Some(answer);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.borrow_mut();
        match slot.0.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                slot.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Wakes all who wait for a change.
#[derive(Default)]
pub struct Bell(RefCell<Vec<Waker>>);

impl Bell {
    pub fn ring(&self) {
        let wakers = std::mem::take(&mut *self.0.borrow_mut());
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns at the next ring after it was first polled.
    pub async fn rung(&self) {
        let mut waits = false;
        std::future::poll_fn(|context| {
            if waits {
                return Poll::Ready(());
            }
            waits = true;
            self.0.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
