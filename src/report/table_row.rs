//! A row of a table: what its cells hold, and how they stand in a CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::catalog::{ImageSource, Value};
use crate::csv_escape::neutralise;
use crate::ledger::ResultRow;
use crate::money::Msat;
use crate::time::UnixMs;

/// What a cell holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'c> {
    /// Text of others, which may look like a formula.
    Text(&'c str),
    /// A word of our own.
    Word(&'c str),
    /// The digits of a number.
    Number(&'c str),
    /// A truth value.
    Truth(bool),
    /// Nothing.
    Empty,
}

/// Where the cells of a row go, one after the other.
pub(super) trait TableRow {
    /// Puts the next cell.
    fn put(&mut self, cell: Cell<'_>) -> io::Result<()>;

    /// Ends the row.
    fn end(&mut self) -> io::Result<()>;
}

impl TableRow for csv::Writer<&mut dyn Write> {
    fn put(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let text = match cell {
            Cell::Text(text) => neutralise(text),
            Cell::Word(text) | Cell::Number(text) => text.into(),
            Cell::Truth(is) => if is { "true" } else { "false" }.into(),
            Cell::Empty => "".into(),
        };
        Ok(self.write_field(text.as_bytes())?)
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(self.write_record(std::iter::empty::<Cow<'_, [u8]>>())?)
    }
}

/// Puts one row's cells, by what they hold: only text can be a formula.
pub(super) struct Cells<'a>(pub(super) &'a mut dyn TableRow);

impl Cells<'_> {
    /// Which job it is and how it stands: the columns with which every list of jobs begins.
    pub(super) fn standing(&mut self, row: &ResultRow) -> io::Result<()> {
        self.text(&row.id)?;
        self.number(row.line)?;
        self.number(row.take)?;
        self.word(row.state.as_str())?;
        self.word(row.reason.as_str())?;
        self.word(row.next.as_str())?;
        self.text(&row.endpoint)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.0.put(if text.is_empty() { Cell::Empty } else { Cell::Text(text) })
    }

    pub(super) fn maybe(&mut self, text: Option<&str>) -> io::Result<()> {
        self.text(text.unwrap_or_default())
    }

    /// A JSON list; nothing where it is empty.
    pub(super) fn list(&mut self, all: &[&str]) -> io::Result<()> {
        if all.is_empty() { self.0.put(Cell::Empty) } else { self.text(&serde_json::to_string(all)?) }
    }

    /// A word of our own.
    pub(super) fn word(&mut self, word: &str) -> io::Result<()> {
        self.0.put(if word.is_empty() { Cell::Empty } else { Cell::Word(word) })
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> io::Result<()> {
        self.0.put(Cell::Number(&number.into().to_string()))
    }

    pub(super) fn msat(&mut self, amount: Option<Msat>) -> io::Result<()> {
        self.decimal(amount.map(Msat::get))
    }

    /// A number in its shortest exact form; nothing where there is none.
    pub(super) fn decimal(&mut self, number: Option<impl ToString>) -> io::Result<()> {
        match number {
            Some(number) => self.0.put(Cell::Number(&number.to_string())),
            None => self.0.put(Cell::Empty),
        }
    }

    pub(super) fn time(&mut self, at: Option<UnixMs>) -> io::Result<()> {
        self.word(&at.map(UnixMs::rfc3339).unwrap_or_default())
    }

    pub(super) fn value(&mut self, value: Option<&Value>) -> io::Result<()> {
        match value {
            None => self.0.put(Cell::Empty),
            Some(Value::Text(text)) => self.text(text),
            Some(Value::Integer(number)) => self.decimal(Some(number)),
            Some(Value::Decimal(number)) => self.decimal(Some(number)),
            Some(Value::Structured(json)) => self.text(json.as_str()),
            Some(Value::Boolean(is)) => self.0.put(Cell::Truth(*is)),
            Some(Value::Image(image)) => match &image.source {
                ImageSource::File(path) => self.text(&path.to_string_lossy()),
                ImageSource::Inline(_) => self.word(&format!("sha256:{}", image.sha256)),
            },
        }
    }

    pub(super) fn extra(&mut self, columns: &[String], given: &[(String, String)]) -> io::Result<()> {
        for name in columns {
            let text = given.iter().find(|(column, _)| column == name).map(|(_, text)| text.as_str());
            self.maybe(text)?;
        }
        Ok(())
    }

    /// Ends the row.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.0.end()
    }
}
