//! The declaration of `mlops_model`.

use std::collections::BTreeMap;

use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::types::Type;
use tfplugin::{Attr, validate};

use crate::resources::convert::{ListOf, MapOf, no_nulls};
use crate::resources::shared;
use crate::tags::AllTags;

tfplugin::object! {
    /// Configuration, plan and state of `mlops_model`.
    pub(crate) struct State {
        /// The model's name and id.
        pub(crate) id: Attr<String>,
        /// The model's name.
        pub(crate) name: Attr<String>,
        /// What the model is for.
        pub(crate) description: Attr<String>,
        /// Who answers for it.
        pub(crate) owner: Attr<String>,
        /// What kind of question it answers.
        pub(crate) task: Attr<String>,
        /// The metrics that its versions report.
        pub(crate) metrics: Attr<BTreeMap<String, Metric>>,
        /// Which signatures a new version may have.
        pub(crate) signature_compatibility: Attr<String>,
        /// What an alias demands of a version.
        pub(crate) promotion: Attr<Promotion>,
        /// Which archived versions stay.
        pub(crate) retention: Attr<Retention>,
        /// What happens to the model on destroy.
        pub(crate) deletion_policy: Attr<String>,
        /// Whether versions of other owners go with it.
        pub(crate) force_destroy: Attr<bool>,
        /// Configured tags.
        pub(crate) tags: MapOf<String>,
        /// Configured tags and the provider's.
        pub(crate) tags_all: AllTags,
        /// When it was created, RFC 3339.
        pub(crate) created_at: Attr<String>,
    }

    /// One declared metric.
    pub(crate) struct Metric {
        /// `maximize` or `minimize`.
        pub(crate) goal: Attr<String>,
        /// The least value that a version may claim.
        pub(crate) min: Attr<f64>,
        /// The greatest value that a version may claim.
        pub(crate) max: Attr<f64>,
        /// The unit, for people.
        pub(crate) unit: Attr<String>,
    }

    /// The block `promotion`.
    pub(crate) struct Promotion {
        /// The gates by metric.
        pub(crate) gates: Attr<BTreeMap<String, Gate>>,
        /// How many approvals a version needs.
        pub(crate) approvals_required: Attr<u32>,
        /// The parts of the lineage that a version must name.
        pub(crate) require_lineage: ListOf<String>,
    }

    /// The block `retention`.
    pub(crate) struct Retention {
        /// So many of the newest versions.
        pub(crate) keep_last: Attr<u64>,
        /// So many days after they were archived.
        pub(crate) keep_days: Attr<u32>,
    }

    /// One gate.
    pub(crate) struct Gate {
        /// The metric must be at least this.
        pub(crate) min: Attr<f64>,
        /// The metric must be at most this.
        pub(crate) max: Attr<f64>,
        /// The metric is compared with the version that this alias points to.
        pub(crate) baseline: Attr<String>,
        /// How much better than the baseline it must be.
        pub(crate) min_delta: Attr<f64>,
        /// How much worse than the baseline it may be, in percent of the baseline.
        pub(crate) max_regression_percent: Attr<f64>,
        /// What a version without the metric means.
        pub(crate) on_missing: Attr<String>,
    }
}

/// The tasks that a model can declare.
pub(crate) const TASKS: [&str; 6] = [
    "classification",
    "regression",
    "ranking",
    "embedding",
    "llm",
    "other",
];

/// The parts of a version's lineage that a promotion can require.
pub(crate) const LINEAGE: [&str; 5] = [
    "run_id",
    "git_repo",
    "git_commit",
    "parent_version",
    "datasets",
];

pub(crate) fn schema() -> Schema {
    Schema::new(
        Block::new()
            .describe(
                "A registered model: the name under which versions, aliases and promotion rules live. \
                 Deleting a model leaves its version counter behind, so that `fraud/1` never means two artifacts.",
            )
            .attribute("id", shared::id("The model's name."))
            .attribute(
                "name",
                shared::name(128)
                    .requires_replace()
                    .describe("The model's name, 1 to 128 of the characters A-Z a-z 0-9 . _ -. Changing it replaces the model."),
            )
            .attribute("description", Attribute::string().optional().describe("What the model is for."))
            .attribute("owner", Attribute::string().optional().describe("The team or person who answers for the model."))
            .attribute(
                "task",
                Attribute::string()
                    .optional()
                    .validate(validate::one_of(TASKS))
                    .describe("The kind of task: `classification`, `regression`, `ranking`, `embedding`, `llm` or `other`."),
            )
            .attribute("metrics", Attribute::map_nested(metric()).optional().describe(
                "The metrics that versions of this model report, by name. A gate needs to know whether more is better.",
            ))
            .attribute(
                "signature_compatibility",
                Attribute::string()
                    .default("BACKWARD")
                    .validate(validate::one_of(["NONE", "BACKWARD", "FORWARD", "FULL"]))
                    .describe(
                        "Which signatures a new version may have, compared with the latest: `NONE` any, `BACKWARD` it accepts \
                         what callers of the old version send, `FORWARD` the old version accepts what callers of the new send, \
                         `FULL` both. Default `BACKWARD`.",
                    ),
            )
            .attribute("deletion_policy", shared::deletion_policy(["DELETE", "ABANDON", "PREVENT"], "DELETE"))
            .attribute(
                "force_destroy",
                Attribute::bool().default(false).describe(
                    "Whether destroying the model also removes live versions that Terraform does not manage here. \
                     Without it such versions refuse the destroy. Default `false`.",
                ),
            )
            .attribute("tags", shared::tags())
            .attribute("tags_all", shared::tags_all())
            .attribute("created_at", shared::created_at())
            .single("promotion", promotion())
            .single("retention", retention()),
    )
}

fn metric() -> Nested {
    Nested::new()
        .attribute(
            "goal",
            Attribute::string()
                .required()
                .validate(validate::one_of(["maximize", "minimize"]))
                .describe("`maximize` where more is better, else `minimize`."),
        )
        .attribute(
            "min",
            Attribute::number().optional().describe(
                "The least value that makes sense; a version that claims less is refused.",
            ),
        )
        .attribute(
            "max",
            Attribute::number().optional().describe(
                "The greatest value that makes sense; a version that claims more is refused.",
            ),
        )
        .attribute(
            "unit",
            Attribute::string()
                .optional()
                .describe("The unit, for people and dashboards, such as `ms`."),
        )
}

fn promotion() -> Block {
    Block::new()
        .describe("What an alias that enforces promotion demands of a version before it moves there.")
        .attribute("gates", Attribute::map_nested(gate()).optional().describe("The gates, by the metric they look at."))
        .attribute(
            "approvals_required",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::between(0, 100))
                .describe("How many different people must have approved a version before an alias may move to it. Default `0`."),
        )
        .attribute(
            "require_lineage",
            Attribute::set(Type::String)
                .optional()
                .validate(no_nulls())
                .validate(validate::each(validate::one_of(LINEAGE)))
                .describe("The parts of the lineage that a version must name: `run_id`, `git_repo`, `git_commit`, `parent_version`, `datasets`."),
        )
}

fn retention() -> Block {
    Block::new()
        .describe(
            "Which archived versions stay in the registry. `mlops artifact gc --delete` deletes those that neither rule keeps; \
             nothing else acts on it. Versions that are not archived, that an alias points to or that an endpoint serves always stay, \
             and without the block all do.",
        )
        .validate(validate::at_least_one_of(["keep_last", "keep_days"]))
        .attribute(
            "keep_last",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::between(1, 1_000_000))
                .describe("How many of the model's newest versions stay, archived or not."),
        )
        .attribute(
            "keep_days",
            Attribute::number()
                .optional()
                .validate(validate::whole())
                .validate(validate::between(1, 36_500))
                .describe("How many days a version stays after it was archived."),
        )
}

fn gate() -> Nested {
    Nested::new()
        .validate(validate::exactly_one_of(["min", "max", "baseline"]))
        .attribute("min", Attribute::number().optional().describe("The metric must be at least this."))
        .attribute("max", Attribute::number().optional().describe("The metric must be at most this."))
        .attribute(
            "baseline",
            Attribute::string().optional().describe("The alias whose version the metric is compared with, such as `champion`."),
        )
        .attribute(
            "min_delta",
            Attribute::number()
                .optional()
                .validate(validate::requires(["baseline"]))
                .describe("How much better than the baseline the metric must be, in its own unit. Default `0`."),
        )
        .attribute(
            "max_regression_percent",
            Attribute::number()
                .optional()
                .validate(validate::requires(["baseline"]))
                .validate(validate::conflicts_with(["min_delta"]))
                .validate(validate::between(0, 100))
                .describe("How much worse than the baseline the metric may be, in percent of the baseline."),
        )
        .attribute(
            "on_missing",
            Attribute::string()
                .optional()
                .validate(validate::one_of(["fail", "warn"]))
                .describe("What a version without this metric means: `fail` (default) or `warn`."),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_describes_every_attribute() {
        crate::resources::shared::assert_described(&schema());
    }
}
