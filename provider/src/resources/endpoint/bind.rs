//! From a variant's model and version, or alias, to the bytes that it serves. An image is bound to nothing.

use std::collections::BTreeMap;

use mlops_core::endpoint::EndpointRecord;
use mlops_core::names::{AliasId, ModelName, VersionId};
use mlops_core::registry::{Version, bindable};
use mlops_core::{Class, Error};
use tfplugin::{Attr, Diagnostic, Diagnostics};

use super::model::{Bound, variant_error, variant_path};
use super::schema::{Runs, State, Variant};
use crate::client::Client;
use crate::diagnose;
use crate::resources::convert;
use crate::siblings::{PlannedAlias, PlannedVersion};

/// The versions that the variants are bound to.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    /// What the versions are that this run will register, by variant.
    pub(crate) planned: BTreeMap<String, PlannedVersion>,
    /// Those that are known, by variant.
    pub(crate) bound: BTreeMap<String, Version>,
    /// What is not there although it is named; at plan a warning, at apply an error.
    pub(crate) missing: Vec<Diagnostic>,
}

impl Bindings {
    /// What a specification needs of them.
    pub(crate) fn bound(&self) -> BTreeMap<String, Bound> {
        let bound = |version: &Version| Bound {
            version: version.id.version,
            digest: version.digest().to_string(),
            image: version.spec.image.as_ref().map(|image| image.uri.clone()),
        };
        self.bound
            .iter()
            .map(|(variant, version)| (variant.clone(), bound(version)))
            .collect()
    }

    /// The image that a variant's version is; `None` if it is a model's files, which the model server loads.
    pub(crate) fn image(&self, variant: &str) -> Option<Attr<String>> {
        match self.bound.get(variant) {
            Some(version) => {
                let image = version.spec.image.as_ref()?;
                Some(image.uri.clone().into())
            }
            None => match self.planned.get(variant)? {
                PlannedVersion::Files => None,
                PlannedVersion::Image(image) => Some(image.clone().into()),
                PlannedVersion::Unknown => Some(Attr::Unknown),
            },
        }
    }

    /// Whether nobody knows yet if a variant's version is an image.
    pub(crate) fn is_undecided(&self, variant: &str) -> bool {
        match self.planned.get(variant) {
            Some(planned) => *planned == PlannedVersion::Unknown,
            None => !self.bound.contains_key(variant),
        }
    }

    /// The number of a variant's version, if it is known.
    pub(crate) fn version(&self, variant: &str) -> Attr<u64> {
        self.bound
            .get(variant)
            .map_or(Attr::Unknown, |version| version.id.version.into())
    }
}

/// Looks up what each variant is bound to. A variant whose version is not known yet is left out.
///
/// A version that is archived or rejected is refused, unless `record` says that the variant runs it
/// already: what is bound goes on serving.
pub(crate) async fn bind(
    client: &Client,
    state: &State,
    record: Option<&EndpointRecord>,
) -> Result<Bindings, Diagnostics> {
    let mut bindings = Bindings::default();
    let mut problems = Diagnostics::new();
    for (name, variant) in state.variants.known().into_iter().flatten() {
        if variant.runs() == Runs::Image {
            continue;
        }
        match find(client, name, variant).await {
            Ok(Some(version)) => {
                let runs = record.is_some_and(|record| runs(record, name, &version.id));
                match bindable(&version, &format!("variant {name}")) {
                    Err(error) if !runs => problems.push(refused(name, variant, &error)),
                    _ => drop(bindings.bound.insert(name.clone(), version)),
                }
            }
            Ok(None) => {
                let model = variant.model.as_str().and_then(|model| model.parse().ok());
                let planned = model.and_then(|model| client.siblings.version(&model));
                (bindings.planned).extend(planned.map(|planned| (name.clone(), planned)));
            }
            Err(error) if error.class() == Class::NotFound => {
                let detail = format!("{error}.");
                bindings.missing.push(variant_error(
                    name,
                    field(variant),
                    "The version does not exist",
                    detail,
                ));
            }
            Err(error) => problems.push(refused(name, variant, &error)),
        }
    }
    if problems.has_errors() {
        Err(problems)
    } else {
        Ok(bindings)
    }
}

fn runs(record: &EndpointRecord, variant: &str, id: &VersionId) -> bool {
    record.running.iter().any(|(name, revision)| {
        name.as_str() == variant && revision.workload.version_id().as_ref() == Some(id)
    })
}

/// The attribute that names the version.
fn field(variant: &Variant) -> &'static str {
    if variant.model_alias.is_null() {
        "model_version"
    } else {
        "model_alias"
    }
}

fn refused(name: &str, variant: &Variant, error: &Error) -> Diagnostic {
    diagnose::failed("The version cannot be served", error).at(variant_path(name, field(variant)))
}

/// The version of a variant; `None` while it is not known.
async fn find(
    client: &Client,
    name: &str,
    variant: &Variant,
) -> mlops_core::Result<Option<Version>> {
    let Some(Some(model)) = convert::known(&variant.model) else {
        return Ok(None);
    };
    let model: ModelName = model
        .parse::<ModelName>()
        .map_err(|error| error.at(format!("variants.{name}.model")))?;
    let number = match (&variant.model_version, &variant.model_alias) {
        (Attr::Known(number), _) => *number,
        (Attr::Null, Attr::Known(alias)) => {
            let id = AliasId {
                model: model.clone(),
                alias: alias.parse()?,
            };
            match target(client, &id).await? {
                Some(number) => number,
                None => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    let id = VersionId {
        model,
        version: number,
    };
    match client.registry.version(&id).await? {
        Some(version) => Ok(Some(version)),
        None => Err(client.absent(&format!("version {id}"))),
    }
}

/// Where an alias points, or will; `None` while this run has yet to decide that.
async fn target(client: &Client, id: &AliasId) -> mlops_core::Result<Option<u64>> {
    match client.siblings.alias(id) {
        Some(PlannedAlias::Version(version)) => return Ok(Some(version)),
        Some(PlannedAlias::Unknown) => return Ok(None),
        Some(PlannedAlias::Elsewhere) | None => {}
    }
    match client.registry.alias(id).await? {
        Some(alias) => match alias.version {
            Some(version) => Ok(Some(version)),
            None => Err(client.absent(&format!("a target of alias {id}"))),
        },
        None => Err(client.absent(&format!("alias {id}"))),
    }
}
