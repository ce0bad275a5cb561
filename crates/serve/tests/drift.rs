//! Counts of values by the bins of a version's reference, as a scrape sees them.

mod support;

use std::path::Path;

use mlops_core::reference::{FORMAT, Reference};
use mlops_core::serving::{ModelFile, RevisionSpec, RevisionState, SmokeReport, path};
use serde_json::{Value, json};
use support::{TestServer, add, routing, sha256, spec};

/// Of the model `add`: the first value of `a`, and the first sum.
fn reference() -> Value {
    let halves = json!({"numeric": {"edges": [10], "shares": [0.75, 0.25]}});
    json!({
        "format": FORMAT, "rows": 8,
        "features": [{"name": "size", "tensor": "a", "distribution": halves}],
        "predictions": [{"name": "sum[0]", "tensor": "sum", "distribution": halves}],
    })
}

/// The model `add` with this reference.
fn referring(directory: &Path, reference: &Value) -> RevisionSpec {
    let bytes = reference.to_string().into_bytes();
    let path = directory.join("mlops-reference.json");
    std::fs::write(&path, &bytes).unwrap();
    RevisionSpec {
        reference: Some(ModelFile {
            path,
            sha256: sha256(&bytes),
        }),
        ..spec("add", 1)
    }
}

async fn scrape(test: &TestServer) -> String {
    String::from_utf8(test.get("/metrics").await.body.to_vec()).unwrap()
}

/// The value of the series of `revision` with these labels; `None` if there is no such series.
fn told(scrape: &str, name: &str, revision: &str, labels: &str) -> Option<f64> {
    let whole = |line: &&str| {
        line.starts_with(name)
            && line.contains(&format!("revision=\"{revision}\""))
            && line.contains(labels)
    };
    let mut lines = scrape.lines().filter(whole);
    let line = lines.next()?;
    assert_eq!(lines.next(), None, "{labels} is several series");
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn served_values_are_counted_by_the_bins_of_the_reference_and_golden_requests_are_not() {
    let test = TestServer::start().await;
    let with = referring(test.dir.path(), &reference());
    test.load("r1", &with).await;
    let mut copied = with.clone();
    copied.variant = "copied".into();
    test.load("s1", &copied).await;
    test.load("plain", &spec("add", 2)).await;
    let smoke = test
        .admin("POST", &path::smoke("r1"), &json!({"inputs": add(3.0)}))
        .await;
    let smoke: SmokeReport = serde_json::from_slice(&smoke.body).unwrap();
    assert!(smoke.passed, "{smoke:?}");
    let whole = [("r1", 10_000)];
    test.put_ok(path::ROUTING, &routing(&[("main", 10_000, 0, &whole)]))
        .await;

    for sum in [1.0, 10.0, 11.0] {
        let answer = test.post("/v2/models/shop/infer", &add(sum)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    let batch =
        json!({"inputs": {"a": [[50, 0], [5, 0], [50, 0]], "b": [[0, 0], [50, 0], [-50, 0]]}});
    assert_eq!(test.post("/invocations", &batch).await.status, 200);
    let refused = json!({"inputs": {"a": [[50, 0]], "b": [[0, 0], [0, 0]]}});
    assert_eq!(test.post("/invocations", &refused).await.status, 400);

    let seen = scrape(&test).await;
    let values =
        |revision: &str, labels: &str| told(&seen, "mlops_feature_values_total{", revision, labels);
    let bin = |side: &str, feature: &str, bin: &str| {
        format!("traffic=\"live\",side=\"{side}\",feature=\"{feature}\",bin=\"{bin}\"")
    };
    for (side, feature, label, count) in [
        ("input", "size", "-Inf..10", 3.0),
        ("input", "size", "10..+Inf", 3.0),
        ("input", "size", "(infinite)", 0.0),
        ("input", "size", "(missing)", 0.0),
        ("output", "sum[0]", "-Inf..10", 3.0),
        ("output", "sum[0]", "10..+Inf", 3.0),
    ] {
        let labels = bin(side, feature, label);
        assert_eq!(values("r1", &labels), Some(count), "{labels}\n{seen}");
    }
    let expected = |labels: &str| told(&seen, "mlops_feature_reference_ratio{", "r1", labels);
    assert_eq!(
        expected("side=\"input\",feature=\"size\",bin=\"-Inf..10\""),
        Some(0.75)
    );
    assert_eq!(
        expected("side=\"output\",feature=\"sum[0]\",bin=\"(missing)\""),
        Some(0.0)
    );
    let live = "traffic=\"live\",side=\"input\",feature=\"size\",bin=\"-Inf..10\"";
    assert_eq!(values("s1", live), Some(0.0), "nothing was asked of it");
    assert_eq!(values("plain", live), None, "it has no reference");
    assert!(!seen.contains("traffic=\"shadow\",side="), "{seen}");

    let shadowed = routing(&[
        ("main", 10_000, 0, &whole),
        ("copied", 0, 10_000, &[("s1", 10_000)]),
    ]);
    test.put_ok(path::ROUTING, &shadowed).await;
    test.post("/v2/models/shop/infer", &add(99.0)).await;
    let copy = "traffic=\"shadow\",side=\"output\",feature=\"sum[0]\",bin=\"10..+Inf\"";
    support::eventually(async || {
        told(
            &scrape(&test).await,
            "mlops_feature_values_total{",
            "s1",
            copy,
        ) == Some(1.0)
    })
    .await;
    let seen = scrape(&test).await;
    assert_eq!(
        told(&seen, "mlops_feature_values_total{", "s1", live),
        Some(0.0),
        "copies are not live"
    );
}

#[tokio::test]
async fn a_server_of_versions_without_a_reference_tells_nothing_of_values() {
    let test = TestServer::serving("add").await;
    assert_eq!(
        test.post("/v2/models/shop/infer", &add(1.0)).await.status,
        200
    );
    let seen = scrape(&test).await;
    assert!(seen.contains("mlops_requests_total"), "{seen}");
    assert!(!seen.contains("mlops_feature"), "{seen}");
}

#[tokio::test]
async fn a_reference_that_is_wrong_keeps_the_revision_from_serving() {
    let test = TestServer::start().await;
    let changed = |change: fn(&mut Value)| {
        let mut reference = reference();
        change(&mut reference);
        reference
    };
    let cases = [
        (
            changed(|r| r["features"][0]["tensor"] = json!("c")),
            "features[0] \"size\": tensor is \"c\", and the model has no such input; it has a, b",
        ),
        (
            changed(|r| r["predictions"][0]["column"] = json!(2)),
            "predictions[0] \"sum[0]\": column is 2, and a row of \"sum\" has 2 values, from 0",
        ),
        (
            changed(|r| r["features"][0]["distribution"]["numeric"]["shares"] = json!([1, 1])),
            "features[0] \"size\": its shares are 2 together, and must be 1",
        ),
        (json!([]), "it is no reference: invalid length 0"),
    ];
    for (at, (reference, said)) in cases.into_iter().enumerate() {
        let spec = referring(test.dir.path(), &reference);
        let status = test.load(&format!("r{at}"), &spec).await;
        assert_eq!(status.state, RevisionState::Failed);
        let failure = status.failure.unwrap();
        let file = format!("reference file {:?}: ", spec.reference.unwrap().path);
        assert!(failure.starts_with(&file), "{failure}");
        assert!(failure.contains(said), "{failure}\nlacks {said}");
    }
    let mut other = referring(test.dir.path(), &reference());
    other.reference.as_mut().unwrap().sha256 = sha256(b"another");
    let failure = test.load("other", &other).await.failure.unwrap();
    assert!(
        failure.starts_with("reference file") && failure.ends_with("it is not loaded"),
        "{failure}"
    );
    assert!(Reference::read(reference().to_string().as_bytes()).is_ok());
}
