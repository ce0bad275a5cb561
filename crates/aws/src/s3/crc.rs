//! The checksums that S3 keeps of whole objects: two, because one upload is checked by one of them.

use aws_sdk_s3::types::ChecksumAlgorithm;
use crc_fast::{CrcAlgorithm, checksum_combine};

/// Which checksum an upload in parts is checked by. An object made in parts has one of the whole
/// only by a CRC ("Checking object integrity", S3 User Guide: full object checksums).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// CRC-64/NVME, of every object that is not made of another's parts.
    Nvme,
    /// CRC-32C, of objects made of parts of one that has CRC-64/NVME.
    Castagnoli,
}

impl Check {
    pub(super) fn algorithm(self) -> ChecksumAlgorithm {
        match self {
            Self::Nvme => ChecksumAlgorithm::Crc64Nvme,
            Self::Castagnoli => ChecksumAlgorithm::Crc32C,
        }
    }
}

/// Both checksums of some bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    nvme: u64,
    castagnoli: u32,
}

impl Sums {
    /// Of these bytes and `more` after them, which are `size`.
    pub(super) fn and(self, more: Self, size: u64) -> Self {
        let castagnoli = checksum_combine(
            CrcAlgorithm::Crc32Iscsi,
            self.castagnoli.into(),
            more.castagnoli.into(),
            size,
        );
        Self {
            nvme: checksum_combine(CrcAlgorithm::Crc64Nvme, self.nvme, more.nvme, size),
            castagnoli: narrow(castagnoli),
        }
    }

    #[cfg(test)]
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut running = Running::new();
        running.update(bytes);
        running.finish()
    }

    /// As S3 writes one of them.
    pub(super) fn written(self, check: Check) -> String {
        match check {
            Check::Nvme => aws_smithy_types::base64::encode(self.nvme.to_be_bytes()),
            Check::Castagnoli => aws_smithy_types::base64::encode(self.castagnoli.to_be_bytes()),
        }
    }

    /// The checksum for the field that is `of` one kind, where an upload is checked by `check`.
    pub(super) fn only(self, check: Check, of: Check) -> Option<String> {
        (check == of).then(|| self.written(of))
    }
}

/// CRC-64/NVME of a text, as S3 writes it.
pub(super) fn written_of(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    aws_smithy_types::base64::encode(crc.finish().to_be_bytes())
}

/// A running CRC-64/NVME.
pub(super) struct Crc(crc_fast::Digest);

impl Crc {
    pub(super) fn new() -> Self {
        Self(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finalize()
    }

    /// Whether what passed has these sums.
    pub(super) fn agrees(&self, sums: Sums) -> bool {
        self.finish() == sums.nvme
    }
}

/// Both, running.
pub(super) struct Running {
    nvme: Crc,
    castagnoli: crc_fast::Digest,
}

impl Running {
    pub(super) fn new() -> Self {
        Self {
            nvme: Crc::new(),
            castagnoli: crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.nvme.update(bytes);
        self.castagnoli.update(bytes);
    }

    pub(super) fn finish(&self) -> Sums {
        Sums {
            nvme: self.nvme.finish(),
            castagnoli: narrow(self.castagnoli.finalize()),
        }
    }
}

/// The crate gives every checksum 64 bits; a CRC-32 fills the lower half.
fn narrow(crc: u64) -> u32 {
    (crc & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_as_s3_writes_it() {
        // The check values of CRC-64/NVME and of CRC-32C for the digits one to nine.
        let sums = Sums::of(b"123456789");
        assert_eq!(sums.nvme, 0xae8b_1486_0a79_9888);
        assert_eq!(sums.castagnoli, 0xe306_9283);
        assert_eq!(sums.written(Check::Nvme), "rosUhgp5mIg=");
        assert_eq!(sums.written(Check::Castagnoli), "4waSgw==");
        assert_eq!(written_of("123456789"), "rosUhgp5mIg=");
    }

    #[test]
    fn the_checksums_of_stretches_make_up_the_whole() {
        let (head, tail) = (&[3; 70_000][..], &[9; 1_234][..]);
        let both = Sums::of(head).and(Sums::of(tail), tail.len() as u64);
        assert_eq!(both, Sums::of(&[head, tail].concat()));
    }
}
