//! What a plan says about a version: how the gates judge it, and what differs from the champion.

use std::collections::BTreeMap;

use mlops_core::gates::{Baseline, Candidate, GateReport, Known, check_gates};
use mlops_core::model_diff::{Side, model_diff};
use mlops_core::names::{AliasId, AliasName, ModelName, VersionId};
use mlops_core::registry::{Model, ModelSpec};
use mlops_core::signature::Signature;
use mlops_core::{Error, Result};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::image;
use super::model;
use super::schema::State;
use crate::client::Client;
use crate::diagnose;
use crate::resources::convert::{self, MapOf};
use crate::siblings::PlannedModel;

/// The alias that `model_diff` compares with.
const CHAMPION: &str = "champion";

/// Everything about the model that a review needs.
pub(crate) struct Reviewed {
    name: ModelName,
    spec: ModelSpec,
}

/// The model as it will be when the version is there; `None` while that is not known.
/// A model that is neither there nor planned is a warning: another stack may make it.
pub(crate) async fn planned_model(
    client: &Client,
    name: &ModelName,
) -> Result<(Option<Reviewed>, Option<Diagnostic>), Diagnostics> {
    let reviewed = |spec| {
        Some(Reviewed {
            name: name.clone(),
            spec,
        })
    };
    match client.siblings.model(name) {
        Some(PlannedModel::Known(spec)) => return Ok((reviewed(*spec), None)),
        Some(PlannedModel::Unknown) => return Ok((None, None)),
        None => {}
    }
    match client.registry.model(name).await.map_err(failed)? {
        Some(found) => Ok((reviewed(found.spec), None)),
        None => {
            let detail = format!(
                "Model {name} is neither in the registry at {} nor part of this plan. Unless something else creates it first, \
                 the apply will fail.",
                client.registry.location()
            );
            Ok((
                None,
                Some(
                    Diagnostic::warning("The model does not exist", detail)
                        .at(Path::attribute("model")),
                ),
            ))
        }
    }
}

/// Judges `state` and refuses what an alias in `gate_for` would refuse. Fills in `gate_report` and
/// `model_diff`; a part that cannot be decided leaves the whole of it unknown.
pub(crate) async fn review(
    client: &Client,
    reviewed: &Reviewed,
    state: &mut State,
) -> Result<(), Diagnostics> {
    let report = report(client, reviewed, state).await.map_err(failed)?;
    if state
        .gate_for
        .known()
        .is_some_and(|aliases| !aliases.is_empty())
    {
        refuse(reviewed, &report, state)?;
    }
    state.gate_report = if report.is_unknown() {
        Attr::Unknown
    } else {
        Attr::Known(report.to_map())
    };
    state.model_diff = diff(client, reviewed, state).await.map_err(failed)?;
    Ok(())
}

/// The review of a registered version of which a plan had to leave something open. Nothing is
/// refused any more.
pub(crate) async fn settle(client: &Client, model: Model, state: &mut State) -> Result<()> {
    let reviewed = Reviewed {
        name: model.name,
        spec: model.spec,
    };
    if state.gate_report.is_unknown() {
        state.gate_report = Attr::Known(report(client, &reviewed, state).await?.to_map());
    }
    if state.model_diff.is_unknown() {
        // Whoever moves the champion in this run does so after this version.
        let diff = diff(client, &reviewed, state).await?;
        state.model_diff = Attr::Known(diff.into_known().unwrap_or_default());
    }
    Ok(())
}

/// Refuses a metric that the model declares impossible.
pub(crate) fn check_metrics(reviewed: &Reviewed, state: &State) -> Result<(), Diagnostics> {
    let Some(Some(metrics)) = convert::known_map(&state.metrics) else {
        return Ok(());
    };
    let checked = reviewed.spec.check_metrics(&metrics);
    checked.map_err(|error| diagnose::failed("A metric is out of its range", &error).into())
}

async fn report(client: &Client, reviewed: &Reviewed, state: &State) -> Result<GateReport> {
    let spec = &reviewed.spec;
    let none = BTreeMap::new();
    let gates = spec
        .promotion
        .as_ref()
        .map_or(&none, |promotion| &promotion.gates);
    let mut baselines = client.registry.baselines(&reviewed.name, gates).await?;
    for (alias, baseline) in &mut baselines {
        if let Some(planned) = at_begin(client, &reviewed.name, alias).await? {
            *baseline = planned;
        }
    }
    let candidate = Candidate {
        id: model::id(state),
        metrics: candidate_metrics(&state.metrics),
    };
    Ok(check_gates(gates, &spec.metrics, &candidate, |alias| {
        baselines.get(alias).cloned().unwrap_or(Baseline::Missing)
    }))
}

fn candidate_metrics(metrics: &MapOf<f64>) -> Known<BTreeMap<String, Known<f64>>> {
    match metrics {
        Attr::Known(metrics) => Known::Known(
            metrics
                .iter()
                .filter_map(|(name, value)| {
                    let value = match value {
                        Attr::Known(value) => Known::Known(*value),
                        Attr::Unknown => Known::Unknown,
                        Attr::Null => return None,
                    };
                    Some((name.clone(), value))
                })
                .collect(),
        ),
        Attr::Null => Known::Known(BTreeMap::new()),
        Attr::Unknown => Known::Unknown,
    }
}

/// What an alias pointed to when the run began, where the run has changed it since; `None` leaves it
/// to the registry.
async fn at_begin(
    client: &Client,
    model: &ModelName,
    alias: &AliasName,
) -> Result<Option<Baseline>> {
    let id = AliasId {
        model: model.clone(),
        alias: alias.clone(),
    };
    let Some(before) = client.siblings.before(&id) else {
        return Ok(None);
    };
    let found = match before {
        Some(version) => {
            let id = VersionId {
                model: model.clone(),
                version,
            };
            client.registry.version(&id).await?
        }
        None => None,
    };
    Ok(Some(found.map_or(Baseline::Missing, |found| {
        Baseline::Version {
            id: found.id,
            metrics: found.metrics,
        }
    })))
}

fn refuse(reviewed: &Reviewed, report: &GateReport, state: &State) -> Result<(), Diagnostics> {
    let failures: Vec<String> = report
        .failures()
        .map(|failed| format!("  {}: {}", failed.metric, failed.text))
        .collect();
    let mut problems = Diagnostics::new();
    if !failures.is_empty() {
        let detail = format!(
            "This version of model {} is meant for {}, and these gates fail:\n{}\nImprove the version, or take the alias out of \
             gate_for and force the alias itself with override_reason.",
            reviewed.name,
            aliases(state),
            failures.join("\n")
        );
        problems.push(
            Diagnostic::error("The version does not pass its gates", detail)
                .at(Path::attribute("gate_for")),
        );
    }
    if let Some(promotion) = &reviewed.spec.promotion
        && let Some(lineage) = model::lineage(&state.lineage)
    {
        let lineage = lineage.unwrap_or_default();
        let missing: Vec<_> = promotion
            .require_lineage
            .iter()
            .filter(|field| !lineage.has(field))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let detail = format!(
                "Model {} requires a lineage with {} for promotion, and this version is meant for {}. Add it under lineage.",
                reviewed.name,
                missing.join(", "),
                aliases(state)
            );
            problems.push(
                Diagnostic::error("The lineage is incomplete", detail)
                    .at(Path::attribute("lineage")),
            );
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn aliases(state: &State) -> String {
    let named = state.gate_for.known().into_iter().flatten();
    let named: Vec<_> = named.filter_map(Attr::as_str).collect();
    named.join(", ")
}

async fn diff(
    client: &Client,
    reviewed: &Reviewed,
    state: &State,
) -> Result<Attr<BTreeMap<String, String>>> {
    let champion: AliasName = CHAMPION.parse()?;
    let id = AliasId {
        model: reviewed.name.clone(),
        alias: champion,
    };
    let target = match client.siblings.before(&id) {
        Some(before) => before.map(|version| VersionId {
            model: id.model,
            version,
        }),
        None => {
            let alias = client.registry.alias(&id).await?;
            let target = alias.and_then(|alias| alias.target());
            // A thousand versions ask for the same alias.
            let version = target.as_ref().map(|target| target.version);
            client.siblings.note_before(id, version);
            target
        }
    };
    let Some(target) = target.filter(|target| Some(target) != model::id(state).as_ref()) else {
        return Ok(Attr::Known(BTreeMap::new()));
    };
    let Some(champion) = client.registry.version(&target).await? else {
        return Ok(Attr::Known(BTreeMap::new()));
    };
    let known = (
        convert::known_map(&state.metrics),
        convert::known_map(&state.params),
        model::lineage(&state.lineage),
        convert::known(&state.artifact_size_bytes),
        convert::known(&state.signature),
    );
    let (Some(metrics), Some(params), Some(lineage), Some(size), Some(signature)) = known else {
        return Ok(Attr::Unknown);
    };
    let (metrics, params) = (metrics.unwrap_or_default(), params.unwrap_or_default());
    let signature = signature.and_then(|text| serde_json::from_str::<Signature>(&text).ok());
    let new = Side {
        name: "this version".to_owned(),
        metrics: Some(&metrics),
        size,
        digest: state.artifact_digest.to_option(),
        image: match &state.image {
            Attr::Known(image) => image::by_digest(image).map(Some),
            Attr::Null => Some(None),
            Attr::Unknown => None,
        },
        framework: state.framework.as_str(),
        signature: Some(signature.as_ref()),
        params: Some(&params),
        lineage: Some(lineage.as_ref()),
    };
    Ok(Attr::Known(model_diff(
        &Side::of(&champion),
        &new,
        &reviewed.spec.metrics,
    )))
}

/// Refuses a new version whose signature breaks those who call the newest one.
pub(crate) async fn check_signature(
    client: &Client,
    reviewed: &Reviewed,
    state: &State,
) -> Result<(), Diagnostics> {
    let signature = state
        .signature
        .as_str()
        .and_then(|text| serde_json::from_str::<Signature>(text).ok());
    let checked = client
        .registry
        .check_signature(&reviewed.spec, &reviewed.name, signature.as_ref())
        .await;
    checked.map_err(|error| diagnose::failed("The signature is not compatible", &error).into())
}

fn failed(error: Error) -> Diagnostics {
    diagnose::failed("Cannot read the registry", &error).into()
}
