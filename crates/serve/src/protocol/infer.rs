//! `/v2/models/{model}/infer` of the Open Inference Protocol, with the binary tensor data extension.

use mlops_core::signature::{Datatype, Signature};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{in_order, listed, position};
use crate::engine::Tensor;
use crate::tensor::{self, Elements, Mistake};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<i64>,
    datatype: Datatype,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    data: Option<Value>,
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// What remains of a request once its tensors are taken out: how to answer it.
pub(crate) struct Form {
    id: Option<String>,
    /// Index into the signature's outputs, and whether it goes as binary.
    outputs: Vec<(usize, bool)>,
}

/// Reads a request. `header_length` is the value of `Inference-Header-Content-Length`.
pub(crate) fn read(
    signature: &Signature,
    body: &[u8],
    header_length: Option<usize>,
) -> Result<(Vec<Tensor>, Form), Mistake> {
    let (json, mut binary) = match header_length {
        None => (body, &[][..]),
        Some(length) => body.split_at_checked(length).ok_or_else(|| {
            format!(
                "Inference-Header-Content-Length is {length}, the whole body has {} bytes",
                body.len()
            )
        })?,
    };
    let request: Request = serde_json::from_slice(json)
        .map_err(|e| format!("the inference request is no valid JSON: {e}"))?;
    let mut named = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        let index = position(signature, &input.name)?;
        named.push((index, input.tensor(&signature.inputs[index], &mut binary)?));
    }
    if !binary.is_empty() {
        return Err(format!(
            "{} bytes follow the last input's binary data",
            binary.len()
        ));
    }
    let inputs = in_order(signature, named)?;
    Ok((
        inputs,
        Form {
            outputs: wanted_outputs(signature, &request)?,
            id: request.id,
        },
    ))
}

impl Input {
    fn tensor(
        &self,
        declared: &mlops_core::signature::Tensor,
        binary: &mut &[u8],
    ) -> Result<Tensor, Mistake> {
        let name = &self.name;
        if self.datatype != declared.datatype {
            return Err(format!(
                "input {name:?}: datatype {} is not the model's {}",
                self.datatype, declared.datatype
            ));
        }
        let (shape, count) = tensor::shape(declared, &self.shape)?;
        let size = self.parameters.get("binary_data_size");
        match (&self.data, size) {
            (Some(_), Some(_)) => Err(format!("input {name:?} has both data and binary_data_size")),
            (None, None) => Err(format!(
                "input {name:?} has neither data nor binary_data_size"
            )),
            (Some(data), None) => {
                let mut items = Vec::new();
                flatten(data, &mut items);
                if items.len() != count {
                    return Err(format!(
                        "input {name:?}: shape {:?} takes {count} elements, data has {}",
                        self.shape,
                        items.len()
                    ));
                }
                tensor::from_elements(declared, &shape, &items)
            }
            (None, Some(size)) => {
                let size = size.as_u64().and_then(|n| usize::try_from(n).ok());
                let size = size.ok_or_else(|| {
                    format!("input {name:?}: binary_data_size is no number of bytes")
                })?;
                let (bytes, rest) = binary.split_at_checked(size).ok_or_else(|| {
                    format!(
                        "input {name:?}: binary_data_size is {size}, {} bytes are left in the body",
                        binary.len()
                    )
                })?;
                *binary = rest;
                tensor::from_bytes(declared, &shape, count, bytes)
            }
        }
    }
}

/// Data may be one list or lists in lists; the shape alone counts.
fn flatten<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        scalar => out.push(scalar),
    }
}

fn wanted_outputs(signature: &Signature, request: &Request) -> Result<Vec<(usize, bool)>, Mistake> {
    let flag = |parameters: &Map<String, Value>, key: &str| match parameters.get(key) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(format!("parameter {key:?} is {other}, not true or false")),
    };
    let all_binary = flag(&request.parameters, "binary_data_output")?.unwrap_or(false);
    match &request.outputs {
        None => Ok((0..signature.outputs.len())
            .map(|index| (index, all_binary))
            .collect()),
        Some(wanted) => {
            let one = |wanted: &Wanted| {
                if wanted.parameters.contains_key("classification") {
                    return Err(format!(
                        "output {:?}: the classification extension is not supported",
                        wanted.name
                    ));
                }
                let index = signature
                    .outputs
                    .iter()
                    .position(|o| o.name == wanted.name)
                    .ok_or_else(|| {
                        format!(
                            "unknown output {:?}; the model gives {}",
                            wanted.name,
                            listed(&signature.outputs)
                        )
                    })?;
                Ok((
                    index,
                    flag(&wanted.parameters, "binary_data")?.unwrap_or(all_binary),
                ))
            };
            wanted.iter().map(one).collect()
        }
    }
}

/// An answer's body.
pub(crate) struct Answer {
    /// The JSON, and after it the binary data.
    pub(crate) body: Vec<u8>,
    /// Length of the JSON, if binary data follows.
    pub(crate) header_length: Option<usize>,
}

#[derive(Serialize)]
struct Response<'a> {
    model_name: &'a str,
    model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    datatype: Datatype,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Elements<'a>>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

impl Form {
    /// Writes the answer; `outputs` are in the signature's order.
    pub(crate) fn write(
        &self,
        signature: &Signature,
        outputs: &[Tensor],
        model: &str,
        version: u64,
    ) -> Answer {
        let mut binary = Vec::new();
        let one = |&(index, as_binary): &(usize, bool)| {
            let (declared, tensor) = (&signature.outputs[index], &outputs[index]);
            let datatype = declared.datatype;
            let (parameters, data) = if as_binary {
                let bytes = tensor::to_bytes(tensor, datatype);
                binary.extend_from_slice(&bytes);
                (
                    Some(BinarySize {
                        binary_data_size: bytes.len(),
                    }),
                    None,
                )
            } else {
                (
                    None,
                    Some(Elements {
                        tensor,
                        datatype,
                        nested: false,
                    }),
                )
            };
            Output {
                name: &declared.name,
                datatype,
                shape: tensor.shape(),
                parameters,
                data,
            }
        };
        let response = Response {
            outputs: self.outputs.iter().map(one).collect(),
            model_name: model,
            model_version: version.to_string(),
            id: self.id.as_deref(),
        };
        let mut body =
            serde_json::to_vec(&response).expect("strings, numbers and lists are always JSON");
        let header_length = self
            .outputs
            .iter()
            .any(|(_, as_binary)| *as_binary)
            .then_some(body.len());
        body.append(&mut binary);
        Answer {
            body,
            header_length,
        }
    }
}

#[cfg(test)]
mod tests;
