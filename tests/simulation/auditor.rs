//! Believes only what the nodes did and what the shop was paid for, and compares the ledger with it.

use std::collections::{BTreeMap, BTreeSet};

use l402_batch::l402::PaymentHash;
use l402_batch::ledger::Caps;
use l402_batch::money::Msat;

use super::purchases::{Digest, Purchases};
use super::redeems::Redeems;

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
    pub node: usize,
    pub amount: Msat,
    pub limit: Msat,
    pub begun_at: i64,
    pub fate: Fate,
}

/// Where the ledger charged a payment, and by whose word it is not to be judged any more.
#[derive(Clone, Debug)]
struct Charge {
    batch: String,
    day: String,
    month: String,
    host: String,
    excused: bool,
}

/// What may be spent.
#[derive(Debug, Default)]
pub struct Limits {
    pub batches: BTreeMap<String, u64>,
    pub day: Option<u64>,
    pub month: Option<u64>,
    /// Of single hosts: a day, and a month.
    pub origins: BTreeMap<String, (Option<u64>, Option<u64>)>,
    /// Of a host that has never delivered: in all.
    pub new_origin: Option<u64>,
}

/// Requests that stand for the same jobs: those of identical requests, and those of a job before and after an edit.
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
    charges: BTreeMap<PaymentHash, Charge>,
    /// Hosts that have delivered.
    delivering: BTreeSet<String>,
    /// What was meant and bought by request, whatever the jobs and batches are called.
    pub purchases: Purchases,
    /// The requests of each job that were handed in, in that order.
    contents: BTreeMap<String, Vec<Digest>>,
    /// The takes of each job that were accepted beside its first. One that a load took back before it was bought may be accepted again.
    accepted: BTreeMap<String, BTreeSet<u32>>,
    /// Takes of jobs that were accepted and now repeat other purchases; and how many there ever were, by job.
    aside: BTreeSet<(String, u32)>,
    set_aside: BTreeMap<String, usize>,
    decided: BTreeMap<String, usize>,
    /// What the nodes have received back of each payment.
    refunded: BTreeMap<PaymentHash, u64>,
    /// What the ledger has spent or held for each payment, by its own records.
    ledger_uses: BTreeMap<PaymentHash, u64>,
    pub limits: Limits,
    /// What the ledger knows to have settled at each node.
    known: [BTreeSet<PaymentHash>; 2],
    abandoned: BTreeSet<PaymentHash>,
    /// Tokens of redeems that went out past the cache.
    bypassed: BTreeSet<String>,
    pub redeems: Redeems,
    /// Takes of which a person took an answer for the result.
    taken: BTreeSet<(String, u32)>,
    /// When each node last lost a part of its record.
    pub forgot_at: [Option<i64>; 2],
    /// How often another ledger was put in the place of the one before.
    pub ledgers: u32,
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
        let contents = self.contents.entry(take.to_owned()).or_default();
        if contents.last() != Some(&request) {
            contents.push(request);
        }
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

    /// A take of that job sends one of these requests each time that it is bought; the first planned one of its row sends that. Where
    /// rows have no ids, a planned take may be taken for another one of its row under another default of the catalogue.
    pub fn told_apart(&mut self, take: &str, first: &Digest, own: &[Digest], has_id: bool) {
        self.purchases.told_apart(take, first, own);
        for request in own.iter().chain(Some(first).filter(|_| !has_id)) {
            let Some(group) = self.by_take.get(take).copied() else { continue };
            let known = self.by_request.get(request).copied();
            let united = known.map_or(group, |known| self.unite(group, known));
            self.by_request.insert(*request, united);
        }
    }

    /// The shop sells one invoice for several requests, so a payment of it cannot be told apart.
    pub fn share(&mut self, requests: &[[u8; 32]]) {
        self.purchases.share(requests);
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

    /// A redeem goes out past the cache; false where one did before.
    pub fn bypasses(&mut self, token: &str) -> bool {
        self.bypassed.insert(token.to_owned())
    }

    /// A person takes the answer that is kept of that take for its result.
    pub fn taken_as_delivered(&mut self, job: &str, take: u32) {
        self.taken.insert((job.to_owned(), take));
        self.delivered_at(None);
    }

    pub fn is_taken(&self, job: &str, take: u32) -> bool {
        self.taken.contains(&(job.to_owned(), take))
    }

    /// It never left.
    pub fn never_left(&mut self, token: &str) {
        self.bypassed.remove(token);
    }

    /// The process asks for a challenge.
    pub fn asked(&mut self, request: &[u8; 32]) -> Option<String> {
        let group = &self.groups[*self.by_request.get(request)?];
        (group.settled >= group.takes.len()).then(|| {
            let takes = group.takes.iter().cloned().collect::<Vec<_>>().join(", ");
            format!("a new challenge is asked for although {takes} is paid")
        })
    }

    /// A node has begun a payment. One hash is paid by one node only, ever; and by that one not while it may have paid it,
    /// unless it has forgotten that.
    pub fn begun(&mut self, attempt: Attempt) -> usize {
        let (hash, forgot) = (attempt.hash, self.forgot_at[attempt.node]);
        for other in self.attempts.iter().filter(|other| other.hash == hash) {
            let forgotten = forgot.is_some_and(|at| at >= other.begun_at);
            if other.node != attempt.node {
                self.violations.push(format!("{hash} is paid by two nodes"));
            } else if other.fate != Fate::Dead && !forgotten {
                self.violations.push(format!("{hash} is begun while it may be paid"));
            }
        }
        if !self.charges.contains_key(&hash) {
            self.violations.push(format!("{hash} is begun and no ledger holds its intent"));
        }
        self.attempts.push(attempt);
        self.attempts.len() - 1
    }

    /// The ledger has charged a payment. No day comes before one that is charged already.
    pub fn charged(&mut self, hash: PaymentHash, (batch, host): (String, String), caps: &Caps) {
        let newest = |name: Option<String>, of: fn(&Charge) -> &String| {
            self.charges.values().map(of).cloned().chain(name).max().unwrap_or_default()
        };
        let day = newest(caps.day.as_ref().map(|cap| cap.period.clone()), |charge| &charge.day);
        let month = newest(caps.month.as_ref().map(|cap| cap.period.clone()), |charge| &charge.month);
        self.charges.insert(hash, Charge { batch, day, month, host, excused: false });
    }

    /// Something that was bought there is delivered; nobody knows where, with none.
    pub fn delivered_at(&mut self, host: Option<&str>) {
        let hosts: Vec<String> = match host {
            Some(host) => vec![host.to_owned()],
            None => self.charges.values().map(|charge| charge.host.clone()).collect(),
        };
        self.delivering.extend(hosts);
    }

    /// Payments that a ledger has ever charged.
    pub fn charged_hashes(&self) -> Vec<PaymentHash> {
        self.charges.keys().copied().collect()
    }

    /// Another ledger is in the place of the one that the records were of: it uses this much, and knows of no answer but
    /// those that come.
    pub fn other_ledger(&mut self, uses: BTreeMap<PaymentHash, u64>) {
        self.ledger_uses = uses;
        self.ledgers += 1;
        self.redeems.other_ledger();
    }

    /// A person has said of a payment what nobody could know: what becomes of it is that person's doing. `request` is what
    /// the shop sold by it.
    pub fn excuse(&mut self, hash: &PaymentHash, request: Option<&[u8; 32]>) {
        let settled = self.attempts.iter().any(|attempt| attempt.hash == *hash && attempt.is_settled());
        let group = request.and_then(|request| self.by_request.get(request).copied());
        self.purchases.excuse(hash);
        if let Some(charge) = self.charges.get_mut(hash).filter(|charge| !charge.excused) {
            charge.excused = true;
            if let Some(group) = group.filter(|_| settled) {
                self.groups[group].settled -= 1;
            }
        }
    }

    /// A person has given a payment up for lost, whatever becomes of it.
    pub fn abandoned(&mut self, hash: PaymentHash) {
        self.abandoned.insert(hash);
    }

    pub fn is_abandoned(&self, hash: &PaymentHash) -> bool {
        self.abandoned.contains(hash)
    }

    /// A person's word for one more purchase of a job. The same word again is the same word.
    pub fn word(&mut self, job: &str, word: &str, request: &Digest) -> bool {
        let word = format!("{job} {word}");
        let first = self.purchases.word(&word, request);
        self.one_more(job, word);
        first
    }

    /// The same for a job whose manifest may have changed since: a results file buys what the ledger has of it, a manifest what it
    /// says by then. Only one of them is bought, as the job has one take more. Where a manifest has given its rows other ids since, nothing is
    /// known by that name: then it is the request that was bought.
    pub fn word_for_any(&mut self, job: &str, word: &str, bought: Option<Digest>) {
        let known = self.contents.get(job).cloned();
        for request in known.unwrap_or_else(|| bought.into_iter().collect()) {
            self.word(job, word, &request);
        }
    }

    /// A person's word for what is another content now than the job had at first, and for what was given back: it allows no
    /// second purchase of any request that is bought and kept.
    pub fn word_for_other(&mut self, job: &str, request: &Digest, changed: bool, refunded: bool) {
        let was_another = self.contents.get(job).is_some_and(|contents| contents.iter().any(|one| one != request));
        if changed && was_another {
            self.one_more(job, format!("{job} changed to {}", data_encoding::HEXLOWER.encode(&request[..4])));
        }
        let contents = || self.contents.get(job).into_iter().flatten();
        let given_back = contents().any(|one| self.purchases.was_given_back(job, one));
        if refunded && given_back {
            // Somebody may have bought it under another name meanwhile: the word stands all the same.
            self.purchases.word(&format!("{job} refunded"), request);
            self.one_more(job, format!("{job} refunded"));
        }
    }

    /// A person has decided on an open payment of a job, without knowing what becomes of it.
    pub fn decided(&mut self, job: &str) {
        *self.decided.entry(job.to_owned()).or_default() += 1;
    }

    /// How often that was.
    pub fn decided_of(&self, job: &str) -> usize {
        self.decided.get(job).copied().unwrap_or(0)
    }

    /// The ledger has accepted that take of a job.
    pub fn accepted(&mut self, job: &str, take: u32) {
        self.aside.retain(|(name, _)| name != job);
        self.accepted.entry(job.to_owned()).or_default().insert(take);
    }

    /// How many takes of a job were accepted beside its first.
    pub fn accepted_of(&self, job: &str) -> usize {
        self.accepted.get(job).map_or(0, BTreeSet::len)
    }

    /// A take of a job that was accepted repeats what was bought under another name meanwhile: it is taken back.
    pub fn set_aside(&mut self, job: &str, take: u32) {
        let accepted = self.accepted.get(job).is_some_and(|takes| takes.contains(&take));
        if accepted && self.aside.insert((job.to_owned(), take)) {
            *self.set_aside.entry(job.to_owned()).or_default() += 1;
        }
    }

    /// How many takes of a job that were.
    pub fn set_aside_of(&self, job: &str) -> usize {
        self.set_aside.get(job).copied().unwrap_or(0)
    }

    fn one_more(&mut self, job: &str, take: String) {
        if let Some(group) = self.by_take.get(job).copied() {
            self.groups[group].takes.insert(take.clone());
            self.by_take.insert(take, group);
        }
    }

    pub fn is_excused(&self, hash: &PaymentHash) -> bool {
        self.charges.get(hash).is_some_and(|charge| charge.excused)
    }

    /// Whether the node has lost a record since the first attempt at this hash.
    pub fn is_forgotten(&self, hash: &PaymentHash) -> bool {
        let mut attempts = self.attempts.iter().filter(|attempt| attempt.hash == *hash);
        attempts.any(|attempt| self.forgot_at[attempt.node].is_some_and(|at| at >= attempt.begun_at))
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
        if self.is_excused(&hash) {
            return None;
        }
        let by_request = self.purchases.settled(hash, request?);
        let group = self.by_request.get(request?).copied()?;
        let group = &mut self.groups[group];
        group.settled += 1;
        if by_request.is_some() {
            return by_request;
        }
        (group.settled > group.takes.len()).then(|| {
            let takes = group.takes.iter().cloned().collect::<Vec<_>>().join(", ");
            format!("{} payments settled for {takes}", group.settled)
        })
    }

    /// Whether an attempt that began after that time has failed.
    pub fn has_failed_since(&self, hash: &PaymentHash, begun_at: i64) -> bool {
        let mut attempts = self.attempts.iter().filter(|attempt| attempt.hash == *hash);
        attempts.any(|attempt| attempt.fate == Fate::Dead && attempt.begun_at > begun_at)
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

    /// What is spent and what may still be, against every limit, by the nodes' records. What a node took above a ceiling
    /// is its own doing.
    pub fn over_budget(&self) -> Option<String> {
        let mut exposure = self.exposure();
        exposure.retain(|hash, _| !self.is_excused(hash));
        for (hash, back) in &self.refunded {
            exposure.entry(*hash).and_modify(|used| *used = used.saturating_sub(*back));
        }
        self.over(&exposure).map(|over| format!("spent or under way: {over}"))
    }

    /// The same by the ledger's records.
    pub fn ledger_over_budget(&self) -> Option<String> {
        let mut uses = self.ledger_uses.clone();
        uses.retain(|hash, _| !self.is_excused(hash));
        self.over(&uses).map(|over| format!("spent or held in the ledger: {over}"))
    }

    /// So much of a payment has come back, by the node's own record.
    pub fn came_back(&mut self, hash: PaymentHash, msat: u64) {
        self.refunded.insert(hash, msat);
        self.purchases.came_back(&hash);
    }

    pub fn ledger_uses(&mut self, hash: PaymentHash, msat: u64) {
        self.ledger_uses.insert(hash, msat);
    }

    pub fn ledger_by_batch(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (hash, used) in &self.ledger_uses {
            if let Some(charge) = self.charges.get(hash) {
                *sums.entry(charge.batch.clone()).or_default() += used;
            }
        }
        sums
    }

    fn over(&self, exposure: &BTreeMap<PaymentHash, u64>) -> Option<String> {
        let Limits { batches, day, month, origins, new_origin } = &self.limits;
        let mut used: BTreeMap<(&str, String), (u64, u64)> = BTreeMap::new();
        for (hash, most) in exposure {
            let Some(charge) = self.charges.get(hash) else { continue };
            let of_batch = batches.get(&charge.batch).map(|limit| ("batch", charge.batch.clone(), *limit));
            let of_day = day.map(|limit| ("day", charge.day.clone(), limit));
            let of_month = month.map(|limit| ("month", charge.month.clone(), limit));
            let (its_day, its_month) = origins.get(&charge.host).copied().unwrap_or_default();
            let there = |period: &str| format!("{} {period}", charge.host);
            let of_its_day = its_day.map(|limit| ("origin's day", there(&charge.day), limit));
            let of_its_month = its_month.map(|limit| ("origin's month", there(&charge.month), limit));
            let is_new = !self.delivering.contains(&charge.host);
            let of_new = new_origin.filter(|_| is_new).map(|limit| ("new origin", charge.host.clone(), limit));
            let all = [of_batch, of_day, of_month, of_its_day, of_its_month, of_new];
            for (kind, name, limit) in all.into_iter().flatten() {
                let sum = used.entry((kind, name)).or_insert((0, limit));
                sum.0 += most;
            }
        }
        let overcharged = self.overcharged();
        let (over, (used, limit)) = used.into_iter().find(|(_, (used, limit))| *used > limit + overcharged)?;
        Some(format!("{used} msat, the limit of {} {} is {limit}", over.0, over.1))
    }

    /// The most that each hash has cost or still may. Every attempt counts, unless the node has forgotten an earlier one:
    /// then the ledger's one hold stands for both, and that both settle is told apart.
    fn exposure(&self) -> BTreeMap<PaymentHash, u64> {
        let mut by_hash: BTreeMap<PaymentHash, u64> = BTreeMap::new();
        for attempt in &self.attempts {
            let most = match attempt.fate {
                Fate::Live | Fate::Out => attempt.amount.get() + attempt.limit.get(),
                Fate::Posted(fee) => attempt.amount.get() + fee.get(),
                Fate::Dead => 0,
            };
            let used = by_hash.entry(attempt.hash).or_default();
            *used = if self.is_forgotten(&attempt.hash) { most.max(*used) } else { most + *used };
        }
        by_hash
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
