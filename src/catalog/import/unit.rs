//! Units of money, and how keys and words are compared.

/// Decimal places of a unit in millisatoshis.
pub(super) const SAT: u32 = 3;
pub(super) const BTC: u32 = 11;

/// Decimal places of a unit of money in millisatoshis.
pub(super) fn places(unit: &str) -> Option<u32> {
    match unit {
        "sat" | "sats" | "satoshi" | "satoshis" => Some(SAT),
        "msat" | "msats" | "millisat" | "millisats" | "millisatoshi" | "millisatoshis" => Some(0),
        "btc" => Some(BTC),
        _ => None,
    }
}

/// A key or a word as it is compared: `price_sats` and `priceSats` are one.
pub(super) fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect::<String>().to_lowercase()
}
