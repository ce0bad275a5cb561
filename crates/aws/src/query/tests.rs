//! What is sent, and what becomes of answers: a server that says what it is told to.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mlops_core::{Class, Error};
use tokio::net::TcpListener;

use super::{Element, Form};
use crate::support::table;
use crate::{AwsClients, AwsSettings, Endpoints};

/// A status, a date, and a body.
type Said = (u16, Option<&'static str>, &'static str);

#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(Parts, String)>>>);

impl Asked {
    fn all(&self) -> Vec<(Parts, String)> {
        self.0.lock().expect("whole").clone()
    }

    fn header(&self, number: usize, name: &str) -> String {
        let all = self.all();
        let value = all[number].0.headers.get(name).expect(name);
        value.to_str().expect("text").to_owned()
    }
}

const GOOD: &str = "<Answer><Result>yes</Result></Answer>";

/// Asks a server that says these in turn.
async fn ask(says: &[Said]) -> (Result<Element, Error>, Asked) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let listener = listener.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let asked = Asked::default();
    let noted = asked.clone();
    let says: Arc<Mutex<VecDeque<Said>>> = Arc::new(Mutex::new(says.iter().copied().collect()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (noted, says) = (noted.clone(), says.clone());
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (noted, says) = (noted.clone(), says.clone());
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.expect("its end").to_bytes();
                    let body = String::from_utf8(body.to_vec()).expect("text");
                    noted.0.lock().expect("whole").push((head, body));
                    let next = says.lock().expect("whole").pop_front();
                    let (status, date, body) = next.expect("no more is asked than that");
                    let mut answer = Response::builder()
                        .status(status)
                        .header("x-amzn-requestid", "R-1");
                    if let Some(date) = date {
                        answer = answer.header("date", date);
                    }
                    Ok::<_, Infallible>(
                        answer
                            .body(Full::new(Bytes::from(body)))
                            .expect("an answer"),
                    )
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    let settings = AwsSettings {
        endpoints: Endpoints {
            cloudwatch: Some(url),
            ..Endpoints::default()
        },
        ..table::settings("http://127.0.0.1:1")
    };
    let clients = AwsClients::with_patience(settings, table::patience()).expect("settings");
    let client = clients.cloudwatch().await.expect("a client");
    let form = Form::default().with("AlarmNamePrefix", "a b");
    let answer = client
        .ask(clients.retries(), "DescribeAlarms", &form, "alarm a")
        .await;
    (answer.map_err(|failure| failure.into_error()), asked)
}

#[tokio::test]
async fn a_call_is_a_form_that_is_signed_for_its_service() {
    let (answer, asked) = ask(&[(200, None, GOOD)]).await;
    assert_eq!(answer.expect("an answer").text("Result"), Some("yes"));
    let all = asked.all();
    let (head, body) = &all[0];
    assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/"));
    assert_eq!(
        body,
        "Action=DescribeAlarms&Version=2010-08-01&AlarmNamePrefix=a%20b"
    );
    assert_eq!(
        asked.header(0, "content-type"),
        "application/x-www-form-urlencoded"
    );
    let signed = asked.header(0, "authorization");
    let day = &asked.header(0, "x-amz-date")[..8];
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{day}/eu-west-1/monitoring/aws4_request, "
    );
    assert!(signed.starts_with(&scope), "{signed}");
    for part in ["content-type;", "host;", "Signature="] {
        assert!(signed.contains(part), "{part} is not in {signed}");
    }
}

#[tokio::test]
async fn what_passes_is_asked_again_and_what_does_not_is_told_with_the_request() {
    let throttled = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
    let (answer, asked) = ask(&[
        (400, None, throttled),
        (503, None, "Service Unavailable"),
        (200, None, "<html>a proxy's page"),
        (200, None, GOOD),
    ])
    .await;
    answer.expect("an answer");
    assert_eq!(asked.all().len(), 4);

    let refused = "<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>MaxRecords is 101.</Message></Error></Errors><RequestID>R-1</RequestID></Response>";
    for (body, class, told) in [
        (
            refused,
            Class::Invalid,
            "CloudWatch DescribeAlarms on alarm a failed with InvalidParameterValue: MaxRecords is 101 (request R-1)",
        ),
        (
            "<html>no</html>",
            Class::Invalid,
            "CloudWatch DescribeAlarms on alarm a failed (request R-1)",
        ),
    ] {
        let (answer, asked) = ask(&[(400, None, body)]).await;
        let error = answer.expect_err("refused");
        assert_eq!(error.class(), class);
        assert!(error.to_string().starts_with(told), "{error}");
        assert_eq!(asked.all().len(), 1);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_set_by_the_answer() {
    let late = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: it is 2040</Message></Error></ErrorResponse>";
    let date = Some("Sun, 01 Jan 2040 12:00:00 GMT");
    let (answer, asked) = ask(&[(403, date, late), (200, date, GOOD)]).await;
    answer.expect("an answer");
    assert!(!asked.header(0, "x-amz-date").starts_with("2040"));
    assert!(asked.header(1, "x-amz-date").starts_with("20400101T12"));
}
