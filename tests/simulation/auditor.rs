//! Believes only what the nodes did and what the shop was paid for, and compares the ledger with it.

use std::collections::{BTreeMap, BTreeSet};

use l402_batch::l402::PaymentHash;
use l402_batch::money::Msat;

/// How a payment that a node really began stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may still settle.
    Live,
    /// The preimage is out; what it costs is not known yet.
    Out,
    /// It cost this fee.
    Posted(Msat),
    Dead,
}

/// A payment that a node really began, whatever the node remembers of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub hash: PaymentHash,
    pub amount: Msat,
    pub limit: Msat,
    pub fate: Fate,
}

impl Attempt {
    pub const fn new(hash: PaymentHash, amount: Msat, limit: Msat) -> Self {
        Self { hash, amount, limit, fate: Fate::Live }
    }
}

/// Requests that stand for the same jobs: those of twins, and those of a job before and after an edit.
#[derive(Clone, Debug, Default)]
struct Group {
    /// (Job, take)s that may be bought by one of these requests.
    takes: BTreeSet<String>,
    settled: usize,
}

#[derive(Default)]
pub struct Auditor {
    groups: Vec<Group>,
    by_request: BTreeMap<[u8; 32], usize>,
    by_take: BTreeMap<String, usize>,
    attempts: Vec<Attempt>,
    /// What may be spent over all.
    pub budget: Option<Msat>,
    /// What the ledger knows to have settled at each node.
    known: [BTreeSet<PaymentHash>; 2],
    /// A node has lost a part of its record.
    pub node_forgot: bool,
    violations: Vec<String>,
}

impl Auditor {
    pub fn violated(&mut self, what: String) {
        self.violations.push(what);
    }

    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// A take of a job may be bought by this request.
    pub fn planned(&mut self, take: &str, request: [u8; 32]) {
        let by_request = self.by_request.get(&request).copied();
        let by_take = self.by_take.get(take).copied();
        let group = match (by_request, by_take) {
            (Some(one), Some(other)) => self.unite(one, other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                self.groups.push(Group::default());
                self.groups.len() - 1
            }
        };
        self.groups[group].takes.insert(take.to_owned());
        self.by_request.insert(request, group);
        self.by_take.insert(take.to_owned(), group);
    }

    /// The shop sells one invoice for several requests, so a payment of it cannot be told apart.
    pub fn share(&mut self, requests: &[[u8; 32]]) {
        let mut groups =
            requests.iter().filter_map(|request| self.by_request.get(request).copied()).collect::<Vec<_>>();
        while let (Some(one), Some(other)) = (groups.pop(), groups.last().copied()) {
            let united = self.unite(one, other);
            groups.iter_mut().for_each(|group| {
                if *group == one || *group == other {
                    *group = united;
                }
            });
        }
    }

    fn unite(&mut self, one: usize, other: usize) -> usize {
        if one != other {
            let moved = std::mem::take(&mut self.groups[other]);
            self.groups[one].takes.extend(moved.takes);
            self.groups[one].settled += moved.settled;
            let groups = self.by_request.values_mut().chain(self.by_take.values_mut());
            groups.filter(|group| **group == other).for_each(|group| *group = one);
        }
        one
    }

    /// The process asks for a challenge.
    pub fn asked(&mut self, request: &[u8; 32]) -> Option<String> {
        let group = &self.groups[*self.by_request.get(request)?];
        (group.settled >= group.takes.len()).then(|| {
            let takes = group.takes.iter().cloned().collect::<Vec<_>>().join(", ");
            format!("a new challenge is asked for although {takes} is paid")
        })
    }

    /// A node has begun a payment.
    pub fn begun(&mut self, attempt: Attempt) -> usize {
        self.attempts.push(attempt);
        self.attempts.len() - 1
    }

    /// Its money is gone. `request` is what the shop sold by that invoice.
    pub fn settled(&mut self, attempt: usize, request: Option<&[u8; 32]>) -> Option<String> {
        let one = &mut self.attempts[attempt];
        if one.fate != Fate::Live {
            return None;
        }
        one.fate = Fate::Out;
        let hash = one.hash;
        let again = self.attempts.iter().filter(|other| other.hash == hash && other.is_settled()).count();
        if again > 1 {
            return Some(format!("the invoice {hash} is paid {again} times"));
        }
        let group = self.by_request.get(request?).copied()?;
        let group = &mut self.groups[group];
        group.settled += 1;
        (group.settled > group.takes.len()).then(|| {
            let takes = group.takes.iter().cloned().collect::<Vec<_>>().join(", ");
            format!("{} payments settled for {takes}", group.settled)
        })
    }

    pub fn may_be_settled(&self, hash: &PaymentHash) -> bool {
        self.attempts.iter().any(|attempt| attempt.hash == *hash && attempt.fate != Fate::Dead)
    }

    pub fn posted(&mut self, attempt: usize, fee: Msat) {
        self.attempts[attempt].fate = Fate::Posted(fee);
    }

    pub fn failed(&mut self, attempt: usize) {
        self.attempts[attempt].fate = Fate::Dead;
    }

    /// What is spent and what may still be, against the budget. A hash counts once: that it settles twice is told apart.
    /// What a node took above a ceiling is its own doing.
    pub fn over_budget(&self) -> Option<String> {
        let budget = self.budget?.get();
        let mut by_hash: BTreeMap<PaymentHash, u64> = BTreeMap::new();
        for attempt in &self.attempts {
            let most = match attempt.fate {
                Fate::Live | Fate::Out => attempt.amount.get() + attempt.limit.get(),
                Fate::Posted(fee) => attempt.amount.get() + fee.get(),
                Fate::Dead => 0,
            };
            let used = by_hash.entry(attempt.hash).or_default();
            *used = most.max(*used);
        }
        let (used, overcharged) = (by_hash.values().sum::<u64>(), self.overcharged());
        (used > budget + overcharged).then(|| format!("{used} msat are spent or under way, the budget is {budget}"))
    }

    /// What nodes took above their ceilings, in msat.
    pub fn overcharged(&self) -> u64 {
        let above = |attempt: &Attempt| match attempt.fate {
            Fate::Posted(fee) => fee.get().saturating_sub(attempt.limit.get()),
            Fate::Live | Fate::Out | Fate::Dead => 0,
        };
        self.attempts.iter().map(above).sum()
    }

    /// The ledger has made a preimage durable.
    pub fn known_settled(&mut self, node: usize, hash: PaymentHash) {
        self.known[node].insert(hash);
    }

    pub fn settled_in_ledger(&self, node: usize) -> BTreeSet<PaymentHash> {
        self.known[node].clone()
    }

    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

impl Attempt {
    pub const fn is_settled(&self) -> bool {
        matches!(self.fate, Fate::Out | Fate::Posted(_))
    }
}
