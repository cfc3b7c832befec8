//! What stands in the books of a batch or a period.

use crate::money::Msat;

use super::Moved;

/// What is held, spent and got back, in msat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub held: i64,
    pub spent: i64,
    pub fees: i64,
    pub refunded: i64,
}

impl Sums {
    /// What is used of a limit. A day's or month's fees are kept among what it spent.
    pub fn used(&self) -> Msat {
        let used = self.held.saturating_add(self.spent).saturating_add(self.fees).saturating_sub(self.refunded);
        Msat::new(u64::try_from(used).unwrap_or_default())
    }

    /// After that move; none where a sum fits no ledger.
    pub fn after(&self, moved: Moved) -> Option<Self> {
        let Self { held, spent, fees, refunded } = *self;
        let Moved { held, spent, fees, refunded } = moved.and(Moved { held, spent, fees, refunded })?;
        let all = held.checked_add(spent)?;
        (held >= 0 && spent >= 0 && fees >= 0 && (0..=all).contains(&refunded) && all.checked_add(fees).is_some())
            .then_some(Self { held, spent, fees, refunded })
    }
}
