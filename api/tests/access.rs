//! Who may ask, and what a pipeline without a client sends.

mod world;

use mlops_api::{Settings, Token};
use serde_json::{Value, json};
use world::{World, everywhere, request};

const TOKEN: &str = "0123456789abcdefghijklmnop";

fn search() -> mlops_api::Request {
    request(
        "GET",
        "/api/2.0/mlflow/registered-models/search",
        Value::Null,
    )
}

#[tokio::test]
async fn with_a_token_only_who_presents_it_is_answered() {
    let world = World::with(Settings {
        token: Some(Token::new(TOKEN).unwrap()),
        ..everywhere()
    });
    let ask = async |authorization: Option<&str>| {
        let mut request = search();
        request.headers[0].1 = "models.example.com".to_owned();
        let header = authorization.map(|value| ("authorization".to_owned(), value.to_owned()));
        request.headers.extend(header);
        world.send(request).await
    };
    for wrong in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer wrong"),
        Some("Basic 0123456789abcdefghijklmnop"),
        Some("0123456789abcdefghijklmnop"),
    ] {
        let refused = ask(wrong).await;
        assert_eq!(refused.status, 401, "{wrong:?}");
        let header = ("www-authenticate".to_owned(), "Bearer".to_owned());
        assert!(refused.headers.contains(&header));
        let body: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(body["error_code"], "UNAUTHENTICATED");
    }
    for right in [format!("Bearer {TOKEN}"), format!("bearer {TOKEN}")] {
        assert_eq!(ask(Some(&right)).await.status, 200);
    }
    for path in [
        "/list-registry",
        "/api/2.0/mlflow-artifacts/artifacts?path=x",
        "/nowhere",
    ] {
        assert_eq!(
            world.send(request("GET", path, Value::Null)).await.status,
            401,
            "{path}"
        );
    }
    assert_eq!(
        world
            .send(request("GET", "/health", Value::Null))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn without_a_token_pages_and_other_names_of_this_machine_are_refused() {
    let world = World::new();
    let ask = async |host: &str, origin: Option<&str>| {
        let mut request = search();
        request.headers[0].1 = host.to_owned();
        let origin = origin.map(|origin| ("origin".to_owned(), origin.to_owned()));
        request.headers.extend(origin);
        world.send(request).await.status
    };
    assert_eq!(ask("localhost:5000", None).await, 200);
    assert_eq!(
        ask("127.0.0.1:5000", Some("http://localhost:3000")).await,
        200
    );
    assert_eq!(ask("rebound.example.com", None).await, 403);
    assert_eq!(
        ask("127.0.0.1:5000", Some("https://example.com")).await,
        403
    );
    assert_eq!(ask("127.0.0.1:5000", Some("null")).await, 403);
}

#[tokio::test]
async fn an_address_beyond_the_loopback_interface_needs_a_token() {
    let open = World::new();
    for listen in ["0.0.0.0:5000", "192.0.2.1:5000", "[::]:5000"] {
        let error = open.api.check_listen(listen.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("--token-file"), "{error}");
    }
    for listen in ["127.0.0.1:0", "[::1]:5000"] {
        open.api.check_listen(listen.parse().unwrap()).unwrap();
    }
    let guarded = World::with(Settings {
        token: Some(Token::new(TOKEN).unwrap()),
        ..everywhere()
    });
    guarded
        .api
        .check_listen("0.0.0.0:5000".parse().unwrap())
        .unwrap();
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let world = World::new();
    let body = json!({"name": "fraud", "description": "x".repeat(2 << 20)});
    let create = ("POST", "registered-models/create", body);
    world.refused(create, (413, "BAD_REQUEST"), &[]).await;
}

#[tokio::test]
async fn a_pipeline_registers_and_lists_in_its_own_words() {
    let world = World::new();
    let source = world.model("m");
    let body = json!({"registry-name": "fraud", "versions": [
        {"s3_location": source, "Accurecy": {"auc": 0.9, "Roc": "0.8"}},
        {"s3_location": source},
    ]});
    let post = async |body: Value| {
        let response = world.send(request("POST", "/model-registry", body)).await;
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        (response.status, body)
    };
    let (status, made) = post(body).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["registry-name"], "fraud");
    assert_eq!(made["versions"][0]["status"], "PENDING_REGISTRATION");
    assert_eq!(made["versions"][1]["version"], "2");
    for version in ["1", "2"] {
        world.settled("fraud", version).await;
    }
    let listed = world
        .send(request("GET", "/list-registry", Value::Null))
        .await;
    let listed: Value = serde_json::from_slice(&listed.body).unwrap();
    let expected = json!({"models": [{"registry-name": "fraud", "versions": [
        {"version": "1", "s3_location": source, "status": "READY", "Accurecy": {"Roc": 0.8, "auc": 0.9}},
        {"version": "2", "s3_location": source, "status": "READY"},
    ]}]});
    assert_eq!(listed, expected);
    for (wrong, part) in [
        (
            json!({"versions": [{"s3_location": "/m"}]}),
            "registry-name",
        ),
        (json!({"registry-name": "x"}), "versions"),
        (json!({"registry-name": "x", "versions": []}), "versions"),
        (
            json!({"registry-name": "x", "versions": [{}]}),
            "versions[0].s3_location",
        ),
        (
            json!({"registry-name": "x", "versions": [{"s3_location": "s3://b/k"}]}),
            "s3://b/k",
        ),
        (
            json!({"registry-name": "x", "versions": [{"s3_location": "/m", "Accurecy": {"auc": "high"}}]}),
            "Accurecy.auc",
        ),
    ] {
        let (status, answer) = post(wrong).await;
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["message"].as_str().unwrap().contains(part),
            "{answer}"
        );
    }
    let refused = world.registry.model(&"x".parse().unwrap()).await.unwrap();
    assert_eq!(refused, None, "a refused body makes no model");
}
