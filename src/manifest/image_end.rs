//! Whether an image is there to its end, as its own structure tells: one that was cut while it was copied would be sent, and
//! paid for. What follows the end is no matter: a phone puts a film there.

use std::io::{self, Read, Seek, SeekFrom};

use crate::catalog::ImageKind;

const CHUNK_BYTES: usize = 64 * 1024;
/// Where the first chunk of a PNG begins, behind its signature.
const PNG_FIRST: u64 = 8;
/// A chunk's length, name and checksum.
const PNG_CHUNK_HEAD: u64 = 12;
/// A file of RIFF is so much longer than it says.
const RIFF_HEAD: u64 = 8;

/// Whether the end of an image of that kind is there.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn has_end(kind: ImageKind, image: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = image.seek(SeekFrom::End(0))?;
    let found = match kind {
        ImageKind::Png => png(image, length),
        ImageKind::Jpeg => jpeg(image),
        ImageKind::Webp => webp(image, length),
        // Of these nobody tells where they end.
        ImageKind::Other(_) => Ok(true),
    };
    match found {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        found => found,
    }
}

fn read<const N: usize>(image: &mut (impl Read + Seek), at: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    image.seek(SeekFrom::Start(at))?;
    image.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Whether a PNG is whole: follows its chunks to the last one, `IEND`.
fn png(image: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let mut at = PNG_FIRST;
    loop {
        let [a, b, c, d, name @ ..] = read::<8>(image, at)?;
        at = at.saturating_add(PNG_CHUNK_HEAD).saturating_add(u32::from_be_bytes([a, b, c, d]).into());
        if at > length || &name == b"IEND" {
            return Ok(at <= length);
        }
    }
}

/// Past the segments, where a small picture with an end of its own may stand, to what is drawn; there to the mark of the end.
fn jpeg(image: &mut (impl Read + Seek)) -> io::Result<bool> {
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2_u64;
    loop {
        match read::<4>(image, at)? {
            // Marks may have more than one byte in front of them, and some have no content.
            [0xff, 0xff, ..] => at += 1,
            [0xff, 0xd9, ..] => return Ok(true),
            [0xff, 0x01 | 0xd0..=0xd8, ..] => at += 2,
            [0xff, mark, high, low] => {
                at = at.saturating_add(2).saturating_add(u16::from_be_bytes([high, low]).into());
                if mark == START_OF_SCAN {
                    image.seek(SeekFrom::Start(at))?;
                    return holds_end(image);
                }
            }
            _ => return Ok(false),
        }
    }
}

/// In what is drawn the mark of the end stands for nothing else.
fn holds_end(image: &mut impl Read) -> io::Result<bool> {
    let (mut chunk, mut last) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let read = match image.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(read) => chunk.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let is_end = |two: &[u8]| two == [0xff, 0xd9];
        if is_end(&[last, read.first().copied().unwrap_or_default()]) || read.windows(2).any(is_end) {
            return Ok(true);
        }
        last = read.last().copied().unwrap_or_default();
    }
}

/// As long as it says.
fn webp(image: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let said: u64 = u32::from_le_bytes(read::<4>(image, 4)?).into();
    Ok(said.saturating_add(RIFF_HEAD) <= length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const JPEG: &[u8] = b"\xff\xd8\xff\xe1\x00\x08\xff\xd8\xff\xd9..\xff\xff\xdb\x00\x03.\xff\xda\x00\x04..drawn\xff\x00\xff\xd0more\xff\xd9";
    const WEBP: &[u8] = b"RIFF\x08\x00\x00\x00WEBPVP8 ";

    fn png() -> Vec<u8> {
        include_bytes!("../../jobs.example.png").to_vec()
    }

    #[test]
    fn an_image_that_is_cut_anywhere_has_no_end() {
        for (kind, image) in
            [(ImageKind::Png, png()), (ImageKind::Jpeg, JPEG.to_vec()), (ImageKind::Webp, WEBP.to_vec())]
        {
            assert!(has_end(kind, &mut Cursor::new(&image)).unwrap(), "{kind:?}");
            let more = [&image[..], b"a film"].concat();
            assert!(has_end(kind, &mut Cursor::new(more)).unwrap(), "{kind:?} with more behind it");
            for length in 0..image.len() {
                assert!(!has_end(kind, &mut Cursor::new(&image[..length])).unwrap(), "{kind:?} of {length} bytes");
            }
        }
    }

    #[test]
    fn an_end_is_found_between_two_pieces() {
        for padding in CHUNK_BYTES - 20..CHUNK_BYTES + 3 {
            let (head, drawn) = JPEG.split_at(JPEG.len() - 2);
            let image = [head, &vec![b'.'; padding], drawn].concat();
            assert!(has_end(ImageKind::Jpeg, &mut Cursor::new(image)).unwrap(), "{padding}");
        }
    }
}
