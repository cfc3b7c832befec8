//! Limits and sums: what is held and what is spent, by batch, day and month. Called only inside the transaction of the
//! record that moves the money.

use rusqlite::{Connection, OptionalExtension, params};

use super::Books;
use super::convert::int;
use super::error::{Fault, contradiction};
use super::payment::Payment;
use crate::ledger::{BatchKey, Caps, IntentRefusal, LedgerError, PeriodCap};
use crate::money::Msat;

/// The periods to which a payment is charged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Charged {
    pub(super) day: Option<String>,
    pub(super) month: Option<String>,
}

/// Where a payment of at most `cost` is to be charged, or why it does not fit. Writes nothing.
pub(super) fn fit(
    tx: &Connection,
    batch: BatchKey,
    caps: &Caps,
    cost: Msat,
) -> Result<Result<Charged, IntentRefusal>, Fault> {
    let used = used_by_batch(tx, batch)?;
    if let Some(most) = caps.batch
        && !fits(used, cost, most)
    {
        return Ok(Err(IntentRefusal::BatchLimit { cost, used, most }));
    }
    let mut charged = Charged::default();
    if let Some(cap) = &caps.day {
        let (name, used) = period(tx, "day", cap)?;
        if !fits(used, cost, cap.most) {
            return Ok(Err(IntentRefusal::DayLimit { cost, used, most: cap.most }));
        }
        charged.day = Some(name);
    }
    if let Some(cap) = &caps.month {
        let (name, used) = period(tx, "month", cap)?;
        if !fits(used, cost, cap.most) {
            return Ok(Err(IntentRefusal::MonthLimit { cost, used, most: cap.most }));
        }
        charged.month = Some(name);
    }
    Ok(Ok(charged))
}

/// What is used of the day and of the month that a payment made now would be charged to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodsUsed {
    /// Of the day.
    pub day: Msat,
    /// Of the month.
    pub month: Msat,
}

impl Books {
    /// What is used of the periods that a payment made now would be charged to.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn periods_used(&self, caps: &Caps) -> Result<PeriodsUsed, LedgerError> {
        self.read(|books| {
            let used = |kind: &str, cap: &Option<PeriodCap>| {
                cap.as_ref().map_or(Ok(Msat::ZERO), |cap| Ok::<_, Fault>(period(&books.conn, kind, cap)?.1))
            };
            Ok(PeriodsUsed { day: used("day", &caps.day)?, month: used("month", &caps.month)? })
        })
    }
}

fn fits(used: Msat, cost: Msat, most: Msat) -> bool {
    used.checked_add(cost).is_some_and(|sum| sum <= most)
}

fn used_by_batch(tx: &Connection, batch: BatchKey) -> Result<Msat, Fault> {
    Ok(tx
        .prepare_cached("SELECT held_msat + spent_msat + fees_msat - refunded_msat FROM batches WHERE id = ?1")?
        .query_row([batch], |row| row.get(0))?)
}

/// The period that is charged, and what is used of it. The clock never goes back: a name before the newest known is
/// charged to the newest.
fn period(tx: &Connection, kind: &str, cap: &PeriodCap) -> Result<(String, Msat), Fault> {
    let newest: Option<(String, Msat)> = tx
        .prepare_cached("SELECT name, held_msat + spent_msat - refunded_msat FROM periods WHERE kind = ?1 ORDER BY name DESC LIMIT 1")?
        .query_row([kind], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match newest {
        Some((name, used)) if name >= cap.period => Ok((name, used)),
        Some(_) | None => Ok((cap.period.clone(), Msat::ZERO)),
    }
}

/// Money that moves: each amount is added (positive) or given back (negative).
#[derive(Clone, Copy, Debug, Default)]
struct Move {
    held: i64,
    spent: i64,
    fees: i64,
    refunded: i64,
}

/// Holds the most that a new payment can cost.
pub(super) fn hold(tx: &Connection, batch: BatchKey, charged: &Charged, cost: Msat) -> Result<(), Fault> {
    for (kind, name) in [("day", &charged.day), ("month", &charged.month)] {
        if let Some(name) = name {
            tx.prepare_cached("INSERT INTO periods (kind, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![kind, name])?;
        }
    }
    move_money(tx, batch, charged, Move { held: int(cost.get())?, ..Move::default() })
}

/// Holds again what was given back of a payment that settled after all. No limit can refuse what is gone.
pub(super) fn hold_again(tx: &Connection, payment: &Payment) -> Result<(), Fault> {
    let held = int(payment.hold()?.get())?;
    move_money(tx, payment.batch, &charged_for(payment), Move { held, ..Move::default() })
}

/// Turns a payment's hold into what it cost. A fee above the ceiling is posted as it is: the truth.
pub(super) fn post(tx: &Connection, payment: &Payment, fee: Msat) -> Result<(), Fault> {
    let moved = Move {
        held: given_back(payment)?,
        spent: int(payment.amount.get())?,
        fees: int(fee.get())?,
        ..Move::default()
    };
    move_money(tx, payment.batch, &charged_for(payment), moved)
}

/// Gives a payment's hold back.
pub(super) fn void(tx: &Connection, payment: &Payment) -> Result<(), Fault> {
    move_money(tx, payment.batch, &charged_for(payment), Move { held: given_back(payment)?, ..Move::default() })
}

/// Counts what came back of a payment, in the periods to which it was charged: a limit that is reached has room again.
pub(super) fn give_back(tx: &Connection, payment: &Payment, refunded: Msat) -> Result<(), Fault> {
    let moved = Move { refunded: int(refunded.get())?, ..Move::default() };
    move_money(tx, payment.batch, &charged_for(payment), moved)
}

fn given_back(payment: &Payment) -> Result<i64, Fault> {
    match int(payment.hold()?.get())?.checked_neg() {
        Some(negative) => Ok(negative),
        None => contradiction("the hold does not fit"),
    }
}

fn charged_for(payment: &Payment) -> Charged {
    Charged { day: payment.day.clone(), month: payment.month.clone() }
}

fn move_money(tx: &Connection, batch: BatchKey, charged: &Charged, moved: Move) -> Result<(), Fault> {
    let rows = tx
        .prepare_cached(
            "UPDATE batches SET held_msat = held_msat + ?2, spent_msat = spent_msat + ?3, fees_msat = fees_msat + ?4,
                 refunded_msat = refunded_msat + ?5
             WHERE id = ?1",
        )?
        .execute(params![batch, moved.held, moved.spent, moved.fees, moved.refunded])?;
    if rows != 1 {
        return contradiction(format!("there is no batch {}", batch.0));
    }
    for (kind, name) in [("day", &charged.day), ("month", &charged.month)] {
        let Some(name) = name else { continue };
        let rows = tx
            .prepare_cached(
                "UPDATE periods SET held_msat = held_msat + ?3, spent_msat = spent_msat + ?4 + ?5,
                     refunded_msat = refunded_msat + ?6
                 WHERE kind = ?1 AND name = ?2",
            )?
            .execute(params![kind, name, moved.held, moved.spent, moved.fees, moved.refunded])?;
        if rows != 1 {
            return contradiction(format!("there is no {kind} {name}"));
        }
    }
    Ok(())
}
