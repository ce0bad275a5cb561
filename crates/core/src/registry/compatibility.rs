//! Which signature a new version may have.

use std::sync::PoisonError;
use std::time::Duration;

use super::{ModelSpec, Registry};
use crate::error::{Error, Result};
use crate::names::{ModelName, VersionId};
use crate::signature::{self, Compatibility, Signature};

/// For how long plans trust what they saw: a thousand resources ask within a few seconds.
const FRESH: Duration = Duration::from_secs(1);

/// The newest signature of a model, as seen at a time.
pub(super) struct Newest {
    seen: Duration,
    signature: Option<(VersionId, Signature)>,
}

/// A model's rules, its name, and the signature of a new version of it.
pub(super) type Protected<'a> = (&'a ModelSpec, &'a ModelName, Option<&'a Signature>);

impl Registry {
    /// Refuses a signature that breaks the callers whom the model's `signature_compatibility`
    /// protects, compared with the newest version as it was a second ago at most. Plans ask; a registration compares again,
    /// exactly. A signature that nobody could read is not compared.
    pub async fn check_signature(
        &self,
        spec: &ModelSpec,
        model: &ModelName,
        signature: Option<&Signature>,
    ) -> Result<()> {
        let protected = (spec, model, signature);
        if !is_protected(protected) {
            return Ok(());
        }
        let lock = || {
            let newest = self.inner.newest.lock();
            newest.unwrap_or_else(PoisonError::into_inner)
        };
        let now = self.inner.clock.elapsed();
        let known = {
            let mut newest = lock();
            newest.retain(|_, newest| now.saturating_sub(newest.seen) < FRESH);
            newest.get(model).map(|newest| newest.signature.clone())
        };
        let newest = match known {
            Some(newest) => newest,
            None => {
                let found = self.newest_signature(model).await?;
                let seen = Newest {
                    seen: now,
                    signature: found.clone(),
                };
                lock().insert(model.clone(), seen);
                found
            }
        };
        newest.map_or(Ok(()), |newest| compare(protected, &newest))
    }

    /// As [`Registry::check_signature`], with the newest version as it is now.
    pub(super) async fn check_with_newest(&self, protected: Protected<'_>) -> Result<()> {
        if !is_protected(protected) {
            return Ok(());
        }
        let newest = self.newest_signature(protected.1).await?;
        newest.map_or(Ok(()), |newest| compare(protected, &newest))
    }

    async fn newest_signature(&self, model: &ModelName) -> Result<Option<(VersionId, Signature)>> {
        let (newest, _) = self.list_versions(model, None, 1).await?;
        let mut signed = newest
            .into_iter()
            .filter_map(|version| Some((version.id, version.spec.signature?)));
        Ok(signed.next())
    }
}

/// Whether there is anything to compare.
fn is_protected((spec, _, signature): Protected<'_>) -> bool {
    signature.is_some() && spec.signature_compatibility != Compatibility::None
}

pub(super) fn compare(protected: Protected<'_>, (id, old): &(VersionId, Signature)) -> Result<()> {
    let (spec, model, Some(new)) = protected else {
        return Ok(());
    };
    if !is_protected(protected) {
        return Ok(());
    }
    let broken = signature::compatible(old, new, spec.signature_compatibility);
    if broken.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = broken.iter().map(ToString::to_string).collect();
    Err(Error::invalid(format!(
        "the signature is not compatible with {id}: {}; keep the signature, or set signature_compatibility = \"NONE\" on model {model} if every caller changes with it",
        reasons.join("; ")
    ))
    .at("source"))
}
