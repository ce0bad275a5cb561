//! A model outside of a server: the engine that serves it, asked by a command.

use mlops_core::reference::{Model, Values};
use mlops_core::signature::{Datatype, Signature, Tensor as Declared};
use mlops_core::{Error, Result};
use tract_onnx::prelude::{f16, tensor1};

use crate::engine::{Engine, Tensor};
use crate::tensor::slice;

/// Rows that are asked at once, of a model that does not say how many it takes.
const BATCH: usize = 256;

/// A compiled model.
pub struct Offline(Engine);

impl Offline {
    /// Compiles the model in `bytes`.
    ///
    /// # Errors
    /// `Invalid`, with the reason why it cannot be served.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let engine = Engine::load(bytes)
            .map_err(|cause| Error::invalid("the model cannot be served").because(cause))?;
        Ok(Self(engine))
    }

    /// How many rows a run takes, if the model says; all inputs must say the same.
    fn batch(&self) -> Option<usize> {
        let first = |tensor: &Declared| tensor.shape.first().copied();
        let sizes = self.signature().inputs.iter().filter_map(first);
        sizes.filter_map(|size| usize::try_from(size).ok()).max()
    }
}

impl Model for Offline {
    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn predict(&self, rows: usize, inputs: &[Values]) -> Result<Vec<Option<Values>>> {
        let fixed = self.batch();
        let size = fixed.unwrap_or(BATCH).max(1);
        let mut answers: Vec<Option<Values>> = Vec::new();
        for from in (0..rows).step_by(size) {
            let real = size.min(rows - from);
            // A model that takes so many rows takes no fewer: the last row is asked again until there are enough.
            let taken = fixed.unwrap_or(real);
            let row = |at: usize| (from + at).min(rows - 1);
            let tensors = self
                .signature()
                .inputs
                .iter()
                .zip(inputs)
                .map(|(declared, values)| tensor(declared, values, rows, taken, row));
            let tensors = tensors.collect::<Result<Vec<_>>>()?;
            let outputs = self.0.run(tensors, |_| ()).map_err(|cause| {
                Error::invalid(format!(
                    "the model does not answer rows {} to {}",
                    from + 1,
                    from + real
                ))
                .because(cause)
            })?;
            let found: Vec<Option<Values>> = outputs
                .iter()
                .zip(&self.signature().outputs)
                .map(|(tensor, declared)| values(tensor, declared.datatype, taken, real))
                .collect();
            if answers.is_empty() {
                answers = found;
            } else {
                for (all, more) in answers.iter_mut().zip(found) {
                    *all = joined(all.take(), more);
                }
            }
        }
        Ok(answers)
    }
}

/// The rows `row(0)` to `row(taken - 1)` as the model takes them.
fn tensor(
    declared: &Declared,
    values: &Values,
    rows: usize,
    taken: usize,
    row: impl Fn(usize) -> usize,
) -> Result<Tensor> {
    let width = values.len() / rows;
    let mut shape = vec![taken];
    let known: Vec<Option<usize>> = declared
        .shape
        .iter()
        .skip(1)
        .map(|size| usize::try_from(*size).ok())
        .collect();
    let said: usize = known.iter().flatten().product();
    // One dimension that is open is what is left of the width.
    shape.extend(known.iter().map(|size| size.unwrap_or(width / said.max(1))));
    if shape[1..].iter().product::<usize>() != width {
        return Err(Error::invalid(format!(
            "input {:?} of shape {:?} cannot be filled with {width} values a row",
            declared.name, declared.shape
        )));
    }
    let indexes = || (0..taken).flat_map(|at| (0..width).map(move |column| (at, column)));
    macro_rules! numbers {
        ($all:expr, $convert:expr) => {{
            let of = |(at, column): (usize, usize)| $convert($all[row(at) * width + column]);
            tensor1(&indexes().map(of).collect::<Vec<_>>())
        }};
    }
    let flat = match (values, declared.datatype) {
        (Values::Texts(all), _) => {
            let of = |(at, column): (usize, usize)| all[row(at) * width + column].clone();
            tensor1(&indexes().map(of).collect::<Vec<String>>())
        }
        (Values::Numbers(all), Datatype::Bool) => numbers!(all, |n: f64| n != 0.0),
        (Values::Numbers(all), Datatype::Uint8) => numbers!(all, |n: f64| n as u8),
        (Values::Numbers(all), Datatype::Uint16) => numbers!(all, |n: f64| n as u16),
        (Values::Numbers(all), Datatype::Uint32) => numbers!(all, |n: f64| n as u32),
        (Values::Numbers(all), Datatype::Uint64) => numbers!(all, |n: f64| n as u64),
        (Values::Numbers(all), Datatype::Int8) => numbers!(all, |n: f64| n as i8),
        (Values::Numbers(all), Datatype::Int16) => numbers!(all, |n: f64| n as i16),
        (Values::Numbers(all), Datatype::Int32) => numbers!(all, |n: f64| n as i32),
        (Values::Numbers(all), Datatype::Int64) => numbers!(all, |n: f64| n as i64),
        (Values::Numbers(all), Datatype::Fp16) => numbers!(all, f16::from_f64),
        (Values::Numbers(all), Datatype::Fp32) => numbers!(all, |n: f64| n as f32),
        (Values::Numbers(all), Datatype::Fp64) => numbers!(all, |n: f64| n),
        (Values::Numbers(_), Datatype::Bytes) => {
            return Err(Error::bug(format!(
                "input {:?} takes texts and was given numbers",
                declared.name
            )));
        }
    };
    flat.into_shape(&shape)
        .map_err(|cause| Error::bug(format!("input {:?}: {cause}", declared.name)))
}

/// The first `real` rows of an output, if it has a row for each that was asked.
fn values(tensor: &Tensor, datatype: Datatype, taken: usize, real: usize) -> Option<Values> {
    if tensor.shape().first() != Some(&taken) {
        return None;
    }
    let kept = tensor.len() / taken * real;
    macro_rules! numbers {
        ($t:ty, $convert:expr) => {
            Values::Numbers(slice::<$t>(tensor)[..kept].iter().map($convert).collect())
        };
    }
    Some(match datatype {
        Datatype::Bool => numbers!(bool, |v| f64::from(u8::from(*v))),
        Datatype::Uint8 => numbers!(u8, |v| f64::from(*v)),
        Datatype::Uint16 => numbers!(u16, |v| f64::from(*v)),
        Datatype::Uint32 => numbers!(u32, |v| f64::from(*v)),
        Datatype::Uint64 => numbers!(u64, |v| *v as f64),
        Datatype::Int8 => numbers!(i8, |v| f64::from(*v)),
        Datatype::Int16 => numbers!(i16, |v| f64::from(*v)),
        Datatype::Int32 => numbers!(i32, |v| f64::from(*v)),
        Datatype::Int64 => numbers!(i64, |v| *v as f64),
        Datatype::Fp16 => numbers!(f16, |v| v.to_f64()),
        Datatype::Fp32 => numbers!(f32, |v| f64::from(*v)),
        Datatype::Fp64 => numbers!(f64, |v| *v),
        Datatype::Bytes => Values::Texts(slice::<String>(tensor)[..kept].to_vec()),
    })
}

fn joined(all: Option<Values>, more: Option<Values>) -> Option<Values> {
    match (all?, more?) {
        (Values::Numbers(mut all), Values::Numbers(more)) => {
            all.extend(more);
            Some(Values::Numbers(all))
        }
        (Values::Texts(mut all), Values::Texts(more)) => {
            all.extend(more);
            Some(Values::Texts(all))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn model(name: &str) -> Offline {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/models/{name}.onnx"));
        Offline::load(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn every_row_is_answered_whatever_the_batches() {
        let add = model("add");
        let rows = BATCH + 3;
        let numbers = |of: fn(f64) -> f64| {
            let all = (0..rows * 2).map(|n| of(n as f64));
            Some(Values::Numbers(all.collect()))
        };
        let inputs = [numbers(|n| n), numbers(|n| 10.0 * n)].map(Option::unwrap);
        let answers = add.predict(rows, &inputs).unwrap();
        assert_eq!(
            answers,
            [numbers(|n| 11.0 * n), numbers(|n| 10.0 * n * n)],
            "sum and product"
        );
    }

    #[test]
    fn a_model_of_a_fixed_batch_is_asked_until_all_rows_are_answered() {
        let relu = model("fixed_batch");
        assert_eq!(relu.batch(), Some(1));
        let inputs = [Values::Numbers(vec![-1.0, 2.0, 3.0, 4.0, -5.0, 6.0])];
        let answers = relu.predict(2, &inputs).unwrap();
        let rows = vec![0.0, 2.0, 3.0, 4.0, 0.0, 6.0];
        assert_eq!(answers, [Some(Values::Numbers(rows))]);
    }

    #[test]
    fn an_output_that_is_not_row_by_row_has_no_values() {
        let slow = model("slow");
        let answers = slow.predict(2, &[Values::Numbers(vec![0.6, 0.7])]).unwrap();
        assert_eq!(answers, [None]);
    }
}
