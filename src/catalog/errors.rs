//! What the error codes of an endpoint's answers mean: data of its entry.

use serde::{Deserialize, Serialize};

/// What one error code means, before the payment and after it. The same word is two situations: before, nothing is
/// spent; after, only the origin's clear word ends the purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRule {
    /// The code, in upper case, as it stands in `error_code` or `X-Error-Code`.
    pub code: String,
    /// What it means in the answer to an unpaid request.
    pub before: Treatment,
    /// What it means in the answer to what is paid.
    pub after: Treatment,
}

/// How an answer with an error code is treated. None of them ever pays again, and a result that the answer holds is
/// taken whatever its code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Treatment {
    /// Again after the time given; what is paid: the same credential and bytes.
    Retry,
    /// The same, and said to be the origin's limit of requests.
    RateLimited,
    /// Never again before the payment. After it, as with the next two: a word against it, which is not its last while the
    /// endpoint's patience lasts.
    Never,
    /// Never again: the request itself is wrong.
    InvalidInput,
    /// Never again: a content filter rejects it.
    ContentFiltered,
    /// Before the payment only: nothing is sold here.
    NotForSale,
    /// After the payment only: the same credential and bytes again; a job that is polled has failed.
    RedeemAgain,
    /// After the payment only: it will not be delivered, and the money is offered back.
    Refund,
    /// An answer from a cache of identical requests: no purchase of its own; again after the window.
    Cached,
    /// As though there was no code.
    ByStatus,
}

impl Treatment {
    /// Every treatment.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The word, as an entry has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The treatment of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Whether it means anything before the payment.
    #[must_use]
    pub const fn is_of_before(self) -> bool {
        !matches!(self, Self::RedeemAgain | Self::Refund)
    }

    /// Whether it means anything after the payment.
    #[must_use]
    pub const fn is_of_after(self) -> bool {
        !matches!(self, Self::NotForSale)
    }
}

impl ErrorRule {
    /// A code with one treatment: where that means nothing, the status decides.
    #[must_use]
    pub fn of(code: &str, treatment: Treatment) -> Self {
        let where_it_means = |means: bool| if means { treatment } else { Treatment::ByStatus };
        Self {
            code: code.to_ascii_uppercase(),
            before: where_it_means(treatment.is_of_before()),
            after: where_it_means(treatment.is_of_after()),
        }
    }
}
