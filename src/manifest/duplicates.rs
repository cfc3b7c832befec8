//! What a manifest says of purchases that are in the ledger already under another name: the keys `duplicates` and `edition`.

/// What becomes of a job whose purchase the ledger already has under another id or in another batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Duplicates {
    /// A person is asked; without a terminal it is left out.
    Ask,
    /// It is left out.
    Skip,
    /// It is bought all the same: a person's word.
    Buy,
}

impl Duplicates {
    /// Every one.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The word for it, as the key `duplicates` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The one of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// What stands for the day in an edition.
const DATE: &str = "{date}";

/// Within what a manifest's jobs are compared with earlier purchases: `{date}` in it is the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition(String);

impl std::fmt::Display for Edition {
    /// As the key has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Edition {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected, where it is none.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let plain = text.replace(DATE, "");
        let is_fit = super::id_problem(text).is_none() && !plain.contains(['{', '}']);
        if is_fit {
            Ok(Self(text.to_owned()))
        } else {
            Err("a text of 1 to 128 printable characters, perhaps with {date}")
        }
    }

    /// The edition of that day, `2026-11-28`.
    #[must_use]
    pub fn on(&self, day: &str) -> String {
        self.0.replace(DATE, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_knows_the_day_and_nothing_else() {
        let on = |text: &str| Edition::parse(text).map(|edition| edition.on("2026-11-28"));
        assert_eq!(on("{date}").as_deref(), Ok("2026-11-28"));
        assert_eq!(on("shop {date} b").as_deref(), Ok("shop 2026-11-28 b"));
        assert_eq!(on("spring").as_deref(), Ok("spring"));
        for wrong in ["", " ", "{dat}", "{date", "a\tb"] {
            assert!(on(wrong).is_err(), "{wrong}");
        }
    }
}
