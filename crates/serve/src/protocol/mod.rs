//! What requests and answers look like. No sockets, no routing: bytes to tensors and back.

pub(crate) mod infer;
pub(crate) mod mlflow;

use mlops_core::signature::{Signature, Tensor as Declared};

/// `"X" (FP32 [-1, 4]), "Y" (…)`, for messages.
fn listed(tensors: &[Declared]) -> String {
    let each: Vec<_> = tensors
        .iter()
        .map(|t| format!("{:?} ({} {:?})", t.name, t.datatype, t.shape))
        .collect();
    each.join(", ")
}

/// Puts named things into the signature's order; a message names what is missing.
fn in_order<T>(signature: &Signature, mut named: Vec<(usize, T)>) -> Result<Vec<T>, String> {
    named.sort_by_key(|(index, _)| *index);
    for (want, (have, _)) in named.iter().enumerate() {
        if *have < want {
            return Err(format!(
                "input {:?} is given twice",
                signature.inputs[*have].name
            ));
        }
        if *have > want {
            return Err(format!(
                "input {} is missing",
                listed(&signature.inputs[want..=want])
            ));
        }
    }
    if let Some(missing) = signature.inputs.get(named.len()) {
        return Err(format!(
            "input {} is missing",
            listed(std::slice::from_ref(missing))
        ));
    }
    Ok(named.into_iter().map(|(_, t)| t).collect())
}

fn position(signature: &Signature, name: &str) -> Result<usize, String> {
    signature
        .inputs
        .iter()
        .position(|i| i.name == name)
        .ok_or_else(|| {
            format!(
                "unknown input {name:?}; the model takes {}",
                listed(&signature.inputs)
            )
        })
}
