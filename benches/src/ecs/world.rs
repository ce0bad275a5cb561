//! A world with containers, what a platform team has in it, and endpoints that are written for it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::builds::Builds;
use crate::part::{ACCESS_KEY, Part, SECRET_KEY};
use crate::terraform::{Provider, Workspace, requiring_with};

/// It ends when this is dropped.
pub(super) struct World<'a> {
    pub(super) builds: &'a Builds,
    /// The API of AWS.
    pub(super) part: Part,
    /// What is there before the first endpoint, as `ecs_world platform` says.
    pub(super) platform: Value,
}

impl<'a> World<'a> {
    pub(super) fn start(builds: &'a Builds) -> Result<Self> {
        let part = Part::start(builds, "ecs-world")?;
        let platform = Command::new(builds.ecs_world()?)
            .args(["platform", &part.details])
            .output();
        let platform = said(platform, "ecs_world platform")?;
        Ok(Self {
            builds,
            part,
            platform: serde_json::from_str(&platform).context("a platform")?,
        })
    }

    /// An image of a server that answers each request, by its digest.
    pub(super) fn image(&self, name: &str) -> Result<String> {
        let made = Command::new("python3")
            .arg(self.builds.root.join("scripts/parts/images.py"))
            .args([&self.part.details, name, "fixture"])
            .arg(format!("--command=[\"VERSION={name}\"]"))
            .stderr(Stdio::inherit())
            .output();
        said(made, "scripts/parts/images.py")
    }

    /// A project of so many endpoints that run the image of the variable `image`. AWS is reached at one URL, the registry at another.
    pub(super) fn endpoints(&self, count: usize, aws: &str, registry: &str) -> Result<Workspace> {
        let provider = Provider {
            name: "mlops",
            binary: self.builds.provider()?,
        };
        let head = requiring_with("mlops", &self.provider(aws, registry)?);
        let endpoint = self.endpoint()?;
        let config = format!(
            "{head}variable \"image\" {{\n  type = string\n}}\n\nresource \"mlops_endpoint\" \"each\" {{\n  count = {count}\n  {endpoint}\n}}\n"
        );
        Workspace::new(self.builds, Some(&provider), &config)
    }

    fn provider(&self, aws: &str, registry: &str) -> Result<String> {
        let (table, bucket) = (
            self.told("/registry/table")?,
            self.told("/registry/bucket")?,
        );
        let region = self.told("/region")?;
        Ok(format!(
            r#"provider "mlops" {{
  region                      = {region}
  access_key                  = "{ACCESS_KEY}"
  secret_key                  = "{SECRET_KEY}"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  # All that a plan asks, or it waits for AWS itself.
  endpoints {{
    acm            = "{aws}"
    appautoscaling = "{aws}"
    cloudwatch     = "{aws}"
    ec2            = "{aws}"
    ecr            = "{aws}"
    ecs            = "{aws}"
    elbv2          = "{aws}"
    iam            = "{aws}"
    kms            = "{aws}"
    logs           = "{aws}"
    route53        = "{aws}"
    secretsmanager = "{aws}"
    servicequotas  = "{aws}"
    dynamodb       = "{registry}"
    s3             = "{registry}"
  }}
  registry {{
    table  = {table}
    bucket = {bucket}
  }}
}}"#
        ))
    }

    fn endpoint(&self) -> Result<String> {
        let told = |what: &str| self.told(what);
        Ok(format!(
            r#"name  = "bench-${{count.index}}"
  variants = {{
    main = {{
      image     = var.image
      cpu       = 256
      memory_mb = 512
      traffic   = 100
    }}
  }}
  ecs {{
    cluster_arn        = {cluster}
    execution_role_arn = {execution}
    task_role_arn      = {task}
  }}
  network {{
    subnets         = {subnets}
    security_groups = {groups}
  }}
  ingress {{
    load_balancer_arn = {balancer}
    port_range        = "20000-20099"
  }}
  health_check {{
    interval          = "5s"
    timeout           = "2s"
    healthy_threshold = 2

    # Time that a user asks for is none that is lost.
    stabilization_window = "0s"
  }}
  rollout {{
    strategy        = "CANARY"
    steps           = [{{ traffic = {candidate}, bake = "{bake}s" }}, {{ traffic = 100 }}]
    terminate_after = "0s"
  }}
  drain_seconds = 1"#,
            cluster = told("/cluster_arn")?,
            execution = told("/execution_role_arn")?,
            task = told("/task_role_arn")?,
            subnets = told("/subnets")?,
            groups = told("/security_groups")?,
            balancer = told("/load_balancer_arn")?,
            candidate = super::waiting::CANDIDATE,
            bake = super::waiting::BAKE.as_secs(),
        ))
    }

    /// What the platform says there, as HCL: its strings and lists are JSON's.
    fn told(&self, what: &str) -> Result<String> {
        let told = self.platform.pointer(what);
        told.map(Value::to_string)
            .with_context(|| format!("the platform says nothing of {what}"))
    }
}

/// What a program that ended well said.
pub(super) fn said(ended: std::io::Result<std::process::Output>, name: &str) -> Result<String> {
    let ended = ended.with_context(|| format!("cannot run {name}"))?;
    ensure!(
        ended.status.success(),
        "{name} failed ({}): {}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}
