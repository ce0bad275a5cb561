//! The first pass over a source: what its files are, before anything is sent.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use crc_fast::{CrcAlgorithm, checksum_combine};
use mlops_core::artifacts::{FileEntry, SourceFile};
use mlops_core::{Error, Result};

use super::layout::part_size;

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc64Nvme;

/// CRC-64/NVME as S3 writes it.
pub(super) fn written(crc: u64) -> String {
    aws_smithy_types::base64::encode(crc.to_be_bytes())
}

/// A running CRC-64/NVME.
pub(super) struct Crc(crc_fast::Digest);

impl Crc {
    pub(super) fn new() -> Self {
        Self(crc_fast::Digest::new(ALGORITHM))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finalize()
    }

    pub(super) fn of(bytes: &[u8]) -> u64 {
        let mut crc = Self::new();
        crc.update(bytes);
        crc.finish()
    }
}

/// A stretch of a file that travels in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// From one, as S3 counts.
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) crc: u64,
}

/// A file whose digest, and whose parts' checksums, are known.
#[derive(Debug, Clone)]
pub(super) struct Surveyed {
    pub(super) source: SourceFile,
    pub(super) entry: FileEntry,
    /// One at least: an empty file has one empty part.
    pub(super) parts: Vec<Part>,
    /// Of the whole file.
    pub(super) crc: u64,
}

/// Cuts what streams by into parts.
struct Cutter {
    part_size: u64,
    parts: Vec<Part>,
    crc: Crc,
    filled: u64,
    offset: u64,
}

impl Cutter {
    fn take(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let room = usize::try_from(self.part_size - self.filled).unwrap_or(usize::MAX);
            let (now, later) = piece.split_at(room.min(piece.len()));
            self.crc.update(now);
            self.filled += now.len() as u64;
            if self.filled == self.part_size {
                self.cut();
            }
            piece = later;
        }
    }

    fn cut(&mut self) {
        self.parts.push(Part {
            // At most 10,000: see `part_size`.
            number: i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX),
            offset: self.offset,
            size: self.filled,
            crc: self.crc.finish(),
        });
        self.offset += self.filled;
        self.filled = 0;
        self.crc = Crc::new();
    }
}

impl Surveyed {
    /// Reads the file once. Blocking.
    pub(super) fn read(source: SourceFile, smallest_part: u64) -> Result<Self> {
        let mut cutter = Cutter {
            part_size: part_size(source.stamp.size, smallest_part),
            parts: Vec::new(),
            crc: Crc::new(),
            filled: 0,
            offset: 0,
        };
        let digest = source.read(|piece| {
            cutter.take(piece);
            Ok(())
        })?;
        if cutter.filled > 0 || cutter.parts.is_empty() {
            cutter.cut();
        }
        let crc = cutter.parts[1..]
            .iter()
            .fold(cutter.parts[0].crc, |crc, part| {
                checksum_combine(ALGORITHM, crc, part.crc, part.size)
            });
        Ok(Self {
            entry: FileEntry {
                path: source.path.clone(),
                size: source.stamp.size,
                digest,
            },
            parts: cutter.parts,
            crc,
            source,
        })
    }

    /// Fails if the file on the disk is no longer the one that was read. Blocking.
    pub(super) fn unchanged(&self) -> Result<()> {
        let same = |found: &Metadata| {
            let stamp = &self.source.stamp;
            let nanos = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
            (found.len(), found.ino(), nanos) == (stamp.size, stamp.inode, stamp.mtime_nanos)
        };
        match std::fs::metadata(&self.source.location) {
            Ok(found) if same(&found) => Ok(()),
            _ => Err(self.changed()),
        }
    }

    pub(super) fn changed(&self) -> Error {
        Error::conflict(format!(
            "source file {} changed while it was uploaded; wait until it is written and apply again",
            self.source.location.display()
        ))
        .at("source")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlops_core::artifacts::{Digest, describe_source};

    #[test]
    fn a_file_is_cut_into_parts_whose_checksums_make_up_its_own() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("model.bin");
        let bytes: Vec<u8> = (0..2_500_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).expect("file");
        let mut tree = describe_source(&path).expect("a source");
        let surveyed = Surveyed::read(tree.files.remove(0), 1_000_000).expect("read");
        let sizes: Vec<_> = surveyed.parts.iter().map(|part| part.size).collect();
        assert_eq!(sizes, [1_000_000, 1_000_000, 500_000]);
        for (part, bytes) in surveyed.parts.iter().zip(bytes.chunks(1_000_000)) {
            assert_eq!(part.crc, Crc::of(bytes), "part {}", part.number);
        }
        assert_eq!(surveyed.crc, Crc::of(&bytes));
        assert_eq!(surveyed.entry.digest, Digest::of(&bytes));
        surveyed.unchanged().expect("the same");
        std::fs::write(&path, &bytes[1..]).expect("file");
        let error = surveyed.unchanged().expect_err("another");
        assert_eq!(error.attribute(), Some("source"));
    }

    #[test]
    fn a_checksum_is_written_as_s3_writes_it() {
        // The check value of CRC-64/NVME for the digits one to nine.
        assert_eq!(Crc::of(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(written(0xae8b_1486_0a79_9888), "rosUhgp5mIg=");
    }
}
