//! What clients of the data side see.

mod support;

use mlops_core::serving::{ServerLimits, path};
use serde_json::{Value, json};
use support::{TestServer, add, eventually, routing, slow, spec};

fn iris() -> Value {
    let text = std::fs::read_to_string(support::model_file("iris_logistic").with_extension("json"))
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn health_and_metadata_follow_the_open_inference_protocol() {
    let test = TestServer::start().await;
    assert_eq!(
        test.get("/v2/health/live").await.json(),
        json!({"live": true})
    );
    let ready = test.get("/v2/health/ready").await;
    assert_eq!((ready.status, ready.json()), (503, json!({"ready": false})));
    assert_eq!(test.get("/ping").await.status, 503);
    test.put_ok(path::ROUTING, &routing(&[("main", 10_000, 0, &[])]))
        .await;
    test.load("r1", &spec("iris_logistic", 7)).await;
    let ready = test.get("/v2/models/main/ready").await;
    assert_eq!(
        (ready.status, ready.json()),
        (503, json!({"name": "main", "ready": false}))
    );
    test.put_ok(
        path::ROUTING,
        &routing(&[("main", 10_000, 0, &[("r1", 10_000)])]),
    )
    .await;

    for path in [
        "/v2/health/ready",
        "/ping",
        "/health",
        "/version",
        "/v2/models/shop/versions/7/ready",
    ] {
        assert_eq!(test.get(path).await.status, 200, "{path}");
    }
    let server = test.get("/v2").await.json();
    assert_eq!(server["extensions"], json!(["binary_tensor_data"]));
    for name in ["shop", "main", "registered"] {
        let metadata = test.get(&format!("/v2/models/{name}")).await;
        assert_eq!(
            metadata.json(),
            json!({
                "name": name, "versions": ["7"], "platform": "onnx",
                "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
                "outputs": [
                    {"name": "label", "datatype": "INT64", "shape": [-1]},
                    {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
                ],
            })
        );
    }
}

#[tokio::test]
async fn a_prediction_is_the_models_and_says_who_made_it() {
    let test = TestServer::serving("iris_logistic").await;
    let case = iris();
    let rows = case["inputs"]["X"].as_array().unwrap().len();
    let request = json!({"id": "q1", "inputs": [
        {"name": "X", "shape": [rows, 4], "datatype": "FP32", "data": case["inputs"]["X"]},
    ]});
    for name in ["shop", "main", "registered", "shop/versions/1"] {
        let headers = [("x-request-id", "from-client")];
        let answer = test
            .post_with(
                &format!("/v2/models/{name}/infer"),
                &headers,
                request.to_string(),
            )
            .await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let body = answer.json();
        assert_eq!(body["outputs"][0]["data"], case["outputs"]["label"]);
        assert_eq!(
            (&body["id"], &body["model_version"]),
            (&json!("q1"), &json!("1"))
        );
        assert_eq!(answer.header("mlops-variant"), "main");
        assert_eq!(answer.header("mlops-version"), "1");
        assert_eq!(answer.header("mlops-revision"), "r1");
        assert_eq!(answer.header("x-request-id"), "from-client");
    }
    let anonymous = test.post("/v2/models/shop/infer", &request).await;
    assert_eq!(anonymous.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn mlflow_clients_get_the_same_labels_in_each_of_their_forms() {
    let test = TestServer::serving("iris_logistic").await;
    let case = iris();
    let (rows, labels) = (&case["inputs"]["X"], &case["outputs"]["label"]);
    for form in [
        json!({"inputs": rows}),
        json!({"instances": rows}),
        json!({"inputs": {"X": rows}}),
    ] {
        let answer = test.post("/invocations", &form).await;
        assert_eq!(answer.json()["predictions"]["label"], *labels, "{form}");
        assert_eq!(answer.header("mlops-revision"), "r1");
    }
    let columns = ["c10", "c9", "c8", "c7"];
    let record = |row: &Value| {
        let pairs: Vec<String> = columns
            .iter()
            .zip(row.as_array().unwrap())
            .map(|(c, v)| format!("\"{c}\":{v}"))
            .collect();
        format!("{{{}}}", pairs.join(","))
    };
    let records: Vec<String> = rows.as_array().unwrap().iter().map(record).collect();
    let split = json!({"dataframe_split": {"columns": columns, "data": rows}}).to_string();
    for form in [
        split,
        format!("{{\"dataframe_records\":[{}]}}", records.join(",")),
    ] {
        let answer = test
            .post_with(
                "/invocations",
                &[("content-type", "application/json; charset=utf-8")],
                form,
            )
            .await;
        let predictions = answer.json()["predictions"].clone();
        let got: Vec<Value> = predictions
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["label"].clone())
            .collect();
        assert_eq!(json!(got), *labels);
        assert_eq!(predictions[0]["probabilities"].as_array().unwrap().len(), 3);
    }
    let regression = TestServer::serving("iris_linear_regression").await;
    let answer = regression
        .post("/invocations", &json!({"instances": rows}))
        .await
        .json();
    assert!(
        answer["predictions"][0][0].is_number(),
        "one output is answered bare: {answer}"
    );
}

#[tokio::test]
async fn several_inputs_are_given_by_name() {
    let test = TestServer::serving("add").await;
    let by_row = json!({"instances": [{"a": [1, 2], "b": [10, 20]}, {"a": [3, 4], "b": [30, 40]}]});
    let answer = test.post("/invocations", &by_row).await.json();
    assert_eq!(
        answer["predictions"]["sum"],
        json!([[11.0, 22.0], [33.0, 44.0]])
    );
    let by_name = json!({"inputs": {"a": [[1, 2]], "b": [[10, 20]]}});
    assert_eq!(
        test.post("/invocations", &by_name).await.json()["predictions"]["product"],
        json!([[10.0, 40.0]])
    );
}

#[tokio::test]
async fn mistakes_of_mlflow_clients_are_named() {
    let test = TestServer::serving("iris_logistic").await;
    let add = TestServer::serving("add").await;
    let cases = [
        (
            &test,
            json!({}),
            "give exactly one of dataframe_split, dataframe_records, inputs, instances",
        ),
        (
            &test,
            json!({"dataframe_records": []}),
            "the data frame has no rows",
        ),
        (
            &test,
            json!({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}),
            "input \"X\": shape [1, 2] does not fit the model's [-1, 4] (-1: any size from 1)",
        ),
        (
            &test,
            json!({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [1]]}}),
            "row 1 has 1 values, the data frame has 2 columns",
        ),
        (
            &test,
            json!({"dataframe_records": [{"a": 1}, {"b": 1}]}),
            "record 1 has no column \"a\"",
        ),
        (
            &test,
            json!({"instances": [[1, 2, 3, 4], [1, 2, 3]]}),
            "input \"X\": row 1 has another shape than row 0 ([4])",
        ),
        (
            &test,
            json!({"instances": [[1, 2, 3, true]]}),
            "input \"X\": element 3 is true, which is no FP32",
        ),
        (
            &test,
            json!({"inputs": {"Y": [[1, 2, 3, 4]]}}),
            "unknown input \"Y\"; the model takes \"X\" (FP32 [-1, 4])",
        ),
        (
            &add,
            json!({"instances": [[1, 2]]}),
            "the model takes several inputs; name them: \"a\" (FP32 [-1, 2]), \"b\" (FP32 [-1, 2])",
        ),
        (
            &add,
            json!({"instances": [{"a": [1, 2]}]}),
            "instance 0 lacks input \"b\"",
        ),
        (
            &add,
            json!({"inputs": {"a": [[1, 2]]}}),
            "input \"b\" (FP32 [-1, 2]) is missing",
        ),
    ];
    for (server, body, message) in cases {
        let answer = server.post("/invocations", &body).await;
        assert_eq!(
            (answer.status, &answer.json()),
            (
                400,
                &json!({"error_code": "BAD_REQUEST", "message": message})
            )
        );
    }
    let csv = test
        .post_with("/invocations", &[("content-type", "text/csv")], "1,2,3,4")
        .await;
    assert_eq!(csv.status, 415);
    assert_eq!(
        csv.json()["message"],
        "Content-Type \"text/csv\" is not supported; send application/json"
    );
}

#[tokio::test]
async fn wrong_paths_methods_and_names_are_told_apart() {
    let test = TestServer::serving("add").await;
    let message = test.get("/v2/models/other").await;
    assert_eq!(message.status, 404);
    assert_eq!(
        message.error(),
        "model \"other\" is not served here; this endpoint answers as shop, main, registered"
    );
    let answer = test
        .post("/v2/models/shop/versions/9/infer", &add(1.0))
        .await;
    assert_eq!(
        (answer.status, answer.error()),
        (404, "version 9 of model \"shop\" is not served here".into())
    );
    let answer = test.get("/v2/models/shop/versions/latest").await;
    assert_eq!(
        (answer.status, answer.error()),
        (404, "version \"latest\" is no number".into())
    );
    let answer = test.get("/v2/models/shop/infer").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    assert_eq!(
        answer.error(),
        "GET is not allowed on /v2/models/shop/infer; use POST"
    );
    let answer = test.post("/metrics", &json!({})).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET"));
    let answer = test.get("/etc/passwd").await;
    assert_eq!(
        (answer.status, answer.error()),
        (404, "no such path: /etc/passwd".into())
    );
    let answer = test
        .post_with(
            "/v2/models/shop/infer",
            &[("inference-header-content-length", "x")],
            "{}",
        )
        .await;
    assert_eq!(
        (answer.status, answer.error()),
        (
            400,
            "Inference-Header-Content-Length is no number of bytes".into()
        )
    );
    let answer = test
        .post_with(
            "/v2/models/shop/infer",
            &[("content-encoding", "gzip")],
            "{}",
        )
        .await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn binary_tensors_go_both_ways() {
    let test = TestServer::serving("add").await;
    let input = |name: &str| json!({"name": name, "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}});
    let header =
        json!({"parameters": {"binary_data_output": true}, "inputs": [input("a"), input("b")]})
            .to_string();
    let length = header.len().to_string();
    let mut body = header.into_bytes();
    body.extend([1f32, 2.0, 10.0, 20.0].iter().flat_map(|f| f.to_le_bytes()));
    let headers = [
        ("inference-header-content-length", &*length),
        ("content-type", "application/octet-stream"),
    ];
    let answer = test
        .post_with("/v2/models/shop/infer", &headers, body)
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    let split: usize = answer
        .header("inference-header-content-length")
        .parse()
        .unwrap();
    let header: Value = serde_json::from_slice(&answer.body[..split]).unwrap();
    assert_eq!(header["outputs"][0]["parameters"]["binary_data_size"], 8);
    let data: Vec<f32> = answer.body[split..]
        .chunks_exact(4)
        .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
        .collect();
    assert_eq!(data, [11.0, 22.0, 10.0, 40.0]);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_by_its_announced_and_by_its_real_length() {
    let limits = ServerLimits {
        max_body_bytes: 512,
        ..ServerLimits::default()
    };
    let test = TestServer::serving_spec(spec("add", 1), limits).await;
    assert_eq!(
        test.post("/v2/models/shop/infer", &add(1.0)).await.status,
        200
    );
    let answer = test
        .post_with("/v2/models/shop/infer", &[], vec![b' '; 513])
        .await;
    assert_eq!(
        (answer.status, answer.error()),
        (413, "the body is longer than 512 bytes".into())
    );
    // Without a length, in chunks.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(test.server.address())
        .await
        .unwrap();
    let head =
        "POST /v2/models/shop/infer HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
    stream
        .write_all(format!("{head}300\r\n{}\r\n", " ".repeat(0x300)).as_bytes())
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_429_and_a_slow_graph_504() {
    let mut one = spec("slow", 1);
    one.limits.max_concurrency = 1;
    one.limits.max_queue = 1;
    let test = TestServer::serving_spec(one.clone(), ServerLimits::default()).await;
    // Three at once, again until they meet: how long one takes depends on the machine.
    let mut refused = None;
    eventually(async || {
        let body = slow(300);
        let post = || test.post("/v2/models/shop/infer", &body);
        let (one, two, three) = tokio::join!(post(), post(), post());
        for answer in [one, two, three] {
            match answer.status {
                200 => {}
                _ => refused = Some(answer),
            }
        }
        refused.is_some()
    })
    .await;
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(
        refused.error(),
        "revision \"r1\" is busy: 1 requests run and 1 wait; try again"
    );

    one.limits.timeout_ms = 1;
    let test = TestServer::serving_spec(one, ServerLimits::default()).await;
    let late = test.post("/v2/models/shop/infer", &slow(200)).await;
    assert_eq!(
        (late.status, late.error()),
        (504, "revision \"r1\" did not answer within 1 ms".into())
    );
}

#[tokio::test]
async fn a_full_server_is_503() {
    use tokio::io::AsyncWriteExt;
    let limits = ServerLimits {
        max_in_flight: 1,
        ..ServerLimits::default()
    };
    let test = TestServer::serving_spec(spec("add", 1), limits).await;
    let mut stuck = tokio::net::TcpStream::connect(test.server.address())
        .await
        .unwrap();
    stuck
        .write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\n{")
        .await
        .unwrap();
    let mut refused = None;
    eventually(async || {
        let answer = test.post("/v2/models/shop/infer", &add(1.0)).await;
        let full = answer.status == 503;
        refused = Some(answer);
        full
    })
    .await;
    let refused = refused.unwrap();
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.error(),
        "the server is full: 1 requests are inside; try again"
    );
    drop(stuck);
    eventually(async || test.post("/v2/models/shop/infer", &add(1.0)).await.status == 200).await;
}

#[tokio::test]
async fn a_graph_that_fails_is_an_error_of_the_revision_and_a_clients_mistake_is_not() {
    let test = TestServer::serving("gather").await;
    let ask = |index: i64| json!({"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [index]}]});
    assert_eq!(
        test.post("/v2/models/shop/infer", &ask(1)).await.json()["outputs"][0]["data"],
        json!([10.0, 11.0])
    );
    let failed = test.post("/v2/models/shop/infer", &ask(9)).await;
    assert_eq!(failed.status, 500);
    assert!(
        failed.error().starts_with("the model failed: "),
        "{}",
        failed.error()
    );
    assert_eq!(failed.header("mlops-revision"), "r1");
    assert_eq!(
        test.post("/v2/models/shop/infer", &json!({"inputs": []}))
            .await
            .status,
        400
    );

    let text = String::from_utf8(test.get("/metrics").await.body.to_vec()).unwrap();
    let labels =
        "{endpoint=\"shop\",variant=\"main\",version=\"1\",revision=\"r1\",traffic=\"live\"}";
    for line in [
        format!("mlops_requests_total{labels} 3"),
        format!("mlops_request_errors_total{labels} 1"),
        format!("mlops_requests_refused_total{labels} 1"),
        format!("mlops_request_duration_seconds_count{labels} 2"),
        format!("mlops_requests_in_flight{labels} 0"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("# TYPE mlops_request_duration_seconds histogram"));
    assert!(text.contains("le=\"+Inf\"} 2"));
}

#[tokio::test]
async fn each_request_leaves_one_line_in_the_access_log() {
    let test = TestServer::serving("add").await;
    test.post_with(
        "/v2/models/shop/infer?secret=1",
        &[("x-request-id", "abc")],
        add(1.0).to_string(),
    )
    .await;
    let log = test.log();
    let mut line = Value::Null;
    support::eventually(async || {
        let text = std::fs::read_to_string(&log).unwrap();
        let mut lines = text
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok());
        line = lines
            .rfind(|l| l["request_id"] == "abc")
            .unwrap_or_default();
        !line.is_null()
    })
    .await;
    assert_eq!(
        line["path"], "/v2/models/shop/infer",
        "the query is not logged"
    );
    let seen = json!([
        line["event"],
        line["status"],
        line["variant"],
        line["version"],
        line["revision"],
        line["method"]
    ]);
    assert_eq!(seen, json!(["request", 200, "main", 1, "r1", "POST"]));
    assert!(line["duration_ms"].is_number() && line["timestamp"].is_string());
}
