//! Sounds and films that are a stream of frames without a head: known by one frame following the other, which no words do.

/// How many packets of a transport stream have to follow each other at least, and how many are looked at.
const PACKETS_MIN: usize = 3;
const PACKETS_MAX: usize = 16;
/// Where the first packet begins, and how far it is to the next: ISO/IEC 13818-1, and with a time before each (M2TS).
const PACKETS: [(usize, usize); 2] = [(0, 188), (4, 192)];
const PACKET_SYNC: u8 = 0x47;
/// Kilobits a second of MPEG audio, layer III, of version 1 and of those after it (ISO/IEC 11172-3, 13818-3), by their index.
const MP3_KBITS: [[usize; 16]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
];
/// Samples a second of version 1, by their index; version 2 has half as many, version 2.5 a quarter.
const MP3_HERTZ: [usize; 4] = [44_100, 48_000, 32_000, 0];

/// The media type of a stream that begins so.
pub(super) fn recognise(bytes: &[u8]) -> Option<&'static str> {
    if follows(bytes, mp3_frame_bytes) {
        return Some("audio/mpeg");
    }
    if follows(bytes, adts_frame_bytes) {
        return Some("audio/aac");
    }
    PACKETS.iter().any(|(first, step)| are_packets(bytes, *first, *step)).then_some("video/mp2t")
}

/// Whether a frame begins there and a second one of its kind where it ends.
fn follows(bytes: &[u8], length: fn(&[u8]) -> Option<usize>) -> bool {
    let split = length(bytes).and_then(|length| bytes.split_at_checked(length));
    // Version and layer stay as they are.
    split.is_some_and(|(one, next)| next.get(..2) == bytes.get(..2) && length(next).is_some() && is_no_text(one))
}

/// The length of a frame of MPEG audio, layer III.
fn mp3_frame_bytes(bytes: &[u8]) -> Option<usize> {
    let [0xff, version, rates, ..] = bytes else { return None };
    // Eleven bits of sync, two of the version (1 is none), two of the layer (1 is III).
    let (is_sync, version_index, layer) = (version >> 5 == 0b111, version >> 3 & 0b11, version >> 1 & 0b11);
    if !is_sync || version_index == 1 || layer != 1 {
        return None;
    }
    let is_first = version_index == 3;
    let kbits = *MP3_KBITS.get(usize::from(!is_first))?.get(usize::from(rates >> 4))?;
    let hertz = MP3_HERTZ.get(usize::from(rates >> 2 & 0b11))? / [4, 1, 2, 1].get(usize::from(version_index))?;
    let samples_by_8 = if is_first { 144 } else { 72 };
    (kbits > 0 && hertz > 0).then(|| samples_by_8 * kbits * 1_000 / hertz + usize::from(rates >> 1 & 1))
}

/// The length of a frame of AAC, as ADTS has it.
fn adts_frame_bytes(bytes: &[u8]) -> Option<usize> {
    let [0xff, version, rate, high, middle, low, _, ..] = bytes else { return None };
    // Twelve bits of sync, and the layer is always 0; of the rates thirteen are known.
    let is_head = version & 0xf6 == 0xf0 && rate >> 2 & 0xf < 13;
    let length = usize::from(high & 0b11) << 11 | usize::from(*middle) << 3 | usize::from(low >> 5);
    (is_head && length > 7).then_some(length)
}

fn are_packets(bytes: &[u8], first: usize, step: usize) -> bool {
    let syncs: Vec<u8> = bytes.iter().skip(first).step_by(step).take(PACKETS_MAX).copied().collect();
    let is_sound = syncs.len() >= PACKETS_MIN && syncs.iter().all(|byte| *byte == PACKET_SYNC);
    is_sound && bytes.get(..step).is_some_and(is_no_text)
}

/// Whether a byte is among them that no text has, but one in UTF-16 or UTF-32, which has NULs.
pub(super) fn is_no_text(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(head: &[u8], length: usize) -> Vec<u8> {
        let frame: Vec<u8> = head.iter().copied().chain(std::iter::repeat(0)).take(length).collect();
        frame.repeat(4)
    }

    #[test]
    fn frames_that_follow_each_other_are_known() {
        for (head, length, kind) in [
            (b"\xff\xfb\x90\x64".as_slice(), 417, "audio/mpeg"),
            (b"\xff\xfb\x92\x64", 418, "audio/mpeg"),
            (b"\xff\xf3\x64\xc4", 144, "audio/mpeg"),
            (b"\xff\xe3\x18\xc4", 72, "audio/mpeg"),
            (b"\xff\xf1\x50\x80\x02\x9f\xfc", 20, "audio/aac"),
            (b"\xff\xf9\x50\x80\x2e\x7f\xfc", 371, "audio/aac"),
            (b"\x47\x40\x00\x10", 188, "video/mp2t"),
            (b"\x00\x00\x00\x01\x47\x40\x11\x10", 192, "video/mp2t"),
        ] {
            assert_eq!(recognise(&frames(head, length)), Some(kind), "{head:x?}");
            for other in [length - 1, length + 1] {
                assert_eq!(recognise(&frames(head, other)), None, "{head:x?} of {other}");
            }
            let one = &frames(head, length)[..length];
            assert_eq!(recognise(one), None, "{head:x?}");
        }
    }

    #[test]
    fn words_are_none() {
        // The mark of UTF-16; windows-1251; a text whose every 188th letter is a G.
        let gs = frames(&[b"Gone".as_slice(), &[b'x'; 184]].concat(), 188);
        let texts: [&[u8]; 5] = [b"\xff\xfel\0i\0n\0k\0", b"\xff\xfb \xf1\xf1", &gs, b"", b"\xff"];
        for text in texts {
            assert_eq!(recognise(text), None, "{text:x?}");
            assert_eq!(recognise(&text.repeat(300)), None, "{text:x?}");
        }
    }
}
