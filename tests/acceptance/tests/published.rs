//! What users of other tools published as failures of deployments on ECS: each has a test here that holds against it, and says so in its documentation,
//! `/// PAINS: OWNER/REPOSITORY#NUMBER`; or `/// PAINS: ` and what it was, where the code was published and no report.

use std::fs;
use std::path::Path;

use mlops_acceptance::builds;

/// What is complained of, and where; of several reports the first.
const PUBLISHED: [(&str, &str); 19] = [
    (
        "a task definition that delivery and Terraform fight about",
        "hashicorp/terraform-provider-aws#632",
    ),
    (
        "an apply that reverts what was delivered since",
        "DFE-Digital/teaching-vacancies#483",
    ),
    (
        "a count that an apply sets back, which ends tasks",
        "hashicorp/terraform-provider-aws#335",
    ),
    (
        "a count that nobody can set any more",
        "terraform-aws-modules/terraform-aws-ecs#346",
    ),
    (
        "a copy of the resource for each thing to ignore",
        "cloudposse/terraform-aws-ecs-alb-service-task#116",
    ),
    (
        "an apply that succeeds over a rollback",
        "hashicorp/terraform-provider-aws#20858",
    ),
    (
        "a wait that hangs until it times out",
        "hashicorp/terraform-provider-aws#29252",
    ),
    (
        "a wait that is long and mute",
        "reown-com/blockchain-api#46",
    ),
    (
        "a target group that is in use when it is replaced",
        "hashicorp/terraform-provider-aws#16889",
    ),
    (
        "weights that Terraform takes back",
        "hashicorp/terraform-provider-aws#43905",
    ),
    (
        "target groups that do not take turns",
        "hashicorp/terraform-provider-aws#45678",
    ),
    (
        "traffic for a target group without one healthy target",
        "aws/containers-roadmap#2853",
    ),
    (
        "a rollout outside of Terraform that every plan shows as drift",
        "NHSDigital/manage-vaccinations-in-schools#3215",
    ),
    (
        "a priority that two take at once",
        "hashicorp/terraform#24239",
    ),
    ("a port that two take at once", "the last port plus one"),
    (
        "a write that is lost",
        "a registry that reads, changes and writes back",
    ),
    (
        "a failure that nobody hears of",
        "steps that swallow errors",
    ),
    (
        "a rollback that cannot run",
        "an undo that calls a function which does not exist",
    ),
    (
        "a wait that is too short, or too long",
        "a fixed wait of 90 seconds",
    ),
];

#[test]
fn each_published_failure_is_named_by_a_test() {
    let mut named = Vec::new();
    for place in ["crates", "tests/acceptance/tests"] {
        collect(&builds::root().join(place), &mut named);
    }
    let missing: Vec<_> = PUBLISHED
        .iter()
        .filter(|(_, name)| !named.iter().any(|documentation| names(documentation, name)))
        .collect();
    assert!(missing.is_empty(), "no test holds against {missing:#?}");
}

/// The documentation of every test below, and of every function of a conformance suite, which tests call.
fn collect(directory: &Path, named: &mut Vec<String>) {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, named);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let is_suite = path
                .components()
                .any(|part| part.as_os_str() == "conformance");
            named.extend(documented(&text, is_suite));
        }
    }
}

fn documented(text: &str, is_suite: bool) -> Vec<String> {
    let (mut found, mut documentation, mut is_test) = (Vec::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            documentation += more;
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else {
            if (is_test || is_suite) && line.contains("fn ") {
                found.push(documentation.clone());
            }
            (documentation, is_test) = (String::new(), false);
        }
    }
    found
}

/// Whether it says `PAINS:` and then the name, which ends there.
fn names(documentation: &str, name: &str) -> bool {
    let Some((_, said)) = documentation.split_once("PAINS:") else {
        return false;
    };
    said.match_indices(name).any(|(at, _)| {
        let after = said[at + name.len()..].chars().next();
        !after.is_some_and(|next| next.is_ascii_alphanumeric())
    })
}

#[test]
fn only_the_documentation_of_a_test_counts_and_a_number_is_whole() {
    let text = "/// PAINS: a/b#12.\n#[test]\nfn one() {}\n/// PAINS: a/b#34.\nfn helper() {}\n";
    let found = documented(text, false);
    assert!(found.iter().any(|one| names(one, "a/b#12")));
    assert!(!found.iter().any(|one| names(one, "a/b#1")));
    assert!(!found.iter().any(|one| names(one, "a/b#34")));
    assert!(
        documented(text, true)
            .iter()
            .any(|one| names(one, "a/b#34"))
    );
}
