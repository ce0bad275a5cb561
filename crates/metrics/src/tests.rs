//! Questions over real sockets, to servers that answer what a test says.

use std::sync::{Arc, Mutex};

use mlops_core::Class;
use mlops_core::rollout::{Address, Template};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server that gives every request this answer, and keeps what it was asked.
struct Server {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(status: u16, body: &str) -> Self {
        Self::start("http", status, body, None).await
    }

    async fn start(scheme: &str, status: u16, body: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "{scheme}://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nlocation: http://elsewhere/\r\n\r\n{body}",
            body.len()
        );
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(tls) = &tls else {
                    converse(stream, &answer, &kept).await;
                    continue;
                };
                // A client that does not trust the server ends here.
                if let Ok(stream) = tls.accept(stream).await {
                    converse(stream, &answer, &kept).await;
                }
            }
        });
        Self { url, heads }
    }

    fn asked(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &str,
    heads: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    // Whoever asked may have gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn meter() -> HttpMeter {
    HttpMeter {
        trust: Trust::new(RootCertStore::empty),
        environment: |name| match name {
            "TOKEN" => Some("t0ken\n".to_owned()),
            "BROKEN" => Some("to\nken".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        },
    }
}

fn question(dialect: Dialect, address: &str, query: &str) -> Question {
    Question {
        dialect,
        address: address.to_owned(),
        query: query.to_owned(),
        bearer_token_env: None,
    }
}

async fn of_prometheus(status: u16, body: &str) -> Result<Answer> {
    let server = Server::answering(status, body).await;
    meter()
        .ask(&question(Dialect::Prometheus, &server.url, "up"))
        .await
}

async fn of_json(body: &str, pointer: &str) -> Result<Answer> {
    let server = Server::answering(200, body).await;
    meter()
        .ask(&question(Dialect::Json, &server.url, pointer))
        .await
}

fn vector(values: &[&str]) -> String {
    let series: Vec<_> = values
        .iter()
        .map(|value| format!(r#"{{"metric":{{}},"value":[1700000000.1,"{value}"]}}"#))
        .collect();
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#,
        series.join(",")
    )
}

#[tokio::test]
async fn prometheus_is_asked_an_instant_query_and_its_one_number_read() {
    let server = Server::answering(200, &vector(&["0.25"])).await;
    let address = format!("{}/tenant/a/", server.url);
    let asked = question(Dialect::Prometheus, &address, "sum(up{x=\"a&b\"})");
    assert_eq!(meter().ask(&asked).await.unwrap(), Answer::Number(0.25));
    let head = &server.asked()[0];
    let line = "GET /tenant/a/api/v1/query?query=sum%28up%7Bx%3D%22a%26b%22%7D%29 HTTP/1.1\r\n";
    assert!(head.starts_with(line), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"3"]}}"#;
    assert_eq!(
        of_prometheus(200, scalar).await.unwrap(),
        Answer::Number(3.0)
    );
}

#[tokio::test]
async fn an_answer_without_a_number_is_none_yet() {
    for (body, why) in [
        (vector(&[]), "no series"),
        (vector(&["NaN"]), "NaN"),
        (vector(&["+Inf"]), "+Inf"),
    ] {
        let Answer::Nothing(said) = of_prometheus(200, &body).await.unwrap() else {
            panic!("{body} is a number");
        };
        assert!(said.contains(why), "{said}");
    }
    for (body, pointer) in [
        (r#"{"rate":null}"#, "/rate"),
        (r#"{"rate":"NaN"}"#, "/rate"),
        (r#"{"other":1}"#, "/rate"),
    ] {
        let answer = of_json(body, pointer).await.unwrap();
        assert!(matches!(answer, Answer::Nothing(_)), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_can_never_be_one_number_says_what_it_is() {
    let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let text = r#"{"status":"success","data":{"resultType":"string","result":[1,"a"]}}"#;
    let histogram = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#;
    for (body, attribute, what) in [
        (
            vector(&["1", "2"]).as_str(),
            "query",
            "2 series, and one is needed: put sum()",
        ),
        (matrix, "query", "a range of values"),
        (text, "query", "a text"),
        (histogram, "query", "a histogram"),
        ("<html>", "address", "not one of Prometheus"),
        (r#"{"a":1}"#, "address", "not one of Prometheus"),
    ] {
        let error = of_prometheus(200, body).await.unwrap_err();
        assert_eq!(
            (error.class(), error.attribute()),
            (Class::Invalid, Some(attribute))
        );
        assert!(error.to_string().contains(what), "{error}");
    }
    for (body, pointer, what) in [
        ("{\"a\":[1]}", "/a", "a list at \"/a\""),
        ("{\"a\":{}}", "/a", "an object"),
        ("{\"a\":true}", "/a", "a truth value"),
        ("{\"a\":\"s3cret\"}", "/a", "a text"),
        ("s3cret", "/a", "not JSON"),
    ] {
        let error = of_json(body, pointer).await.unwrap_err();
        assert_eq!(error.class(), Class::Invalid, "{body}");
        let told = error.chain().to_string();
        assert!(told.contains(what) && !told.contains("s3cret"), "{told}");
    }
}

#[tokio::test]
async fn a_number_is_read_where_the_pointer_says() {
    for (body, pointer, number) in [
        ("0.5", "", 0.5),
        (r#"{"data":[{"rate":2}]}"#, "/data/0/rate", 2.0),
        (r#"{"a/b":"1e-3"}"#, "/a~1b", 0.001),
    ] {
        let answer = of_json(body, pointer).await.unwrap();
        assert_eq!(answer, Answer::Number(number), "{body}");
    }
}

#[tokio::test]
async fn a_status_says_whether_to_wait_and_whose_fault_it_is() {
    let parse_error = r#"{"status":"error","errorType":"bad_data","error":"1:5: parse error: unclosed left parenthesis"}"#;
    for (status, class, attribute) in [
        (400, Class::Invalid, "query"),
        (422, Class::Invalid, "query"),
        (401, Class::Denied, "bearer_token_env"),
        (403, Class::Denied, "bearer_token_env"),
        (404, Class::Invalid, "address"),
        (302, Class::Invalid, "address"),
        (429, Class::Throttled, "address"),
        (500, Class::Unavailable, "address"),
        (503, Class::Unavailable, "address"),
    ] {
        let error = of_prometheus(status, parse_error).await.unwrap_err();
        assert_eq!(
            (error.class(), error.attribute()),
            (class, Some(attribute)),
            "{status}"
        );
        let told = error.to_string();
        assert!(told.contains(&format!("status {status}")), "{told}");
        assert!(told.contains("unclosed left parenthesis"), "{told}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_may_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = meter()
        .ask(&question(Dialect::Prometheus, &address, "up"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class(), error.attribute()),
        (Class::Unavailable, Some("address"))
    );
    assert_eq!(error.to_string(), format!("nobody answers at {address}"));
}

#[tokio::test]
async fn a_token_comes_from_the_environment_and_is_told_to_nobody_else() {
    let server = Server::answering(403, "{}").await;
    let mut asked = question(Dialect::Prometheus, &server.url, "up");
    asked.bearer_token_env = Some("TOKEN".to_owned());
    let error = meter().ask(&asked).await.unwrap_err();
    assert!(server.asked()[0].contains("authorization: Bearer t0ken\r\n"));
    assert!(
        !error.chain().to_string().contains("t0ken"),
        "{}",
        error.chain()
    );
    for name in ["EMPTY", "MISSING", "BROKEN"] {
        let source = HttpSource {
            query: "up".parse::<Template>().unwrap(),
            address: server.url.parse::<Address>().unwrap(),
            bearer_token_env: Some(name.to_owned()),
        };
        let error = meter().check(&source).unwrap_err();
        assert_eq!(error.attribute(), Some("bearer_token_env"));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_asked_anything() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let server = Server::start("https", 200, "7", Some(tls)).await;
    let asked = question(Dialect::Json, &server.url, "");

    let error = meter().ask(&asked).await.unwrap_err();
    assert_eq!(
        (error.class(), error.attribute()),
        (Class::Invalid, Some("address"))
    );
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
    assert!(server.asked().is_empty());

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting = HttpMeter {
        trust: Trust::new(move || roots.clone()),
        ..meter()
    };
    assert_eq!(trusting.ask(&asked).await.unwrap(), Answer::Number(7.0));
}
