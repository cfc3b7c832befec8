//! How long a payment holds its slot: until the ledger holds the payment no more, or nothing is heard of it soon.

use crate::ledger::Record;

/// What becomes of a payment's slot by a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotAfter {
    /// The ledger holds the payment, and more is heard of it soon.
    Kept,
    /// It is free once the record has its place in the ledger's line. The node has answered, and with this record the ledger holds the
    /// payment no more: whoever takes the slot hands its intent over after it, so that that is decided, and sent, after it.
    FreeInLine,
    /// It is free once the record is durable, and whoever takes it looks first: the ledger goes on holding the payment.
    LeftOpen,
    /// It is free once the record is durable.
    Free,
}

impl SlotAfter {
    pub(super) const fn of(record: &Record) -> Self {
        match record {
            Record::Intend(_) | Record::SendBegun(_) | Record::SendAnswered { .. } => Self::Kept,
            Record::Paid { .. } => Self::FreeInLine,
            Record::Doubt { .. } => Self::LeftOpen,
            Record::Posted(..)
            | Record::Dead { .. }
            | Record::AbandonedDead { .. }
            | Record::KeptSettlement { .. }
            | Record::Answer { .. }
            | Record::Accepted { .. }
            | Record::Delivered { .. }
            | Record::DeliveredAtOnce { .. }
            | Record::Undelivered { .. }
            | Record::Replaying(_)
            | Record::Refund(..)
            | Record::LeftUndelivered(_)
            | Record::Served(_)
            | Record::Ended(..)
            | Record::Stuck { .. }
            | Record::Fetching(..)
            | Record::Downloaded(..)
            | Record::NotDownloaded { .. } => Self::Free,
        }
    }
}
