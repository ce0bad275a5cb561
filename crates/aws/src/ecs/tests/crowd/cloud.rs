//! AWS in memory, as far as endpoints that wait ask for it: every call is counted, and takes its time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use mlops_core::clock::Clock as _;
use serde_json::{Value, json};

use super::time::Simulated;

/// How long a call takes.
pub(super) const LATENCY: Duration = Duration::from_millis(50);

/// A call that was made.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) at: Duration,
    pub(super) operation: String,
    /// What it named.
    pub(super) about: Vec<String>,
}

/// A listener, and the target groups that it divides requests among.
#[derive(Default)]
pub(super) struct Listener {
    pub(super) groups: Vec<(String, u32)>,
}

/// What a service and its targets are at.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) family: String,
    pub(super) running: u32,
    pub(super) pending: u32,
    pub(super) healthy: u32,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) listeners: BTreeMap<String, Listener>,
    pub(super) tags: BTreeMap<String, BTreeMap<String, String>>,
    /// By name.
    pub(super) services: BTreeMap<String, Service>,
    /// The service behind each target group.
    pub(super) behind: BTreeMap<String, String>,
    pub(super) made: Vec<Made>,
    /// Between these times every call is refused, because there are too many.
    pub(super) throttled: Option<(Duration, Duration)>,
}

/// All of it. Clones are the same.
#[derive(Clone)]
pub(super) struct Cloud {
    clock: Arc<Simulated>,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cloud")
    }
}

impl Cloud {
    pub(super) fn new(clock: Arc<Simulated>) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call that somebody else answers.
    pub(super) fn note(&self, operation: &str) {
        let at = self.clock.elapsed();
        self.state().note(at, operation.to_owned(), Vec::new());
    }

    fn answer(&self, request: &HttpRequest) -> (u16, String) {
        let body = request.body().bytes().unwrap_or_default();
        let body = String::from_utf8_lossy(body).into_owned();
        let mut state = self.state();
        let at = self.clock.elapsed();
        let is_throttled = state
            .throttled
            .is_some_and(|(from, to)| (from..to).contains(&at));
        if let Some(target) = request.headers().get("x-amz-target") {
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let asked: Value = serde_json::from_str(&body).expect("JSON");
            let about = asked["services"].as_array().cloned().unwrap_or_default();
            let about: Vec<String> = about
                .iter()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect();
            let answered = match is_throttled {
                true => {
                    let code = json!({ "__type": "ThrottlingException", "message": "no" });
                    (400, code.to_string())
                }
                false => state.json(&operation, &about),
            };
            state.note(at, operation, about);
            return answered;
        }
        let fields: Vec<(&str, &str)> = body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let operation = fields
            .iter()
            .find(|(name, _)| *name == "Action")
            .expect("an action");
        let operation = operation.1.to_owned();
        let about: Vec<String> = fields
            .iter()
            .filter(|(name, _)| name.contains("Arn"))
            .map(|(_, value)| (*value).to_owned())
            .collect();
        let weights = fields.iter().filter(|(name, _)| name.ends_with(".Weight"));
        let weights: Vec<u32> = weights
            .filter_map(|(_, weight)| weight.parse().ok())
            .collect();
        let answered = match is_throttled {
            true => refused("Throttling"),
            false => state.query(&operation, &about, &weights),
        };
        state.note(at, operation, about);
        answered
    }
}

impl State {
    fn note(&mut self, at: Duration, operation: String, about: Vec<String>) {
        self.made.push(Made {
            at,
            operation,
            about,
        });
    }

    /// ECS.
    fn json(&self, operation: &str, about: &[String]) -> (u16, String) {
        let answer = match operation {
            "DescribeServices" => {
                let services = about.iter().filter_map(|name| self.service(name));
                json!({ "services": services.collect::<Vec<_>>(), "failures": [] })
            }
            "ListTasks" => json!({ "taskArns": [] }),
            other => panic!("nobody plays {other}"),
        };
        (200, answer.to_string())
    }

    fn service(&self, name: &str) -> Option<Value> {
        let service = self.services.get(name)?;
        let tags = self.tags.get(name)?.iter();
        let tags: Vec<Value> = tags
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        Some(json!({
            "serviceName": name, "status": "ACTIVE", "desiredCount": 1,
            "runningCount": service.running, "pendingCount": service.pending,
            "taskDefinition": format!("arn:aws:ecs:eu-west-1:1:task-definition/{}:1", service.family),
            "deployments": [{ "id": "one", "status": "PRIMARY" }], "events": [], "tags": tags,
        }))
    }

    /// Elastic Load Balancing.
    fn query(&mut self, operation: &str, about: &[String], weights: &[u32]) -> (u16, String) {
        let result = match operation {
            "DescribeListeners" => {
                let mut told = String::new();
                for arn in about {
                    let Some(listener) = self.listeners.get(arn) else {
                        return refused("ListenerNotFound");
                    };
                    told.push_str(&listener.told(arn));
                }
                format!("<Listeners>{told}</Listeners>")
            }
            "DescribeTags" => {
                let told: String = about.iter().map(|arn| self.told_tags(arn)).collect();
                format!("<TagDescriptions>{told}</TagDescriptions>")
            }
            "DescribeTargetHealth" => {
                let service = self.behind.get(&about[0]);
                let healthy = service.and_then(|name| self.services.get(name));
                let target = "<member><TargetHealth><State>healthy</State></TargetHealth></member>";
                let told = target.repeat(healthy.map_or(0, |service| service.healthy) as usize);
                format!("<TargetHealthDescriptions>{told}</TargetHealthDescriptions>")
            }
            "ModifyListener" => {
                let (arn, groups) = about.split_first().expect("a listener");
                let listener = self.listeners.get_mut(arn).expect("it is there");
                let weights = weights.iter().copied();
                listener.groups = groups.iter().cloned().zip(weights).collect();
                "<Listeners/>".to_owned()
            }
            other => panic!("nobody plays {other}"),
        };
        let text = format!(
            "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
        );
        (200, text)
    }

    fn told_tags(&self, arn: &str) -> String {
        let tags = self.tags.get(arn).cloned().unwrap_or_default();
        let pair = |(key, value): (&String, &String)| {
            format!("<member><Key>{key}</Key><Value>{value}</Value></member>")
        };
        let tags: String = tags.iter().map(pair).collect();
        format!("<member><ResourceArn>{arn}</ResourceArn><Tags>{tags}</Tags></member>")
    }
}

impl Listener {
    fn told(&self, arn: &str) -> String {
        let group = |(arn, weight): &(String, u32)| {
            format!(
                "<member><TargetGroupArn>{arn}</TargetGroupArn><Weight>{weight}</Weight></member>"
            )
        };
        let groups: String = self.groups.iter().map(group).collect();
        format!(
            "<member><ListenerArn>{arn}</ListenerArn><Port>20000</Port><DefaultActions><member><Type>forward</Type>\
             <ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig></member></DefaultActions></member>"
        )
    }
}

fn refused(code: &str) -> (u16, String) {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    );
    (400, text)
}

impl HttpConnector for Cloud {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let cloud = self.clone();
        HttpConnectorFuture::new(async move {
            cloud.clock.sleep(LATENCY).await;
            let (status, body) = cloud.answer(&request);
            let status = status.try_into().expect("a status");
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        })
    }
}

impl HttpClient for Cloud {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
