//! Limits and sums: what is held and what is spent, by batch, day and month.

use crate::ledger::{Caps, IntentRefusal, PeriodCap};
use crate::money::Msat;

use super::{
    Charged, EndpointFacts, Moved, OriginSums, Payment, PeriodKind, Ruling, Unfit, Write, contradiction, number,
};

/// What is used so far of what limits are set on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// By the batch: held, spent and fees, less what came back.
    pub batch: Msat,
    /// The newest day that is known, and what is used of it.
    pub day: Option<(String, Msat)>,
    /// The same of the month.
    pub month: Option<(String, Msat)>,
}

/// The period that is charged, and what is used of it. The clock never goes back: a name before the newest known is
/// charged to the newest.
pub fn used_of(newest: Option<&(String, Msat)>, cap: &PeriodCap) -> (String, Msat) {
    match newest {
        Some((name, used)) if *name >= cap.period => (name.clone(), *used),
        Some(_) | None => (cap.period.clone(), Msat::ZERO),
    }
}

/// Where a payment of at most `cost` is to be charged, or why it does not fit.
pub fn fit(used: &Used, caps: &Caps, cost: Msat) -> Result<Charged, IntentRefusal> {
    if let Some(most) = caps.batch
        && !fits(used.batch, cost, most)
    {
        return Err(IntentRefusal::BatchLimit { cost, used: used.batch, most });
    }
    let mut charged = Charged::default();
    if let Some(cap) = &caps.day {
        let (name, used) = used_of(used.day.as_ref(), cap);
        if !fits(used, cost, cap.most) {
            return Err(IntentRefusal::DayLimit { cost, used, most: cap.most });
        }
        charged.day = Some(name);
    }
    if let Some(cap) = &caps.month {
        let (name, used) = used_of(used.month.as_ref(), cap);
        if !fits(used, cost, cap.most) {
            return Err(IntentRefusal::MonthLimit { cost, used, most: cap.most });
        }
        charged.month = Some(name);
    }
    Ok(charged)
}

fn fits(used: Msat, cost: Msat, most: Msat) -> bool {
    used.checked_add(cost).is_some_and(|sum| sum <= most)
}

/// The periods among those charged that begin with this payment.
pub fn begin_periods(ruling: &mut Ruling<'_>, used: &Used, charged: &Charged) {
    for (kind, name, newest) in
        [(PeriodKind::Day, &charged.day, &used.day), (PeriodKind::Month, &charged.month, &used.month)]
    {
        if let Some(name) = name.as_ref().filter(|name| newest.as_ref().is_none_or(|(newest, _)| newest != *name)) {
            ruling.write(Write::Period(kind, name.clone()));
        }
    }
}

/// From now on those sums of an origin are kept that one of its limits was held against.
pub fn keep_origin_sums(ruling: &mut Ruling<'_>, endpoint: &EndpointFacts) {
    let Some(OriginSums { day, month, new, .. }) = &endpoint.of_origin else { return };
    for sum in [day, month, new].into_iter().flatten().filter(|sum| !sum.is_kept) {
        ruling.write(Write::OriginPeriod { origin: endpoint.origin.clone(), period: sum.period.clone() });
    }
}

impl Payment {
    /// The most that it can cost, in msat: what is held for it until it is posted or dead.
    fn hold(&self) -> Result<i64, Unfit> {
        match self.amount.checked_add(self.fee_limit) {
            Some(hold) => number(hold.get()),
            None => contradiction("the hold does not fit"),
        }
    }
}

/// Holds the most that a payment can cost: before it is made, or again, where what was given back of it settled after all. No
/// limit can refuse what is gone.
pub fn hold(ruling: &mut Ruling<'_>, payment: &Payment) -> Result<(), Unfit> {
    move_money(ruling, payment, Moved { held: payment.hold()?, ..Moved::default() });
    Ok(())
}

/// Turns a payment's hold into what it cost. A fee above the ceiling is posted as it is: the truth.
pub fn post(ruling: &mut Ruling<'_>, payment: &Payment, fee: Msat) -> Result<(), Unfit> {
    let moved = Moved {
        held: given_back(payment)?,
        spent: number(payment.amount.get())?,
        fees: number(fee.get())?,
        ..Moved::default()
    };
    move_money(ruling, payment, moved);
    Ok(())
}

/// Gives a payment's hold back.
pub fn void(ruling: &mut Ruling<'_>, payment: &Payment) -> Result<(), Unfit> {
    move_money(ruling, payment, Moved { held: given_back(payment)?, ..Moved::default() });
    Ok(())
}

/// Counts what came back of a payment, in the periods to which it was charged: a limit that is reached has room again.
pub fn give_back(ruling: &mut Ruling<'_>, payment: &Payment, refunded: Msat) -> Result<(), Unfit> {
    move_money(ruling, payment, Moved { refunded: number(refunded.get())?, ..Moved::default() });
    Ok(())
}

fn given_back(payment: &Payment) -> Result<i64, Unfit> {
    payment.hold()?.checked_neg().map_or_else(|| contradiction("the hold does not fit"), Ok)
}

fn move_money(ruling: &mut Ruling<'_>, payment: &Payment, moved: Moved) {
    ruling.write(Write::Money(payment.batch, payment.charged.clone(), payment.endpoint, moved));
}
