//! How many calls the server sees.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{cli, head};
use crate::builds::Builds;
use crate::counter::Counter;
use crate::part::Part;
use crate::table::{Table, at_most};
use crate::terraform::{Provider, Workspace};

/// Calls of DynamoDB in the refresh of that many versions of one model, and of that many models of one version each. An AWS
/// provider makes three a resource.
const VERSIONS_REFRESH: usize = 25;
const MODELS_REFRESH: usize = 60;
/// Calls of DynamoDB for each version that is registered.
const EACH_APPLY: f64 = 3.0;
/// The bounds hold for this number of resources.
const ASKED: usize = 1000;

pub(super) fn run(builds: &Builds, count: usize) -> Result<()> {
    let provider = Provider {
        name: "mlops",
        binary: builds.provider()?,
    };
    let graph = builds.quickstart("models/digits-v1.onnx")?;
    let part = Part::start(builds, "ministack")?;
    cli::make_table(builds, &part.url)?;
    cli::make_bucket(builds, &part.url)?;
    let (dynamodb, s3) = (Counter::before(&part.url)?, Counter::before(&part.url)?);
    let mut table = Table::new(
        format!("Registry on AWS: calls at parallelism 10, {count} versions"),
        &["what", "DynamoDB", "at most", "", "of which", "S3"],
    );
    for (shape, models, versions, bound) in [
        ("versions of one model", 1, count, VERSIONS_REFRESH),
        ("models of one version each", count, count, MODELS_REFRESH),
    ] {
        println!("aws: {shape}");
        let config = config(&head(&dynamodb.url, &s3.url), models, versions);
        let workspace = Workspace::new(builds, Some(&provider), &config)?;
        std::fs::copy(&graph, workspace.path().join("model.onnx"))
            .with_context(|| format!("cannot copy {}", graph.display()))?;
        workspace.run(&["plan", "-input=false", "-out=planned"])?;
        dynamodb.take();
        s3.take();
        workspace.run(&["apply", "-input=false", "planned"])?;
        let (records, objects) = (dynamodb.take(), s3.take());
        let each = total(&records) as f64 / versions as f64;
        let bound_each = (models == 1).then_some(EACH_APPLY);
        table.row(vec![
            format!("apply, {shape}: each"),
            format!("{each:.2}"),
            bound_each.map_or_else(|| "-".to_owned(), |bound| bound.to_string()),
            bound_each
                .map_or("", |bound| at_most(each, bound))
                .to_owned(),
            told(&records),
            told(&objects),
        ]);
        workspace.run(&["plan", "-input=false", "-refresh-only"])?;
        let (records, objects) = (dynamodb.take(), s3.take());
        let asked = count == ASKED;
        table.row(vec![
            format!("refresh, {shape}: in all"),
            total(&records).to_string(),
            if asked {
                bound.to_string()
            } else {
                "-".to_owned()
            },
            if asked {
                at_most(total(&records) as f64, bound as f64).to_owned()
            } else {
                String::new()
            },
            told(&records),
            told(&objects),
        ]);
        workspace.run(&["destroy", "-input=false", "-auto-approve"])?;
        dynamodb.take();
        s3.take();
    }
    print!("{table}");
    Ok(())
}

fn config(head: &str, models: usize, versions: usize) -> String {
    // Models of one shape are named after their number, so that both shapes live in one registry.
    format!(
        "{head}resource \"mlops_model\" \"each\" {{\n  count         = {models}\n  name          = \"bench-{models}-${{count.index}}\"\n  force_destroy = true\n}}\n\n\
         resource \"mlops_model_version\" \"each\" {{\n  count           = {versions}\n  model           = mlops_model.each[count.index % {models}].name\n  \
         source          = \"${{path.module}}/model.onnx\"\n  params          = {{ number = tostring(count.index) }}\n  deletion_policy = \"DELETE\"\n}}\n"
    )
}

fn total(counts: &BTreeMap<String, usize>) -> usize {
    counts.values().sum()
}

fn told(counts: &BTreeMap<String, usize>) -> String {
    let each: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    each.join(", ")
}
