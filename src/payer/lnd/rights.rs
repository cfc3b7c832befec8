//! What a macaroon of lnd's says that it allows. lnd writes the rights into the macaroon's own identifier, so that they can
//! be read without asking anybody; that the node honours them, only the node can say.
//!
//! The identifier is the byte 3, and then a protocol-buffers message: nonce (1), id of the root key (2), operations (3), each
//! an entity (1) and its actions (2). A right to one call alone is the entity `uri` with the call as its action.

use std::collections::BTreeSet;

use crate::l402::{Network, macaroon};
use crate::terminal_text::printable;

/// The version of lnd's identifiers.
const VERSION: u8 = 3;
/// A protocol-buffers field that is length-delimited.
const DELIMITED: u64 = 2;
const OPS: u64 = 3;
const ENTITY: u64 = 1;
const ACTION: u64 = 2;
/// The entity of a right to one call.
const URI: &str = "uri";

/// A call that this program makes, and what lnd asks for it.
struct Call {
    uri: &'static str,
    entity: &'static str,
    action: &'static str,
}

const fn call(uri: &'static str, entity: &'static str, action: &'static str) -> Call {
    Call { uri, entity, action }
}

/// What a run, a recovery and an audit need.
const NEEDED: [Call; 5] = [
    call("/lnrpc.Lightning/GetInfo", "info", "read"),
    call("/lnrpc.Lightning/ChannelBalance", "offchain", "read"),
    call("/lnrpc.Lightning/ListPayments", "offchain", "read"),
    call("/routerrpc.Router/SendPaymentV2", "offchain", "write"),
    call("/routerrpc.Router/TrackPaymentV2", "offchain", "read"),
];

/// What only a check of the node's channels needs.
const USEFUL: [Call; 1] = [call("/lnrpc.Lightning/ListChannels", "offchain", "read")];

/// What receiving refunds needs: making invoices, which is no danger to anybody's money.
const RECEIVING: [Call; 2] = [
    call("/lnrpc.Lightning/AddInvoice", "invoices", "write"),
    call("/lnrpc.Lightning/LookupInvoice", "invoices", "read"),
];

/// One right: to do something with an entity, or to one call (`uri` and its name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// `onchain`, `offchain`, `info`, `uri`, …
    pub entity: String,
    /// `read`, `write`, `generate`, or the call's name.
    pub action: String,
}

/// What a macaroon says that it allows, and under which conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    rights: BTreeSet<Right>,
    /// Its conditions, as they stand in it: `time-before …`, `ipaddr …`, `lnd-custom account …`.
    pub conditions: Vec<String>,
}

impl Rights {
    pub(super) fn of_macaroon(bytes: &[u8]) -> Option<Self> {
        let inside = macaroon::inside(bytes)?;
        let conditions = inside.caveats.iter().map(|caveat| printable(&String::from_utf8_lossy(caveat))).collect();
        Some(Self { rights: rights(&inside.identifier)?, conditions })
    }

    /// The calls that paying needs and that it does not allow.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        NEEDED.iter().filter(|call| !self.allow(call)).map(|call| call.uri).collect()
    }

    /// Whether the channels may be looked at one by one.
    #[must_use]
    pub fn show_channels(&self) -> bool {
        USEFUL.iter().all(|call| self.allow(call))
    }

    /// Whether refunds can be received: invoices made, and looked up.
    #[must_use]
    pub fn receive_refunds(&self) -> bool {
        RECEIVING.iter().all(|call| self.allow(call))
    }

    /// The rights that go beyond paying: whatever writes, makes or signs and is not a single harmless call.
    #[must_use]
    pub fn beyond_paying(&self) -> Vec<&Right> {
        let known = |uri: &str| NEEDED.iter().chain(&USEFUL).chain(&RECEIVING).any(|call| call.uri == uri);
        let invoices = |right: &Right| right.entity == "invoices" && right.action == "write";
        let needs_no_alarm = |right: &Right| {
            if right.entity == URI { known(&right.action) } else { right.action == "read" || invoices(right) }
        };
        self.rights.iter().filter(|right| !needs_no_alarm(right)).collect()
    }

    /// Whether it is bound to an account of litd's, which can spend no more than its own balance and sees no channel.
    #[must_use]
    pub fn is_account(&self) -> bool {
        self.conditions.iter().any(|condition| condition.starts_with("lnd-custom account "))
    }

    /// The rights, one after the other in words: `onchain:write`.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.rights.iter().map(ToString::to_string).collect()
    }

    fn allow(&self, call: &Call) -> bool {
        let has = |entity: &str, action: &str| {
            self.rights.iter().any(|right| right.entity == entity && right.action == action)
        };
        has(URI, call.uri) || has(call.entity, call.action)
    }

    /// The command that bakes a macaroon which can pay, receive refunds, and nothing more.
    #[must_use]
    pub fn bake_command(network: Option<Network>) -> String {
        let network = match network {
            None | Some(Network::Mainnet) => String::new(),
            Some(other) => format!("--network={other} "),
        };
        let calls = NEEDED.iter().chain(&USEFUL).chain(&RECEIVING);
        let uris: Vec<String> = calls.map(|call| format!("{URI}:{}", call.uri)).collect();
        // lncli lets everybody on the machine read what it bakes.
        format!("lncli {network}bakemacaroon --save_to=payer.macaroon {} && chmod 600 payer.macaroon", uris.join(" "))
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", printable(&self.entity), printable(&self.action))
    }
}

fn rights(identifier: &[u8]) -> Option<BTreeSet<Right>> {
    let (version, message) = identifier.split_first()?;
    if *version != VERSION {
        return None;
    }
    let mut rights = BTreeSet::new();
    for op in fields(message, OPS)? {
        let entity = fields(op, ENTITY)?.first().copied().unwrap_or_default();
        for action in fields(op, ACTION)? {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
            rights.insert(Right { entity: text(entity)?, action: text(action)? });
        }
    }
    (!rights.is_empty()).then_some(rights)
}

/// Every value of that field of a protocol-buffers message, all of whose fields must be length-delimited.
fn fields(mut message: &[u8], wanted: u64) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        if key & 7 != DELIMITED {
            return None;
        }
        let length = usize::try_from(varint(&mut message)?).ok()?;
        let (value, rest) = message.split_at_checked(length)?;
        message = rest;
        if key >> 3 == wanted {
            found.push(value);
        }
    }
    Some(found)
}

/// A number in groups of seven bits, least first; none here needs more than four.
fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let length = [value.len() & 0x7f | 0x80, value.len() >> 7].map(|group| u8::try_from(group).unwrap());
        [&[number << 3 | 2], &length[..], value].concat()
    }

    fn identifier(ops: &[(&str, &[&str])]) -> Vec<u8> {
        let mut message = [vec![VERSION], field(1, &[7; 16]), field(2, b"0")].concat();
        for (entity, actions) in ops {
            let actions = actions.iter().flat_map(|action| field(2, action.as_bytes()));
            message.extend(field(3, &field(1, entity.as_bytes()).into_iter().chain(actions).collect::<Vec<_>>()));
        }
        message
    }

    fn of(ops: &[(&str, &[&str])]) -> Rights {
        Rights { rights: rights(&identifier(ops)).unwrap(), conditions: Vec::new() }
    }

    const ADMIN: [(&str, &[&str]); 3] =
        [("info", &["read", "write"]), ("offchain", &["read", "write"]), ("onchain", &["read", "write"])];

    #[test]
    fn an_admin_macaroon_may_pay_and_much_more() {
        let admin = of(&ADMIN);
        assert!(admin.missing().is_empty() && admin.show_channels());
        let beyond: Vec<String> = admin.beyond_paying().iter().map(ToString::to_string).collect();
        assert_eq!(beyond, ["info:write", "offchain:write", "onchain:write"]);
    }

    #[test]
    fn a_payers_macaroon_may_pay_and_no_more() {
        let command = Rights::bake_command(Some(Network::Regtest));
        assert!(
            command.starts_with("lncli --network=regtest bakemacaroon --save_to=payer.macaroon uri:/"),
            "{command}"
        );
        assert!(Rights::bake_command(Some(Network::Mainnet)).starts_with("lncli bakemacaroon "));
        let uris: Vec<String> =
            command.split(' ').filter_map(|word| Some(word.strip_prefix("uri:")?.to_owned())).collect();
        let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
        let payer = of(&[("uri", &uris)]);
        assert!(payer.missing().is_empty() && payer.show_channels() && payer.beyond_paying().is_empty());
        assert!(payer.receive_refunds() && !of(&[("uri", &uris[..6])]).receive_refunds());
        assert!(of(&[("invoices", &["read", "write"])]).receive_refunds());
        assert_eq!(payer.all().len(), uris.len());
        let without = of(&[("uri", &uris[..3])]);
        assert_eq!(without.missing(), ["/routerrpc.Router/SendPaymentV2", "/routerrpc.Router/TrackPaymentV2"]);
        let dangerous = of(&[("uri", &["/lnrpc.Lightning/SendCoins", "/lnrpc.Lightning/AddInvoice"])]);
        assert_eq!(dangerous.beyond_paying().len(), 1);
    }

    #[test]
    fn a_readers_macaroon_may_not_pay() {
        let reader = of(&[("info", &["read"]), ("offchain", &["read"]), ("onchain", &["read"])]);
        assert_eq!(reader.missing(), ["/routerrpc.Router/SendPaymentV2"]);
        assert!(reader.beyond_paying().is_empty());
    }

    #[test]
    fn other_identifiers_say_nothing() {
        for other in [&b""[..], b"\x02abc", b"some words", &[3], &[3, 0x08, 1]] {
            assert_eq!(rights(other), None, "{other:?}");
        }
        let whole = identifier(&ADMIN);
        assert_eq!(rights(&whole[..whole.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn no_identifier_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = rights(&[&[VERSION][..], &bytes].concat());
        }
    }
}
