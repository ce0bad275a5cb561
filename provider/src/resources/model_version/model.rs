//! From `mlops_model_version`'s state to the domain and back.

use std::collections::BTreeMap;

use mlops_core::artifacts::Artifact;
use mlops_core::names::{ModelName, VersionId};
use mlops_core::registry::{
    ApprovalUpdate, Lineage, NewVersion, Smoke, Version, VersionSpec, VersionUpdate,
};
use mlops_core::signature::Signature;
use tfplugin::{Attr, Diagnostics};

use super::image;
use super::schema::{self, State};
use super::source::Content;
use crate::client;
use crate::resources::convert;
use crate::tags::{self, AllTags, Held, TagRules};

/// The model's name.
pub(crate) fn model(state: &State) -> Result<ModelName, Diagnostics> {
    convert::name(&state.model, "model")
}

/// The id, once there is one.
pub(crate) fn id(state: &State) -> Option<VersionId> {
    state.id.as_str()?.parse().ok()
}

/// The registration that a wholly known plan asks for.
pub(crate) fn registration(
    model: ModelName,
    state: &State,
    artifact: Artifact,
    content: Content,
) -> Option<NewVersion> {
    let signature = match state.signature.as_str() {
        Some(text) => Some(serde_json::from_str(text).ok()?),
        None => content.signature().cloned(),
    };
    Some(NewVersion {
        model,
        spec: VersionSpec {
            artifact,
            framework: content.framework().to_owned(),
            signature,
            image: match content {
                Content::Model(_) => None,
                Content::Image(image) => Some(image),
            },
            params: convert::known_map(&state.params)?.unwrap_or_default(),
            lineage: lineage(&state.lineage)?,
            smoke: convert::known(&state.smoke)?.and_then(|smoke| {
                Some(Smoke {
                    inputs: smoke.inputs.into_known()?,
                    expect: smoke.expect.into_known(),
                })
            }),
        },
        metrics: convert::known_map(&state.metrics)?.unwrap_or_default(),
        tags: tags::to_set(&state.tags_all)?,
        approval: approval(state)?,
        deletion_policy: convert::word_or_default(&state.deletion_policy)?,
        nonce: None,
    })
}

fn approval(state: &State) -> Option<Option<ApprovalUpdate>> {
    let status = convert::known(&state.approval_status)?;
    let description = convert::known(&state.approval_description)?;
    Some(status.and_then(|status| {
        Some(ApprovalUpdate {
            status: convert::word(&status)?,
            description,
            by: client::actor(),
        })
    }))
}

/// The lineage; the outer `None` while part of it is unknown.
pub(crate) fn lineage(lineage: &Attr<schema::Lineage>) -> Option<Option<Lineage>> {
    let lineage = match lineage {
        Attr::Known(lineage) => lineage,
        Attr::Null => return Some(None),
        Attr::Unknown => return None,
    };
    Some(Some(Lineage {
        run_id: convert::known(&lineage.run_id)?,
        git_repo: convert::known(&lineage.git_repo)?,
        git_commit: convert::known(&lineage.git_commit)?,
        parent_version: convert::known(&lineage.parent_version)?,
        datasets: convert::known_map(&lineage.datasets)?.unwrap_or_default(),
    }))
}

/// The change in place from what the state says to what is planned.
pub(crate) fn update(prior: &State, planned: &State, rules: &TagRules) -> Option<VersionUpdate> {
    let approval = approval(planned)?;
    Some(VersionUpdate {
        metrics: convert::changed(
            &convert::known_map(&prior.metrics)?,
            &convert::known_map(&planned.metrics)?,
        ),
        tags: rules.changed(&prior.tags_all, &planned.tags_all)?,
        approval: if approval == self::approval(prior)? {
            None
        } else {
            approval
        },
        deletion_policy: Some(convert::word_or_default(&planned.deletion_policy)?),
        by: client::actor(),
    })
}

/// A signature as one line of JSON, the same for equal signatures.
pub(crate) fn signature_text(signature: &Signature) -> String {
    // A struct of strings and numbers always has a JSON form.
    serde_json::to_string(signature).unwrap_or_default()
}

/// The state for what the registry holds. `known` is what Terraform last knew: it says which keys
/// are managed, and holds what only the configuration says.
pub(crate) fn state(version: &Version, known: &State, rules: &TagRules) -> State {
    let spec = &version.spec;
    let Held { tags, tags_all } = rules.read(&version.tags, &known.tags, &known.tags_all);
    let approval = version
        .approval
        .as_ref()
        .filter(|_| known.approval_status.is_known());
    State {
        id: version.id.to_string().into(),
        model: version.id.model.to_string().into(),
        version: version.id.version.into(),
        source: known.source.clone(),
        source_hash: known.source_hash.clone(),
        image: (spec.image.as_ref().zip(known.image.known()))
            .map(|(image, known)| image::state(image, known.uri.clone()))
            .into(),
        framework: spec.framework.clone().into(),
        signature: signature(spec.signature.as_ref(), &known.signature),
        metrics: convert::managed(&version.metrics, &known.metrics),
        params: convert::map_of(spec.params.clone(), &known.params),
        lineage: lineage_state(spec.lineage.as_ref(), &known.lineage),
        approval_status: approval
            .map(|approval| approval.status.as_str().to_owned())
            .into(),
        approval_description: approval
            .and_then(|approval| approval.description.clone())
            .into(),
        gate_for: known.gate_for.clone(),
        smoke: spec.smoke.as_ref().map(smoke_state).into(),
        deletion_policy: convert::text(&version.deletion_policy).into(),
        tags,
        tags_all,
        artifact_uri: version.artifact_uri.clone().into(),
        artifact_digest: version.digest().to_string().into(),
        artifact_size_bytes: version.size().into(),
        created_at: version.created_at.to_string().into(),
        gate_report: known.gate_report.clone(),
        model_diff: known.model_diff.clone(),
        timeouts: known.timeouts.clone(),
    }
}

/// The user's own text where it says the same, so that formatting is no drift.
fn signature(there: Option<&Signature>, known: &Attr<String>) -> Attr<String> {
    let written = known
        .as_str()
        .and_then(|text| serde_json::from_str::<Signature>(text).ok());
    match there {
        Some(there) if written.as_ref() == Some(there) => known.clone(),
        Some(there) => signature_text(there).into(),
        None => Attr::Null,
    }
}

fn lineage_state(there: Option<&Lineage>, known: &Attr<schema::Lineage>) -> Attr<schema::Lineage> {
    let Some(there) = there else {
        return Attr::Null;
    };
    let datasets = known
        .known()
        .map_or(Attr::Null, |known| known.datasets.clone());
    Attr::Known(schema::Lineage {
        run_id: there.run_id.clone().into(),
        git_repo: there.git_repo.clone().into(),
        git_commit: there.git_commit.clone().into(),
        parent_version: there.parent_version.clone().into(),
        datasets: convert::map_of(there.datasets.clone(), &datasets),
    })
}

fn smoke_state(smoke: &Smoke) -> schema::Smoke {
    schema::Smoke {
        inputs: smoke.inputs.clone().into(),
        expect: smoke.expect.clone().into(),
    }
}

/// A state in which nothing is known, for imports.
pub(crate) fn blank() -> State {
    State {
        id: Attr::Null,
        model: Attr::Null,
        version: Attr::Null,
        source: Attr::Null,
        source_hash: Attr::Null,
        image: Attr::Null,
        framework: Attr::Null,
        signature: Attr::Null,
        metrics: Attr::Null,
        params: Attr::Null,
        lineage: Attr::Null,
        approval_status: Attr::Null,
        approval_description: Attr::Null,
        gate_for: Attr::Null,
        smoke: Attr::Null,
        deletion_policy: Attr::Null,
        tags: Attr::Null,
        tags_all: AllTags::default(),
        artifact_uri: Attr::Null,
        artifact_digest: Attr::Null,
        artifact_size_bytes: Attr::Null,
        created_at: Attr::Null,
        gate_report: Attr::Known(BTreeMap::new()),
        model_diff: Attr::Known(BTreeMap::new()),
        timeouts: Attr::Null,
    }
}
