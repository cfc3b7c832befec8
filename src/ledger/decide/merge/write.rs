//! What a merge decides and writes of a payment that the other ledger has. `theirs` are keys of that ledger, all others of this one.

use crate::ledger::decide::Write;
use crate::ledger::{BatchKey, Doubled, JobKey, PaymentKey};

/// What is decided of a payment that the other ledger has.
#[derive(Default)]
pub struct MergeRuling {
    pub writes: Vec<MergeWrite>,
    /// It was here, and stands otherwise now.
    pub is_changed: bool,
    /// Its job was bought here by another payment.
    pub doubled: Option<Doubled>,
}

/// One thing to write. A store carries them out in their order, and decides nothing.
#[derive(Clone)]
pub enum MergeWrite {
    /// As a record writes it.
    Row(Write<'static>),
    /// Their job comes in as a take that stands under that id and number. Unless it stands beside one of the same job, no row of the
    /// manifest asks for it.
    Job { theirs: JobKey, key: JobKey, batch: BatchKey, id: String, take: u32, is_beside: bool },
    /// Their payment comes in, with its intent, for that job.
    Payment { theirs: PaymentKey, key: PaymentKey, job: JobKey },
    /// Their intent stands in the place of this payment's.
    Intent { theirs: PaymentKey, of: PaymentKey },
    /// Their answers come beside this payment's, in the order in which all of them came.
    Answers { theirs: PaymentKey, of: PaymentKey },
    /// Their refund stands in the place of this payment's; or adds what it alone knows.
    Refund { theirs: PaymentKey, of: PaymentKey, in_its_place: bool },
    /// The job stands as theirs does.
    Stand { theirs: JobKey, job: JobKey },
    /// What was bought by that job is described by theirs, which has it whole.
    Describe { theirs: JobKey, job: JobKey },
    /// What was bought by that job is only what a receipt tells, which is theirs.
    Forget { theirs: JobKey, job: JobKey },
    /// The job's parameters are the cells that theirs has.
    Cells { theirs: JobKey, job: JobKey },
}
