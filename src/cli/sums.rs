//! What groups of a batch's jobs have come to, by a column.

use std::collections::HashMap;

use crate::error::Hinted;
use crate::event::{SpentBy, SpentGroup};
use crate::ledger::port::{Inspection, Views};
use crate::ledger::{BatchKey, OpenLedger, ReceiptKind, ReceiptRow, ResultRow, TakeRecord};
use crate::money::Msat;
use crate::plan::column::{Column, Groups, NoSums};
use crate::purchase::{JobState, Reason};

use crate::cli::{CommandError, Failure};

/// What the jobs of the batch have come to by that column: each job with all its takes, in the group of the latest one.
pub(in crate::cli) fn of_batch(ledger: &OpenLedger, batch: BatchKey, by: &Column) -> Result<SpentBy, Failure> {
    let mut groups: Groups<'_, SpentGroup> = Groups::by(by);
    let mut of_job: HashMap<String, usize> = HashMap::new();
    let mut retaken: Vec<(String, usize)> = Vec::new();
    let mut wrong: Option<Failure> = None;
    let mut take = |row: ResultRow| -> Result<(), Failure> {
        let job = (row.endpoint.as_str(), row.params.as_slice(), row.extra.as_slice());
        let (at, group) = groups.of(job).map_err(|no| refused(&no))?;
        count(group, &row).ok_or_else(too_large)?;
        retaken.extend((row.take > 1).then(|| (row.id.clone(), at)));
        of_job.insert(row.id, at);
        Ok(())
    };
    let read = ledger.latest_takes(batch, &mut |row| {
        take(row).map_err(|failure| {
            wrong = Some(failure);
            std::io::Error::other("jobs are not summed so")
        })
    })?;
    if let Some(failure) = wrong {
        return Err(failure);
    }
    read.map_err(|error| CommandError::internal("the jobs of the batch cannot be summed").because(error))?;
    let mut fits = Some(());
    for (id, at) in retaken {
        fits = fits.and(count_before(groups.at(at), &ledger.takes(batch, &id)?));
    }
    let mut settle = |receipt: ReceiptRow| {
        if let Some(at) = of_job.get(&receipt.id) {
            fits = fits.and(settled(groups.at(*at), &receipt));
        }
        Ok(())
    };
    ledger.receipts(batch, &mut settle)?.map_err(|error| CommandError::internal("receipts").because(error))?;
    for (id, payment) in ledger.open_payments(batch)? {
        if let Some(at) = of_job.get(&id) {
            let group = groups.at(*at);
            fits = fits.and(group.held_msat.checked_add(payment.held).map(|held| group.held_msat = held));
        }
    }
    fits.ok_or_else(too_large)?;
    let groups = groups.finish().map_err(|no| refused(&no))?;
    let groups = groups.into_iter().map(|(value, group)| SpentGroup { value, ..group }).collect();
    Ok(SpentBy { by: by.name().to_owned(), groups })
}

/// That jobs are not summed so.
pub(in crate::cli) fn refused(no: &NoSums) -> CommandError {
    let hint = no.hint().map(String::from).unwrap_or_default();
    CommandError::usage(format!("--sum-by {no}")).hint(hint)
}

fn too_large() -> CommandError {
    CommandError::internal("amounts add up to more money than there can be")
}

/// One job more. What is withdrawn is planned no more, and so it is for the batch as a whole.
fn count(group: &mut SpentGroup, row: &ResultRow) -> Option<()> {
    if row.reason == Reason::Withdrawn {
        return Some(());
    }
    group.job_count = group.job_count.checked_add(1)?;
    group.delivered_count += u64::from(is_delivered(row));
    group.open_count += u64::from(row.state.is_open());
    group.planned_msat = group.planned_msat.checked_add(row.price)?;
    Some(())
}

const fn is_delivered(row: &ResultRow) -> bool {
    matches!(row.state, JobState::Delivered | JobState::Downloaded)
}

/// The takes of a job before its latest one: each was planned once, and stands for the job again where that one is withdrawn.
fn count_before(group: &mut SpentGroup, takes: &[TakeRecord]) -> Option<()> {
    let Some((latest, before)) = takes.split_last() else { return Some(()) };
    let planned = Msat::checked_sum(before.iter().map(|take| take.row.price))?;
    group.planned_msat = group.planned_msat.checked_add(planned)?;
    if latest.row.reason == Reason::Withdrawn && before.iter().any(|take| is_delivered(&take.row)) {
        group.job_count = group.job_count.checked_add(1)?;
        group.delivered_count += 1;
    }
    Some(())
}

fn settled(group: &mut SpentGroup, receipt: &ReceiptRow) -> Option<()> {
    match receipt.kind {
        ReceiptKind::Payment => {
            group.spent_msat = group.spent_msat.checked_add(receipt.amount)?;
            group.fees_msat = group.fees_msat.checked_add(receipt.fee.unwrap_or(Msat::ZERO))?;
        }
        ReceiptKind::Refund => group.refunded_msat = group.refunded_msat.checked_add(receipt.amount)?,
    }
    Some(())
}
