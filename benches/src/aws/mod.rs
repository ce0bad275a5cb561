//! The registry on AWS, as emulators play it: how many calls a refresh and an apply make, whether many
//! processes get in each other's way, what a large upload costs, and what of its next version travels.

mod calls;
mod cli;
mod project;
mod race;
mod upload;
mod versions;

use anyhow::Result;

use crate::builds::Builds;
use crate::part;
use crate::terraform::requiring_with;

pub(crate) use self::cli::python;

const TABLE: &str = "bench";
const BUCKET: &str = "bench";

/// Measures and prints.
pub(crate) fn run(builds: &Builds, resources: usize, size_mib: u64) -> Result<()> {
    calls::run(builds, resources)?;
    race::run(builds)?;
    upload::run(builds, size_mib)?;
    versions::run(builds, size_mib)
}

/// The head of a configuration for a registry whose records and artifacts lie at these URLs.
fn head(dynamodb: &str, s3: &str) -> String {
    let block = format!(
        r#"provider "mlops" {{
  region                      = "eu-west-1"
  access_key                  = "{access}"
  secret_key                  = "{secret}"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {{
    dynamodb = "{dynamodb}"
    s3       = "{s3}"
  }}
  registry {{
    table  = "{TABLE}"
    bucket = "{BUCKET}"
  }}
}}"#,
        access = part::ACCESS_KEY,
        secret = part::SECRET_KEY,
    );
    requiring_with("mlops", &block)
}
