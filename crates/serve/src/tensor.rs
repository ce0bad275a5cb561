//! Tensors between the wire (JSON elements, or little-endian bytes) and the engine, checked against what is declared.

use mlops_core::signature::{DYNAMIC, Datatype, Tensor as Declared};
use serde::{Serialize, Serializer};
use serde_json::Value;
use tract_onnx::prelude::f16;

use crate::engine::Tensor;

/// A client's mistake, as a sentence that names the input.
pub(crate) type Mistake = String;

/// Checks a shape against the declared one and returns it with its number of elements.
pub(crate) fn shape(declared: &Declared, shape: &[i64]) -> Result<(Vec<usize>, usize), Mistake> {
    let fits = shape.len() == declared.shape.len()
        && shape
            .iter()
            .zip(&declared.shape)
            .all(|(size, want)| *size > 0 && (*want == DYNAMIC || size == want));
    if !fits {
        return Err(format!(
            "input {:?}: shape {shape:?} does not fit the model's {:?} (-1: any size from 1)",
            declared.name, declared.shape
        ));
    }
    let mut count = 1usize;
    let mut sizes = Vec::with_capacity(shape.len());
    for size in shape {
        let size = usize::try_from(*size).unwrap_or(usize::MAX);
        count = count.checked_mul(size).ok_or_else(|| {
            format!(
                "input {:?}: shape {shape:?} has too many elements",
                declared.name
            )
        })?;
        sizes.push(size);
    }
    Ok((sizes, count))
}

/// Makes a tensor of JSON elements. Their number has been checked against `shape`.
pub(crate) fn from_elements(
    declared: &Declared,
    shape: &[usize],
    items: &[&Value],
) -> Result<Tensor, Mistake> {
    fn collect<'a, T>(
        declared: &Declared,
        items: &[&'a Value],
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, Mistake> {
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            out.push(convert(item).ok_or_else(|| {
                let mut shown = item.to_string();
                if shown.len() > 64 {
                    shown = shown.chars().take(60).chain("…".chars()).collect();
                }
                format!(
                    "input {:?}: element {index} is {shown}, which is no {}",
                    declared.name, declared.datatype
                )
            })?);
        }
        Ok(out)
    }
    macro_rules! numbers {
        ($convert:expr) => {
            Tensor::from_shape(shape, &collect(declared, items, $convert)?)
        };
    }
    let made = match declared.datatype {
        Datatype::Bool => numbers!(Value::as_bool),
        Datatype::Uint8 => numbers!(|v| v.as_u64().and_then(|n| u8::try_from(n).ok())),
        Datatype::Uint16 => numbers!(|v| v.as_u64().and_then(|n| u16::try_from(n).ok())),
        Datatype::Uint32 => numbers!(|v| v.as_u64().and_then(|n| u32::try_from(n).ok())),
        Datatype::Uint64 => numbers!(Value::as_u64),
        Datatype::Int8 => numbers!(|v| v.as_i64().and_then(|n| i8::try_from(n).ok())),
        Datatype::Int16 => numbers!(|v| v.as_i64().and_then(|n| i16::try_from(n).ok())),
        Datatype::Int32 => numbers!(|v| v.as_i64().and_then(|n| i32::try_from(n).ok())),
        Datatype::Int64 => numbers!(Value::as_i64),
        Datatype::Fp16 => numbers!(|v| v.as_f64().map(|n| f16::from_f32(n as f32))),
        Datatype::Fp32 => numbers!(|v| v.as_f64().map(|n| n as f32)),
        Datatype::Fp64 => numbers!(Value::as_f64),
        Datatype::Bytes => {
            return strings(
                shape,
                collect(declared, items, |v| v.as_str().map(String::from))?,
            );
        }
    };
    made.map_err(|e| format!("input {:?}: {e}", declared.name))
}

/// Makes a tensor of the binary extension's bytes: little-endian elements; strings with a 32-bit length before each.
pub(crate) fn from_bytes(
    declared: &Declared,
    shape: &[usize],
    count: usize,
    bytes: &[u8],
) -> Result<Tensor, Mistake> {
    let name = &declared.name;
    if let Some(size) = declared.datatype.size()
        && count.checked_mul(size) != Some(bytes.len())
    {
        return Err(format!(
            "input {name:?}: {count} elements of {} take {} bytes, binary_data_size is {}",
            declared.datatype,
            count.saturating_mul(size),
            bytes.len()
        ));
    }
    macro_rules! elements {
        ($t:ty) => {{
            let of = |chunk: &[u8]| {
                <$t>::from_le_bytes(chunk.try_into().expect("chunks_exact gives whole elements"))
            };
            Tensor::from_shape(
                shape,
                &bytes
                    .chunks_exact(size_of::<$t>())
                    .map(of)
                    .collect::<Vec<$t>>(),
            )
        }};
    }
    let made = match declared.datatype {
        Datatype::Bool => {
            if let Some(at) = bytes.iter().position(|b| *b > 1) {
                return Err(format!(
                    "input {name:?}: element {at} is {}, which is no BOOL (0 or 1)",
                    bytes[at]
                ));
            }
            Tensor::from_shape(shape, &bytes.iter().map(|b| *b == 1).collect::<Vec<bool>>())
        }
        Datatype::Uint8 => elements!(u8),
        Datatype::Uint16 => elements!(u16),
        Datatype::Uint32 => elements!(u32),
        Datatype::Uint64 => elements!(u64),
        Datatype::Int8 => elements!(i8),
        Datatype::Int16 => elements!(i16),
        Datatype::Int32 => elements!(i32),
        Datatype::Int64 => elements!(i64),
        Datatype::Fp16 => elements!(f16),
        Datatype::Fp32 => elements!(f32),
        Datatype::Fp64 => elements!(f64),
        Datatype::Bytes => {
            // Every element takes four bytes at least, so a lying count allocates nothing.
            let mut texts = Vec::with_capacity(count.min(bytes.len() / 4));
            let mut rest = bytes;
            while !rest.is_empty() {
                let cut = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
                    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
                });
                let (text, after) = cut.ok_or_else(|| {
                    format!("input {name:?}: element {} is cut short", texts.len())
                })?;
                let text = std::str::from_utf8(text)
                    .map_err(|_| format!("input {name:?}: element {} is not UTF-8", texts.len()))?;
                texts.push(text.to_string());
                rest = after;
            }
            if texts.len() != count {
                return Err(format!(
                    "input {name:?}: shape {shape:?} takes {count} elements, data has {}",
                    texts.len()
                ));
            }
            return strings(shape, texts);
        }
    };
    made.map_err(|e| format!("input {name:?}: {e}"))
}

fn strings(shape: &[usize], texts: Vec<String>) -> Result<Tensor, Mistake> {
    tract_onnx::prelude::tensor1(&texts)
        .into_shape(shape)
        .map_err(|e| e.to_string())
}

/// The bytes of a tensor as the binary extension writes them.
pub(crate) fn to_bytes(tensor: &Tensor, datatype: Datatype) -> Vec<u8> {
    macro_rules! elements {
        ($t:ty) => {
            slice::<$t>(tensor)
                .iter()
                .flat_map(|e| e.to_le_bytes())
                .collect()
        };
    }
    match datatype {
        Datatype::Bool => slice::<bool>(tensor).iter().map(|b| u8::from(*b)).collect(),
        Datatype::Uint8 => elements!(u8),
        Datatype::Uint16 => elements!(u16),
        Datatype::Uint32 => elements!(u32),
        Datatype::Uint64 => elements!(u64),
        Datatype::Int8 => elements!(i8),
        Datatype::Int16 => elements!(i16),
        Datatype::Int32 => elements!(i32),
        Datatype::Int64 => elements!(i64),
        Datatype::Fp16 => elements!(f16),
        Datatype::Fp32 => elements!(f32),
        Datatype::Fp64 => elements!(f64),
        Datatype::Bytes => slice::<String>(tensor)
            .iter()
            .flat_map(|s| (s.len() as u32).to_le_bytes().into_iter().chain(s.bytes()))
            .collect(),
    }
}

pub(crate) fn slice<T: tract_onnx::prelude::Datum>(tensor: &Tensor) -> &[T] {
    tensor
        .as_plain_ram()
        .and_then(|plain| plain.as_slice::<T>().ok())
        .expect("the engine answers plain tensors of the declared datatype")
}

/// Serialises the elements of a tensor in row-major order; numbers that JSON cannot say (NaN, infinity) become null.
pub(crate) struct Elements<'a> {
    pub(crate) tensor: &'a Tensor,
    pub(crate) datatype: Datatype,
    /// One list, or lists in lists as the shape says.
    pub(crate) nested: bool,
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        macro_rules! elements {
            ($t:ty) => {
                self.with(slice::<$t>(self.tensor), serializer)
            };
        }
        match self.datatype {
            Datatype::Bool => elements!(bool),
            Datatype::Uint8 => elements!(u8),
            Datatype::Uint16 => elements!(u16),
            Datatype::Uint32 => elements!(u32),
            Datatype::Uint64 => elements!(u64),
            Datatype::Int8 => elements!(i8),
            Datatype::Int16 => elements!(i16),
            Datatype::Int32 => elements!(i32),
            Datatype::Int64 => elements!(i64),
            Datatype::Fp16 => {
                let wide: Vec<f32> = slice::<f16>(self.tensor)
                    .iter()
                    .map(|e| e.to_f32())
                    .collect();
                self.with(&wide, serializer)
            }
            Datatype::Fp32 => elements!(f32),
            Datatype::Fp64 => elements!(f64),
            Datatype::Bytes => elements!(String),
        }
    }
}

impl Elements<'_> {
    fn with<T: Serialize, S: Serializer>(
        &self,
        items: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if self.nested {
            Nested {
                items,
                shape: self.tensor.shape(),
            }
            .serialize(serializer)
        } else {
            serializer.collect_seq(items)
        }
    }
}

struct Nested<'a, T> {
    items: &'a [T],
    shape: &'a [usize],
}

impl<T: Serialize> Serialize for Nested<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.shape {
            [] => self.items[0].serialize(serializer),
            [_] => serializer.collect_seq(self.items),
            [_, inner @ ..] => {
                let step = inner.iter().product::<usize>().max(1);
                serializer.collect_seq(self.items.chunks(step).map(|items| Nested {
                    items,
                    shape: inner,
                }))
            }
        }
    }
}
