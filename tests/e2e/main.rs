//! The real binary, as a process, against `l402-batch sandbox` in another one.
//!
//! What is believed is the sandbox's own books, never the client's: an audit holds ledger, results and receipts against
//! them. No test depends on how fast a machine is; waits have deadlines, and end as soon as what is waited for is there.

#[cfg(test)]
mod advice;
#[cfg(test)]
mod harness;

#[cfg(test)]
mod books;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod buying;
#[cfg(test)]
mod catalog;
#[cfg(test)]
mod catalog_import;
#[cfg(test)]
mod causes;
#[cfg(test)]
mod choosing;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod completions;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod decided;
#[cfg(test)]
mod described;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod downloads_killed;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod edited_results;
#[cfg(test)]
mod estimates;
#[cfg(test)]
mod exported;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod filed;
#[cfg(test)]
mod files_and_refunds;
#[cfg(test)]
mod foretold;
mod gated;
#[cfg(test)]
mod get;
#[cfg(test)]
mod identical;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod killed_often;
#[cfg(test)]
mod lacking;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod ledger_file;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod merge;
#[cfg(test)]
mod nexts;
#[cfg(test)]
mod node;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod pasted;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod repeat;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod results_taken;
#[cfg(test)]
mod reusable;
#[cfg(test)]
mod room;
#[cfg(test)]
mod said;
#[cfg(test)]
mod saved_plans;
#[cfg(test)]
mod schemes;
#[cfg(test)]
mod screens;
#[cfg(test)]
mod secret_headers;
#[cfg(test)]
mod selection;
#[cfg(test)]
mod sellers;
#[cfg(test)]
mod sheets;
#[cfg(test)]
mod stopped;
#[cfg(test)]
mod studio;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod together;
#[cfg(test)]
mod told_before;
#[cfg(test)]
mod traceless;
#[cfg(test)]
mod unchanged;
#[cfg(test)]
mod unknown_answers;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod v01;
#[cfg(test)]
mod views;
#[cfg(test)]
mod words;
