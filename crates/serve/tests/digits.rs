//! The quickstart's real models, asked with its real held-out images: the server measures what the training script did.

mod support;

use std::path::Path;

use mlops_core::serving::ServerLimits;
use serde_json::{Value, json};
use support::{TestServer, spec};

fn quickstart(file: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples/quickstart")
            .join(file),
    )
    .unwrap()
}

/// Accuracy and share of errors over HTTP, one image a request.
async fn measured(model: &str) -> (f64, f64) {
    let mut served = spec("add", 1);
    served.file.path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../examples/quickstart/models/{model}.onnx"));
    served.file.sha256 = support::sha256(&std::fs::read(&served.file.path).unwrap());
    let test = TestServer::serving_spec(served, ServerLimits::default()).await;
    let held_out: Value = serde_json::from_slice(&quickstart("heldout.json")).unwrap();
    let images = held_out["pixels"].as_array().unwrap();
    let (mut right, mut errors) = (0, 0);
    let mut connection = test.connect().await;
    let json_type = [("content-type", "application/json")];
    for (image, label) in images.iter().zip(held_out["labels"].as_array().unwrap()) {
        let body = json!({"instances": [image]}).to_string();
        let answer = connection
            .request("POST", "/invocations", &json_type, body)
            .await
            .unwrap();
        match answer.status {
            200 => right += usize::from(answer.json()["predictions"]["label"][0] == *label),
            500 => errors += 1,
            other => panic!("{other}: {:?}", answer.body),
        }
    }
    let share = |count: usize| (count as f64 / images.len() as f64 * 1e4).round() / 1e4;
    (share(right), share(errors))
}

#[tokio::test]
async fn digits_are_recognised_as_well_as_the_training_script_measured() {
    let metrics: Value = serde_json::from_slice(&quickstart("metrics.json")).unwrap();
    for (model, expected) in metrics.as_object().unwrap() {
        let expected = ["graph_accuracy", "graph_errors"].map(|m| expected[m].as_f64().unwrap());
        let (accuracy, errors) = measured(model).await;
        assert_eq!([accuracy, errors], expected, "{model}");
    }
}
