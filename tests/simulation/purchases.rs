//! What the person meant to buy and what was bought, by request (URL and bytes), over every batch and ledger of one user.
//! The person's part is what stood in the manifests and the words that were given, as the world remembers them; the rest is
//! the nodes' and the shop's. The ledger has no say.

use std::collections::{BTreeMap, BTreeSet};

use l402_batch::l402::PaymentHash;

/// The digest of a request.
pub type Digest = [u8; 32];

#[derive(Default)]
pub struct Purchases {
    /// How many identical rows one manifest held at most.
    meant: BTreeMap<Digest, usize>,
    /// Words that each allow one purchase more, however often they are said.
    words: BTreeMap<Digest, BTreeSet<String>>,
    /// Requests that are counted together: for which one invoice was sold, so that a payment of it cannot be told apart; and those of one job's takes.
    shared: Vec<BTreeSet<Digest>>,
    /// Where takes of a job are told apart in their requests: the jobs of which each may be a take, once.
    apart: BTreeMap<Digest, BTreeSet<String>>,
    /// Requests of which nothing of that can be said: of jobs whose takes nothing told apart, or sold by another one's invoice.
    untold: BTreeSet<Digest>,
    /// What was bought by each payment that settled, was not given back, and is not a person's own fault.
    bought: BTreeMap<PaymentHash, Digest>,
    given_back: BTreeMap<PaymentHash, Digest>,
}

impl Purchases {
    /// A manifest with rows of these requests is handed in.
    pub fn handed_in(&mut self, rows: &[Digest]) {
        let mut identical: BTreeMap<Digest, usize> = BTreeMap::new();
        for request in rows {
            *identical.entry(*request).or_default() += 1;
        }
        for (request, rows) in identical {
            let meant = self.meant.entry(request).or_default();
            *meant = rows.max(*meant);
        }
    }

    /// A person's word for one purchase more; false where it was given before.
    pub fn word(&mut self, word: &str, request: &Digest) -> bool {
        self.words.entry(*request).or_default().insert(word.to_owned())
    }

    /// Whether it is known that this job's take sends that.
    pub fn is_told_apart(&self, job: &str, request: &Digest) -> bool {
        self.apart.get(request).is_some_and(|jobs| jobs.contains(job))
    }

    /// A take of that job sends one of these requests each time that it is bought; the first planned one of its row sends that.
    pub fn told_apart(&mut self, job: &str, first: &Digest, own: &[Digest]) {
        for request in own {
            self.apart.entry(*request).or_default().insert(job.to_owned());
        }
        self.unite(own.iter().chain([first]));
    }

    /// Takes send that again and again.
    pub fn told_by_nothing(&mut self, request: Digest) {
        self.untold.insert(request);
    }

    /// One invoice is sold for all of these.
    pub fn share(&mut self, requests: &[Digest]) {
        self.untold.extend(requests);
        self.unite(requests);
    }

    fn unite<'d>(&mut self, requests: impl IntoIterator<Item = &'d Digest>) {
        let mut united: BTreeSet<Digest> = requests.into_iter().copied().collect();
        let (touched, apart) = std::mem::take(&mut self.shared).into_iter().partition(|set| !set.is_disjoint(&united));
        self.shared = apart;
        let touched: Vec<BTreeSet<Digest>> = touched;
        united.extend(touched.into_iter().flatten());
        self.shared.push(united);
    }

    /// A payment has settled; says what is wrong with that.
    pub fn settled(&mut self, hash: PaymentHash, request: &Digest) -> Option<String> {
        self.bought.insert(hash, *request);
        if let Some(twice) = self.sent_twice(request) {
            return Some(twice);
        }
        let together = self.together(request);
        let bought = self.bought.values().filter(|bought| together.contains(*bought)).count();
        let meant: usize = together.iter().map(|request| self.meant.get(request).copied().unwrap_or(0)).sum();
        let words: Vec<&String> = together.iter().filter_map(|request| self.words.get(request)).flatten().collect();
        (bought > meant + words.len())
            .then(|| format!("one request is bought {bought} times; {meant} identical rows and these words: {words:?}"))
    }

    /// What tells takes of one job apart is another for each purchase of it.
    fn sent_twice(&self, request: &Digest) -> Option<String> {
        let jobs = self.apart.get(request).filter(|_| !self.untold.contains(request))?;
        let bought = self.bought.values().filter(|bought| *bought == request).count();
        (bought > jobs.len())
            .then(|| format!("one request is bought {bought} times, which is one take of each of {jobs:?}"))
    }

    /// Money came back for a payment.
    pub fn came_back(&mut self, hash: &PaymentHash) {
        if let Some(request) = self.bought.remove(hash) {
            self.given_back.insert(*hash, request);
        }
    }

    /// Whether a purchase of that request was given back, or of another one that is known to be of that job's take: not of what is counted
    /// together with it.
    pub fn was_given_back(&self, job: &str, request: &Digest) -> bool {
        self.given_back.values().any(|back| back == request || self.is_told_apart(job, back))
    }

    /// A person has said that this payment was never made, where nobody could know.
    pub fn excuse(&mut self, hash: &PaymentHash) {
        self.bought.remove(hash);
    }

    fn together(&self, request: &Digest) -> BTreeSet<Digest> {
        let shared = self.shared.iter().find(|set| set.contains(request));
        shared.cloned().unwrap_or_else(|| BTreeSet::from([*request]))
    }
}
