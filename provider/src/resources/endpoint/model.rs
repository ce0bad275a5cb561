//! From `mlops_endpoint`'s state to the domain; [`from_record`](super::from_record) is the way back.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{
    Analysis, Compute, Container, EndpointSpec, HealthCheck, LocalSpec, RolloutSpec, RolloutStep,
    TargetSpec, VariantSpec, Workload,
};
use mlops_core::endpoint::{Percent, Period, spec};
use mlops_core::names::VariantName;
use mlops_core::rollout::{HttpSource, Source};
use mlops_core::{Error, Result};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::autoscaling;
use super::capacity;
use super::ecs;
use super::images::Resolved;
use super::schema::{self, Runs, State};
use super::steady;
use crate::diagnose;
use crate::resources::convert;

/// The version that a variant is bound to, and the bytes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The version's number.
    pub(crate) version: u64,
    /// Digest of its artifact.
    pub(crate) digest: String,
    /// The image that it is, if it is one.
    pub(crate) image: Option<String>,
}

/// The specification for what is planned, with each variant bound to what `bound` says.
///
/// It is without tags, on which no plan depends. `None` while something in it is unknown, or a variant's version is. A value that the domain does
/// not take is an error that names its attribute.
pub(crate) fn spec(
    state: &State,
    bound: &BTreeMap<String, Bound>,
    images: &Resolved,
) -> Result<Option<EndpointSpec>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let spec = read(state, bound, images, &mut problems);
    if problems.has_errors() {
        Err(problems)
    } else {
        Ok(spec)
    }
}

fn read(
    state: &State,
    bound: &BTreeMap<String, Bound>,
    images: &Resolved,
    problems: &mut Diagnostics,
) -> Option<EndpointSpec> {
    let name = parsed(&state.name, "name", problems);
    let target = target(state, &images.server, problems);
    let health_check = health_check(&state.health_check, problems);
    let autoscaling = autoscaling::spec(&state.autoscaling, "autoscaling", problems);
    let rollout = rollout(&state.rollout, &defaults(state), problems);
    let variants = variants(state, bound, images, problems);
    Some(EndpointSpec {
        name: name??,
        variants: variants?,
        target: target?,
        health_check: health_check?,
        autoscaling: autoscaling?,
        rollout: rollout?,
        wait_for_steady_state: steady::waits(state)?,
        drain_seconds: convert::known(&state.drain_seconds)?
            .unwrap_or(spec::default_drain_seconds()),
        deletion_policy: convert::word_or_default(&state.deletion_policy)?,
        tags: BTreeMap::new(),
    })
}

fn variants(
    state: &State,
    bound: &BTreeMap<String, Bound>,
    images: &Resolved,
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
            self::variant(
                &path,
                variant,
                (bound.get(key), images.own.get(key)),
                startup,
                problems,
            ),
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
    resolved: (Option<&Bound>, Option<&Attr<String>>),
    startup: Period,
    problems: &mut Diagnostics,
) -> Option<VariantSpec> {
    let at = |field: &str| format!("{path}.{field}");
    let workload = workload(path, variant, resolved, problems);
    let traffic = percent(&variant.traffic, &at("traffic"), problems);
    let shadow = percent(
        &variant.shadow_percentage,
        &at("shadow_percentage"),
        problems,
    );
    let autoscaling = autoscaling::spec(&variant.autoscaling, &at("autoscaling"), problems);
    let startup_timeout = match convert::known(&variant.startup_timeout_seconds)? {
        Some(seconds) => Period::seconds(seconds.into()),
        None => startup,
    };
    let (gpus, gpu_type) = capacity::gpus(&variant.gpu)?;
    Some(VariantSpec {
        workload: workload?,
        traffic: traffic?,
        shadow_percentage: shadow?,
        environment: convert::known_map(&variant.environment)?.unwrap_or_default(),
        compute: Compute {
            cpu: convert::known(&variant.cpu)?,
            memory_mb: convert::known(&variant.memory_mb)?,
            gpus,
            gpu_type,
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
            model_cache: convert::word_or_default(&variant.model_cache)?,
        },
        autoscaling: autoscaling?,
        startup_timeout,
    })
}

fn workload(
    path: &str,
    variant: &schema::Variant,
    (bound, image): (Option<&Bound>, Option<&Attr<String>>),
    problems: &mut Diagnostics,
) -> Option<Workload> {
    match variant.runs() {
        Runs::Image => Some(Workload::image(image?.as_str()?)),
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
            let bound = bound?;
            let version = Workload::version(model, bound.version, &bound.digest);
            Some(version.of_container(bound.image.as_deref()))
        }
        Runs::Undecided => None,
    }
}

fn target(
    state: &State,
    server_image: &Attr<String>,
    problems: &mut Diagnostics,
) -> Option<TargetSpec> {
    if !state.ecs.is_null() && !state.local.is_null() {
        // One of them is a `dynamic` block that may not be there: both, and the schema would have refused it. Terraform fails the
        // apply where a block that was planned turns out to be absent, and calls it a bug of the provider.
        let detail = "Whether the endpoint has a block local or a block ecs is not known yet, and Terraform cannot leave out a block that \
                      it has planned. Let for_each of these dynamic blocks depend on what is known at plan, such as a variable.";
        refuse("ecs", detail.to_owned(), problems);
        return None;
    }
    if !state.ecs.is_null() {
        let server_image = convert::known(server_image)?;
        let spec = ecs::spec(state, server_image.as_deref(), problems)?;
        return Some(TargetSpec::Ecs(Box::new(spec)));
    }
    for (block, is_absent) in [
        ("network", state.network.is_null()),
        ("ingress", state.ingress.is_null()),
        ("cost", state.cost.is_null()),
        ("preflight", state.preflight.is_null()),
    ] {
        if !is_absent {
            let detail = format!("A block {block} is for an endpoint on ECS; leave it out.");
            refuse(block, detail, problems);
        }
    }
    local(&state.local, problems).map(TargetSpec::Local)
}

/// How long a variant may take to start that does not say it.
pub(super) fn startup_timeout(on_ecs: bool) -> Period {
    if on_ecs {
        spec::STARTUP_TIMEOUT_ON_ECS
    } else {
        spec::default_startup_timeout()
    }
}

/// What a rollout block leaves out.
pub(super) fn defaults(state: &State) -> RolloutSpec {
    let mut default = RolloutSpec::default();
    if !state.ecs.is_null() {
        default.terminate_after = spec::TERMINATE_AFTER_ON_ECS;
    }
    if steady::waits(state) == Some(false) {
        // Nobody is there to stand by for.
        default.terminate_after = Period::ZERO;
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
        stabilization_window: parsed(
            &check.stabilization_window,
            "health_check.stabilization_window",
            problems,
        )?,
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
        alarms: convert::known_list(&rollout.alarms)?
            .unwrap_or_default()
            .into_iter()
            .collect(),
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
        let source = source(name, analysis, problems);
        let condition = parsed(&analysis.condition, &at("condition"), problems);
        let interval = parsed(&analysis.interval, &at("interval"), problems)?;
        let max_wait = parsed(&analysis.max_wait, &at("max_wait"), problems)?;
        let source = source?;
        if let (Source::Server { .. }, Some(_)) = (&source, max_wait) {
            let detail = "The source \"server\" is not waited for; leave max_wait out.".to_owned();
            refuse_of_analysis(name, "max_wait", detail, problems);
        }
        let analysis = Analysis {
            condition: condition??,
            interval: interval.unwrap_or_else(|| source.default_interval()),
            max_wait: max_wait.unwrap_or(spec::default_max_wait()),
            source,
            count: convert::known(&analysis.count)?,
            failure_limit: convert::known(&analysis.failure_limit)?.unwrap_or(0),
            start_after_step: convert::known(&analysis.start_after_step)?.unwrap_or(0),
        };
        Some((name.clone(), analysis))
    });
    read.collect()
}

/// Who answers an analysis. What another source has, and what this one lacks, is noted.
fn source(name: &str, analysis: &schema::Analysis, problems: &mut Diagnostics) -> Option<Source> {
    let at = |field: &str| format!("rollout.analysis.{name}.{field}");
    let kind = convert::known(&analysis.source)??;
    if matches!(kind.as_str(), "server" | "cloudwatch" | "registry") {
        for (field, attribute) in [
            ("address", &analysis.address),
            ("bearer_token_env", &analysis.bearer_token_env),
        ] {
            if attribute.is_known() {
                let detail = format!("The source {kind:?} has no {field}; leave it out.");
                refuse_of_analysis(name, field, detail, problems);
            }
        }
        if kind == "registry" {
            let query = parsed(&analysis.query, &at("query"), problems)??;
            return Some(Source::Registry { query });
        }
        let query = parsed(&analysis.query, &at("query"), problems)??;
        return Some(match kind.as_str() {
            "server" => Source::Server { query },
            _ => Source::Cloudwatch { query },
        });
    }
    if analysis.address.is_null() {
        let detail = format!("The source {kind:?} needs an address: the URL that it is asked at.");
        refuse_of_analysis(name, "address", detail, problems);
    }
    let query = parsed(&analysis.query, &at("query"), problems);
    let address = parsed(&analysis.address, &at("address"), problems);
    let source = HttpSource {
        query: query??,
        address: address??,
        bearer_token_env: convert::known(&analysis.bearer_token_env)?,
    };
    // The schema knows no third word.
    Some(match kind.as_str() {
        "prometheus" => Source::Prometheus(source),
        _ => Source::Http(source),
    })
}

fn refuse_of_analysis(name: &str, field: &str, detail: String, problems: &mut Diagnostics) {
    let path = Path::attribute("rollout")
        .then("analysis")
        .key(name)
        .then(field);
    problems.push(Diagnostic::error("Invalid endpoint", detail).at(path));
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
