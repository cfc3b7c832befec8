//! Content that comes packed by gzip although `identity` was asked for: because it is stored so, or by a server that always
//! packs.

use std::io::{self, Write as _};

use flate2::write::MultiGzDecoder;

/// Whether a `Content-Encoding` says so (RFC 9110 8.4.1.3).
pub(super) fn is_gzip(encoding: &str) -> bool {
    let encoding = encoding.trim();
    encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip")
}

/// Unpacks piece by piece.
#[derive(Debug)]
pub(super) struct Unpacker(MultiGzDecoder<Vec<u8>>);

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(MultiGzDecoder::new(Vec::new()))
    }

    /// What a piece unpacks to; it may be nothing, and a thousand times as long as the piece.
    ///
    /// # Errors
    /// Where it is no gzip.
    pub(super) fn add(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(piece)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// What is left at the end.
    ///
    /// # Errors
    /// Where the content is not whole: its length and checksum stand at its end.
    pub(super) fn end(&mut self) -> io::Result<Vec<u8>> {
        self.0.try_finish()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

/// The whole content of a packed body, of at most so many bytes; none where it is longer.
///
/// # Errors
/// Where it is no gzip, or not whole.
pub(super) fn unpacked(packed: &[u8], bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    const PIECE_BYTES: usize = 64 * 1024;
    let (mut unpacker, mut out) = (Unpacker::new(), Vec::new());
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
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_not_whole_or_too_long_is_not_taken() {
        let whole = packed(b"hello");
        assert_eq!(unpacked(&whole, 5).unwrap().unwrap(), b"hello");
        assert_eq!(unpacked(&whole, 4).unwrap(), None);
        for length in 0..whole.len() {
            assert!(unpacked(&whole[..length], 5).is_err(), "{length} bytes of {}", whole.len());
        }
        let mut flipped = whole;
        let last = flipped.len() - 5;
        flipped[last] ^= 1;
        assert!(unpacked(&flipped, 5).is_err(), "another checksum");
        assert_eq!(unpacked(&packed(&vec![0; 10_000_000]), 1_000_000).unwrap(), None);
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_unpack_to_the_whole(content in any::<Vec<u8>>(), size in 1_usize..50) {
            let mut unpacker = Unpacker::new();
            let mut out = Vec::new();
            for piece in packed(&content).chunks(size) {
                out.append(&mut unpacker.add(piece).unwrap());
            }
            out.append(&mut unpacker.end().unwrap());
            prop_assert_eq!(out, content);
        }
    }
}
