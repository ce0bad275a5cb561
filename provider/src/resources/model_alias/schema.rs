//! The declaration of `mlops_model_alias`.

use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::{Attr, validate};

use crate::resources::shared;

tfplugin::object! {
    /// Configuration, plan and state of `mlops_model_alias`.
    pub(crate) struct State {
        /// `MODEL@ALIAS`.
        pub(crate) id: Attr<String>,
        /// The model.
        pub(crate) model: Attr<String>,
        /// The alias.
        pub(crate) name: Attr<String>,
        /// The version it points to, if Terraform owns the pointer.
        pub(crate) version: Attr<u64>,
        /// The version it points to at first, if somebody else owns the pointer.
        pub(crate) initial_version: Attr<u64>,
        /// Whether the model's promotion rules hold for it.
        pub(crate) enforce_promotion: Attr<bool>,
        /// Why a failing gate is passed over.
        pub(crate) override_reason: Attr<String>,
    }
}

pub(crate) fn schema() -> Schema {
    Schema::new(
        Block::new()
            .describe(
                "A name that points to one version of a model, such as `champion`. Every move obeys the model's promotion rules, \
                 whoever makes it.",
            )
            .attribute("id", shared::id("`MODEL@ALIAS`."))
            .attribute("model", shared::name(128).requires_replace().describe("The model's name."))
            .attribute("name", shared::name(128).requires_replace().describe("The alias, such as `champion`."))
            .attribute(
                "version",
                Attribute::number()
                    .optional()
                    .validate(validate::whole())
                    .validate(validate::at_least(1))
                    .validate(validate::conflicts_with(["initial_version"]))
                    .describe(
                        "The version that the alias points to. Leave it out where a pipeline or a person moves the alias: \
                         Terraform then owns the alias and its rules only, and `data.mlops_model_version` tells the target.",
                    ),
            )
            .attribute(
                "initial_version",
                Attribute::number()
                    .optional()
                    .validate(validate::whole())
                    .validate(validate::at_least(1))
                    .describe("The version that the alias points to when it is created; later changes of this attribute do nothing."),
            )
            .attribute(
                "enforce_promotion",
                Attribute::bool().default(true).describe(
                    "Whether the model's `promotion` rules hold for every move of this alias. Default `true`.",
                ),
            )
            .attribute(
                "override_reason",
                Attribute::string()
                    .optional()
                    .validate(validate::length(1..=1024))
                    .describe("Why this alias may move although a gate fails. Recorded in the event log with the move."),
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
