//! Whether the node can take payments: causes that concern the whole node pause admission and fail no job.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;

use crate::backoff;
use crate::time::UnixMs;

const PROBE_MS_FIRST: u64 = 5_000;
const PROBE_MS_MAX: u64 = 60_000;

/// Open, paused for a while, or closed for the rest of the run.
#[derive(Debug, Default)]
pub(super) struct NodeHealth {
    /// Since when the node has been in trouble without a settlement or a good answer.
    trouble_since: Cell<Option<UnixMs>>,
    paused_until: Cell<Option<UnixMs>>,
    pauses: Cell<u32>,
    probing: Cell<bool>,
    closed: RefCell<Option<String>>,
    /// Nothing more is bought in this run, whatever the node says.
    shut: Cell<bool>,
    changed: Notify,
}

impl NodeHealth {
    /// The node is in trouble. Returns whether admission pauses from now on.
    pub(super) fn trouble(&self, cause: &str, now: UnixMs, patience_ms: u64) -> bool {
        if self.is_paused() || self.is_shut() {
            return false;
        }
        let since = self.trouble_since.get().unwrap_or(now);
        self.trouble_since.set(Some(since));
        if now.since_ms(since) > i64::try_from(patience_ms).unwrap_or(i64::MAX) {
            self.closed.replace(Some(cause.to_owned()));
        } else {
            let pause_ms = backoff::pause_ms(self.pauses.get(), PROBE_MS_FIRST, PROBE_MS_MAX);
            self.pauses.set(self.pauses.get().saturating_add(1));
            self.paused_until.set(Some(now.plus_ms(i64::try_from(pause_ms).unwrap_or(i64::MAX))));
        }
        self.changed.notify_waiters();
        true
    }

    /// The node lacks something for which nothing more is bought in this run.
    pub(super) fn close(&self, cause: String) {
        self.closed.replace(Some(cause));
        self.shut();
    }

    /// Lets nothing more be bought in this run. No pause is left that could end.
    pub(super) fn shut(&self) {
        self.shut.set(true);
        self.paused_until.set(None);
        self.changed.notify_waiters();
    }

    /// Whether nothing more is bought in this run.
    pub(super) fn is_shut(&self) -> bool {
        self.shut.get() || self.closed.borrow().is_some()
    }

    /// Whether a payment may begin now.
    pub(super) fn is_open(&self) -> bool {
        !self.is_paused() && !self.is_shut()
    }

    /// Returns once nothing more is bought in this run.
    pub(super) async fn until_shut(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_shut() {
                return;
            }
            changed.await;
        }
    }

    /// The pause is over: the next payment, or the next probe, tells.
    pub(super) fn reopen(&self) {
        self.paused_until.set(None);
        self.probing.set(false);
        self.changed.notify_waiters();
    }

    /// A payment settled: the trouble is over.
    pub(super) fn settled(&self) {
        self.trouble_since.set(None);
        self.pauses.set(0);
    }

    /// Whether admission pauses.
    pub(super) fn is_paused(&self) -> bool {
        self.paused_until.get().is_some()
    }

    /// When the node is to be probed, while admission pauses and no probe is under way.
    pub(super) fn next_probe(&self) -> Option<UnixMs> {
        self.paused_until.get().filter(|_| !self.probing.get())
    }

    /// A probe is under way; [`Self::reopen`] ends it.
    pub(super) fn begin_probe(&self) {
        self.probing.set(true);
    }

    /// Why the node gets no more payments in this run, in words; none where it still does.
    pub(super) fn closed(&self) -> Option<String> {
        self.closed.borrow().clone()
    }

    /// Returns whether payments may begin, once that is known.
    pub(super) async fn opened(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            if self.is_shut() {
                return false;
            }
            if self.paused_until.get().is_none() {
                return true;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_stays_in_trouble_closes_the_gate() {
        let gate = NodeHealth::default();
        assert!(gate.trouble("locked", UnixMs(0), 10_000));
        assert_eq!(gate.next_probe(), Some(UnixMs(5_000)));
        assert!(!gate.trouble("locked", UnixMs(1), 10_000), "it is paused already");
        gate.reopen();
        assert!(gate.trouble("locked", UnixMs(5_000), 10_000));
        assert_eq!(gate.next_probe(), Some(UnixMs(15_000)), "each pause is longer");
        gate.reopen();
        assert!(gate.trouble("locked", UnixMs(15_000), 10_000));
        assert_eq!(gate.closed().as_deref(), Some("locked"));
    }

    #[test]
    fn a_settlement_ends_the_trouble() {
        let gate = NodeHealth::default();
        gate.trouble("balance", UnixMs(0), 10_000);
        gate.reopen();
        gate.settled();
        gate.trouble("balance", UnixMs(60_000), 10_000);
        assert_eq!(gate.closed(), None);
    }

    #[test]
    fn a_closed_gate_waits_for_no_probe() {
        let ends: [fn(&NodeHealth); 2] = [|gate| gate.close("too little".to_owned()), NodeHealth::shut];
        for end in ends {
            let gate = NodeHealth::default();
            gate.trouble("balance", UnixMs(0), 10_000);
            end(&gate);
            assert_eq!((gate.next_probe(), gate.is_paused()), (None, false));
            assert!(!gate.trouble("locked", UnixMs(5_000), 10_000), "nothing is left to pause");
        }
    }
}
