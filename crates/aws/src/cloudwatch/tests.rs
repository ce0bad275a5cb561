//! Alarms as ministack has them: real requests, which a proxy counts and refuses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use mlops_core::Class;
use mlops_core::clock::Clock;
use mlops_core::memory::ManualClock;
use mlops_core::target::AlarmState;
use uuid::Uuid;

use super::Alarms;
use crate::query::Form;
use crate::support::part;
use crate::support::proxy::{Fault, Proxy};
use crate::support::table;
use crate::{AwsClients, AwsSettings, Endpoints};

struct World {
    proxy: Proxy,
    direct: AwsClients,
    watched: AwsClients,
    clock: Arc<ManualClock>,
    own: String,
}

fn clients(url: &str) -> AwsClients {
    let settings = AwsSettings {
        endpoints: Endpoints {
            cloudwatch: Some(url.to_owned()),
            ..Endpoints::default()
        },
        ..table::settings(url)
    };
    AwsClients::with_patience(settings, table::patience()).expect("settings")
}

impl World {
    /// `None`, and the test is skipped, where there is no ministack.
    async fn new() -> Option<Self> {
        let part = part::ministack()?;
        let proxy = Proxy::before(&part.url).await;
        Some(Self {
            direct: clients(&part.url),
            watched: clients(&proxy.url),
            clock: Arc::default(),
            own: Uuid::new_v4().simple().to_string(),
            proxy,
        })
    }

    fn alarms(&self) -> Alarms {
        Alarms::new(self.watched.clone(), self.clock.clone())
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.own)
    }

    fn names(&self, names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| self.name(name)).collect()
    }

    async fn call(&self, operation: &'static str, form: Form) {
        let client = self.direct.cloudwatch().await.expect("a client");
        let done = client
            .ask(self.direct.retries(), operation, &form, "a test")
            .await;
        done.unwrap_or_else(|error| panic!("{operation}: {}", error.into_error()));
    }

    async fn make(&self, name: &str) {
        let form = Form::default()
            .with("AlarmName", self.name(name))
            .with("Namespace", "Tests")
            .with("MetricName", self.name(name))
            .with("Statistic", "Sum")
            .with("Period", "60")
            .with("EvaluationPeriods", "1")
            .with("Threshold", "1")
            .with("ComparisonOperator", "GreaterThanThreshold");
        self.call("PutMetricAlarm", form).await;
    }

    async fn compose(&self, name: &str, of: &str) {
        let form = Form::default()
            .with("AlarmName", self.name(name))
            .with("AlarmRule", format!("ALARM(\"{}\")", self.name(of)));
        self.call("PutCompositeAlarm", form).await;
    }

    async fn set(&self, name: &str, state: &str, reason: &str) {
        let form = Form::default()
            .with("AlarmName", self.name(name))
            .with("StateValue", state)
            .with("StateReason", reason);
        self.call("SetAlarmState", form).await;
    }
}

#[tokio::test]
async fn alarms_and_composite_alarms_are_told_by_one_call_with_state_and_reason() {
    let Some(world) = World::new().await else {
        return;
    };
    for name in ["quiet", "loud", "good"] {
        world.make(name).await;
    }
    world.compose("both", "loud").await;
    world.set("good", "OK", "it is").await;
    world.set("loud", "ALARM", "12 % of requests failed").await;
    let names = world.names(&["quiet", "loud", "good", "both", "missing"]);
    let told = world.alarms().look(&names).await.expect("told");
    let state = |name: &str| told.get(&world.name(name)).map(|alarm| alarm.state);
    assert_eq!(state("quiet"), Some(AlarmState::InsufficientData));
    assert_eq!(state("good"), Some(AlarmState::Ok));
    assert_eq!(state("loud"), Some(AlarmState::Alarm));
    assert_eq!(state("both"), Some(AlarmState::Alarm));
    assert_eq!(state("missing"), None);
    assert_eq!(told[&world.name("loud")].reason, "12 % of requests failed");
    assert_eq!(world.proxy.calls(), ["DescribeAlarms"]);
}

#[tokio::test]
async fn all_who_watch_share_a_reading_for_ten_seconds() {
    let Some(world) = World::new().await else {
        return;
    };
    for name in ["a", "b"] {
        world.make(name).await;
        world.set(name, "OK", "it is").await;
    }
    let alarms = world.alarms();
    let (first, second) = (world.names(&["a"]), world.names(&["b"]));
    alarms.look(&first).await.expect("told");
    // Somebody else's are not known yet.
    alarms.look(&second).await.expect("told");
    assert_eq!(world.proxy.calls().len(), 2);
    world.set("a", "ALARM", "now").await;
    let many = join_all((0..50).map(|_| alarms.look(&first))).await;
    assert!(many.iter().all(|told| {
        told.as_ref()
            .is_ok_and(|told| told[&world.name("a")].state == AlarmState::Ok)
    }));
    assert_eq!(
        world.proxy.calls().len(),
        2,
        "all were answered from what is known"
    );
    world.clock.sleep(Duration::from_secs(10)).await;
    let told = alarms.look(&second).await.expect("told");
    assert_eq!(told.len(), 1);
    let told = alarms.look(&first).await.expect("told");
    assert_eq!(told[&world.name("a")].state, AlarmState::Alarm);
    assert_eq!(world.proxy.calls().len(), 3, "one reading for both");
    // Nobody asks for the first any more.
    world.clock.sleep(Duration::from_secs(61)).await;
    alarms.look(&second).await.expect("told");
    let last = world.proxy.bodies().pop().expect("a call");
    assert!(
        last.contains(&world.name("b")) && !last.contains(&world.name("a")),
        "{last}"
    );
}

#[tokio::test]
async fn more_than_a_page_is_read_in_pages() {
    let Some(world) = World::new().await else {
        return;
    };
    let names: Vec<String> = (0..101).map(|number| format!("n{number:03}")).collect();
    join_all(names.iter().map(|name| world.make(name))).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let names = world.names(&names);
    let told = world.alarms().look(&names).await.expect("told");
    assert_eq!(told.into_keys().collect::<BTreeSet<_>>(), names);
    assert_eq!(world.proxy.calls().len(), 2);
}

#[tokio::test]
async fn a_reading_that_fails_for_a_while_is_tried_again_and_one_that_is_refused_is_not() {
    let Some(world) = World::new().await else {
        return;
    };
    world.make("a").await;
    let alarms = world.alarms();
    let names = world.names(&["a"]);
    for fault in [
        Fault::Refused("Throttling"),
        Fault::Internal,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Timeout,
    ] {
        world.proxy.reset();
        world.clock.sleep(Duration::from_secs(10)).await;
        world.proxy.fail_operation("DescribeAlarms", 2, fault);
        alarms
            .look(&names)
            .await
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(world.proxy.calls().len(), 3, "{fault:?}");
    }
    world.proxy.reset();
    world.clock.sleep(Duration::from_secs(10)).await;
    world.proxy.fail_always(Fault::Denied);
    for _ in 0..2 {
        let denied = alarms.look(&names).await.expect_err("denied");
        assert_eq!(denied.class(), Class::Denied);
        let told = denied.to_string();
        for part in [
            &format!(
                "CloudWatch DescribeAlarms on alarm {} failed with AccessDenied",
                world.name("a")
            ),
            "PROXY4REQUEST",
            "let the identity that runs this do cloudwatch:DescribeAlarms,",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }
    assert_eq!(world.proxy.calls().len(), 2, "asked once each time");
}
