use std::path::Path;

use serde_json::Value;

use super::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/models")
            .join(name),
    )
    .unwrap()
}

fn flat(value: &Value, out: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|i| flat(i, out)),
        scalar => out.push(scalar.clone()),
    }
}

fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(items) => [
            vec![items.len()],
            items.first().map(shape).unwrap_or_default(),
        ]
        .concat(),
        _ => vec![],
    }
}

/// What a model made by `tests/models/make.py` answers, against what onnxruntime answered.
fn agrees_with_onnxruntime(name: &str) {
    let engine = Engine::load(&file(&format!("{name}.onnx"))).unwrap();
    let case: Value = serde_json::from_slice(&file(&format!("{name}.json"))).unwrap();
    let inputs = engine.signature().inputs.iter().map(|declared| {
        let value = &case["inputs"][&declared.name];
        let mut items = Vec::new();
        flat(value, &mut items);
        let shape = shape(value);
        match declared.datatype {
            Datatype::Fp32 => {
                let data: Vec<f32> = items.iter().map(|v| v.as_f64().unwrap() as f32).collect();
                Tensor::from_shape(&shape, &data).unwrap()
            }
            Datatype::Int64 => {
                let data: Vec<i64> = items.iter().map(|v| v.as_i64().unwrap()).collect();
                Tensor::from_shape(&shape, &data).unwrap()
            }
            Datatype::Bool => {
                let data: Vec<bool> = items.iter().map(|v| v.as_bool().unwrap()).collect();
                Tensor::from_shape(&shape, &data).unwrap()
            }
            Datatype::Bytes => {
                let data: Vec<String> = items
                    .iter()
                    .map(|v| v.as_str().unwrap().to_string())
                    .collect();
                tensor1(&data)
            }
            other => panic!("no test uses {other}"),
        }
    });
    let outputs = engine.run(inputs.collect(), |_| ()).unwrap();
    assert_eq!(outputs.len(), engine.signature().outputs.len());
    for (output, declared) in outputs.iter().zip(&engine.signature().outputs) {
        let expected = &case["outputs"][&declared.name];
        let mut items = Vec::new();
        flat(expected, &mut items);
        assert_eq!(output.shape(), shape(expected), "{name} {}", declared.name);
        assert_eq!(
            output.rank(),
            declared.shape.len(),
            "{name} {}: declared {:?}",
            declared.name,
            declared.shape
        );
        let plain = output.try_as_plain_ram().unwrap();
        for (i, item) in items.iter().enumerate() {
            let at = format!("{name} {}[{i}]", declared.name);
            match declared.datatype {
                Datatype::Fp32 => {
                    let (got, want) = (
                        f64::from(plain.as_slice::<f32>().unwrap()[i]),
                        item.as_f64().unwrap(),
                    );
                    assert!(
                        (got - want).abs() < 1e-5 * want.abs().max(1.0),
                        "{at}: {got} is not {want}"
                    );
                }
                Datatype::Int64 => assert_eq!(
                    plain.as_slice::<i64>().unwrap()[i],
                    item.as_i64().unwrap(),
                    "{at}"
                ),
                Datatype::Bool => assert_eq!(
                    plain.as_slice::<bool>().unwrap()[i],
                    item.as_bool().unwrap(),
                    "{at}"
                ),
                Datatype::Bytes => assert_eq!(
                    plain.as_slice::<String>().unwrap()[i],
                    item.as_str().unwrap(),
                    "{at}"
                ),
                other => panic!("no test uses {other}"),
            }
        }
    }
}

macro_rules! models {
    ($($name:ident)*) => {
        $(#[test] fn $name() { agrees_with_onnxruntime(stringify!($name)); })*

        #[test]
        fn every_committed_model_is_run() {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
            for entry in std::fs::read_dir(dir).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if let Some(name) = name.strip_suffix(".onnx") {
                    assert!([$(stringify!($name)),*].contains(&name), "{name} has no test");
                }
            }
        }
    };
}

mod answers_as_onnxruntime_does {
    use super::*;

    models! {
        add fixed_batch gather identity_bool identity_int64 identity_string slow
        iris_forest iris_forest_binary iris_forest_strings iris_linear_regression iris_logistic iris_logistic_binary
        iris_logistic_strings_zipmap iris_logistic_zipmap iris_mlp iris_scaled_logistic iris_tree_binary
    }
}

#[test]
fn operators_that_a_plan_accepts_are_those_that_the_engine_has() {
    let mut ours: Vec<String> = tract_onnx::onnx().op_register.0.into_keys().collect();
    ours.extend(rewrite::LOWERED.map(String::from));
    ours.sort();
    ours.dedup();
    assert_eq!(mlops_core::onnx::OPERATORS, ours);
}

#[test]
fn sizes_that_disagree_are_the_clients_mistake() {
    let engine = Engine::load(&file("add.onnx")).unwrap();
    let error = engine
        .run(
            vec![tensor2(&[[1f32, 2.0]]), tensor2(&[[1f32, 2.0], [3.0, 4.0]])],
            |_| (),
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "input \"b\": dimension 0 is 2, but the model declares it equal to dimension 0 of input \"a\", which is 1"
    );
}

#[test]
fn a_graph_that_fails_on_a_value_is_an_error_and_not_a_panic() {
    let engine = Engine::load(&file("gather.onnx")).unwrap();
    let error = engine.run(vec![tensor1(&[7i64])], |_| ()).unwrap_err();
    assert!(matches!(error, RunError::Model { .. }), "{error:?}");
    assert!(engine.run(vec![tensor1(&[1i64])], |_| ()).is_ok());
}

#[test]
fn a_file_that_is_no_model_is_refused_before_it_is_compiled() {
    assert!(matches!(
        Engine::load(b"no model"),
        Err(LoadError::Inspect(InspectError::NotOnnx))
    ));
}
