//! Whether the purchase that the ledger has under a name is the one that is wanted now: the words may be the same, and a picture, a
//! catalogue or a default behind them another.

use data_encoding::HEXLOWER;

use crate::cli::{CommandError, Failure};
use crate::command::{about_batch, command};
use crate::ledger::port::{Batches, Inspection};
use crate::ledger::{LedgerAddress, OpenMode, ResultRow};
use crate::manifest::image;
use crate::plan::{PlannedJob, content_hash};
use crate::purchase::Request;

/// Refuses where it is another one.
pub(super) fn check_same(ledger: &LedgerAddress, row: &ResultRow, job: &PlannedJob) -> Result<(), Failure> {
    let wanted = Request::build(&job.endpoint, &job.params, image::read)
        .map_err(|problem| CommandError::usage("it cannot be asked for as it was").because(problem))?;
    let ledger = crate::ledger::open(ledger, OpenMode::Read)?;
    let takes = ledger.batch(&row.id)?.map(|batch| ledger.takes(batch.key, &row.id)).transpose()?.unwrap_or_default();
    let take = takes.into_iter().find(|take| take.row.take == row.take);
    let payment = take.and_then(|mut take| take.payments.pop());
    let is_asked_alike = payment.is_none_or(|payment| {
        (payment.method, payment.url.as_str()) == (wanted.method, wanted.url.as_str())
            && payment.body_sha256 == HEXLOWER.encode(&wanted.body().sha256())
    });
    if is_asked_alike && content_hash(&row.endpoint, &row.params) == job.content {
        return Ok(());
    }
    let message = "these words have bought something else, or have begun to: a picture, an endpoint, a default or the order in a body has \
                   changed since; nothing new was paid";
    let shown = command(&about_batch("status", &row.id));
    let hint = format!("{shown} shows what was bought; what the words ask for now is bought by a manifest and `run`");
    Err(CommandError::not_as_planned(message).hint(hint).into())
}
