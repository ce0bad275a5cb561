//! Where a large file is cut, so that versions of it share stretches.
//!
//! A gear hash (Xia et al., "Ddelta: A deduplication-inspired fast delta compression approach",
//! 2014) of the last 64 bytes decides, so that a cut depends on what stands before it and not on
//! where it stands: after bytes that were put in or taken out, the same cuts come again. As in
//! FastCDC (Xia et al., 2016), the first bytes of a chunk are passed over.
//!
//! A file is cut finely first, at every hash that begins with [`FINE`] zero bits. A larger file
//! keeps only those cuts whose hash begins with more of them, one for each doubling of the size:
//! the masks are nested, and so are the cuts.

/// Zero bits that a hash begins with where a file is cut. With [`LEAST`], a chunk has 1 MiB on
/// average.
const FINE: u32 = 18;
/// No fine chunk but a file's last has fewer bytes.
const LEAST: u64 = 768 << 10;
/// No fine chunk has more; of a class above, twice as much.
const GREATEST: u64 = 4 << 20;
/// A file of the first class has this many bytes at most, and so 16,384 chunks on average.
const FIRST_CLASS: u64 = 16 << 30;
/// So many bytes a hash of 64 bits remembers.
const WINDOW: u64 = 64;

/// How many doublings of the size a file is above the first class.
fn class(size: u64) -> u32 {
    (0..u64::BITS)
        .find(|class| size >> class <= FIRST_CLASS)
        .unwrap_or(u64::BITS)
}

/// One number for each byte: splitmix64 (Steele et al., "Fast splittable pseudorandom number
/// generators", 2014) from a seed that must never change, or nothing is found again.
const GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let mut state = 0x6d6c_6f70_732d_7631u64;
    let mut byte = 0;
    while byte < table.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[byte] = mixed ^ (mixed >> 31);
        byte += 1;
    }
    table
};

/// Cuts what streams by.
pub(super) enum Cuts {
    /// Every so many bytes.
    Even { size: u64, filled: u64 },
    /// By content.
    Content(Gear),
}

impl Cuts {
    pub(super) fn even(size: u64) -> Self {
        Self::Even { size, filled: 0 }
    }

    /// Of a file of this size.
    pub(super) fn by_content(file: u64) -> Self {
        let class = class(file);
        Self::Content(Gear {
            mask: zeros(FINE),
            class_mask: zeros(FINE + class),
            greatest: GREATEST << class,
            hash: 0,
            fine: 0,
            filled: 0,
        })
    }

    /// How many bytes of the piece still belong to the chunk, and whether it ends there. The
    /// piece is not empty.
    pub(super) fn advance(&mut self, piece: &[u8]) -> (usize, bool) {
        match self {
            Self::Content(gear) => gear.advance(piece),
            Self::Even { size, filled } => {
                let taken = up_to(*size - *filled, piece);
                *filled += taken as u64;
                let ends = filled == size;
                if ends {
                    *filled = 0;
                }
                (taken, ends)
            }
        }
    }
}

/// The mask of the first `bits` of a hash. The first bit depends on the whole window.
fn zeros(bits: u32) -> u64 {
    u64::MAX << (u64::BITS - bits)
}

/// As many bytes of the piece as there is room for.
fn up_to(room: u64, piece: &[u8]) -> usize {
    usize::try_from(room).map_or(piece.len(), |room| room.min(piece.len()))
}

pub(super) struct Gear {
    mask: u64,
    class_mask: u64,
    greatest: u64,
    hash: u64,
    /// Bytes since the last fine cut.
    fine: u64,
    /// Bytes since the last cut of the class.
    filled: u64,
}

impl Gear {
    fn advance(&mut self, piece: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        while taken < piece.len() {
            let rest = &piece[taken..];
            let (used, ends) = if self.fine < LEAST - WINDOW {
                (up_to(LEAST - WINDOW - self.fine, rest), false)
            } else if self.fine < LEAST {
                let warm = up_to(LEAST - self.fine, rest);
                self.hash = rest[..warm].iter().fold(self.hash, |hash, byte| {
                    (hash << 1).wrapping_add(GEAR[usize::from(*byte)])
                });
                (warm, false)
            } else {
                self.look(&rest[..up_to(GREATEST - self.fine, rest)])
            };
            taken += used;
            self.fine += used as u64;
            self.filled += used as u64;
            if ends || self.fine == GREATEST {
                // A cut for want of one is none of a greater class.
                let of_class = ends && self.hash & self.class_mask == 0;
                self.fine = 0;
                self.hash = 0;
                if of_class || self.filled >= self.greatest {
                    self.filled = 0;
                    return (taken, true);
                }
            }
        }
        (taken, false)
    }

    /// How far it is to the next fine cut, and whether there is one.
    fn look(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut hash = self.hash;
        for (at, byte) in bytes.iter().enumerate() {
            hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            if hash & self.mask == 0 {
                self.hash = hash;
                return (at + 1, true);
            }
        }
        self.hash = hash;
        (bytes.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const MIB: usize = 1 << 20;

    fn noise(mut state: u64, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(size);
        bytes
    }

    /// The ends of the chunks, when the bytes come in pieces of this size.
    fn ends(mut cuts: Cuts, bytes: &[u8], pieces: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = 0;
        for piece in bytes.chunks(pieces) {
            let mut piece = piece;
            while !piece.is_empty() {
                let (taken, end) = cuts.advance(piece);
                at += taken;
                if end {
                    ends.push(at);
                }
                piece = &piece[taken..];
            }
        }
        ends
    }

    fn content(bytes: &[u8]) -> Vec<usize> {
        ends(Cuts::by_content(1), bytes, 256 << 10)
    }

    #[test]
    fn chunks_have_a_mebibyte_on_average_and_keep_their_limits() {
        let bytes = noise(7, 48 * MIB);
        let found = content(&bytes);
        assert!((32..64).contains(&found.len()), "{}", found.len());
        let mut before = 0;
        for end in found {
            let size = (end - before) as u64;
            assert!((LEAST..=GREATEST).contains(&size), "{size}");
            before = end;
        }
        // Bytes without any change never give a reason to cut.
        let same = content(&vec![0; 9 * MIB]);
        assert_eq!(same, [4 * MIB, 8 * MIB]);
    }

    #[test]
    fn cuts_do_not_depend_on_the_pieces_in_which_the_bytes_come() {
        let bytes = noise(3, 8 * MIB);
        let expected = content(&bytes);
        for pieces in [1000, 700_001, bytes.len()] {
            assert_eq!(
                ends(Cuts::by_content(1), &bytes, pieces),
                expected,
                "{pieces}"
            );
        }
    }

    #[test]
    fn after_bytes_that_were_put_in_the_same_cuts_come_again() {
        let old = noise(5, 32 * MIB);
        let new = [&old[..MIB], &noise(9, 777_777), &old[MIB..]].concat();
        let moved: BTreeSet<usize> = content(&old).into_iter().map(|end| end + 777_777).collect();
        let found = content(&new);
        let same = found.iter().filter(|end| moved.contains(end)).count();
        assert!(same + 8 >= found.len(), "{same} of {}", found.len());
    }

    #[test]
    fn the_cuts_of_a_greater_class_are_among_those_of_a_smaller_one() {
        assert_eq!(
            [1, FIRST_CLASS, FIRST_CLASS + 1, 5 << 40].map(class),
            [0, 0, 1, 9]
        );
        let bytes = noise(11, 40 * MIB);
        let mut before: BTreeSet<usize> = content(&bytes).into_iter().collect();
        for class in 1..=3 {
            let cuts = Cuts::by_content(FIRST_CLASS << class);
            let found: BTreeSet<usize> = ends(cuts, &bytes, MIB).into_iter().collect();
            assert!(found.is_subset(&before), "class {class}");
            assert!(
                !found.is_empty() && found.len() < before.len(),
                "class {class}"
            );
            before = found;
        }
    }

    #[test]
    fn the_cuts_of_a_version_that_was_stored_are_found_by_every_later_program() {
        assert_eq!(content(&noise(1, 4 * MIB)), [1_694_099, 2_906_875]);
    }
}
