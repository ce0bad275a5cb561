//! `/invocations` as MLflow's scoring server speaks it.
//!
//! A data frame (`dataframe_split`, `dataframe_records`) feeds a model of one two-dimensional input by position, and a model
//! of several one-column inputs by name. `inputs` is a tensor, or an object of tensors by input name; `instances` is the
//! same row by row. The answer is `{"predictions": …}`: for a data frame and a model of several outputs a list of records,
//! else the values of the one output, or an object of them by output name.

use std::fmt;

use mlops_core::signature::{Signature, Tensor as Declared};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{in_order, listed, position};
use crate::engine::Tensor;
use crate::tensor::{self, Elements, Mistake};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    dataframe_split: Option<Split>,
    dataframe_records: Option<Vec<Record>>,
    inputs: Option<Value>,
    instances: Option<Vec<Value>>,
    /// Inference parameters: a graph has none, so they are read and ignored, as MLflow does.
    #[serde(default, rename = "params")]
    _params: Option<Value>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    columns: Option<Vec<Value>>,
    data: Vec<Vec<Value>>,
    #[serde(default, rename = "index")]
    _index: Option<Value>,
}

/// An object that keeps the order of its keys: it is the order of the columns.
struct Record(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Record(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// Row by row.
    Frame,
    /// Output by output.
    Tensors,
}

/// Reads a request.
pub(crate) fn read(signature: &Signature, body: &[u8]) -> Result<(Vec<Tensor>, Form), Mistake> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|e| format!("the invocation request is no valid JSON of its kind: {e}"))?;
    match request {
        Request {
            dataframe_split: Some(split),
            dataframe_records: None,
            inputs: None,
            instances: None,
            ..
        } => {
            let columns = split.columns.map(|c| c.iter().map(column_name).collect());
            let rows: Vec<Vec<&Value>> =
                split.data.iter().map(|row| row.iter().collect()).collect();
            Ok((frame(signature, columns, &rows)?, Form::Frame))
        }
        Request {
            dataframe_split: None,
            dataframe_records: Some(records),
            inputs: None,
            instances: None,
            ..
        } => {
            let columns: Vec<String> = records
                .first()
                .map(|r| r.0.iter().map(|(k, _)| k.clone()).collect())
                .unwrap_or_default();
            let row = |(index, record): (usize, &Record)| {
                let mut row = Vec::with_capacity(columns.len());
                for column in &columns {
                    let value = record.0.iter().position(|(k, _)| k == column);
                    let value =
                        value.ok_or_else(|| format!("record {index} has no column {column:?}"))?;
                    row.push(value);
                }
                if record.0.len() != columns.len() {
                    return Err(format!("record {index} has other columns than record 0"));
                }
                Ok(row)
            };
            let places = records
                .iter()
                .enumerate()
                .map(row)
                .collect::<Result<Vec<_>, Mistake>>()?;
            let rows: Vec<Vec<&Value>> = records
                .iter()
                .zip(&places)
                .map(|(r, places)| places.iter().map(|p| &r.0[*p].1).collect())
                .collect();
            Ok((frame(signature, Some(columns), &rows)?, Form::Frame))
        }
        Request {
            dataframe_split: None,
            dataframe_records: None,
            inputs: Some(inputs),
            instances: None,
            ..
        } => Ok((columnar(signature, &inputs)?, Form::Tensors)),
        Request {
            dataframe_split: None,
            dataframe_records: None,
            inputs: None,
            instances: Some(rows),
            ..
        } => Ok((row_wise(signature, &rows)?, Form::Tensors)),
        _ => {
            Err("give exactly one of dataframe_split, dataframe_records, inputs, instances".into())
        }
    }
}

fn column_name(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    }
}

fn frame(
    signature: &Signature,
    columns: Option<Vec<String>>,
    rows: &[Vec<&Value>],
) -> Result<Vec<Tensor>, Mistake> {
    let width = columns
        .as_ref()
        .map_or_else(|| rows.first().map_or(0, Vec::len), Vec::len);
    if rows.is_empty() {
        return Err("the data frame has no rows".into());
    }
    if let Some(index) = rows.iter().position(|row| row.len() != width) {
        return Err(format!(
            "row {index} has {} values, the data frame has {width} columns",
            rows[index].len()
        ));
    }
    if let [declared] = &*signature.inputs
        && declared.shape.len() == 2
    {
        let (shape, _) = tensor::shape(declared, &[rows.len() as i64, width as i64])?;
        let items: Vec<&Value> = rows.iter().flatten().copied().collect();
        return Ok(vec![tensor::from_elements(declared, &shape, &items)?]);
    }
    let columns = columns.ok_or("this model has several inputs: the data frame needs columns")?;
    let mut named = Vec::with_capacity(width);
    for (at, column) in columns.iter().enumerate() {
        let index = position(signature, column)?;
        let declared = &signature.inputs[index];
        let count = rows.len() as i64;
        let shape = match declared.shape.len() {
            1 => vec![count],
            2 => vec![count, 1],
            rank => {
                return Err(format!(
                    "input {column:?} has {rank} dimensions, which a data frame column cannot carry; send \"inputs\""
                ));
            }
        };
        let (shape, _) = tensor::shape(declared, &shape)?;
        let items: Vec<&Value> = rows.iter().map(|row| row[at]).collect();
        named.push((index, tensor::from_elements(declared, &shape, &items)?));
    }
    in_order(signature, named)
}

fn columnar(signature: &Signature, inputs: &Value) -> Result<Vec<Tensor>, Mistake> {
    match inputs {
        Value::Object(by_name) => {
            let one = |(name, value): (&String, &Value)| {
                let index = position(signature, name)?;
                Ok((index, nested(&signature.inputs[index], value)?))
            };
            in_order(
                signature,
                by_name.iter().map(one).collect::<Result<_, Mistake>>()?,
            )
        }
        value => Ok(vec![nested(only_input(signature)?, value)?]),
    }
}

fn row_wise(signature: &Signature, rows: &[Value]) -> Result<Vec<Tensor>, Mistake> {
    if !matches!(rows.first(), Some(Value::Object(_))) {
        let declared = only_input(signature)?;
        return Ok(vec![stacked(declared, &rows.iter().collect::<Vec<_>>())?]);
    }
    let mut named = Vec::with_capacity(signature.inputs.len());
    for (index, declared) in signature.inputs.iter().enumerate() {
        let of_row = |(at, row): (usize, &'_ Value)| {
            row.get(&declared.name)
                .map(|_| at)
                .ok_or_else(|| format!("instance {at} lacks input {:?}", declared.name))
        };
        rows.iter()
            .enumerate()
            .map(of_row)
            .collect::<Result<Vec<_>, _>>()?;
        let values: Vec<&Value> = rows
            .iter()
            .filter_map(|row| row.get(&declared.name))
            .collect();
        named.push((index, stacked(declared, &values)?));
    }
    for name in rows
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|row| row.keys())
    {
        position(signature, name)?;
    }
    in_order(signature, named)
}

fn only_input(signature: &Signature) -> Result<&Declared, Mistake> {
    match &*signature.inputs {
        [one] => Ok(one),
        several => Err(format!(
            "the model takes several inputs; name them: {}",
            listed(several)
        )),
    }
}

fn nested(declared: &Declared, value: &Value) -> Result<Tensor, Mistake> {
    match value {
        Value::Array(rows) => stacked(declared, &rows.iter().collect::<Vec<_>>()),
        scalar => build(declared, &[], &[scalar]),
    }
}

/// Rows of equal shape, one below the other.
fn stacked(declared: &Declared, rows: &[&Value]) -> Result<Tensor, Mistake> {
    let mut shape = vec![rows.len() as i64];
    let mut level = rows.first().copied();
    while let Some(Value::Array(items)) = level {
        shape.push(items.len() as i64);
        level = items.first();
    }
    let mut items = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if !collect(row, &shape[1..], &mut items) {
            return Err(format!(
                "input {:?}: row {at} has another shape than row 0 ({:?})",
                declared.name,
                &shape[1..]
            ));
        }
    }
    build(declared, &shape, &items)
}

fn build(declared: &Declared, shape: &[i64], items: &[&Value]) -> Result<Tensor, Mistake> {
    let (shape, _) = tensor::shape(declared, shape)?;
    tensor::from_elements(declared, &shape, items)
}

/// Flattens `value` if it has exactly `shape`.
fn collect<'a>(value: &'a Value, shape: &[i64], out: &mut Vec<&'a Value>) -> bool {
    match (value, shape) {
        (Value::Array(items), [size, inner @ ..]) => {
            items.len() as i64 == *size && items.iter().all(|item| collect(item, inner, out))
        }
        (Value::Array(_), []) | (_, [_, ..]) => false,
        (scalar, []) => {
            out.push(scalar);
            true
        }
    }
}

impl Form {
    /// Writes the answer; `outputs` are in the signature's order.
    pub(crate) fn write(self, signature: &Signature, outputs: &[Tensor]) -> Vec<u8> {
        let view = |nested| {
            signature
                .outputs
                .iter()
                .zip(outputs)
                .map(move |(declared, tensor)| Named {
                    name: &declared.name,
                    elements: Elements {
                        tensor,
                        datatype: declared.datatype,
                        nested,
                    },
                })
        };
        let named: Vec<Named<'_>> = view(true).collect();
        let rows = outputs
            .first()
            .and_then(|t| t.shape().first().copied())
            .unwrap_or(0);
        let by_row = outputs.iter().all(|t| t.shape().first() == Some(&rows));
        let json = match &*named {
            [one] => serde_json::to_vec(&Predictions {
                predictions: &one.elements,
            }),
            _ if self == Form::Frame && by_row => records(&named, rows),
            several => serde_json::to_vec(&Predictions {
                predictions: ByName(several),
            }),
        };
        json.expect("strings, numbers and lists are always JSON")
    }
}

fn records(named: &[Named<'_>], rows: usize) -> serde_json::Result<Vec<u8>> {
    let columns = named
        .iter()
        .map(|n| serde_json::to_value(&n.elements))
        .collect::<serde_json::Result<Vec<_>>>()?;
    let row = |at: usize| -> serde_json::Map<String, Value> {
        named
            .iter()
            .zip(&columns)
            .map(|(n, column)| (n.name.to_string(), column[at].clone()))
            .collect()
    };
    serde_json::to_vec(&Predictions {
        predictions: (0..rows).map(row).collect::<Vec<_>>(),
    })
}

#[derive(Serialize)]
struct Predictions<T> {
    predictions: T,
}

struct Named<'a> {
    name: &'a str,
    elements: Elements<'a>,
}

struct ByName<'a>(&'a [Named<'a>]);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|n| (n.name, &n.elements)))
    }
}
