//! The commands, one file or folder each.

pub(in crate::cli) mod audit;
pub(in crate::cli) mod batches;
pub(in crate::cli) mod catalog;
pub(in crate::cli) mod completions;
pub(in crate::cli) mod config_schema;
pub(in crate::cli) mod config_show;
pub(in crate::cli) mod doctor;
pub(in crate::cli) mod download;
pub(in crate::cli) mod export;
pub(in crate::cli) mod get;
pub(in crate::cli) mod init;
pub(in crate::cli) mod ledger;
pub(in crate::cli) mod manual;
pub(in crate::cli) mod new_file;
pub(in crate::cli) mod plan;
pub(in crate::cli) mod recover;
pub(in crate::cli) mod refunds;
pub(in crate::cli) mod report;
pub(in crate::cli) mod resolve;
pub(in crate::cli) mod run;
pub(in crate::cli) mod sandbox;
pub(in crate::cli) mod status;
pub(in crate::cli) mod takes;
