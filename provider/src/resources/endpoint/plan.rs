//! What a plan says about an endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_core::endpoint::spec::EndpointSpec;
use mlops_core::endpoint::{self, ClosedAs, EndpointRecord, validate};
use mlops_core::model_diff::{Side, model_diff};
use mlops_core::registry::Version;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, timeouts};

use super::bind::Bindings;
use super::front;
use super::images::Resolved;
use super::model::{self, Bound};
use super::schema::{Runs, State, Timeouts};
use crate::client::Client;
use crate::diagnose;

/// The endpoint as it will be asked for, as far as the plan knows it.
pub(crate) struct Draft {
    /// Complete, but for the tags, and for variants whose version is not known: those have number 0.
    pub(crate) spec: EndpointSpec,
    /// Whether all versions are known.
    pub(crate) is_bound: bool,
}

/// Checks everything that does not depend on which versions are served. `None` while some value is
/// unknown.
pub(crate) fn draft(
    client: &Client,
    state: &State,
    bindings: &Bindings,
    images: &Resolved,
) -> Result<Option<Draft>, Diagnostics> {
    let mut bound = bindings.bound();
    let variants = state.variants.known().into_iter().flatten();
    let mut complete = true;
    for (name, variant) in variants {
        if variant.runs() == Runs::Image {
            continue;
        }
        let image = bindings.image(name);
        // Only an image has a command of its own.
        let is_open = !variant.command.is_null() && bindings.is_undecided(name);
        if is_open || image.as_ref().is_some_and(Attr::is_unknown) {
            return Ok(None);
        }
        bound.entry(name.clone()).or_insert_with(|| {
            complete = false;
            Bound {
                version: 0,
                digest: String::new(),
                image: image.and_then(Attr::into_known),
            }
        });
    }
    let Some(spec) = model::spec(state, &bound, images)? else {
        return Ok(None);
    };
    let mut problems = validate::validate(&spec);
    match client.targets.of(&spec.target) {
        Ok(target) => problems.extend(target.validate(&spec)),
        Err(problem) => problems.push(problem),
    }
    if !problems.is_empty() {
        return Err(diagnose::all_failed("Invalid endpoint", &problems));
    }
    Ok(Some(Draft {
        spec,
        is_bound: complete,
    }))
}

/// The time for a create or a delete where the configuration names none.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How long each operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// For a create.
    pub(crate) create: Duration,
    /// For an update.
    pub(crate) update: Duration,
    /// For a delete.
    pub(crate) delete: Duration,
}

/// Reads `timeouts`. An update that may take less time than its own rollout is refused.
pub(crate) fn allowed(state: &State, spec: &EndpointSpec) -> Result<Allowed, Diagnostics> {
    let none = Timeouts {
        create: Attr::Null,
        update: Attr::Null,
        delete: Attr::Null,
    };
    let written = state.timeouts.known().unwrap_or(&none);
    let rollout = validate::planned_time(spec);
    let allowed = Allowed {
        create: timeouts::of(&written.create, DEFAULT_TIMEOUT),
        update: timeouts::of(&written.update, validate::default_timeout(spec).duration()),
        delete: timeouts::of(&written.delete, DEFAULT_TIMEOUT),
    };
    if allowed.update < rollout.duration() {
        let detail = format!(
            "The rollout takes {rollout} by itself (bakes, drain and terminate_after), and timeouts.update allows {:?}. Raise it, \
             or leave it out: the default is the rollout's time and 30m.",
            allowed.update
        );
        let path = Path::attribute("timeouts").then("update");
        return Err(
            Diagnostic::error("The rollout does not fit into its timeout", detail)
                .at(path)
                .into(),
        );
    }
    Ok(allowed)
}

/// Refuses what the endpoint that serves cannot become in one apply.
pub(crate) fn reachable(
    spec: &EndpointSpec,
    record: Option<&EndpointRecord>,
) -> Result<(), Diagnostics> {
    match record.and_then(|record| validate::validate_change(&record.spec, spec)) {
        None => Ok(()),
        Some(problem) => Err(diagnose::failed("The endpoint cannot change so", &problem).into()),
    }
}

/// Fills in what the plan can foretell: versions, address, and what differs.
pub(crate) async fn foretell(
    client: &Client,
    state: &mut State,
    prior: Option<&State>,
    record: Option<&EndpointRecord>,
    bindings: &Bindings,
) -> Result<(), Diagnostics> {
    let variants = || state.variants.known().into_iter().flatten();
    let versions: BTreeMap<_, _> = variants()
        .filter(|(_, variant)| variant.runs() != Runs::Image)
        .map(|(name, _)| (name.clone(), bindings.version(name)))
        .collect();
    // Without its kind nobody knows whether a variant has a key.
    let undecided = state.variants.is_unknown()
        || variants().any(|(_, variant)| variant.runs() == Runs::Undecided);
    let unknown = undecided
        || versions.values().any(Attr::is_unknown)
        || images(state).values().any(Option::is_none);
    state.target_versions = if undecided {
        Attr::Unknown
    } else {
        Attr::Known(versions)
    };
    let Some(prior) = prior else {
        state.invoke_url = Attr::Unknown;
        state.arn = front::planned(state, None, true);
        state.model_diff = if unknown {
            Attr::Unknown
        } else {
            Attr::Known(BTreeMap::new())
        };
        return Ok(());
    };
    let dead = prior
        .target_versions
        .known()
        .is_some_and(|versions| versions.values().any(Attr::is_null));
    // A server that is started again, or asked for another port, may come up elsewhere.
    let moves = prior.local != state.local || prior.ingress != state.ingress || dead;
    state.arn = front::planned(state, Some(prior), moves);
    state.invoke_url = if moves {
        Attr::Unknown
    } else {
        prior.invoke_url.clone()
    };
    state.model_diff = if unknown {
        Attr::Unknown
    } else if prior.target_versions == state.target_versions && images(prior) == images(state) {
        prior.model_diff.clone()
    } else {
        Attr::Known(
            diff(client, record, bindings, &images(state))
                .await
                .map_err(|error| diagnose::failed("Cannot read the registry", &error))?,
        )
    };
    Ok(())
}

/// The images that variants run in place of a model, by variant; `None` for one that is not known.
fn images(state: &State) -> BTreeMap<&str, Option<&str>> {
    let resolved = |name: &String| state.target_images.known()?.get(name)?.as_str();
    let variants = state.variants.known().into_iter().flatten();
    variants
        .filter(|(_, variant)| variant.runs() == Runs::Image)
        .map(|(name, _)| (name.as_str(), resolved(name)))
        .collect()
}

/// What differs between what runs and what is planned, as `VARIANT.aspect`.
async fn diff(
    client: &Client,
    record: Option<&EndpointRecord>,
    bindings: &Bindings,
    images: &BTreeMap<&str, Option<&str>>,
) -> mlops_core::Result<BTreeMap<String, String>> {
    let mut lines = BTreeMap::new();
    let running = record.map(|record| &record.running).into_iter().flatten();
    for (name, revision) in running {
        let planned = bindings.bound.get(name.as_str());
        let new = match (
            images.get(name.as_str()).copied().flatten(),
            planned,
            revision.workload.version_id(),
        ) {
            (None, None, _) => continue,
            (None, Some(planned), Some(old)) => {
                if planned.id != old
                    && let Some(old) = client.registry.version(&old).await?
                {
                    let differences = differences(client, &old, planned).await?.into_iter();
                    lines.extend(
                        differences.map(|(aspect, line)| (format!("{name}.{aspect}"), line)),
                    );
                }
                continue;
            }
            // Of an image nothing is known that could be compared.
            (Some(image), _, _) => image.to_owned(),
            (None, Some(planned), None) => planned.id.to_string(),
        };
        let old = revision.workload.to_string();
        if old != new {
            lines.insert(format!("{name}.image"), format!("{old} -> {new}"));
            lines.insert(format!("{name}.base"), old);
        }
    }
    Ok(lines)
}

async fn differences(
    client: &Client,
    old: &Version,
    new: &Version,
) -> mlops_core::Result<BTreeMap<String, String>> {
    let declared = client
        .registry
        .model(&new.id.model)
        .await?
        .map(|model| model.spec.metrics)
        .unwrap_or_default();
    Ok(model_diff(&Side::of(old), &Side::of(new), &declared))
}

/// A warning that cites the last deployment, if it asked for these very versions and images and failed.
pub(crate) async fn last_failure(
    client: &Client,
    spec: &EndpointSpec,
) -> Result<Option<Diagnostic>, Diagnostics> {
    let identity = spec.id().to_string();
    let closed = endpoint::closed_deployments(&client.registry, &identity).await;
    let closed = closed.map_err(|error| diagnose::failed("Cannot read the registry", &error))?;
    let Some(last) = closed
        .last()
        .filter(|last| last.outcome != ClosedAs::Succeeded)
    else {
        return Ok(None);
    };
    if last.versions != spec.versions() || last.images != spec.images() {
        return Ok(None);
    }
    let why = last
        .stop
        .as_ref()
        .map_or("it did not finish", |stop| &stop.message);
    let what = if last.images.is_empty() {
        "versions"
    } else {
        "versions and images"
    };
    let detail = format!(
        "Deployment {} asked for the same {what} on {} and was rolled back: {why}. Applying this plan tries them again.",
        last.deployment, last.closed_at
    );
    Ok(Some(Diagnostic::warning(
        "The last deployment of this change failed",
        detail,
    )))
}
