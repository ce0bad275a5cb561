//! Which crate may know which: the arrows of ARCHITECTURE.md as facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use mlops_acceptance::builds;

/// What each member may depend on, of our own crates. Development dependencies do not count.
const ARROWS: [(&str, &[&str]); 13] = [
    ("tfplugin-proto", &[]),
    ("tfplugin", &["tfplugin-proto"]),
    ("mlops-core", &[]),
    ("mlops-aws", &["mlops-core"]),
    ("mlops-local", &["mlops-core"]),
    ("mlops-metrics", &["mlops-core"]),
    ("mlops-serve", &["mlops-core"]),
    (
        "terraform-provider-mlops",
        &[
            "tfplugin",
            "mlops-aws",
            "mlops-core",
            "mlops-local",
            "mlops-metrics",
            "mlops-serve",
        ],
    ),
    ("mlops-api", &["mlops-core"]),
    (
        "mlops-cli",
        &[
            "mlops-core",
            "mlops-api",
            "mlops-aws",
            "mlops-local",
            "mlops-metrics",
            "mlops-serve",
        ],
    ),
    ("mlops-acceptance", &[]),
    ("tfplugin-stub", &["tfplugin"]),
    ("mlops-bench", &[]),
];

/// Crates of others that only some members may know.
const FOREIGN: [(&str, &[&str]); 15] = [
    ("tonic", &["tfplugin-proto", "tfplugin"]),
    ("tonic-prost", &["tfplugin-proto", "tfplugin"]),
    ("prost", &["tfplugin-proto", "tfplugin"]),
    ("prost-types", &["tfplugin-proto", "tfplugin"]),
    // The acceptance tests look into a registry beside its owner.
    ("rusqlite", &["mlops-local", "mlops-acceptance"]),
    ("aws-config", &["mlops-aws"]),
    ("aws-sdk-cloudwatchlogs", &["mlops-aws"]),
    ("aws-sdk-dynamodb", &["mlops-aws"]),
    ("aws-sdk-ecs", &["mlops-aws"]),
    ("aws-sdk-elasticloadbalancingv2", &["mlops-aws"]),
    ("aws-sdk-s3", &["mlops-aws"]),
    ("aws-smithy-runtime", &["mlops-aws"]),
    ("xmlparser", &["mlops-aws"]),
    ("tract-onnx", &["mlops-serve", "mlops-bench"]),
    ("axum", &["mlops-api"]),
];

/// Binaries that may name their adapters in `main.rs` and `adapters.rs` only.
const BINARIES: [(&str, &[&str]); 2] = [("provider/src", ADAPTERS), ("cli/src", ADAPTERS)];
const ADAPTERS: &[&str] = &["mlops_aws", "mlops_local", "mlops_metrics", "mlops_serve"];

fn metadata() -> Metadata {
    let manifest = builds::root().join("Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .expect("cargo metadata reads the workspace")
}

/// Dependencies of each member that end up in what it builds.
fn dependencies(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let members = metadata.workspace_packages().into_iter();
    let kept = |package: &cargo_metadata::Package| {
        let kept = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development);
        kept.map(|dependency| dependency.name.to_string()).collect()
    };
    members
        .map(|package| (package.name.to_string(), kept(package)))
        .collect()
}

#[test]
fn every_member_depends_on_what_its_arrows_allow() {
    let dependencies = dependencies(&metadata());
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for (member, used) in &dependencies {
        let Some(allowed) = allowed.get(member.as_str()) else {
            wrong.push(format!("{member} is not in the list of arrows"));
            continue;
        };
        for name in used.iter().filter(|name| dependencies.contains_key(*name)) {
            if !allowed.contains(&name.as_str()) {
                wrong.push(format!("{member} -> {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "forbidden arrows: {wrong:#?}");
    for (member, _) in ARROWS {
        assert!(
            dependencies.contains_key(member),
            "{member} is in the list of arrows and not in the workspace"
        );
    }
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let dependencies = dependencies(&metadata());
    let mut wrong = Vec::new();
    for (foreign, allowed) in FOREIGN {
        let users = dependencies
            .iter()
            .filter(|(_, used)| used.contains(foreign))
            .map(|(member, _)| member.as_str());
        wrong.extend(
            users
                .filter(|user| !allowed.contains(user))
                .map(|user| format!("{user} -> {foreign}")),
        );
    }
    assert!(wrong.is_empty(), "forbidden arrows: {wrong:#?}");
}

#[test]
fn binaries_name_their_adapters_in_two_files_only() {
    let mut wrong = Vec::new();
    for (sources, adapters) in BINARIES {
        for_each_source(&builds::root().join(sources), &mut |path, text| {
            let file = path.file_name().unwrap_or_default();
            if file == "main.rs" || file == "adapters.rs" {
                return;
            }
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if adapters.iter().any(|adapter| code.contains(adapter)) {
                    wrong.push(format!(
                        "{}:{}: {}",
                        path.display(),
                        number + 1,
                        line.trim()
                    ));
                }
            }
        });
    }
    assert!(
        wrong.is_empty(),
        "adapters named outside of main.rs and adapters.rs: {wrong:#?}"
    );
}

fn for_each_source(dir: &Path, visit: &mut impl FnMut(&Path, &str)) {
    let entries =
        fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            for_each_source(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
            visit(&path, &text);
        }
    }
}
