//! What a plan says about the move of an alias.

use mlops_core::Error;
use mlops_core::gates::{Baseline, Candidate, check_gates};
use mlops_core::names::{AliasId, VersionId};
use mlops_core::registry::{Model, Version, promotion_rules};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::schema::State;
use crate::client::Client;
use crate::diagnose;
use crate::siblings::{PlannedAlias, PlannedModel};

/// Where the alias will point, for the plans that follow.
pub(crate) fn target(creates: bool, state: &State) -> PlannedAlias {
    match (&state.version, &state.initial_version) {
        (Attr::Null, initial) if creates => initial.into(),
        (version, _) => version.into(),
    }
}

/// Refuses a move that the apply would refuse, as far as that is known. Says nothing about a version
/// that is not known yet, and warns of one that does not exist.
pub(crate) async fn review(
    client: &Client,
    id: &AliasId,
    prior: Option<&State>,
    state: &State,
) -> Result<Option<Diagnostic>, Diagnostics> {
    let (number, field) = match (&state.version, &state.initial_version) {
        (Attr::Known(version), _) => (*version, "version"),
        (Attr::Null, Attr::Known(version)) if prior.is_none() => (*version, "initial_version"),
        _ => return Ok(None),
    };
    let stays = prior.is_some_and(|prior| prior.version == Attr::Known(number));
    if stays {
        return Ok(None);
    }
    let target = VersionId {
        model: id.model.clone(),
        version: number,
    };
    let Some(version) = client
        .registry
        .version(&target)
        .await
        .map_err(|error| failed(&error))?
    else {
        let detail = format!(
            "Version {target} is not in the registry at {}. Unless something else registers it first, the apply will fail.",
            client.registry.location()
        );
        return Ok(Some(
            Diagnostic::warning("The version does not exist", detail).at(Path::attribute(field)),
        ));
    };
    let refused = |why: &str, next: &str| {
        let detail = format!("Alias {id} cannot move to version {target}: it {why}. {next}");
        Diagnostics::from(
            Diagnostic::error("The alias cannot move", detail).at(Path::attribute(field)),
        )
    };
    if version.is_archived() {
        return Err(refused(
            "is archived",
            "Point the alias to a live version, or register the same bytes again.",
        ));
    }
    if version.is_rejected() {
        return Err(refused(
            "was rejected",
            "Approve the version first, or point the alias to another one.",
        ));
    }
    if state.enforce_promotion == Attr::Known(true) && state.override_reason.is_null() {
        let why = gates(client, id, &version).await?;
        if let Some(why) = why {
            return Err(refused(
                &why,
                "Improve the version, or set override_reason to force the move.",
            ));
        }
    }
    Ok(None)
}

/// Why the promotion rules refuse the version; `None` if they do not, or cannot tell yet.
async fn gates(
    client: &Client,
    id: &AliasId,
    version: &Version,
) -> Result<Option<String>, Diagnostics> {
    let found = client
        .registry
        .model(&id.model)
        .await
        .map_err(|error| failed(&error))?;
    let Some(found) = found else { return Ok(None) };
    let model = match client.siblings.model(&id.model) {
        Some(PlannedModel::Known(spec)) => Model {
            spec: *spec,
            ..found
        },
        Some(PlannedModel::Unknown) => return Ok(None),
        None => found,
    };
    let baselines = client
        .registry
        .baselines(&id.model, model.gates())
        .await
        .map_err(|error| failed(&error))?;
    let report = check_gates(
        model.gates(),
        &model.spec.metrics,
        &Candidate::registered(version),
        |alias| baselines.get(alias).cloned().unwrap_or(Baseline::Missing),
    );
    let failures: Vec<String> = report
        .failures()
        .map(|failed| format!("{}: {}", failed.metric, failed.text))
        .collect();
    if !failures.is_empty() {
        return Ok(Some(format!(
            "does not pass its gates ({})",
            failures.join("; ")
        )));
    }
    Ok(promotion_rules(&model, version)
        .err()
        .map(|error| format!("may not be promoted: {error}")))
}

fn failed(error: &Error) -> Diagnostics {
    diagnose::failed("Cannot read the registry", error).into()
}
