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
    /// Requests for which one invoice was sold: a payment of it cannot be told apart.
    shared: Vec<BTreeSet<Digest>>,
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

    /// One invoice is sold for all of these.
    pub fn share(&mut self, requests: &[Digest]) {
        let mut united: BTreeSet<Digest> = requests.iter().copied().collect();
        let (touched, apart) = std::mem::take(&mut self.shared).into_iter().partition(|set| !set.is_disjoint(&united));
        self.shared = apart;
        let touched: Vec<BTreeSet<Digest>> = touched;
        united.extend(touched.into_iter().flatten());
        self.shared.push(united);
    }

    /// A payment has settled; says what is wrong with that.
    pub fn settled(&mut self, hash: PaymentHash, request: &Digest) -> Option<String> {
        self.bought.insert(hash, *request);
        let together = self.together(request);
        let bought = self.bought.values().filter(|bought| together.contains(*bought)).count();
        let meant: usize = together.iter().map(|request| self.meant.get(request).copied().unwrap_or(0)).sum();
        let words: Vec<&String> = together.iter().filter_map(|request| self.words.get(request)).flatten().collect();
        (bought > meant + words.len())
            .then(|| format!("one request is bought {bought} times; {meant} identical rows and these words: {words:?}"))
    }

    /// Money came back for a payment.
    pub fn came_back(&mut self, hash: &PaymentHash) {
        if let Some(request) = self.bought.remove(hash) {
            self.given_back.insert(*hash, request);
        }
    }

    /// How many purchases of a request were given back.
    pub fn given_back(&self, request: &Digest) -> usize {
        self.given_back.values().filter(|back| *back == request).count()
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
