//! Refunds: money that an origin gives back for what it was paid and did not deliver.
//!
//! For each there is one invoice of our own node's, ever. It is durable before it is handed over, and only the ledger makes
//! the type that handing over takes.

use std::sync::Arc;

use url::Url;

use crate::catalog::Endpoint;
use crate::l402::{Network, PaymentHash};
use crate::money::Msat;
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

use super::{AnswerKey, PaymentKey};

/// One thing to make durable about the refund of a payment.
#[derive(Clone)]
pub enum RefundRecord {
    /// The origin offers the money back. The job becomes `refund_offered`.
    Offered {
        /// The answer that said so.
        answer: AnswerKey,
        /// The link to claim it with, as received; none where it names none.
        link: Option<String>,
        /// In words, for a person.
        message: String,
    },
    /// Its invoice was made, and is about to be handed over for the first time. There is never another one.
    Invoiced(Box<RefundInvoice>),
    /// The same invoice is about to be handed over again.
    HandedOver {
        /// The address to which the invoice is handed over.
        callback: Url,
        /// What goes with it.
        k1: String,
    },
    /// It is not settled so far.
    Waits {
        /// How it stands: `refund_offered`, `refund_pending`, `refund_not_permitted` or `refund_failed`.
        reason: Reason,
        /// In words, for a person.
        words: String,
    },
    /// Our own node says that its invoice is paid. The job becomes `refunded`.
    Settled {
        /// What came back, in msat.
        received: Msat,
    },
    /// Our own node says that its invoice can never be paid any more. The job stays `refund_offered`, for a person.
    Expired {
        /// In words, for a person.
        words: String,
    },
}

/// An invoice for a refund, to be made durable before it is handed over.
#[derive(Clone)]
pub struct RefundInvoice {
    /// The BOLT11 invoice.
    pub invoice: String,
    /// Its payment hash.
    pub hash: PaymentHash,
    /// What it asks for.
    pub amount: Msat,
    /// When it expires.
    pub expires_at: UnixMs,
    /// The node that made it.
    pub node: WalletId,
    /// Where it is handed over.
    pub callback: Url,
    /// What goes with it.
    pub k1: String,
}

impl std::fmt::Debug for RefundRecord {
    /// Without link and `k1`: whoever has them can have the money.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offered { answer, .. } => write!(f, "Offered({answer:?})"),
            Self::Invoiced(invoice) => write!(f, "Invoiced({}, {})", invoice.hash, invoice.amount),
            Self::HandedOver { .. } => f.write_str("HandedOver"),
            Self::Waits { reason, words } => write!(f, "Waits({reason:?}, {words})"),
            Self::Settled { received } => write!(f, "Settled({received})"),
            Self::Expired { words } => write!(f, "Expired({words})"),
        }
    }
}

/// A refund that is offered and not settled.
#[derive(Clone)]
pub struct OpenRefund {
    /// The payment that is given back.
    pub payment: PaymentKey,
    /// The job's id.
    pub id: String,
    /// Which purchase of it.
    pub take: u32,
    /// What was bought.
    pub endpoint: Arc<Endpoint>,
    /// The address that sold it.
    pub seller: Url,
    /// The job's state as last recorded.
    pub state: JobState,
    /// The job's reason as last recorded.
    pub reason: Reason,
    /// What was last recorded of the refund, in words.
    pub words: Option<String>,
    /// The job's price by the plan, in msat.
    pub price: Msat,
    /// What was paid, without the routing fee.
    pub paid: Msat,
    /// The hash of that payment.
    pub hash: PaymentHash,
    /// The network of that payment.
    pub network: Network,
    /// The node that paid.
    pub node: WalletId,
    /// The link to claim it with. A secret.
    pub link: String,
    /// Its invoice, once there is one.
    pub invoice: Option<DurableInvoice>,
}

impl std::fmt::Debug for OpenRefund {
    /// Without the link.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenRefund")
            .field("payment", &self.payment)
            .field("id", &self.id)
            .field("invoice", &self.invoice)
            .finish_non_exhaustive()
    }
}

/// The one invoice of a refund, which is durable. Only a ledger makes one, and handing over takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableInvoice {
    pub(in crate::ledger) invoice: String,
    pub(in crate::ledger) hash: PaymentHash,
    pub(in crate::ledger) amount: Msat,
    pub(in crate::ledger) made_at: UnixMs,
    pub(in crate::ledger) expires_at: UnixMs,
    pub(in crate::ledger) node: WalletId,
}

impl DurableInvoice {
    /// The BOLT11 invoice.
    #[must_use]
    pub fn invoice(&self) -> &str {
        &self.invoice
    }
    /// Its payment hash.
    #[must_use]
    pub const fn hash(&self) -> &PaymentHash {
        &self.hash
    }
    /// What it asks for.
    #[must_use]
    pub const fn amount(&self) -> Msat {
        self.amount
    }
    /// When it became durable.
    #[must_use]
    pub const fn made_at(&self) -> UnixMs {
        self.made_at
    }
    /// When it expires.
    #[must_use]
    pub const fn expires_at(&self) -> UnixMs {
        self.expires_at
    }
    /// The node that made it, which alone knows whether it is paid.
    #[must_use]
    pub const fn node(&self) -> &WalletId {
        &self.node
    }
}

/// How a refund stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum RefundStanding {
    /// Offered, and nothing was handed over.
    Offered,
    /// Its invoice was handed over.
    #[strum(serialize = "claimed")]
    Invoiced,
    /// The money came.
    Settled,
    /// Its invoice can never be paid any more.
    Expired,
}

impl RefundStanding {
    /// The word for it, as results, events and the ledger have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub(in crate::ledger) fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Whether there is something left to do for a refund that stands so: to look up its invoice, or to hand one over, where there is a
    /// link to hand it over by and the job waits for that.
    pub(in crate::ledger) const fn is_open(self, has_link: bool, job: JobState) -> bool {
        match self {
            Self::Invoiced => true,
            Self::Offered => has_link && matches!(job, JobState::RefundOffered),
            Self::Settled | Self::Expired => false,
        }
    }

    /// Whether nothing becomes of it any more.
    pub(in crate::ledger) const fn is_at_its_end(self) -> bool {
        match self {
            Self::Offered | Self::Invoiced => false,
            Self::Settled | Self::Expired => true,
        }
    }
}

/// One refund, for views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRow {
    /// The batch's name.
    pub batch: String,
    /// The job's id.
    pub id: String,
    /// Which purchase of it.
    pub take: u32,
    /// The job's state.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// How the refund stands.
    pub standing: RefundStanding,
    /// What was paid, without the routing fee.
    pub paid: Msat,
    /// The hash of that payment.
    pub payment_hash: PaymentHash,
    /// The address that sold it.
    pub seller: String,
    /// The link to claim it with. A secret: only for a person who asks for the proof.
    pub link: Option<String>,
    /// When it was offered.
    pub offered_at: UnixMs,
    /// Its invoice, once there is one.
    pub invoice: Option<RefundInvoiceRow>,
    /// What came back, in msat.
    pub received: Option<Msat>,
    /// When that was known.
    pub settled_at: Option<UnixMs>,
    /// What was last recorded of it, in words.
    pub words: Option<String>,
    /// When that was recorded.
    pub words_at: Option<UnixMs>,
}

/// The invoice of a refund, for views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundInvoiceRow {
    /// Its payment hash.
    pub hash: PaymentHash,
    /// What it asks for.
    pub amount: Msat,
    /// The BOLT11 invoice.
    pub invoice: String,
    /// The public key of the node that made it.
    pub node: String,
    /// When it was made durable.
    pub made_at: UnixMs,
    /// When it expires.
    pub expires_at: UnixMs,
    /// How often it was handed over, or was about to be.
    pub handovers: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_open_where_its_invoice_is_out_or_can_be_handed_over() {
        let offered = |has_link, job| RefundStanding::Offered.is_open(has_link, job);
        assert!(offered(true, JobState::RefundOffered));
        assert!(!offered(false, JobState::RefundOffered) && !offered(true, JobState::Lost));
        assert!(RefundStanding::Invoiced.is_open(false, JobState::Lost), "money may still come");
        for ended in [RefundStanding::Settled, RefundStanding::Expired] {
            assert!(!ended.is_open(true, JobState::RefundOffered) && ended.is_at_its_end());
        }
    }
}
