//! Who uses a version: the endpoints that are bound to it, and the aliases that mean it.

use super::documents::{self, Document};
use super::{Alias, Binding, Registry, Version, keys};
use crate::error::{Error, Result};
use crate::names::{ModelName, VersionId};
use crate::records::{Item, Write};

impl Registry {
    /// Aliases and endpoints that refer to a version, as people read them.
    pub async fn users_of(&self, id: &VersionId) -> Result<Vec<String>> {
        let partition = keys::model_partition(&id.model);
        let aliases = self
            .all_documents::<Alias>(&partition, keys::ALIASES)
            .await?;
        let bindings = self
            .all_documents::<Binding>(&partition, &keys::bindings_of(id.version))
            .await?;
        let aliases = aliases
            .into_iter()
            .filter(|alias| alias.body.version == Some(id.version))
            .map(|alias| format!("alias {}", alias.body.id()));
        let endpoints = bindings
            .into_iter()
            .map(|binding| format!("endpoint {}", binding.body.endpoint));
        Ok(aliases.chain(endpoints).collect())
    }

    /// The endpoints that are bound to versions of a model.
    pub async fn bindings(&self, model: &ModelName) -> Result<Vec<Binding>> {
        let all = self
            .all_documents::<Binding>(&keys::model_partition(model), keys::BINDINGS)
            .await?;
        Ok(all.into_iter().map(|binding| binding.body).collect())
    }

    /// The writes that bind an endpoint to a version, to ride in the commit that records the
    /// endpoint's intent; empty if it is bound. Refused for a version that does not exist, is
    /// archived or rejected, naming the way out. The commit fails if that changes before it.
    pub async fn bind_writes(&self, id: &VersionId, endpoint: &str) -> Result<Vec<Write>> {
        let items = self
            .inner
            .records
            .get(&[keys::version(id), keys::binding(id, endpoint)])
            .await?;
        let mut items = items.into_iter();
        let version = items.next().flatten().map(Document::read).transpose()?;
        let Some(version) = version else {
            return Err(self.absent(id).await?);
        };
        if items.next().flatten().is_some() {
            return Ok(Vec::new());
        }
        bindable(&version.body, &format!("endpoint {endpoint}"))?;
        let binding = Binding {
            version: id.clone(),
            endpoint: endpoint.to_owned(),
            at: self.inner.clock.now(),
        };
        Ok(vec![
            version.write()?,
            documents::create(keys::binding(id, endpoint), &binding)?,
        ])
    }

    /// The writes that unbind an endpoint from a version; empty if it is not bound.
    pub async fn unbind_writes(&self, id: &VersionId, endpoint: &str) -> Result<Vec<Write>> {
        let key = keys::binding(id, endpoint);
        let found: Vec<Option<Item>> = self.inner.records.get(&[key]).await?;
        Ok(found
            .into_iter()
            .flatten()
            .map(|item| documents::delete(item.key, item.revision))
            .collect())
    }
}

/// Refuses new bindings to versions that are archived or rejected. Pure: plans ask too.
pub fn bindable(version: &Version, to: &str) -> Result<()> {
    let id = &version.id;
    if version.is_archived() {
        return Err(Error::invalid(format!(
            "version {id} is archived and cannot be bound to {to}; choose an active version, or register the model again"
        ))
        .at("version"));
    }
    if version.is_rejected() {
        return Err(Error::invalid(format!(
            "version {id} was rejected and cannot be bound to {to}; choose another version, or approve it"
        ))
        .at("version"));
    }
    Ok(())
}
