//! Zip files whose bytes depend on nothing but their content: entries in the order of their names, one time for all, no
//! extra fields. What both CLIs and the registries unpack: deflate, below 4 GiB, with Unix permissions.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, Crc, write::DeflateEncoder};

use crate::{Problem, Result};

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether it is a program.
    pub is_executable: bool,
}

/// 1 January 1980, midnight: the first moment that the format knows.
const DATE: u16 = 1 << 5 | 1;
const TIME: u16 = 0;

/// Deflate, of version 2.0 of the format.
const METHOD: u16 = 8;
const VERSION: u16 = 20;

/// Permissions in the upper half of the attributes are Unix's.
const MADE_ON_UNIX: u16 = 3 << 8 | VERSION;

/// The archive with these files, by their names.
///
/// # Errors
/// When a file or all of them are larger than the format can tell.
pub fn archive(entries: &BTreeMap<String, Entry>) -> Result<Vec<u8>> {
    let too_large = |_| Problem::new("a zip file without extensions holds less than 4 GiB and 65536 files");
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, Entry { bytes, is_executable }) in entries {
        let offset = u32::try_from(out.len()).map_err(too_large)?;
        let packed = deflate(bytes)?;
        let mut crc = Crc::new();
        crc.update(bytes);

        // what a header at the file and one in the directory have in common
        let mut common = Vec::new();
        for number in [VERSION, 0, METHOD, TIME, DATE] {
            common.extend(number.to_le_bytes());
        }
        common.extend(crc.sum().to_le_bytes());
        common.extend(u32::try_from(packed.len()).map_err(too_large)?.to_le_bytes());
        common.extend(u32::try_from(bytes.len()).map_err(too_large)?.to_le_bytes());
        common.extend(u16::try_from(name.len()).map_err(too_large)?.to_le_bytes());
        // no extra field
        common.extend(0u16.to_le_bytes());

        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(&packed);

        let mode: u32 = if *is_executable { 0o100_755 } else { 0o100_644 };
        directory.extend(b"PK\x01\x02");
        directory.extend(MADE_ON_UNIX.to_le_bytes());
        directory.extend(&common);
        // no comment, first disk, no inner attributes
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = u32::try_from(out.len()).map_err(too_large)?;
    let count = u16::try_from(entries.len()).map_err(too_large)?;
    let size = u32::try_from(directory.len()).map_err(too_large)?;
    out.extend(directory);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    Ok(out)
}

fn deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let failed = |error| Problem::new(format!("cannot compress: {error}"));
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(failed)?;
    encoder.finish().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: [&str; 2]) -> BTreeMap<String, Entry> {
        let entry = |name: &str| Entry { bytes: name.repeat(100).into_bytes(), is_executable: name == "a" };
        names.into_iter().map(|name| (name.to_owned(), entry(name))).collect()
    }

    /// Whether a real archiver agrees is for the acceptance tests: both CLIs unpack what `cargo xt release` packs.
    #[test]
    fn the_same_files_are_the_same_bytes_in_whatever_order_they_came() {
        let one = archive(&files(["a", "b"])).expect("two small files");
        assert_eq!(one, archive(&files(["b", "a"])).expect("two small files"));
        assert_ne!(one, archive(&files(["a", "c"])).expect("two small files"));
    }

    #[test]
    fn headers_tell_one_time_and_who_may_run_what() {
        let bytes = archive(&files(["a", "b"])).expect("two small files");
        let at =
            |mark: &[u8]| bytes.windows(4).enumerate().filter(|(_, four)| *four == mark).map(|(at, _)| at).collect::<Vec<_>>();
        let central = at(b"PK\x01\x02");
        let modes: Vec<u16> = central.iter().map(|at| u16::from_le_bytes([bytes[at + 40], bytes[at + 41]])).collect();
        assert_eq!(modes, [0o100_755, 0o100_644]);
        let times: Vec<&[u8]> = central.iter().map(|at| &bytes[at + 12..at + 16]).collect();
        assert_eq!(times, [[0, 0, 0x21, 0], [0, 0, 0x21, 0]]);
        assert_eq!(at(b"PK\x03\x04").len(), 2);
    }
}
