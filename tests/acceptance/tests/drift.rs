//! A version with a reference, from training rows to what its endpoint counts.

use mlops_acceptance::Stack;
use mlops_acceptance::digits::{self, Digits};
use mlops_acceptance::http::Client;
use serde_json::{Value, json};

/// The stack, with a version whose source is a directory.
fn of_a_directory(stack: &Stack) -> String {
    stack.text().replace("\"model.onnx\"", "\"version\"")
}

/// The images of all requests, as `mlops reference` reads them.
fn table(digits: &Digits) -> String {
    let mut lines = Vec::new();
    for request in digits.requests() {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let pixels = body["inputs"][0]["data"].as_array().expect("pixels");
        let cells: Vec<String> = pixels.iter().map(Value::to_string).collect();
        lines.push(cells.join(","));
    }
    let names: Vec<String> = (0..64).map(|pixel| format!("p{pixel}")).collect();
    format!("{}\n{}\n", names.join(","), lines.join("\n"))
}

#[test]
fn a_reference_travels_with_its_version_and_its_endpoint_counts_by_it() {
    let (stack, digits) = (Stack::default(), Digits::committed());
    let mut work = stack.workspace("digits-v1");
    work.copy_model("digits-v1", "version/model.onnx");
    work.config(&of_a_directory(&stack));
    work.apply();
    let without = Client::new(&stack.url()).get("/metrics").expect("metrics");
    assert!(!without.text().contains("mlops_feature"));

    work.write("rows.csv", table(&digits));
    let arguments = [
        "reference",
        "--model",
        "version/model.onnx",
        "--rows",
        "rows.csv",
        "--watch",
    ];
    let made = work.mlops(arguments.into_iter().chain(["p20,p21", "--bins", "4"]));
    assert_eq!(made.status.code(), Some(0), "{}", made.output);
    let plan = work.apply();
    assert_eq!(
        plan.actions("mlops_model_version.digits"),
        ["create", "delete"],
        "a reference is one of the version's files"
    );
    let mut client = Client::new(&stack.url());
    for request in &digits.requests()[..20] {
        let answer = client.post(&digits::infer_path("digits"), &request.body);
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let told = client.get("/metrics").expect("metrics").text();
    let counted = |feature: &str| -> f64 {
        let of = format!("feature=\"{feature}\"");
        let lines = told.lines().filter(|line| {
            line.starts_with("mlops_feature_values_total{")
                && line.contains(&of)
                && line.contains("version=\"2\"")
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    assert_eq!(["p20", "p21", "label"].map(counted), [20.0; 3], "{told}");
    work.expect_empty_plan();

    let mut reference: Value = serde_json::from_slice(
        &std::fs::read(work.path("version/mlops-reference.json")).expect("it was written"),
    )
    .expect("JSON");
    reference["features"][1]["column"] = json!(64);
    work.write("version/mlops-reference.json", reference.to_string());
    work.plan_fails(&[
        "version/mlops-reference.json is no reference of this model",
        "features[1] \"p21\": column is 64",
        "source",
    ]);
    std::fs::remove_file(work.path("version/mlops-reference.json")).expect("it is there");
    work.destroy();
}
