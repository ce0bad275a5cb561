//! The stub as modules meet it: under real terraform (or tofu), one fixture for each of its powers.

mod every_type;
mod host;
mod realizing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use host::Root;
use regex::Regex;
use serde_json::{Value, json};

#[track_caller]
fn matches(value: &Value, pattern: &str) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"));
    let regex = Regex::new(&format!("^(?:{pattern})$")).expect("a regular expression");
    assert!(regex.is_match(text), "{text} does not match {pattern}");
}

/// The planned change of a resource.
#[track_caller]
fn change<'a>(plan: &'a Value, address: &str) -> &'a Value {
    let changes = plan["resource_changes"]
        .as_array()
        .expect("a plan has changes");
    let found = changes.iter().find(|change| change["address"] == address);
    &found.unwrap_or_else(|| panic!("nothing is planned for {address}"))["change"]
}

#[test]
fn validate_refuses_what_the_real_provider_refuses() {
    let Some(root) = Root::of("validate_refuses_what_the_real_provider_refuses", "refused") else {
        return;
    };
    let answer = root.json(&["validate", "-json"]);
    let diagnostics = answer["diagnostics"].as_array().expect("diagnostics");
    let said: Vec<String> = diagnostics
        .iter()
        .map(|said| {
            format!(
                "{} {} {}",
                said["snippet"]["context"], said["summary"], said["detail"]
            )
        })
        .collect();
    for (resource, problem) in [
        (
            "aws_lb\\\" \\\"enum",
            "load_balancer_type must be one of application, network, gateway",
        ),
        ("aws_iam_role\\\" \\\"pattern", "name must match"),
        (
            "aws_iam_role\\\" \\\"length",
            "name must have 1 to 64 characters",
        ),
        (
            "aws_cloudwatch_log_group\\\" \\\"number",
            "retention_in_days must be one of 1, 3, 5",
        ),
        ("aws_lb_listener\\\" \\\"range", "port must be 1 to 65535"),
        ("aws_subnet\\\" \\\"required", "vpc_id"),
        ("aws_vpc\\\" \\\"unknown", "cidr"),
        ("aws_vpc\\\" \\\"computed", "owner_id"),
        ("aws_eks_cluster\\\" \\\"least", "vpc_config"),
        ("aws_eks_cluster\\\" \\\"most", "vpc_config"),
        (
            "aws_ecs_task_definition\\\" \\\"each",
            "must be one of EC2, FARGATE",
        ),
        ("helm_release\\\" \\\"type", "set"),
        ("aws_no_such_thing\\\" \\\"type", "aws_no_such_thing"),
    ] {
        assert!(
            said.iter()
                .any(|said| said.contains(resource) && said.contains(problem)),
            "nothing says {problem:?} of {resource}: {said:#?}"
        );
    }
    assert_eq!(said.len(), 13, "{said:#?}");
}

#[test]
fn a_plan_knows_what_the_real_provider_knows_and_no_more() {
    let Some(root) = Root::of(
        "a_plan_knows_what_the_real_provider_knows_and_no_more",
        "planned",
    ) else {
        return;
    };
    let plan = root.plan();
    let vpc = change(&plan, "aws_vpc.main");
    assert_eq!(vpc["after"]["region"], "eu-central-1");
    assert_eq!(
        vpc["after"]["tags_all"],
        json!({"Name": "main", "team": "serving"})
    );
    for unknown in [
        "id",
        "arn",
        "default_security_group_id",
        "main_route_table_id",
    ] {
        assert_eq!(vpc["after_unknown"][unknown], true, "{unknown}");
    }
    // Not configured and not computed: null, and known to be.
    assert_eq!(vpc["after"]["ipv4_ipam_pool_id"], Value::Null);
    let front = change(&plan, "aws_lb.front");
    assert_eq!(
        front["after_unknown"]["subnets"],
        json!([true, true]),
        "each of two that are not known yet"
    );
    let names: BTreeSet<_> =
        change(&plan, "aws_acm_certificate.api")["after"]["domain_validation_options"]
            .as_array()
            .expect("options")
            .iter()
            .map(|option| option["domain_name"].as_str().expect("a name"))
            .collect();
    assert_eq!(
        names,
        BTreeSet::from(["api.example.com", "*.api.example.com"])
    );
    let record = change(&plan, "aws_route53_record.validation[\"api.example.com\"]");
    assert_eq!(record["after_unknown"]["name"], true);
}

#[test]
fn an_apply_makes_things_of_the_right_form_and_leaves_nothing_to_plan() {
    let test = "an_apply_makes_things_of_the_right_form_and_leaves_nothing_to_plan";
    let Some(root) = Root::of(test, "applied") else {
        return;
    };
    root.apply();
    let outputs = root.outputs();
    assert_eq!(
        outputs["zones"],
        json!([
            "eu-central-1a",
            "eu-central-1b",
            "eu-central-1c",
            "eu-central-1d"
        ])
    );
    assert_eq!(
        outputs["account"],
        json!(["210987654321", "aws"]),
        "of the role that is assumed"
    );
    assert_eq!(outputs["found"].as_array().map(Vec::len), Some(3));
    matches(&outputs["found"][0], "subnet-[0-9a-f]{17}");
    matches(&outputs["vpc"][0], "vpc-[0-9a-f]{17}");
    matches(
        &outputs["vpc"][1],
        "arn:aws:ec2:eu-central-1:210987654321:vpc/vpc-[0-9a-f]{17}",
    );
    matches(
        &outputs["vpc"][2],
        "2600:1f13:[0-9a-f]{3}:[0-9a-f]{2}00::/56",
    );
    matches(&outputs["vpc"][3], "sg-[0-9a-f]{17}");
    matches(&outputs["subnets"][0], "subnet-[0-9a-f]{17}");
    assert_ne!(outputs["subnets"][0], outputs["subnets"][1]);
    assert_ne!(
        outputs["addresses"][0], outputs["addresses"][1],
        "two of the same content are two"
    );
    matches(&outputs["group"], "tasks-[0-9]{26}");
    assert_eq!(outputs["role"], "arn:aws:iam::210987654321:role/task");
    matches(
        &outputs["front"][0],
        "arn:aws:elasticloadbalancing:eu-central-1:210987654321:loadbalancer/app/front/[0-9a-f]{16}",
    );
    matches(
        &outputs["front"][1],
        "front-[0-9]{10}\\.eu-central-1\\.elb\\.amazonaws\\.com",
    );
    matches(
        &outputs["certificate"]["resource_record_name"],
        "_[0-9a-f]{32}\\.api\\.example\\.com\\.",
    );
    assert_eq!(outputs["certificate"]["resource_record_type"], "CNAME");
    matches(
        &outputs["cluster"][0],
        "https://[A-Z2-7]{32}\\.gr7\\.eu-central-1\\.eks\\.amazonaws\\.com",
    );
    matches(&outputs["cluster"][1], "[A-Za-z0-9+/=]+");
    matches(
        &outputs["cluster"][2],
        "https://oidc\\.eks\\.eu-central-1\\.amazonaws\\.com/id/[A-Z2-7]{32}",
    );
    let key = outputs["key"][0].as_str().expect("an id");
    matches(
        &outputs["key"][0],
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}",
    );
    assert_eq!(
        outputs["key"][1],
        format!("arn:aws:kms:eu-central-1:210987654321:key/{key}")
    );
    let issuer = outputs["issuer"][0].as_str().expect("a text");
    let host = issuer.strip_prefix("https://").expect("an address");
    assert_eq!(
        outputs["issuer"][1],
        format!("arn:aws:iam::210987654321:oidc-provider/{host}")
    );
    assert_eq!(
        outputs["policy"],
        "arn:aws:iam::210987654321:policy/serving/read"
    );
    let suffix = outputs["listener"][1].as_str().expect("a text");
    assert_eq!(
        outputs["front"][0],
        format!("arn:aws:elasticloadbalancing:eu-central-1:210987654321:loadbalancer/{suffix}")
    );
    matches(
        &outputs["listener"][0],
        &format!(
            "arn:aws:elasticloadbalancing:eu-central-1:210987654321:listener/{suffix}/[0-9a-f]{{16}}"
        ),
    );
    matches(&outputs["image"], "ami-[0-9a-f]{17}");
    assert_eq!(outputs["password"], 24);
    assert_eq!(outputs["kind"], "ConfigMap");
    root.succeeds(&["plan", "-input=false", "-detailed-exitcode"]);
}

#[test]
fn the_same_configuration_gives_the_same_fakes_and_a_seed_gives_others() {
    let test = "the_same_configuration_gives_the_same_fakes_and_a_seed_gives_others";
    let made = |seed| {
        let root = Root::seeded(test, "applied", seed)?;
        root.apply();
        Some(root.outputs())
    };
    let (Some(first), Some(second), Some(other)) = (made(""), made(""), made("another")) else {
        return;
    };
    assert_eq!(first["front"], second["front"]);
    assert_eq!(first["subnets"], second["subnets"]);
    assert_ne!(first["front"], other["front"]);
}

#[test]
fn an_update_in_place_keeps_what_was_computed() {
    let Some(root) = Root::of("an_update_in_place_keeps_what_was_computed", "applied") else {
        return;
    };
    root.apply();
    let before = root.outputs();
    fs::write(
        root.path("terraform.tfvars"),
        "tags = { changed = \"yes\" }\n",
    )
    .expect("a writable directory");
    let plan = root.plan();
    let vpc = change(&plan, "aws_vpc.main");
    assert_eq!(vpc["actions"], json!(["update"]));
    assert_eq!(vpc["after"]["id"], before["vpc"][0], "known at plan");
    assert_eq!(vpc["after"]["tags_all"], json!({"changed": "yes"}));
    let template = change(&plan, "aws_launch_template.tasks");
    assert_eq!(template["after_unknown"]["latest_version"], true);
    root.apply();
    let mut after = root.outputs();
    assert_eq!(
        (&before["version"], &after["version"]),
        (&json!(1), &json!(2)),
        "each change is another version"
    );
    after["version"] = before["version"].clone();
    assert_eq!(after, before);
}

#[test]
fn the_transcript_tells_what_was_planned_applied_read_and_deleted_but_no_secret() {
    let test = "the_transcript_tells_what_was_planned_applied_read_and_deleted_but_no_secret";
    let Some(root) = Root::of(test, "applied") else {
        return;
    };
    root.apply();
    root.succeeds(&["destroy", "-auto-approve", "-input=false"]);
    let transcript = root.transcript();
    let lines = |event: &str, kind: &str| -> Vec<&Value> {
        let of = |line: &&Value| line["event"] == event && line["type"] == kind;
        transcript.iter().filter(of).collect()
    };
    assert_eq!(
        lines("plan_create", "aws_vpc")[0]["object"]["id"],
        "(known after apply)"
    );
    let created = lines("create", "aws_vpc");
    assert_eq!(created.len(), 1);
    assert_eq!(created[0]["provider"], "aws");
    matches(&created[0]["object"]["id"], "vpc-[0-9a-f]{17}");
    assert_eq!(created[0]["object"]["cidr_block"], "10.0.0.0/16");
    assert_eq!(lines("create", "aws_subnet").len(), 2);
    assert_eq!(lines("delete", "aws_subnet").len(), 2);
    assert_eq!(lines("create", "helm_release")[0]["provider"], "helm");
    assert!(!lines("read", "data.aws_subnets").is_empty());
    assert_eq!(
        lines("create", "aws_ssm_parameter")[0]["object"]["value"],
        "(sensitive)"
    );
    let text = fs::read_to_string(root.path("transcript.jsonl")).expect("a transcript");
    assert!(!text.contains("hunter2"));
}

#[test]
fn an_import_has_the_id_that_was_asked_for() {
    let Some(root) = Root::of("an_import_has_the_id_that_was_asked_for", "imported") else {
        return;
    };
    let plan = root.plan();
    let found = change(&plan, "aws_vpc.found");
    assert_eq!(found["importing"]["id"], "vpc-0123456789abcdef0");
    assert_eq!(
        found["actions"],
        json!(["update"]),
        "only the configured attributes differ"
    );
    root.apply();
    let state = root.json(&["show", "-json"]);
    let values = &state["values"]["root_module"]["resources"][0]["values"];
    assert_eq!(values["id"], "vpc-0123456789abcdef0");
    matches(
        &values["arn"],
        "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0123456789abcdef0",
    );
}

#[test]
fn a_state_of_an_older_schema_passes_through() {
    let Some(root) = Root::of("a_state_of_an_older_schema_passes_through", "upgraded") else {
        return;
    };
    root.apply();
    let state = root.json(&["show", "-json"]);
    let resource = &state["values"]["root_module"]["resources"][0];
    assert_eq!(resource["values"]["result"], "abcdefgh");
    assert_eq!(resource["schema_version"], 3);
}

#[test]
fn policy_documents_are_rendered_as_the_provider_renders_them() {
    let Some(root) = Root::of(
        "policy_documents_are_rendered_as_the_provider_renders_them",
        "policy",
    ) else {
        return;
    };
    root.apply();
    let outputs = root.outputs();
    let expected = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:GetObject"],
                "Resource": ["arn:aws:s3:::models/*", "arn:aws:s3:::models"],
            },
            { "Sid": "Write", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*" },
            {
                "Effect": "Deny",
                "Action": "s3:*",
                "Resource": "*",
                "Principal": "*",
                "Condition": {
                    "Bool": { "aws:SecureTransport": "false" },
                    "StringNotEquals": { "aws:SourceVpce": ["vpce-2", "vpce-1"] },
                },
            },
        ],
    });
    assert_eq!(outputs["all"], expected);
    assert_eq!(
        outputs["images"],
        json!({ "rules": [{
            "rulePriority": 1,
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": ["v*"],
                "countType": "imageCountMoreThan",
                "countNumber": 30,
            },
            "action": { "type": "expire" },
        }] })
    );
    let minified = outputs["minified"].as_str().expect("a text");
    assert!(
        minified.starts_with(r#"{"Version":"2012-10-17","Statement":[{"#),
        "{minified}"
    );
    assert_eq!(
        outputs["trust"]["Statement"][0]["Principal"],
        json!({
            "AWS": "arn:aws:iam::123456789012:root",
            "Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"],
        })
    );
}

/// What terraform says about a schema, without words and without what it does not tell for false.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let words = ["description", "description_kind", "deprecated", "rules"];
            let kept = fields.iter().filter(|(name, value)| {
                !words.contains(&name.as_str()) || value.is_object() && name.as_str() != "rules"
            });
            Value::Object(
                kept.map(|(name, value)| (name.clone(), bare(value)))
                    .collect(),
            )
        }
        Value::Array(elements) => elements.iter().map(bare).collect(),
        other => other.clone(),
    }
}

#[test]
fn every_schema_is_served_exactly_as_the_facts_have_it() {
    let Some(root) = Root::of(
        "every_schema_is_served_exactly_as_the_facts_have_it",
        "schemas",
    ) else {
        return;
    };
    let answer = root.json(&["providers", "schema", "-json"]);
    let served = answer["provider_schemas"].as_object().expect("schemas");
    assert_eq!(served.len(), 8);
    let mut different = BTreeMap::new();
    let mut compared = 0;
    for (address, served) in served {
        let name = address.rsplit('/').next().expect("a name");
        let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("facts/{name}.json"));
        let facts = fs::read_to_string(facts).expect("a facts file");
        let facts: Value = serde_json::from_str(&facts).expect("JSON");
        assert_eq!(
            bare(&facts["provider"]["block"]),
            bare(&served["provider"]["block"]),
            "provider {name}"
        );
        for kind in ["resource_schemas", "data_source_schemas"] {
            let empty = serde_json::Map::new();
            let expected = facts[kind].as_object().unwrap_or(&empty);
            let served = served[kind].as_object().unwrap_or(&empty);
            assert!(
                expected.keys().eq(served.keys()),
                "{name} does not serve the {kind} that it has"
            );
            for (of, expected) in expected {
                compared += 1;
                if bare(&expected["block"]) != bare(&served[of]["block"]) {
                    different.insert(
                        format!("{kind} {of}"),
                        (bare(&expected["block"]), bare(&served[of]["block"])),
                    );
                }
                let version = expected["version"].as_u64().unwrap_or(0);
                assert_eq!(served[of]["version"], version, "{of}");
            }
        }
    }
    assert!(compared > 350, "only {compared} were compared");
    let names: Vec<_> = different.keys().collect();
    assert!(
        different.is_empty(),
        "{names:?}\nthe first: {:#?}",
        different.first_key_value()
    );
}
