//! `examples/terragrunt`: what Terragrunt would hand to Terraform (`clients/terragrunt_units.py`; Terragrunt itself cannot be
//! had everywhere), planned and applied by a real Terraform from a mirror of files, with the stub in place of the AWS provider.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use mlops_acceptance::{Engine, Part, builds, part, skip};
use serde_json::{Value, json};
use tempfile::TempDir;

const ENVIRONMENTS: [&str; 3] = ["dev", "qa", "prod"];
/// Each after what it depends on.
const UNITS: [&str; 5] = ["vpc", "alb", "registry", "ecs", "model"];

fn example() -> PathBuf {
    builds::root().join("examples/terragrunt")
}

/// The name of the engine under test.
fn engine() -> String {
    let named = std::env::var("TF").ok().filter(|named| !named.is_empty());
    let found = || {
        let terraform = Engine::named("terraform").is_some();
        if terraform { "terraform" } else { "tofu" }.to_owned()
    };
    named.unwrap_or_else(found)
}

/// What a command said on both streams.
fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    text.concat()
}

/// `text` without line breaks, as a human reads it.
fn flowing(text: &str) -> String {
    let words = text
        .split_whitespace()
        .filter(|word| !["│", "╷", "╵"].contains(word));
    words.collect::<Vec<_>>().join(" ")
}

/// A mirror of our provider and of the stub.
fn mirror() -> &'static Path {
    static MIRROR: OnceLock<PathBuf> = OnceLock::new();
    MIRROR.get_or_init(|| mlops_acceptance::mirror::mirror("mirror"))
}

/// A machine on which the example is used.
struct Machine {
    temp: TempDir,
    environment: Vec<(&'static str, String)>,
    /// Outputs of units that are applied, by their directories.
    outputs: BTreeMap<String, Value>,
}

/// A unit, as it is handed over.
struct Unit {
    dir: PathBuf,
    mocked: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Machine {
    fn new(environment: Vec<(&'static str, String)>) -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let settings =
            fs::read_to_string(example().join("providers.tfrc")).expect("the example's settings");
        let path = "/opt/terraform/providers";
        let ours = "registry.terraform.io/mlops-rs/mlops";
        assert!(
            settings.contains(path) && settings.contains(ours),
            "{settings}"
        );
        // Without a network, the rest comes from the mirror too.
        let settings = settings
            .replace(path, &mirror().display().to_string())
            .replace(ours, "*/*/*");
        fs::write(temp.path().join("providers.tfrc"), settings).expect("a writable directory");
        Self {
            temp,
            environment,
            outputs: BTreeMap::new(),
        }
    }

    /// What Terragrunt hands over for a command, or why it refuses.
    fn hand_over(&self, unit: &str, command: &str) -> Result<Value, String> {
        let mut child = Command::new("python3")
            .arg("-B")
            .arg(builds::root().join("tests/acceptance/clients/terragrunt_units.py"))
            .arg(example().join(unit))
            .args([command, &engine()])
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let outputs = json!(self.outputs).to_string();
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(outputs.as_bytes())
            .expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        if !output.status.success() {
            return Err(said(&output));
        }
        Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// A copy of the unit's module with what is generated, initialised.
    fn unit(&self, unit: &str, command: &str) -> Unit {
        let told = self
            .hand_over(unit, command)
            .unwrap_or_else(|error| panic!("{unit}: {error}"));
        let dir = self.temp.path().join(unit);
        if !dir.exists() {
            fs::create_dir_all(dir.parent().expect("a parent")).expect("a writable directory");
            let source = told["source"].as_str().expect("a source");
            let copied = Command::new("cp")
                .arg("-R")
                .args([Path::new(source), &dir])
                .status();
            assert!(
                copied.is_ok_and(|status| status.success()),
                "{source} is not copied"
            );
        }
        for (path, contents) in told["generate"].as_object().expect("generated files") {
            fs::write(dir.join(path), contents.as_str().expect("text"))
                .expect("a writable directory");
        }
        // The state is kept here, and not in the bucket of the example.
        assert_eq!(
            told["state"]["config"]["key"],
            json!(format!("{unit}/terraform.tfstate"))
        );
        let inputs = told["inputs"].as_object().expect("inputs");
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let variables = inputs
            .iter()
            .map(|(name, value)| (format!("TF_VAR_{name}"), text(value)))
            .collect();
        let mocked = inputs
            .get("mocked")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mocked = mocked
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let unit = Unit {
            dir,
            mocked,
            variables,
        };
        let mut init = vec!["init", "-input=false", "-no-color"];
        let extra = told["arguments"]["init"].as_array().into_iter().flatten();
        init.extend(extra.filter_map(Value::as_str));
        let init = self.run(&unit, &init);
        assert!(init.status.success(), "{}", said(&init));
        unit
    }

    fn run(&self, unit: &Unit, arguments: &[&str]) -> Output {
        let mut command = Engine::get().command(&unit.dir, self.temp.path(), arguments);
        command
            .env(
                "TF_CLI_CONFIG_FILE",
                self.temp.path().join("providers.tfrc"),
            )
            .envs(unit.variables.iter().map(|(name, value)| (name, value)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().expect("the engine runs")
    }

    /// Plans a unit, and keeps the plan; what it said.
    #[track_caller]
    fn plan(&self, unit: &Unit) -> String {
        let plan = self.run(
            unit,
            &["plan", "-input=false", "-no-color", "-out=plan.tfplan"],
        );
        assert!(
            plan.status.success(),
            "{}: {}",
            unit.dir.display(),
            said(&plan)
        );
        flowing(&said(&plan))
    }

    /// What the unit has made.
    #[track_caller]
    fn state(&self, unit: &Unit) -> Vec<String> {
        let list = self.run(unit, &["state", "list"]);
        String::from_utf8_lossy(&list.stdout)
            .lines()
            .filter(|address| !address.starts_with("data."))
            .map(str::to_owned)
            .collect()
    }
}

#[test]
fn every_environment_is_planned_before_anything_is_applied_and_mocks_are_warned_of() {
    let machine = Machine::new(vec![("AWS_REGION", "eu-west-1".to_owned())]);
    for environment in ENVIRONMENTS {
        for name in UNITS {
            let unit = machine.unit(&format!("{environment}/{name}"), "plan");
            let expected: &[&str] = match name {
                "alb" => &["vpc"],
                "ecs" | "model" => &["registry"],
                _ => &[],
            };
            assert_eq!(unit.mocked, expected, "{environment}/{name}");
            let plan = machine.plan(&unit);
            let warned = plan.contains("Warning: Check block assertion failed");
            assert_eq!(warned, !expected.is_empty(), "{plan}");
            for dependency in expected {
                let text =
                    format!("planned with mock outputs of {dependency}, and cannot be applied");
                assert!(plan.contains(&text), "{environment}/{name}: {plan}");
            }
        }
    }
}

/// PAINS: gruntwork-io/terragrunt#2178, #837, #2405.
#[test]
fn what_was_planned_with_mocks_is_not_applied() {
    let machine = Machine::new(vec![("AWS_REGION", "eu-west-1".to_owned())]);
    for name in ["alb", "ecs", "model"] {
        let path = format!("dev/{name}");
        let refused = machine
            .hand_over(&path, "apply")
            .expect_err("mocks are for plans");
        assert!(refused.contains("has no outputs"), "{refused}");

        let unit = machine.unit(&path, "plan");
        machine.plan(&unit);
        let applied = machine.run(
            &unit,
            &["apply", "-input=false", "-no-color", "plan.tfplan"],
        );
        let text = flowing(&said(&applied));
        assert!(!applied.status.success(), "{text}");
        assert!(
            text.contains("Nothing is applied: this was planned with mock outputs of"),
            "{text}"
        );
        assert_eq!(
            machine.state(&unit),
            [r#"terraform_data.mocked["outputs"]"#],
            "{text}"
        );
        // What is left is in the way of no plan, whenever it is made: not even the trigger is known.
        let next = machine.plan(&unit);
        assert!(next.contains("planned with mock outputs of"), "{next}");
        assert!(
            next.contains("-> (known after apply) # forces replacement"),
            "{next}"
        );
    }
}

#[test]
fn dev_is_applied_as_a_whole_and_its_model_is_in_its_own_registry() {
    let emulator = match Part::start("ministack") {
        Ok(emulator) => emulator,
        Err(reason) => {
            return skip(
                "dev_is_applied_as_a_whole_and_its_model_is_in_its_own_registry",
                &reason,
            );
        }
    };
    let mut environment = part::environment(&emulator.url).to_vec();
    environment.push(("TFPLUGIN_STUB_ENDPOINT", emulator.url.clone()));
    let mut machine = Machine::new(environment);
    for name in UNITS {
        let path = format!("dev/{name}");
        let unit = machine.unit(&path, "apply");
        assert_eq!(unit.mocked, Vec::<String>::new(), "{path}");
        let plan = machine.plan(&unit);
        assert!(!plan.contains("mock outputs"), "{plan}");
        let applied = machine.run(
            &unit,
            &["apply", "-input=false", "-no-color", "plan.tfplan"],
        );
        assert!(applied.status.success(), "{path}: {}", said(&applied));
        let again = machine.run(
            &unit,
            &["plan", "-input=false", "-no-color", "-detailed-exitcode"],
        );
        assert_eq!(
            again.status.code(),
            Some(0),
            "{path} is not settled: {}",
            said(&again)
        );
        let outputs = machine.run(&unit, &["output", "-json"]);
        let outputs: BTreeMap<String, Value> =
            serde_json::from_slice(&outputs.stdout).expect("outputs");
        let outputs: BTreeMap<_, _> = outputs
            .into_iter()
            .map(|(name, output)| (name, output["value"].clone()))
            .collect();
        let place = fs::canonicalize(example().join(&path)).expect("the unit is there");
        machine
            .outputs
            .insert(place.display().to_string(), json!(outputs));
    }
    let model = machine
        .outputs
        .iter()
        .find(|(place, _)| place.ends_with("dev/model"))
        .expect("applied");
    assert_eq!(model.1["champions"], json!({ "digits": 1 }));
    // In the table that the unit beside it made.
    let stored = emulator.dynamodb(
        "Query",
        r#"{"TableName": "mlops-dev", "KeyConditionExpression": "PK = :model", "ExpressionAttributeValues": {":model": {"S": "model#digits"}}}"#,
    );
    assert!(stored.text().contains("champion"), "{}", stored.text());
}
