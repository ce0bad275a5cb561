//! Reads what an ONNX file promises (its inputs, outputs and operators) without running or compiling it.
//!
//! This is what a plan looks at: it never panics, allocates no more than the names and shapes it returns, and takes time
//! linear in the file. Whether the graph computes anything is found out by the model server, not here.

mod condense;
mod operators;
mod wire;

use std::collections::BTreeSet;

use crate::signature::{DYNAMIC, Datatype, Signature, Tensor};
use wire::{Fields, Value, WireError};

pub use condense::condense;
pub use operators::{OPERATORS, is_supported_operator};

/// Subgraphs (of If, Loop, Scan) deeper than this are refused.
const MAX_DEPTH: usize = 32;

/// Why a file is no model that can be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Some other kind of file.
    #[error("the file is not an ONNX model")]
    NotOnnx,
    /// It begins as an ONNX model and stops in the middle.
    #[error("the ONNX model is truncated: the file ends before the graph does")]
    Truncated,
    /// It begins as an ONNX model, then makes no sense.
    #[error("the ONNX model is corrupt: {what}")]
    Corrupt {
        /// What makes no sense.
        what: &'static str,
    },
    /// A node that the model server cannot run.
    #[error(
        "operator {op:?} (domain {domain:?}, node {node:?}) is not supported by the model server"
    )]
    UnsupportedOperator {
        /// Its `op_type`.
        op: String,
        /// Its operator set.
        domain: String,
        /// Name of the first node that uses it.
        node: String,
    },
    /// Weights outside the file: they would not be covered by its digest.
    #[error("tensor {tensor:?} lies outside the file; export the model with its weights inside")]
    ExternalData {
        /// Its name.
        tensor: String,
    },
    /// An input or output that is no tensor of a type that the Open Inference Protocol can carry.
    #[error("{direction} {name:?} has a type that cannot be served: {what}")]
    UnsupportedType {
        /// `input` or `output`.
        direction: &'static str,
        /// Its name.
        name: String,
        /// What it is.
        what: String,
    },
}

impl From<WireError> for InspectError {
    fn from(error: WireError) -> Self {
        match error {
            // Inside a message whose length is known, running out means the inner lengths lie.
            WireError::End => InspectError::Corrupt {
                what: "a field is longer than the message it lies in",
            },
            WireError::Malformed => InspectError::Corrupt {
                what: "a field has an impossible type",
            },
        }
    }
}

/// Reads the signature of the ONNX model in `bytes` and checks that every operator is one that the server runs.
///
/// An output that scikit-learn's converter declares as a sequence of maps (ZipMap: class to probability) is reported as what
/// the server answers: an FP32 tensor of the probabilities, one column for each class.
pub fn inspect(bytes: &[u8]) -> Result<Signature, InspectError> {
    let graph = graph_of(bytes)?;
    let mut found = Graph::default();
    found.read(graph, 0)?;
    if let Some(error) = found.refusal {
        return Err(error);
    }
    let inputs = found
        .inputs
        .iter()
        .filter(|i| !found.initializers.contains(i.name))
        .map(|i| i.tensor("input", &found))
        .collect::<Result<_, _>>()?;
    let outputs = found
        .outputs
        .iter()
        .map(|o| o.tensor("output", &found))
        .collect::<Result<_, _>>()?;
    Ok(Signature { inputs, outputs })
}

/// The top level, where "not ONNX", "truncated" and "corrupt" are told apart: an exporter writes `ir_version` first.
fn graph_of(bytes: &[u8]) -> Result<&[u8], InspectError> {
    if bytes.is_empty() {
        return Err(InspectError::Empty);
    }
    let mut fields = Fields::new(bytes);
    let mut graph = None;
    let mut has_version = false;
    loop {
        match fields.next() {
            Ok(None) => break,
            Ok(Some((1, Value::Varint(version)))) if (1..=100).contains(&version) => {
                has_version = true
            }
            Ok(Some((5, Value::Varint(_)))) => {}
            Ok(Some((7, Value::Bytes(message)))) => graph = Some(message),
            Ok(Some((2 | 3 | 4 | 6 | 8 | 14 | 20 | 25 | 26, Value::Bytes(_)))) => {}
            Ok(Some(_)) | Err(WireError::Malformed) => {
                return Err(match has_version {
                    true if graph.is_some() => InspectError::Corrupt {
                        what: "an unknown field beside the graph",
                    },
                    _ => InspectError::NotOnnx,
                });
            }
            Err(WireError::End) if has_version => return Err(InspectError::Truncated),
            Err(WireError::End) => return Err(InspectError::NotOnnx),
        }
    }
    match graph {
        Some(graph) if has_version => Ok(graph),
        None if has_version => Err(InspectError::Truncated),
        _ => Err(InspectError::NotOnnx),
    }
}

#[derive(Default)]
struct Graph<'a> {
    inputs: Vec<Declared<'a>>,
    outputs: Vec<Declared<'a>>,
    initializers: BTreeSet<&'a str>,
    /// Output name and number of classes of each ZipMap.
    zip_maps: Vec<(&'a str, usize)>,
    /// The first thing that the server cannot do; kept until the walk has proved the file whole.
    refusal: Option<InspectError>,
}

struct Declared<'a> {
    name: &'a str,
    type_: &'a [u8],
}

impl<'a> Graph<'a> {
    fn read(&mut self, message: &'a [u8], depth: usize) -> Result<(), InspectError> {
        if depth > MAX_DEPTH {
            return Err(InspectError::Corrupt {
                what: "its subgraphs are nested too deeply",
            });
        }
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            let Value::Bytes(bytes) = value else { continue };
            match field {
                1 => self.read_node(bytes, depth)?,
                5 => {
                    let name = self.read_tensor(bytes)?;
                    if depth == 0 {
                        self.initializers.insert(name);
                    }
                }
                // Inputs and outputs of subgraphs are no one's business outside.
                11 if depth == 0 => self.inputs.push(declared(bytes)?),
                12 if depth == 0 => self.outputs.push(declared(bytes)?),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_node(&mut self, message: &'a [u8], depth: usize) -> Result<(), InspectError> {
        let (mut op, mut domain, mut name, mut output) = ("", "", "", None);
        let mut classes = 0;
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            let Value::Bytes(bytes) = value else { continue };
            match field {
                2 => output = output.or(Some(text(bytes)?)),
                3 => name = text(bytes)?,
                4 => op = text(bytes)?,
                5 => classes += self.read_attribute(bytes, depth)?,
                7 => domain = text(bytes)?,
                _ => {}
            }
        }
        if op == "ZipMap"
            && let Some(output) = output
        {
            self.zip_maps.push((output, classes));
        }
        if !is_supported_operator(op) {
            self.refuse(InspectError::UnsupportedOperator {
                op: op.into(),
                domain: domain.into(),
                node: name.into(),
            });
        }
        Ok(())
    }

    /// Walks an attribute for subgraphs and tensors; returns the number of class labels that it holds.
    fn read_attribute(&mut self, message: &'a [u8], depth: usize) -> Result<usize, InspectError> {
        let (mut name, mut strings, mut ints) = ("", 0, 0);
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Bytes(bytes)) => name = text(bytes)?,
                (5 | 10, Value::Bytes(bytes)) => drop(self.read_tensor(bytes)?),
                (6 | 11, Value::Bytes(bytes)) => self.read(bytes, depth + 1)?,
                (8, Value::Varint(_)) => ints += 1,
                (8, Value::Bytes(packed)) => {
                    ints += packed.iter().filter(|b| **b & 0x80 == 0).count()
                }
                (9, Value::Bytes(_)) => strings += 1,
                _ => {}
            }
        }
        Ok(match name {
            "classlabels_int64s" => ints,
            "classlabels_strings" => strings,
            _ => 0,
        })
    }

    fn read_tensor(&mut self, message: &'a [u8]) -> Result<&'a str, InspectError> {
        let (mut name, mut outside) = ("", false);
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (8, Value::Bytes(bytes)) => name = text(bytes)?,
                (13, Value::Bytes(_)) | (14, Value::Varint(1..)) => outside = true,
                _ => {}
            }
        }
        if outside {
            self.refuse(InspectError::ExternalData {
                tensor: name.into(),
            });
        }
        Ok(name)
    }

    fn refuse(&mut self, error: InspectError) {
        self.refusal.get_or_insert(error);
    }
}

fn text(bytes: &[u8]) -> Result<&str, InspectError> {
    std::str::from_utf8(bytes).map_err(|_| InspectError::Corrupt {
        what: "a name is not UTF-8",
    })
}

fn declared(message: &[u8]) -> Result<Declared<'_>, InspectError> {
    let mut declared = Declared {
        name: "",
        type_: &[],
    };
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => declared.name = text(bytes)?,
            (2, Value::Bytes(bytes)) => declared.type_ = bytes,
            _ => {}
        }
    }
    Ok(declared)
}

impl Declared<'_> {
    fn tensor(&self, direction: &'static str, graph: &Graph<'_>) -> Result<Tensor, InspectError> {
        let unsupported = |what: &str| InspectError::UnsupportedType {
            direction,
            name: self.name.into(),
            what: what.into(),
        };
        if let Some((_, classes)) = graph
            .zip_maps
            .iter()
            .find(|(output, _)| *output == self.name)
        {
            let classes = i64::try_from(*classes)
                .ok()
                .filter(|n| *n > 0)
                .unwrap_or(DYNAMIC);
            return Ok(Tensor {
                name: self.name.into(),
                datatype: Datatype::Fp32,
                shape: vec![DYNAMIC, classes],
            });
        }
        let mut fields = Fields::new(self.type_);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Bytes(bytes)) => {
                    let (element, shape) = tensor_type(bytes)?;
                    let datatype = datatype(element).ok_or_else(|| {
                        unsupported(&format!("elements of ONNX type number {element}"))
                    })?;
                    // Without a declared shape all that is known is that the batch varies.
                    return Ok(Tensor {
                        name: self.name.into(),
                        datatype,
                        shape: shape.unwrap_or_else(|| vec![DYNAMIC]),
                    });
                }
                (4, _) => return Err(unsupported("a sequence")),
                (5, _) => return Err(unsupported("a map")),
                (8, _) => return Err(unsupported("a sparse tensor")),
                (9, _) => return Err(unsupported("an optional")),
                _ => {}
            }
        }
        Err(unsupported("no type is declared"))
    }
}

fn tensor_type(message: &[u8]) -> Result<(u64, Option<Vec<i64>>), InspectError> {
    let (mut element, mut shape) = (0, None);
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Varint(number)) => element = number,
            (2, Value::Bytes(bytes)) => shape = Some(dimensions(bytes)?),
            _ => {}
        }
    }
    Ok((element, shape))
}

fn dimensions(message: &[u8]) -> Result<Vec<i64>, InspectError> {
    let mut shape = Vec::new();
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        let (1, Value::Bytes(dimension)) = (field, value) else {
            continue;
        };
        let mut size = DYNAMIC;
        let mut inner = Fields::new(dimension);
        while let Some((field, value)) = inner.next()? {
            if let (1, Value::Varint(n)) = (field, value) {
                // Exporters write 0 and -1 for "any", too.
                size = i64::try_from(n).ok().filter(|n| *n > 0).unwrap_or(DYNAMIC);
            }
        }
        shape.push(size);
    }
    Ok(shape)
}

fn datatype(element: u64) -> Option<Datatype> {
    Some(match element {
        1 => Datatype::Fp32,
        2 => Datatype::Uint8,
        3 => Datatype::Int8,
        4 => Datatype::Uint16,
        5 => Datatype::Int16,
        6 => Datatype::Int32,
        7 => Datatype::Int64,
        8 => Datatype::Bytes,
        9 => Datatype::Bool,
        10 => Datatype::Fp16,
        11 => Datatype::Fp64,
        12 => Datatype::Uint32,
        13 => Datatype::Uint64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
