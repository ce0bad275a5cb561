use mlops_core::signature::Tensor as Declared;
use serde_json::json;

use super::*;

fn signature() -> Signature {
    let tensor = |name: &str, datatype, shape: &[i64]| Declared {
        name: name.into(),
        datatype,
        shape: shape.into(),
    };
    Signature {
        inputs: vec![
            tensor("x", Datatype::Fp32, &[-1, 2]),
            tensor("s", Datatype::Bytes, &[-1]),
        ],
        outputs: vec![
            tensor("y", Datatype::Fp32, &[-1, 2]),
            tensor("t", Datatype::Bytes, &[-1]),
        ],
    }
}

fn good() -> Value {
    json!({"inputs": [
        {"name": "s", "shape": [1], "datatype": "BYTES", "data": ["é"]},
        {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2.5]]},
    ]})
}

fn mistake(change: impl FnOnce(&mut Value)) -> Mistake {
    let mut request = good();
    change(&mut request);
    read(&signature(), request.to_string().as_bytes(), None)
        .map(|_| ())
        .expect_err("this is a mistake")
}

#[test]
fn inputs_come_back_in_the_models_order() {
    let (inputs, _) = read(&signature(), good().to_string().as_bytes(), None).unwrap();
    assert_eq!(
        inputs[0],
        Tensor::from_shape(&[1, 2], &[1f32, 2.5]).unwrap()
    );
    assert_eq!(inputs[1], tract_onnx::prelude::tensor1(&["é".to_string()]));
}

#[test]
fn every_mistake_names_the_input_and_what_is_wanted() {
    let cases: Vec<(Mistake, &str)> = vec![
        (
            mistake(|r| r["inputs"][1]["name"] = json!("z")),
            "unknown input \"z\"; the model takes \"x\" (FP32 [-1, 2]), \"s\" (BYTES [-1])",
        ),
        (
            mistake(|r| drop(r["inputs"].as_array_mut().unwrap().pop())),
            "input \"x\" (FP32 [-1, 2]) is missing",
        ),
        (
            mistake(|r| drop(r["inputs"].as_array_mut().unwrap().remove(0))),
            "input \"s\" (BYTES [-1]) is missing",
        ),
        (
            mistake(|r| {
                let again = r["inputs"][1].clone();
                r["inputs"].as_array_mut().unwrap().push(again);
            }),
            "input \"x\" is given twice",
        ),
        (
            mistake(|r| r["inputs"][1]["datatype"] = json!("FP64")),
            "input \"x\": datatype FP64 is not the model's FP32",
        ),
        (
            mistake(|r| r["inputs"][1]["shape"] = json!([1, 3])),
            "input \"x\": shape [1, 3] does not fit the model's [-1, 2] (-1: any size from 1)",
        ),
        (
            mistake(|r| r["inputs"][1]["shape"] = json!([0, 2])),
            "input \"x\": shape [0, 2] does not fit the model's [-1, 2] (-1: any size from 1)",
        ),
        (
            mistake(|r| r["inputs"][1]["shape"] = json!([4_611_686_018_427_387_904i64, 2])),
            "input \"x\": shape [4611686018427387904, 2] takes 9223372036854775808 elements, data has 2",
        ),
        (
            mistake(|r| r["inputs"][1]["shape"] = json!([9_223_372_036_854_775_807i64, 2])),
            "input \"x\": shape [9223372036854775807, 2] takes 18446744073709551614 elements, data has 2",
        ),
        (
            mistake(|r| r["inputs"][1]["data"] = json!([1])),
            "input \"x\": shape [1, 2] takes 2 elements, data has 1",
        ),
        (
            mistake(|r| r["inputs"][1]["data"] = json!([1, "two"])),
            "input \"x\": element 1 is \"two\", which is no FP32",
        ),
        (
            mistake(|r| r["inputs"][0]["data"] = json!([7])),
            "input \"s\": element 0 is 7, which is no BYTES",
        ),
        (
            mistake(|r| drop(r["inputs"][1].as_object_mut().unwrap().remove("data"))),
            "input \"x\" has neither data nor binary_data_size",
        ),
        (
            mistake(|r| r["inputs"][1]["parameters"] = json!({"binary_data_size": 8})),
            "input \"x\" has both data and binary_data_size",
        ),
        (
            mistake(|r| r["outputs"] = json!([{"name": "q"}])),
            "unknown output \"q\"; the model gives \"y\" (FP32 [-1, 2]), \"t\" (BYTES [-1])",
        ),
        (
            mistake(|r| r["outputs"] = json!([{"name": "y", "parameters": {"classification": 3}}])),
            "output \"y\": the classification extension is not supported",
        ),
        (
            mistake(|r| r["parameters"] = json!({"binary_data_output": "yes"})),
            "parameter \"binary_data_output\" is \"yes\", not true or false",
        ),
    ];
    for (got, want) in cases {
        assert_eq!(got, want);
    }
    let message = mistake(|r| *r = json!([]));
    assert!(
        message.starts_with("the inference request is no valid JSON"),
        "{message}"
    );
    let message = mistake(|r| r["inputs"][1]["datatype"] = json!("FLOAT"));
    assert!(message.contains("unknown variant `FLOAT`"), "{message}");
}

fn binary(header: &Value, data: &[u8]) -> Result<Vec<Tensor>, Mistake> {
    let mut body = header.to_string().into_bytes();
    let length = body.len();
    body.extend_from_slice(data);
    read(&signature(), &body, Some(length)).map(|(inputs, _)| inputs)
}

#[test]
fn binary_inputs_follow_the_header_in_its_order() {
    let header = json!({"inputs": [
        {"name": "s", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 9}},
        {"name": "x", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 16}},
    ]});
    let mut data = b"\x01\0\0\0a\0\0\0\0".to_vec();
    data.extend([1f32, 2.0, 3.0, 4.0].iter().flat_map(|f| f.to_le_bytes()));
    let inputs = binary(&header, &data).unwrap();
    assert_eq!(
        inputs[0],
        Tensor::from_shape(&[2, 2], &[1f32, 2.0, 3.0, 4.0]).unwrap()
    );
    assert_eq!(
        inputs[1],
        tract_onnx::prelude::tensor1(&["a".to_string(), String::new()])
    );
    assert_eq!(
        binary(&header, &data[..20]).unwrap_err(),
        "input \"x\": binary_data_size is 16, 11 bytes are left in the body"
    );
    data.push(0);
    assert_eq!(
        binary(&header, &data).unwrap_err(),
        "1 bytes follow the last input's binary data"
    );
}

#[test]
fn binary_data_that_does_not_fit_its_shape_is_refused() {
    let of_x = |size: usize| {
        json!({"inputs": [
            {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": size}},
            {"name": "s", "shape": [1], "datatype": "BYTES", "data": ["a"]},
        ]})
    };
    assert_eq!(
        binary(&of_x(7), &[0; 7]).unwrap_err(),
        "input \"x\": 2 elements of FP32 take 8 bytes, binary_data_size is 7"
    );
    let of_s = |size: usize| {
        json!({"inputs": [
            {"name": "s", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}},
        ]})
    };
    assert_eq!(
        binary(&of_s(5), b"\xff\xff\xff\xffa").unwrap_err(),
        "input \"s\": element 0 is cut short"
    );
    assert_eq!(
        binary(&of_s(5), b"\x01\0\0\0\xff").unwrap_err(),
        "input \"s\": element 0 is not UTF-8"
    );
    assert_eq!(
        binary(&of_s(8), &[0; 8]).unwrap_err(),
        "input \"s\": shape [1] takes 1 elements, data has 2"
    );
    assert_eq!(
        read(&signature(), b"{}", Some(9)).map(|_| ()).unwrap_err(),
        "Inference-Header-Content-Length is 9, the whole body has 2 bytes"
    );
}

#[test]
fn an_answer_repeats_id_and_name_and_gives_only_what_was_asked() {
    let outputs = [
        Tensor::from_shape(&[1, 2], &[0.1f32, 2.0]).unwrap(),
        tract_onnx::prelude::tensor1(&["b".to_string()]),
    ];
    let mut request = good();
    request["id"] = json!("42");
    request["outputs"] = json!([{"name": "y"}]);
    let (_, form) = read(&signature(), request.to_string().as_bytes(), None).unwrap();
    let answer = form.write(&signature(), &outputs, "digits", 7);
    assert_eq!(answer.header_length, None);
    assert_eq!(
        serde_json::from_slice::<Value>(&answer.body).unwrap(),
        json!({
            "model_name": "digits", "model_version": "7", "id": "42",
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [0.1, 2.0]}],
        })
    );
}

#[test]
fn binary_outputs_follow_the_answers_header() {
    let outputs = [
        Tensor::from_shape(&[1, 2], &[0.1f32, 2.0]).unwrap(),
        tract_onnx::prelude::tensor1(&["b".to_string()]),
    ];
    let mut request = good();
    request["parameters"] = json!({"binary_data_output": true});
    let (_, form) = read(&signature(), request.to_string().as_bytes(), None).unwrap();
    let answer = form.write(&signature(), &outputs, "digits", 7);
    let (header, data) = answer.body.split_at(answer.header_length.unwrap());
    let header: Value = serde_json::from_slice(header).unwrap();
    assert_eq!(header["outputs"][0]["parameters"]["binary_data_size"], 8);
    assert_eq!(header["outputs"][0].get("data"), None);
    assert_eq!(header["outputs"][1]["parameters"]["binary_data_size"], 5);
    let expected: Vec<u8> = [0.1f32, 2.0]
        .iter()
        .flat_map(|f| f.to_le_bytes())
        .chain(*b"\x01\0\0\0b")
        .collect();
    assert_eq!(data, expected);
}
