//! The plan as CSV: a row a job.

use std::borrow::Cow;
use std::io::Write;

use super::words::{TOTALS_COLUMNS, totals_cells};
use super::{PlanView, ViewError, cell_text, sats};
use crate::catalog::Value;
use crate::csv_escape::neutralise;
use crate::plan::PlannedJob;
use crate::plan::sums::Sums;

const BEFORE: [&str; 3] = ["id", "line", "endpoint"];
const AFTER: [&str; 9] = [
    "chosen_by",
    "rate_msat",
    "unit",
    "quantity",
    "price_sats",
    "price_msat",
    "fee_ceiling_sats",
    "fee_ceiling_msat",
    "price_is_cap",
];

impl PlanView<'_> {
    /// Writes a header and a row a job, or with sums a row a group. The parameters of all endpoints in use are columns; one whose name is a column's
    /// already is written `params.NAME`. An image is its path, else its digest.
    ///
    /// # Errors
    /// Where the output fails, or the manifest has changed; the rows are then incomplete.
    pub fn csv(&self, out: &mut dyn Write) -> Result<(), ViewError> {
        let mut out = ::csv::Writer::from_writer(out);
        if let Some(sums) = self.sums {
            return csv_of_sums(&mut out, sums).map_err(written);
        }
        let params = self.param_columns();
        let header = params.iter().map(|name| param_header(name));
        let before = BEFORE.iter().map(|name| Cow::Borrowed(*name));
        let after = AFTER.iter().map(|name| Cow::Borrowed(*name));
        out.write_record(before.chain(header).chain(after).map(|name| name.into_owned())).map_err(written)?;
        for job in self.jobs() {
            row(&mut out, &params, &job?).map_err(written)?;
        }
        out.flush()?;
        Ok(())
    }

    /// The parameters of the endpoints in use, each once.
    fn param_columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for param in self.plan.endpoints().iter().flat_map(|endpoint| &endpoint.params) {
            if !names.contains(&param.name.as_str()) {
                names.push(&param.name);
            }
        }
        names
    }
}

/// A row a group; what has nothing in the column has an empty cell.
fn csv_of_sums(out: &mut ::csv::Writer<&mut dyn Write>, sums: &Sums) -> Result<(), ::csv::Error> {
    out.write_record(std::iter::once(&*neutralise(sums.by.name())).chain(TOTALS_COLUMNS))?;
    for (value, totals) in &sums.groups {
        let value = neutralise(value.as_deref().unwrap_or_default()).into_owned();
        out.write_record(std::iter::once(value).chain(totals_cells(totals)))?;
    }
    Ok(out.flush()?)
}

fn param_header(name: &str) -> Cow<'_, str> {
    if BEFORE.contains(&name) || AFTER.contains(&name) {
        Cow::Owned(format!("params.{name}"))
    } else {
        neutralise(name)
    }
}

fn row(out: &mut ::csv::Writer<&mut dyn Write>, params: &[&str], job: &PlannedJob) -> Result<(), ::csv::Error> {
    out.write_field(&*neutralise(&job.id))?;
    out.write_field(job.line.to_string())?;
    out.write_field(&job.endpoint.name)?;
    for name in params {
        let value = job.params.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        out.write_field(value.map_or_else(String::new, cell))?;
    }
    let priced = &job.priced;
    out.write_field(&*neutralise(&priced.chosen_by))?;
    out.write_field(priced.rate.get().to_string())?;
    out.write_field(&*neutralise(&job.endpoint.price.unit))?;
    out.write_field(priced.quantity.to_string())?;
    for amount in [priced.price, job.fee_ceiling] {
        out.write_field(sats(amount).get().to_string())?;
        out.write_field(amount.get().to_string())?;
    }
    out.write_field(job.is_capped().to_string())?;
    out.write_record(None::<&[u8]>)
}

fn cell(value: &Value) -> String {
    let text = cell_text(value);
    match value {
        Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) => text.into_owned(),
        Value::Text(_) | Value::Structured(_) | Value::Image(_) => neutralise(&text).into_owned(),
    }
}

fn written(error: ::csv::Error) -> ViewError {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => ViewError::Write(error),
        other => ViewError::Write(std::io::Error::other(format!("{other:?}"))),
    }
}
