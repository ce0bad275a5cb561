//! What CloudWatch says of a revision: of its target group alone, and of whole minutes.

use jiff::{SignedDuration, Timestamp};
use mlops_core::Class;
use mlops_core::rollout::Answer;
use mlops_core::rollout::query::ServerQuery;
use mlops_core::target::{RevisionName, Server, Target as _};

use super::super::handle::Handle;
use super::endpoint::{Doing, Endpoint};
use super::variant;
use crate::AwsClients;
use crate::query::Form;

/// What a load balancer counts of a target group, at a moment.
struct Counted<'a> {
    clients: &'a AwsClients,
    dimensions: [(&'static str, String); 2],
}

impl Counted<'_> {
    /// So many times each of these values.
    async fn put(&self, metric: &str, at: Timestamp, values: &[(f64, f64)]) {
        // Without a fraction, which ministack does not read.
        let at = Timestamp::from_second(at.as_second()).expect("a time");
        let of = |field: &str| format!("MetricData.member.1.{field}");
        let form = Form::default()
            .with("Namespace", "AWS/ApplicationELB")
            .with(of("MetricName"), metric)
            .with(of("Timestamp"), at.to_string())
            .with_list(
                &of("Values"),
                values.iter().map(|(value, _)| value.to_string()),
            )
            .with_list(
                &of("Counts"),
                values.iter().map(|(_, count)| count.to_string()),
            );
        let numbered = (1..).zip(&self.dimensions);
        let form = numbered.fold(form, |form, (number, (name, value))| {
            form.with(of(&format!("Dimensions.member.{number}.Name")), *name)
                .with(of(&format!("Dimensions.member.{number}.Value")), value)
        });
        let client = self.clients.cloudwatch().await.expect("a client");
        let put = client.ask(self.clients.retries(), "PutMetricData", &form, metric);
        put.await.expect("stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_is_measured_by_what_cloudwatch_knows_of_its_target_group() {
    let Some(world) = Endpoint::on_paper().await else {
        return;
    };
    world.done(Doing::Create).await.expect("created");
    let record = world.record().await.expect("a record");
    let revision = record.running[&variant("main")].name.clone();
    let target = world.target();
    let handle: Handle = record.server.handle().expect("ours");
    let attached = target.account.attached(&handle).await.expect("it is there");
    let (_, group) = attached[0]
        .group_arn
        .split_once(":targetgroup/")
        .expect("an ARN");
    let (_, balancer) = (handle.front.load_balancer_arn)
        .split_once(":loadbalancer/")
        .expect("an ARN");
    let counted = |group: String| Counted {
        clients: &world.direct,
        dimensions: [
            ("TargetGroup", group),
            ("LoadBalancer", balancer.to_owned()),
        ],
    };
    let now = Timestamp::now();
    let ago = |seconds: i64| now - SignedDuration::from_secs(seconds);
    let ask = async |query| {
        let asked = target.measure(&record.server, &revision, query, ago(600), now);
        asked.await.expect("it answers")
    };
    target.can_measure().await.expect("it may be asked");
    for query in ServerQuery::ALL {
        let answer = ask(query).await;
        assert!(matches!(answer, Answer::Nothing(_)), "{query}: {answer:?}");
    }

    let (ours, others) = (
        counted(format!("targetgroup/{group}")),
        counted("targetgroup/other/0123456789abcdef".to_owned()),
    );
    for at in [ago(300), ago(240)] {
        ours.put("RequestCount", at, &[(1.0, 50.0)]).await;
        ours.put("TargetResponseTime", at, &[(0.1, 45.0), (1.0, 5.0)])
            .await;
        others.put("RequestCount", at, &[(1.0, 50.0)]).await;
        others
            .put("HTTPCode_Target_5XX_Count", at, &[(1.0, 50.0)])
            .await;
    }
    // Before the shift.
    ours.put("HTTPCode_Target_5XX_Count", ago(3600), &[(1.0, 50.0)])
        .await;
    assert_eq!(ask(ServerQuery::ErrorRate).await, Answer::Number(0.0));
    ours.put("HTTPCode_Target_5XX_Count", ago(300), &[(1.0, 15.0)])
        .await;
    ours.put("TargetConnectionErrorCount", ago(240), &[(1.0, 5.0)])
        .await;
    assert_eq!(ask(ServerQuery::ErrorRate).await, Answer::Number(0.2));
    assert_eq!(ask(ServerQuery::LatencyP50).await, Answer::Number(0.1));
    let mean = ask(ServerQuery::LatencyMean)
        .await
        .number()
        .expect("a number");
    assert!((mean - 0.19).abs() < 1e-9, "{mean}");
    assert_eq!(ask(ServerQuery::LatencyP99).await, Answer::Number(1.0));

    // A minute of which half is before the shift, and one that is not over.
    let since = ago(20);
    let soon = target.measure(
        &record.server,
        &revision,
        ServerQuery::ErrorRate,
        since,
        now,
    );
    assert!(matches!(
        soon.await.expect("it answers"),
        Answer::Nothing(_)
    ));
    missing(&target, &record.server, ago(600), now).await;
    world.done(Doing::Delete).await.expect("deleted");
}

async fn missing(
    target: &super::super::EcsTarget,
    server: &Server,
    since: Timestamp,
    now: Timestamp,
) {
    let name: RevisionName = serde_json::from_value("main-v9-00000000.1".into()).expect("a name");
    let asked = target.measure(server, &name, ServerQuery::ErrorRate, since, now);
    assert_eq!(
        asked.await.expect_err("it is not there").class(),
        Class::NotFound
    );
}
