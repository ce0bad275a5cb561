//! `modules/registry` applied to a part, through the stand-in for the AWS provider.

use std::process::Command;

use serde_json::Value;

use crate::iam::Policy;
use crate::{Builds, Engine, Part, builds};

/// The module's table, bucket, key and policies, in a part.
#[derive(Debug)]
pub struct RegistryModule {
    /// Terraform's state.
    state: Value,
}

impl RegistryModule {
    /// Applies the module under this name, with the prefix `ml` and a policy for each kind of access.
    ///
    /// # Panics
    /// If that fails.
    pub fn apply(part: &Part, name: &str) -> Self {
        let root = builds::root();
        let dir = tempfile::tempdir().expect("a directory can be made");
        let module = root.join("modules/registry");
        let configuration = format!(
            r#"provider "aws" {{
  region = "eu-west-1"
}}

module "registry" {{
  source = {module:?}

  name      = {name:?}
  artifacts = {{ prefix = "ml" }}
  access    = {{ for can in ["read", "publish", "deploy", "sweep"] : can => {{ can = can }} }}
}}

output "registry" {{
  value = module.registry.registry
}}
"#
        );
        std::fs::write(dir.path().join("main.tf"), configuration)
            .expect("the configuration is written");
        let stub = Builds::get().provider.with_file_name("tfplugin-stub");
        let plugins = dir.path().join("plugins");
        let placed = Command::new("bash")
            .args([
                "-c",
                r#"set -eu; ROOT=$1; . "$ROOT/scripts/tools.sh"; install_stub "$2" "$3""#,
                "bash",
            ])
            .args([&root, &stub, &plugins])
            .status()
            .expect("bash runs");
        assert!(placed.success(), "{} is not placed", stub.display());
        for arguments in [
            &["init", "-input=false", "-plugin-dir=plugins"][..],
            &["apply", "-input=false", "-auto-approve"],
        ] {
            let mut command = Engine::get().command(dir.path(), dir.path(), arguments);
            command.env("TFPLUGIN_STUB_ENDPOINT", &part.url);
            let ended = command.output().expect("the engine runs");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "{arguments:?}: {said}");
        }
        let state = std::fs::read(dir.path().join("terraform.tfstate")).expect("a state");
        let state = serde_json::from_slice(&state).expect("JSON");
        Self { state }
    }

    /// The policy of this name in `access`.
    ///
    /// # Panics
    /// If there is none.
    pub fn policy(&self, name: &str) -> Policy {
        let resources = self.state["resources"].as_array().expect("resources");
        let policies = resources
            .iter()
            .find(|resource| resource["type"] == "aws_iam_policy" && resource["name"] == "access");
        let instances = policies.and_then(|policies| policies["instances"].as_array());
        let policy = instances
            .into_iter()
            .flatten()
            .find(|instance| instance["index_key"] == name)
            .unwrap_or_else(|| panic!("no policy {name}"));
        let document = &policy["attributes"]["policy"];
        Policy::read(document.as_str().expect("a document"))
    }
}
