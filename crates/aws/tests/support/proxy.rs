//! A proxy between the adapter and a part: it counts calls, and fails those that it is told to, as
//! networks and services do.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No answer comes, and nothing is done.
    Timeout,
    /// No answer comes, and it is done.
    TimeoutAfter,
    /// The connection breaks before anything is done.
    ResetBefore,
    /// The connection breaks when it is done.
    ResetAfter,
    /// The service answers 500, and nothing is done.
    Internal,
    /// The service answers 500, and it is done.
    InternalAfter,
    /// The service answers 400 with this code, and nothing is done.
    Refused(&'static str),
    /// The service finds the request too old, and tells its own time, which is in the year 2040.
    Skewed,
    /// The connection breaks once the test says so, and nothing is done.
    Held,
    /// It is done, and the connection breaks once the test says so.
    HeldAfter,
    /// Of a batch, the first key is answered; the others are left unprocessed.
    Unprocessed,
    /// The service answers as it does where no policy allows the call, and nothing is done.
    Denied,
}

/// What the faults table of the records has, in the words of DynamoDB.
pub const FAULTS: [Fault; 11] = [
    Fault::Timeout,
    Fault::TimeoutAfter,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Internal,
    Fault::InternalAfter,
    Fault::Refused("ThrottlingException"),
    Fault::Refused("ProvisionedThroughputExceededException"),
    Fault::Refused("TransactionConflict"),
    Fault::Refused("TransactionInProgressException"),
    Fault::Refused("ConditionalCheckFailedException"),
];

#[derive(Default)]
struct State {
    calls: Vec<String>,
    bodies: Vec<String>,
    targets: Vec<String>,
    actions: Vec<String>,
    times: Vec<String>,
    /// The call with this number, counted from zero, fails so.
    planned: BTreeMap<usize, Fault>,
    /// Every call fails so.
    always: Option<Fault>,
    /// Of these operations, the next so many calls fail so.
    operations: BTreeMap<String, (usize, Fault)>,
}

/// The proxy; it ends with the runtime that it was started on.
pub struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    state: Arc<Mutex<State>>,
    released: Arc<Notify>,
}

struct Route {
    to: String,
    client: Client<HttpConnector, Full<Bytes>>,
    state: Arc<Mutex<State>>,
    released: Arc<Notify>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no panic while it was held")
}

impl Proxy {
    /// A proxy before the part at `url`.
    pub async fn before(url: &str) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State::default()));
        let released = Arc::new(Notify::new());
        let route = Arc::new(Route {
            released: Arc::clone(&released),
            to: url.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            state: Arc::clone(&state),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let route = Arc::clone(&route);
                let service = hyper::service::service_fn(move |request| {
                    let route = Arc::clone(&route);
                    async move { route.answer(request).await }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self {
            url: format!("http://{address}"),
            state,
            released,
        }
    }

    /// The operations that were called, in order.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    /// What was sent with the calls, in order.
    pub fn bodies(&self) -> Vec<String> {
        lock(&self.state).bodies.clone()
    }

    /// What was asked of which host, in order, as a proxy is told.
    pub fn targets(&self) -> Vec<String> {
        lock(&self.state).targets.clone()
    }

    /// The operations that were called, in order, as IAM calls them: of ECS, Elastic Load Balancing, EC2, EC2 Auto Scaling, CloudWatch, CloudWatch Logs, Route 53 and Application Auto Scaling.
    pub fn actions(&self) -> Vec<String> {
        lock(&self.state).actions.clone()
    }

    /// When the calls say that they were signed, in order.
    pub fn times(&self) -> Vec<String> {
        lock(&self.state).times.clone()
    }

    /// Forgets what was called and what fails.
    pub fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    /// The call with this number, counted from zero since the last reset, fails so.
    pub fn fail(&self, number: usize, fault: Fault) {
        lock(&self.state).planned.insert(number, fault);
    }

    /// Of this operation, the next `times` calls fail so.
    pub fn fail_operation(&self, operation: &str, times: usize, fault: Fault) {
        let mut state = lock(&self.state);
        state
            .operations
            .insert(operation.to_owned(), (times, fault));
    }

    /// Breaks the connection of a call that is held, now or when it comes.
    pub fn release(&self) {
        self.released.notify_one();
    }

    /// Waits until a call came since the last reset.
    pub async fn called(&self) {
        while lock(&self.state).calls.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Every call fails so from now on.
    pub fn fail_always(&self, fault: Fault) {
        lock(&self.state).always = Some(fault);
    }
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the proxy breaks the connection")
    }
}

impl std::error::Error for Reset {}

type Answer = Response<Full<Bytes>>;

impl Route {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Reset> {
        let target = request.headers().get("x-amz-target");
        let named = target
            .and_then(|target| target.to_str().ok())
            .and_then(|target| target.rsplit('.').next())
            .map(str::to_owned);
        let method = request.method().to_string();
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let named = named.or_else(|| of_zone(&parts).map(str::to_owned));
        let is_zone = of_zone(&parts).is_some();
        // Both are refused in XML.
        let is_form = is_zone || named.is_none() && text.starts_with("Action=");
        let of_form = || text.strip_prefix("Action=")?.split('&').next();
        let operation = named
            .or_else(|| of_form().map(str::to_owned))
            .unwrap_or(method);
        let fault = {
            let mut state = lock(&self.state);
            let number = state.calls.len();
            state.calls.push(operation.clone());
            state.bodies.push(text.clone());
            state.targets.push(parts.uri.to_string());
            state.actions.push(action(&parts, &operation));
            let time = parts.headers.get("x-amz-date");
            let time = time.and_then(|time| time.to_str().ok());
            state.times.push(time.unwrap_or_default().to_owned());
            let of_operation = state
                .operations
                .get_mut(&operation)
                .and_then(|(left, fault)| {
                    *left = left.checked_sub(1)?;
                    Some(*fault)
                });
            let planned = state.planned.get(&number).copied();
            planned.or(of_operation).or(state.always)
        };
        let forward = async {
            let (parts, body) = self.forward(&parts, body.clone()).await?.into_parts();
            Ok(Response::from_parts(parts, Full::new(body)))
        };
        match fault {
            None => forward.await,
            Some(Fault::Timeout) => Ok(never().await),
            Some(Fault::TimeoutAfter) => {
                forward.await?;
                Ok(never().await)
            }
            Some(Fault::ResetBefore) => Err(Reset),
            Some(Fault::ResetAfter) => {
                forward.await?;
                Err(Reset)
            }
            Some(Fault::Internal) => Ok(internal()),
            Some(Fault::InternalAfter) => {
                forward.await?;
                Ok(internal())
            }
            Some(Fault::Refused(code)) if is_form => Ok(refused_form(code)),
            Some(Fault::Refused(code)) => Ok(refused(code, &operation, &body)),
            Some(Fault::Held) => {
                self.released.notified().await;
                Err(Reset)
            }
            Some(Fault::HeldAfter) => {
                forward.await?;
                self.released.notified().await;
                Err(Reset)
            }
            Some(Fault::Denied) => Ok(denied(&action(&parts, &operation), is_form)),
            Some(Fault::Skewed) => Ok(skewed()),
            Some(Fault::Unprocessed) => self.answer_first(&parts, &body).await,
        }
    }

    async fn forward(&self, parts: &Parts, body: Bytes) -> Result<Response<Bytes>, Reset> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut onward = Request::new(Full::new(body));
        *onward.method_mut() = parts.method.clone();
        *onward.uri_mut() = format!("{}{path}", self.to).parse().expect("a URL");
        *onward.headers_mut() = parts.headers.clone();
        let answer = self.client.request(onward).await.map_err(|_| Reset)?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    async fn answer_first(&self, parts: &Parts, body: &[u8]) -> Result<Answer, Reset> {
        let mut asked: Value = serde_json::from_slice(body).expect("JSON");
        let mut left = asked["RequestItems"].clone();
        for (table, wanted) in asked["RequestItems"].as_object_mut().expect("tables") {
            let keys = wanted["Keys"].as_array_mut().expect("keys");
            left[table]["Keys"] = Value::from(keys.split_off(1));
        }
        let mut onward = parts.clone();
        onward.headers.remove("content-length");
        let answer = self.forward(&onward, asked.to_string().into()).await?;
        let mut told: Value = serde_json::from_slice(answer.body()).expect("JSON");
        told["UnprocessedKeys"] = left;
        Ok(json(StatusCode::OK, told.to_string()))
    }
}

async fn never() -> Answer {
    std::future::pending::<Infallible>().await;
    unreachable!("it never ends")
}

fn json(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    headers.insert(
        "x-amzn-requestid",
        HeaderValue::from_static("PROXY4REQUEST"),
    );
    answer
}

fn internal() -> Answer {
    json(
        StatusCode::INTERNAL_SERVER_ERROR,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Internal server error"}"#.to_owned(),
    )
}

fn skewed() -> Answer {
    let mut answer = json(
        StatusCode::BAD_REQUEST,
        r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired: it is 2040"}"#.to_owned(),
    );
    let date = HeaderValue::from_static("Sun, 01 Jan 2040 12:00:00 GMT");
    answer.headers_mut().insert("date", date);
    answer
}

/// What IAM calls an operation of the services that endpoints on ECS are made of.
fn action(parts: &Parts, operation: &str) -> String {
    let target = parts.headers.get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let service = match target.and_then(|target| target.split('.').next()) {
        None if of_zone(parts).is_some() => "route53",
        None if is_signed_for(parts, "monitoring") => "cloudwatch",
        None if is_signed_for(parts, "ec2") => "ec2",
        None if is_signed_for(parts, "autoscaling") => "autoscaling",
        None => "elasticloadbalancing",
        Some(target) if target.starts_with("Logs_") => "logs",
        Some("AnyScaleFrontendService") => "application-autoscaling",
        Some(_) => "ecs",
    };
    format!("{service}:{operation}")
}

/// The operation of Route 53, which path and method tell.
fn of_zone(parts: &Parts) -> Option<&'static str> {
    let path = parts.uri.path().strip_prefix("/2013-04-01/")?;
    Some(match (parts.method.as_str(), path.split('/').nth(2)) {
        _ if path.starts_with("change/") => "GetChange",
        ("POST", Some("rrset")) => "ChangeResourceRecordSets",
        (_, Some("rrset")) => "ListResourceRecordSets",
        _ => "GetHostedZone",
    })
}

/// Whether this service is meant; of forms nothing else tells.
fn is_signed_for(parts: &Parts, service: &str) -> bool {
    let signed = parts.headers.get("authorization");
    let signed = signed.and_then(|signed| signed.to_str().ok());
    signed.is_some_and(|signed| signed.contains(&format!("/{service}/aws4_request")))
}

/// As services word it where no policy allows an action.
fn denied(action: &str, is_form: bool) -> Answer {
    let said = format!(
        "User: arn:aws:iam::000000000000:user/test is not authorized to perform: {action} because no identity-based policy allows the {action} action"
    );
    if !is_form {
        let body = serde_json::json!({"__type": "AccessDeniedException", "message": said});
        return json(StatusCode::BAD_REQUEST, body.to_string());
    }
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{said}</Message></Error><RequestId>PROXY4REQUEST</RequestId></ErrorResponse>"
    );
    let mut answer = json(StatusCode::FORBIDDEN, body);
    let xml = HeaderValue::from_static("text/xml");
    answer.headers_mut().insert("content-type", xml);
    answer
}

/// The refusal as services word it that are asked by forms.
fn refused_form(code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>by the proxy</Message></Error><RequestId>PROXY4REQUEST</RequestId></ErrorResponse>"
    );
    let mut answer = json(StatusCode::BAD_REQUEST, body);
    let xml = HeaderValue::from_static("text/xml");
    answer.headers_mut().insert("content-type", xml);
    answer
}

/// The refusal as this operation words it: a transaction gives reasons.
fn refused(code: &str, operation: &str, body: &[u8]) -> Answer {
    let transaction = operation == "TransactWriteItems";
    let reason = match code {
        "TransactionConflict" => Some("TransactionConflict"),
        "ConditionalCheckFailedException" => Some("ConditionalCheckFailed"),
        "ProvisionedThroughputExceededException" => Some("ProvisionedThroughputExceeded"),
        _ => None,
    };
    let body = match reason.filter(|_| transaction) {
        Some(reason) => {
            let asked: Value = serde_json::from_slice(body).expect("JSON");
            let count = asked["TransactItems"].as_array().map_or(1, Vec::len);
            let mut reasons = vec![serde_json::json!({"Code": "None"}); count];
            reasons[count - 1] = serde_json::json!({"Code": reason, "Message": "by the proxy"});
            serde_json::json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "Transaction cancelled",
                "CancellationReasons": reasons,
            })
        }
        None => {
            let code = match code {
                "TransactionConflict" => "TransactionConflictException",
                code => code,
            };
            serde_json::json!({
                "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
                "message": "by the proxy",
            })
        }
    };
    json(StatusCode::BAD_REQUEST, body.to_string())
}
