//! The input is an invoice. It is read as it is, and once more with its checksum mended, which alone lets changed
//! fields and signatures through to what is behind it; then it is checked as a challenge's.

#![no_main]

use l402_batch::l402::{Challenge, Expected, Invoice, Refusal, check};
use l402_batch_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_CHARS: usize = 6;

fuzz_target!(|text: &str| {
    look_at(text);
    if let Some(mended) = mended(text) {
        look_at(&mended);
    }
});

fn look_at(bolt11: &str) {
    let invoice = match Invoice::read(bolt11) {
        Ok(invoice) => invoice,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    assert!(invoice.amount.get() > 0);
    assert!(invoice.payee.len() == 66 && invoice.payee.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(invoice.created_at <= invoice.expires_at);
    assert_eq!(Invoice::read(&bolt11.to_ascii_uppercase()).as_ref(), Ok(&invoice));
    let Ok(challenge) = Challenge::read([format!("L402 token=\"t\", invoice=\"{bolt11}\"").as_str()]) else { return };
    let fitting = Expected {
        price: invoice.amount,
        is_cap: false,
        is_exact: false,
        network: invoice.network,
        now: invoice.created_at,
        min_lifetime_ms: 0,
        max_lifetime_ms: i64::MAX,
    };
    let checked = check(challenge.clone(), &fitting).expect("it fits");
    assert_eq!(checked.invoice(), &invoice);
    // One msat more or less is another price.
    for (price, is_exact) in [(invoice.amount.get() - 1, false), (invoice.amount.get() + 1, true)] {
        let expected = Expected { price: l402_batch::money::Msat::new(price), is_exact, ..fitting };
        assert!(matches!(check(challenge.clone(), &expected), Err(Refusal::PriceChanged { .. })));
    }
    let dearer = Expected { price: l402_batch::money::Msat::new(invoice.amount.get() + 1), ..fitting };
    assert!(check(challenge.clone(), &dearer).is_ok(), "less than planned is paid");
    let late = Expected { now: invoice.expires_at.plus_ms(1), ..fitting };
    if late.now > invoice.expires_at {
        assert!(matches!(check(challenge, &late), Err(Refusal::InvoiceExpired { .. })));
    }
}

/// The text with characters that bech32 has not left out of its data, and with the right checksum (BIP 173).
fn mended(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (prefix, data) = lower.rsplit_once('1')?;
    let values: Vec<u8> = data.bytes().filter_map(value_of).collect();
    let values = values.get(..values.len().checked_sub(CHECKSUM_CHARS)?)?;
    let mut checked: Vec<u8> = prefix.bytes().map(|b| b >> 5).collect();
    checked.push(0);
    checked.extend(prefix.bytes().map(|b| b & 31));
    checked.extend_from_slice(values);
    checked.extend_from_slice(&[0; CHECKSUM_CHARS]);
    let sum = polymod(&checked) ^ 1;
    let mut out = format!("{prefix}1");
    let checksum = (0..CHECKSUM_CHARS).map(|at| (sum >> (5 * (CHECKSUM_CHARS - 1 - at)) & 31) as u8);
    out.extend(values.iter().copied().chain(checksum).map(|value| char::from(BECH32[usize::from(value)])));
    Some(out)
}

fn value_of(character: u8) -> Option<u8> {
    BECH32.iter().position(|known| *known == character).and_then(|at| u8::try_from(at).ok())
}

fn polymod(values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.iter().fold(1, |sum, value| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ u32::from(*value);
        GENERATOR.iter().enumerate().fold(next, |sum, (at, word)| if top >> at & 1 == 1 { sum ^ word } else { sum })
    })
}
