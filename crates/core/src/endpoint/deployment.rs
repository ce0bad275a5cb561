//! Who a deployment is: the same request on the same base is the same deployment.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::spec::EndpointSpec;
use crate::error::{Error, Result};

/// `hash(identity, specification, base revision)`, 32 hexadecimal digits.
///
/// The base revision is the registry's monotonic endpoint revision that the plan started from, so
/// A -> B -> A are three deployments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// The id of deploying `spec` on `base`; `None` as specification is a delete.
    pub fn new(identity: &str, spec: Option<&EndpointSpec>, base: u64) -> Result<Self> {
        // A JSON array separates its fields by itself; maps inside are sorted (BTreeMap).
        let content = serde_json::to_vec(&(identity, spec, base))
            .map_err(|e| Error::bug("a specification could not be written as JSON").because(e))?;
        let digest = Sha256::digest(content);
        Ok(Self(
            digest[..16].iter().map(|b| format!("{b:02x}")).collect(),
        ))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, for derived names.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One try at a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentRef {
    /// Which deployment.
    pub id: DeploymentId,
    /// Which try, from 1: a deployment that failed is tried again under the next number.
    pub attempt: u32,
}

impl fmt::Display for DeploymentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id.short(), self.attempt)
    }
}
