//! The page of a contact sheet, shot by shot.

use std::io::{self, Write};
use std::path::Path;

use askama::Template;
use data_encoding::BASE64;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::catalog::{ImageSource, Value};
use crate::ledger::{TakeMark, TakeRow};
use crate::money::{Msat, counted};
use crate::purchase::{JobState, Reason};
use crate::report::Rows;
use crate::report::status::local;
use crate::time::UnixMs;

use super::media::Shown;
use super::shots::Shots;
use super::text::{clean, file_name};

/// By this a page is known to be one of ours; what it is of stands beside it.
pub(super) const MARKER: &str = "l402-batch-contact-sheet";

const SCRIPT: &str = include_str!("../../../templates/contact/script.js");
const STYLE: &str = include_str!("../../../templates/contact/style.css");
/// The parameters that say what a shot is, as far as any is called so.
const PROMPTS: [&str; 2] = ["prompt", "text"];

/// What a page says besides the takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactFacts {
    /// The batch's name.
    pub batch: String,
    /// The ledger's own id, by which marks in a browser belong to its batch.
    pub ledger: String,
    /// Of which ledger's batch the folder is: play money's ledgers come and go.
    pub owner: String,
    /// It buys with play money.
    pub is_play: bool,
    /// When it is made.
    pub made_at: UnixMs,
    /// In which zone that is told.
    pub zone: TimeZone,
}

#[derive(Template)]
#[template(path = "contact/head.html")]
struct Head<'a> {
    policy: String,
    marker: &'static str,
    of: String,
    key: String,
    batch: &'a str,
    is_play: bool,
    date: String,
    /// When it is made, in milliseconds.
    made: i64,
    states: Vec<&'static str>,
    style: &'static str,
}

#[derive(Template)]
#[template(path = "contact/shot.html")]
struct Shot {
    number: u64,
    id: String,
    prompt: String,
    takes: Vec<Take>,
}

struct Take {
    /// Its job's id: by that and its number commands name it.
    id: String,
    take: u32,
    /// Takes of other jobs stand beside it: planned takes of the same shot.
    is_named: bool,
    state: &'static str,
    reason: &'static str,
    mark: &'static str,
    /// Which delivery it is, and which word about it is the ledger's: what a browser keeps is about these two.
    base: String,
    note: String,
    is_replaced: bool,
    is_delivered: bool,
    media: Vec<Shown>,
    error: String,
    cost: String,
    facts: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "contact/foot.html")]
struct Foot {
    is_empty: bool,
    sums: String,
    script: &'static str,
}

impl ContactFacts {
    /// What stands beside the marker of the page's folder.
    pub(super) fn owner(&self) -> String {
        format!("{} {}", self.owner, self.batch)
    }

    /// Writes the page. `place` says how what was delivered of a take is shown.
    ///
    /// # Errors
    /// Where `out` cannot be written or `rows` cannot be read.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        rows: Rows<'_, TakeRow>,
        place: &mut dyn FnMut(&TakeRow) -> Vec<Shown>,
    ) -> io::Result<()> {
        self.head().write_into(out)?;
        let mut sheet = Sheet { out, place, number: 0, sums: Sums::default() };
        Shots::of(rows)?.each(rows, &mut |takes| sheet.shot(&takes))?;
        let Sheet { out, sums, .. } = sheet;
        Foot { is_empty: sums.jobs == 0, sums: sums.words(), script: SCRIPT }.write_into(out)
    }

    fn head(&self) -> Head<'_> {
        let hash = |text: &str| format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text)));
        Head {
            policy: format!(
                "default-src 'none'; script-src {}; style-src {}; media-src 'self' file:; img-src 'self' file:; \
                 base-uri 'none'; form-action 'none'",
                hash(SCRIPT),
                hash(STYLE)
            ),
            marker: MARKER,
            of: self.owner(),
            key: format!("{} {}", self.ledger, self.batch),
            batch: &self.batch,
            is_play: self.is_play,
            date: local(self.made_at, &self.zone),
            made: self.made_at.0,
            states: JobState::ALL.iter().map(|state| state.as_str()).collect(),
            style: STYLE,
        }
    }
}

/// A page that is being written.
struct Sheet<'a> {
    out: &'a mut dyn Write,
    place: &'a mut dyn FnMut(&TakeRow) -> Vec<Shown>,
    /// Of the last shot, from 1.
    number: u64,
    sums: Sums,
}

impl Sheet<'_> {
    /// The takes of one shot, in their order.
    fn shot(&mut self, takes: &[TakeRow]) -> io::Result<()> {
        let Some(first) = takes.first() else { return Ok(()) };
        let is_named = takes.iter().any(|take| take.row.id != first.row.id);
        takes.iter().zip(std::iter::once(None).chain(takes.iter().map(Some))).for_each(|(take, before)| {
            self.sums.add(take, before.is_none_or(|before| before.row.id != take.row.id));
        });
        self.number = self.number.saturating_add(1);
        // Its job's own: what else was planned of it may be from before its row was edited.
        let told = takes.iter().rfind(|take| take.row.id == first.row.id).and_then(prompt_of);
        let shown = |take| Take { is_named, ..shown_take(take, told.as_ref(), (self.place)(take)) };
        let takes = takes.iter().map(shown).collect();
        let prompt = told.map(|(_, prompt)| prompt).unwrap_or_default();
        Shot { number: self.number, id: clean(&first.row.id), prompt, takes }.write_into(self.out)
    }
}

/// What all of it comes to.
#[derive(Default)]
struct Sums {
    jobs: u64,
    takes: u64,
    paid: Msat,
    fees: Msat,
}

impl Sums {
    /// Adds a take, which is of another job than the one before it or not.
    fn add(&mut self, take: &TakeRow, is_of_next: bool) {
        let more = |sum: Msat, more: Option<Msat>| sum.checked_add(more.unwrap_or_default()).unwrap_or(sum);
        self.jobs = self.jobs.saturating_add(is_of_next.into());
        self.takes = self.takes.saturating_add(1);
        (self.paid, self.fees) = (more(self.paid, take.paid), more(self.fees, take.row.fee));
    }

    fn words(&self) -> String {
        let Self { jobs, takes, paid, fees } = self;
        format!(
            "{}, {}; paid for these takes: {paid}, and {fees} in routing fees",
            counted(*jobs, "job"),
            counted(*takes, "take")
        )
    }
}

fn shown_take(take: &TakeRow, prompt: Option<&(&str, String)>, media: Vec<Shown>) -> Take {
    let row = &take.row;
    Take {
        id: clean(&row.id),
        take: row.take,
        is_named: false,
        state: row.state.as_str(),
        reason: if row.reason == Reason::None { "" } else { row.reason.as_str() },
        mark: take.marked.mark.map_or("", TakeMark::as_str),
        base: base(take),
        note: clean(&take.marked.note),
        is_replaced: take.is_replaced,
        is_delivered: row.state.is_delivered(),
        media,
        error: row.error.as_deref().map(clean).unwrap_or_default(),
        cost: cost(take),
        facts: facts(take, prompt),
    }
}

/// By when it was delivered, and by when the ledger's word about it was said.
fn base(take: &TakeRow) -> String {
    let moment = |at: Option<UnixMs>| at.map(|at| at.0.to_string()).unwrap_or_default();
    format!("{}:{}", moment(take.row.finished_at), moment(take.marked.at))
}

/// What it has cost, or would.
fn cost(take: &TakeRow) -> String {
    let row = &take.row;
    match (take.paid, row.fee) {
        (Some(paid), Some(fee)) => format!("{paid}, and {fee} in routing fees"),
        (Some(paid), None) => format!("{paid}, and a routing fee that is not known yet"),
        (None, _) if row.state.is_delivered() => "nothing was paid for it".to_owned(),
        (None, _) => format!("planned: {}{}", if row.is_capped { "at most " } else { "" }, row.price),
    }
}

/// The parameter that says what the shot is, and its text.
fn prompt_of(take: &TakeRow) -> Option<(&'static str, String)> {
    PROMPTS.into_iter().find_map(|name| {
        let (_, value) = take.row.params.iter().find(|(known, _)| known == name)?;
        Some((name, shown_value(value)))
    })
}

/// Everything else that is known of it, but for what proves its payment. What stands above all takes does not stand at each.
fn facts(take: &TakeRow, prompt: Option<&(&str, String)>) -> Vec<(String, String)> {
    let row = &take.row;
    let params = row.params.iter().map(|(name, value)| (name.as_str(), shown_value(value)));
    let params = params.filter(|param| Some(param) != prompt).map(|(name, value)| (clean(name), value));
    let extra = row.extra.iter().map(|(name, value)| (clean(name), clean(value)));
    let told = [
        ("finished", row.finished_at.map(UnixMs::rfc3339)),
        // Where it lies is nobody else's business, and what an address holds may be more than that.
        ("file", row.file.as_deref().map(|file| file_name(Path::new(file)))),
        ("sha256", row.sha256.clone()),
    ];
    let told = told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    std::iter::once(("endpoint".to_owned(), clean(&row.endpoint))).chain(params).chain(extra).chain(told).collect()
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::Image(image) => match &image.source {
            ImageSource::File(path) => file_name(path),
            ImageSource::Inline(_) => value.in_file(),
        },
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Structured(_) | Value::Boolean(_) => {
            clean(&value.in_file())
        }
    }
}
