//! The declaration of `mlops_endpoint`.

use std::collections::BTreeMap;

use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::timeouts::{self, Operation};
use tfplugin::types::Type;
use tfplugin::{Attr, validate};

use super::autoscaling::{self, Scaling};
use super::capacity::{self, Gpu};
use super::cost::{self, Cost};
use super::ecs::{self, Ecs, Ingress, Network};
use super::front;
use super::preflight::{self, Preflight};
use super::region;
use super::steady;
use crate::resources::convert::{ListOf, MapOf, no_nulls};
use crate::resources::shared;
use crate::tags::AllTags;

tfplugin::object! {
    /// Configuration, plan and state of `mlops_endpoint`.
    pub(crate) struct State {
        /// `local/NAME`, `ecs/CLUSTER/NAME` or `ecs/REGION/CLUSTER/NAME`.
        pub(crate) id: Attr<String>,
        /// The endpoint's name.
        pub(crate) name: Attr<String>,
        /// Where it runs.
        pub(crate) region: Attr<String>,
        /// What answers, by variant.
        pub(crate) variants: Attr<BTreeMap<String, Variant>>,
        /// Serve from this machine.
        pub(crate) local: Attr<Local>,
        /// Serve from Amazon ECS.
        pub(crate) ecs: Attr<Ecs>,
        /// Where its tasks get addresses.
        pub(crate) network: Attr<Network>,
        /// How clients reach it there.
        pub(crate) ingress: Attr<Ingress>,
        /// What the server must answer before traffic moves.
        pub(crate) health_check: Attr<HealthCheck>,
        /// How many instances variants have, and what decides.
        pub(crate) autoscaling: Attr<Scaling>,
        /// How a change reaches the traffic.
        pub(crate) rollout: Attr<Rollout>,
        /// What it may cost.
        pub(crate) cost: Attr<Cost>,
        /// What is looked at around it.
        pub(crate) preflight: Attr<Preflight>,
        /// Whether an apply waits until what it made is healthy.
        pub(crate) wait_for_steady_state: Attr<bool>,
        /// What happens to the endpoint on destroy.
        pub(crate) deletion_policy: Attr<String>,
        /// How long requests in flight may take when a revision goes.
        pub(crate) drain_seconds: Attr<u64>,
        /// Configured tags.
        pub(crate) tags: MapOf<String>,
        /// Configured tags and the provider's.
        pub(crate) tags_all: AllTags,
        /// Where it answers.
        pub(crate) invoke_url: Attr<String>,
        /// What clients reach it by on AWS.
        pub(crate) arn: Attr<String>,
        /// The version that each variant runs.
        pub(crate) target_versions: Attr<BTreeMap<String, Attr<u64>>>,
        /// The image that each variant runs.
        pub(crate) target_images: Attr<BTreeMap<String, Attr<String>>>,
        /// What a change replaces, by variant.
        pub(crate) model_diff: Attr<BTreeMap<String, String>>,
        /// What its tasks cost.
        pub(crate) estimated_monthly_cost_usd: Attr<f64>,
        /// How long operations may take.
        pub(crate) timeouts: Attr<Timeouts>,
    }

    /// One variant.
    pub(crate) struct Variant {
        /// The model.
        pub(crate) model: Attr<String>,
        /// The version, by number.
        pub(crate) model_version: Attr<u64>,
        /// The version, by alias.
        pub(crate) model_alias: Attr<String>,
        /// An image in place of a version.
        pub(crate) image: Attr<String>,
        /// Its share of the traffic, in percent.
        pub(crate) traffic: Attr<f64>,
        /// The share of the traffic that it answers into the void, in percent.
        pub(crate) shadow_percentage: Attr<f64>,
        /// Settings of the model server for this variant, and variables of its container.
        pub(crate) environment: MapOf<String>,
        /// Variables whose values ECS fetches.
        pub(crate) secrets: MapOf<String>,
        /// What the image is started with.
        pub(crate) command: ListOf<String>,
        /// The port that its container listens on.
        pub(crate) port: Attr<u16>,
        /// The processors that it runs on.
        pub(crate) architecture: Attr<String>,
        /// Where it keeps its model for other tasks.
        pub(crate) model_cache: Attr<String>,
        /// CPU units of a task.
        pub(crate) cpu: Attr<u32>,
        /// Memory of a task.
        pub(crate) memory_mb: Attr<u32>,
        /// GPUs of a task.
        pub(crate) gpu: Attr<Gpu>,
        /// How many instances it has, in place of the endpoint's own.
        pub(crate) autoscaling: Attr<Scaling>,
        /// How long loading may take.
        pub(crate) startup_timeout_seconds: Attr<u32>,
    }

    /// The block `local`.
    pub(crate) struct Local {
        /// The port.
        pub(crate) port: Attr<u16>,
        /// The ports to choose from.
        pub(crate) port_range: Attr<String>,
    }

    /// The block `health_check`.
    pub(crate) struct HealthCheck {
        /// The path asked.
        pub(crate) path: Attr<String>,
        /// Time between two probes.
        pub(crate) interval: Attr<String>,
        /// Time that a probe may take.
        pub(crate) timeout: Attr<String>,
        /// Good probes in a row that make it healthy.
        pub(crate) healthy_threshold: Attr<u32>,
        /// Bad probes in a row that make it unhealthy.
        pub(crate) unhealthy_threshold: Attr<u32>,
        /// Time in which bad probes do not count.
        pub(crate) start_period: Attr<String>,
        /// Time that new revisions must have been ready.
        pub(crate) stabilization_window: Attr<String>,
    }

    /// The block `rollout`.
    pub(crate) struct Rollout {
        /// The strategy.
        pub(crate) strategy: Attr<String>,
        /// Its steps.
        pub(crate) steps: Attr<Vec<Step>>,
        /// What is measured while it bakes.
        pub(crate) analysis: Attr<BTreeMap<String, Analysis>>,
        /// The alarms that stop it.
        pub(crate) alarms: ListOf<String>,
        /// What a failed analysis does.
        pub(crate) on_failure: Attr<String>,
        /// What an interrupt does.
        pub(crate) on_interrupt: Attr<String>,
        /// How long the whole may take.
        pub(crate) max_duration: Attr<String>,
        /// How long the old revision is kept after the last shift.
        pub(crate) terminate_after: Attr<String>,
    }

    /// One step of a rollout.
    pub(crate) struct Step {
        /// The new revision's share, in percent.
        pub(crate) traffic: Attr<f64>,
        /// How long to watch it.
        pub(crate) bake: Attr<String>,
        /// Whether a person continues it.
        pub(crate) pause: Attr<bool>,
    }

    /// One analysis.
    pub(crate) struct Analysis {
        /// Where the numbers come from.
        pub(crate) source: Attr<String>,
        /// Which number.
        pub(crate) query: Attr<String>,
        /// Where it is asked.
        pub(crate) address: Attr<String>,
        /// The environment variable with the token for it.
        pub(crate) bearer_token_env: Attr<String>,
        /// What must hold of it.
        pub(crate) condition: Attr<String>,
        /// Time between two measurements.
        pub(crate) interval: Attr<String>,
        /// How many measurements.
        pub(crate) count: Attr<u32>,
        /// How many may fail.
        pub(crate) failure_limit: Attr<u32>,
        /// The first step that it judges, counted from 1.
        pub(crate) start_after_step: Attr<u32>,
        /// How long a step waits for the source.
        pub(crate) max_wait: Attr<String>,
    }

    /// The block `timeouts`.
    pub(crate) struct Timeouts {
        /// Until the first revision answers.
        pub(crate) create: Attr<String>,
        /// For a whole rollout.
        pub(crate) update: Attr<String>,
        /// Until nothing is left.
        pub(crate) delete: Attr<String>,
    }
}

/// What a variant runs, as far as its attributes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// A version of a model.
    Version,
    /// An image.
    Image,
    /// Either: a value that is not known yet decides.
    Undecided,
}

impl Variant {
    /// What it runs. Of the three attributes that say it exactly one is set, which the schema asks for.
    pub(crate) fn runs(&self) -> Runs {
        let (number, alias) = (&self.model_version, &self.model_alias);
        match &self.image {
            Attr::Known(_) => Runs::Image,
            Attr::Null => Runs::Version,
            Attr::Unknown if number.is_null() && alias.is_null() => Runs::Image,
            Attr::Unknown if number.is_known() || alias.is_known() => Runs::Version,
            Attr::Unknown => Runs::Undecided,
        }
    }
}

/// The strategies that a rollout knows.
pub(crate) const STRATEGIES: [&str; 6] = [
    "ALL_AT_ONCE",
    "ROLLING",
    "BLUE_GREEN",
    "CANARY",
    "LINEAR",
    "SHADOW",
];

pub(crate) fn schema() -> Schema {
    Schema::new(
        Block::new()
            .describe(
                "A served model as one object: everything it needs on its target, rolled out step by step and rolled back as one. \
                 A rollout that was rolled back fails the apply and leaves the state at the version that runs.",
            )
            .validate(validate::exactly_one_of(["local", "ecs"]))
            .attribute("id", shared::id(
                "`local/NAME` or `ecs/CLUSTER/NAME`, and `ecs/REGION/CLUSTER/NAME` in another region than the registry's. An import takes it; a service of ECS that no endpoint made is imported as `ecs/CLUSTER/SERVICE`, and the first apply takes it over.",
            ))
            .attribute("name", shared::name(32).requires_replace().describe("The endpoint's name, at most 32 characters. Changing it replaces the endpoint."))
            .attribute("region", region::attribute())
            .attribute(
                "variants",
                Attribute::map_nested(variant())
                    .required()
                    .validate(validate::size(1..=16))
                    .describe("What answers, by variant. The `traffic` of those without `shadow_percentage` sums to 100."),
            )
            .attribute("wait_for_steady_state", steady::attribute())
            .attribute("deletion_policy", shared::deletion_policy(["DELETE", "ABANDON", "PREVENT"], "DELETE"))
            .attribute(
                "drain_seconds",
                Attribute::number()
                    .default(5)
                    .validate(validate::whole())
                    .validate(validate::between(0, 3600))
                    .describe("How many seconds requests in flight may take when their revision goes. Default `5`."),
            )
            .attribute("tags", shared::tags())
            .attribute("tags_all", shared::tags_all())
            .attribute("invoke_url", Attribute::string().computed().describe("The URL of the endpoint; the Open Inference Protocol lies under `/v2`."))
            .attribute("arn", front::arn())
            .attribute("target_versions", Attribute::map(Type::Number).computed().describe(
                "The version that each variant runs under the last deployment that succeeded. Point an alias here to promote after proof. \
                 A variant that runs an `image` has no key here, so an alias that reads one is an error of the plan.",
            ))
            .attribute("target_images", Attribute::map(Type::String).computed().describe(
                "On ECS, the image that each variant runs under the last deployment that succeeded, by digest: its `image`, or for a model the \
                 provider's `server_image`. A tag that has moved is a planned change here. Null on this machine.",
            ))
            .attribute("model_diff", Attribute::map(Type::String).computed().describe(
                "What differs between what runs and what is planned, by variant and aspect; of parameters and lineage only the names.",
            ))
            .attribute("estimated_monthly_cost_usd", cost::estimate())
            .single("local", local())
            .single("ecs", ecs::ecs())
            .single("network", ecs::network())
            .single("ingress", ecs::ingress())
            .single("health_check", health_check())
            .single("autoscaling", autoscaling::block())
            .single("rollout", rollout())
            .single("cost", cost::block())
            .single("preflight", preflight::block())
            .single("timeouts", timeouts::block([Operation::Create, Operation::Update, Operation::Delete])),
    )
}

fn variant() -> Nested {
    let percent = || {
        Attribute::number()
            .optional()
            .validate(validate::between(0, 100))
    };
    let task = |what: &str| {
        Attribute::number()
            .optional()
            .validate(validate::whole())
            .validate(validate::between(128, 196_608))
            .describe(what)
    };
    Nested::new()
        .validate(validate::exactly_one_of(["model_version", "model_alias", "image"]))
        .attribute(
            "model",
            Attribute::string()
                .optional()
                .validate(validate::conflicts_with(["image"]))
                .describe("The model's name. Required with `model_version` and `model_alias`."),
        )
        .attribute(
            "model_version",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::at_least(1))
                .validate(validate::requires(["model"]))
                .describe("The version to serve, by number."),
        )
        .attribute(
            "model_alias",
            Attribute::string().optional().validate(validate::requires(["model"])).describe(
                "The version to serve, by alias. A moved alias is a planned change of `target_versions`.",
            ),
        )
        .attribute("image", Attribute::string().optional().describe(
            "On ECS, an image to run in place of a model version: `REPOSITORY:TAG` or `REPOSITORY@sha256:DIGEST`. A tag is resolved to its digest \
             at plan, and the digest is what runs (`target_images`). It listens on `port` and answers \
             `health_check.path` (by default `/`) with a status from 200 to 299. Nothing is registered for it, and no golden request is asked.",
        ))
        .attribute("traffic", percent().describe("The variant's share of the traffic, in percent."))
        .attribute(
            "shadow_percentage",
            percent().validate(validate::conflicts_with(["traffic"])).describe(
                "Makes the variant a shadow: this share of the traffic is sent to it as well, and its answers are dropped.",
            ),
        )
        .attribute("environment", Attribute::map(Type::String).optional().validate(no_nulls()).describe(
            "Settings of the model server for this variant: `MLOPS_MAX_CONCURRENCY`, `MLOPS_MAX_QUEUE` and `MLOPS_TIMEOUT_MS`. \
             On ECS all others are the container's, and with an `image` these three are, too. The values are in state: no secrets here.",
        ))
        .attribute("secrets", Attribute::map(Type::String).optional().validate(no_nulls()).describe(
            "On ECS, environment variables whose values ECS fetches when a task starts: each the ARN of a secret of Secrets Manager, or of a \
             parameter of Systems Manager. `ecs.execution_role_arn` must be allowed to read them. A changed value reaches tasks that start after it.",
        ))
        .attribute("command", Attribute::list(Type::String).optional().validate(no_nulls()).describe(
            "What an `image` is started with in place of its own command; its entry point stays.",
        ))
        .attribute(
            "port",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::between(1, 65_535))
                .describe("The port that the container listens on, on ECS; security groups must let the load balancer in there. Default `8080`."),
        )
        .attribute(
            "architecture",
            Attribute::string().optional().validate(validate::one_of(["X86_64", "ARM64"])).describe(
                "The processors that tasks run on, on ECS: `X86_64` or `ARM64`. The image must have been built for them. Default: `X86_64` on \
                 Fargate, and whatever instance has room otherwise.",
            ),
        )
        .attribute("cpu", task("CPU units of a task on ECS, 1024 of which are one vCPU. Default `512`."))
        .attribute("autoscaling", autoscaling::attribute())
        .attribute("gpu", capacity::gpu())
        .attribute("model_cache", capacity::model_cache())
        .attribute("memory_mb", task("Memory of a task on ECS, in MiB. Default `1024`."))
        .attribute(
            "startup_timeout_seconds",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::between(1, 86_400))
                .describe("How many seconds loading the model may take; on ECS, until its first task is healthy. Default `60`, and `300` on ECS."),
        )
}

fn local() -> Block {
    Block::new()
        .describe("Serves from this machine, in a process that outlives Terraform.")
        .validate(validate::at_most_one_of(["port", "port_range"]))
        .attribute(
            "port",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::between(1, 65_535))
                .describe("The port on 127.0.0.1."),
        )
        .attribute(
            "port_range",
            Attribute::string().optional().describe("The ports to choose from, such as `18080-18180`, which is the default. The first free one is leased."),
        )
}

fn health_check() -> Block {
    let duration = |what: &str| {
        Attribute::string()
            .optional()
            .validate(validate::duration())
            .describe(what)
    };
    let times = |what: &str| {
        Attribute::number()
            .optional()
            .validate(validate::whole())
            .validate(validate::between(1, 100))
            .describe(what)
    };
    Block::new()
        .describe(
            "What the server must answer before a deployment moves any traffic, with the new revisions loaded. \
             It is asked on the endpoint's own port; an answer with a status from 200 to 299 is good. \
             A deployment that fails it is rolled back.",
        )
        .attribute(
            "path",
            Attribute::string().optional().describe(
                "The path that is asked with `GET`. Default `/v2/health/live`; on ECS `/v2/health/ready`, and `/` of a variant with an `image`. \
                 On this machine `/v2/health/ready` answers only once there is traffic, so a new endpoint cannot pass it.",
            ),
        )
        .attribute(
            "interval",
            duration("Time from one probe to the next; the first comes at once. Default `1s`."),
        )
        .attribute(
            "timeout",
            duration("Time that one probe may take, at most `20s`. Default `2s`."),
        )
        .attribute(
            "healthy_threshold",
            times("Good probes in a row that make it healthy. Default `1`."),
        )
        .attribute(
            "unhealthy_threshold",
            times("Bad probes in a row that fail the deployment. Default `3`."),
        )
        .attribute(
            "start_period",
            duration(
                "Time from the first probe on in which bad ones do not count. Default `0s`.",
            ),
        )
        .attribute(
            "stabilization_window",
            duration(
                "How long new revisions must have been ready without a break before they get traffic, `1h` at most. On ECS that is: as many tasks run \
                 as are asked for, all are healthy, and no deployment is in progress. Default `0s`; on ECS `10s`, as a load balancer calls a new task \
                 healthy after one good answer.",
            ),
        )
}

fn rollout() -> Block {
    let duration = |what: &str| {
        Attribute::string()
            .optional()
            .validate(validate::duration())
            .describe(what)
    };
    Block::new()
        .describe("How a change reaches the traffic.")
        .attribute(
            "strategy",
            Attribute::string()
                .required()
                .validate(validate::one_of(STRATEGIES))
                .describe("`ALL_AT_ONCE`, `ROLLING`, `BLUE_GREEN`, `CANARY`, `LINEAR` or `SHADOW`."),
        )
        .attribute("steps", Attribute::list_nested(step()).optional().describe(
            "The steps of a `CANARY` or `LINEAR` rollout, or the bake of the others. A step divides each changed variant's own share \
             between its old and its new revision.",
        ))
        .attribute("analysis", Attribute::map_nested(analysis()).optional().describe("What is measured while a step bakes, by name."))
        .attribute(
            "alarms",
            Attribute::set(Type::String).optional().validate(no_nulls()).describe(
                "On ECS: names of CloudWatch alarms, composite ones too, in this region and account. One that is in `ALARM` before a shift or while a step \
                 bakes stops the rollout, as `on_failure` says; one that is so before the rollout begins does not count until it was `OK`, and the apply warns of it. \
                 `INSUFFICIENT_DATA` stops nothing. They have to exist before the endpoint.",
            ),
        )
        .attribute(
            "on_failure",
            Attribute::string()
                .optional()
                .validate(validate::one_of(["rollback", "pause"]))
                .describe("What a failed analysis, or an alarm, does: `rollback` (default) or `pause`."),
        )
        .attribute(
            "on_interrupt",
            Attribute::string()
                .optional()
                .validate(validate::one_of(["rollback", "resume"]))
                .describe("What an interrupted apply does: `rollback` (default), or `resume` at the next apply."),
        )
        .attribute("max_duration", duration("How long the whole rollout may take. Default `1h`."))
        .attribute("terminate_after", duration("How long the old revision is kept after the last shift, under watch: if what took over no longer serves, or an alarm goes off, everything goes back to it. Default `0s` on this machine, `5m` on ECS."))
}

fn step() -> Nested {
    Nested::new()
        .attribute(
            "traffic",
            Attribute::number()
                .required()
                .validate(validate::between(0, 100))
                .describe("The new revision's share of its variant's traffic, in percent."),
        )
        .attribute(
            "bake",
            Attribute::string()
                .optional()
                .validate(validate::duration())
                .describe("How long to watch the step, such as `5m`. Default `0s`."),
        )
        .attribute(
            "pause",
            Attribute::bool()
                .optional()
                .describe("Stop after the bake until `mlops endpoint resume`. Default `false`."),
        )
}

fn analysis() -> Nested {
    let count = |what: &str| {
        Attribute::number()
            .optional()
            .validate(validate::whole())
            .validate(validate::at_least(0))
            .describe(what)
    };
    Nested::new()
        .attribute(
            "source",
            Attribute::string()
                .required()
                .validate(validate::one_of(["server", "cloudwatch", "prometheus", "http", "registry"]))
                .describe(
                    "Where the numbers come from: `server`, the model server's own (on this machine); `cloudwatch`, the load balancer's (on \
                     ECS); `prometheus`; `http`, anything that answers with JSON; or `registry`, the metrics of the model versions. `prometheus` and \
                     `http` are asked from where Terraform runs.",
                ),
        )
        .attribute("query", Attribute::string().required().describe(
            "The number. Of `server` and `cloudwatch`: `error_rate`, `request_rate`, `latency_mean`, `latency_p50`, `latency_p90` or `latency_p99` (seconds), of \
             the candidate. Of `prometheus`: PromQL whose answer is one number. Of `http`: a JSON Pointer into the answer, such as `/data/error_rate`. \
             In these two `{{revision}}`, `{{variant}}` and `{{endpoint}}` stand for whom it is about. Of `registry`: the name of a metric, such as \
             `accuracy`, of the candidate's version; `baseline` is that of the version that serves.",
        ))
        .attribute("address", Attribute::string().optional().describe(
            "The URL of a `prometheus`, without `/api/v1/query`, or what `http` asks for with `GET`, in which `{{revision}}` and the others may stand, \
             too. Required for both.",
        ))
        .attribute("bearer_token_env", Attribute::string().optional().describe(
            "The name of an environment variable that holds the bearer token for `address`, where Terraform runs. The token is in no state and no plan.",
        ))
        .attribute("condition", Attribute::string().required().describe(
            "What must hold, such as `result < 0.02` or `result <= baseline * 1.1`.",
        ))
        .attribute(
            "interval",
            Attribute::string().optional().validate(validate::duration()).describe("Time between two measurements. Default `1s` of `server`, `30s` of `cloudwatch`, `10s` of the others."),
        )
        .attribute("count", count("How many measurements a step takes. Default: the bake divided by the interval."))
        .attribute("failure_limit", count("How many measurements may fail. Default `0`."))
        .attribute("start_after_step", count("The step after which it starts, counted from 1. Default `0`: at once."))
        .attribute(
            "max_wait",
            Attribute::string().optional().validate(validate::duration()).describe(
                "How long a source other than `server` may not answer, and how long a step waits past its bake for a first number; then the \
                 rollout fails. Default `5m`.",
            ),
        )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_describes_every_attribute() {
        crate::resources::shared::assert_described(&super::schema());
    }
}
