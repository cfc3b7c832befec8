//! How a service deals with whoever pays: which scheme it takes, whether what is paid may be offered to it twice, how
//! long it is waited for, and for how many requests one purchase is good.

use serde::{Deserialize, Serialize};

/// A paid job is asked for at least this long, in seconds, before a person has to decide.
const PATIENCE_S: u32 = 86_400;

/// What an entry says of dealing with its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The scheme to pay by; none is the first of L402, LSAT and Payment that the challenge offers.
    #[serde(default)]
    pub scheme: Option<AuthScheme>,
    /// What a second redeem of one purchase brings.
    #[serde(default)]
    pub redeem: RedeemRule,
    /// So many seconds, from the first success that was answered (else from the payment), nothing that the origin says but
    /// a refund ends a paid job.
    #[serde(default = "usual_patience")]
    pub patience_s: u32,
    /// For how many requests one purchase is good.
    #[serde(default, skip_serializing_if = "CredentialRule::is_single")]
    pub credential: CredentialRule,
}

/// The authentication scheme by which an endpoint is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "lowercase")]
pub enum AuthScheme {
    /// L402, or LSAT, its old name.
    L402,
    /// The Payment scheme (MPP).
    Payment,
}

/// What happens where a request is sent again with a credential that was answered with success before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "lowercase")]
pub enum RedeemRule {
    /// Nobody says: it may be made a second time, or be refused. So it is not sent.
    #[default]
    Once,
    /// The service gives the same purchase again.
    Replays,
}

/// For how many requests what one purchase brings is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "lowercase")]
pub enum CredentialRule {
    /// For the one that it was bought for.
    #[default]
    Single,
    /// For further ones to the same endpoint, until the service refuses it.
    Reusable,
}

impl CredentialRule {
    /// Whether it is that of an entry that says nothing of it.
    const fn is_single(&self) -> bool {
        matches!(self, Self::Single)
    }
}

const fn usual_patience() -> u32 {
    PATIENCE_S
}

impl Default for Terms {
    fn default() -> Self {
        Self { scheme: None, redeem: RedeemRule::Once, patience_s: PATIENCE_S, credential: CredentialRule::Single }
    }
}

impl Terms {
    /// Whether they are those of an entry that says nothing of them.
    #[must_use]
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// How long a paid job is asked for, in milliseconds.
    #[must_use]
    pub fn patience_ms(&self) -> i64 {
        i64::from(self.patience_s).saturating_mul(1_000)
    }
}
