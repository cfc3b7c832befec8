//! What a person most likely meant by a value that does not fit: numbers and truth values as spreadsheets and other languages
//! write them. Nothing of this is accepted; it is what an error suggests.

/// Words for true and for false in the languages in which spreadsheets write them, and in daily use.
const TRUE: [&str; 18] = [
    "wahr",
    "ja",
    "j",
    "y",
    "t",
    "x",
    "on",
    "an",
    "ein",
    "vrai",
    "oui",
    "si",
    "sí",
    "verdadero",
    "sim",
    "verdadeiro",
    "vero",
    "waar",
];
const FALSE: [&str; 14] =
    ["falsch", "nein", "n", "f", "off", "aus", "faux", "non", "falso", "não", "nao", "onwaar", "nee", "-"];

/// The truth value of which this is another word.
pub(super) fn truth(cell: &str) -> Option<&'static str> {
    let word = cell.to_lowercase();
    if TRUE.contains(&word.as_str()) { Some("true") } else { FALSE.contains(&word.as_str()).then_some("false") }
}

/// The whole number that is meant, where it is fit: written with a zero fraction (`5,0`), in groups (`2.500`, `1 000`) or with a
/// unit (`10 s`). Of two readings (`5.000`) the first that is fit.
pub fn integer(cell: &str, is_fit: impl Fn(i64) -> bool) -> Option<i64> {
    let cell = cell.trim();
    let number_end = cell.rfind(|c: char| c.is_ascii_digit()).map(|at| at + 1)?;
    let (number, unit) = cell.split_at(number_end);
    let is_unit = unit.trim().trim_end_matches('.').chars().all(char::is_alphabetic) && unit.chars().count() <= 12;
    let (sign, digits) = match number.strip_prefix(['-', '\u{2212}']) {
        Some(digits) => ("-", digits),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let readings =
        [Some(digits).filter(|digits| all_digits(digits)).map(str::to_owned), grouped(digits), without_zeros(digits)];
    let fit = |digits: String| format!("{sign}{digits}").parse().ok().filter(|n| is_fit(*n));
    readings.into_iter().flatten().filter(|_| is_unit).find_map(fit)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `2.500`, `1,234,567`, `1 000`, `1'000`: groups of three behind one sort of separator.
fn grouped(digits: &str) -> Option<String> {
    let separator = digits.chars().find(|c| !c.is_ascii_digit()).filter(|c| is_separator(*c))?;
    let mut groups = digits.split(separator);
    let is_first = groups.next().is_some_and(|first| all_digits(first) && first.len() <= 3);
    let are_groups = groups.all(|group| all_digits(group) && group.len() == 3);
    (is_first && are_groups).then(|| digits.replace(separator, ""))
}

const fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',' | '\'' | '\u{2019}' | '_' | ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// `5.0`, `5,00`: a fraction of zeros.
fn without_zeros(digits: &str) -> Option<String> {
    let (whole, zeros) = digits.split_once(['.', ','])?;
    (all_digits(whole) && all_digits(zeros) && zeros.bytes().all(|b| b == b'0')).then(|| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_understood_as_they_are_written_elsewhere() {
        let duration = |cell: &str| integer(cell, |n| (3..=15).contains(&n));
        for (cell, meant) in [
            ("5,0", Some(5)),
            ("5.00", Some(5)),
            ("5.000", Some(5)),
            ("10 s", Some(10)),
            ("10s", Some(10)),
            ("8 Sek.", Some(8)),
            ("+7", Some(7)),
            ("5,5", None),
            ("5.5", None),
            ("2.500", None),
            ("16 s", None),
            ("5-10", None),
            ("s", None),
            ("", None),
            ("5 s 6", None),
        ] {
            assert_eq!(duration(cell), meant, "{cell}");
        }
        let sats = |cell: &str| integer(cell, |n| n > 0);
        for cell in ["2.500", "2,500", "2 500", "2'500", "2\u{a0}500", "2_500", "2500 sats", "2.500 sats", "2500,00"] {
            assert_eq!(sats(cell), Some(2_500), "{cell}");
        }
        assert_eq!(
            (sats("1.234.567"), sats("1.23.456"), sats("-5"), sats("99999999999999999999")),
            (Some(1_234_567), None, None, None)
        );
    }

    #[test]
    fn truth_is_understood_in_other_languages() {
        let words = ["WAHR", "Ja", "oui", "SÍ", "Falsch", "nein", "N", "maybe"];
        let meant = words.map(|word| truth(word).unwrap_or("?"));
        assert_eq!(meant, ["true", "true", "true", "true", "false", "false", "false", "?"]);
    }

    proptest::proptest! {
        #[test]
        fn no_cell_panics(cell in "\\PC{0,12}", more in "[0-9.,' +s-]{0,9}") {
            let _ = (integer(&cell, |_| true), integer(&more, |_| true), truth(&cell));
        }
    }
}
