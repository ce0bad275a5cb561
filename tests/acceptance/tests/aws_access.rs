//! The policies of modules/registry are enough for what they are for, and for nothing else. A gate before the emulator
//! enforces them.

use mlops_acceptance::iam::Gate;
use mlops_acceptance::{Part, RegistryModule, Workspace, http, part, skip};

const TABLE: &str = "acme-mlops";
const BUCKET: &str = "acme-mlops-000000000000-eu-west-1";

/// A registry that the module made, and the gate before it.
struct World {
    part: Part,
    module: RegistryModule,
    gate: Gate,
}

impl World {
    fn new(test: &str) -> Option<Self> {
        let part = match Part::start("ministack") {
            Ok(part) => part,
            Err(reason) => {
                skip(test, &reason);
                return None;
            }
        };
        let module = RegistryModule::apply(&part, TABLE);
        let gate = Gate::before(http::address(&part.url));
        Some(Self { part, module, gate })
    }

    fn workspace(&self) -> Workspace {
        let mut work = Workspace::new();
        let url = &self.gate.url;
        let place = format!("table = {TABLE:?}\n    bucket = {BUCKET:?}\n    prefix = \"ml\"");
        work.provider(&part::provider(url, &place));
        let cache = work.path("cache").display().to_string();
        work.env("XDG_CACHE_HOME", &cache);
        for (variable, value) in part::environment(url) {
            work.env(variable, &value);
        }
        work
    }

    /// The caller can do this from now on.
    fn can(&self, access: &str) {
        self.gate.admit(&[&self.module.policy(access)]);
    }

    #[track_caller]
    fn nothing_was_denied(&self) {
        assert_eq!(self.gate.denied(), Vec::<String>::new());
    }
}

fn mlops(work: &Workspace, verb: &[&str]) -> (Option<i32>, String) {
    let place = [
        "--table",
        TABLE,
        "--bucket",
        BUCKET,
        "--prefix",
        "ml",
        "--s3-use-path-style",
    ];
    let ended = work.mlops(verb.iter().chain(&place));
    (ended.status.code(), ended.story())
}

fn models(description: &str, versions: &str) -> String {
    format!(
        "resource \"mlops_model\" \"digits\" {{\n  name        = \"digits\"\n  description = \"{description}\"\n}}\n{versions}"
    )
}

const VERSION: &str = r#"
resource "mlops_model_version" "digits" {
  model           = mlops_model.digits.name
  source          = "model"
  metrics         = { accuracy = 0.9 }
  deletion_policy = "DELETE"
}

resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_model_version.digits.version
}
"#;

#[test]
fn who_publishes_who_reads_who_deploys_and_who_sweeps_may_do_that_and_nothing_else() {
    let name = "who_publishes_who_reads_who_deploys_and_who_sweeps_may_do_that_and_nothing_else";
    let Some(world) = World::new(name) else {
        return;
    };
    let mut work = world.workspace();
    work.copy_model("digits-v1", "model/model.onnx");
    // Of several parts, so that the calls of a multipart upload are among those that the policy is asked for.
    work.write("model/weights.bin", vec![7; 20 << 20]);

    world.can("publish");
    work.config(&models("one", VERSION));
    work.apply();
    world.nothing_was_denied();
    let allowed = world.gate.allowed();
    for action in [
        "dynamodb:ConditionCheckItem",
        "dynamodb:UpdateItem",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
    ] {
        assert!(
            allowed.contains(action),
            "{action} was not asked for: {allowed:?}"
        );
    }

    // Reading: refresh, plan, data sources, download.
    world.can("read");
    work.expect_empty_plan();
    let mut reader = world.workspace();
    reader.config(
        "data \"mlops_model_version\" \"champion\" {\n  model = \"digits\"\n  alias = \"champion\"\n}\n",
    );
    reader.plan();
    let (code, said) = mlops(&work, &["artifact", "pull", "digits/1", "--to", "pulled"]);
    assert_eq!(code, Some(0), "{said}");
    world.nothing_was_denied();
    work.config(&models("two", VERSION));
    work.plan();
    world.nothing_was_denied();
    work.apply_fails(&["digits", "AccessDenied", "dynamodb:UpdateItem"]);
    assert!(!world.gate.denied().is_empty());
    let (code, said) = mlops(&work, &["artifact", "gc", "--delete", "--grace", "0s"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("dynamodb:UpdateItem"), "{said}");

    world.can("publish");
    work.apply();
    world.nothing_was_denied();

    // Deploying: the endpoint of another configuration, which registers nothing.
    world.can("deploy");
    let mut deployer = world.workspace();
    deployer.config(
        "resource \"mlops_endpoint\" \"digits\" {\n  name     = \"digits\"\n  variants = { main = { model = \"digits\", model_alias = \"champion\", traffic = 100 } }\n  local {}\n}\n",
    );
    deployer.apply();
    world.nothing_was_denied();
    deployer.destroy();
    world.nothing_was_denied();

    // What nobody names any more is not a publisher's to remove; nor is an upload that somebody left.
    world.can("publish");
    work.destroy();
    let left = format!(
        "/{BUCKET}/ml/sha256/{}/files/a.bin?uploads",
        "ab".repeat(32)
    );
    let begun = http::Client::new(&world.part.url).request("POST", &left, &[], b"");
    assert_eq!(begun.expect("an answer").status, 200);
    world.nothing_was_denied();
    let gc = ["artifact", "gc", "--delete", "--grace", "0s"];
    let (code, said) = mlops(&work, &gc);
    assert_eq!(code, Some(1), "{said}");
    world.can("sweep");
    let (code, said) = mlops(&work, &gc);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 artifacts deleted"), "{said}");
    assert!(said.contains("1 uploads ended"), "{said}");
    world.nothing_was_denied();
    let allowed = world.gate.allowed();
    for action in ["s3:DeleteObject", "s3:AbortMultipartUpload"] {
        assert!(allowed.contains(action), "{action}: {allowed:?}");
    }
}
