//! The other side of a refund: what it offers, and what it says to the invoice.

use url::Url;

use crate::ledger::{DurableInvoice, Ledger};
use crate::origin::lnurl::{self, Withdraw};
use crate::origin::{self, HttpFailure, Origin};
use crate::payer::Payer;

use super::{AfterTry, Claim};
use crate::run::Clock;

/// Why nothing may be withdrawn now, in words without any part of the claim.
pub(super) enum Refusal {
    /// It may be otherwise in a moment.
    Later(String),
    /// The other side says so, or is not trusted.
    No(String),
}

impl Refusal {
    pub(super) const fn step(&self) -> AfterTry {
        match self {
            Self::Later(_) => AfterTry::Again,
            Self::No(_) => AfterTry::Done,
        }
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Later(words) | Self::No(words) => words,
        }
    }
}

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Claim<'_, L, P, O, C> {
    /// What may be withdrawn now.
    pub(super) async fn ask(&self) -> Result<(Withdraw, String), Refusal> {
        let seller = &self.refund.seller;
        let url = lnurl::link_url(&self.refund.link, seller).map_err(Refusal::No)?;
        let answer = self.get(&url).await?;
        let no = |words: String| Refusal::No(lnurl::discreet(&words, &url));
        let withdraw = lnurl::read_withdraw(&answer, &url, seller).map_err(no)?;
        Ok((withdraw, lnurl::host(&url)))
    }

    async fn get(&self, url: &Url) -> Result<crate::purchase::HttpAnswer, Refusal> {
        let (pace, clock) = (&self.shared.pace, self.run.clock);
        // Also where it says so while this one stands in line: no run waits for hours for a refund.
        if !pace.claim_turn(clock, url).await {
            let until =
                pace.blocked_until(url, clock.now()).map_or_else(String::new, |until| format!(" until {until}"));
            return Err(Refusal::Later(format!("{} wants to be left alone{until}", lnurl::host(url))));
        }
        match self.run.origin.withdraw(url, &self.refund.seller).await {
            Ok(answer) if matches!(answer.status, 429 | 503) => {
                pace.slow_down(url, clock.now(), origin::retry_after_ms(&answer));
                Err(Refusal::Later(format!("{} answers {}", lnurl::host(url), answer.status)))
            }
            Ok(answer) => Ok(answer),
            Err(
                failure @ (HttpFailure::NotSent(_)
                | HttpFailure::Withheld(_)
                | HttpFailure::BodyUnread(_)
                | HttpFailure::NoAnswer(_)),
            ) => Err(Refusal::Later(format!("{}: {failure}", lnurl::host(url)))),
            Err(
                failure @ (HttpFailure::Repeats
                | HttpFailure::TooLarge(_)
                | HttpFailure::Cut(..)
                | HttpFailure::Redirect(_)),
            ) => Err(Refusal::No(lnurl::discreet(&format!("{}: {failure}", lnurl::host(url)), url))),
        }
    }

    /// What the other side says to the invoice. An answer that is lost is no answer, and never a reason for another invoice.
    pub(super) async fn hand_over(&self, withdraw: &Withdraw, invoice: &DurableInvoice) -> Result<(), String> {
        let url = lnurl::callback_url(&withdraw.callback, &withdraw.k1, invoice.invoice());
        let answer = self.get(&url).await.map_err(Refusal::words)?;
        lnurl::read_callback(&answer, &url).map_err(|words| lnurl::discreet(&words, &url))
    }
}
