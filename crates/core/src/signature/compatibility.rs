//! Whether two versions of a model can stand in for each other, and how they differ.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DYNAMIC, Signature, Tensor};

/// Which change of a signature a model allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Compatibility {
    /// Any change.
    None,
    /// Clients of the old version can use the new one.
    #[default]
    Backward,
    /// Clients of the new version can use the old one (so that a rollback breaks none).
    Forward,
    /// Both.
    Full,
}

/// One reason why a client of one version cannot use the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incompatibility {
    /// `BACKWARD` or `FORWARD`: which promise is broken.
    pub breaks: Compatibility,
    /// `input` or `output`.
    pub side: Side,
    /// Name of the tensor.
    pub tensor: String,
    /// What is wrong, as a clause about the tensor.
    pub reason: String,
}

/// Which half of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Side {
    Input,
    Output,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Input => "input",
            Side::Output => "output",
        })
    }
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.breaks {
            Compatibility::Forward => "a rollback would break clients of the new version",
            _ => "clients of the old version would break",
        };
        write!(f, "{} {:?} {}: {who}", self.side, self.tensor, self.reason)
    }
}

/// Reasons why `new` may not follow `old` under `mode`; empty if it may.
///
/// A client sends every input of the version it was written for and no other (the server refuses unknown inputs), so inputs
/// must be the same set, with equal datatypes, and every shape that was accepted must still be. It reads any output of that
/// version: each must still be there, with the same datatype and a shape that was announced. Further outputs do no harm.
pub fn compatible(old: &Signature, new: &Signature, mode: Compatibility) -> Vec<Incompatibility> {
    let mut found = Vec::new();
    if matches!(mode, Compatibility::Backward | Compatibility::Full) {
        substitute(old, new, Compatibility::Backward, &mut found);
    }
    if matches!(mode, Compatibility::Forward | Compatibility::Full) {
        substitute(new, old, Compatibility::Forward, &mut found);
    }
    found
}

/// What a client of `known` trips over when `met` answers.
fn substitute(
    known: &Signature,
    met: &Signature,
    breaks: Compatibility,
    found: &mut Vec<Incompatibility>,
) {
    let (known_is, met_is) = match breaks {
        Compatibility::Forward => ("new", "old"),
        _ => ("old", "new"),
    };
    let mut report = |side, tensor: &str, reason: String| {
        found.push(Incompatibility {
            breaks,
            side,
            tensor: tensor.into(),
            reason,
        });
    };
    for tensor in &met.inputs {
        if !known.inputs.iter().any(|t| t.name == tensor.name) {
            report(
                Side::Input,
                &tensor.name,
                format!("is required by the {met_is} version only"),
            );
        }
    }
    for tensor in &known.inputs {
        match met.inputs.iter().find(|t| t.name == tensor.name) {
            None => report(
                Side::Input,
                &tensor.name,
                format!("is unknown to the {met_is} version"),
            ),
            Some(other) => {
                if let Some(reason) = differs(
                    tensor,
                    other,
                    known_is,
                    met_is,
                    accepts(&other.shape, &tensor.shape),
                ) {
                    report(Side::Input, &tensor.name, reason);
                }
            }
        }
    }
    for tensor in &known.outputs {
        match met.outputs.iter().find(|t| t.name == tensor.name) {
            None => report(
                Side::Output,
                &tensor.name,
                format!("is missing in the {met_is} version"),
            ),
            Some(other) => {
                if let Some(reason) = differs(
                    tensor,
                    other,
                    known_is,
                    met_is,
                    accepts(&tensor.shape, &other.shape),
                ) {
                    report(Side::Output, &tensor.name, reason);
                }
            }
        }
    }
}

fn differs(
    known: &Tensor,
    met: &Tensor,
    known_is: &str,
    met_is: &str,
    shapes_fit: bool,
) -> Option<String> {
    if known.datatype != met.datatype {
        return Some(format!(
            "is {} in the {known_is} version and {} in the {met_is} one",
            known.datatype, met.datatype
        ));
    }
    (!shapes_fit).then(|| {
        format!(
            "has shape {:?} in the {known_is} version and {:?} in the {met_is} one",
            known.shape, met.shape
        )
    })
}

/// Whether every tensor of shape `narrow` is also one of shape `wide`.
fn accepts(wide: &[i64], narrow: &[i64]) -> bool {
    wide.len() == narrow.len()
        && wide
            .iter()
            .zip(narrow)
            .all(|(w, n)| *w == DYNAMIC || w == n)
}

/// How `new` differs from `old`: keys such as `input.x`, values such as `FP32[-1,64] -> FP64[-1,64]`. Empty if they are equal
/// up to order.
pub fn diff(old: &Signature, new: &Signature) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (side, old, new) in [
        (Side::Input, &old.inputs, &new.inputs),
        (Side::Output, &old.outputs, &new.outputs),
    ] {
        for tensor in old {
            let now = new.iter().find(|t| t.name == tensor.name);
            let change = match now {
                None => format!("{} removed", brief(tensor)),
                Some(now) if now == tensor => continue,
                Some(now) => format!("{} -> {}", brief(tensor), brief(now)),
            };
            out.insert(format!("{side}.{}", tensor.name), change);
        }
        for tensor in new.iter().filter(|t| !old.iter().any(|o| o.name == t.name)) {
            out.insert(
                format!("{side}.{}", tensor.name),
                format!("{} added", brief(tensor)),
            );
        }
    }
    out
}

fn brief(tensor: &Tensor) -> String {
    let shape: Vec<_> = tensor.shape.iter().map(i64::to_string).collect();
    format!("{}[{}]", tensor.datatype, shape.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Datatype;

    fn tensor(name: &str, datatype: Datatype, shape: &[i64]) -> Tensor {
        Tensor {
            name: name.into(),
            datatype,
            shape: shape.into(),
        }
    }

    fn signature(inputs: &[Tensor], outputs: &[Tensor]) -> Signature {
        Signature {
            inputs: inputs.into(),
            outputs: outputs.into(),
        }
    }

    fn digits() -> Signature {
        signature(
            &[tensor("x", Datatype::Fp32, &[-1, 64])],
            &[tensor("label", Datatype::Int64, &[-1])],
        )
    }

    fn reasons(old: &Signature, new: &Signature, mode: Compatibility) -> Vec<String> {
        compatible(old, new, mode)
            .iter()
            .map(Incompatibility::to_string)
            .collect()
    }

    #[test]
    fn a_further_output_is_backward_but_not_forward_compatible() {
        let mut new = digits();
        new.outputs
            .push(tensor("probabilities", Datatype::Fp32, &[-1, 10]));
        assert!(reasons(&digits(), &new, Compatibility::Backward).is_empty());
        assert_eq!(
            reasons(&digits(), &new, Compatibility::Full),
            ["output \"probabilities\" is missing in the old version: \
                 a rollback would break clients of the new version"]
        );
    }

    #[test]
    fn a_wider_input_is_backward_and_a_narrower_one_forward_compatible() {
        let fixed = signature(&[tensor("x", Datatype::Fp32, &[1, 64])], &[]);
        let dynamic = signature(&[tensor("x", Datatype::Fp32, &[-1, 64])], &[]);
        assert!(reasons(&fixed, &dynamic, Compatibility::Backward).is_empty());
        assert!(reasons(&dynamic, &fixed, Compatibility::Forward).is_empty());
        assert_eq!(
            reasons(&dynamic, &fixed, Compatibility::Backward),
            [
                "input \"x\" has shape [-1, 64] in the old version and [1, 64] in the new one: \
                 clients of the old version would break"
            ]
        );
    }

    #[test]
    fn changed_names_and_datatypes_break_clients() {
        let new = signature(
            &[tensor("pixels", Datatype::Fp32, &[-1, 64])],
            &[tensor("label", Datatype::Bytes, &[-1])],
        );
        assert_eq!(
            reasons(&digits(), &new, Compatibility::Backward),
            [
                "input \"pixels\" is required by the new version only: clients of the old version would break",
                "input \"x\" is unknown to the new version: clients of the old version would break",
                "output \"label\" is INT64 in the old version and BYTES in the new one: \
                 clients of the old version would break",
            ]
        );
        assert!(compatible(&digits(), &new, Compatibility::None).is_empty());
    }

    #[test]
    fn a_signature_is_compatible_with_itself_in_every_mode() {
        assert!(compatible(&digits(), &digits(), Compatibility::Full).is_empty());
        assert!(diff(&digits(), &digits()).is_empty());
    }

    #[test]
    fn a_diff_names_each_tensor_once() {
        let new = signature(
            &[tensor("x", Datatype::Fp64, &[-1, 64])],
            &[tensor("class", Datatype::Int64, &[-1])],
        );
        let expected = [
            ("input.x", "FP32[-1,64] -> FP64[-1,64]"),
            ("output.class", "INT64[-1] added"),
            ("output.label", "INT64[-1] removed"),
        ];
        assert_eq!(
            diff(&digits(), &new),
            expected.map(|(k, v)| (k.to_string(), v.to_string())).into()
        );
    }
}
