//! Who a plan's jobs are: their content hashes, ids and the fingerprint. Hashing costs as much as reading, so that it is
//! done by a thread of its own, batch by batch, in the manifest's order.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use sha2::{Digest, Sha256};

use super::ContentHash;
use super::fingerprint::Fingerprint;
use super::identity::{self, MadeKey};
use super::ids::GivenIds;
use super::same::{At, Contents};
use crate::money::Msat;

/// A batch is handed over when it holds as many bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// Contents are put into a batch when there are as many bytes of them: fewer than the nearest cache of a processor holds.
const STAGED_BYTES: usize = 16 * 1024;
/// Most batches that wait; then reading waits too.
const BATCHES_MAX: usize = 4;

/// Jobs on their way to the register.
pub(super) struct Batch {
    contents: Vec<u8>,
    ids: String,
    jobs: Vec<Entry>,
}

impl Batch {
    fn new() -> Self {
        // Few batches need more; the last content may be a long one.
        let contents = Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 4);
        Self { contents, ids: String::with_capacity(BATCH_BYTES / 16), jobs: Vec::with_capacity(BATCH_BYTES / 128) }
    }
}

struct Entry {
    /// Where its content ends among the batch's.
    content_end: usize,
    /// Where what tells its request ends, which begins there; the next content begins here. The same where its content tells that.
    sent_end: usize,
    /// The same for its id; a job without one has an empty one.
    id_end: usize,
    line: u32,
    price: Msat,
    /// The price is the most that it may be.
    is_cap: bool,
    /// Which planned take of its job it is: one after the first asks for the same, and is meant.
    take: u32,
}

/// Fills batches and hands them over.
pub(super) struct Batches {
    batch: Batch,
    /// The latest contents, on their way to the batch: its memory was last read by the other processor, and small pieces are far
    /// slower to write there than large ones.
    staged: Vec<u8>,
    /// Where the content of the job at hand ends among them.
    content_end: usize,
    to: SyncSender<Batch>,
}

impl Batches {
    /// Where the next job's content is to be put, before [`Self::add`].
    pub(super) fn content(&mut self) -> &mut Vec<u8> {
        &mut self.staged
    }

    /// Where what tells its request is to be put behind that, if its content does not.
    pub(super) fn sent(&mut self) -> &mut Vec<u8> {
        self.content_end = self.staged.len();
        &mut self.staged
    }

    /// Adds the job of which all was put; `take`: which planned take of its job it is.
    pub(super) fn add(&mut self, (id, line, take): (Option<&str>, u32, u32), (price, is_cap): (Msat, bool)) {
        let Batch { contents, ids, jobs } = &mut self.batch;
        ids.push_str(id.unwrap_or_default());
        let (before, id_end) = (contents.len(), ids.len());
        let (content_end, sent_end) = (before + self.content_end, before + self.staged.len());
        jobs.push(Entry { content_end, sent_end, id_end, line, price, is_cap, take });
        if self.staged.len() >= STAGED_BYTES {
            contents.extend_from_slice(&self.staged);
            self.staged.clear();
            if contents.len() >= BATCH_BYTES {
                self.flush();
            }
        }
    }

    /// Hands over what is left.
    pub(super) fn flush(&mut self) {
        self.batch.contents.append(&mut self.staged);
        // Nobody receives only after a panic there, which `beside` passes on.
        let _ = self.to.send(std::mem::replace(&mut self.batch, Batch::new()));
    }
}

/// What tells the jobs of a plan apart.
#[derive(Default)]
pub(super) struct Register {
    pub(super) given: GivenIds,
    pub(super) contents: Contents,
    pub(super) fingerprint: Fingerprint,
    /// Over the contents in the order of the rows, which the fingerprint leaves out.
    pub(super) in_order: Sha256,
}

impl Register {
    /// Takes a batch in: all its hashes first, then all its numbers, so that no look into the large table waits for the one
    /// before it.
    fn take(&mut self, batch: &Batch) {
        let starts = std::iter::once(0).chain(batch.jobs.iter().map(|job| job.sent_end));
        let hashes = batch.jobs.iter().zip(starts).map(|(job, start)| {
            let (content, sent) = batch.contents[start..job.sent_end].split_at(job.content_end - start);
            (identity::hash(content), (!sent.is_empty() && sent != content).then(|| identity::hash(sent)))
        });
        let (contents, sent): (Vec<ContentHash>, Vec<Option<ContentHash>>) = hashes.unzip();
        let id_starts = std::iter::once(0).chain(batch.jobs.iter().map(|job| job.id_end));
        let jobs = batch.jobs.iter().zip(&contents).zip(id_starts);
        let jobs = jobs.map(|((job, content), start)| (job, content, &batch.ids[start..job.id_end]));
        let number = |((job, content, given), sent): ((&Entry, &ContentHash, &str), &Option<ContentHash>)| {
            let at = At { line: job.line, take: job.take };
            if given.is_empty() {
                return self.contents.add_made(content, sent.as_ref(), at);
            }
            self.contents.add_given(content, sent.as_ref(), at);
            0
        };
        let numbers: Vec<u32> = jobs.clone().zip(&sent).map(number).collect();
        contents.iter().for_each(|content| self.in_order.update(content.0));
        let mut made = String::new();
        for ((job, content, given), number) in jobs.zip(numbers) {
            if given.is_empty() {
                made.clear();
                MadeKey::of(content).put_id(&mut made, number);
                self.fingerprint.add(&made, content, job.price, job.is_cap);
            } else {
                self.given.add(given, job.line);
                self.fingerprint.add(given, content, job.price, job.is_cap);
            }
        }
    }

    /// Sorts what jobs are compared by, once all are there: ids beside contents, as of a million jobs each takes long.
    pub(super) fn sort(&mut self) {
        let Self { given, contents, .. } = self;
        thread::scope(|scope| {
            // Without a thread to be had, ids are sorted when they are asked for.
            let _ = thread::Builder::new().spawn_scoped(scope, || given.has_alike());
            contents.sort();
        });
    }

    fn take_all(batches: &Receiver<Batch>) -> Self {
        let mut register = Self::default();
        for batch in batches {
            register.take(&batch);
        }
        register
    }
}

/// Runs `read`, which fills batches, with a register that takes them in beside it.
///
/// # Errors
/// Where no thread can be started.
pub(super) fn beside<T>(read: impl FnOnce(&mut Batches) -> T) -> std::io::Result<(T, Register)> {
    let (to, from) = sync_channel(BATCHES_MAX);
    thread::scope(|scope| {
        let register = thread::Builder::new()
            .name("register".to_owned())
            .spawn_scoped(scope, move || Register::take_all(&from))?;
        let mut batches = Batches { batch: Batch::new(), staged: Vec::new(), content_end: 0, to };
        let read = read(&mut batches);
        batches.flush();
        drop(batches);
        let register = register.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((read, register))
    })
}
