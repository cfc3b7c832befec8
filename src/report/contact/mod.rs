//! The contact sheet of a batch: a folder with one page that a browser opens from the disk, without any network. It is made of ledger rows
//! alone, holds no proof of a payment and no credential, and every text of elsewhere stays text.

mod folder;
mod media;
mod page;
mod shots;
#[cfg(test)]
mod tests;
mod text;

pub use folder::{ContactFolder, FolderRefused, Written};
pub use page::ContactFacts;
