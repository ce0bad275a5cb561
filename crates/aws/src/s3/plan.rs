//! Of which parts an object is made: what is sent, and what another object's bytes are copied to.

use super::survey::{Chunk, Part};

/// A part, and the offset in the other object from which it can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) part: Part,
    pub(super) from: Option<u64>,
}

/// Neighbouring chunks that are all sent, or that lie one behind the other in the other object.
struct Run<'a> {
    chunks: &'a [Chunk],
    from: Option<u64>,
}

/// The parts of a file that is sent.
pub(super) fn sent(chunks: &[Chunk], part_size: u64) -> Vec<Part> {
    let nothing = vec![None; chunks.len()];
    let planned = planned(chunks, &nothing, part_size, 0);
    planned.into_iter().map(|planned| planned.part).collect()
}

/// The same parts, as a plan.
pub(super) fn all_sent(parts: &[Part]) -> Vec<Planned> {
    let sent = |part: &Part| Planned {
        part: *part,
        from: None,
    };
    parts.iter().map(sent).collect()
}

/// The parts of a file of which some chunks are found at an offset of another object. No part
/// but the last has fewer bytes than `part_size`: so what is found may be sent nevertheless, for
/// a part beside it or because it is too little. Copies have about `copy_size` bytes.
pub(super) fn planned(
    chunks: &[Chunk],
    found: &[Option<u64>],
    part_size: u64,
    copy_size: u64,
) -> Vec<Planned> {
    let mut parts = Parts::default();
    let runs = widened(runs(chunks, found), chunks, part_size);
    for (at, run) in runs.iter().enumerate() {
        let aim = match run.from {
            Some(_) => part_size.max(copy_size),
            None => part_size,
        };
        let last = at + 1 == runs.len();
        parts.cut(run, aim, if last { 0 } else { part_size });
    }
    parts.planned
}

fn size(chunks: &[Chunk]) -> u64 {
    chunks.iter().map(|chunk| chunk.size).sum()
}

/// Runs as long as they can be.
fn runs<'a>(chunks: &'a [Chunk], found: &[Option<u64>]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    let mut begin = 0;
    for at in 1..=chunks.len() {
        let before = found[at - 1].map(|from| from + chunks[at - 1].size);
        let goes_on = at < chunks.len()
            && match (before, found[at]) {
                (Some(end), Some(from)) => end == from,
                (before, next) => before.is_none() && next.is_none(),
            };
        if !goes_on {
            runs.push(Run {
                chunks: &chunks[begin..at],
                from: found[begin],
            });
            begin = at;
        }
    }
    runs
}

/// Runs none of which is too small for a part, but the last. A sent one that is too small takes
/// chunks from the copy behind it; a copy that is too small is sent.
fn widened<'a>(runs: Vec<Run<'a>>, all: &'a [Chunk], part_size: u64) -> Vec<Run<'a>> {
    let mut wide: Vec<Run<'a>> = Vec::new();
    // Where the last of `wide` begins, and where it ends, in `all`.
    let (mut begin, mut end) = (0, 0);
    for mut run in runs {
        let last = wide.last_mut().filter(|last| last.from.is_none());
        let mut lent = 0;
        if let Some(last) = &last {
            let mut has = size(last.chunks);
            while has < part_size && lent < run.chunks.len() {
                has += run.chunks[lent].size;
                lent += 1;
            }
        }
        let (given, kept) = run.chunks.split_at(lent);
        let copied = run.from.is_some() && size(kept) >= part_size;
        match last {
            Some(last) if !copied => {
                end += run.chunks.len();
                last.chunks = &all[begin..end];
                continue;
            }
            Some(last) => {
                end += lent;
                last.chunks = &all[begin..end];
                run.from = run.from.map(|from| from + size(given));
                run.chunks = kept;
            }
            None if !copied => run.from = None,
            None => {}
        }
        begin = end;
        end += run.chunks.len();
        wide.push(run);
    }
    wide
}

#[derive(Default)]
struct Parts {
    planned: Vec<Planned>,
    offset: u64,
}

impl Parts {
    /// Parts of about `aim` bytes; what is less than `least` goes with the part before it.
    fn cut(&mut self, run: &Run<'_>, aim: u64, least: u64) {
        let mut left = run.chunks;
        let mut from = run.from;
        while !left.is_empty() {
            let mut now = 0;
            let mut has = 0;
            while now < left.len() && has < aim {
                has += left[now].size;
                now += 1;
            }
            let rest = size(&left[now..]);
            if rest < least {
                now = left.len();
                has += rest;
            }
            let (chunks, later) = left.split_at(now);
            let sums = chunks[1..].iter().fold(chunks[0].sums, |sums, chunk| {
                sums.and(chunk.sums, chunk.size)
            });
            self.planned.push(Planned {
                part: Part {
                    // At most 10,000: see `layout::part_size`.
                    number: i32::try_from(self.planned.len() + 1).unwrap_or(i32::MAX),
                    offset: self.offset,
                    size: has,
                    sums,
                },
                from,
            });
            self.offset += has;
            from = from.map(|from| from + has);
            left = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::crc::Sums;
    use super::*;

    fn chunks(sizes: &[u64]) -> Vec<Chunk> {
        let chunk = |size: &u64| Chunk {
            size: *size,
            sums: Sums::of(&vec![1; usize::try_from(*size).expect("small")]),
            digest: None,
        };
        sizes.iter().map(chunk).collect()
    }

    /// Offset, size, and from where.
    fn told(planned: &[Planned]) -> Vec<(u64, u64, Option<u64>)> {
        let each = planned.iter();
        each.map(|planned| (planned.part.offset, planned.part.size, planned.from))
            .collect()
    }

    #[test]
    fn what_is_sent_goes_in_parts_of_whole_chunks() {
        let all = chunks(&[4, 4, 4, 9, 3, 8, 1]);
        let parts = sent(&all, 10);
        let sizes: Vec<_> = parts.iter().map(|part| part.size).collect();
        assert_eq!(sizes, [12, 12, 9]);
        let numbers: Vec<_> = parts.iter().map(|part| part.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(parts[1].sums, Sums::of(&[1; 12]));
        assert_eq!(sent(&chunks(&[0]), 10).len(), 1, "an empty file has a part");
    }

    #[test]
    fn a_part_that_would_be_too_small_takes_from_the_copy_behind_it() {
        let all = chunks(&[10, 10, 4, 4, 4, 10, 10]);
        let mut found: Vec<_> = [0, 10, 20, 24, 28, 32, 42].map(Some).to_vec();
        found[2] = None;
        assert_eq!(
            told(&planned(&all, &found, 10, 100)),
            [(0, 20, Some(0)), (20, 12, None), (32, 20, Some(32))]
        );
    }

    #[test]
    fn what_was_put_in_shifts_the_copy_behind_it() {
        let all = chunks(&[10, 10, 10, 10]);
        let found = [Some(0), None, Some(10), Some(20)];
        assert_eq!(
            told(&planned(&all, &found, 10, 100)),
            [(0, 10, Some(0)), (10, 10, None), (20, 20, Some(10))]
        );
    }

    #[test]
    fn copies_too_small_for_a_part_are_sent() {
        let all = chunks(&[9, 5, 9, 5, 9, 20]);
        let found = [None, Some(0), None, Some(9), None, Some(40)];
        assert_eq!(
            told(&planned(&all, &found, 10, 100)),
            [(0, 14, None), (14, 23, None), (37, 20, Some(40))]
        );
    }

    #[test]
    fn no_part_but_the_last_is_too_small_whatever_is_found() {
        // Each of seven chunks is found where it was, is found elsewhere, or is new.
        let sizes = [6, 1, 12, 3, 25, 2, 9];
        let all = chunks(&sizes);
        for case in 0..3u32.pow(7) {
            let mut at = 0;
            let mut found = Vec::new();
            for (number, size) in (0u32..).zip(sizes) {
                found.push(match case / 3u32.pow(number) % 3 {
                    0 => None,
                    1 => Some(at),
                    _ => Some(1000 + at * 2),
                });
                at += size;
            }
            let parts = planned(&all, &found, 10, 20);
            let mut offset = 0;
            for (index, Planned { part, from }) in parts.iter().enumerate() {
                assert_eq!(part.offset, offset, "case {case}");
                assert!(part.size >= 10 || index + 1 == parts.len(), "case {case}");
                assert_eq!(part.sums, Sums::of(&vec![1; part.size as usize]));
                if let Some(from) = from {
                    let begins = all.iter().scan(0, |end, chunk| {
                        *end += chunk.size;
                        Some(*end - chunk.size)
                    });
                    let mut first = begins.zip(&found);
                    let first = first.find(|(begin, _)| *begin == part.offset);
                    assert_eq!(first.expect("a chunk's").1, &Some(*from), "case {case}");
                }
                offset += part.size;
            }
            assert_eq!(offset, sizes.iter().sum::<u64>(), "case {case}");
        }
    }
}
