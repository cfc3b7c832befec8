//! What is checked before anything is paid: the invoice holds, is bound to the token, is of the node's network, lives
//! long enough, and asks no more than the plan says.

use std::borrow::Cow;

use super::mpp::{self, Fit};
use super::{Challenge, Invoice, InvoiceError, Network, Scheme, macaroon};
use crate::error::Hinted;
use crate::money::{Msat, alike};
use crate::time::UnixMs;

impl Hinted for Refusal {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::WrongNetwork { asked, .. } => Some(format!("use a node on {asked}").into()),
            Self::AboveCap { .. } => Some("raise the endpoint's at_most_sats and plan again".into()),
            Self::PriceChanged { planned, asked } if asked < planned => {
                Some("set the new price in the manifest's endpoint and plan again, or leave --exact-price out".into())
            }
            Self::PriceChanged { .. } => Some("set the new price in the manifest's endpoint and plan again".into()),
            Self::InvoiceExpired { .. } => Some("run again for a new one".into()),
            Self::InvoiceInvalid(_)
            | Self::ChallengeInvalid
            | Self::OtherBody
            | Self::UncheckedBody
            | Self::InvoiceLife { .. } => None,
        }
    }
}

/// What the plan and the node say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The job's price by the plan, in msat.
    pub price: Msat,
    /// That price is a cap: an invoice at or below it is as planned.
    pub is_cap: bool,
    /// An invoice below a price that is no cap is refused, too.
    pub is_exact: bool,
    /// The node's network.
    pub network: Network,
    /// The time, by the node's clock where it is known.
    pub now: UnixMs,
    /// The invoice must not expire within so many milliseconds: its payment takes that long.
    pub min_lifetime_ms: i64,
    /// It must not live for more than so many milliseconds: while it lives, a doubt about it does not end.
    pub max_lifetime_ms: i64,
}

/// A challenge that passed every check. Only [`check`] makes one, and an intent is made from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedChallenge {
    challenge: Challenge,
    invoice: Invoice,
    expires_at: UnixMs,
}

/// Why a challenge is not paid. Nothing was spent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The invoice cannot be read, is not signed, or has no amount.
    #[error("{0}; nothing was paid")]
    InvoiceInvalid(#[from] InvoiceError),
    /// The token is bound to another payment hash than the invoice's: paying would not make it valid. Or a `Payment`
    /// charge says another hash or amount than its invoice.
    #[error("the token is bound to another payment than the invoice; nothing was paid")]
    ChallengeInvalid,
    /// A `Payment` charge that is for a request with another body than the one that was sent.
    #[error("the challenge is for another request than was sent, by the digest of its body; nothing was paid")]
    OtherBody,
    /// A `Payment` charge that says in a way that cannot be checked for which body it is.
    #[error("the challenge's digest of the body cannot be checked (sha-256 can); nothing was paid")]
    UncheckedBody,
    /// The invoice is of another network than the node's.
    #[error("the invoice is for {asked} and the node is on {node}")]
    WrongNetwork {
        /// The network that the node is on.
        node: Network,
        /// The network that the invoice is for.
        asked: Network,
    },
    /// The origin asks more than the plan's price, or another one where it has to be exact.
    #[error("the plan says {} and the origin asks {}", alike([*planned, *asked])[0], alike([*planned, *asked])[1])]
    PriceChanged {
        /// The price by the plan, in msat.
        planned: Msat,
        /// The amount of the invoice, in msat.
        asked: Msat,
    },
    /// The origin asks more than the cap of the price.
    #[error("the origin asks {}, above the cap of {}", alike([*asked, *cap])[0], alike([*asked, *cap])[1])]
    AboveCap {
        /// The most that it may ask by the plan, in msat.
        cap: Msat,
        /// The amount of the invoice, in msat.
        asked: Msat,
    },
    /// The invoice expires before its payment could finish.
    #[error("the invoice expires at {expires_at}, too soon to be paid")]
    InvoiceExpired {
        /// When it expires.
        expires_at: UnixMs,
    },
    /// The invoice can be paid for too long.
    #[error(
        "the invoice can be paid until {expires_at}, which is later than allowed (--max-invoice-life); nothing was paid"
    )]
    InvoiceLife {
        /// Until when it can be paid.
        expires_at: UnixMs,
    },
}

/// Checks a challenge against the plan and the node.
///
/// # Errors
/// Where anything does not fit. Nothing has been paid then.
pub fn check(challenge: Challenge, expected: &Expected) -> Result<CheckedChallenge, Refusal> {
    let invoice = Invoice::read(&challenge.invoice)?;
    let is_bound = match challenge.scheme {
        Scheme::L402 | Scheme::Lsat => {
            macaroon::payment_hash_of(challenge.token.reveal()).is_none_or(|bound| bound == invoice.hash)
        }
        Scheme::Payment => mpp::agrees(&challenge, &invoice),
    };
    if !is_bound {
        return Err(Refusal::ChallengeInvalid);
    }
    if invoice.network != expected.network {
        return Err(Refusal::WrongNetwork { node: expected.network, asked: invoice.network });
    }
    let asked = invoice.amount;
    match expected {
        Expected { price: cap, is_cap: true, .. } if asked > *cap => {
            return Err(Refusal::AboveCap { cap: *cap, asked });
        }
        Expected { is_cap: true, .. } => {}
        Expected { price: planned, is_exact, .. } if asked > *planned || (*is_exact && asked != *planned) => {
            return Err(Refusal::PriceChanged { planned: *planned, asked });
        }
        Expected { .. } => {}
    }
    let expires_at = mpp::expires_at(&challenge).map_or(invoice.expires_at, |at| at.min(invoice.expires_at));
    if expires_at < expected.now.plus_ms(expected.min_lifetime_ms) {
        return Err(Refusal::InvoiceExpired { expires_at });
    }
    if invoice.expires_at > expected.now.plus_ms(expected.max_lifetime_ms) {
        return Err(Refusal::InvoiceLife { expires_at: invoice.expires_at });
    }
    Ok(CheckedChallenge { challenge, invoice, expires_at })
}

/// Checks that a challenge is for a request with a body of that SHA-256.
///
/// # Errors
/// Where it is for another body, or says so in a way that cannot be checked.
pub fn check_body(challenge: &Challenge, sha256: impl FnOnce() -> [u8; 32]) -> Result<(), Refusal> {
    match mpp::fits_body(challenge, sha256) {
        Fit::Fits => Ok(()),
        Fit::Other => Err(Refusal::OtherBody),
        Fit::Unchecked => Err(Refusal::UncheckedBody),
    }
}

impl CheckedChallenge {
    /// The challenge as it was received.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Its invoice, verified.
    #[must_use]
    pub const fn invoice(&self) -> &Invoice {
        &self.invoice
    }

    /// When invoice or charge expires, by the node's clock: whichever is first.
    #[must_use]
    pub const fn expires_at(&self) -> UnixMs {
        self.expires_at
    }

    /// Both, to be moved into an intent.
    #[must_use]
    pub fn into_parts(self) -> (Challenge, Invoice) {
        (self.challenge, self.invoice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l402::samples;

    const HASH: [u8; 32] = [5; 32];

    fn challenge(token: &str, invoice: &str) -> Challenge {
        Challenge::read([format!("L402 macaroon=\"{token}\", invoice=\"{invoice}\"").as_str()]).unwrap()
    }

    fn expected() -> Expected {
        Expected {
            price: Msat::new(2_750_000),
            is_cap: false,
            is_exact: false,
            network: Network::Regtest,
            now: UnixMs::from_secs(1_790_000_000),
            min_lifetime_ms: 60_000,
            max_lifetime_ms: 8 * 86_400_000,
        }
    }

    #[test]
    fn what_fits_passes_with_all_its_parts() {
        let text = samples::sats(2_750, HASH);
        let checked = check(challenge("opaque", &text), &expected()).unwrap();
        assert_eq!(checked.challenge().invoice, text);
        assert_eq!(checked.invoice().hash.0, HASH);
        let (challenge, invoice) = checked.into_parts();
        assert_eq!((challenge.token.reveal(), invoice.amount), ("opaque", Msat::new(2_750_000)));
    }

    #[test]
    fn another_price_is_refused_with_both_numbers_and_a_lower_one_is_where_it_has_to_be_exact() {
        for (asked, is_exact) in [(2_749, true), (2_751, true), (2_751, false)] {
            let expected = Expected { is_exact, ..expected() };
            let refusal = check(challenge("t", &samples::sats(asked, HASH)), &expected).unwrap_err();
            let asked = Msat::new(asked * 1_000);
            assert_eq!(refusal, Refusal::PriceChanged { planned: Msat::new(2_750_000), asked });
            assert_eq!(refusal.to_string(), format!("the plan says 2,750 sats and the origin asks {asked}"));
            assert!(refusal.hint().is_some_and(|hint| hint.contains("set the new price")));
        }
        let checked = check(challenge("t", &samples::sats(2_749, HASH)), &expected()).unwrap();
        assert_eq!(checked.invoice().amount, Msat::new(2_749_000));
        let by_a_little = Refusal::PriceChanged { planned: Msat::new(2_750_000), asked: Msat::new(2_750_001) };
        assert!(by_a_little.to_string() == "the plan says 2,750,000 msat and the origin asks 2,750,001 msat");
    }

    #[test]
    fn within_a_cap_the_invoice_decides_and_above_it_is_refused() {
        for is_exact in [false, true] {
            let capped = Expected { is_cap: true, is_exact, ..expected() };
            for asked in [1, 2_749, 2_750] {
                let checked = check(challenge("t", &samples::sats(asked, HASH)), &capped).unwrap();
                assert_eq!(checked.invoice().amount, Msat::new(asked * 1_000));
            }
            let refusal = check(challenge("t", &samples::sats(2_751, HASH)), &capped).unwrap_err();
            assert_eq!(refusal.to_string(), "the origin asks 2,751 sats, above the cap of 2,750 sats");
            assert!(refusal.hint().is_some_and(|hint| hint.contains("at_most_sats")));
        }
    }

    #[test]
    fn network_invoice_and_expiry_are_checked() {
        let text = samples::sats(2_750, HASH);
        let mainnet = Expected { network: Network::Mainnet, ..expected() };
        let refusal = check(challenge("t", &text), &mainnet).unwrap_err();
        assert_eq!(refusal, Refusal::WrongNetwork { node: Network::Mainnet, asked: Network::Regtest });

        assert!(matches!(check(challenge("t", "lnbc1broken"), &expected()), Err(Refusal::InvoiceInvalid(_))));

        let expires_at = UnixMs::from_secs(1_790_003_600);
        let last = Expected { now: expires_at.plus_ms(-60_000), ..expected() };
        assert!(check(challenge("t", &text), &last).is_ok());
        let late = Expected { now: last.now.plus_ms(1), ..last };
        assert_eq!(check(challenge("t", &text), &late), Err(Refusal::InvoiceExpired { expires_at }));

        // An invoice of which a doubt would last too long: its own expiry counts, whatever the charge around it says.
        let longest = Expected { now: expires_at.plus_ms(-700_000), max_lifetime_ms: 700_000, ..expected() };
        assert!(check(challenge("t", &text), &longest).is_ok());
        let too_long = Expected { max_lifetime_ms: 699_999, ..longest };
        assert_eq!(check(challenge("t", &text), &too_long), Err(Refusal::InvoiceLife { expires_at }));
    }

    #[cfg(feature = "sandbox")]
    #[test]
    fn a_token_bound_to_another_payment_is_refused() {
        let token = |hash: [u8; 32]| super::super::mint::mint(b"k", &[&[0, 0][..], &hash, &[1; 32]].concat(), &[], "");
        let text = samples::sats(2_750, HASH);
        assert!(check(challenge(&token(HASH), &text), &expected()).is_ok());
        assert_eq!(check(challenge(&token([6; 32]), &text), &expected()), Err(Refusal::ChallengeInvalid));
    }
}
