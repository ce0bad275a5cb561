//! What a plan, and the beginning of an apply, look at around an endpoint on ECS, and what comes of what they find.

use mlops_acceptance::ecs_world::{EcsWorld, server_image};
use mlops_acceptance::iam::{Gate, Policy};
use mlops_acceptance::part::{self, registry};
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, http, skip};
use serde_json::json;

const SERVICE: &str = "does not let ecs-tasks.amazonaws.com take it on";

/// What a plan asks for.
const LOOKS: [&str; 17] = [
    "acm:DescribeCertificate",
    "dynamodb:*",
    "ec2:DescribeSubnets",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecs:DescribeClusters",
    "elasticloadbalancing:DescribeAccountLimits",
    "elasticloadbalancing:DescribeListenerCertificates",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "iam:GetRole",
    "iam:GetServerCertificate",
    "iam:SimulatePrincipalPolicy",
    "s3:*",
    "servicequotas:ListServiceQuotas",
];

/// A policy that allows it.
fn looks() -> Policy {
    let all = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": {LOOKS:?}, "Resource": "*"}}]}}"#
    );
    Policy::read(&all)
}

/// What the provider is told; `block` is its `preflight`, if it has one.
fn provider(world: &EcsWorld, block: &str) -> String {
    format!("{}\n  {block}", server_image(&world.paper_image("mlops")))
}

/// An endpoint that names what `world` has; `more` stands in its block.
fn endpoint(world: &EcsWorld, more: &str) -> String {
    format!(
        r#"
resource "mlops_endpoint" "digits" {{
  name     = "digits"
  variants = {{
    main = {{
      image   = "{}"
      traffic = 100
    }}
  }}
  {}
  {more}
}}
"#,
        world.paper_image("own"),
        world.blocks(&world.own_listener())
    )
}

/// A plan's workspace; `block` is what the provider's `preflight` says, and `world` is what the endpoint names.
fn workspace(world: &EcsWorld, block: &str) -> Workspace {
    let mut work = world.workspace(&provider(world, block));
    work.config(&endpoint(world, ""));
    work
}

fn warnings(work: &mut Workspace) -> String {
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    plan.warnings().join("\n")
}

#[test]
fn what_an_apply_cannot_succeed_with_is_an_error_of_the_plan_unless_the_block_says_otherwise() {
    let name =
        "what_an_apply_cannot_succeed_with_is_an_error_of_the_plan_unless_the_block_says_otherwise";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    assert_eq!(
        warnings(&mut workspace(&world, "")),
        "",
        "all is as it should"
    );

    let right = world.task_role.clone();
    world.task_role = world.role("function", "lambda.amazonaws.com");
    let said = [
        world.task_role.as_str(),
        SERVICE,
        "skip = [\"roles\"]",
        "task_role_arn",
    ];
    workspace(&world, "").plan_fails(&said);
    workspace(&world, "preflight { skip = [\"subnets\"] }").plan_fails(&said);
    let mut warned = workspace(&world, "preflight { mode = \"warn\" }");
    assert!(warnings(&mut warned).contains(SERVICE));
    // The variable stands above the block.
    warned.env("MLOPS_PREFLIGHT_MODE", "error");
    warned.plan_fails(&said);
    warned.env("MLOPS_PREFLIGHT_MODE", "off");
    assert_eq!(warnings(&mut warned), "");
    for quiet in ["mode = \"off\"", "skip = [\"roles\"]"] {
        let mut work = workspace(&world, &format!("preflight {{ {quiet} }}"));
        assert_eq!(warnings(&mut work), "", "{quiet}");
    }
    for (wrong, attribute) in [("mode = \"of\"", "mode"), ("skip = [\"role\"]", "skip")] {
        let mut work = workspace(&world, &format!("preflight {{ {wrong} }}"));
        work.plan_fails(&[attribute]);
    }
    world.task_role = right;

    let elsewhere = world.subnet_elsewhere();
    let both = vec![world.subnets[0].clone(), elsewhere.clone()];
    for (subnets, said) in [
        (both, "tasks of a service have one VPC"),
        (vec![elsewhere], "name subnets of the load balancer's VPC"),
    ] {
        world.subnets = subnets;
        workspace(&world, "").plan_fails(&[said, "skip = [\"subnets\"]"]);
    }
}

#[test]
fn the_block_of_an_endpoint_stands_above_the_providers() {
    let name = "the_block_of_an_endpoint_stands_above_the_providers";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    world.task_role = world.role("function", "lambda.amazonaws.com");
    let mut work = world.workspace(&provider(&world, "preflight { mode = \"off\" }"));
    let with = |block: &str| endpoint(&world, block);
    work.config(&with(""));
    assert_eq!(warnings(&mut work), "");
    work.config(&with("preflight {\n    mode = \"error\"\n  }"));
    work.plan_fails(&[
        SERVICE,
        "skip = [\"roles\"]",
        "the endpoint's or the provider's",
    ]);
    work.config(&with("preflight {\n    mode = \"warn\"\n  }"));
    assert!(warnings(&mut work).contains(SERVICE));
    let mut work = world.workspace(&provider(&world, "preflight { skip = [\"roles\"] }"));
    work.config(&with("preflight {\n    skip = []\n  }"));
    work.plan_fails(&[SERVICE]);
    for (wrong, said) in [
        ("mode = \"of\"", "mode"),
        ("skip = [\"role\"]", "skip"),
        ("# nothing", "At least one of mode, skip"),
    ] {
        work.config(&with(&format!("preflight {{\n    {wrong}\n  }}")));
        work.plan_fails(&[said]);
    }

    // A value that only the apply knows: it looks, and the plan does not.
    let made = "resource \"terraform_data\" \"mode\" {\n  input = \"error\"\n}\n";
    let unknown = with("preflight {\n    mode = terraform_data.mode.output\n    skip = []\n  }");
    work.config(&format!("{made}{unknown}"));
    assert_eq!(warnings(&mut work), "");
    let before = world.everything();
    let failed = work.apply_fails(&[SERVICE]);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);

    // A change of the block alone is one of the state, and deploys nothing.
    work.config(&with("preflight {\n    skip = [\"roles\"]\n  }"));
    work.apply();
    let deployed = world.everything();
    work.config(&with("preflight {\n    mode = \"off\"\n  }"));
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(world.everything(), deployed);
}

#[test]
fn a_block_preflight_of_an_endpoint_on_this_machine_is_refused() {
    let mut work = Workspace::new();
    work.config(
        r#"
resource "mlops_endpoint" "digits" {
  name     = "digits"
  variants = {
    main = {
      model         = "digits"
      model_version = 1
      traffic       = 100
    }
  }
  local {}
  preflight {
    mode = "warn"
  }
}
"#,
    );
    work.plan_fails(&["A block preflight is for an endpoint on ECS", "preflight"]);
}

#[test]
fn what_does_not_exist_is_a_warning_since_it_may_be_made_before_the_apply() {
    let name = "what_does_not_exist_is_a_warning_since_it_may_be_made_before_the_apply";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    world.execution_role = world.execution_role.replace("execution", "mock");
    world.subnets.push("subnet-0123456789abcdef0".to_owned());
    world.load_balancer_arn = world.load_balancer_arn.replace("/models/", "/mock/");
    world.cluster = "mock".to_owned();
    let told = warnings(&mut workspace(&world, ""));
    for said in [
        "role/mock does not exist; make it before the apply",
        "there is no subnet subnet-0123456789abcdef0",
        "/mock/",
        "cluster mock does not exist",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
}

#[test]
fn a_cluster_has_the_capacity_providers_that_tasks_run_on() {
    let name = "a_cluster_has_the_capacity_providers_that_tasks_run_on";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let before = world.everything();
    let spot = endpoint(&world, "").replacen(
        "ecs {",
        "ecs {\n    capacity_providers = { FARGATE_SPOT = {} }",
        1,
    );
    let mut work = workspace(&world, "");
    work.config(&spot);
    let said = "cluster models does not have capacity provider FARGATE_SPOT";
    assert!(warnings(&mut work).contains(said));
    let failed = work.apply_fails(&[said, "capacity_providers"]);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
    let providers = serde_json::json!({
        "cluster": world.cluster, "capacityProviders": ["FARGATE_SPOT"], "defaultCapacityProviderStrategy": [],
    });
    world.ecs("PutClusterCapacityProviders", &providers);
    assert!(!warnings(&mut work).contains(said));
}

#[test]
fn as_many_addresses_have_to_be_free_as_tasks_start() {
    let name = "as_many_addresses_have_to_be_free_as_tasks_start";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    // 256 addresses, five of which are AWS's.
    world.subnets.truncate(1);
    let scaled = |tasks: u32| format!("autoscaling {{\n    min = {tasks}\n    max = {tasks}\n  }}");
    let mut work = world.workspace(&provider(&world, ""));
    work.config(&endpoint(&world, &scaled(252)));
    work.plan_fails(&[
        "the change starts 252 tasks or more",
        "251 free addresses",
        "network.subnets",
    ]);
    work.config(&endpoint(&world, &scaled(251)));
    assert_eq!(warnings(&mut work), "");
}

#[test]
fn what_a_plan_may_not_look_at_is_one_warning_that_names_the_call() {
    let name = "what_a_plan_may_not_look_at_is_one_warning_that_names_the_call";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let gate = Gate::before(http::address(&world.part.url));
    let all = looks();
    for (action, call) in [
        ("iam:GetRole", "IAM GetRole on role execution"),
        ("ec2:DescribeSubnets", "EC2 DescribeSubnets on subnets"),
        ("ecr:BatchGetImage", "ECR BatchGetImage on 0000"),
        (
            "ecr:GetDownloadUrlForLayer",
            "ECR GetDownloadUrlForLayer on 0000",
        ),
        (
            "ecs:DescribeClusters",
            "ECS DescribeClusters on cluster models",
        ),
        (
            "elasticloadbalancing:DescribeLoadBalancers",
            "DescribeLoadBalancers on load balancer",
        ),
        (
            "elasticloadbalancing:DescribeTargetGroups",
            "DescribeTargetGroups on load balancer",
        ),
        (
            "iam:SimulatePrincipalPolicy",
            "IAM SimulatePrincipalPolicy on role",
        ),
    ] {
        gate.admit(&[&all.without(action)]);
        let mut work = registry::workspace(&gate.url, &provider(&world, ""));
        work.config(&endpoint(&world, ""));
        let plan = work.plan();
        let told = plan.warnings();
        assert_eq!(told.len(), 1, "{told:?}");
        for said in [call, action, "may lack something"] {
            assert!(told[0].contains(said), "{said} is not in {told:?}");
        }
    }
}

/// The port is nobody's: connections are refused, as where there is no route.
const NO_IAM: &str = "iam = \"http://127.0.0.1:1\"";

#[test]
fn a_plan_that_does_not_reach_a_service_is_made_with_one_warning() {
    let name = "a_plan_that_does_not_reach_a_service_is_made_with_one_warning";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let (table, bucket) = (registry::TABLE, registry::BUCKET);
    let lies = format!("table = {table:?}\n    bucket = {bucket:?}");
    let url = &world.part.url;
    let reached = part::provider(url, &lies);
    let unreached = reached.replace(&format!("iam            = \"{url}\""), NO_IAM);
    assert_ne!(reached, unreached);
    let mut work = Workspace::new();
    work.provider(&format!("{unreached}\n  {}", provider(&world, "")));
    work.config(&endpoint(&world, ""));
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    let told = plan.warnings();
    assert_eq!(told.len(), 1, "{told:?}");
    for said in ["IAM GetRole", "no connection could be made"] {
        assert!(told[0].contains(said), "{said} is not in {told:?}");
    }
}

#[test]
fn what_a_plan_left_open_fails_the_apply_before_its_first_write() {
    let name = "what_a_plan_left_open_fails_the_apply_before_its_first_write";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let before = world.everything();
    let fails = |work: &mut Workspace, said: &[&str]| {
        let failed = work.apply_fails(said);
        let told = failed.errors().concat();
        assert!(!told.contains("rolled back"), "{told}");
        assert_eq!(world.everything(), before);
    };
    let role = world.role("function", "lambda.amazonaws.com");
    // A value that only the apply knows.
    let made = format!("resource \"terraform_data\" \"role\" {{\n  input = \"{role}\"\n}}\n");
    let literal = format!("\"{}\"", world.task_role);
    let unknown = endpoint(&world, "").replace(&literal, "terraform_data.role.output");
    let mut work = world.workspace(&provider(&world, ""));
    work.config(&format!("{made}{unknown}"));
    assert_eq!(warnings(&mut work), "");
    fails(&mut work, &[SERVICE, "skip = [\"roles\"]"]);

    // What a plan takes for something that may be made.
    let mut missing = workspace(&world, "");
    missing.config(&endpoint(&world, "").replace("role/execution", "role/mock"));
    assert!(warnings(&mut missing).contains("role/mock does not exist"));
    fails(&mut missing, &["role/mock does not exist"]);

    // The variable is about plans.
    world.task_role = role;
    let mut silent = workspace(&world, "");
    silent.env("MLOPS_PREFLIGHT_MODE", "off");
    assert_eq!(warnings(&mut silent), "");
    let failed = silent.apply_fails(&[SERVICE]);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
}

#[test]
fn what_a_role_may_not_do_is_an_error_that_names_role_action_and_resource() {
    let name = "what_a_role_may_not_do_is_an_error_that_names_role_action_and_resource";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let secret = world.secret("token", "hush");
    let secrets = format!("traffic = 100\n      secrets = {{ TOKEN = {secret:?} }}");
    let with = endpoint(&world, "").replace("traffic = 100", &secrets);
    let mut work = world.workspace(&provider(&world, ""));
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let but = |action: &str| json!([all, {"Effect": "Deny", "Action": action, "Resource": "*"}]);
    let logs = json!([{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]);
    work.config(&with);
    assert_eq!(warnings(&mut work), "", "all is allowed");
    for (may, said) in [
        (
            &logs,
            [
                "needs secretsmanager:GetSecretValue on",
                secret.as_str(),
                "no policy of the role allows it",
            ],
        ),
        (
            &but("secretsmanager:*"),
            [
                "needs secretsmanager:GetSecretValue on",
                "variants.main.secrets.TOKEN",
                "a policy denies it",
            ],
        ),
        (
            &but("logs:PutLogEvents"),
            [
                "needs logs:PutLogEvents on",
                "/mlops/endpoints/models/digits",
                "a policy denies it",
            ],
        ),
        (
            &but("ecr:BatchGetImage"),
            [
                "needs ecr:BatchGetImage on",
                ":repository/own",
                "to pull the image of variant main",
            ],
        ),
    ] {
        world.may("execution", may);
        let role = [
            world.execution_role.as_str(),
            "execution_role_arn",
            "skip = [\"permissions\"]",
        ];
        let said: Vec<&str> = said.into_iter().chain(role).collect();
        work.plan_fails(&said);
    }
    let mut work = workspace(&world, "preflight { skip = [\"permissions\"] }");
    assert_eq!(warnings(&mut work), "", "it is left out");
}

#[test]
fn a_task_that_cannot_read_the_registrys_bucket_is_an_error_where_it_runs_a_model() {
    let name = "a_task_that_cannot_read_the_registrys_bucket_is_an_error_where_it_runs_a_model";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let objects = |bucket: &str| {
        let resource = format!("arn:aws:s3:::{bucket}/*");
        json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}])
    };
    world.may("task", &objects("other"));
    let mut image = workspace(&world, "");
    assert_eq!(warnings(&mut image), "", "an image reads nothing there");
    let mut work = world.workspace(&provider(&world, ""));
    work.copy_model("digits-v1", "model.onnx");
    let model = r#"
resource "mlops_model" "digits" {
  name = "digits"
}
resource "mlops_model_version" "digits" {
  model  = mlops_model.digits.name
  source = "model.onnx"
}
"#;
    let own = format!("image   = \"{}\"", world.paper_image("own"));
    let bound =
        "model = mlops_model.digits.name\n      model_version = mlops_model_version.digits.version";
    let served = endpoint(&world, "").replace(&own, bound);
    assert!(served.contains(bound));
    work.config(&format!("{model}{served}"));
    work.plan_fails(&[
        world.task_role.as_str(),
        "needs s3:GetObject on arn:aws:s3:::acme-models/sha256/",
        "task_role_arn",
    ]);
    world.bucket_policy(
        "acme-models",
        &json!([{
            "Effect": "Allow", "Principal": {"AWS": world.task_role}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::acme-models/*",
        }]),
    );
    assert_eq!(warnings(&mut work), "", "the bucket's policy allows it");
    let nobody = json!([{
        "Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "s3:*", "Resource": "arn:aws:s3:::acme-models/*",
    }]);
    world.bucket_policy("acme-models", &nobody);
    work.plan_fails(&["nor does that of bucket acme-models"]);
    world.may("task", &objects("acme-models"));
    assert_eq!(warnings(&mut work), "");
}

#[test]
fn a_policy_of_the_other_side_allows_what_the_roles_do_not() {
    let name = "a_policy_of_the_other_side_allows_what_the_roles_do_not";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let secret = world.secret("token", "hush");
    let secrets = format!("traffic = 100\n      secrets = {{ TOKEN = {secret:?} }}");
    let with = endpoint(&world, "").replace("traffic = 100", &secrets);
    let rest = ["logs:*", "ecr:GetAuthorizationToken"];
    world.may(
        "execution",
        &json!([{"Effect": "Allow", "Action": rest, "Resource": "*"}]),
    );
    let gate = Gate::before(http::address(&world.part.url));
    let policies = [
        "ecr:GetRepositoryPolicy",
        "secretsmanager:GetResourcePolicy",
    ];
    let actions: Vec<&str> = LOOKS.into_iter().chain(policies).collect();
    let all = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": {actions:?}, "Resource": "*"}}]}}"#
    );
    let all = Policy::read(&all);
    gate.admit(&[&all]);
    let mut work = registry::workspace(&gate.url, &provider(&world, ""));
    work.config(&with);
    let lacks = |what: &str, whose: &str| format!("needs {what}") + "|" + whose;
    let fails = |work: &mut Workspace, said: &str| {
        let said: Vec<&str> = said.split('|').collect();
        work.plan_fails(&said);
    };
    fails(
        &mut work,
        &lacks("secretsmanager:GetSecretValue", "nor does that of secret"),
    );
    let allow = |action: &[&str], condition: serde_json::Value| {
        let who = json!({"AWS": world.execution_role});
        json!([{"Effect": "Allow", "Principal": who, "Action": action, "Resource": "*", "Condition": condition}])
    };
    world.secret_policy(
        &secret,
        &allow(&["secretsmanager:GetSecretValue"], json!({})),
    );
    fails(
        &mut work,
        &lacks(
            "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer",
            "nor does that of repository own",
        ),
    );
    let pulls = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    world.repository_policy("own", &allow(&pulls, json!({})));
    assert_eq!(warnings(&mut work), "", "both are allowed");

    let condition = json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}});
    world.secret_policy(&secret, &allow(&["secretsmanager:*"], condition));
    let told = warnings(&mut work);
    assert!(told.contains("depends on conditions"), "{told}");
    for (action, call) in [
        (policies[0], "ECR GetRepositoryPolicy on repository own"),
        (policies[1], "SecretsManager GetResourcePolicy on secret"),
    ] {
        gate.admit(&[&all.without(action)]);
        let told = warnings(&mut work);
        for said in ["may, and could not be read", call, action] {
            assert!(told.contains(said), "{said} is not in {told}");
        }
    }
}

#[test]
fn a_key_that_a_role_may_not_use_is_told_where_its_policy_can_be_read() {
    let name = "a_key_that_a_role_may_not_use_is_told_where_its_policy_can_be_read";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let key = world.key();
    let secret = world.secret_under("token", "hush", &key);
    let secrets = format!("traffic = 100\n      secrets = {{ TOKEN = {secret:?} }}");
    let with = endpoint(&world, "").replace("traffic = 100", &secrets);
    let gate = Gate::before(http::address(&world.part.url));
    let reads = ["kms:GetKeyPolicy", "secretsmanager:DescribeSecret"];
    let actions: Vec<&str> = LOOKS.into_iter().chain(reads).collect();
    let all = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": {actions:?}, "Resource": "*"}}]}}"#
    );
    let all = Policy::read(&all);
    gate.admit(&[&all]);
    let mut work = registry::workspace(&gate.url, &provider(&world, ""));
    work.config(&with);
    let told = warnings(&mut work);
    let needs = format!("needs kms:Decrypt on {key} to decrypt variants.main.secrets.TOKEN");
    for said in [
        needs.as_str(),
        "unless a grant of the key does",
        "execution_role_arn",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
    // Of what is not known nothing is said.
    for read in reads {
        gate.admit(&[&all.without(read)]);
        assert_eq!(warnings(&mut work), "", "{read}");
    }
    gate.admit(&[&all]);
    let who = json!({"AWS": world.execution_role});
    let allow =
        json!([{"Effect": "Allow", "Principal": who, "Action": "kms:Decrypt", "Resource": "*"}]);
    world.key_policy(&key, &allow);
    assert_eq!(warnings(&mut work), "", "the key's policy allows it");
    let forbids = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "kms:*", "Resource": key},
    ]);
    world.may("execution", &forbids);
    work.plan_fails(&[&needs, "a policy denies it"]);
}

#[test]
fn a_load_balancer_without_room_is_an_error_with_its_numbers() {
    let name = "a_load_balancer_without_room_is_an_error_with_its_numbers";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let shared = world.listener(8000);
    let taken = world.listener(8001);
    let mut work = world.workspace(&provider(&world, ""));
    let at = |ingress: &str| {
        let text = endpoint(&world, "").replace(&world.own_listener(), ingress);
        assert!(text.contains(ingress), "{text}");
        text
    };
    let own = |port: &str| {
        format!(
            "load_balancer_arn = {:?}\n    {port}",
            world.load_balancer_arn
        )
    };
    let rule = |range: &str| {
        format!("listener_arn = {shared:?}\n    path_patterns = [\"/v2/*\"]\n    {range}")
    };
    work.config(&at(&own("port_range = \"8000-8001\"")));
    work.plan_fails(&[
        "every port of 8000-8001 of",
        "8001 by listener",
        taken.as_str(),
        "port_range",
    ]);
    work.config(&at(&own("port = 8001")));
    work.plan_fails(&["port 8001 of", "is taken by listener", "port"]);
    // One of them would find the other's.
    let twice = at(&own("port = 9000"));
    let other = twice.replace("\"digits\"", "\"letters\"");
    work.config(&format!("{twice}{other}"));
    work.plan_fails(&["another endpoint of this run asks for port 9000"]);

    for priority in 100..199 {
        world.rule(&shared, priority);
    }
    work.config(&at(&rule("priority_range = \"197-198\"")));
    work.plan_fails(&[
        "every priority of 197-198 of",
        "198 by rule",
        "priority_range",
    ]);
    work.config(&at(&rule("priority_range = \"300-301\"")));
    assert_eq!(warnings(&mut work), "", "the hundredth rule");
    world.rule(&taken, 7);
    work.plan_fails(&[
        "has 100 rules, this endpoint needs 1 more, and the account may have 100",
        "listener_arn",
    ]);
    for port in 8002..8050 {
        let _ = world.listener(port);
    }
    work.config(&endpoint(&world, ""));
    work.plan_fails(&[
        "has 50 listeners, this endpoint needs 1 more, and the account may have 50",
        "load_balancer_arn",
    ]);
}

#[test]
fn what_the_account_may_not_have_is_told_with_its_numbers() {
    let name = "what_the_account_may_not_have_is_told_with_its_numbers";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let mut work = world.workspace(&provider(&world, ""));
    let policies = "{ cpu = { metric = \"cpu\", target = 60 } }";
    let scaled =
        &format!("autoscaling {{\n    min = 2\n    max = 3\n    policies = {policies}\n  }}");
    work.config(&endpoint(&world, scaled));
    assert_eq!(warnings(&mut work), "");

    world.quota("ecs", "Services per cluster", 0.0);
    let said = [
        "cluster models has 0 services, this change needs 1 more, and the account may have 0",
        "cluster_arn",
        "skip = [\"quotas\"]",
    ];
    work.plan_fails(&said);
    let gate = Gate::before(http::address(&world.part.url));
    gate.admit(&[&looks().without("servicequotas:ListServiceQuotas")]);
    let mut unread = registry::workspace(&gate.url, &provider(&world, ""));
    unread.config(&endpoint(&world, scaled));
    assert_eq!(warnings(&mut unread), "", "AWS's own quota is not reached");
    world.quota("ecs", "Services per cluster", 5000.0);

    world.quota("ecs", "Tasks per service", 2.0);
    let told = warnings(&mut work);
    assert!(
        told.contains("variant main asks for up to 3 tasks"),
        "{told}"
    );
    world.quota("ecs", "Tasks per service", 1.0);
    work.plan_fails(&[
        "asks for at least 2 tasks",
        "the account may have 1;",
        "autoscaling",
    ]);
    world.quota("ecs", "Tasks per service", 5000.0);

    // Half a vCPU each, by default.
    world.quota("fargate", "Fargate On-Demand vCPU resource count", 0.5);
    work.plan_fails(&[
        "need at least 1 vCPUs, and the account may have 0.5 in this region",
        "skip = [\"quotas\"]",
    ]);
    world.quota("fargate", "Fargate On-Demand vCPU resource count", 1.5);
    assert_eq!(warnings(&mut work), "");
    world.quota("fargate", "Fargate On-Demand vCPU resource count", 1.0);
    let told = warnings(&mut work);
    assert!(told.contains("the endpoint needs 1.5 vCPUs"), "{told}");
}

/// The end of a certificate that is good.
const LATER: &str = "2100-01-01T00:00:00Z";
/// The end of one that is not.
const EARLIER: &str = "2020-01-01T00:00:00Z";

/// An endpoint with a rule on this listener, for these hosts.
fn on_a_rule(world: &EcsWorld, listener: &str, hosts: &[&str]) -> String {
    let hosts = match hosts {
        [] => "path_patterns = [\"/v2/*\"]".to_owned(),
        hosts => format!("host_headers = {hosts:?}"),
    };
    let ingress = format!("listener_arn = {listener:?}\n    {hosts}");
    let text = endpoint(world, "").replace(&world.own_listener(), &ingress);
    assert!(text.contains(&ingress), "{text}");
    text
}

#[test]
fn a_certificate_that_clients_refuse_is_told_at_plan() {
    let name = "a_certificate_that_clients_refuse_is_told_at_plan";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let good = world.certificate(&["*.example.com"], "ISSUED", LATER);
    let listener = world.https_listener(8443, &good);
    let mut work = world.workspace(&provider(&world, ""));
    for hosts in [&["digits.example.com"][..], &["*.other.com"], &[]] {
        work.config(&on_a_rule(&world, &listener, hosts));
        assert_eq!(warnings(&mut work), "", "{hosts:?}");
    }
    work.config(&on_a_rule(&world, &listener, &["digits.other.com"]));
    let told = warnings(&mut work);
    for said in [
        "has no certificate for digits.other.com",
        "ingress.host_headers",
        "skip = [\"certificate\"]",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
    let other = world.certificate(&["digits.other.com"], "ISSUED", LATER);
    world.add_certificate(&listener, &other);
    assert_eq!(warnings(&mut work), "");

    let old = world.certificate(&["digits.example.com"], "EXPIRED", EARLIER);
    let listener = world.https_listener(8444, &old);
    let before = world.everything();
    work.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
    let said = [
        old.as_str(),
        "expired at 2020-01-01T00:00:00Z",
        "listener_arn",
        "skip = [\"certificate\"]",
    ];
    work.plan_fails(&said);
    // The apply alone looks.
    work.env("MLOPS_PREFLIGHT_MODE", "off");
    let failed = work.apply_fails(&said[..2]);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
    let mut skipped = world.workspace(&provider(&world, "preflight { skip = [\"certificate\"] }"));
    skipped.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
    assert_eq!(warnings(&mut skipped), "", "it is left out");
    // The load balancer shows the one that is good.
    world.add_certificate(&listener, &good);
    let mut work = world.workspace(&provider(&world, ""));
    work.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
    assert_eq!(warnings(&mut work), "");
}

#[test]
fn a_certificate_that_is_kept_in_iam_is_looked_at_too() {
    let name = "a_certificate_that_is_kept_in_iam_is_looked_at_too";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let hosts = &["digits.example.com"];
    let mut work = world.workspace(&provider(&world, ""));
    let good = world.certificate_in_iam("good", LATER);
    let listener = world.https_listener(8443, &good);
    work.config(&on_a_rule(&world, &listener, hosts));
    assert_eq!(warnings(&mut work), "", "it may be for any host");
    let old = world.certificate_in_iam("old", EARLIER);
    let listener = world.https_listener(8444, &old);
    work.config(&on_a_rule(&world, &listener, hosts));
    let said = [
        old.as_str(),
        "server-certificate/old",
        "expired at 2020-01-01T00:00:00Z",
    ];
    work.plan_fails(&said);
    world.add_certificate(&listener, &good);
    assert_eq!(warnings(&mut work), "", "the good one is shown");
}

#[test]
fn a_certificate_that_may_not_be_looked_at_is_one_warning() {
    let name = "a_certificate_that_may_not_be_looked_at_is_one_warning";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let good = world.certificate(&["digits.example.com"], "ISSUED", LATER);
    let listener = world.https_listener(8443, &good);
    world.add_certificate(&listener, &world.certificate_in_iam("other", LATER));
    let gate = Gate::before(http::address(&world.part.url));
    for (action, call) in [
        (
            "iam:GetServerCertificate",
            "IAM GetServerCertificate on certificate other",
        ),
        (
            "acm:DescribeCertificate",
            "ACM DescribeCertificate on certificate",
        ),
        (
            "elasticloadbalancing:DescribeListenerCertificates",
            "DescribeListenerCertificates on listener",
        ),
    ] {
        gate.admit(&[&looks().without(action)]);
        let mut work = registry::workspace(&gate.url, &provider(&world, ""));
        work.config(&on_a_rule(&world, &listener, &["digits.example.com"]));
        let plan = work.plan();
        let told = plan.warnings();
        assert_eq!(told.len(), 1, "{told:?}");
        for said in [call, action, "listener_arn"] {
            assert!(told[0].contains(said), "{said} is not in {told:?}");
        }
    }
}

#[test]
fn credentials_that_run_out_before_the_rollout_ends_are_told_at_plan_and_fail_the_apply() {
    let name =
        "credentials_that_run_out_before_the_rollout_ends_are_told_at_plan_and_fail_the_apply";
    let world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    let mut work = Workspace::new();
    let (table, bucket) = (registry::TABLE, registry::BUCKET);
    let lies = format!("table = {table:?}\n    bucket = {bucket:?}");
    let told = part::provider(&world.part.url, &lies);
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("_key "))
        .collect();
    work.provider(&format!("{}\n  {}", lines.join("\n"), provider(&world, "")));
    for (variable, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush-hush"),
        ("AWS_SESSION_TOKEN", "hush-hush"),
        ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z"),
    ] {
        work.env(variable, value);
    }
    let canary = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 10, bake = \"20m\" }, { traffic = 100 }]\n  }";
    let first = endpoint(&world, canary);
    work.config(&first);
    // Nothing bakes where nothing serves yet.
    work.apply();
    let before = world.everything();
    let own = world.paper_image("own");
    let second = world.paper_images("own", "second", &["amd64"], "second");
    work.config(&first.replace(&own, &second));
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    let warned = plan.warnings().concat();
    let said = [
        "run out at 2020-01-01T00:00:00Z",
        "the rollout takes 25m",
        "skip = [\"credentials\"]",
    ];
    for said in said {
        assert!(warned.contains(said), "{said} is not in {warned}");
    }
    let failed = work.apply_fails(&said);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
    work.env("AWS_CREDENTIAL_EXPIRATION", "2100-01-01T00:00:00Z");
    assert_eq!(work.plan().warnings(), Vec::<String>::new());
}
