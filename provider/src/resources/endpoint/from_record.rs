//! From the registry's record of an endpoint to its state.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{
    Analysis, Container, HealthCheck, ModelCache, RolloutSpec, RolloutStep, TargetSpec,
    VariantSpec, Workload,
};
use mlops_core::endpoint::{EndpointRecord, Percent, Period, spec};
use mlops_core::images::Reference;
use mlops_core::names::VariantName;
use tfplugin::Attr;

use super::autoscaling;
use super::capacity;
use super::ecs;
use super::model::{defaults, startup_timeout};
use super::schema::{self, State};
use crate::resources::convert;
use crate::tags::{AllTags, Held, TagRules};

/// The state after a deployment: what was configured stays as it was written, the rest is as it runs.
pub(crate) fn deployed(planned: &State, record: &EndpointRecord) -> State {
    State {
        id: record.identity().into(),
        region: record.spec.target.region().map(str::to_owned).into(),
        invoke_url: record.server.invoke_url.clone().into(),
        target_versions: versions(record, |_| true),
        target_images: images(record),
        ..planned.clone()
    }
}

/// The state as it runs now: what `known` was configured with, and null for a variant that `serves`
/// denies.
pub(crate) fn state(
    known: &State,
    record: &EndpointRecord,
    rules: &TagRules,
    serves: impl Fn(&VariantName) -> bool,
) -> State {
    let Held { tags, tags_all } = rules.read(&record.spec.tags, &known.tags, &known.tags_all);
    let variants = known.variants.clone().map(|mut variants| {
        for (name, image) in record.spec.images() {
            // A tag stays as it is written: `target_images` tells what runs.
            if let Some(variant) = variants.get_mut(name.as_str())
                && variant.image.as_str().is_some_and(is_pinned)
            {
                variant.image = image.into();
            }
        }
        variants
    });
    State {
        variants,
        wait_for_steady_state: record.spec.wait_for_steady_state.into(),
        target_versions: versions(record, serves),
        tags,
        tags_all,
        ..deployed(known, record)
    }
}

fn versions(
    record: &EndpointRecord,
    serves: impl Fn(&VariantName) -> bool,
) -> Attr<BTreeMap<String, Attr<u64>>> {
    let versions = record.running.iter().filter_map(|(name, revision)| {
        let version = match (serves(name), revision.workload.number()) {
            (true, Some(version)) => Attr::Known(version),
            // A map of numbers has no place for an image that serves.
            (true, None) => return None,
            // A plan takes it away, so that there is something to apply.
            (false, _) => Attr::Null,
        };
        Some((name.to_string(), version))
    });
    Attr::Known(versions.collect())
}

fn is_pinned(image: &str) -> bool {
    let image = image.parse::<Reference>();
    image.is_ok_and(|image| image.digest().is_some())
}

/// The image of each variant that runs in a container; null where none does.
fn images(record: &EndpointRecord) -> Attr<BTreeMap<String, Attr<String>>> {
    if matches!(record.spec.target, TargetSpec::Local(_)) {
        return Attr::Null;
    }
    let images = record.running.iter().filter_map(|(name, revision)| {
        let image = revision.placement.as_ref()?.image.clone();
        Some((name.to_string(), image.into()))
    });
    Attr::Known(images.collect())
}

/// The state of an endpoint that Terraform did not know: its configuration, read from what runs.
pub(crate) fn imported(record: &EndpointRecord, rules: &TagRules) -> State {
    let spec = &record.spec;
    let Held { tags, tags_all } = rules.imported(&spec.tags);
    let startup = startup_timeout(matches!(spec.target, TargetSpec::Ecs(_)));
    let mut known = State {
        name: record.name.to_string().into(),
        variants: Attr::Known(
            spec.variants
                .iter()
                .map(|(name, variant)| (name.to_string(), variant_state(variant, startup)))
                .collect(),
        ),
        health_check: health_check_state(&spec.health_check),
        autoscaling: autoscaling::state_of(spec.autoscaling.as_ref()),
        wait_for_steady_state: spec.wait_for_steady_state.into(),
        deletion_policy: convert::text(&spec.deletion_policy).into(),
        drain_seconds: spec.drain_seconds.into(),
        tags,
        tags_all,
        model_diff: Attr::Known(BTreeMap::new()),
        ..blank()
    };
    match &spec.target {
        TargetSpec::Local(local) => {
            known.local = Attr::Known(schema::Local {
                port: local.port.into(),
                port_range: local.port_range.map(|range| range.to_string()).into(),
            });
        }
        TargetSpec::Ecs(target) => {
            let (ecs, network, ingress) = ecs::imported(target);
            known.ecs = Attr::Known(ecs);
            known.network = Attr::Known(network);
            known.ingress = Attr::Known(ingress);
        }
        // A target that this version does not know has no blocks here either.
        _ => {}
    }
    known.rollout = rollout_state(&spec.rollout, &defaults(&known));
    deployed(&known, record)
}

fn variant_state(variant: &VariantSpec, startup: Period) -> schema::Variant {
    let percent = |percent: Percent| {
        if percent.shares() == 0 {
            Attr::Null
        } else {
            Attr::Known(percent.into())
        }
    };
    let map = |map: &BTreeMap<String, String>| convert::map_of(map.clone(), &Attr::Null);
    let (bound, container) = (variant.workload.bound(), &variant.container);
    schema::Variant {
        model: bound.map(|bound| bound.model.to_string()).into(),
        model_version: bound.map(|bound| bound.version).into(),
        model_alias: Attr::Null,
        image: match &variant.workload {
            Workload::Version(_) => Attr::Null,
            Workload::Image(own) => own.image.clone().into(),
        },
        traffic: percent(variant.traffic),
        shadow_percentage: percent(variant.shadow_percentage),
        environment: map(&variant.environment),
        secrets: map(&container.secrets),
        command: convert::list_of(container.command.clone(), None),
        port: unless(container.port, &Container::DEFAULT_PORT),
        architecture: (container.architecture)
            .map(|word| convert::text(&word))
            .into(),
        model_cache: unless(container.model_cache, &ModelCache::None)
            .map(|word| convert::text(&word)),
        cpu: variant.compute.cpu.into(),
        memory_mb: variant.compute.memory_mb.into(),
        gpu: capacity::gpu_state(variant.compute),
        autoscaling: autoscaling::state_of(variant.autoscaling.as_ref()),
        startup_timeout_seconds: unless(
            u32::try_from(variant.startup_timeout.duration().as_secs()).unwrap_or(u32::MAX),
            &(startup.duration().as_secs() as u32),
        ),
    }
}

fn rollout_state(rollout: &RolloutSpec, default: &RolloutSpec) -> Attr<schema::Rollout> {
    if rollout == default {
        return Attr::Null;
    }
    let steps: Vec<_> = rollout.steps.iter().map(step_state).collect();
    let analysis: BTreeMap<_, _> = rollout
        .analysis
        .iter()
        .map(|(name, analysis)| (name.clone(), analysis_state(analysis)))
        .collect();
    let period =
        |period: Period, default: Period| unless(period, &default).map(|period| period.to_string());
    Attr::Known(schema::Rollout {
        strategy: rollout.strategy.as_str().into(),
        steps: unless(steps, &Vec::new()),
        analysis: unless(analysis, &BTreeMap::new()),
        alarms: convert::list_of(rollout.alarms.iter().cloned().collect(), None),
        on_failure: unless(rollout.on_failure, &default.on_failure)
            .map(|word| convert::text(&word)),
        on_interrupt: unless(rollout.on_interrupt, &default.on_interrupt)
            .map(|word| convert::text(&word)),
        max_duration: period(rollout.max_duration, default.max_duration),
        terminate_after: period(rollout.terminate_after, default.terminate_after),
    })
}

fn step_state(step: &RolloutStep) -> schema::Step {
    schema::Step {
        traffic: f64::from(step.traffic).into(),
        bake: unless(step.bake, &Period::ZERO).map(|bake| bake.to_string()),
        pause: unless(step.pause, &false),
    }
}

fn analysis_state(analysis: &Analysis) -> schema::Analysis {
    let asked = analysis.source.over_http();
    schema::Analysis {
        source: analysis.source.as_str().into(),
        query: analysis.source.query().into(),
        address: asked.map(|asked| asked.address.to_string()).into(),
        bearer_token_env: asked
            .and_then(|asked| asked.bearer_token_env.clone())
            .into(),
        condition: analysis.condition.to_string().into(),
        interval: unless(analysis.interval, &analysis.source.default_interval())
            .map(|interval| interval.to_string()),
        count: analysis.count.into(),
        failure_limit: unless(analysis.failure_limit, &0),
        start_after_step: unless(analysis.start_after_step, &0),
        max_wait: unless(analysis.max_wait, &spec::default_max_wait())
            .map(|max_wait| max_wait.to_string()),
    }
}

fn health_check_state(check: &HealthCheck) -> Attr<schema::HealthCheck> {
    if *check == HealthCheck::default() {
        return Attr::Null;
    }
    let period = |period: Option<Period>| period.map(|period| period.to_string()).into();
    Attr::Known(schema::HealthCheck {
        path: check.path.clone().into(),
        interval: period(check.interval),
        timeout: period(check.timeout),
        healthy_threshold: check.healthy_threshold.into(),
        unhealthy_threshold: check.unhealthy_threshold.into(),
        start_period: period(check.start_period),
        stabilization_window: period(check.stabilization_window),
    })
}

/// A value that a configuration would leave out if it is the default.
pub(super) fn unless<T: PartialEq>(value: T, default: &T) -> Attr<T> {
    if value == *default {
        Attr::Null
    } else {
        Attr::Known(value)
    }
}

fn blank() -> State {
    State {
        id: Attr::Null,
        name: Attr::Null,
        region: Attr::Null,
        variants: Attr::Null,
        local: Attr::Null,
        ecs: Attr::Null,
        network: Attr::Null,
        ingress: Attr::Null,
        health_check: Attr::Null,
        autoscaling: Attr::Null,
        rollout: Attr::Null,
        cost: Attr::Null,
        preflight: Attr::Null,
        wait_for_steady_state: Attr::Null,
        deletion_policy: Attr::Null,
        drain_seconds: Attr::Null,
        tags: Attr::Null,
        tags_all: AllTags::default(),
        invoke_url: Attr::Null,
        arn: Attr::Null,
        target_versions: Attr::Null,
        target_images: Attr::Null,
        model_diff: Attr::Null,
        estimated_monthly_cost_usd: Attr::Null,
        timeouts: Attr::Null,
    }
}
