//! `examples/stacks/ecs-serving` as a whole: modules and resources in one plan, one apply and one destroy, with the stub in place of the AWS
//! provider. In a world that runs containers, the stub makes what it can for real, and the endpoint answers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mlops_acceptance::digits::{self, Digits};
use mlops_acceptance::http::Client;
use mlops_acceptance::{EcsWorld, Engine, Part, builds, mirror, skip, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a plan of all modules may take. Alone on two cores it takes three or four seconds.
const PLAN: Duration = Duration::from_secs(15);

fn example() -> PathBuf {
    builds::root().join("examples/stacks/ecs-serving")
}

/// A copy of the stack, initialised, with its modules and its model where it looks for them.
struct Copy {
    temp: TempDir,
    dir: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Copy {
    fn new(environment: Vec<(&'static str, String)>) -> Self {
        static MIRROR: OnceLock<PathBuf> = OnceLock::new();
        let plugins = MIRROR.get_or_init(|| mirror::mirror("mirror-stack"));
        let temp = tempfile::tempdir().expect("a temporary directory");
        let dir = temp.path().join("examples/stacks/ecs-serving");
        fs::create_dir_all(&dir).expect("a writable directory");
        for beside in ["modules", "examples/quickstart"] {
            std::os::unix::fs::symlink(builds::root().join(beside), temp.path().join(beside))
                .expect("a writable directory");
        }
        for file in fs::read_dir(example()).expect("the example") {
            let file = file.expect("the example").path();
            if file.extension().is_some_and(|extension| extension == "tf") {
                fs::copy(&file, dir.join(file.file_name().expect("a name"))).expect("it is copied");
            }
        }
        let copy = Self {
            temp,
            dir,
            environment,
        };
        copy.succeeds(&[
            "init",
            "-input=false",
            &format!("-plugin-dir={}", plugins.display()),
        ]);
        copy
    }

    /// One for which nothing of AWS is there, no account either.
    fn anywhere() -> Self {
        Self::new(Vec::new())
    }

    fn transcript(&self) -> PathBuf {
        self.temp.path().join("transcript.jsonl")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command: Command = Engine::get().command(&self.dir, self.temp.path(), arguments);
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("TFPLUGIN_STUB_TRANSCRIPT", self.transcript());
        command.output().expect("the engine runs")
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = said(&output);
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// Sets variables: those that have no default, with these in their place or beside them.
    fn set(&self, own: &Value) {
        let mut values = json!({
            "clients": { "office": "203.0.113.0/24" },
            "domain": "models.example.com",
            "emails": { "team": "ml@example.com" },
            "server_image": {
                "repository_arn": "arn:aws:ecr:eu-west-1:123456789012:repository/mlops/server",
                "uri": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/server@sha256:{}", "4f53cda1".repeat(8)),
            },
            "prometheus_image": {
                "repository_arn": "arn:aws:ecr:eu-west-1:123456789012:repository/prometheus",
                "uri": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/prometheus@sha256:{}", "9b3a7d1f".repeat(8)),
            },
        });
        for (name, value) in own.as_object().expect("variables") {
            values[name] = value.clone();
        }
        write(&self.dir.join("terraform.tfvars.json"), &values.to_string());
    }

    /// The types of what was made up, because the emulator has no such thing.
    fn made_up(&self) -> BTreeSet<String> {
        let lines = fs::read_to_string(self.transcript()).expect("a transcript");
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let made_up = lines.filter(|line| line["event"] == "create" && line["realized"] == false);
        made_up
            .map(|line| line["type"].as_str().expect("a type").to_owned())
            .collect()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeeds(arguments)).expect("JSON")
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a writable directory");
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

/// `module.vpc` of `module.vpc.aws_vpc.this`, `mlops_model` of `mlops_model.digits`.
fn part_of(address: &str) -> String {
    let mut parts = address.split('.');
    let first = parts.next().unwrap_or_default();
    match first {
        "module" => format!("module.{}", parts.next().unwrap_or_default()),
        other => other.to_owned(),
    }
}

#[test]
fn the_whole_stack_is_planned_at_once_before_anything_of_it_is_there() {
    let copy = Copy::anywhere();
    copy.succeeds(&["fmt", "-check", "-diff"]);
    copy.set(&json!({}));
    let plan = || {
        let started = Instant::now();
        let said = copy.succeeds(&["plan", "-input=false", "-out=stack.tfplan"]);
        assert!(!said.contains("Warning:"), "{said}");
        started.elapsed()
    };
    let mut took = plan();
    // A machine that is busy with something else is asked again.
    for _ in 0..3 {
        if took > PLAN {
            took = plan();
        }
    }

    let plan = copy.json(&["show", "-json", "stack.tfplan"]);
    let changes = plan["resource_changes"].as_array().expect("changes");
    let made: Vec<_> = changes
        .iter()
        .filter(|change| change["change"]["actions"] == json!(["create"]))
        .collect();
    println!(
        "plan of examples/stacks/ecs-serving: {} resources in {took:.1?}",
        made.len()
    );
    assert!(took < PLAN, "the plan took {took:?}");
    let address = |change: &Value| change["address"].as_str().expect("an address").to_owned();
    let parts: BTreeSet<_> = made
        .iter()
        .map(|change| part_of(&address(change)))
        .collect();
    let expected = [
        "mlops_endpoint",
        "mlops_model",
        "mlops_model_alias",
        "mlops_model_version",
        "module.alb",
        "module.dns",
        "module.ecs",
        "module.notifications",
        "module.observability",
        "module.registry",
        "module.vpc",
    ];
    assert_eq!(parts, expected.map(str::to_owned).into());

    // From the load balancer and from Prometheus to the tasks, and from nowhere else.
    let planned = |wanted: &str| {
        let found = made.iter().find(|change| address(change) == wanted);
        found.unwrap_or_else(|| panic!("no {wanted}"))["change"]["after"].clone()
    };
    let inward =
        planned(r#"module.ecs.aws_vpc_security_group_ingress_rule.server_clients["digits/alb"]"#);
    let outward =
        planned(r#"module.alb.aws_vpc_security_group_egress_rule.targets["group/digits"]"#);
    let scraped = planned(
        r#"module.ecs.aws_vpc_security_group_ingress_rule.server_clients["digits/prometheus"]"#,
    );
    let clients = (made.iter()).filter(|change| address(change).contains("server_clients["));
    assert_eq!(clients.count(), 2);
    for rule in [&inward, &outward, &scraped] {
        assert_eq!(
            (&rule["from_port"], &rule["to_port"]),
            (&json!(8080), &json!(8080)),
            "{rule}"
        );
        assert!(rule.get("cidr_ipv4").is_none_or(Value::is_null), "{rule}");
    }
    let endpoint = planned("mlops_endpoint.digits");
    assert_eq!(
        endpoint["ingress"]["host_headers"],
        json!(["digits.models.example.com"]),
        "{endpoint}"
    );
}

#[test]
fn a_mistake_is_refused_at_plan_by_whoever_knows_better() {
    let copy = Copy::anywhere();
    let tagged = json!({
        "repository_arn": "arn:aws:ecr:eu-west-1:123456789012:repository/mlops/server",
        "uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/server:latest",
    });
    // Terraform tells the mistakes of modules at once, where those of the root module are none.
    for (mistakes, told) in [
        (
            json!({ "name": "a-name-that-is-too-long-for-roles", "server_image": tagged, "prometheus_image": tagged }),
            &[
                "name is 3 to 24",
                "server_image.uri ends in a digest",
                "prometheus_image.uri ends in a digest",
            ][..],
        ),
        (
            json!({ "clients": {}, "domain": "Models.example.com.", "emails": { "team": "ml" }, "zones": ["a"] }),
            &[
                "clients is empty, so nobody could connect",
                "zone.name is a domain in lower case",
                "Each of emails is one address",
                "zones holds two to four zones",
            ][..],
        ),
    ] {
        copy.set(&mistakes);
        let plan = copy.run(&["plan", "-input=false"]);
        let said = flowing(&said(&plan));
        assert!(!plan.status.success(), "{mistakes}: {said}");
        for told in told {
            assert!(said.contains(told), "{mistakes}, {told}: {said}");
        }
    }
}

/// The Prometheus of the stack, run here as its task runs it: with the command and the environment of its task definition, and this
/// machine's program, directories and workspace in place of the image's and AWS's.
struct Scraper {
    prometheus: Child,
    workspace: Part,
    _directory: TempDir,
}

impl Scraper {
    /// The reason, where Prometheus cannot be had.
    fn start(copy: &Copy) -> Result<Self, String> {
        let workspace = Part::start("prometheus")?;
        let program = workspace.details["program"].as_str().expect("its path");
        let state = copy.json(&["show", "-json"]);
        let modules = state["values"]["root_module"]["child_modules"].as_array();
        let definition = (modules.expect("modules").iter())
            .flat_map(|module| module["resources"].as_array().expect("resources"))
            .find(|resource| resource["type"] == "aws_ecs_task_definition")
            .expect("the task definition of Prometheus");
        let containers = definition["values"]["container_definitions"].as_str();
        let containers: Value = serde_json::from_str(containers.expect("JSON")).expect("JSON");
        let text = |pointer: &str| containers.pointer(pointer).and_then(Value::as_str);
        let (shell, flag) = (text("/0/entryPoint/0"), text("/0/entryPoint/1"));

        let directory = tempfile::tempdir().expect("a temporary directory");
        let here = |place: &str| directory.path().join(place).display().to_string();
        let command = (text("/0/command/0").expect("a command"))
            .replace("/bin/prometheus", program)
            .replace("/tmp/prometheus.yml", &here("prometheus.yml"))
            .replace("=/prometheus", &format!("={}", here("data")))
            .replace("127.0.0.1:9090", "127.0.0.1:0");
        let mut config: Value =
            serde_json::from_str(text("/0/environment/0/value").expect("a value")).expect("JSON");
        let written_to = &mut config["remote_write"][0]["url"];
        let aws = written_to.as_str().expect("a URL");
        assert!(
            aws.starts_with("https://aps-workspaces.") && aws.ends_with("/api/v1/remote_write"),
            "{aws}"
        );
        *written_to = json!(format!("{}/api/v1/write", workspace.url));
        // More often than anybody would.
        config["global"] = json!({ "scrape_interval": "1s", "scrape_timeout": "1s" });

        let prometheus = Command::new(shell.expect("a shell"))
            .args([flag.expect("a flag"), &command])
            .env(
                text("/0/environment/0/name").expect("a name"),
                config.to_string(),
            )
            .envs(copy.environment.iter().map(|(name, value)| (name, value)))
            // Of this machine, and not of the task.
            .env_remove("AWS_CA_BUNDLE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(
                fs::File::create(copy.temp.path().join("prometheus.log")).expect("a file"),
            ))
            .spawn()
            .expect("a shell");
        Ok(Self {
            prometheus,
            workspace,
            _directory: directory,
        })
    }

    /// What has been written so far.
    fn series(&self, query: &str) -> Vec<Value> {
        let query = query
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22");
        let answer = Client::new(&self.workspace.url).get(&format!("/api/v1/query?query={query}"));
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer: Value = serde_json::from_str(&answer.text()).expect("JSON");
        answer["data"]["result"].as_array().expect("series").clone()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.prometheus.kill();
        let _ = self.prometheus.wait();
    }
}

/// Prometheus finds the endpoint's task by asking ECS, and writes how many requests it has answered, with the task's name.
#[track_caller]
fn assert_scraped(copy: &Copy, world: &EcsWorld, requests: usize) {
    let scraper = match Scraper::start(copy) {
        Ok(scraper) => scraper,
        Err(reason) => return skip("the_tasks_of_the_stack_are_scraped", &reason),
    };
    let clusters = world.ecs("ListClusters", &json!({}));
    let tasks: BTreeSet<_> = (clusters["clusterArns"].as_array().expect("clusters").iter())
        .flat_map(|cluster| {
            let tasks = world.ecs("ListTasks", &json!({ "cluster": cluster }));
            tasks["taskArns"].as_array().expect("tasks").clone()
        })
        .map(|task| task.as_str().expect("an ARN").to_owned())
        .collect();
    let query = r#"mlops_requests_total{endpoint="digits",traffic="live",job="models"}"#;
    let log = copy.temp.path().join("prometheus.log");
    let all = |series: &[Value]| -> f64 {
        let counts = series.iter().map(|series| series["value"][1].as_str());
        counts
            .map(|count| count.expect("a count").parse::<f64>().expect("a number"))
            .sum()
    };
    let started = Instant::now();
    let series = wait::for_some(
        "requests in the workspace",
        Duration::from_secs(180),
        || {
            let series = scraper.series(query);
            let whole = all(&series) >= requests as f64;
            assert!(
                whole || started.elapsed() < Duration::from_secs(170),
                "{series:?}; Prometheus said: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            whole.then_some(series)
        },
    );
    let instances: BTreeSet<_> = (series.iter())
        .map(|series| {
            series["metric"]["instance"]
                .as_str()
                .expect("an instance")
                .to_owned()
        })
        .collect();
    assert_eq!(instances, tasks, "{series:?}");
}

/// The types that the README says are made up.
fn listed_in_the_readme() -> BTreeSet<String> {
    let readme = fs::read_to_string(example().join("README.md")).expect("a README");
    let words = readme.split('`').skip(1).step_by(2);
    words
        .filter(|word| word.starts_with("aws_") && !word.contains('.'))
        .map(str::to_owned)
        .collect()
}

/// What the stack made, as its outputs tell.
struct Made {
    invoke_url: String,
    load_balancer: String,
}

impl Made {
    #[track_caller]
    fn of(copy: &Copy) -> Self {
        let outputs = copy.json(&["output", "-json"]);
        let text = |name: &str| outputs[name]["value"].as_str().expect(name).to_owned();
        assert_eq!(outputs["champion"]["value"], json!(1), "{outputs}");
        Self {
            invoke_url: text("invoke_url"),
            load_balancer: text("load_balancer"),
        }
    }

    /// How many of the first `n` held-out images are told right. The world has neither DNS nor TLS: the load balancer is asked by its
    /// address, for the host that the URL names.
    #[track_caller]
    fn right_answers(&self, n: usize) -> usize {
        let host = self.invoke_url.strip_prefix("https://").expect("TLS");
        let mut client = Client::new(&format!("http://{}:443", self.load_balancer)).of_host(host);
        let (digits, path) = (Digits::committed(), digits::infer_path("digits"));
        let right = (0..n).filter(|&i| {
            let request = digits.request(i);
            let answer = client.post(&path, &request.body).expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("mlops-version"), Some("1"));
            digits::label(&answer) == Some(request.label)
        });
        right.count()
    }
}

#[test]
fn the_stack_is_applied_asked_and_destroyed_as_a_whole() {
    let world = match EcsWorld::start() {
        Ok(world) => world,
        Err(reason) => {
            return skip(
                "the_stack_is_applied_asked_and_destroyed_as_a_whole",
                &reason,
            );
        }
    };
    let before = world.everything();
    let mut environment = world.environment().to_vec();
    environment.push(("TFPLUGIN_STUB_ENDPOINT", world.part.url.clone()));
    let copy = Copy::new(environment);
    copy.set(&json!({
        "protected": false,
        "server_image": {
            "repository_arn": "arn:aws:ecr:eu-west-1:000000000000:repository/mlops/server",
            "uri": world.server(),
        },
    }));

    let started = Instant::now();
    copy.succeeds(&["apply", "-input=false", "-auto-approve"]);
    println!(
        "apply of examples/stacks/ecs-serving: {:.1?}",
        started.elapsed()
    );
    let made = Made::of(&copy);
    assert_eq!(made.invoke_url, "https://digits.models.example.com");
    let right = made.right_answers(100);
    assert!(right > 90, "only {right} of 100 answers are right");
    assert_scraped(&copy, &world, 100);
    // What no endpoint takes is answered by the listener, and clear text is sent to it.
    let listener = |port: u16, host: &str| {
        let mut client =
            Client::new(&format!("http://{}:{port}", made.load_balancer)).of_host(host);
        client.get("/v2/health/live").expect("an answer")
    };
    assert_eq!(listener(443, "other.models.example.com").status, 404);
    assert_eq!(listener(80, "digits.models.example.com").status, 301);

    let again = copy.run(&["plan", "-input=false", "-detailed-exitcode"]);
    assert_eq!(
        again.status.code(),
        Some(0),
        "the stack is not settled: {}",
        said(&again)
    );

    assert_eq!(copy.made_up(), listed_in_the_readme());

    copy.succeeds(&["destroy", "-input=false", "-auto-approve"]);
    assert_eq!(world.everything(), before);
    let left = copy.succeeds(&["state", "list"]);
    assert_eq!(left.trim(), "");
    let tables = world.part.dynamodb("ListTables", "{}").text();
    let buckets = world.part.s3("GET", "/", "").text();
    assert!(
        !tables.contains("serving") && !buckets.contains("serving"),
        "{tables} {buckets}"
    );
    let balancers = world.elb("DescribeLoadBalancers", &[]);
    assert!(!balancers.contains("serving"), "{balancers}");
    let clusters = world.ecs("ListClusters", &json!({}));
    assert_eq!(
        clusters["clusterArns"].as_array().map(Vec::len),
        Some(1),
        "{clusters}"
    );
}
