//! Analyses by what the registry has of the versions, under a real Terraform: an evaluation records metrics over REST while the candidate bakes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mlops_acceptance::http::Client;
use mlops_acceptance::part::registry;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Part, Running, Stack, Workspace, process, skip, wait};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

/// An endpoint that is judged by the accuracy of its versions.
fn judged(analysis: &str, rollout: &str) -> Stack {
    Stack::rolling_out(&format!(
        r#"
  rollout {{
    strategy = "CANARY"
    steps    = [{{ traffic = 50, bake = "2s" }}, {{ traffic = 100 }}]
    analysis = {{
      quality = {{
        source = "registry"
        {analysis}
      }}
    }}
    {rollout}
  }}
"#
    ))
}

/// `mlops registry serve` on a workspace's registry.
struct Served {
    server: Running,
    client: Client,
}

impl Served {
    fn start(work: &Workspace) -> Self {
        let server = work.start_mlops(["registry", "serve", "--listen", "127.0.0.1:0"]);
        let url = wait::for_some("the registry is served", SOON, || {
            let said = server.so_far();
            let (_, url) = said.split_once("is served on ")?;
            let (url, _) = url.split_once('\n')?;
            Some(url.trim().to_owned())
        });
        let client = Client::new(&url);
        Self { server, client }
    }

    /// What an evaluation does: it tells what it measured of a version.
    fn record(&mut self, version: u64, accuracy: f64) {
        let body = json!({
            "name": "digits",
            "version": version.to_string(),
            "key": "mlops.metric.accuracy",
            "value": accuracy.to_string(),
        });
        let path = "/api/2.0/mlflow/model-versions/set-tag";
        let answer = self.client.post(path, body.to_string().as_bytes());
        let answer = answer.expect("the registry answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn stop(self) {
        process::terminate(self.server.pid());
        self.server.wait(SOON);
    }
}

/// Starts an update to `model` and waits until its candidate answers beside what served.
fn begun(stack: &Stack, work: &Workspace, model: &str) -> Running {
    work.copy_model(model, "model.onnx");
    let running = work.start_apply();
    wait::until("the candidate answers", SOON, || {
        stack.who_answers(20).len() == 2
    });
    running
}

fn version(work: &Workspace) -> serde_json::Value {
    let state = work.state();
    state.object(ENDPOINT).get("/target_versions/main").clone()
}

#[test]
fn what_an_evaluation_records_while_the_candidate_bakes_decides() {
    let stack = judged(
        "query     = \"accuracy\"\n        condition = \"result >= baseline\"\n        interval  = \"200ms\"",
        "",
    );
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut evaluation = Served::start(&work);
    evaluation.record(1, 0.9);
    // It is nobody's change of the version.
    work.expect_empty_plan();

    let mut running = begun(&stack, &work, "digits-v2");
    // Longer than its bake: nothing is known of version 2 yet.
    let baking = Instant::now();
    while baking.elapsed() < Duration::from_secs(4) {
        assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 10), (2, 10)]));
        assert!(running.runs(), "{}", running.so_far());
    }
    evaluation.record(2, 0.95);
    running.wait(SOON).succeeded();
    assert_eq!(version(&work), json!(2));
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    work.expect_empty_plan();

    let running = begun(&stack, &work, "digits-v3b");
    evaluation.record(3, 0.8512);
    // Exit code 1, and one error that has it all.
    running.wait(SOON).failed_with(&[
        "rolled back",
        "analysis \"quality\" failed in step 1: accuracy of revision main-v3-",
        "is 0.8512, and \"result >= baseline\" does not hold (the old revision's is 0.9500)",
        "\"query\":\"accuracy\"",
    ]);
    assert_eq!(version(&work), json!(2));
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    evaluation.stop();
    work.destroy();
}

#[test]
fn a_version_that_nobody_evaluates_does_not_pass_and_whoever_resumes_asks_again() {
    let stack = judged(
        "query     = \"accuracy\"\n        condition = \"result > 0.9\"\n        interval  = \"200ms\"\n        max_wait  = \"1s\"",
        "on_failure = \"pause\"",
    );
    let mut work = stack.workspace("digits-v1");
    work.apply();
    work.copy_model("digits-v2", "model.onnx");
    work.apply_fails(&[
        "paused",
        "could not judge step 1 in the 1s that rollout.analysis.quality.max_wait allows after its bake",
        "version digits/2 has no metric \"accuracy\" in the registry yet",
        "see rollout.analysis.quality.query",
    ]);
    assert_eq!(version(&work), json!(1));
    assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 10), (2, 10)]));

    let mut evaluation = Served::start(&work);
    evaluation.record(2, 0.95);
    evaluation.stop();
    work.mlops(["endpoint", "resume", "digits"]).succeeded();
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    work.apply();
    assert_eq!(version(&work), json!(2));
    work.destroy();
}

#[test]
fn what_the_registry_cannot_be_asked_is_an_error_of_the_plan() {
    let mut work = Stack::default().workspace("digits-v1");
    for (query, more, said) in [
        ("", "", &["is empty", "query"][..]),
        (" accuracy", "", &["leave out spaces around it", "query"]),
        (
            "accuracy_{{revision}}",
            "",
            &["nothing is put in for", "query"],
        ),
        (
            "accuracy",
            "address = \"https://rates.example.com\"",
            &[
                "The source \"registry\" has no address; leave it out",
                "address",
            ],
        ),
        (
            "accuracy",
            "bearer_token_env = \"TOKEN\"",
            &["The source \"registry\" has no bearer_token_env; leave it out"],
        ),
    ] {
        let analysis =
            format!("query = {query:?}\n        condition = \"result > 0.9\"\n        {more}");
        judged(&analysis, "").configure(&mut work);
        work.plan_fails(said);
    }
    assert!(!work.registry().exists(), "a refused plan writes nothing");
}

#[test]
fn an_image_of_ones_own_has_no_version_to_go_by() {
    let name = "an_image_of_ones_own_has_no_version_to_go_by";
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(why) => return skip(name, &why),
    };
    part.make_registry();
    // Nothing of what it names is there.
    let mut work = registry::workspace(&part.url, "preflight { mode = \"off\" }");
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:000000000000:{rest}");
    let rollout = judged(
        "query = \"accuracy\"\n        condition = \"result > 0.9\"",
        "",
    );
    work.config(&format!(
        r#"
resource "mlops_endpoint" "digits" {{
  name     = "digits"
  variants = {{ main = {{ traffic = 100, image = "example.com/own@sha256:{digest}" }} }}
  ecs {{
    cluster_arn        = "{cluster}"
    execution_role_arn = "{role}"
    task_role_arn      = "{role}"
  }}
  network {{ subnets = ["subnet-1"] }}
  ingress {{ load_balancer_arn = "{balancer}" }}
  {rollout}
}}
"#,
        digest = "b".repeat(64),
        cluster = arn("ecs:eu-west-1", "cluster/prod"),
        role = "arn:aws:iam::000000000000:role/own",
        balancer = arn(
            "elasticloadbalancing:eu-west-1",
            "loadbalancer/app/main/50dc6c495c0c9188"
        ),
        rollout = rollout.endpoint,
    ));
    work.plan_fails(&[
        "variant main runs an image of your own, of which the registry has no version and no metric",
        "rollout.analysis",
        "source",
    ]);
}
