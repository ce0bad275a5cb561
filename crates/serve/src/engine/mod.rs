//! Compiles an ONNX graph once and runs it: the only place that knows tract.

mod rewrite;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::onnx::{InspectError, inspect};
use mlops_core::signature::{Datatype, Signature};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

pub(crate) use tract_onnx::prelude::Tensor;

/// Compiled plans that are kept for a graph whose shapes must be known beforehand.
const PLANS_PER_SHAPE: usize = 16;

/// Why a file cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error("the graph cannot be compiled: {reason}")]
    Compile { reason: String },
}

/// Why a request got no answer from the graph.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum RunError {
    /// Two inputs disagree about a size that the graph declares to be the same: the client's mistake.
    #[error(
        "input {input:?}: dimension {axis} is {size}, but the model declares it equal to dimension {other_axis} of \
         input {other:?}, which is {other_size}"
    )]
    Sizes {
        input: String,
        axis: usize,
        size: usize,
        other: String,
        other_axis: usize,
        other_size: usize,
    },
    /// The graph failed on these values.
    #[error("the model failed: {reason}")]
    Model { reason: String },
}

/// A compiled graph, shared by all requests.
pub(crate) struct Engine {
    signature: Signature,
    /// For each input and axis the symbol that stands for its size, if any.
    symbols: Vec<Vec<Option<String>>>,
    plan: Plan,
}

enum Plan {
    /// One plan for every size of the dynamic dimensions.
    Symbolic(Arc<TypedRunnableModel>),
    /// A graph that tract cannot compile with open sizes: one plan for each combination met.
    PerShape {
        model: Box<InferenceModel>,
        plans: Mutex<HashMap<Vec<Vec<usize>>, Arc<TypedRunnableModel>>>,
    },
}

impl Engine {
    /// Compiles the model in `bytes`. Never panics: what tract panics on is an error.
    pub(crate) fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let signature = inspect(bytes)?;
        catch_unwind(AssertUnwindSafe(|| compile(bytes, signature))).unwrap_or_else(|panic| {
            Err(LoadError::Compile {
                reason: panic_text(panic),
            })
        })
    }

    /// Inputs and outputs, in the order of [`Engine::run`].
    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Runs the graph. `inputs` are in the signature's order, with its datatypes and ranks; so are the outputs. Once the
    /// inputs are known to agree with one another, `seen` is called with them.
    pub(crate) fn run(
        &self,
        inputs: Vec<Tensor>,
        seen: impl FnOnce(&[Tensor]),
    ) -> Result<Vec<Tensor>, RunError> {
        self.check_sizes(&inputs)?;
        seen(&inputs);
        let run = || -> TractResult<Vec<Tensor>> {
            let plan = self.plan_for(&inputs)?;
            let answers = plan.run(inputs.into_iter().map(Tensor::into_tvalue).collect())?;
            let outputs =
                answers
                    .into_iter()
                    .zip(&self.signature.outputs)
                    .map(|(answer, declared)| {
                        let answer = answer.into_tensor();
                        let wanted = datum_type(declared.datatype);
                        if answer.datum_type() == wanted {
                            Ok(answer)
                        } else {
                            Ok(answer.cast_to_dt(wanted)?.into_owned())
                        }
                    });
            outputs.collect()
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(outputs)) => Ok(outputs),
            Ok(Err(error)) => Err(RunError::Model {
                reason: chain(&error),
            }),
            Err(panic) => Err(RunError::Model {
                reason: panic_text(panic),
            }),
        }
    }

    fn check_sizes(&self, inputs: &[Tensor]) -> Result<(), RunError> {
        let name = |input: usize| self.signature.inputs[input].name.clone();
        let mut seen: Vec<(&str, usize, usize, usize)> = Vec::new();
        for (input, (tensor, symbols)) in inputs.iter().zip(&self.symbols).enumerate() {
            for (axis, (&size, symbol)) in tensor.shape().iter().zip(symbols).enumerate() {
                let Some(symbol) = symbol else { continue };
                match seen.iter().find(|s| s.0 == symbol) {
                    None => seen.push((symbol, input, axis, size)),
                    Some(&(_, other, other_axis, other_size)) if other_size != size => {
                        return Err(RunError::Sizes {
                            input: name(input),
                            axis,
                            size,
                            other: name(other),
                            other_axis,
                            other_size,
                        });
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    fn plan_for(&self, inputs: &[Tensor]) -> TractResult<Arc<TypedRunnableModel>> {
        let (model, plans) = match &self.plan {
            Plan::Symbolic(plan) => return Ok(Arc::clone(plan)),
            Plan::PerShape { model, plans } => (model, plans),
        };
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|t| t.shape().to_vec()).collect();
        let known = || plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = known().get(&shapes) {
            return Ok(Arc::clone(plan));
        }
        let plan = with_shapes(model, &shapes)?;
        let mut plans = known();
        if plans.len() >= PLANS_PER_SHAPE {
            plans.clear();
        }
        plans.insert(shapes, Arc::clone(&plan));
        Ok(plan)
    }
}

fn compile(bytes: &[u8], signature: Signature) -> Result<Engine, LoadError> {
    let failed = |error: TractError| LoadError::Compile {
        reason: chain(&error),
    };
    let onnx = tract_onnx::onnx();
    let mut proto = onnx.proto_model_for_read(&mut &*bytes).map_err(failed)?;
    rewrite::lower(&mut proto).map_err(|reason| LoadError::Compile { reason })?;
    let mut model = onnx.model_for_proto_model(&proto).map_err(failed)?;
    drop(proto);
    let symbols = open_dimensions(&mut model).map_err(failed)?;
    let plan = match model
        .clone()
        .into_optimized()
        .and_then(|m| m.into_runnable())
    {
        Ok(plan) => Plan::Symbolic(plan),
        Err(symbolic) => {
            let ones: Vec<Vec<usize>> = signature
                .inputs
                .iter()
                .map(|i| {
                    i.shape
                        .iter()
                        .map(|d| usize::try_from(*d).unwrap_or(1))
                        .collect()
                })
                .collect();
            // If it does not compile with known shapes either, the first error is the better one to tell.
            let plan = with_shapes(&model, &ones).map_err(|_| failed(symbolic))?;
            Plan::PerShape {
                model: Box::new(model),
                plans: Mutex::new(HashMap::from([(ones, plan)])),
            }
        }
    };
    Ok(Engine {
        signature,
        symbols,
        plan,
    })
}

/// Gives every open dimension a symbol: the declared one, or one for all first dimensions (the batch).
fn open_dimensions(model: &mut InferenceModel) -> TractResult<Vec<Vec<Option<String>>>> {
    let mut symbols = Vec::new();
    for input in 0..model.input_outlets()?.len() {
        let mut fact = model.input_fact(input)?.clone();
        let mut of_input = Vec::new();
        let rank = fact.shape.rank().concretize().unwrap_or(0);
        for axis in 0..usize::try_from(rank).unwrap_or(0) {
            let symbol = match fact.shape.dim(axis).and_then(|d| d.concretize()) {
                Some(declared) => declared.to_i64().is_err().then(|| declared.to_string()),
                None => {
                    let name = if axis == 0 {
                        "batch".to_string()
                    } else {
                        format!("input{input}_axis{axis}")
                    };
                    let symbol = model.symbols.sym(&name);
                    fact.shape.set_dim(axis, symbol.to_dim());
                    Some(name)
                }
            };
            of_input.push(symbol);
        }
        model.set_input_fact(input, fact)?;
        symbols.push(of_input);
    }
    Ok(symbols)
}

fn with_shapes(
    model: &InferenceModel,
    shapes: &[Vec<usize>],
) -> TractResult<Arc<TypedRunnableModel>> {
    let mut model = model.clone();
    for (input, shape) in shapes.iter().enumerate() {
        let mut fact = model.input_fact(input)?.clone();
        for (axis, size) in shape.iter().enumerate() {
            fact.shape.set_dim(axis, size.to_dim());
        }
        model.set_input_fact(input, fact)?;
    }
    model.into_optimized()?.into_runnable()
}

/// tract's name of a protocol datatype.
pub(crate) fn datum_type(datatype: Datatype) -> DatumType {
    match datatype {
        Datatype::Bool => DatumType::Bool,
        Datatype::Uint8 => DatumType::U8,
        Datatype::Uint16 => DatumType::U16,
        Datatype::Uint32 => DatumType::U32,
        Datatype::Uint64 => DatumType::U64,
        Datatype::Int8 => DatumType::I8,
        Datatype::Int16 => DatumType::I16,
        Datatype::Int32 => DatumType::I32,
        Datatype::Int64 => DatumType::I64,
        Datatype::Fp16 => DatumType::F16,
        Datatype::Fp32 => DatumType::F32,
        Datatype::Fp64 => DatumType::F64,
        Datatype::Bytes => DatumType::String,
    }
}

fn chain(error: &TractError) -> String {
    let text: Vec<String> = error.chain().map(|e| e.to_string()).collect();
    text.join(": ")
}

fn panic_text(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast::<&str>()
            .map_or_else(|_| "it panicked".into(), |text| (*text).into()),
    }
}

#[cfg(test)]
mod tests;
