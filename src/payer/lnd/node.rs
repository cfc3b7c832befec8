//! What LND's unary calls answer about the node itself. Pure: bytes to types, and a field that is missing or odd is
//! an error, never a default.

use serde::Deserialize;

use crate::l402::{Network, PaymentHash};
use crate::money::Msat;
use crate::payer::{NodeInfo, NodeProblem, ProblemKind};
use crate::purchase::WalletId;
use crate::time::UnixMs;

use super::hint::{self, advised};
use super::stream::Field;
use crate::terminal_text::printable;

/// Hex digits of a compressed public key.
const PUBKEY_HEX_DIGITS: usize = 66;

#[derive(Deserialize)]
struct State {
    state: String,
}

#[derive(Deserialize)]
struct Info {
    identity_pubkey: String,
    version: String,
    synced_to_chain: bool,
    chains: Vec<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    network: String,
}

#[derive(Deserialize)]
struct Balance<'a> {
    #[serde(borrow)]
    local_balance: Amount<'a>,
}

#[derive(Deserialize)]
struct Amount<'a> {
    #[serde(borrow)]
    msat: Field<'a>,
}

#[derive(Deserialize)]
struct Payments<'a> {
    #[serde(borrow)]
    payments: Vec<Settled<'a>>,
}

#[derive(Deserialize)]
struct Settled<'a> {
    #[serde(borrow)]
    payment_hash: Field<'a>,
    #[serde(borrow)]
    status: Field<'a>,
}

#[derive(Deserialize)]
struct ChannelList<'a> {
    #[serde(borrow)]
    channels: Vec<Channel<'a>>,
}

#[derive(Deserialize)]
struct Channel<'a> {
    active: bool,
    #[serde(borrow)]
    local_balance: Field<'a>,
    #[serde(borrow)]
    local_constraints: Constraints<'a>,
}

#[derive(Deserialize)]
struct Constraints<'a> {
    #[serde(borrow)]
    chan_reserve_sat: Field<'a>,
    #[serde(borrow)]
    max_pending_amt_msat: Field<'a>,
}

/// What the active channels can send one by one, as far as the node's own side of them tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// How many are active.
    pub active_count: u64,
    /// The largest payment that one of them alone could carry: its balance without the reserve, and no more than may be
    /// under way in it. What the peer and the channels behind it allow may be less.
    pub largest_payment: Msat,
    /// What all of them together could carry.
    pub all_payments: Msat,
}

/// Whether `/v1/state` says that the node takes calls.
pub(super) fn ready(body: &[u8]) -> Result<(), NodeProblem> {
    let State { state } = read(body, "/v1/state")?;
    match state.as_str() {
        "SERVER_ACTIVE" => Ok(()),
        "LOCKED" => Err(advised(ProblemKind::Locked)),
        "UNLOCKED" | "RPC_ACTIVE" | "WAITING_TO_START" => Err(advised(ProblemKind::Starting)),
        "NON_EXISTING" => Err(hint::no_wallet()),
        other => Err(hint::other(format!("/v1/state says {}", printable(other)))),
    }
}

/// Who the node is, as `/v1/getinfo` says.
pub(super) fn info(body: &[u8], node_time: Option<UnixMs>) -> Result<NodeInfo, NodeProblem> {
    let info: Info = read(body, "/v1/getinfo")?;
    let id = info.identity_pubkey.to_ascii_lowercase();
    if id.len() != PUBKEY_HEX_DIGITS || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(not_understood("/v1/getinfo", "identity_pubkey is no public key"));
    }
    let network = match info.chains.first() {
        Some(chain) => Network::from_name(&chain.network).ok_or_else(|| {
            not_understood("/v1/getinfo", &format!("an unknown network, {}", printable(&chain.network)))
        })?,
        None => return Err(not_understood("/v1/getinfo", "no chain")),
    };
    Ok(NodeInfo {
        id: WalletId(id),
        network,
        synced: info.synced_to_chain,
        version: printable(&info.version),
        node_time,
    })
}

/// What the channels can send at most, as `/v1/balance/channels` says.
pub(super) fn balance(body: &[u8]) -> Result<Msat, NodeProblem> {
    let balance: Balance<'_> = read(body, "/v1/balance/channels")?;
    let msat = balance.local_balance.msat.unsigned();
    msat.map(Msat::new).ok_or_else(|| not_understood("/v1/balance/channels", "local_balance.msat is no amount"))
}

/// What each active channel could send, as `/v1/channels` says.
pub(super) fn channels(body: &[u8]) -> Result<Channels, NodeProblem> {
    let list: ChannelList<'_> = read(body, "/v1/channels")?;
    let mut found = Channels { active_count: 0, largest_payment: Msat::ZERO, all_payments: Msat::ZERO };
    for channel in list.channels.iter().filter(|channel| channel.active) {
        let wrong = || not_understood("/v1/channels", "a channel's amounts are none");
        let sendable = sendable(channel).ok_or_else(wrong)?;
        found.active_count += 1;
        found.largest_payment = found.largest_payment.max(sendable);
        found.all_payments = found.all_payments.checked_add(sendable).ok_or_else(wrong)?;
    }
    Ok(found)
}

fn sendable(channel: &Channel<'_>) -> Option<Msat> {
    let sats = |field: &Field<'_>| field.unsigned()?.checked_mul(1_000);
    let free = sats(&channel.local_balance)?.saturating_sub(sats(&channel.local_constraints.chan_reserve_sat)?);
    Some(Msat::new(free.min(channel.local_constraints.max_pending_amt_msat.unsigned()?)))
}

/// The hash of the newest payment in a page of `/v1/payments` of settled ones, which LND orders oldest first; none where it is
/// empty.
pub(super) fn newest_settled(body: &[u8]) -> Result<Option<PaymentHash>, NodeProblem> {
    let page: Payments<'_> = read(body, "/v1/payments")?;
    let Some(newest) = page.payments.last() else { return Ok(None) };
    if newest.status.text() != "SUCCEEDED" {
        return Err(not_understood("/v1/payments", "a payment that has not succeeded is listed as one that has"));
    }
    let hash = PaymentHash::from_hex(newest.payment_hash.text());
    hash.map(Some).ok_or_else(|| not_understood("/v1/payments", "payment_hash is no hash"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8], path: &str) -> Result<T, NodeProblem> {
    serde_json::from_slice(body).map_err(|error| not_understood(path, &printable(&error.to_string())))
}

pub(super) fn not_understood(path: &str, what: &str) -> NodeProblem {
    hint::other(format!("{path}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "02c0ffee00000000000000000000000000000000000000000000000000c0ffee00";

    fn getinfo(key: &str, network: &str) -> String {
        format!(
            r#"{{"identity_pubkey":"{key}","version":"0.21.2-beta commit=","synced_to_chain":true,"x":{{}},
               "chains":[{{"chain":"bitcoin","network":"{network}"}}]}}"#
        )
    }

    #[test]
    fn each_state_has_its_words() {
        let of = |state: &str| ready(format!(r#"{{"state":"{state}"}}"#).as_bytes());
        assert_eq!(of("SERVER_ACTIVE"), Ok(()));
        assert_eq!(of("LOCKED"), Err(advised(ProblemKind::Locked)));
        for state in ["UNLOCKED", "RPC_ACTIVE", "WAITING_TO_START"] {
            assert_eq!(of(state), Err(advised(ProblemKind::Starting)));
        }
        assert!(of("NON_EXISTING").unwrap_err().hint.is_some_and(|hint| hint.contains("lncli create")));
        assert!(matches!(of("NEW"), Err(NodeProblem { kind: ProblemKind::Other(_), .. })));
        assert!(matches!(ready(b"{}"), Err(NodeProblem { kind: ProblemKind::Other(_), .. })));
    }

    #[test]
    fn identity_network_and_sync_are_read() {
        let read = info(getinfo(KEY, "regtest").as_bytes(), Some(UnixMs(5))).unwrap();
        assert_eq!((read.id.0.as_str(), read.network, read.synced), (KEY, Network::Regtest, true));
        assert_eq!((read.version.as_str(), read.node_time), ("0.21.2-beta commit=", Some(UnixMs(5))));
    }

    #[test]
    fn a_node_that_cannot_be_named_is_refused() {
        for body in [getinfo("", "regtest"), getinfo("zz", "regtest"), getinfo(KEY, "dogecoin"), "{}".to_owned()] {
            assert!(
                matches!(info(body.as_bytes(), None), Err(NodeProblem { kind: ProblemKind::Other(_), .. })),
                "{body}"
            );
        }
    }

    #[test]
    fn a_balance_is_an_amount_or_an_error() {
        assert_eq!(balance(br#"{"balance":"5","local_balance":{"sat":"5","msat":"5432"}}"#), Ok(Msat::new(5_432)));
        for body in ["{}", r#"{"local_balance":{}}"#, r#"{"local_balance":{"msat":"-1"}}"#, "[]", ""] {
            assert!(balance(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_channel_carries_what_is_free_in_it_and_may_be_under_way() {
        let channel = |active: bool, balance: &str, reserve: &str, pending: &str| {
            format!(
                r#"{{"active":{active},"local_balance":"{balance}","x":1,"local_constraints":{{"csv_delay":144,
                   "chan_reserve_sat":"{reserve}","max_pending_amt_msat":"{pending}"}}}}"#
            )
        };
        let of = |list: &[String]| channels(format!(r#"{{"channels":[{}]}}"#, list.join(",")).as_bytes());
        let nothing = Channels { active_count: 0, largest_payment: Msat::ZERO, all_payments: Msat::ZERO };
        assert_eq!(of(&[]), Ok(nothing));
        let list = [
            channel(true, "1000", "100", "99000000"),
            channel(true, "5000", "100", "1200000"),
            channel(true, "50", "100", "99000000"),
            channel(false, "9000", "100", "99000000"),
        ];
        let (largest_payment, all_payments) = (Msat::new(1_200_000), Msat::new(2_100_000));
        assert_eq!(of(&list), Ok(Channels { active_count: 3, largest_payment, all_payments }));
        for body in ["{}", r#"{"channels":[{"active":true}]}"#] {
            assert!(channels(body.as_bytes()).is_err(), "{body}");
        }
        assert!(of(&[channel(true, "-1", "0", "1")]).is_err());
    }

    #[test]
    fn an_emptied_history_differs_from_one_that_was_not_read() {
        let page = |hash: &str, status: &str| {
            format!(r#"{{"payments":[{{"payment_hash":"{hash}","status":"{status}","payment_index":"7"}}]}}"#)
        };
        let hash = "4f346baedb3ff15e0d4a3a0e0d9a5d2f6a2f7c1a5b2b9d6b4b1c9d2e3f4a5b6c";
        assert_eq!(newest_settled(br#"{"payments":[]}"#), Ok(None));
        assert_eq!(newest_settled(page(hash, "SUCCEEDED").as_bytes()), Ok(PaymentHash::from_hex(hash)));
        let odd = [page(hash, "FAILED"), page("x", "SUCCEEDED"), r#"{"payments":[{}]}"#.to_owned()];
        for body in odd.iter().map(String::as_str).chain(["{}", r#"{"payments":null}"#]) {
            assert!(newest_settled(body.as_bytes()).is_err(), "{body}");
        }
    }
}
