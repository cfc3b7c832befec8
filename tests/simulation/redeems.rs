//! What goes out with a credential: nothing after a success, but for what the origin or a person has said.

use std::collections::{BTreeMap, BTreeSet};

use l402_batch::l402::PaymentHash;
use l402_batch::purchase::HttpAnswer;

use super::shop::{STRANGE, is_late, is_spent};

#[derive(Default)]
pub struct Redeems {
    /// Purchases whose redeem has had a 2xx that is durable; and whether anybody understands it.
    answered: BTreeMap<PaymentHash, bool>,
    /// Redeems that went out after that.
    posted_again: BTreeMap<PaymentHash, u32>,
    /// Words for one redeem more, by purchase; and the purchases of which one was said once nothing went wrong any more.
    retries: BTreeMap<PaymentHash, u32>,
    pub retried_calmly: BTreeSet<PaymentHash>,
    /// Redeems that this process has had a 2xx for, which is not durable yet.
    heard: BTreeSet<PaymentHash>,
    /// Purchases for which this run of a process has heard an error of the origin's own: a charge may be used up by that.
    failed: BTreeSet<PaymentHash>,
    /// Purchases that the origin says to be used up where they may be, as this process has heard, or too late; and, where that is
    /// durable, too late. How many words for one redeem more there were then.
    heard_spent: BTreeMap<PaymentHash, u32>,
    spent: BTreeMap<PaymentHash, u32>,
}

impl Redeems {
    /// Another ledger is in the place of the one before: it knows of no answer but those that come.
    pub fn other_ledger(&mut self) {
        self.answered.clear();
        self.spent.clear();
    }

    /// A process begins: it knows what is durable.
    pub fn begins(&mut self) {
        self.heard.clear();
        self.failed.clear();
        self.heard_spent.clear();
    }

    /// A run of the process begins, after one of recovery: it remembers no error of before.
    pub fn runs(&mut self) {
        self.failed.clear();
    }

    /// An answer to a redeem has come. That a charge is used up is taken where it may be.
    pub fn answered_with(&mut self, hash: PaymentHash, answer: &HttpAnswer) {
        if is_late(answer) || (is_spent(answer) && self.failed.contains(&hash)) {
            self.heard_spent.insert(hash, self.words(hash));
        }
        if answer.status == 500 {
            self.failed.insert(hash);
        }
    }

    fn words(&self, hash: PaymentHash) -> u32 {
        self.retries.get(&hash).copied().unwrap_or(0)
    }

    /// An answer to a redeem is durable; `is_own`, where it holds no other purchase's result.
    pub fn kept(&mut self, hash: PaymentHash, answer: &HttpAnswer, is_own: bool) {
        if is_own && (200..=299).contains(&answer.status) {
            self.answered(hash, !String::from_utf8_lossy(&answer.body).contains(STRANGE));
        }
        if is_late(answer) {
            self.spent.insert(hash, self.words(hash));
        }
    }

    /// A redeem has had a 2xx.
    pub fn heard(&mut self, hash: PaymentHash) {
        self.heard.insert(hash);
    }

    /// A redeem has had a 2xx, and that is durable.
    fn answered(&mut self, hash: PaymentHash, understood: bool) {
        self.heard.remove(&hash);
        self.answered.entry(hash).and_modify(|known| *known &= understood).or_insert(understood);
    }

    /// A redeem goes out. After a 2xx none does; but for one more where the origin says that it gives its answer again, and
    /// its answer was understood; and for one more by each word of a person.
    pub fn goes_out(&mut self, hash: PaymentHash, replays: bool) -> Option<String> {
        if self.heard.contains(&hash) {
            return Some(format!("{hash} is redeemed again after a 2xx that nobody has kept"));
        }
        let words = self.words(hash);
        if [&self.heard_spent, &self.spent].iter().any(|known| known.get(&hash) == Some(&words)) {
            return Some(format!("{hash} is shown again, although it is used up, and no person has said so"));
        }
        let understood = *self.answered.get(&hash)?;
        let again = self.posted_again.entry(hash).or_default();
        *again += 1;
        let most = u32::from(replays && understood) + words;
        (*again > most).then(|| {
            format!(
                "{hash} is redeemed again after a 2xx, understood: {understood}, replays: {replays}, words: {words}"
            )
        })
    }

    /// A person wants what was paid for to be asked for again.
    pub fn retried(&mut self, hash: PaymentHash, is_calm: bool) {
        *self.retries.entry(hash).or_default() += 1;
        if is_calm {
            self.retried_calmly.insert(hash);
        }
    }

    /// A redeem never left.
    pub fn never_left(&mut self, hash: PaymentHash) {
        self.posted_again.entry(hash).and_modify(|times| *times = times.saturating_sub(1));
    }
}
