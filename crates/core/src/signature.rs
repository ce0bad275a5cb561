//! What a model takes and gives: its signature, in the words of the Open Inference Protocol.

use serde::{Deserialize, Serialize};

/// Inputs and outputs of a model, each in the model's own order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What a request must bring.
    pub inputs: Vec<Tensor>,
    /// What an answer holds.
    pub outputs: Vec<Tensor>,
}

/// One input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Name, unique among the inputs (or outputs).
    pub name: String,
    /// Type of the elements.
    pub datatype: Datatype,
    /// Size of each dimension; [`DYNAMIC`] where a request chooses.
    pub shape: Vec<i64>,
}

impl Tensor {
    /// Values of one row, where the model says. A row is what the first dimension counts.
    pub fn row_width(&self) -> Option<usize> {
        let sizes = self.shape.iter().skip(1);
        sizes
            .map(|size| usize::try_from(*size).ok())
            .try_fold(1_usize, |all, size| all.checked_mul(size?))
    }
}

/// A dimension whose size a request chooses.
pub const DYNAMIC: i64 = -1;

/// Element types of the Open Inference Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Fp32,
    Fp64,
    /// Strings or raw bytes.
    Bytes,
}

impl Datatype {
    /// The protocol's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Datatype::Bool => "BOOL",
            Datatype::Uint8 => "UINT8",
            Datatype::Uint16 => "UINT16",
            Datatype::Uint32 => "UINT32",
            Datatype::Uint64 => "UINT64",
            Datatype::Int8 => "INT8",
            Datatype::Int16 => "INT16",
            Datatype::Int32 => "INT32",
            Datatype::Int64 => "INT64",
            Datatype::Fp16 => "FP16",
            Datatype::Fp32 => "FP32",
            Datatype::Fp64 => "FP64",
            Datatype::Bytes => "BYTES",
        }
    }

    /// Bytes of one element in the binary tensor extension; `None` for [`Datatype::Bytes`], whose elements carry their
    /// length.
    pub fn size(self) -> Option<usize> {
        match self {
            Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => Some(1),
            Datatype::Uint16 | Datatype::Int16 | Datatype::Fp16 => Some(2),
            Datatype::Uint32 | Datatype::Int32 | Datatype::Fp32 => Some(4),
            Datatype::Uint64 | Datatype::Int64 | Datatype::Fp64 => Some(8),
            Datatype::Bytes => None,
        }
    }
}

impl std::fmt::Display for Datatype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

mod compatibility;

pub use compatibility::{Compatibility, Incompatibility, Side, compatible, diff};
