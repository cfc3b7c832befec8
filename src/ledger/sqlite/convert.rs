//! Our types as SQLite keeps them. What does not fit is an error, in both directions.

use data_encoding::HEXLOWER;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Result, Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use strum::VariantArray;

use crate::catalog::Method;
use crate::l402::{Network, PaymentHash, Scheme};
use crate::ledger::decide::{Death, EndpointKey, PaymentState, Undelivered};
use crate::ledger::{AnswerKey, AnswerKind, BatchKey, DeadProof, JobKey, PaymentKey, RefundStanding};
use crate::money::Msat;
use crate::plan::{ContentHash, PlanDigest};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// A number that only grows, as SQLite keeps it.
pub(super) fn int(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The same number, read back.
pub(super) fn uint(row: &Row<'_>, column: usize) -> Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// The same number, or none, read back.
pub(super) fn uint_or_none(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    let number: Option<i64> = row.get(column)?;
    number
        .map(|number| u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number)))
        .transpose()
}

/// How a column of free text is read.
pub(super) type ReadText = fn(&Row<'_>, usize) -> Result<Option<String>>;

/// As it was written: one that is damaged is an error of its row.
pub(super) fn text(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    row.get(column)
}

/// As far as it can be read, where what it says decides nothing.
pub(super) fn text_or_what_is_left(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

/// Only where it is whole: a damaged one says nothing.
pub(super) fn text_if_whole(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
}

/// The edition of a job. A damaged one is compared with all, as none is: else its purchase would be made once more.
pub(super) fn edition(row: &Row<'_>, column: usize) -> Result<String> {
    text_if_whole(row, column).map(Option::unwrap_or_default)
}

/// The states of which that is true, as a list for `IN`.
pub(super) fn states(which: impl Fn(JobState) -> bool) -> String {
    let states = JobState::VARIANTS.iter().filter(|state| which(**state));
    states.map(|state| format!("'{}'", state.as_str())).collect::<Vec<_>>().join(", ")
}

/// Any value as JSON text.
#[derive(Debug, Default)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        let text =
            serde_json::to_string(&self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(ToSqlOutput::from(text))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// The word for what a payment is dead by.
const fn death_word(death: Death) -> &'static str {
    match death {
        Death::Proven(DeadProof::FailedAndAnswered) => "failed_and_answered",
        Death::Proven(DeadProof::FailedAndExpired) => "failed_and_expired",
        Death::Proven(DeadProof::NotFoundAndAnswered) => "not_found_and_answered",
        Death::Proven(DeadProof::NotFoundAndExpired) => "not_found_and_expired",
        Death::Decided => "decided",
    }
}

impl ToSql for Death {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(death_word(*self)))
    }
}

impl FromSql for Death {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let deaths = [
            Self::Proven(DeadProof::FailedAndAnswered),
            Self::Proven(DeadProof::FailedAndExpired),
            Self::Proven(DeadProof::NotFoundAndAnswered),
            Self::Proven(DeadProof::NotFoundAndExpired),
            Self::Decided,
        ];
        deaths.into_iter().find(|death| death_word(*death) == word).ok_or_else(|| unknown(word))
    }
}

impl ToSql for Undelivered {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.number()))
    }
}

impl FromSql for Undelivered {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u8::try_from(number).ok().and_then(Self::of_number).ok_or(FromSqlError::OutOfRange(number))
    }
}

/// The word of an answer's kind.
pub(super) const fn kind_word(kind: AnswerKind) -> &'static str {
    match kind {
        AnswerKind::Redeem => "redeem",
        AnswerKind::Poll => "poll",
    }
}

impl FromSql for AnswerKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let kinds = [Self::Redeem, Self::Poll];
        kinds.into_iter().find(|kind| kind_word(*kind) == word).ok_or_else(|| unknown(word))
    }
}

/// Digests as file names and in messages.
pub(super) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

macro_rules! keys {
    ($($key:ty),*) => {$(
        impl ToSql for $key {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.0))
            }
        }
    )*};
}
keys!(BatchKey, JobKey, PaymentKey, AnswerKey, EndpointKey, UnixMs);

macro_rules! keys_read {
    ($($key:ident),*) => {$(
        impl FromSql for $key {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_i64().map($key)
            }
        }
    )*};
}
keys_read!(BatchKey, JobKey, PaymentKey, AnswerKey, EndpointKey, UnixMs);

macro_rules! words {
    ($($of:ty => $read:expr),* $(,)?) => {$(
        impl ToSql for $of {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.as_str()))
            }
        }
        impl FromSql for $of {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = value.as_str()?;
                let read: fn(&str) -> Option<Self> = $read;
                read(word).ok_or_else(|| unknown(word))
            }
        }
    )*};
}
words! {
    JobState => Self::from_word,
    // One that this version does not know says that somebody else wrote it.
    Reason => |word| Some(Self::from_word(word).unwrap_or(Self::RowDamaged)),
    PaymentState => Self::from_word,
    RefundStanding => Self::from_word,
    Network => Self::from_name,
    Scheme => |word| word.parse().ok(),
    Method => |word| word.parse().ok(),
}

fn unknown(word: &str) -> FromSqlError {
    FromSqlError::other(std::io::Error::other(format!("the word {word:?} is unknown here")))
}

macro_rules! digests {
    ($($digest:ident),*) => {$(
        impl ToSql for $digest {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }
        impl FromSql for $digest {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 32]>::column_result(value).map($digest)
            }
        }
    )*};
}
digests!(PaymentHash, ContentHash, PlanDigest);

impl ToSql for Msat {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        int(self.get()).map(ToSqlOutput::from)
    }
}

impl FromSql for Msat {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let msat = value.as_i64()?;
        u64::try_from(msat).map(Self::new).map_err(|_| FromSqlError::OutOfRange(msat))
    }
}
