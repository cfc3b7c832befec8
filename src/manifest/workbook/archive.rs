//! A workbook's file: a zip of parts, which must not unpack into more than is read.

use std::io::{self, BufReader};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::Refusal;
use crate::manifest::bounded_reader::FromOffset;
use crate::manifest::bytes::Bytes;

/// All parts of XML together, unpacked.
const UNPACKED_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Parts of a workbook.
const PARTS_MAX: usize = 10_000;

/// What a workbook's parts are read from.
pub(super) type Source<'b> = BufReader<FromOffset<'b>>;

/// An opened zip.
pub(super) struct Archive<'b> {
    zip: ZipArchive<Source<'b>>,
}

impl<'b> Archive<'b> {
    /// Opens it, where all its parts together are not too much. What a part says of its size holds: one that unpacks into more is broken.
    ///
    /// # Errors
    /// Where it is no zip, is broken, or unpacks into too much.
    pub(super) fn open(bytes: &'b Bytes) -> Result<Self, Refusal> {
        Self::within(bytes, UNPACKED_BYTES_MAX)
    }

    fn within(bytes: &'b Bytes, bytes_max: u64) -> Result<Self, Refusal> {
        let mut zip = ZipArchive::new(source(bytes)).map_err(|error| broken(&error))?;
        if zip.len() > PARTS_MAX {
            return Err(Refusal::new(format!("it has more than {PARTS_MAX} parts")).help(super::SAVE_ANEW));
        }
        let mut unpacked = 0_u64;
        for index in 0..zip.len() {
            let part = zip.by_index_raw(index).map_err(|error| broken(&error))?;
            let name = part.name().map_err(|error| broken(&error))?.to_ascii_lowercase();
            // Pictures are not unpacked.
            if name.ends_with(".xml") || name.ends_with(".rels") {
                unpacked = unpacked.saturating_add(part.size());
            }
        }
        if unpacked > bytes_max {
            let words = format!("it unpacks into more than {} MiB of XML", bytes_max / (1024 * 1024));
            return Err(Refusal::new(words).help("keep the one sheet in a workbook of its own, or save it as CSV"));
        }
        Ok(Self { zip })
    }

    /// Reads all parts to their ends whose names end so, in lower case: that finds damage.
    pub(super) fn check(&mut self, endings: &[&str]) -> Result<(), Refusal> {
        for index in 0..self.zip.len() {
            let part = self.zip.by_index_raw(index).map_err(|error| broken(&error))?;
            let name = part.name().map_err(|error| broken(&error))?.to_ascii_lowercase();
            drop(part);
            if endings.iter().any(|ending| name.ends_with(ending)) {
                let mut part = self.zip.by_index(index).map_err(|error| broken(&error))?;
                io::copy(&mut part, &mut io::sink()).map_err(|error| broken(&error))?;
            }
        }
        Ok(())
    }

    /// A part, by its name; nothing where there is none.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<ZipFile<'_, Source<'b>>>, Refusal> {
        match self.zip.by_name(name) {
            Ok(part) => Ok(Some(part)),
            Err(ZipError::FileNotFound) => Ok(None),
            Err(error) => Err(broken(&error)),
        }
    }
}

pub(super) fn source(bytes: &Bytes) -> Source<'_> {
    BufReader::new(bytes.from(0))
}

/// What cannot be read of a workbook.
pub(super) fn broken(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(format!("it cannot be read as a workbook: {error}")).help(super::SAVE_ANEW)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn archive(parts: &[(&str, usize)]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut zip = ZipWriter::new(&mut bytes);
        for (name, len) in parts {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&vec![0; *len]).unwrap();
        }
        zip.finish().unwrap();
        bytes.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<u64, String> {
        let bytes = Bytes::spool(&mut &*bytes).unwrap();
        let mut archive = Archive::within(&bytes, MIB as u64).map_err(|refusal| refusal.message)?;
        let mut part = archive.part("a.xml").map_err(|refusal| refusal.message)?.unwrap();
        io::copy(&mut part, &mut io::sink()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_unpacks_into_too_much_is_refused_whatever_its_directory_says() {
        let too_much = Err("it unpacks into more than 1 MiB of XML".to_owned());
        assert_eq!(read(&archive(&[("a.xml", MIB), ("a.png", 3 * MIB)])), Ok(MIB as u64), "pictures do not count");
        assert_eq!(read(&archive(&[("a.xml", MIB + 1)])), too_much);
        assert_eq!(read(&archive(&[("a.xml", MIB), ("b.rels", 1)])), too_much);
        let mut lying = archive(&[("a.xml", 2 * MIB)]);
        let size = u32::try_from(2 * MIB).unwrap().to_le_bytes();
        let places: Vec<usize> = (0..lying.len() - 4).filter(|at| lying[*at..at + 4] == size).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|at| lying[*at..at + 4].copy_from_slice(&7_u32.to_le_bytes()));
        assert!(read(&lying).unwrap_err().contains("larger than its declared"), "the bound would hold nothing else");
    }
}
