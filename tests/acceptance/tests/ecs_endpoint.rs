//! An endpoint on ECS from create to destroy, with real containers: predictions are asked of it the whole time.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::ecs_world::{EcsWorld, server_image};
use mlops_acceptance::http::Client;
use mlops_acceptance::load::{Load, Outcome};
use mlops_acceptance::part::registry;
use mlops_acceptance::stack::{ENDPOINT, who_answers};
use mlops_acceptance::workspace::free_port;
use mlops_acceptance::{Workspace, skip, wait};

/// A configuration whose endpoint runs in this world.
struct OnEcs {
    world: EcsWorld,
    image: String,
    ingress: String,
    rollout: String,
    version: String,
}

impl OnEcs {
    /// The world with a registry and the model server's image in it, or nothing where containers cannot run.
    fn start(test: &str) -> Option<Self> {
        match EcsWorld::start() {
            Ok(world) => {
                let image = world.server();
                let ingress = world.own_listener();
                Some(Self {
                    world,
                    image,
                    ingress,
                    rollout: String::new(),
                    version: String::new(),
                })
            }
            Err(reason) => {
                skip(test, &reason);
                None
            }
        }
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!(self.world.everything(), Vec::<String>::new());
    }

    /// Asks about the endpoint through a data source, an import, and the command line.
    #[track_caller]
    fn seen_from_elsewhere(&self, work: &Workspace) {
        let mut reader = self.outsider();
        reader.config(
            "data \"mlops_endpoint_status\" \"it\" {\n  name = \"digits\"\n  cluster = \"models\"\n}\n\
             output \"it\" {\n  value = data.mlops_endpoint_status.it\n}\n",
        );
        reader.apply();
        let status = reader.state().output("it").clone();
        assert_eq!(status["healthy"], true, "{status}");
        let revisions = status["revisions"].as_object().expect("revisions");
        assert_eq!(revisions.len(), 1, "{status}");

        let mut importer = self.workspace("digits-v2");
        importer.import(ENDPOINT, "ecs/models/digits");
        let (ours, theirs) = (work.state(), importer.state());
        // What nobody configured stays unsaid, as the defaults of ECS are.
        let unsaid = theirs.object(ENDPOINT);
        for attribute in [
            "/variants/main/startup_timeout_seconds",
            "/variants/main/cpu",
        ] {
            assert!(unsaid.get(attribute).is_null(), "{attribute}: {unsaid:?}");
        }
        for attribute in ["/id", "/invoke_url", "/arn"] {
            assert_eq!(
                ours.object(ENDPOINT).text(attribute),
                theirs.object(ENDPOINT).text(attribute)
            );
        }

        for (name, value) in self.world.environment() {
            reader.env(name, &value);
        }
        let asked = ["endpoint", "status", "ecs/models/digits", "--json"];
        let ended = reader.mlops(asked.iter().chain(&registry::OPTIONS));
        assert!(
            ended.output.contains(r#""status":"serving""#),
            "{}",
            ended.story()
        );
    }

    fn load(url: &str) -> Load {
        Load::start(
            url,
            "digits",
            2,
            Duration::from_millis(5),
            Digits::committed(),
        )
    }

    /// A workspace on this world's registry, without a configuration.
    fn outsider(&self) -> Workspace {
        self.world.workspace(&server_image(&self.image))
    }

    fn workspace(&self, model: &str) -> Workspace {
        let mut work = self.outsider();
        work.copy_model(model, "model.onnx");
        self.configure(&mut work);
        work
    }

    fn configure(&self, work: &mut Workspace) {
        let Self {
            rollout, version, ..
        } = self;
        let blocks = self.world.blocks(&self.ingress);
        work.config(&format!(
            r#"
resource "mlops_model" "digits" {{
  name = "digits"
}}
resource "mlops_model_version" "digits" {{
  model  = mlops_model.digits.name
  source = "model.onnx"
  {version}
  lifecycle {{
    create_before_destroy = true
  }}
}}
resource "mlops_endpoint" "digits" {{
  name          = "digits"
  drain_seconds = 1
  variants = {{
    main = {{
      model         = mlops_model.digits.name
      model_version = mlops_model_version.digits.version
      traffic       = 100
    }}
  }}
  {blocks}
  {rollout}
}}
"#
        ));
    }
}

#[track_caller]
fn expect_none_failed(outcomes: &[Outcome]) {
    let failed: Vec<_> = outcomes.iter().filter(|o| o.status != 200).collect();
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:?}",
        failed.len(),
        outcomes.len()
    );
    assert!(outcomes.len() > 100, "only {} requests", outcomes.len());
}

/// PAINS: hashicorp/terraform-provider-aws#43905, NHSDigital/manage-vaccinations-in-schools#3215. A plan after weights have moved is empty.
#[test]
fn an_endpoint_on_ecs_is_created_shifted_rolled_back_and_destroyed_without_losing_a_request() {
    let name =
        "an_endpoint_on_ecs_is_created_shifted_rolled_back_and_destroyed_without_losing_a_request";
    let Some(mut ecs) = OnEcs::start(name) else {
        return;
    };
    ecs.rollout = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 20, bake = \"3s\" }, { traffic = 100 }]\n    \
                   terminate_after = \"1s\"\n  }"
        .to_owned();

    let mut work = ecs.workspace("digits-v1");
    work.apply();
    let url = work.invoke_url(ENDPOINT);
    assert_eq!(
        work.state().object(ENDPOINT).text("/id"),
        "ecs/models/digits"
    );
    assert_eq!(who_answers(&url, 20), BTreeMap::from([(1, 20)]));

    // A better version takes over under load.
    let load = OnEcs::load(&url);
    work.copy_model("digits-v2", "model.onnx");
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    expect_none_failed(&load.stop());
    assert_eq!(who_answers(&url, 20), BTreeMap::from([(2, 20)]));
    assert_eq!(
        work.state()
            .object(ENDPOINT)
            .number("/target_versions/main"),
        2
    );

    // A version that does not answer as it should is an error of the apply, and the old one goes on.
    let load = OnEcs::load(&url);
    ecs.version = format!(
        "smoke = {{\n    inputs = jsonencode({})\n    expect = jsonencode([\"no digit\"])\n  }}",
        String::from_utf8_lossy(&Digits::committed().request(0).body)
    );
    ecs.configure(&mut work);
    let failed = work.apply_fails(&[
        "was rolled back",
        "ended with status 80",
        "failed its golden request",
    ]);
    assert!(
        !failed.story().contains("hush-hush-hush"),
        "{}",
        failed.story()
    );
    expect_none_failed(&load.stop());
    assert_eq!(who_answers(&url, 20), BTreeMap::from([(2, 20)]));
    ecs.seen_from_elsewhere(&work);
    assert_eq!(
        work.state()
            .object(ENDPOINT)
            .number("/target_versions/main"),
        2
    );

    work.destroy();
    ecs.nothing_is_left();
}

#[test]
fn a_create_on_ecs_that_was_killed_is_taken_over_by_the_next_apply() {
    let name = "a_create_on_ecs_that_was_killed_is_taken_over_by_the_next_apply";
    let Some(ecs) = OnEcs::start(name) else {
        return;
    };
    let mut work = ecs.workspace("digits-v1");
    work.init();
    let mut running = work.start_apply();
    wait::until("a service", Duration::from_secs(120), || {
        let everything = ecs.world.everything();
        everything.iter().any(|thing| thing.starts_with("service"))
    });
    running.kill();
    work.mend_torn_state(false);
    // The dead apply's lease lasts as long as its last heartbeat.
    wait::until("the lease to end", Duration::from_secs(120), || {
        let ended = work.try_apply();
        let held = "Somebody else is deploying this endpoint";
        assert!(
            ended.status.success() || ended.story().contains(held),
            "{}",
            ended.story()
        );
        ended.status.success()
    });
    let url = work.invoke_url(ENDPOINT);
    assert_eq!(who_answers(&url, 5).values().sum::<usize>(), 5);
    let services = ecs.world.everything();
    let services = services.iter().filter(|thing| thing.starts_with("service"));
    assert_eq!(services.count(), 1);
    work.destroy();
    ecs.nothing_is_left();
}

#[test]
fn an_endpoint_behind_a_rule_leaves_the_listener_to_others() {
    let name = "an_endpoint_behind_a_rule_leaves_the_listener_to_others";
    let Some(mut ecs) = OnEcs::start(name) else {
        return;
    };
    let port = free_port();
    let listener = ecs.world.listener(port);
    let before = ecs.world.everything();
    ecs.ingress = format!(
        "listener_arn = \"{listener}\"\n    path_patterns = [\"/v2/*\"]\n    priority_range = \"100-199\""
    );
    let mut work = ecs.workspace("digits-v1");
    work.apply();
    let url = work.invoke_url(ENDPOINT);
    assert_eq!(url, format!("http://{}:{port}", ecs.world.load_balancer));
    assert_eq!(who_answers(&url, 5), BTreeMap::from([(1, 5)]));
    let elsewhere = Client::new(&url).get("/").expect("an answer");
    assert_eq!(elsewhere.status, 404, "the listener's own answer");

    // Another front is another server: it is up before the first goes.
    ecs.ingress = ecs.ingress.replace("100-199", "200-299");
    ecs.configure(&mut work);
    let load = OnEcs::load(&url);
    work.apply();
    expect_none_failed(&load.stop());
    let rules: Vec<_> = ecs.world.everything();
    assert!(rules.contains(&"rule 200".to_owned()), "{rules:?}");
    assert!(!rules.contains(&"rule 100".to_owned()), "{rules:?}");

    work.destroy();
    assert_eq!(ecs.world.everything(), before);
}
