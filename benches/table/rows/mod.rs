//! The rows, by what they are about.

pub(crate) mod batch;
pub(crate) mod exchange;
pub(crate) mod files;
pub(crate) mod ledger;
pub(crate) mod lnd;
pub(crate) mod peers;
pub(crate) mod pictures;
