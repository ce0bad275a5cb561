//! What a configuration says, so that an endpoint runs in this world.

use super::EcsWorld;
use crate::Workspace;
use crate::part::registry;

impl EcsWorld {
    /// A workspace on this world's registry, with `more` in its provider block, and without a configuration.
    #[must_use]
    pub fn workspace(&self, more: &str) -> Workspace {
        registry::workspace(&self.part.url, more)
    }

    /// What an `ingress` block says of an endpoint with a listener of its own, on a port of a range.
    #[must_use]
    pub fn own_listener(&self) -> String {
        format!(
            "load_balancer_arn = {:?}\n    port_range = \"20000-20099\"",
            self.load_balancer_arn
        )
    }

    /// An endpoint with a listener of its own, whose variant `main` says `runs` and has all traffic, and that says `more` itself.
    #[must_use]
    pub fn endpoint(&self, name: &str, runs: &str, more: &str) -> String {
        endpoint(
            name,
            runs,
            &format!("{}\n  {more}", self.blocks(&self.own_listener())),
        )
    }

    /// Its cluster as an endpoint names it.
    #[must_use]
    pub fn cluster_arn(&self) -> String {
        format!(
            "arn:aws:ecs:{}:000000000000:cluster/{}",
            self.region, self.cluster
        )
    }

    /// The blocks of an endpoint in this world, with this `ingress`: `ecs`, `network`, `ingress`, and a quick `health_check`.
    #[must_use]
    pub fn blocks(&self, ingress: &str) -> String {
        let cluster = self.cluster_arn();
        let Self {
            subnets,
            security_group,
            execution_role,
            task_role,
            ..
        } = self;
        format!(
            r#"ecs {{
    cluster_arn        = "{cluster}"
    execution_role_arn = "{execution_role}"
    task_role_arn      = "{task_role}"
  }}
  network {{
    subnets         = {subnets:?}
    security_groups = ["{security_group}"]
  }}
  ingress {{
    {ingress}
  }}
  health_check {{
    interval          = "5s"
    timeout           = "2s"
    healthy_threshold = 2

    stabilization_window = "0s"
  }}"#
        )
    }

    /// The same with a cluster that the endpoint makes itself.
    #[must_use]
    pub fn blocks_with_own_cluster(&self, ingress: &str) -> String {
        let named = format!("cluster_arn        = \"{}\"", self.cluster_arn());
        let blocks = self.blocks(ingress);
        assert!(blocks.contains(&named), "{blocks}");
        blocks.replace(&named, "create_cluster     = true")
    }
}

/// An endpoint that says `blocks` itself, and whose variant `main` says `runs` and has all traffic.
#[must_use]
pub fn endpoint(name: &str, runs: &str, blocks: &str) -> String {
    format!(
        r#"
resource "mlops_endpoint" "{name}" {{
  name          = "{name}"
  drain_seconds = 1
  variants = {{
    main = {{
      traffic = 100
      {runs}
    }}
  }}
  {blocks}
}}
"#
    )
}

/// What the provider block says of the image of the model server.
#[must_use]
pub fn server_image(uri: &str) -> String {
    format!("server_image {{\n    uri = {uri:?}\n  }}")
}

/// A `rollout` that changes over at once.
pub const AT_ONCE: &str = r#"rollout {
    strategy        = "ALL_AT_ONCE"
    terminate_after = "0s"
  }"#;

/// The model `digits`, and a version of it from `model.onnx`.
pub const MODEL: &str = r#"
resource "mlops_model" "digits" {
  name = "digits"
}
resource "mlops_model_version" "digits" {
  model  = mlops_model.digits.name
  source = "model.onnx"
  lifecycle {
    create_before_destroy = true
  }
}
"#;
