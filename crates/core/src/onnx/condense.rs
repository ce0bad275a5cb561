//! Copies a model without the contents of its tensors, so that a plan can look at a file of any size.

use std::io::{self, BufRead, BufReader, Read, Seek};

use super::MAX_DEPTH;

/// The messages on the way to a tensor. The numbers are those of `onnx.proto`.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

enum Field {
    /// Descend into it.
    Inside(Message),
    /// A tensor's elements: nobody who looks at signatures reads them.
    Drop,
    /// Copy it as it is.
    Keep,
}

impl Message {
    fn field(self, number: u64) -> Field {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Field::Inside(Self::Graph),
            (Self::Graph, 1) => Field::Inside(Self::Node),
            (Self::Node, 5) => Field::Inside(Self::Attribute),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Field::Inside(Self::Tensor),
            // float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data.
            (Self::Tensor, 4..=7 | 9..=11) => Field::Drop,
            _ => Field::Keep,
        }
    }
}

/// The ONNX model of `length` bytes in `file`, without the contents of its tensors.
///
/// What is no protobuf, or stops in the middle, is copied up to there, so that whoever reads the copy
/// finds the same fault. Takes memory for what is copied only.
///
/// # Errors
/// What reading the file answers.
pub fn condense(file: impl Read + Seek, length: u64) -> io::Result<Vec<u8>> {
    let mut walk = Walk {
        file: BufReader::new(file),
    };
    let mut copy = Vec::new();
    walk.message(Message::Model, length, 0, &mut copy)?;
    Ok(copy)
}

struct Walk<F> {
    file: BufReader<F>,
}

impl<F: Read + Seek> Walk<F> {
    /// Copies a message of `left` bytes. `false` if it is broken: the copy then ends at the fault, and
    /// so must everything around it.
    fn message(
        &mut self,
        kind: Message,
        mut left: u64,
        depth: usize,
        copy: &mut Vec<u8>,
    ) -> io::Result<bool> {
        while left > 0 {
            let Some(tag) = self.varint(&mut left, copy)? else {
                return Ok(false);
            };
            match tag & 7 {
                0 => {
                    if self.varint(&mut left, copy)?.is_none() {
                        return Ok(false);
                    }
                }
                1 if self.copy(8, &mut left, copy)? => {}
                5 if self.copy(4, &mut left, copy)? => {}
                2 => {
                    let before = copy.len();
                    let Some(length) = self.varint(&mut left, copy)? else {
                        return Ok(false);
                    };
                    if length > left {
                        return Ok(false);
                    }
                    match kind.field(tag >> 3) {
                        Field::Keep => drop(self.copy(length, &mut left, copy)?),
                        Field::Drop => {
                            self.skip(length)?;
                            left -= length;
                            copy.truncate(before);
                            copy.push(0);
                        }
                        Field::Inside(inner) if depth < MAX_DEPTH * 3 => {
                            let mut part = Vec::new();
                            let whole = self.message(inner, length, depth + 1, &mut part)?;
                            left -= length;
                            copy.truncate(before);
                            put_varint(part.len() as u64, copy);
                            copy.extend(part);
                            if !whole {
                                return Ok(false);
                            }
                        }
                        Field::Inside(_) => drop(self.copy(length, &mut left, copy)?),
                    }
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads and copies a varint; `None` where it is none.
    fn varint(&mut self, left: &mut u64, copy: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let mut value = 0u64;
        for index in 0..10 {
            let next = if *left == 0 {
                None
            } else {
                self.file.fill_buf()?.first().copied()
            };
            let Some(byte) = next else { return Ok(None) };
            self.file.consume(1);
            *left -= 1;
            copy.push(byte);
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Copies `length` bytes; `false` if there are fewer.
    fn copy(&mut self, length: u64, left: &mut u64, copy: &mut Vec<u8>) -> io::Result<bool> {
        let there = length.min(*left);
        let copied = (&mut self.file).take(there).read_to_end(copy)? as u64;
        *left -= copied;
        Ok(copied == length)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let length =
            i64::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        self.file.seek_relative(length)
    }
}

fn put_varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::onnx::inspect;
    use crate::onnx::tests::model_with_weights;

    fn condensed(bytes: &[u8]) -> Vec<u8> {
        condense(Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn weights_are_left_out_and_nothing_else_changes() {
        let model = model_with_weights(1 << 20);
        let copy = condensed(&model);
        assert!(copy.len() < 1024, "{} bytes of {}", copy.len(), model.len());
        assert_eq!(inspect(&copy).unwrap(), inspect(&model).unwrap());
    }

    #[test]
    fn a_truncated_model_is_truncated_in_its_copy_too() {
        let model = model_with_weights(4096);
        for end in 1..model.len() {
            assert_eq!(
                inspect(&condensed(&model[..end])),
                inspect(&model[..end]),
                "{end}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_as_their_copy_is(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert_eq!(inspect(&condensed(&bytes)), inspect(&bytes));
        }
    }
}
