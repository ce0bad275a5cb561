//! The gate: a proxy on a thread of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::call::{self, Call};
use super::ecs;
use super::machines;
use super::policy::Policy;
use super::route53;
use crate::part::authorization;

#[derive(Debug, Default)]
struct State {
    policies: Vec<Policy>,
    allowed: BTreeSet<String>,
    denied: Vec<String>,
}

/// Lets through what the caller's policies allow, and answers the rest as AWS does.
#[derive(Debug)]
pub struct Gate {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    state: Arc<Mutex<State>>,
    // Ends the proxy when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Gate {
    /// A gate before the part at `part`, through which nobody may.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub fn before(part: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = hyper::service::service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { answer(request, part, &state).await }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            url,
            state,
            _runtime: runtime,
        }
    }

    /// From now on the caller has these policies; what was denied before is forgotten.
    pub fn admit(&self, policies: &[&Policy]) {
        *lock(&self.state) = State {
            policies: policies.iter().map(|policy| (*policy).clone()).collect(),
            ..State::default()
        };
    }

    /// The actions that were allowed since.
    pub fn allowed(&self) -> BTreeSet<String> {
        lock(&self.state).allowed.clone()
    }

    /// What was denied since, as action and resource.
    pub fn denied(&self) -> Vec<String> {
        lock(&self.state).denied.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    request: Request<Incoming>,
    part: SocketAddr,
    state: &Mutex<State>,
) -> Result<Response<Full<Bytes>>, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked = Asked::of(&head, &body);
    let mut calls = asked.calls(&head, &body);
    for call in &mut calls {
        tell_tags(call, part).await?;
    }
    let denied = {
        let mut state = lock(state);
        let denied = calls
            .iter()
            .find(|call| !state.policies.iter().any(|policy| policy.allows(call)));
        match denied {
            Some(call) => {
                let keys: Vec<_> = call
                    .context
                    .iter()
                    .map(|(_, value)| value.as_str())
                    .collect();
                let what = format!("{} on {} {}", call.action, call.resource, keys.join(" "));
                state.denied.push(what);
            }
            None => state
                .allowed
                .extend(calls.iter().map(|call| call.action.clone())),
        }
        denied
    };
    match denied {
        Some(call) => Ok(asked.refusal(call)),
        None => forward(head, body, part).await,
    }
}

/// Whom a request asks, and by which protocol.
enum Asked {
    /// DynamoDB, ECS, Certificate Manager, Secrets Manager, Service Quotas, CloudWatch Logs or Application Auto Scaling: JSON, and the operation in a header.
    Json { service: String, operation: String },
    /// Elastic Load Balancing, CloudWatch, EC2, EC2 Auto Scaling or IAM: a form.
    Form,
    /// S3 or Route 53.
    Rest,
    /// Who one is may be asked by everybody.
    Oneself,
}

fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether this service is meant; of forms nothing else tells.
fn is_signed_for(head: &Parts, service: &str) -> bool {
    header(head, "authorization")
        .is_some_and(|signed| signed.contains(&format!("/{service}/aws4_request")))
}

impl Asked {
    fn of(head: &Parts, body: &[u8]) -> Self {
        match header(head, "x-amz-target").and_then(|target| target.split_once('.')) {
            Some((service, operation)) => Self::Json {
                service: service.to_owned(),
                operation: operation.to_owned(),
            },
            None if body.starts_with(b"Action=GetCallerIdentity") => Self::Oneself,
            None if body.starts_with(b"Action=") => Self::Form,
            None => Self::Rest,
        }
    }

    fn calls(&self, head: &Parts, body: &[u8]) -> Vec<Call> {
        match self {
            Self::Json { service, operation } => {
                let body: Value = serde_json::from_slice(body).expect("JSON");
                match service.as_str() {
                    "AmazonEC2ContainerServiceV20141113" => ecs::ecs(operation, &body),
                    "AmazonEC2ContainerRegistry_V20150921" => ecs::ecr(operation, &body),
                    "CertificateManager" => ecs::acm(operation, &body),
                    "Logs_20140328" => ecs::logs(operation, &body),
                    "ServiceQuotasV20190624" => ecs::quotas(operation),
                    "secretsmanager" => ecs::secrets(operation, &body),
                    "TrentService" => ecs::kms(operation, &body),
                    "AnyScaleFrontendService" => ecs::scaling(operation, &body),
                    _ => call::dynamodb(operation, &body),
                }
            }
            Self::Form if is_signed_for(head, "monitoring") => {
                ecs::cloudwatch(&String::from_utf8_lossy(body))
            }
            Self::Form if is_signed_for(head, "ec2") => {
                machines::ec2(&String::from_utf8_lossy(body))
            }
            Self::Form if is_signed_for(head, "autoscaling") => {
                machines::autoscaling(&String::from_utf8_lossy(body))
            }
            Self::Form if is_signed_for(head, "iam") => ecs::iam(&String::from_utf8_lossy(body)),
            Self::Form => ecs::elb(&String::from_utf8_lossy(body)),
            Self::Rest if route53::is_asked(head.uri.path()) => route53::calls(
                head.method.as_str(),
                head.uri.path(),
                &String::from_utf8_lossy(body),
            ),
            Self::Rest => call::s3(
                head.method.as_str(),
                head.uri.path(),
                head.uri.query().unwrap_or_default(),
                header(head, "x-amz-copy-source"),
                &String::from_utf8_lossy(body),
            ),
            Self::Oneself => Vec::new(),
        }
    }

    /// As the service words it.
    fn refusal(&self, call: &Call) -> Response<Full<Bytes>> {
        let said = format!(
            "User: arn:aws:iam::000000000000:user/test is not authorized to perform: {} on resource: {} because no identity-based policy allows the {} action",
            call.action, call.resource, call.action
        );
        let (status, kind, body) = match self {
            Self::Json { service, .. } => {
                // Each has its own spelling.
                let (code, field) = match service.starts_with("DynamoDB") {
                    true => ("com.amazon.coral.service#AccessDeniedException", "Message"),
                    false => ("AccessDeniedException", "message"),
                };
                let body = serde_json::json!({ "__type": code, field: said });
                let kind = "application/x-amz-json-1.0";
                (StatusCode::BAD_REQUEST, kind, body.to_string())
            }
            Self::Form => {
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{said}</Message></Error><RequestId>GATE4REQUEST</RequestId></ErrorResponse>"
                );
                (StatusCode::FORBIDDEN, "text/xml", body)
            }
            Self::Rest | Self::Oneself => {
                let body =
                    format!("<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>");
                (StatusCode::FORBIDDEN, "application/xml", body)
            }
        };
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(kind));
        headers.insert("x-amzn-requestid", HeaderValue::from_static("GATE4REQUEST"));
        headers.insert("x-amz-request-id", HeaderValue::from_static("GATE4REQUEST"));
        answer
    }
}

/// Adds the tags of what a call changes or deletes, which policies may go by.
async fn tell_tags(call: &mut Call, part: SocketAddr) -> Result<(), Failure> {
    let (service, verb) = call.action.split_once(':').unwrap_or_default();
    if service == "application-autoscaling" {
        return tell_tags_of_target(call, part).await;
    }
    if !["Modify", "Update", "Delete"]
        .iter()
        .any(|start| verb.starts_with(start))
    {
        return Ok(());
    }
    let request = Request::post("/")
        .header("host", part.to_string())
        .header("authorization", authorization(service));
    let request = match service {
        "elasticloadbalancing" => {
            let arn = call.resource.replace(':', "%3A").replace('/', "%2F");
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!(
                    "Action=DescribeTags&Version=2015-12-01&ResourceArns.member.1={arn}"
                ))
        }
        "ecs" => request
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                "AmazonEC2ContainerServiceV20141113.ListTagsForResource",
            )
            .body(serde_json::json!({ "resourceArn": call.resource }).to_string()),
        "ec2" | "autoscaling" => {
            let name = call.resource.rsplit('/').next().unwrap_or_default();
            let asked = match service {
                "ec2" => format!(
                    "Action=DescribeLaunchTemplates&Version=2016-11-15&LaunchTemplateName.1={name}"
                ),
                _ => format!(
                    "Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupNames.member.1={name}"
                ),
            };
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(asked)
        }
        _ => return Ok(()),
    };
    let (head, body) = request?.into_parts();
    let answer = forward(head, Bytes::from(body), part).await?;
    let told = answer.into_body().collect().await?.to_bytes();
    let told = String::from_utf8_lossy(&told);
    let tags = match serde_json::from_str::<Value>(&told) {
        Ok(told) => {
            let tags = told["tags"].as_array().into_iter().flatten();
            tags.map(|tag| {
                (
                    call::text(&tag["key"]).to_owned(),
                    call::text(&tag["value"]).to_owned(),
                )
            })
            .collect::<Vec<_>>()
        }
        Err(_) => {
            let between = |open: &str, close: &str| -> Vec<String> {
                let parts = told.split(open).skip(1);
                parts
                    .filter_map(|rest| Some(rest.split_once(close)?.0.to_owned()))
                    .collect()
            };
            // EC2 spells them so.
            let (mut keys, mut values) =
                (between("<key>", "</key>"), between("<value>", "</value>"));
            keys.extend(between("<Key>", "</Key>"));
            values.extend(between("<Value>", "</Value>"));
            keys.into_iter().zip(values).collect()
        }
    };
    let tags = tags
        .into_iter()
        .map(|(key, value)| (format!("aws:ResourceTag/{key}"), value));
    call.context.extend(tags);
    Ok(())
}

/// The same for a service's scalable target, which is known by the service until it has an ARN.
async fn tell_tags_of_target(call: &mut Call, part: SocketAddr) -> Result<(), Failure> {
    let Some(resource) = call.resource.strip_prefix(ecs::SCALABLE) else {
        return Ok(());
    };
    let asked = serde_json::json!({ "ServiceNamespace": "ecs", "ResourceIds": [resource] });
    let told = scaling(part, "DescribeScalableTargets", &asked).await?;
    let Some(arn) = told["ScalableTargets"][0]["ScalableTargetARN"].as_str() else {
        return Ok(());
    };
    let asked = serde_json::json!({ "ResourceARN": arn });
    let told = scaling(part, "ListTagsForResource", &asked).await?;
    let tags = told["Tags"].as_object().into_iter().flatten();
    let tags = tags.map(|(key, value)| {
        let key = format!("aws:ResourceTag/{key}");
        (key, call::text(value).to_owned())
    });
    call.context.extend(tags);
    Ok(())
}

async fn scaling(part: SocketAddr, operation: &str, asked: &Value) -> Result<Value, Failure> {
    let request = Request::post("/")
        .header("host", part.to_string())
        .header("authorization", authorization("application-autoscaling"))
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "x-amz-target",
            format!("AnyScaleFrontendService.{operation}"),
        )
        .body(asked.to_string())?;
    let (head, body) = request.into_parts();
    let answer = forward(head, Bytes::from(body), part).await?;
    let told = answer.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&told)?)
}

async fn forward(
    head: Parts,
    body: Bytes,
    part: SocketAddr,
) -> Result<Response<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(part).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender
        .send_request(Request::from_parts(head, Full::new(body)))
        .await?;
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(
        head,
        Full::new(body.collect().await?.to_bytes()),
    ))
}
