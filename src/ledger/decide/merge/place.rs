//! Where a live payment of the other ledger stands.

use crate::ledger::decide::{PaymentState, Unfit};
use crate::ledger::{BatchKey, Doubled, JobKey, UNKNOWN_CONTENT};
use crate::purchase::JobState;

use super::write::MergeRuling;
use super::{JobName, MergeLookup, MergeWrite, Side};

/// The job for which it stands.
pub struct Placed {
    pub job: JobKey,
    /// How the job stood so far; none where it comes in with the payment.
    pub stood: Option<JobState>,
}

/// With its job, unless that was bought here by another payment, or served by another job's token. Then the second stands as a take of
/// its own, or, where it was for something else, as a job of its own.
pub fn place<L: MergeLookup>(
    lookup: &L,
    ruling: &mut MergeRuling,
    theirs: &Side,
    job: JobKey,
) -> Result<Placed, L::Error> {
    let takes = lookup.takes(job)?;
    let missing = || Unfit::Contradiction(format!("there is no job {}", job.0));
    let own = takes.iter().find(|take| take.job.key == job).ok_or_else(missing)?;
    if !own.is_bought() {
        return Ok(Placed { job, stood: Some(own.job.state) });
    }
    let JobName { batch, batch_name, id } = lookup.name(job)?;
    let latest = takes.last().unwrap_or(own);
    let is_another_purchase =
        own.content != theirs.content && ![own.content, theirs.content].contains(&UNKNOWN_CONTENT);
    let (second_id, placed, take) = if is_another_purchase {
        let free = free_id(lookup, batch, &id)?;
        let (placed, take) = take_of_its_own(lookup, ruling, theirs, (batch, &free, 0), false)?;
        (free, placed, take)
    } else if latest.job.key == job || latest.is_bought() {
        let (placed, take) = take_of_its_own(lookup, ruling, theirs, (batch, &id, latest.take), true)?;
        (id.clone(), placed, take)
    } else {
        // A take that was wanted once more, and not bought so far, has been bought by this.
        (id.clone(), Placed { job: latest.job.key, stood: Some(latest.job.state) }, latest.take)
    };
    let is_paid = |state: PaymentState| matches!(state, PaymentState::Paid | PaymentState::Posted);
    let both_paid = theirs.has_preimage() && own.payments.iter().any(|payment| is_paid(payment.state));
    let is_served = !own.has_live_payment();
    ruling.doubled = Some(Doubled { batch: batch_name, id, second_id, take, both_paid, is_served });
    Ok(placed)
}

/// An id that neither ledger has in that batch.
fn free_id<L: MergeLookup>(lookup: &L, batch: BatchKey, id: &str) -> Result<String, L::Error> {
    let mut free = format!("{id}-merged");
    while lookup.id(batch, &free)?.1 {
        free.push_str("-merged");
    }
    Ok(free)
}

/// A take after that one. Takes of the other ledger that are still to come keep their numbers.
fn take_of_its_own<L: MergeLookup>(
    lookup: &L,
    ruling: &mut MergeRuling,
    theirs: &Side,
    (batch, id, latest): (BatchKey, &str, u32),
    is_beside: bool,
) -> Result<(Placed, u32), L::Error> {
    let take = latest.max(lookup.id(batch, id)?.0).saturating_add(1);
    let (key, _) = lookup.next()?;
    ruling.writes.push(MergeWrite::Job { theirs: theirs.job.key, key, batch, id: id.to_owned(), take, is_beside });
    Ok((Placed { job: key, stood: None }, take))
}
