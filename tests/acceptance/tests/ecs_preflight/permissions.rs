//! The check `permissions`.

use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::iam::Gate;
use mlops_acceptance::part::registry;
use mlops_acceptance::{Workspace, http};
use serde_json::json;

use super::{endpoint, looks_and, provider, warnings, workspace};

/// An endpoint whose container has this secret as `TOKEN`.
fn with_secret(world: &EcsWorld, secret: &str) -> String {
    let secrets = format!("traffic = 100\n      secrets = {{ TOKEN = {secret:?} }}");
    endpoint(world, "").replace("traffic = 100", &secrets)
}

#[test]
fn what_a_role_may_not_do_is_an_error_that_names_role_action_and_resource() {
    let name = "what_a_role_may_not_do_is_an_error_that_names_role_action_and_resource";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let secret = world.secret("token", "hush");
    let with = with_secret(&world, &secret);
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
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
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
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let secret = world.secret("token", "hush");
    let with = with_secret(&world, &secret);
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
    let all = looks_and(&policies);
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
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let key = world.key();
    let secret = world.secret_under("token", "hush", &key);
    let with = with_secret(&world, &secret);
    let gate = Gate::before(http::address(&world.part.url));
    let reads = ["kms:GetKeyPolicy", "secretsmanager:DescribeSecret"];
    let all = looks_and(&reads);
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
