//! Lowers operators of scikit-learn's converter that tract lacks, or gets wrong, to ones that it has.
//!
//! tract 0.23 answers class 0 for every row of a two-class tree ensemble, and cannot compile classifiers whose labels are
//! strings; their scores are right in both cases, so labels are derived from them here.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// ONNX's number of FP32.
const FLOAT: i32 = 1;
/// ONNX's number of INT64.
const INT64: i32 = 7;

/// Operators that this module takes care of; tract has all the others.
#[cfg(test)]
pub(super) const LOWERED: [&str; 2] = ["Scaler", "ZipMap"];

/// Rewrites the top-level graph in place (the converter never puts these into subgraphs).
pub(super) fn lower(model: &mut ModelProto) -> Result<(), String> {
    let Some(graph) = &mut model.graph else {
        return Ok(());
    };
    let mut lowered = Vec::with_capacity(graph.node.len());
    for (index, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        match node.op_type.as_str() {
            // A list of maps from class to probability: the probabilities are what a tensor protocol can carry.
            "ZipMap" => {
                for output in graph
                    .output
                    .iter_mut()
                    .filter(|o| node.output.contains(&o.name))
                {
                    output.r#type = None;
                }
                lowered.push(NodeProto {
                    op_type: "Identity".into(),
                    domain: String::new(),
                    attribute: vec![],
                    ..node
                });
            }
            "Scaler" => scaler(index, node, graph, &mut lowered)?,
            "LinearClassifier" | "TreeEnsembleClassifier" if node.output.len() == 2 => {
                labels_from_scores(index, node, graph, &mut lowered);
            }
            _ => lowered.push(node),
        }
    }
    graph.node = lowered;
    Ok(())
}

/// Leaves the classifier its scores and derives the label: the class of the largest score, the first of equals.
fn labels_from_scores(
    index: usize,
    mut node: NodeProto,
    graph: &mut GraphProto,
    out: &mut Vec<NodeProto>,
) {
    let name = |part: &str| format!("__classifier_{index}_{part}");
    let label = std::mem::replace(&mut node.output[0], name("unused_label"));
    if node.output[1].is_empty() {
        node.output[1] = name("scores");
    }
    let best = name("best");
    let argmax = NodeProto {
        name: name("argmax"),
        op_type: "ArgMax".into(),
        input: vec![node.output[1].clone()],
        output: vec![best.clone()],
        attribute: vec![int("axis", 1), int("keepdims", 0)],
        ..NodeProto::default()
    };
    let strings = node
        .attribute
        .iter_mut()
        .find(|a| a.name == "classlabels_strings" && !a.strings.is_empty());
    let lookup = match strings {
        Some(strings) => {
            let classes: Vec<i64> = (0..strings.strings.len() as i64).collect();
            let names = std::mem::take(&mut strings.strings);
            strings.name = if node.op_type == "LinearClassifier" {
                "classlabels_ints"
            } else {
                "classlabels_int64s"
            }
            .into();
            strings.r#type = AttributeType::Ints as i32;
            strings.ints = classes.clone();
            let from = AttributeProto {
                ints: classes,
                ..attribute("cats_int64s", AttributeType::Ints)
            };
            let to = AttributeProto {
                strings: names,
                ..attribute("cats_strings", AttributeType::Strings)
            };
            // Never used: every class is listed.
            let fallback = attribute("default_string", AttributeType::String);
            NodeProto {
                op_type: "CategoryMapper".into(),
                domain: "ai.onnx.ml".into(),
                input: vec![best],
                attribute: vec![from, to, fallback],
                ..NodeProto::default()
            }
        }
        None => {
            let classes = node
                .attribute
                .iter()
                .find(|a| a.name.starts_with("classlabels_int") && !a.ints.is_empty());
            let classes = classes.map(|a| a.ints.clone()).unwrap_or_default();
            graph.initializer.push(TensorProto {
                name: name("classes"),
                dims: vec![classes.len() as i64],
                data_type: INT64,
                int64_data: classes,
                ..TensorProto::default()
            });
            NodeProto {
                op_type: "Gather".into(),
                input: vec![name("classes"), best],
                attribute: vec![int("axis", 0)],
                ..NodeProto::default()
            }
        }
    };
    out.extend([
        node,
        argmax,
        NodeProto {
            name: name("lookup"),
            output: vec![label],
            ..lookup
        },
    ]);
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: kind as i32,
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: value,
        ..attribute(name, AttributeType::Int)
    }
}

/// (x - offset) * scale, in FP32.
fn scaler(
    index: usize,
    node: NodeProto,
    graph: &mut GraphProto,
    out: &mut Vec<NodeProto>,
) -> Result<(), String> {
    let ([input], [output]) = (&*node.input, &*node.output) else {
        return Err(format!(
            "node {:?}: Scaler takes one input and gives one output",
            node.name
        ));
    };
    let name = |part: &str| format!("__scaler_{index}_{part}");
    let mut floats = |attribute: &str| -> Result<String, String> {
        let values = node
            .attribute
            .iter()
            .find(|a| a.name == attribute)
            .map(|a| a.floats.clone())
            .unwrap_or_default();
        if values.is_empty() {
            return Err(format!(
                "node {:?}: Scaler has no attribute {attribute:?}",
                node.name
            ));
        }
        let name = name(attribute);
        graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: FLOAT,
            float_data: values,
            ..TensorProto::default()
        });
        Ok(name)
    };
    let (offset, scale) = (floats("offset")?, floats("scale")?);
    let to = int("to", i64::from(FLOAT));
    let step = |part: &str, op: &str, input: Vec<String>, output: String, attribute| NodeProto {
        name: name(part),
        op_type: op.into(),
        input,
        output: vec![output],
        attribute,
        ..NodeProto::default()
    };
    out.push(step(
        "cast",
        "Cast",
        vec![input.clone()],
        name("float"),
        vec![to],
    ));
    out.push(step(
        "sub",
        "Sub",
        vec![name("float"), offset],
        name("centred"),
        vec![],
    ));
    out.push(step(
        "mul",
        "Mul",
        vec![name("centred"), scale],
        output.clone(),
        vec![],
    ));
    Ok(())
}
