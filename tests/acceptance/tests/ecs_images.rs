//! An endpoint on ECS that runs images in place of model versions, with real containers.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::http::Client;
use mlops_acceptance::load::{Load, Outcome};
use mlops_acceptance::part::registry;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, skip};
use serde_json::json;

/// A configuration whose endpoint runs images in this world. No model and no `server_image` is in it.
struct Images {
    world: EcsWorld,
    work: Workspace,
}

impl Images {
    fn start() -> Result<Self, String> {
        let world = EcsWorld::start()?;
        let work = world.workspace("");
        Ok(Self { world, work })
    }

    /// An image of the fixture that is started with these variables.
    fn image(&self, name: &str, variables: &[&str]) -> String {
        let command = format!("--command={}", json!(variables));
        self.world.image(name, "fixture", &[&command])
    }

    /// Configures the one variant.
    fn configure(&mut self, variant: &str) {
        let blocks = self.blocks(variant);
        self.work.config(&blocks);
    }

    fn blocks(&self, variant: &str) -> String {
        let rollout = r#"rollout {
    strategy        = "CANARY"
    steps           = [{ traffic = 20, bake = "2s" }, { traffic = 100 }]
    terminate_after = "0s"
  }"#;
        let endpoint = self.world.endpoint("digits", variant, rollout);
        format!(
            "{endpoint}output \"target_versions\" {{\n  value = mlops_endpoint.digits.target_versions\n}}\n"
        )
    }

    #[track_caller]
    fn answers(&self, path: &str, expected: &str) {
        let mut client = Client::new(&self.work.invoke_url(ENDPOINT));
        for _ in 0..10 {
            let answer = client.get(path).expect("an answer");
            assert_eq!((answer.status, answer.text().as_str()), (200, expected));
        }
    }

    fn load(&self) -> Load {
        let pause = Duration::from_millis(5);
        Load::start(
            &self.work.invoke_url(ENDPOINT),
            "digits",
            2,
            pause,
            Digits::committed(),
        )
    }

    /// Data sources, an import and the command line know the image, and no version.
    #[track_caller]
    fn seen_from_elsewhere(&self, image: &str) {
        let mut reader = self.world.workspace("");
        let asked = [
            "mlops_endpoint",
            "mlops_endpoint_status",
            "mlops_deployments",
        ]
        .map(|kind| {
            format!(
                "data \"{kind}\" \"it\" {{\n  name = \"digits\"\n  cluster = \"models\"\n}}\n\
                 output \"{kind}\" {{\n  value = data.{kind}.it\n}}\n"
            )
        });
        reader.config(&asked.concat());
        reader.apply();
        let seen = reader.state();
        let endpoint = seen.output("mlops_endpoint");
        assert_eq!(endpoint["images"], json!({"main": image}));
        assert_eq!(endpoint["target_versions"], json!({}));
        assert_eq!(endpoint["models"], json!({}));
        let status = seen.output("mlops_endpoint_status");
        assert_eq!(status["healthy"], true, "{status}");
        let told = &seen.output("mlops_deployments")["deployments"];
        assert_eq!(told[0]["outcome"], "rolled_back", "{told}");
        assert_ne!(told[0]["images"]["main"], image);
        assert_eq!(told[1]["images"]["main"], image, "{told}");

        let mut importer = self.world.workspace("");
        importer.config(&self.blocks(&format!("image = \"{image}\"")));
        importer.import(ENDPOINT, "ecs/models/digits");
        let (ours, theirs) = (self.work.state(), importer.state());
        let main = "/variants/main";
        assert_eq!(
            ours.object(ENDPOINT).get(main),
            theirs.object(ENDPOINT).get(main)
        );

        for (name, value) in self.world.environment() {
            reader.env(name, &value);
        }
        let asked = ["endpoint", "status", "ecs/models/digits"];
        let ended = reader.mlops(asked.iter().chain(&registry::OPTIONS));
        let expected = format!("main: {image} serves, 100 % of the traffic");
        assert!(ended.output.contains(&expected), "{}", ended.story());
    }
}

#[track_caller]
fn none_failed(outcomes: &[Outcome]) {
    let failed: Vec<_> = outcomes.iter().filter(|o| o.status != 200).collect();
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:?}",
        failed.len(),
        outcomes.len()
    );
    assert!(outcomes.len() > 100, "only {} requests", outcomes.len());
}

#[test]
fn an_image_is_served_shifted_rolled_back_and_destroyed_as_a_model_is() {
    let name = "an_image_is_served_shifted_rolled_back_and_destroyed_as_a_model_is";
    let mut images = match Images::start() {
        Ok(images) => images,
        Err(reason) => return skip(name, &reason),
    };
    let secret = "the-token-that-nobody-tells";
    let arn = images.world.secret("token", secret);
    let (one, two) = (
        images.image("tests/one", &[]),
        images.image("tests/two", &["VERSION=its own command"]),
    );
    let bad = images.image("tests/bad", &["EXIT_AFTER=0", "EXIT_CODE=7"]);

    // Its root is asked for its health, and the environment reaches it.
    images.configure(&format!(
        "image = \"{one}\"\n environment = {{ VERSION = \"one\", MLOPS_MAX_QUEUE = \"any\" }}"
    ));
    images.work.apply();
    images.answers("/version", "one");
    images.answers("/environment/MLOPS_MAX_QUEUE", "any");
    assert_eq!(*images.work.state().output("target_versions"), json!({}));

    // Another image takes over under load, on another port, with a command and a secret.
    let load = images.load();
    let architecture = BTreeMap::from([("x86_64", "X86_64"), ("aarch64", "ARM64")]);
    let architecture = architecture[std::env::consts::ARCH];
    let second = format!(
        "image = \"{two}\"\n port = 9000\n environment = {{ PORT = \"9000\" }}\n command = [\"VERSION=two\"]\n \
         secrets = {{ TOKEN = \"{arn}\" }}\n architecture = \"{architecture}\""
    );
    images.configure(&second);
    let plan = images.work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    let diff = format!("{one} -> {two}");
    assert_eq!(
        *plan.after(ENDPOINT).get("/model_diff/main.image"),
        json!(diff)
    );
    none_failed(&load.stop());
    images.answers("/version", "two");
    images.answers("/environment/TOKEN", secret);
    let state = images.work.run(["state", "pull"]).output;
    assert!(state.contains(&arn) && !state.contains(secret), "{state}");

    // One that ends at once is an error of the apply which says how, and the one before goes on.
    let load = images.load();
    images.configure(&format!("image = \"{bad}\""));
    let ended = ["was rolled back", &bad, "its container ended with status 7"];
    let failed = images.work.apply_fails(&ended);
    assert!(
        !failed.story().contains("model server"),
        "{}",
        failed.story()
    );
    none_failed(&load.stop());
    images.answers("/version", "two");
    let warned = images.work.plan().warnings().join("\n");
    assert!(warned.contains("versions and images"), "{warned}");
    images.configure(&second);
    // Outputs are gone after an apply that failed, so the plan as a whole is not empty.
    let plan = images.work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["no-op"]);
    images.seen_from_elsewhere(&two);

    // A service that is gone is a planned restart.
    let cluster = json!({"cluster": images.world.cluster});
    let listed = images.world.ecs("ListServices", &cluster);
    let service = listed["serviceArns"][0].as_str().expect("a service");
    let cluster = &images.world.cluster;
    images.world.ecs(
        "DeleteService",
        &json!({"cluster": cluster, "service": service, "force": true}),
    );
    let plan = images.work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(*plan.after(ENDPOINT).get("/target_versions"), json!({}));
    images.work.apply();
    images.answers("/version", "two");

    images.work.destroy();
    assert_eq!(images.world.everything(), Vec::<String>::new());
}
