//! What a plan, and the beginning of an apply, look at around an endpoint on ECS, and what comes of what they find.

mod certificate;
mod cluster;
mod credentials;
mod load_balancer;
mod permissions;
mod quotas;
mod subnets;

use mlops_acceptance::ecs_world::{EcsWorld, server_image};
use mlops_acceptance::iam::{Gate, Policy};
use mlops_acceptance::part::registry;
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, http, part};

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
    looks_and(&[])
}

/// A policy that allows it and these.
fn looks_and(more: &[&str]) -> Policy {
    let actions = [&LOOKS[..], more].concat();
    let all = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": {actions:?}, "Resource": "*"}}]}}"#
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
    let Some(mut world) = EcsWorld::on_paper_for(name) else {
        return;
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
    let Some(mut world) = EcsWorld::on_paper_for(name) else {
        return;
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
    let Some(mut world) = EcsWorld::on_paper_for(name) else {
        return;
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
        "cluster/mock does not exist",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
}

#[test]
fn what_a_plan_may_not_look_at_is_one_warning_that_names_the_call() {
    let name = "what_a_plan_may_not_look_at_is_one_warning_that_names_the_call";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
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

#[test]
fn a_plan_that_does_not_reach_a_service_is_made_with_one_warning() {
    let name = "a_plan_that_does_not_reach_a_service_is_made_with_one_warning";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let (table, bucket) = (registry::TABLE, registry::BUCKET);
    let lies = format!("table = {table:?}\n    bucket = {bucket:?}");
    let url = &world.part.url;
    let reached = part::provider(url, &lies);
    // The port is nobody's: connections are refused, as where there is no route.
    for (from, to, call) in [
        (
            format!("iam            = \"{url}\""),
            "iam = \"http://127.0.0.1:1\"",
            "IAM GetRole",
        ),
        (
            format!("servicequotas  = \"{url}\""),
            "servicequotas = \"http://127.0.0.1:1\"",
            "ServiceQuotas ListServiceQuotas",
        ),
    ] {
        let unreached = reached.replace(&from, to);
        assert_ne!(reached, unreached);
        let mut work = Workspace::new();
        work.provider(&format!("{unreached}\n  {}", provider(&world, "")));
        work.config(&endpoint(&world, ""));
        let plan = work.plan();
        assert_eq!(plan.actions(ENDPOINT), ["create"]);
        let told = plan.warnings();
        assert_eq!(told.len(), 1, "{told:?}");
        for said in [call, "no connection could be made"] {
            assert!(told[0].contains(said), "{said} is not in {told:?}");
        }
    }
}

#[test]
fn what_a_plan_left_open_fails_the_apply_before_its_first_write() {
    let name = "what_a_plan_left_open_fails_the_apply_before_its_first_write";
    let Some(mut world) = EcsWorld::on_paper_for(name) else {
        return;
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
