//! Reads manifests, TOML and CSV, into job specifications, each with its place in the file.

mod bounded_reader;
mod bytes;
mod csv_row;
mod digest;
mod document;
mod document_job;
mod document_matrix;
mod document_rows;
mod duplicates;
mod edited;
mod header;
pub mod image;
mod image_end;
mod limits;
mod locate;
mod matrix;
mod missing;
mod names;
mod notes;
mod open;
mod plain;
mod problems;
mod proposal;
mod quotes;
mod read_to;
mod records;
mod results;
mod row;
mod rows;
mod rows_matrix;
mod stand;
mod survey;
mod table_options;
mod takes;
mod template;
mod tolerance;
mod values;
mod workbook;

pub use duplicates::{Duplicates, Edition};
pub use edited::Edited;
pub(crate) use limits::limits;
pub use limits::{Limits, OriginLimits};
pub(crate) use locate::first_line;
pub(crate) use matrix::{planned_take, take_suffix};
pub(crate) use names::{fold, is_job_key};
pub use names::{id_problem, name_problem, normal_id, parse_delimiter};
pub use notes::{Notes, delimiter_name};
pub use open::{FORMAT_UNTOLD, Format, GivenBy, Manifest, OpenOptions, STDIN, format_help, rows_file_of};
pub(crate) use plain::{PlainColumns, PlainRow, plain_rows};
pub use proposal::Proposal;
pub use results::{PLAY_LEDGER, ResultsOf, ResultsRow};
pub(crate) use stand::{BATCH_COLUMN, LEDGER_COLUMN};
pub use survey::SurveyedColumn;
pub use table_options::{HiddenRows, SheetChoice, TableOptions};
pub(crate) use values::shown;

use std::sync::Arc;

use crate::catalog::{Endpoint, Value};
use crate::diagnostic::{Diagnostic, Place};
use crate::money::Sats;

/// One job as the manifest gives it, checked against its endpoint, with defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// The physical line on which it begins, from 1.
    pub line: u64,
    /// The id that the manifest gives it, if any.
    pub id: Option<String>,
    /// What is bought.
    pub endpoint: Arc<Endpoint>,
    /// Values after all defaults: one for each parameter of the endpoint, in its order; none where there is no value.
    pub values: Vec<Option<Value>>,
    /// `x_*` columns, passed through to the results, in order.
    pub extra: Vec<(String, String)>,
    /// The most that this job may cost, routing fee included.
    pub max_sats: Option<Sats>,
    /// Which planned take of its job it is, from 1.
    pub take: u32,
    /// Of a planned take after the first at an endpoint that tells takes apart: by what.
    pub nonce: Option<Box<Nonce>>,
}

/// What tells a planned take of a job from its first one in the request, and counts for nothing else: the content is the first one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// The place of the parameter, whose value is the take's own.
    pub param: usize,
    /// Its value in the first take.
    pub first: Option<Value>,
}

impl JobSpec {
    /// The value at that place as it counts in what is bought: takes of one job ask for the same.
    #[must_use]
    pub fn content_value(&self, at: usize) -> Option<&Value> {
        match &self.nonce {
            Some(nonce) if nonce.param == at => nonce.first.as_ref(),
            Some(_) | None => self.values.get(at)?.as_ref(),
        }
    }

    /// The parameters that have a value, in the endpoint's order.
    pub fn params(&self) -> impl Iterator<Item = (&str, &Value)> {
        let named = self.endpoint.params.iter().zip(&self.values);
        named.filter_map(|(param, value)| Some((param.name.as_str(), value.as_ref()?)))
    }
}

/// Ids of wrong jobs that are kept.
pub const WRONG_IDS_MAX: usize = 10_000;

/// A manifest that can be read more than once, job by job, in bounded memory.
pub trait JobSource {
    /// Reads every job from the beginning. A row's errors are one item, and reading goes on, so that one pass finds all
    /// errors; errors of the whole file come last.
    ///
    /// # Errors
    /// Items are errors where the manifest is wrong; the vector is never empty.
    fn jobs(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_>;

    /// The same, and `x_*` may be left out: whoever prices jobs has no use for them.
    ///
    /// # Errors
    /// As [`Self::jobs`].
    fn jobs_to_price(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        self.jobs()
    }

    /// The file as the person named it.
    fn file(&self) -> &str;

    /// Ids of jobs that have an error, with their lines, once the jobs have been read to the end: an id may be given twice beside
    /// the other error. At most [`WRONG_IDS_MAX`].
    fn ids_of_wrong(&self) -> Vec<(u64, String)> {
        Vec::new()
    }

    /// The place of a whole line, for an error that is found only by comparing jobs.
    fn place_of_line(&self, line: u64) -> Place;
}

#[cfg(test)]
mod tests;
