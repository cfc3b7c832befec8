//! What the auditor finds when it opens the ledger at the end.

use std::collections::{BTreeMap, BTreeSet};

use l402_batch::l402::PaymentHash;
use l402_batch::ledger::port::{Audit, Batches, Inspection, Records, Views};
use l402_batch::ledger::sqlite::SqliteLedger;
use l402_batch::ledger::{
    AuditRow, BatchKey, Caps, DurableIntent, OpenStage, ReceiptKind, ReceiptRow, RefundRow, RefundStanding, ResultRow,
    Standing,
};
use l402_batch::payer::Found;
use l402_batch::purchase::{JobState, Reason};
use sha2::{Digest, Sha256};

use super::auditor::{Attempt, Fate};
use super::coverage::Sight;
use super::disk::Disk;
use super::life::Batch;
use super::node::short;
use super::plan::{SAME, SEED, is_further_take, job_name};
use super::shop::Price;
use super::world::World;

pub fn rows(ledger: &SqliteLedger, batch: BatchKey) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    let read = ledger.latest_takes(batch, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.expect("the ledger can be read").expect("rows can be kept");
    rows
}

fn receipts(ledger: &SqliteLedger, batches: &[Batch]) -> BTreeMap<PaymentHash, ReceiptRow> {
    let mut by_hash = BTreeMap::new();
    for key in keys(batches) {
        let read = ledger.receipts(key, &mut |row| {
            if row.kind == ReceiptKind::Payment {
                by_hash.insert(row.hash, row);
            }
            Ok(())
        });
        read.expect("the ledger can be read").expect("rows can be kept");
    }
    by_hash
}

fn keys(batches: &[Batch]) -> impl Iterator<Item = BatchKey> {
    batches.iter().filter_map(|batch| batch.key)
}

/// A job that only a person can bring on.
pub struct Stuck {
    /// Its batch.
    pub at: usize,
    pub id: String,
    /// The node that was asked to pay.
    pub node: usize,
}

/// Jobs in doubt for ever: the node that was asked to pay has lost a part of its record, and does not know the payment
/// as paid or on its way, which it would only have to say.
pub fn stuck(world: &World, disk: &Disk, batches: &[Batch]) -> Vec<Stuck> {
    let open = disk.ledger.ledger().open_jobs(None).expect("the ledger can be read");
    let told = open
        .into_iter()
        .filter(|job| job.state == JobState::InDoubt)
        .filter(|job| matches!(job.reason, Reason::NodeForgot | Reason::OtherNode | Reason::NoWitness));
    told.filter_map(|job| {
        let OpenStage::Intended(intent) = &job.stage else { return None };
        let node = number_of(world, intent);
        world.saw_if(job.reason == Reason::NoWitness, Sight::NoWitness);
        // Another node may have been asked last.
        let history_check =
            disk.ledger.ledger().history_check(intent.node(), intent.payment()).expect("the ledger can be read");
        let untestable = job.reason == Reason::NoWitness || !history_check.is_earlier;
        let forgot = untestable || world.nodes_are_fresh || world.auditor.borrow().forgot_at[node].is_some();
        let at = batches.iter().position(|batch| batch.key == Some(job.batch))?;
        (forgot && is_lost_to(world, node, intent.hash())).then_some(Stuck { at, id: job.id, node })
    })
    .collect()
}

fn number_of(world: &World, intent: &DurableIntent) -> usize {
    usize::from(world.nodes[0].borrow().id != *intent.node())
}

/// Whether the node does not know the payment as paid or on its way.
fn is_lost_to(world: &World, node: usize, hash: &PaymentHash) -> bool {
    let found = world.nodes[node].borrow().found(hash);
    !matches!(found, Found::Settled(_) | Found::PreimageKnown(_) | Found::InFlight)
}

/// Jobs that are not at their end, and payments that are not posted, in words; those that wait for a person do not count
/// before one has decided.
pub fn unfinished(world: &World, disk: &Disk, batches: &[Batch], decided: bool) -> Vec<String> {
    let stuck = if decided { Vec::new() } else { stuck(world, disk, batches) };
    let ledger = disk.ledger.ledger();
    let mut open = Vec::new();
    let is_stuck = |at: usize, row: &ResultRow| stuck.iter().any(|stuck| stuck.at == at && stuck.id == row.id);
    let mut stuck_params = Vec::new();
    for (at, key) in batches.iter().enumerate().filter_map(|(at, batch)| Some((at, batch.key?))) {
        let stuck = rows(&ledger, key).into_iter().filter(|row| is_stuck(at, row));
        stuck_params.extend(stuck.map(|row| row.params));
    }
    let all = keys(batches).flat_map(|key| rows(&ledger, key));
    let is_unread = |row: &ResultRow| (row.state, row.reason) == (JobState::Paid, Reason::UnknownAnswer);
    let unread: BTreeSet<String> = all.filter(is_unread).map(|row| row.endpoint).collect();
    for (at, batch) in batches.iter().enumerate() {
        let Some(key) = batch.key else { continue };
        let rows = rows(&ledger, key);
        let limited = rows.iter().any(|row| is_limit(row.reason) && row.state == JobState::Pending);
        for row in rows.iter().filter(|row| !is_stuck(at, row)) {
            // An identical request of what only a person can bring on waits with it; as that was sent, whatever it would send by now.
            let named = |stuck: &Stuck| row.error.as_ref().is_some_and(|words| words.starts_with(&stuck.id));
            let is_of_twin = stuck_params.contains(&row.params)
                || (row.reason == Reason::IdenticalRequest && stuck.iter().any(named));
            let waits_with_twin = row.state == JobState::Pending && is_of_twin;
            let waits_with_all = row.state == JobState::Pending && is_held_back(row.reason) && !stuck.is_empty();
            if !waits_with_twin && !waits_with_all && !is_at_its_end(&ledger, batch, row, limited, &unread) {
                open.push(format!("{} is {:?} {:?}: {:?}", row.id, row.state, row.reason, row.error));
            }
        }
    }
    for refund in ledger.refunds(None).expect("the ledger can be read") {
        if refund.standing == RefundStanding::Invoiced {
            open.push(format!("the refund of {} can still come: {:?}", refund.id, refund.words));
        }
    }
    for job in ledger.open_jobs(None).expect("the ledger can be read") {
        if let OpenStage::Unposted(purchase) = job.stage
            && !(world.auditor.borrow().is_forgotten(purchase.intent().hash())
                && is_lost_to(world, number_of(world, purchase.intent()), purchase.intent().hash()))
        {
            open.push(format!("the payment {} of {} is not posted", purchase.intent().hash(), job.id));
        }
    }
    open
}

/// Delivered jobs without their file; but for those whose address did not serve it.
pub fn unfetched(world: &World, disk: &Disk, batches: &[Batch]) -> Vec<String> {
    let ledger = disk.ledger.ledger();
    let mut open = Vec::new();
    for row in keys(batches).flat_map(|key| rows(&ledger, key)).filter(|row| row.state == JobState::Delivered) {
        let served = row.url.as_ref().and_then(|url| world.files.served.borrow().get(url).copied()).unwrap_or_default();
        let is_theirs = match row.reason {
            Reason::UrlGone => served.missed,
            // That the manifest has changed says more than that the address serves nothing.
            Reason::Changed => served.gone,
            _ => false,
        };
        if !is_theirs {
            open.push(format!("the file of {} is not here: {:?} {:?}", row.id, row.reason, row.error));
        }
    }
    open
}

/// Whether a purchase is over, so that a word may replace it.
pub const fn has_ended_as_purchase(state: JobState) -> bool {
    matches!(state, JobState::Delivered | JobState::Downloaded | JobState::Lost | JobState::Refunded)
}

/// Whether purchases have to wait for others to come to their end, in this batch or another.
const fn is_held_back(reason: Reason) -> bool {
    matches!(reason, Reason::DoubtLimit | Reason::AwaitingDelivery | Reason::AwaitingToken | Reason::BreakerOpen)
}

const fn is_limit(reason: Reason) -> bool {
    matches!(reason, Reason::BatchLimit | Reason::DayLimit | Reason::MonthLimit)
}

/// Whether a job needs nothing more. A job that a limit keeps back must really not fit into it; what stands behind it in
/// the manifest is not tried.
fn is_at_its_end(
    ledger: &SqliteLedger,
    batch: &Batch,
    row: &ResultRow,
    limited: bool,
    unread: &BTreeSet<String>,
) -> bool {
    let most = row.price.get() + batch.plan.fee_ceiling().get();
    let budget = &batch.settings.budget;
    match row.state {
        JobState::Delivered | JobState::Downloaded | JobState::Refused | JobState::Refunded | JobState::Lost => true,
        // Answered in a shape that only a person may understand.
        JobState::Paid => row.reason == Reason::UnknownAnswer,
        JobState::RefundOffered => matches!(row.reason, Reason::RefundFailed | Reason::RefundExpired),
        JobState::Pending => match row.reason {
            Reason::None => limited,
            // What bought the token is a person's.
            Reason::AwaitingToken => unread.contains(&row.endpoint),
            Reason::BatchLimit => budget.batch.is_some_and(|limit| {
                let counts = batch.key.map(|key| ledger.counts(key).expect("the ledger can be read"));
                let used = counts.map_or(0, |counts| {
                    counts.spent.get() + counts.fees.get() + counts.held.get() - counts.refunded.get()
                });
                used + most > limit.get()
            }),
            // On a day of its own it must fit.
            Reason::DayLimit => budget.day.is_some_and(|limit| most > limit.get()),
            Reason::MonthLimit => budget.month.is_some_and(|limit| most > limit.get()),
            // What stands before it at the same endpoint may be the one that does not fit.
            Reason::OriginDayLimit | Reason::OriginMonthLimit | Reason::NewOriginLimit => {
                is_beyond_origin(ledger, batch, row)
            }
            _ => false,
        },
        JobState::Running | JobState::InDoubt | JobState::Failed => false,
    }
}

/// Whether a job that waits at the endpoint of this one can never fit into that limit of its origin.
fn is_beyond_origin(ledger: &SqliteLedger, batch: &Batch, row: &ResultRow) -> bool {
    let budget = &batch.settings.budget;
    let waiting = batch.key.map(|key| rows(ledger, key)).unwrap_or_default();
    let there = waiting.iter().filter(|other| other.state == JobState::Pending && other.endpoint == row.endpoint);
    let most = there.map(|row| row.price.get() + batch.plan.fee_ceiling().get()).max().unwrap_or_default();
    let origin = batch.plan.origin_of(&row.endpoint);
    let of = budget.origin(&origin);
    match row.reason {
        Reason::OriginDayLimit => of.day.is_some_and(|limit| most > limit.get()),
        Reason::OriginMonthLimit => of.month.is_some_and(|limit| most > limit.get()),
        _ => {
            let caps = Caps { origin: of, ..Caps::default() };
            let used = ledger.origin_used(&origin, &caps).expect("the ledger can be read").new;
            used.zip(of.new).is_some_and(|(used, limit)| used.get() + most > limit.get())
        }
    }
}

/// How many jobs stand how.
pub fn ends(disk: &Disk, batches: &[Batch]) -> BTreeMap<(JobState, Reason), u64> {
    let ledger = disk.ledger.ledger();
    let mut ends = BTreeMap::new();
    for row in keys(batches).flat_map(|key| rows(&ledger, key)) {
        *ends.entry((row.state, row.reason)).or_default() += 1;
    }
    ends
}

/// Compares ledger, nodes and shop: each payment of the ledger with what really happened, and each settlement with the
/// ledger. That the ledger's sums are those of its payments, it says itself; so its sums are the nodes', to the msat.
pub fn look(world: &World, disk: &Disk, batches: &[Batch]) {
    let ledger = disk.ledger.ledger();
    if let Err(error) = ledger.check_money(None) {
        world.violated(error.to_string());
    }
    let attempts = world.auditor.borrow().attempts().to_vec();
    let receipts = receipts(&ledger, batches);
    let mut in_ledger = BTreeMap::new();
    for node in 0..world.nodes.len() {
        let id = world.nodes[node].borrow().id.clone();
        for row in ledger.payments_at(&id).expect("the ledger can be read") {
            compare(world, node, &row, attempts.iter().find(|one| one.hash == row.hash && one.is_settled()));
            in_ledger.insert(row.hash, row);
        }
    }
    for attempt in attempts.iter().filter(|attempt| attempt.is_settled()) {
        match receipts.get(&attempt.hash) {
            Some(receipt) => prove(world, attempt, receipt),
            None => unreceipted(world, attempt),
        }
        price(world, attempt, receipts.get(&attempt.hash), batches);
        if !in_ledger.contains_key(&attempt.hash) {
            world.violated(format!("{} settled, and the ledger does not know it", attempt.hash));
        }
    }
    for hash in receipts.keys() {
        if !attempts.iter().any(|attempt| attempt.hash == *hash && attempt.is_settled()) {
            world.violated(format!("the ledger has a receipt for {hash}, which no node paid"));
        }
    }
    losses(world, &ledger, batches, &receipts);
    takes(world, &ledger, batches);
    retried(world, &ledger, batches, &receipts);
    refunds(world, &ledger);
    results(world, &ledger, batches);
    files(world, &ledger, batches);
}

/// What the ledger says came back is what the node has received, to the msat, and the other way round; what did not come,
/// the shop has kept.
fn refunds(world: &World, ledger: &SqliteLedger) {
    let bank = world.bank.borrow();
    let refunds = ledger.refunds(None).expect("the ledger can be read");
    for refund in &refunds {
        let came = refund.invoice.as_ref().and_then(|invoice| bank.received(&invoice.hash));
        if came != refund.received {
            world.violated(format!("{}: {:?} came back, the ledger says {:?}", refund.id, came, refund.received));
        }
        let withheld = bank.withholds(&refund.payment_hash) || refund.reason == Reason::Decided;
        if refund.standing != RefundStanding::Settled && !withheld {
            world.violated(format!("the refund of {} did not come, although the shop would pay it", refund.id));
        }
    }
    for (hash, received) in bank.all_received() {
        let known = |refund: &RefundRow| refund.invoice.as_ref().is_some_and(|invoice| invoice.hash == hash);
        if !refunds.iter().any(known) {
            world.violated(format!("{received} came back for {hash}, which the ledger does not know"));
        }
    }
}

/// A payment of the ledger, and the settlement of its hash if there was one.
fn compare(world: &World, node: usize, row: &AuditRow, settled: Option<&Attempt>) {
    let hash = row.hash;
    let auditor = world.auditor.borrow();
    let agrees = match (row.standing, settled.map(|attempt| attempt.fate)) {
        (Standing::Posted, Some(Fate::Posted(fee))) => row.fee == Some(fee),
        // Paid by its preimage; the node has lost the record that would say for what fee.
        (Standing::Paid, Some(Fate::Posted(_))) => is_lost_to(world, node, &hash),
        // The same; or it knows the preimage, and its last parts have not come back yet.
        (Standing::Paid, Some(Fate::Out)) => {
            let found = world.nodes[node].borrow().found(&hash);
            !matches!(found, Found::Settled(_) | Found::InFlight)
        }
        // A person has given it up: what was held stays held, whether or not it settled.
        (Standing::Open, _) => auditor.is_abandoned(&hash),
        (Standing::Dead, None) => true,
        (Standing::Dead, Some(_)) => auditor.is_excused(&hash),
        (Standing::Posted | Standing::Paid, _) => false,
    };
    let amounts = settled.is_none_or(|attempt| attempt.amount == row.amount && attempt.node == node);
    drop(auditor);
    if !agrees || !amounts {
        world.violated(format!("{hash} is {:?} in the ledger, fee {:?}; really {settled:?}", row.standing, row.fee));
    }
}

fn prove(world: &World, attempt: &Attempt, receipt: &ReceiptRow) {
    let hash = attempt.hash;
    let preimage = data_encoding::HEXLOWER.decode(receipt.preimage.as_bytes()).unwrap_or_default();
    if <[u8; 32]>::from(Sha256::digest(preimage)) != hash.0 {
        world.violated(format!("the receipt of {hash} proves nothing"));
    }
    if receipt.amount != attempt.amount {
        world.violated(format!("the receipt of {hash} says {}, the node paid {}", receipt.amount, attempt.amount));
    }
    if world.shop.borrow().invoice_of(&hash) != Some(receipt.invoice.as_str()) {
        world.violated(format!("the receipt of {hash} names another invoice"));
    }
}

/// Nothing costs more than the plan says, or its cap; nor less, where the price has to be exact. A cap never has to be.
fn price(world: &World, attempt: &Attempt, receipt: Option<&ReceiptRow>, batches: &[Batch]) {
    let planned = world.shop.borrow().planned(&attempt.hash);
    let Some(most) = planned.iter().map(|price| price.most).max() else { return };
    let is_exact =
        |receipt: &ReceiptRow| batches.iter().any(|batch| batch.name == receipt.batch && batch.settings.exact_price);
    let is_of = |price: &Price| price.most == attempt.amount || (price.is_cap && attempt.amount < price.most);
    let is_planned = planned.iter().any(is_of);
    world.saw_if(!is_planned && attempt.amount < most, Sight::BoughtCheaper);
    world.saw_if(
        is_planned && planned.iter().all(|price| price.is_cap && attempt.amount < price.most),
        Sight::BoughtBelowCap,
    );
    if attempt.amount > most || (!is_planned && receipt.is_some_and(is_exact)) {
        world.violated(format!("{} settled for {}, and the plan says {most}", attempt.hash, attempt.amount));
    }
}

/// A settlement without a receipt: only where a person has said of that payment what nobody could know.
fn unreceipted(world: &World, attempt: &Attempt) {
    let auditor = world.auditor.borrow();
    let of_a_person = auditor.is_excused(&attempt.hash) || auditor.is_abandoned(&attempt.hash);
    drop(auditor);
    if !of_a_person {
        world.violated(format!("{} settled, and the ledger has no receipt of it", attempt.hash));
    }
}

/// What became of a row in worlds where several takes of a job are planned.
fn see_planned_take(world: &World, row: &ResultRow) {
    let has_number = row.params.iter().any(|(name, _)| name == SEED);
    let (is_here, is_further) = (row.state.is_delivered(), is_further_take(&row.id));
    world.saw_if(is_here && is_further && !has_number, Sight::FurtherTakeBought);
    world.saw_if(is_here && is_further && has_number, Sight::MovedTakeBought);
    world.saw_if(is_here && is_further && has_number && row.take > 1, Sight::MovedTakeBoughtAgain);
    world.saw_if(is_further && row.reason == Reason::Duplicate, Sight::FurtherTakeLeftOut);
    world.saw_if(is_here && row.id.ends_with(SAME), Sight::SameAsTakeBought);
}

/// Each word that was accepted has its take, and there is no other.
fn takes(world: &World, ledger: &SqliteLedger, batches: &[Batch]) {
    for (name, key) in batches.iter().filter_map(|batch| Some((&batch.name, batch.key?))) {
        for row in rows(ledger, key) {
            see_planned_take(world, &row);
            let accepted = world.auditor.borrow().accepted_of(&job_name(name, &row.id));
            // A ledger that was restored has forgotten words that nobody has carried out.
            let forgot = world.auditor.borrow().ledgers > 0 && (row.take as usize) < 1 + accepted;
            // What settles although a person had taken it as never made stands as a take of its own.
            let revived = world.auditor.borrow().decided_of(&job_name(name, &row.id));
            let set_aside = world.auditor.borrow().set_aside_of(&job_name(name, &row.id));
            let fits = (1 + accepted.saturating_sub(set_aside)..=1 + accepted + revived).contains(&(row.take as usize));
            if !fits && !forgot {
                world.violated(format!("{} has {} takes; {accepted} words for it were accepted", row.id, row.take));
            }
        }
    }
}

/// What a person had asked for again once nothing went wrong any more, and what the shop would give, is here.
fn retried(world: &World, ledger: &SqliteLedger, batches: &[Batch], receipts: &BTreeMap<PaymentHash, ReceiptRow>) {
    let auditor = world.auditor.borrow();
    let mut broken = Vec::new();
    for hash in auditor.redeems.retried_calmly.iter().filter(|hash| world.shop.borrow().delivers_at_last(hash)) {
        let Some(receipt) = receipts.get(hash) else { continue };
        let key = batches.iter().find(|batch| batch.name == receipt.batch).and_then(|batch| batch.key);
        let takes = key.map(|key| ledger.takes(key, &receipt.id).expect("the ledger can be read")).unwrap_or_default();
        let take = takes.iter().find(|take| take.row.take == receipt.take);
        if !take.is_some_and(|take| matches!(take.row.state, JobState::Delivered | JobState::Downloaded)) {
            let stands = take.map(|take| (take.row.state, take.row.reason));
            broken.push(format!("{} is {stands:?} although it was asked for again, and the shop delivers", receipt.id));
        }
        world.saw(Sight::RetryDelivered);
    }
    drop(auditor);
    broken.into_iter().for_each(|broken| world.violated(broken));
}

/// No two purchases of one request have one result; but for what a person took as one.
fn results(world: &World, ledger: &SqliteLedger, batches: &[Batch]) {
    let mut by_url = BTreeMap::new();
    for row in not_taken(world, ledger, batches) {
        let Some(url) = row.url else { continue };
        let (take, same) = (format!("{} take {}", row.id, row.take), (row.endpoint, format!("{:?}", row.params)));
        if let Some((other, theirs)) = by_url.insert(url.clone(), (take.clone(), same.clone()))
            && theirs == same
        {
            world.violated(format!("{other} and {take} have one result, {url}"));
        }
    }
}

/// The latest takes but those of which a person took an answer for the result.
fn not_taken(world: &World, ledger: &SqliteLedger, batches: &[Batch]) -> Vec<ResultRow> {
    let of = batches.iter().filter_map(|batch| Some((&batch.name, rows(ledger, batch.key?))));
    let auditor = world.auditor.borrow();
    let is_taken = |name: &str, row: &ResultRow| auditor.is_taken(&job_name(name, &row.id), row.take);
    of.flat_map(|(name, rows)| rows.into_iter().filter(|row| !is_taken(name, row)).collect::<Vec<_>>()).collect()
}

/// Each file holds what its own job's address served: no identical request's result, no earlier take's. What was given back has
/// none.
fn files(world: &World, ledger: &SqliteLedger, batches: &[Batch]) {
    for key in keys(batches) {
        let (rows, refunds) = (rows(ledger, key), ledger.refunds(Some(key)).expect("the ledger can be read"));
        let came_back = |id: &str| refunds.iter().find(|refund| refund.id == id && refund.received.is_some());
        let has_files = rows.iter().any(|row| row.state == JobState::Downloaded);
        world.saw_if(has_files && rows.iter().any(|row| row.state == JobState::Refunded), Sight::RefundedBesideFiles);
        for row in &rows {
            let Some(sha256) = row.sha256.as_deref() else { continue };
            let url = row.url.as_deref().unwrap_or_default();
            // An answer that a person took: that it is whole, the folder itself says.
            if url.starts_with("data:") {
                continue;
            }
            let newest = world.files.served.borrow().get(url).map_or(0, |served| served.version);
            let is_its = |version| data_encoding::HEXLOWER.encode(&Sha256::digest(world.files.content(url, version)));
            if row.state != JobState::Downloaded || !(0..=newest).any(|version| is_its(version) == sha256) {
                world.violated(format!("the file of {} is not what {url} served", row.id));
            }
            let anew = came_back(&row.id).is_some_and(|refund| refund.take < row.take);
            world.saw_if(anew, Sight::DownloadedAfterRefund);
        }
    }
}

/// What is paid and ended without a result must be the origin's own doing or a person's; and no delivered job is without
/// its payment.
fn losses(world: &World, ledger: &SqliteLedger, batches: &[Batch], receipts: &BTreeMap<PaymentHash, ReceiptRow>) {
    for (name, key) in batches.iter().filter_map(|batch| Some((&batch.name, batch.key?))) {
        for row in rows(ledger, key) {
            let its = |receipt: &&ReceiptRow| (&receipt.batch, &receipt.id, receipt.take) == (name, &row.id, row.take);
            let mut paid = receipts.values().filter(its);
            match row.state {
                JobState::Delivered | JobState::Downloaded
                    if paid.next().is_none()
                        && !world.shop.borrow().has_served(row.url.as_deref().unwrap_or_default()) =>
                {
                    world.violated(format!("{} is delivered and was never paid", row.id));
                }
                JobState::Lost | JobState::RefundOffered | JobState::Refunded if row.reason != Reason::Decided => {
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
                | JobState::Lost
                | JobState::RefundOffered
                | JobState::Refunded => {}
            }
        }
    }
}
