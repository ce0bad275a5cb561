//! Many updates of an endpoint on ECS, one after the other: back and forth, and under load.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::ecs_world::{EcsWorld, server_image};
use mlops_acceptance::load::Load;
use mlops_acceptance::stack::{ENDPOINT, who_answers};
use mlops_acceptance::{Workspace, skip};

/// So many updates back and forth.
const UPDATES: usize = 50;
/// So many requests meet the updates of each strategy.
const REQUESTS: usize = 10_000;

struct World {
    ecs: EcsWorld,
    /// The model server's.
    image: String,
}

impl World {
    fn workspace(&self) -> Workspace {
        let work = self.ecs.workspace(&server_image(&self.image));
        work.copy_model("digits-v1", "1.onnx");
        work.copy_model("digits-v2", "2.onnx");
        work
    }

    /// An endpoint that serves one of two versions, which are both there.
    fn serving(&self, version: usize, rollout: &str) -> String {
        let blocks = self.ecs.blocks(&self.ecs.own_listener());
        format!(
            r#"
resource "mlops_model" "digits" {{
  name = "digits"
}}
resource "mlops_model_version" "first" {{
  model  = mlops_model.digits.name
  source = "1.onnx"
}}
resource "mlops_model_version" "second" {{
  model      = mlops_model.digits.name
  source     = "2.onnx"
  depends_on = [mlops_model_version.first]
}}
resource "mlops_endpoint" "digits" {{
  name          = "digits"
  drain_seconds = 1
  variants = {{
    main = {{
      model         = mlops_model.digits.name
      model_version = {version}
      traffic       = 100
    }}
  }}
  {blocks}
  rollout {{
    {rollout}
    terminate_after = "1s"
  }}
  depends_on = [mlops_model_version.second]
}}
"#
        )
    }
}

/// Of two versions the other one.
fn other(version: usize) -> usize {
    3 - version
}

/// PAINS: hashicorp/terraform-provider-aws#45678.
#[test]
#[ignore = "long: fifty updates take minutes"]
fn an_endpoint_goes_back_and_forth_as_often_as_it_is_told_to() {
    let name = "an_endpoint_goes_back_and_forth_as_often_as_it_is_told_to";
    let world = match EcsWorld::on_paper() {
        Ok(ecs) => {
            let image = ecs.paper_image("mlops");
            World { ecs, image }
        }
        Err(reason) => return skip(name, &reason),
    };
    let before = world.ecs.everything();
    let mut work = world.workspace();
    let rollout = "strategy = \"ALL_AT_ONCE\"";
    let mut version = 1;
    work.config(&world.serving(version, rollout));
    work.apply();
    let one = world.ecs.everything().len();
    for update in 1..=UPDATES {
        version = other(version);
        work.config(&world.serving(version, rollout));
        // An apply here ends with a plan, which has to be empty.
        assert_eq!(work.apply().actions(ENDPOINT), ["update"], "{update}");
        let target = work.state();
        let target = target.object(ENDPOINT).number("/target_versions/main");
        assert_eq!(usize::try_from(target), Ok(version), "{update}");
        let there = world.ecs.everything();
        assert_eq!(there.len(), one, "{update}: {there:?}");
    }
    work.destroy();
    assert_eq!(world.ecs.everything(), before);
    println!(
        "{UPDATES} updates back and forth: each deployed, each plan after it empty, nothing left"
    );
}

#[test]
#[ignore = "long: ten thousand requests for each strategy"]
fn no_strategy_loses_one_of_ten_thousand_requests() {
    let name = "no_strategy_loses_one_of_ten_thousand_requests";
    let world = match EcsWorld::start() {
        Ok(ecs) => {
            let image = ecs.server();
            World { ecs, image }
        }
        Err(reason) => return skip(name, &reason),
    };
    let mut work = world.workspace();
    let mut version = 1;
    work.config(&world.serving(version, "strategy = \"ALL_AT_ONCE\""));
    work.apply();
    let url = work.invoke_url(ENDPOINT);
    let shifted = "steps = [{ traffic = 10, bake = \"2s\" }, { traffic = 50, bake = \"2s\" }, { traffic = 100 }]";
    for rollout in [
        "strategy = \"ROLLING\"".to_owned(),
        "strategy = \"BLUE_GREEN\"".to_owned(),
        format!("strategy = \"CANARY\"\n    {shifted}"),
    ] {
        let pause = Duration::from_millis(5);
        let load = Load::start(&url, "digits", 2, pause, Digits::committed());
        let mut updates = 0;
        while load.asked() < REQUESTS {
            version = other(version);
            work.config(&world.serving(version, &rollout));
            assert_eq!(work.apply().actions(ENDPOINT), ["update"], "{rollout}");
            updates += 1;
        }
        let outcomes = load.stop();
        let failed: Vec<_> = outcomes.iter().filter(|o| o.status != 200).collect();
        let asked = outcomes.len();
        println!(
            "{rollout}: {} failed of {asked} in {updates} updates",
            failed.len()
        );
        assert!(failed.is_empty(), "{} of {asked}: {failed:?}", failed.len());
        let serves = u64::try_from(version).expect("one or two");
        assert_eq!(who_answers(&url, 20), BTreeMap::from([(serves, 20)]));
    }
    work.destroy();
    assert_eq!(world.ecs.everything(), Vec::<String>::new());
}
