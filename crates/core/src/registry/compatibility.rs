//! Which signature a new version may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::lately::Lately;
use super::{ModelSpec, Registry};
use crate::error::{Error, Result};
use crate::names::{ModelName, VersionId};
use crate::signature::{self, Compatibility, Signature};

/// For how long plans trust what they saw: a thousand resources ask within a few seconds.
const FRESH: Duration = Duration::from_secs(1);

/// The newest signatures of models, as plans saw them a moment ago.
pub(super) type Newest = Mutex<HashMap<ModelName, Arc<Lately<Option<(VersionId, Signature)>>>>>;

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
        let newest = self.newest_lately(model).await?;
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

    /// As [`Self::newest_signature`], a moment ago.
    async fn newest_lately(&self, model: &ModelName) -> Result<Option<(VersionId, Signature)>> {
        let clock = &*self.inner.clock;
        let newest = {
            let now = clock.elapsed();
            let all = self.inner.newest.lock();
            let mut all = all.unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, newest| newest.serves(now, FRESH));
            Arc::clone(all.entry(model.clone()).or_default())
        };
        newest.get(clock, FRESH, self.newest_signature(model)).await
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
