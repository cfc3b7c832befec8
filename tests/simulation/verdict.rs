//! What the auditor finds when it opens the ledger at the end.

use std::collections::BTreeMap;

use l402_batch::l402::PaymentHash;
use l402_batch::ledger::sqlite::Books;
use l402_batch::ledger::{BatchKey, JobState, OpenStage, Reason, ReceiptRow, ResultRow};
use sha2::{Digest, Sha256};

use super::auditor::{Attempt, Fate};
use super::disk::Disk;
use super::life::Batch;
use super::node::short;
use super::world::World;

fn rows(books: &Books, batch: BatchKey) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    let read = books.results(batch, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.expect("the ledger can be read").expect("rows can be kept");
    rows
}

fn receipts(books: &Books, batch: BatchKey) -> Vec<ReceiptRow> {
    let mut rows = Vec::new();
    let read = books.receipts(batch, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.expect("the ledger can be read").expect("rows can be kept");
    rows
}

fn keys(batches: &[Batch]) -> impl Iterator<Item = BatchKey> {
    batches.iter().filter_map(|batch| batch.key)
}

/// Whether a job needs nothing more, or nothing but a person.
fn is_at_its_end(world: &World, row: &ResultRow) -> bool {
    match row.state {
        JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => true,
        JobState::Pending => matches!(row.reason, Reason::BatchLimit | Reason::DayLimit | Reason::None),
        JobState::InDoubt => is_for_a_person(world, row),
        JobState::Running | JobState::Paid | JobState::Failed => false,
    }
}

fn is_for_a_person(world: &World, row: &ResultRow) -> bool {
    // Which node answered last says which of the two reasons stands there.
    let told = matches!(row.reason, Reason::NodeForgot | Reason::OtherNode);
    row.state == JobState::InDoubt && told && world.auditor.borrow().node_forgot
}

/// Jobs that are not at their end, and payments that are not posted, in words.
pub fn unfinished(world: &World, disk: &Disk, batches: &[Batch]) -> Vec<String> {
    let books = disk.ledger.books();
    let mut open = Vec::new();
    for (batch, key) in batches.iter().filter_map(|batch| Some((batch, batch.key?))) {
        let rows = rows(&books, key);
        let stuck: Vec<_> =
            rows.iter().filter(|row| is_for_a_person(world, row)).map(|row| row.params.clone()).collect();
        let limited = rows.iter().any(|row| matches!(row.reason, Reason::BatchLimit | Reason::DayLimit));
        for row in &rows {
            // What stands behind the first job that a limit refused is not tried.
            let waits = row.state == JobState::Pending && row.reason == Reason::None && !limited;
            // A twin of what only a person can bring on waits with it.
            if row.state == JobState::Pending && stuck.contains(&row.params) {
                continue;
            }
            let of_day = row.reason == Reason::DayLimit && is_affordable(batch, row);
            if waits || of_day || !is_at_its_end(world, row) {
                open.push(format!("{} is {:?} {:?}: {:?}", row.id, row.state, row.reason, row.error));
            }
        }
    }
    for job in books.open_jobs(None).expect("the ledger can be read") {
        if let OpenStage::Unposted(purchase) = job.stage
            && !world.auditor.borrow().node_forgot
        {
            open.push(format!("the payment {} of {} is not posted", purchase.intent().hash(), job.id));
        }
    }
    open
}

/// Whether a day's limit leaves room for the job on a day of its own.
fn is_affordable(batch: &Batch, row: &ResultRow) -> bool {
    let ceiling = batch.plan.fee_ceiling();
    batch.settings.budget.day.is_some_and(|most| row.price.get() + ceiling.get() <= most.get())
}

/// How many jobs stand how.
pub fn ends(disk: &Disk, batches: &[Batch]) -> BTreeMap<(JobState, Reason), u64> {
    let books = disk.ledger.books();
    let mut ends = BTreeMap::new();
    for row in keys(batches).flat_map(|key| rows(&books, key)) {
        *ends.entry((row.state, row.reason)).or_default() += 1;
    }
    ends
}

/// Compares ledger, nodes and shop.
pub fn look(world: &World, disk: &Disk, batches: &[Batch]) {
    for open in unfinished(world, disk, batches) {
        world.violated(format!("no end: {open}"));
    }
    let books = disk.ledger.books();
    if let Err(error) = books.check_money(None) {
        world.violated(error.to_string());
    }
    let mut by_hash: BTreeMap<PaymentHash, ReceiptRow> = BTreeMap::new();
    for key in keys(batches) {
        for receipt in receipts(&books, key) {
            by_hash.insert(receipt.hash, receipt);
        }
    }
    let attempts = world.auditor.borrow().attempts().to_vec();
    for attempt in attempts.iter().filter(|attempt| attempt.is_settled()) {
        match by_hash.get(&attempt.hash) {
            Some(receipt) => compare(world, attempt, receipt),
            None => unreceipted(world, &books, attempt),
        }
    }
    for receipt in by_hash.values() {
        if !attempts.iter().any(|attempt| attempt.hash == receipt.hash && attempt.is_settled()) {
            world.violated(format!("the ledger has a receipt for {}, which no node paid", receipt.hash));
        }
    }
    sums(world, &books, batches, &attempts);
    losses(world, &books, batches, &by_hash);
}

fn compare(world: &World, attempt: &Attempt, receipt: &ReceiptRow) {
    let hash = attempt.hash;
    let preimage = data_encoding::HEXLOWER.decode(receipt.preimage.as_bytes()).unwrap_or_default();
    if <[u8; 32]>::from(Sha256::digest(preimage)) != hash.0 {
        world.violated(format!("the receipt of {hash} proves nothing"));
    }
    if receipt.amount != attempt.amount {
        world.violated(format!("the receipt of {hash} says {}, the node paid {}", receipt.amount, attempt.amount));
    }
    let forgot = world.auditor.borrow().node_forgot;
    match (attempt.fate, receipt.fee) {
        (Fate::Posted(fee), Some(told)) if fee == told => {}
        (Fate::Posted(_) | Fate::Out, None) if forgot => {}
        (fate, told) => {
            world.violated(format!("the fee of {hash} is {told:?} in the ledger, and the node says {fate:?}"))
        }
    }
}

/// A settlement without a receipt: only where a node has lost its record, and a person is told.
fn unreceipted(world: &World, books: &Books, attempt: &Attempt) {
    let doubted = books.open_jobs(None).expect("the ledger can be read").into_iter().any(|job| {
        let same = matches!(&job.stage, OpenStage::Intended(intent) if *intent.hash() == attempt.hash);
        same && job.state == JobState::InDoubt && matches!(job.reason, Reason::NodeForgot | Reason::OtherNode)
    });
    if !(doubted && world.auditor.borrow().node_forgot) {
        world.violated(format!("{} settled, and the ledger has no receipt of it", attempt.hash));
    }
}

fn sums(world: &World, books: &Books, batches: &[Batch], attempts: &[Attempt]) {
    let (mut spent, mut fees, mut held) = (0, 0, 0);
    for key in keys(batches) {
        let counts = books.counts(key).expect("the ledger can be read");
        spent += counts.spent.get();
        fees += counts.fees.get();
        held += counts.held.get();
    }
    let (mut paid, mut paid_fees) = (0, 0);
    for attempt in attempts {
        if let Fate::Posted(fee) = attempt.fate {
            paid += attempt.amount.get();
            paid_fees += fee.get();
        }
    }
    let forgot = world.auditor.borrow().node_forgot;
    let agree = if forgot {
        spent <= paid && fees <= paid_fees && spent + held >= paid
    } else {
        (spent, fees, held) == (paid, paid_fees, 0)
    };
    if !agree {
        world.violated(format!(
            "the ledger has {spent} spent, {fees} of fees, {held} held; the nodes have {paid} and {paid_fees}"
        ));
    }
}

/// What is paid and ended without a result must be the origin's own doing; and no delivered job is without its payment.
fn losses(world: &World, books: &Books, batches: &[Batch], receipts: &BTreeMap<PaymentHash, ReceiptRow>) {
    for key in keys(batches) {
        for row in rows(books, key) {
            let mut paid = receipts.values().filter(|receipt| receipt.id == row.id && receipt.take == row.take);
            match row.state {
                JobState::Delivered | JobState::Downloaded if paid.next().is_none() => {
                    world.violated(format!("{} is delivered and was never paid", row.id));
                }
                JobState::Lost | JobState::RefundOffered => {
                    let theirs = paid.any(|receipt| world.shop.borrow().may_be_lost(&receipt.hash));
                    if !theirs {
                        world.violated(format!(
                            "{} is {:?} ({:?}: {:?}), although the shop would deliver",
                            row.id, row.state, row.reason, row.error
                        ));
                    }
                }
                JobState::Pending | JobState::Refused | JobState::Failed => {
                    if let Some(receipt) = paid.next() {
                        world.violated(format!("{} is {:?} and paid by {}", row.id, row.state, short(&receipt.hash)));
                    }
                }
                JobState::Delivered
                | JobState::Downloaded
                | JobState::Running
                | JobState::InDoubt
                | JobState::Paid
                | JobState::Refunded => {}
            }
        }
    }
}
