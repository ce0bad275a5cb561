//! What a plan of an endpoint on ECS says, before anything is asked of ECS: its id, and what can never work.

use mlops_acceptance::part::registry;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Part, Workspace, skip};

const ACCOUNT: &str = "000000000000";
/// A variant that runs a model.
const MODEL: &str =
    "model = mlops_model.digits.name\n model_version = mlops_model_version.digits.version";

/// The parts of a configuration, each to be replaced by what a test gets wrong.
#[derive(Clone)]
struct Written {
    provider: String,
    /// What the variant runs.
    runs: String,
    variant: String,
    ecs: String,
    network: String,
    ingress: String,
    more: String,
}

impl Default for Written {
    fn default() -> Self {
        let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        Self {
            provider: format!(
                "server_image {{ uri = \"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/mlops@sha256:{}\" }}",
                "a".repeat(64)
            ),
            runs: MODEL.to_owned(),
            variant: String::new(),
            ecs: format!(
                "ecs {{\n    cluster_arn = \"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/prod\"\n    \
                 execution_role_arn = \"{}\"\n    task_role_arn = \"{}\"\n  }}",
                role("execution"),
                role("task")
            ),
            network: "network { subnets = [\"subnet-1\"] }".to_owned(),
            ingress: format!(
                "ingress {{\n    load_balancer_arn = \"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/app/main/50dc6c495c0c9188\"\n  }}"
            ),
            more: String::new(),
        }
    }
}

impl Written {
    fn text(&self) -> String {
        let Self {
            runs,
            variant,
            ecs,
            network,
            ingress,
            more,
            ..
        } = self;
        format!(
            r#"
resource "mlops_model" "digits" {{
  name = "digits"
}}
resource "mlops_model_version" "digits" {{
  model  = mlops_model.digits.name
  source = "model.onnx"
}}
resource "mlops_endpoint" "digits" {{
  name     = "digits"
  variants = {{
    main = {{
      traffic = 100
      {runs}
      {variant}
    }}
  }}
  {ecs}
  {network}
  {ingress}
  {more}
}}
"#
        )
    }
}

/// A part with a registry, or the reason why the test is skipped.
fn ministack(test: &str) -> Option<Part> {
    let part = Part::start("ministack");
    let part = part.map_err(|why| skip(test, &why)).ok()?;
    part.make_registry();
    Some(part)
}

fn workspace(part: &Part, written: &Written) -> Workspace {
    let mut work = registry::workspace(&part.url, &written.provider);
    work.copy_model("digits-v1", "model.onnx");
    work.config(&written.text());
    work
}

#[test]
fn a_plan_knows_the_id_and_asks_nothing_of_ecs() {
    let Some(part) = ministack("a_plan_knows_the_id_and_asks_nothing_of_ecs") else {
        return;
    };
    // Nothing of the cluster, the balancer or the roles is there.
    let plan = workspace(&part, &Written::default()).plan();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    assert_eq!(plan.after(ENDPOINT).text("/id"), "ecs/prod/digits");
}

#[test]
fn what_can_never_work_is_an_error_of_the_plan_that_names_its_attribute() {
    let name = "what_can_never_work_is_an_error_of_the_plan_that_names_its_attribute";
    let Some(part) = ministack(name) else { return };
    let right = Written::default();
    let none = String::new;
    let wrong: [(Written, &[&str]); 15] = [
        (
            Written {
                provider: none(),
                ..right.clone()
            },
            &["needs a server to run in a container", "server_image"],
        ),
        (
            Written {
                provider: "server_image { uri = \"mlops@sha256:beef\" }".to_owned(),
                ..right.clone()
            },
            &["server_image", "names no image: a digest is sha256:"],
        ),
        (
            Written {
                network: none(),
                ..right.clone()
            },
            &["needs a block network"],
        ),
        (
            Written {
                ingress: none(),
                ..right.clone()
            },
            &["needs a block ingress"],
        ),
        (
            Written {
                more: "local { port_range = \"18080-18180\" }".to_owned(),
                ..right.clone()
            },
            &["Only one of local, ecs"],
        ),
        (
            Written {
                ecs: "local { port_range = \"18080-18180\" }".to_owned(),
                ..right.clone()
            },
            &["block network is for an endpoint on ECS"],
        ),
        (
            Written {
                variant: "cpu = 256\n memory_mb = 4096".to_owned(),
                ..right.clone()
            },
            &["1024 to 2048 MiB of memory"],
        ),
        (
            Written {
                ingress: right
                    .ingress
                    .replace("  }", "  port_range = \"30-20\"\n  }"),
                ..right.clone()
            },
            &["is not a range of ports", "port_range"],
        ),
        (
            Written {
                ingress: right
                    .ingress
                    .replace("  }", "  path_patterns = [\"/v2/*\"]\n  }"),
                ..right.clone()
            },
            &["path_patterns"],
        ),
        (
            Written {
                more: "health_check { interval = \"1s\" }".to_owned(),
                ..right.clone()
            },
            &["interval is 5 to 300, not 1"],
        ),
        (
            Written {
                variant: "environment = { MLOPS_TASK = \"x\" }".to_owned(),
                ..right.clone()
            },
            &["MLOPS_TASK"],
        ),
        (
            Written {
                ecs: right.ecs.replace("  }", "  launch_type = \"EXTERNAL\"\n  }"),
                ..right.clone()
            },
            &["launch_type", "EC2"],
        ),
        (
            Written {
                ecs: (right.ecs).replace(
                    "  }",
                    "  launch_type = \"FARGATE\"\n  capacity_providers = { FARGATE_SPOT = {} }\n  }",
                ),
                ..right.clone()
            },
            &["Only one of launch_type, capacity_providers"],
        ),
        (
            Written {
                variant: "gpu = { count = 1 }".to_owned(),
                ..right.clone()
            },
            &["Fargate has no machines with GPUs"],
        ),
        (
            Written {
                variant: "gpu = { count = 1, type = \"a10\" }".to_owned(),
                ..right.clone()
            },
            &["gpu.type", "t4, t4g, a10g, l4, l40s, v100"],
        ),
    ];
    for (written, said) in wrong {
        workspace(&part, &written).plan_fails(said);
    }
}

#[test]
fn an_embedded_registry_cannot_feed_tasks() {
    let mut work = Workspace::new();
    work.provider("server_image { uri = \"mlops@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" }");
    work.copy_model("digits-v1", "model.onnx");
    work.config(&Written::default().text());
    work.plan_fails(&[
        "needs a registry on AWS",
        "fetch the model from the registry's bucket",
    ]);
}

/// A variant that runs an image, with more of it.
fn image(more: &str) -> Written {
    let digest = "b".repeat(64);
    Written {
        // Nothing of what it names is there.
        provider: "preflight { mode = \"off\" }".to_owned(),
        runs: format!("image = \"example.com/own@sha256:{digest}\"\n{more}"),
        ..Written::default()
    }
}

#[test]
fn an_image_needs_neither_a_model_nor_a_server_and_has_no_version() {
    let name = "an_image_needs_neither_a_model_nor_a_server_and_has_no_version";
    let Some(part) = ministack(name) else { return };
    let more = "port = 9000\n command = [\"serve\"]\n architecture = \"ARM64\"\n environment = { MLOPS_TASK = \"mine\" }\n \
                secrets = { TOKEN = \"arn:aws:ssm:eu-west-1:111122223333:parameter/token\" }";
    let mut work = workspace(&part, &image(more));
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    assert_eq!(
        *plan.after(ENDPOINT).get("/target_versions"),
        serde_json::json!({})
    );
    assert_eq!(plan.warnings(), Vec::<String>::new());

    // Whoever wants its version is told at plan that there is none.
    let alias = "resource \"mlops_model_alias\" \"champion\" {\n  model = mlops_model.digits.name\n  name = \"champion\"\n  \
                 version = mlops_endpoint.digits.target_versions[\"main\"]\n}\n";
    work.config(&format!("{}{alias}", image(more).text()));
    work.plan_fails(&["Invalid index", "target_versions"]);

    // An image that is not known yet, from a resource that this run makes: what has a key is known all the same.
    let unknown = "resource \"terraform_data\" \"image\" {\n  input = \"example.com/own\"\n}\n";
    let mut later = image("");
    later.runs = format!(
        "image = \"${{terraform_data.image.output}}@sha256:{}\"",
        "b".repeat(64)
    );
    work.config(&format!("{}{unknown}", later.text()));
    let plan = work.plan();
    assert_eq!(
        *plan.after(ENDPOINT).get("/target_versions"),
        serde_json::json!({})
    );
}

#[test]
fn what_is_wrong_with_an_image_is_an_error_of_the_plan_that_names_its_attribute() {
    let name = "what_is_wrong_with_an_image_is_an_error_of_the_plan_that_names_its_attribute";
    let Some(part) = ministack(name) else { return };
    let runs = |runs: &str| Written {
        runs: runs.to_owned(),
        ..Written::default()
    };
    let model = |more: &str| runs(&format!("{MODEL}\n{more}"));
    let arn = "arn:aws:ssm:eu-west-1:111122223333:parameter/token";
    let on_this_machine = Written {
        ecs: "local {}".to_owned(),
        network: String::new(),
        ingress: String::new(),
        ..image("")
    };
    let digest = "b".repeat(64);
    let wrong: [(Written, &[&str]); 16] = [
        (
            runs("image = \"own@sha256:beef\""),
            &[
                "\"own@sha256:beef\" names no image: a digest is sha256:",
                "REPOSITORY@sha256:DIGEST",
                "image",
            ],
        ),
        (
            model(&format!("image = \"own@sha256:{digest}\"")),
            &["model and image cannot both be set"],
        ),
        (
            image("model = \"digits\""),
            &["model", "image cannot both be set"],
        ),
        (
            runs("model = \"digits\""),
            &["model_version, model_alias, image"],
        ),
        (
            runs("model_version = 1"),
            &["needs model to be set as well"],
        ),
        (
            runs("model_alias = \"champion\""),
            &["needs model to be set as well"],
        ),
        (
            on_this_machine,
            &[
                "image runs in a container on ECS",
                "give the variant a model",
            ],
        ),
        (image("shadow_percentage = 5"), &["shadow_percentage"]),
        (image("port = 0"), &["port"]),
        (image("architecture = \"arm\""), &["architecture", "X86_64"]),
        (image("command = [null]"), &["null element"]),
        (
            model("command = [\"x\"]"),
            &["the model server has its own", "command"],
        ),
        (
            image("secrets = { TOKEN = \"hunter2-hunter2\" }"),
            &["what TOKEN holds is not the ARN", "secrets"],
        ),
        (
            image(&format!(
                "environment = {{ A = \"1\" }}\n secrets = {{ A = \"{arn}\" }}"
            )),
            &["A is in environment and in secrets"],
        ),
        (
            image("environment = { ECS_CONTAINER_METADATA_URI = \"1\" }"),
            &["is set by ECS; take it out of environment"],
        ),
        (
            model(&format!("secrets = {{ MLOPS_MAX_QUEUE = \"{arn}\" }}")),
            &["is a setting of the model server and no secret"],
        ),
    ];
    for (written, said) in wrong {
        workspace(&part, &written).plan_fails(said);
    }
}
