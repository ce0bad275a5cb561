//! The files in a tarball, where they lie: as much of the format (POSIX ustar) as images are written in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use mlops_core::{Error, Result};

/// The unit of everything in a tarball.
const BLOCK: u64 = 512;

/// Where a file's bytes are in the tarball.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// The plain files of a tarball, by name.
pub(super) fn files(path: &Path) -> Result<BTreeMap<String, Place>> {
    let wrong = |why: &str| {
        Error::invalid(format!(
            "{} is no image that `make image` writes: {why}; name its tarballs with --from",
            path.display()
        ))
    };
    let unreadable = |cause: std::io::Error| wrong("it cannot be read").because(cause);
    let mut file = File::open(path).map_err(unreadable)?;
    let end = file.metadata().map_err(unreadable)?.len();
    let mut files = BTreeMap::new();
    let mut at = 0;
    while at + BLOCK <= end {
        let mut header = [0; BLOCK as usize];
        file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        file.read_exact(&mut header).map_err(unreadable)?;
        // Two empty blocks are its end.
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let (name, kind, length) = read(&header).ok_or_else(|| wrong("it is no tarball"))?;
        let start = at + BLOCK;
        let blocks = length.div_ceil(BLOCK);
        at = start.saturating_add(blocks.saturating_mul(BLOCK));
        if at > end {
            return Err(wrong("its end is missing"));
        }
        if matches!(kind, b'0' | 0) {
            files.insert(name, Place { start, length });
        }
    }
    Ok(files)
}

/// Name, kind and size; `None` if the block's sum is wrong.
fn read(header: &[u8; BLOCK as usize]) -> Option<(String, u8, u64)> {
    let field = |from: usize, to: usize| {
        let bytes = &header[from..to];
        let end = bytes.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
    };
    let number = |from: usize, to: usize| u64::from_str_radix(field(from, to).trim(), 8).ok();
    // The sum counts its own field as spaces.
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| match at {
            148..156 => u64::from(b' '),
            _ => u64::from(*byte),
        })
        .sum();
    if number(148, 156)? != sum {
        return None;
    }
    let (name, prefix) = (field(0, 100), field(345, 500));
    let name = match prefix.is_empty() {
        true => name,
        false => format!("{prefix}/{name}"),
    };
    Some((name, header[156], number(124, 136)?))
}
