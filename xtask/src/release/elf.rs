//! What a Linux program asks of the machine it runs on, read from the file itself.
//!
//! Containers of the CLIs are often without glibc: a provider that needs a loader or a library ends there with a message that
//! names neither.

use crate::{Problem, Result};

/// Program headers: what the file asks the kernel to do.
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

/// Entries of the dynamic section; the first one ends it.
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const DYNAMIC_ENTRY: usize = 16;

/// What the program needs besides the kernel, in words; nothing for one that is linked statically.
///
/// # Errors
/// When these bytes are no program for a 64-bit little-endian Linux, or end too early.
pub fn needs(bytes: &[u8]) -> Result<Vec<String>> {
    if bytes.len() < HEADER || !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Err(Problem::new("this is no ELF file of 64 bits, little-endian"));
    }
    let (offset, count) = (to_usize(u64_at(bytes, 32)?), usize::from(u16_at(bytes, 56)?));
    let mut found = Vec::new();
    for index in 0..count {
        let header = part(bytes, offset.saturating_add(index * PROGRAM_HEADER), PROGRAM_HEADER)?;
        let content = || part(bytes, to_usize(u64_at(header, 8)?), to_usize(u64_at(header, 32)?));
        match u32_at(header, 0)? {
            PT_INTERP => {
                let loader = String::from_utf8_lossy(content()?).trim_end_matches('\0').to_owned();
                found.push(format!("the loader {loader}"));
            }
            PT_DYNAMIC => {
                for entry in content()?.chunks_exact(DYNAMIC_ENTRY) {
                    match u64_at(entry, 0)? {
                        DT_NULL => break,
                        DT_NEEDED => found.push("a shared library".to_owned()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn part(bytes: &[u8], start: usize, length: usize) -> Result<&[u8]> {
    bytes
        .get(start..start.saturating_add(length))
        .ok_or_else(|| Problem::new("the ELF file ends before what its headers tell of"))
}

/// An offset that no memory holds is beyond the end of the file.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let mut array = [0; N];
    array.copy_from_slice(part(bytes, at, N)?);
    Ok(array)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these program headers, each with what it points at.
    fn program(parts: &[(u32, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
        bytes[56..58].copy_from_slice(&u16::try_from(parts.len()).unwrap().to_le_bytes());
        let mut content = Vec::new();
        for (kind, part) in parts {
            let at = HEADER + parts.len() * PROGRAM_HEADER + content.len();
            let mut header = vec![0; PROGRAM_HEADER];
            header[..4].copy_from_slice(&kind.to_le_bytes());
            header[8..16].copy_from_slice(&(at as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend(header);
            content.extend_from_slice(part);
        }
        bytes.extend(content);
        bytes
    }

    fn dynamic(tags: &[u64]) -> Vec<u8> {
        tags.iter().flat_map(|tag| [*tag, 7]).flat_map(u64::to_le_bytes).collect()
    }

    #[test]
    fn loader_and_libraries_are_needs() {
        let bytes = program(&[(PT_INTERP, b"/lib/ld.so\0"), (PT_DYNAMIC, &dynamic(&[5, DT_NEEDED, DT_NEEDED, DT_NULL]))]);
        assert_eq!(needs(&bytes).unwrap(), ["the loader /lib/ld.so", "a shared library", "a shared library"]);
    }

    #[test]
    fn a_static_program_needs_nothing_even_where_it_may_be_moved() {
        // a static program that may lie anywhere has a dynamic section; what follows its end counts for nothing
        let bytes = program(&[(1, b"code"), (PT_DYNAMIC, &dynamic(&[5, 6, DT_NULL, DT_NEEDED]))]);
        assert_eq!(needs(&bytes).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_refused() {
        let bytes = program(&[(PT_INTERP, b"/lib/ld.so\0")]);
        for end in 0..bytes.len() {
            assert!(needs(&bytes[..end]).is_err(), "{end}");
        }
        assert!(needs(&[0; 100]).is_err());
        let mut far = bytes;
        far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(needs(&far).is_err());
    }

    /// Tests are linked as rustc links by default here: with glibc's loader.
    #[cfg(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")))]
    #[test]
    fn a_real_program_with_a_loader_is_seen_as_one() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&this).unwrap();
        assert!(needs[0].starts_with("the loader /") && needs.len() > 1, "{needs:?}");
    }
}
