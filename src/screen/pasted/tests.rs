use std::fmt::Write;

use data_encoding::{BASE32, BASE32HEX, BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use super::found::secrets;
use super::kept::letters;
use super::*;

/// A macaroon of lnd's make.
fn macaroon() -> Vec<u8> {
    noise([2, 1, 3].into_iter().chain(*b"lnd"))
}

fn noise(beginning: impl Iterator<Item = u8>) -> Vec<u8> {
    let noise = (0..200u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap());
    beginning.chain(noise).collect()
}

/// As the value of an option that names a macaroon, where none of these paths is there.
const OF_MACAROON: TypedAs<'_> = TypedAs::Macaroon(&|_: &Path| false);

fn kept(typed: &str, typed_as: TypedAs<'_>) -> Kept {
    let mut kept = Kept::default();
    secrets(typed, typed_as).into_iter().for_each(|secret| kept.keep(secret));
    kept
}

fn in_pieces(text: &str, length: usize, separator: &str) -> String {
    let pieces: Vec<&str> = text.as_bytes().chunks(length).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    pieces.join(separator)
}

/// One word a byte, or more.
fn numbers(size: usize, separator: &str, number: impl Fn(&[u8]) -> String) -> String {
    macaroon().chunks(size).map(number).collect::<Vec<_>>().join(separator)
}

/// As `xxd` and `hexdump -C` print it.
fn with_offsets(group: usize, end: &str) -> String {
    let mut dump = String::new();
    for (nth, line) in macaroon().chunks(16).enumerate() {
        let seen: String =
            line.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        let hex = in_pieces(&HEXLOWER.encode(line), group, " ");
        writeln!(dump, "{:08x}: {hex}  {seen}{end}", nth * 16).unwrap();
    }
    dump
}

/// Whether a part of the secret can still be read.
fn shows(text: &str, secret: &str) -> bool {
    let plain = |text: &str| letters(text).map(|(_, letter)| char::from(letter)).collect::<String>();
    let (text, secret) = (plain(text), plain(secret));
    (0..secret.len().saturating_sub(16))
        .map(|at| &secret[at..at + 16])
        .any(|part| !part.contains("000000") && text.contains(part))
}

fn is_hidden(typed: &str, secret: &str) {
    let kept = kept(typed, TypedAs::Anything);
    let cut: String = typed.chars().take(300).collect();
    let on_one_line = typed.replace('\n', " ");
    let shown = [format!("no file {typed} there"), format!("{typed:?}"), format!("/etc/{cut}…/x"), on_one_line];
    for printed in shown {
        let shown = kept.veil(&printed);
        assert!(!shows(&shown, secret), "{printed}: {shown}");
    }
    let json = serde_json::to_string(&["a.csv", typed]).unwrap();
    serde_json::from_str::<Vec<String>>(&kept.veil(&json)).unwrap();
    assert!(looks_like_macaroon(typed), "{typed}");
}

#[test]
fn nothing_of_a_pasted_macaroon_is_shown_however_it_is_written() {
    let bytes = macaroon();
    let hex = HEXLOWER.encode(&bytes);
    let mut written =
        vec![HEXUPPER.encode(&bytes), BASE64.encode(&bytes), BASE64URL.encode(&bytes), hex[..60].to_owned()];
    written.push(BASE64.encode(hex.as_bytes()));
    written.push(BASE64.encode(BASE64.encode(&bytes).as_bytes()));
    written.push(hex.clone());
    for group in [2, 3, 4, 7, 8, 16, 76] {
        for between in [" ", ":", "\n", "\r\n", ", "] {
            let groups = written.iter().take(3).chain([&hex]).map(|text| in_pieces(text, group, between));
            written = written.iter().cloned().chain(groups.collect::<Vec<_>>()).collect();
            written.truncate(60);
        }
    }
    for secret in written {
        for before in ["", "0x", "./", "/home/x/", "macaroon:", "L402 ", "--ledger=", "'"] {
            is_hidden(&format!("{before}{secret}"), &secret);
        }
    }
    for cut in [&hex[40..100], &BASE64.encode(&bytes)[30..100], &in_pieces(&hex[40..100], 2, " ")] {
        assert!(!shows(&kept(cut, OF_MACAROON).veil(cut), cut), "from its middle: {cut}");
    }
}

#[test]
fn nothing_of_a_macaroon_that_is_pasted_as_a_dump_is_shown() {
    let little = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    for secret in [
        with_offsets(4, ""),
        with_offsets(2, "|"),
        with_offsets(8, ""),
        numbers(1, "", |byte| format!("\\x{:02x}", byte[0])),
        numbers(1, "", |byte| format!("\\{:03o}", byte[0])),
        numbers(1, "", |byte| format!("%{:02X}", byte[0])),
        numbers(1, "", |byte| format!("\\\\u{:04x}", byte[0])),
        // As Python shows bytes.
        numbers(1, "", |byte| std::ascii::escape_default(byte[0]).to_string()),
        numbers(1, ", ", |byte| format!("0x{:02x}", byte[0])),
        numbers(1, " ", |byte| byte[0].to_string()),
        numbers(1, ",", |byte| format!("{}", byte[0].cast_signed())),
        numbers(1, " ", |byte| format!("{:03o}", byte[0])),
        numbers(1, " ", |byte| format!("{:08b}", byte[0])),
        // As `od -c` does.
        numbers(1, " ", |byte| match byte[0] {
            byte if byte.is_ascii_graphic() => format!("  {}", char::from(byte)),
            byte => format!("{byte:03o}"),
        }),
        BASE32.encode(&macaroon()),
        BASE32HEX.encode(&macaroon()),
        numbers(2, " ", |word| format!("{:04x}", little(word))),
        numbers(2, " ", |word| format!("{:06o}", little(word))),
        numbers(2, " ", |word| little(word).to_string()),
        numbers(4, " ", |word| format!("{:08x}", little(word))),
    ] {
        for before in ["", "0000000 ", "b'", "[", "--batch=", "name="] {
            is_hidden(&format!("{before}{secret}"), &secret);
        }
    }
    assert!(holds_binary_macaroon(&[b"--batch=".as_slice(), &macaroon()].concat()));
}

/// A table shows each line by itself.
#[test]
fn each_line_of_a_wrapped_macaroon_is_hidden_by_itself() {
    let wrapped = in_pieces(&BASE64.encode(&macaroon()), 4, "\n");
    let kept = kept(&wrapped, TypedAs::Anything);
    for line in wrapped.lines().filter(|line| line.len() == 4) {
        assert_eq!(kept.veil(&format!("ledger  {line}")), "ledger  ****");
    }
}

#[test]
fn one_of_another_maker_is_known_as_its_file_is_read() {
    let hex = HEXLOWER.encode(&noise([2, 2, 0xc8, 1].into_iter()));
    for group in [2, 4, 76] {
        let secret = in_pieces(&hex, group, " ");
        is_hidden(&secret, &secret);
        is_hidden(&format!("--batch={secret}"), &secret);
    }
}

#[test]
fn what_stands_beside_a_pasted_macaroon_is_shown() {
    let hex = HEXLOWER.encode(&macaroon());
    let padded = in_pieces(&BASE64.encode(&noise(macaroon().into_iter().chain([1]))), 76, "\n");
    assert!(padded.ends_with('=') && !padded.ends_with("=="));
    for secret in [hex.clone(), in_pieces(&hex, 2, " "), with_offsets(4, ""), padded] {
        for quote in ["", "\"", "\"\"\"\n"] {
            let file = format!(
                "lnd_macaroon_command = {quote}{secret}{quote}\nmax_sats_per_month = 5\nlnd_macaroon_file = \"m\"\n"
            );
            let shown = kept(&file, TypedAs::Anything).veil(&file).into_owned();
            assert!(!shows(&shown, &secret), "{shown}");
            assert!(
                shown.starts_with("lnd_macaroon_command = ")
                    && shown.ends_with("max_sats_per_month = 5\nlnd_macaroon_file = \"m\"\n"),
                "{shown}"
            );
        }
    }
}

#[test]
fn what_a_person_names_is_no_secret() {
    let ids = |from: u32| (from..from + 200).map(|id| format!("{id:02}")).collect::<Vec<_>>().join(",");
    let rows = format!("--only={}", ids(1));
    for plain in [
        "",
        "/etc/lnd/data/chain/bitcoin/mainnet/admin.macaroon",
        "/srv/films/2026-11-29_Night-Batch/of_Kites-over_Lisboa/Festival",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "/home/agnes/AgencyWork/ProjectsOfTheYear2026/Commercials/SeriesOne/EpisodeTwo/ShotsOfTheNight",
        "026f4e15ae3ac15b9f3e2a7f6e9a0a4c5b1d7e8f90123456789abcdef012345678",
        "prompt=A kite over the harbour, as seen from the old lighthouse in 1999",
        "550e8400-e29b-41d4-a716-446655440000/550e8400-e29b-41d4-a716-446655440000",
        "lnbc20u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6q",
    ] {
        assert_eq!(secrets(plain, OF_MACAROON), Vec::<&str>::new());
        assert!(!looks_like_macaroon(plain));
    }
    // Of a document, of a folder in a cloud, of a file in git-annex; jobs, and prompts.
    for long in [
        "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms.csv",
        "users/4f3Kz9QwLm2pRt7XvB1c/9aHk3LmQ2xZr8Tv5Wn0P/j.csv",
        "SHA256E-s2048--9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.csv",
        &rows,
        &ids(2),
        &ids(1).replace(',', " "),
        "02 01 2026 10:30:00 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31",
        "AgE: a kite over the old harbour, 12 ships, 3 of them burning, and again the kite over 14 ships that are gone",
    ] {
        assert_eq!(secrets(long, TypedAs::Anything), Vec::<&str>::new(), "{long}");
    }
}

/// As lnd bakes it: who it is, with what it allows, a condition, the signature.
fn baked() -> Vec<u8> {
    let rights = b"\x12\x010\x1a\x10\x0a\x07address\x12\x04read\x1a\x11\x0a\x07address\x12\x05write";
    let identifier = [b"\x03\x0a\x10", &noise([].into_iter())[..16], rights].concat();
    let signature = &noise([].into_iter())[100..132];
    [b"\x02\x01\x03lnd\x02", &[u8::try_from(identifier.len()).unwrap()][..], &identifier, b"\0\0\x06\x20", signature]
        .concat()
}

#[test]
fn a_macaroon_whose_beginning_is_cut_off_is_known_by_what_is_left() {
    let bytes = baked();
    for whole in [HEXLOWER.encode(&bytes), HEXUPPER.encode(&bytes), BASE64.encode(&bytes), BASE64URL.encode(&bytes)] {
        for cut in 1..24 {
            let cut = &whole[cut..];
            is_hidden(cut, cut);
            is_hidden(&format!("--batch={cut}"), cut);
        }
        // Its end alone.
        let end = &whole[whole.len() - 80..];
        is_hidden(end, end);
        let again = BASE64.encode(whole.as_bytes());
        is_hidden(&again, &again);
        is_hidden(&again[3..], &again[3..]);
    }
}

#[test]
fn a_macaroon_of_version_1_is_known_by_its_first_packet() {
    let packets = [b"0021location https://seller.example\n002aidentifier ".as_slice(), &noise([].into_iter())].concat();
    for whole in [HEXLOWER.encode(&packets), BASE64URL.encode(&packets)] {
        is_hidden(&whole, &whole);
    }
}

/// Random digits decode to something, and hardly ever to a macaroon.
#[test]
fn what_decodes_to_no_macaroon_is_a_name() {
    for beginning in [&[2, 0x9e][..], &[2, 3], &[2, 0xff], &[2, 1, 3, 0xff, 0xfe], &[2, 2, 0x20], &[0xa8]] {
        let bytes = noise(beginning.iter().copied());
        for name in [HEXLOWER.encode(&bytes[..64]), BASE64URL.encode(&bytes[..63])] {
            for path in
                [name.clone(), format!("/srv/{name}/jobs.csv"), format!("{name}.csv"), format!("--batch={name}")]
            {
                assert_eq!(secrets(&path, TypedAs::Anything), Vec::<&str>::new(), "{path}");
            }
        }
    }
}

/// As `--lnd-macaroon-file` names it, and as the configuration file does.
#[test]
fn what_is_there_is_a_name_also_where_a_macaroon_is_named() {
    let name = HEXLOWER.encode(&noise([0xa8].into_iter())[..64]);
    let there = [format!("/srv/{name}"), format!("/srv/my {name}"), format!("{name}.macaroon")];
    let is_there = |path: &Path| there.iter().any(|known| Path::new(known) == path);
    let shown = |typed: &str| secrets(typed, TypedAs::Macaroon(&is_there)).is_empty();
    for path in [format!("/srv/{name}/m.macaroon"), format!("/srv/my {name}/m"), there[2].clone()] {
        for typed in [path.clone(), format!("--lnd-macaroon-file={path}"), format!("lnd_macaroon_file = \"{path}\"")] {
            assert!(shown(&typed), "{typed}");
        }
    }
    assert!(shown(&format!("lnd_macaroon_command = \"cat /srv/{name}/m.macaroon\"")));
    for typed in [name.clone(), format!("/srv/x/{name}/m"), format!("/srv/{name}/{name}")] {
        assert!(!shown(&typed), "{typed}");
    }
    let is_there = |_: &Path| true;
    let secret = HEXLOWER.encode(&macaroon());
    assert!(!secrets(&format!("/srv/{secret}/m"), TypedAs::Macaroon(&is_there)).is_empty(), "it stands in a name");
}

/// As openssl and lnd write them: of an elliptic curve in either form, of RSA in either form, of Ed25519.
#[test]
fn nothing_of_a_private_key_is_shown_however_it_is_written() {
    for beginning in [
        &[0x30, 0x77, 2, 1, 1, 4, 0x20][..],
        &[0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13],
        &[0x30, 0x82, 4, 0xa4, 2, 1, 0, 2, 0x82, 1, 1, 0],
        &[0x30, 0x82, 4, 0xbd, 2, 1, 0, 0x30, 0x0d],
        &[0x30, 0x2e, 2, 1, 0, 0x30, 5],
    ] {
        let bytes = noise(beginning.iter().copied());
        let body = BASE64.encode(&bytes);
        assert!(looks_like_private_key(&bytes));
        for kind in ["", "EC ", "RSA ", "ENCRYPTED "] {
            for between in ["\n", "\r\n", " ", "\\n", ""] {
                let lines = in_pieces(&body, 64, between);
                let pem = ["-----BEGIN KINDPRIVATE KEY-----", &lines, "-----END KINDPRIVATE KEY-----"].join(between);
                let pem = pem.replace("KIND", kind);
                let cut = &pem[..150];
                for typed in [&pem, &pem.replace(' ', "\n"), &BASE64.encode(pem.as_bytes()), cut, &lines, &body] {
                    assert!(looks_like_private_key(typed.as_bytes()), "{typed}");
                    let shown = kept(typed, TypedAs::Anything).veil(typed).into_owned();
                    assert!(!shows(&shown, &body), "{typed}: {shown}");
                }
            }
        }
        assert!(looks_like_private_key(format!("/home/x/{body}").as_bytes()));
    }
    let certificate = BASE64.encode(&noise([0x30, 0x82, 1, 0xf0, 0x30, 0x82, 1, 0x96, 0xa0, 3, 2, 1, 2].into_iter()));
    let pem = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    for plain in [&pem, &certificate, "we begin with a private key under the doormat", "-----BEGIN the PRIVATE KEY- of"]
    {
        assert!(!looks_like_private_key(plain.as_bytes()), "{plain}");
    }
}

/// What is cut, or shown line by line, is looked at before.
#[test]
fn what_is_quoted_of_a_macaroon_is_never_printed() {
    let secret = BASE64.encode(&noise([2, 1, 3].into_iter().chain(*b"lnd").chain([0x71, 0x83])));
    let quoted = quotation(&secret, 60).into_owned();
    assert!(quoted.ends_with('…') && !shows(&veiled(&quoted), &secret), "{quoted}");
    let other = BASE64.encode(&noise([2, 1, 3].into_iter().chain(*b"lnd").chain([0x19, 0x27, 0x35])));
    let file = in_pieces(&other[16..], 60, "\n");
    let file = format!("{}{file}", &other[..16]);
    let last = file.rfind('\n').unwrap() + 1;
    keep_back(file.as_bytes(), last..file.len());
    assert!(!shows(&veiled(&file[last..]), &file[last..]), "its beginning stands lines before");
    assert_eq!(quotation("a cat on a mat", 5), "a cat…");
    assert_eq!(quotation("a cat", 5), "a cat");
}
