//! From `mlops_endpoint`'s state to the domain and back.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{
    Analysis, AnalysisSource, Compute, Container, EndpointSpec, HealthCheck, LocalSpec,
    RolloutSpec, RolloutStep, TargetSpec, VariantSpec, Workload,
};
use mlops_core::endpoint::{EndpointRecord, Percent, Period, spec};
use mlops_core::names::VariantName;
use mlops_core::{Error, Result};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::ecs;
use super::schema::{self, Runs, State};
use crate::diagnose;
use crate::resources::convert;
use crate::tags::{Held, TagRules};

/// The version that a variant is bound to, and the bytes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The version's number.
    pub(crate) version: u64,
    /// Digest of its artifact.
    pub(crate) digest: String,
}

/// The specification for what is planned, with each variant bound to what `bound` says.
///
/// It is without tags, on which no plan depends. `None` while something in it is unknown, or a variant's version is. A value that the domain does
/// not take is an error that names its attribute.
pub(crate) fn spec(
    state: &State,
    bound: &BTreeMap<String, Bound>,
    server_image: Option<&str>,
) -> Result<Option<EndpointSpec>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let spec = read(state, bound, server_image, &mut problems);
    if problems.has_errors() {
        Err(problems)
    } else {
        Ok(spec)
    }
}

fn read(
    state: &State,
    bound: &BTreeMap<String, Bound>,
    server_image: Option<&str>,
    problems: &mut Diagnostics,
) -> Option<EndpointSpec> {
    let name = parsed(&state.name, "name", problems);
    let mut of_this = state
        .variants
        .known()
        .into_iter()
        .flat_map(BTreeMap::values);
    let runs_server = of_this.any(|variant| variant.runs() != Runs::Image);
    // Another model server is no change of an endpoint that does not run it.
    let target = target(state, server_image.filter(|_| runs_server), problems);
    let health_check = health_check(&state.health_check, problems);
    let rollout = rollout(&state.rollout, &defaults(state), problems);
    let variants = variants(state, bound, problems);
    Some(EndpointSpec {
        name: name??,
        variants: variants?,
        target: target?,
        health_check: health_check?,
        rollout: rollout?,
        drain_seconds: convert::known(&state.drain_seconds)?
            .unwrap_or(spec::default_drain_seconds()),
        deletion_policy: convert::word_or_default(&state.deletion_policy)?,
        tags: BTreeMap::new(),
    })
}

fn variants(
    state: &State,
    bound: &BTreeMap<String, Bound>,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<VariantName, VariantSpec>> {
    let mut specs = Some(BTreeMap::new());
    let startup = startup_timeout(!state.ecs.is_null());
    for (key, variant) in state.variants.known()? {
        let path = format!("variants.{key}");
        let name = problem(
            key.parse::<VariantName>().map_err(|error| error.at(&path)),
            problems,
        );
        match (
            name,
            self::variant(&path, variant, bound.get(key), startup, problems),
            &mut specs,
        ) {
            (Some(name), Some(spec), Some(specs)) => {
                specs.insert(name, spec);
            }
            _ => specs = None,
        }
    }
    specs
}

fn variant(
    path: &str,
    variant: &schema::Variant,
    bound: Option<&Bound>,
    startup: Period,
    problems: &mut Diagnostics,
) -> Option<VariantSpec> {
    let at = |field: &str| format!("{path}.{field}");
    let workload = workload(path, variant, bound, problems);
    let traffic = percent(&variant.traffic, &at("traffic"), problems);
    let shadow = percent(
        &variant.shadow_percentage,
        &at("shadow_percentage"),
        problems,
    );
    let startup_timeout = match convert::known(&variant.startup_timeout_seconds)? {
        Some(seconds) => Period::seconds(seconds.into()),
        None => startup,
    };
    Some(VariantSpec {
        workload: workload?,
        traffic: traffic?,
        shadow_percentage: shadow?,
        environment: convert::known_map(&variant.environment)?.unwrap_or_default(),
        compute: Compute {
            cpu: convert::known(&variant.cpu)?,
            memory_mb: convert::known(&variant.memory_mb)?,
        },
        container: Container {
            port: convert::known(&variant.port)?.unwrap_or(Container::DEFAULT_PORT),
            command: convert::known_list(&variant.command)?.unwrap_or_default(),
            secrets: convert::known_map(&variant.secrets)?.unwrap_or_default(),
            architecture: match convert::known(&variant.architecture)? {
                // The schema knows no other word.
                Some(word) => Some(convert::word(&word)?),
                None => None,
            },
        },
        startup_timeout,
    })
}

fn workload(
    path: &str,
    variant: &schema::Variant,
    bound: Option<&Bound>,
    problems: &mut Diagnostics,
) -> Option<Workload> {
    match variant.runs() {
        Runs::Image => convert::known(&variant.image)?.map(Workload::image),
        Runs::Version => {
            let model = parsed(&variant.model, &format!("{path}.model"), problems)?;
            // The schema cannot ask for it while the version is not known.
            let nameless = || {
                Error::invalid(
                    "name the model that has this version; only a variant with an image has none",
                )
                .at(format!("{path}.model"))
            };
            let model = problem(model.ok_or_else(nameless), problems)?;
            let Bound { version, digest } = bound?;
            Some(Workload::version(model, *version, digest))
        }
        Runs::Undecided => None,
    }
}

fn target(
    state: &State,
    server_image: Option<&str>,
    problems: &mut Diagnostics,
) -> Option<TargetSpec> {
    if !state.ecs.is_null() {
        let spec = ecs::spec(state, server_image, problems)?;
        return Some(TargetSpec::Ecs(Box::new(spec)));
    }
    for (block, is_absent) in [
        ("network", state.network.is_null()),
        ("ingress", state.ingress.is_null()),
    ] {
        if !is_absent {
            let detail = format!("A block {block} is for an endpoint on ECS; leave it out.");
            refuse(block, detail, problems);
        }
    }
    local(&state.local, problems).map(TargetSpec::Local)
}

/// How long a variant may take to start that does not say it.
fn startup_timeout(on_ecs: bool) -> Period {
    if on_ecs {
        spec::STARTUP_TIMEOUT_ON_ECS
    } else {
        spec::default_startup_timeout()
    }
}

/// What a rollout block leaves out.
fn defaults(state: &State) -> RolloutSpec {
    let mut default = RolloutSpec::default();
    if !state.ecs.is_null() {
        default.terminate_after = spec::TERMINATE_AFTER_ON_ECS;
    }
    default
}

/// Notes that something is wrong with the block or attribute at `path`.
pub(super) fn refuse(path: &str, detail: String, problems: &mut Diagnostics) {
    problems.push(Diagnostic::error("Invalid endpoint", detail).at(Path::attribute(path)));
}

fn local(local: &Attr<schema::Local>, problems: &mut Diagnostics) -> Option<LocalSpec> {
    let local = local.known()?;
    let port_range = parsed(&local.port_range, "local.port_range", problems)?;
    Some(LocalSpec {
        port: convert::known(&local.port)?,
        port_range,
    })
}

fn health_check(
    check: &Attr<schema::HealthCheck>,
    problems: &mut Diagnostics,
) -> Option<HealthCheck> {
    let check = match check {
        Attr::Known(check) => check,
        Attr::Null => return Some(HealthCheck::default()),
        Attr::Unknown => return None,
    };
    Some(HealthCheck {
        path: convert::known(&check.path)?,
        interval: parsed(&check.interval, "health_check.interval", problems)?,
        timeout: parsed(&check.timeout, "health_check.timeout", problems)?,
        healthy_threshold: convert::known(&check.healthy_threshold)?,
        unhealthy_threshold: convert::known(&check.unhealthy_threshold)?,
        start_period: parsed(&check.start_period, "health_check.start_period", problems)?,
    })
}

fn rollout(
    rollout: &Attr<schema::Rollout>,
    default: &RolloutSpec,
    problems: &mut Diagnostics,
) -> Option<RolloutSpec> {
    let rollout = match rollout {
        Attr::Known(rollout) => rollout,
        Attr::Null => return Some(default.clone()),
        Attr::Unknown => return None,
    };
    let steps = steps(&rollout.steps, problems);
    let analysis = analyses(&rollout.analysis, problems);
    let max_duration = parsed(&rollout.max_duration, "rollout.max_duration", problems);
    let terminate_after = parsed(
        &rollout.terminate_after,
        "rollout.terminate_after",
        problems,
    );
    Some(RolloutSpec {
        strategy: convert::word_or_default(&rollout.strategy)?,
        steps: steps?,
        analysis: analysis?,
        on_failure: convert::word_or_default(&rollout.on_failure)?,
        on_interrupt: convert::word_or_default(&rollout.on_interrupt)?,
        max_duration: max_duration?.unwrap_or(default.max_duration),
        terminate_after: terminate_after?.unwrap_or(default.terminate_after),
    })
}

fn steps(steps: &Attr<Vec<schema::Step>>, problems: &mut Diagnostics) -> Option<Vec<RolloutStep>> {
    let steps = convert::known(steps)?.unwrap_or_default();
    let read = steps.iter().enumerate().map(|(index, step)| {
        let at = |field: &str| format!("rollout.steps.{index}.{field}");
        Some(RolloutStep {
            traffic: percent(&step.traffic, &at("traffic"), problems)?,
            bake: parsed(&step.bake, &at("bake"), problems)?.unwrap_or(Period::ZERO),
            pause: convert::known(&step.pause)?.unwrap_or(false),
        })
    });
    read.collect()
}

fn analyses(
    analyses: &Attr<BTreeMap<String, schema::Analysis>>,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<String, Analysis>> {
    let analyses = convert::known(analyses)?.unwrap_or_default();
    let read = analyses.iter().map(|(name, analysis)| {
        let at = |field: &str| format!("rollout.analysis.{name}.{field}");
        let query = parsed(&analysis.query, &at("query"), problems)?;
        let condition = parsed(&analysis.condition, &at("condition"), problems)?;
        let interval = parsed(&analysis.interval, &at("interval"), problems)?;
        let source = match convert::known(&analysis.source)? {
            Some(source) => convert::word(&source)?,
            None => AnalysisSource::Server,
        };
        let analysis = Analysis {
            source,
            query: query?,
            condition: condition?,
            interval: interval.unwrap_or(spec::default_interval()),
            count: convert::known(&analysis.count)?,
            failure_limit: convert::known(&analysis.failure_limit)?.unwrap_or(0),
            start_after_step: convert::known(&analysis.start_after_step)?.unwrap_or(0),
        };
        Some((name.clone(), analysis))
    });
    read.collect()
}

/// A text that has a form of its own. `None` while it is unknown or, with a problem noted, illegal.
pub(super) fn parsed<T>(
    attribute: &Attr<String>,
    path: &str,
    problems: &mut Diagnostics,
) -> Option<Option<T>>
where
    T: std::str::FromStr<Err = Error>,
{
    match convert::known(attribute)? {
        Some(text) => {
            problem(text.parse::<T>().map_err(|error| error.at(path)), problems).map(Some)
        }
        None => Some(None),
    }
}

fn percent(attribute: &Attr<f64>, path: &str, problems: &mut Diagnostics) -> Option<Percent> {
    let percent = convert::known(attribute)?.unwrap_or(0.0);
    problem(
        Percent::new(percent).map_err(|error| error.at(path)),
        problems,
    )
}

fn problem<T>(result: Result<T>, problems: &mut Diagnostics) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(diagnose::failed("Invalid endpoint", &error));
            None
        }
    }
}

/// The state after a deployment: what was configured stays as it was written, the rest is as it runs.
pub(crate) fn deployed(planned: &State, record: &EndpointRecord) -> State {
    State {
        id: record.identity().into(),
        invoke_url: record.server.invoke_url.clone().into(),
        target_versions: versions(record, |_| true),
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
            // `target_versions` tells of a version that somebody else deployed, and of no image.
            if let Some(variant) = variants.get_mut(name.as_str())
                && variant.image.is_known()
            {
                variant.image = image.into();
            }
        }
        variants
    });
    State {
        variants,
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
    let map = |map: &BTreeMap<String, String>| {
        if map.is_empty() {
            Attr::Null
        } else {
            convert::elements(map.clone()).into()
        }
    };
    let (bound, container) = (variant.workload.bound(), &variant.container);
    schema::Variant {
        model: bound.map(|bound| bound.model.to_string()).into(),
        model_version: bound.map(|bound| bound.version).into(),
        model_alias: Attr::Null,
        image: variant.workload.own_image().map(str::to_owned).into(),
        traffic: percent(variant.traffic),
        shadow_percentage: percent(variant.shadow_percentage),
        environment: map(&variant.environment),
        secrets: map(&container.secrets),
        command: if container.command.is_empty() {
            Attr::Null
        } else {
            let words = container.command.iter().cloned();
            Attr::Known(words.map(Attr::Known).collect())
        },
        port: unless(container.port, &Container::DEFAULT_PORT),
        architecture: (container.architecture)
            .map(|word| convert::text(&word))
            .into(),
        cpu: variant.compute.cpu.into(),
        memory_mb: variant.compute.memory_mb.into(),
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
        steps: if steps.is_empty() {
            Attr::Null
        } else {
            steps.into()
        },
        analysis: if analysis.is_empty() {
            Attr::Null
        } else {
            analysis.into()
        },
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
    schema::Analysis {
        source: convert::text(&analysis.source).into(),
        query: analysis.query.to_string().into(),
        condition: analysis.condition.to_string().into(),
        interval: unless(analysis.interval, &spec::default_interval())
            .map(|interval| interval.to_string()),
        count: analysis.count.into(),
        failure_limit: unless(analysis.failure_limit, &0),
        start_after_step: unless(analysis.start_after_step, &0),
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
    })
}

/// A value that a configuration would leave out if it is the default.
fn unless<T: PartialEq>(value: T, default: &T) -> Attr<T> {
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
        variants: Attr::Null,
        local: Attr::Null,
        ecs: Attr::Null,
        network: Attr::Null,
        ingress: Attr::Null,
        health_check: Attr::Null,
        rollout: Attr::Null,
        deletion_policy: Attr::Null,
        drain_seconds: Attr::Null,
        tags: Attr::Null,
        tags_all: Attr::Null,
        invoke_url: Attr::Null,
        target_versions: Attr::Null,
        model_diff: Attr::Null,
        timeouts: Attr::Null,
    }
}

/// The path of a field of a variant.
pub(crate) fn variant_path(variant: &str, field: &str) -> Path {
    Path::attribute("variants").key(variant).then(field)
}

/// An error at a field of a variant.
pub(crate) fn variant_error(
    variant: &str,
    field: &str,
    summary: &str,
    detail: String,
) -> Diagnostic {
    Diagnostic::error(summary, detail).at(variant_path(variant, field))
}
