//! What a `Content-Encoding` says of the bytes that come although `identity` was asked for: because they are stored so, or by a
//! server that always packs, or that takes the name for something else.

use std::fmt;
use std::io::{self, Write as _};

use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

/// What is registered beside gzip and deflate, or said by the name of a packing, and not undone here. No other word says anything of
/// the bytes.
const NOT_UNDONE: [&str; 17] = [
    "br",
    "zstd",
    "compress",
    "x-compress",
    "exi",
    "pack200-gzip",
    "aes128gcm",
    "dcb",
    "dcz",
    "brotli",
    "x-zstd",
    "bzip2",
    "x-bzip2",
    "xz",
    "lzma",
    "lz4",
    "snappy",
];

/// How content is encoded (RFC 9110 8.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// In no way, whatever it is called.
    Plain,
    /// In one that is undone here.
    Packed(Packing),
    /// In another, or in several: as the header names them.
    Other(String),
}

/// A coding that is undone here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Deflate,
}

impl Coding {
    /// By the words of the headers, in lower case.
    pub(super) fn of(said: impl Iterator<Item = String>) -> Self {
        let codings: Vec<String> =
            said.filter(|word| packing(word).is_some() || NOT_UNDONE.contains(&word.as_str())).collect();
        match codings.as_slice() {
            [] => Self::Plain,
            [only] => packing(only).map_or_else(|| Self::Other(only.clone()), Self::Packed),
            [_, _, ..] => Self::Other(codings.join(", ")),
        }
    }
}

fn packing(word: &str) -> Option<Packing> {
    match word {
        "gzip" | "x-gzip" => Some(Packing::Gzip),
        "deflate" => Some(Packing::Deflate),
        _ => None,
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }
}

/// Unpacks piece by piece.
#[derive(Debug)]
pub(super) enum Unpacker {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(Inflater),
}

impl Unpacker {
    pub(super) fn new(packing: Packing) -> Self {
        match packing {
            Packing::Gzip => Self::Gzip(MultiGzDecoder::new(Vec::new())),
            Packing::Deflate => Self::Deflate(Inflater::default()),
        }
    }

    /// What a piece unpacks to; it may be nothing, and a thousand times as long as the piece.
    ///
    /// # Errors
    /// Where it is not packed so.
    pub(super) fn add(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(piece)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(inflater) => inflater.add(piece),
        }
        .map_err(|error| self.cannot(&error))
    }

    /// What is left at the end.
    ///
    /// # Errors
    /// Where the content is not whole: what tells its end is missing, or says otherwise.
    pub(super) fn end(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish().map(|()| std::mem::take(decoder.get_mut())),
            Self::Deflate(inflater) => inflater.end(),
        }
        .map_err(|error| self.cannot(&error))
    }

    fn cannot(&self, error: &io::Error) -> io::Error {
        let packing = match self {
            Self::Gzip(_) => Packing::Gzip,
            Self::Deflate(_) => Packing::Deflate,
        };
        io::Error::new(error.kind(), format!("its {packing} cannot be undone: {error}"))
    }
}

/// Undoes deflate in a zlib frame, as it is meant, or bare, as some servers send it.
#[derive(Debug, Default)]
pub(super) struct Inflater {
    /// None before the two bytes are there by which they are told apart.
    inflate: Option<Decompress>,
    head: Vec<u8>,
    has_ended: bool,
}

impl Inflater {
    fn add(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        const OUT_BYTES: usize = 64 * 1024;
        self.head.extend_from_slice(piece);
        let inflate = match (&mut self.inflate, self.head.as_slice()) {
            (Some(inflate), _) => inflate,
            (none, [first, second, ..]) => {
                let is_framed = first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31);
                none.insert(Decompress::new(is_framed))
            }
            (None, _) => return Ok(Vec::new()),
        };
        let (input, mut from, mut out) = (std::mem::take(&mut self.head), 0, Vec::new());
        while !self.has_ended {
            out.reserve(OUT_BYTES);
            let (read, written) = (inflate.total_in(), out.len());
            let rest = input.get(from..).unwrap_or_default();
            let status = inflate.decompress_vec(rest, &mut out, FlushDecompress::None)?;
            let read = usize::try_from(inflate.total_in() - read).unwrap_or(usize::MAX);
            from = from.saturating_add(read);
            self.has_ended = status == Status::StreamEnd;
            if read == 0 && out.len() == written {
                break;
            }
        }
        Ok(out)
    }

    fn end(&self) -> io::Result<Vec<u8>> {
        if self.has_ended { Ok(Vec::new()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The whole content of a packed body, of at most so many bytes; none where it is longer.
///
/// # Errors
/// Where it is not packed so, or not whole.
pub(super) fn unpacked(packing: Packing, packed: &[u8], bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    const PIECE_BYTES: usize = 64 * 1024;
    let (mut unpacker, mut out) = (Unpacker::new(packing), Vec::new());
    for piece in packed.chunks(PIECE_BYTES) {
        out.append(&mut unpacker.add(piece)?);
        if out.len() > bytes_max {
            return Ok(None);
        }
    }
    out.append(&mut unpacker.end()?);
    Ok((out.len() <= bytes_max).then_some(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    /// By gzip, by deflate in its frame, and bare.
    fn packed(content: &[u8]) -> [(Packing, Vec<u8>); 3] {
        let level = Compression::default;
        let mut gzip = GzEncoder::new(Vec::new(), level());
        let mut zlib = ZlibEncoder::new(Vec::new(), level());
        let mut bare = DeflateEncoder::new(Vec::new(), level());
        gzip.write_all(content).unwrap();
        zlib.write_all(content).unwrap();
        bare.write_all(content).unwrap();
        [
            (Packing::Gzip, gzip.finish().unwrap()),
            (Packing::Deflate, zlib.finish().unwrap()),
            (Packing::Deflate, bare.finish().unwrap()),
        ]
    }

    #[test]
    fn a_word_that_is_no_coding_says_nothing() {
        let of = |words: &str| Coding::of(words.split(' ').map(str::to_owned));
        for words in ["", "identity", "none utf-8", "aws-chunked 8bit", "br2", "chunked"] {
            assert_eq!(of(words), Coding::Plain, "{words}");
        }
        for words in ["x-gzip", "aws-chunked gzip identity", "gzip chunked"] {
            assert_eq!(of(words), Coding::Packed(Packing::Gzip), "{words}");
        }
        assert_eq!(of("deflate"), Coding::Packed(Packing::Deflate));
        for (words, told) in [("br", "br"), ("xz", "xz"), ("gzip none zstd", "gzip, zstd"), ("gzip gzip", "gzip, gzip")]
        {
            assert_eq!(of(words), Coding::Other(told.to_owned()), "{words}");
        }
    }

    #[test]
    fn what_is_not_whole_or_too_long_is_not_taken() {
        for (packing, whole) in packed(b"hello") {
            assert_eq!(unpacked(packing, &whole, 5).unwrap().unwrap(), b"hello");
            assert_eq!(unpacked(packing, &whole, 4).unwrap(), None);
            for length in 0..whole.len() {
                assert!(unpacked(packing, &whole[..length], 5).is_err(), "{length} bytes of {}", whole.len());
            }
        }
        let [(gzip, gzipped), (zlib, framed), _] = packed(b"hello");
        for (packing, mut flipped, back) in [(gzip, gzipped, 5), (zlib, framed, 1)] {
            let at = flipped.len() - back;
            flipped[at] ^= 1;
            assert!(unpacked(packing, &flipped, 5).is_err(), "another checksum of {packing}");
        }
        for (packing, bomb) in packed(&vec![0; 10_000_000]) {
            assert_eq!(unpacked(packing, &bomb, 1_000_000).unwrap(), None);
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_unpack_to_the_whole(content in any::<Vec<u8>>(), size in 1_usize..50) {
            for (packing, packed) in packed(&content) {
                let mut unpacker = Unpacker::new(packing);
                let mut out = Vec::new();
                for piece in packed.chunks(size) {
                    out.append(&mut unpacker.add(piece).unwrap());
                }
                out.append(&mut unpacker.end().unwrap());
                prop_assert_eq!(&out, &content);
            }
        }
    }
}
