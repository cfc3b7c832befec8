//! What people and programs see of a run: progress, lines, JSON, the end summary, results, receipts, status.
//!
//! This room consumes events and ledger rows and never drives work: nothing that fails here stops a payment, and every
//! file it writes can be rebuilt from the ledger.

mod background;
mod batches;
mod books;
mod books_template;
mod contact;
mod csv_out;
mod fiat_columns;
mod format;
mod json;
mod labels;
mod lines;
mod next_commands;
mod outputs;
mod progress;
mod quiet;
mod refunds;
mod replace;
mod sidecar;
mod sink;
mod status;
mod summary;
mod sums;
mod table_out;
mod table_row;
mod takes;
mod tally;
#[cfg(test)]
mod testing;
mod throttle;
mod views;
mod workbook_out;
mod workbook_stamp;

pub use background::Background;
pub use batches::{BatchLine, write_batches};
pub use books::BooksFile;
pub use books_template::{BooksTemplate, TemplateError};
pub use contact::{ContactFacts, ContactFolder, FolderRefused, Written};
pub use csv_out::{ReceiptsFile, ResultsFile, Rows};
pub use fiat_columns::FiatColumns;
pub use format::{FORMAT_VERSION, Format};
pub use json::JsonLines;
pub use lines::{Lines, to_buy_words};
pub use next_commands::command_about;
pub use outputs::{
    FileForm, Output, OutputPaths, OutputRefused, batch_paths, check_outputs, default_paths, form_of, named_paths,
    same_file,
};
pub use progress::Progress;
pub use quiet::Quiet;
pub use refunds::{RefundsStyle, write_refunds};
pub use replace::{file_mark, place_new, replace_whole, try_out};
pub use sidecar::Sidecar;
pub use status::{StatusHead, StatusMoney, StatusStyle, write_jobs, write_status};
pub use summary::summary;
pub use sums::write_sums_csv;
pub use table_out::{Dialect, TableForm};
pub use takes::{TakesStyle, write_takes};
pub use throttle::Throttle;
pub use views::{Rewritten, Views};
pub use workbook_out::NoRoom;
pub use workbook_stamp::{WorkbookOf, WorkbookThere};
