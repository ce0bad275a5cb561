//! The declaration of `mlops_model_version`.

use std::collections::BTreeMap;

use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::timeouts::{self, Operation};
use tfplugin::types::Type;
use tfplugin::{Attr, validate};

use crate::resources::convert::{ListOf, MapOf, no_nulls};
use crate::resources::shared;
use crate::tags::AllTags;

tfplugin::object! {
    /// Configuration, plan and state of `mlops_model_version`.
    pub(crate) struct State {
        /// `MODEL/VERSION`.
        pub(crate) id: Attr<String>,
        /// The model.
        pub(crate) model: Attr<String>,
        /// The allocated number.
        pub(crate) version: Attr<u64>,
        /// The file or directory that was registered.
        pub(crate) source: Attr<String>,
        /// Stands for the bytes where the source cannot be read at plan.
        pub(crate) source_hash: Attr<String>,
        /// The image that was registered.
        pub(crate) image: Attr<Image>,
        /// What the artifact is.
        pub(crate) framework: Attr<String>,
        /// Inputs and outputs, JSON.
        pub(crate) signature: Attr<String>,
        /// What was measured.
        pub(crate) metrics: MapOf<f64>,
        /// What it was trained with.
        pub(crate) params: MapOf<String>,
        /// Where it comes from.
        pub(crate) lineage: Attr<Lineage>,
        /// `PendingManualApproval`, `Approved` or `Rejected`.
        pub(crate) approval_status: Attr<String>,
        /// Why.
        pub(crate) approval_description: Attr<String>,
        /// The aliases whose gates must pass at plan.
        pub(crate) gate_for: ListOf<String>,
        /// Requests asked before any traffic.
        pub(crate) smoke: Attr<Smoke>,
        /// What happens to the version on destroy.
        pub(crate) deletion_policy: Attr<String>,
        /// Configured tags.
        pub(crate) tags: MapOf<String>,
        /// Configured tags and the provider's.
        pub(crate) tags_all: AllTags,
        /// Where the artifact lies.
        pub(crate) artifact_uri: Attr<String>,
        /// What the artifact is, byte for byte.
        pub(crate) artifact_digest: Attr<String>,
        /// How large it is.
        pub(crate) artifact_size_bytes: Attr<u64>,
        /// When it was registered, RFC 3339.
        pub(crate) created_at: Attr<String>,
        /// How the gates judge it, by metric.
        pub(crate) gate_report: Attr<BTreeMap<String, String>>,
        /// What differs from the champion.
        pub(crate) model_diff: Attr<BTreeMap<String, String>>,
        /// How long operations may take.
        pub(crate) timeouts: Attr<Timeouts>,
    }

    /// The image that a version is.
    pub(crate) struct Image {
        /// The image as it is written.
        pub(crate) uri: Attr<String>,
        /// What it was resolved to.
        pub(crate) digest: Attr<String>,
        /// What it runs on.
        pub(crate) platforms: ListOf<String>,
    }

    /// Where a version comes from.
    pub(crate) struct Lineage {
        /// The training run.
        pub(crate) run_id: Attr<String>,
        /// The repository of the training code.
        pub(crate) git_repo: Attr<String>,
        /// The commit of the training code.
        pub(crate) git_commit: Attr<String>,
        /// The version that it was trained from.
        pub(crate) parent_version: Attr<String>,
        /// The data sets by role.
        pub(crate) datasets: MapOf<String>,
    }

    /// Golden requests.
    pub(crate) struct Smoke {
        /// The request, JSON of the Open Inference Protocol.
        pub(crate) inputs: Attr<String>,
        /// What the answer must hold, JSON.
        pub(crate) expect: Attr<String>,
    }

    /// The block `timeouts`.
    pub(crate) struct Timeouts {
        /// For the upload and the registration.
        pub(crate) create: Attr<String>,
    }
}

pub(crate) fn schema() -> Schema {
    let kept = Attribute::computed;
    Schema::new(
        Block::new()
            .describe(
                "A version of a model: an artifact, immutable and numbered once. Changed bytes replace the version; \
                 with `create_before_destroy` the new one is there before the old one is archived.",
            )
            .attribute("id", shared::id("`MODEL/VERSION`."))
            .attribute("model", shared::name(128).requires_replace().describe("The model's name."))
            .attribute(
                "version",
                kept(Attribute::number())
                    .use_state_for_unknown()
                    .describe("The number, counted from 1, allocated at apply and never used again."),
            )
            .attribute(
                "source",
                Attribute::string()
                    .optional()
                    .validate(validate::length(1..=4096))
                    .describe(
                        "The file or directory to register, or `s3://BUCKET/KEY`: an object, or what lies below a prefix, read with the \
                         provider's AWS settings. Other bytes replace the version; another path with the same bytes \
                         changes nothing, and neither does a file that is gone once it is registered.",
                    ),
            )
            .attribute(
                "source_hash",
                Attribute::string().optional().requires_replace().describe(
                    "Any text that changes with the bytes of `source`, for a source that cannot be read at plan. One in S3 is then not read at plan \
                     at all. Changing it replaces the version.",
                ),
            )
            .attribute(
                "image",
                Attribute::single_nested(image())
                    .optional()
                    .validate(validate::conflicts_with(["source", "source_hash", "framework", "smoke"]))
                    .describe(
                        "The image to register in place of a model's files: it serves itself, on ECS. `smoke` asks the model server, which an image is not.",
                    ),
            )
            .attribute(
                "framework",
                Attribute::string()
                    .optional()
                    .computed()
                    .validate(validate::one_of(["onnx"]))
                    .requires_replace()
                    .use_state_for_unknown()
                    .describe("What the artifact is: `onnx`, read from the artifact if not set; of an `image` it is `container`."),
            )
            .attribute(
                "signature",
                Attribute::string()
                    .optional()
                    .computed()
                    .validate(validate::json())
                    .requires_replace()
                    .describe("Inputs and outputs as JSON in the words of the Open Inference Protocol. Read from the graph if not set."),
            )
            .attribute(
                "metrics",
                Attribute::map(Type::Number)
                    .optional()
                    .validate(no_nulls())
                    .describe("What was measured, by metric. Changed in place; each change is in the audit log."),
            )
            .attribute(
                "params",
                Attribute::map(Type::String).optional().validate(no_nulls()).requires_replace().describe("What it was trained with, by parameter."),
            )
            .attribute("lineage", Attribute::single_nested(lineage()).optional().requires_replace().describe("Where the version comes from."))
            .attribute(
                "approval_status",
                Attribute::string()
                    .optional()
                    .validate(validate::one_of(["PendingManualApproval", "Approved", "Rejected"]))
                    .describe(
                        "`PendingManualApproval`, `Approved` or `Rejected`. Leave it out where people or other tools decide: \
                         Terraform then does not touch it, and `data.mlops_model_version` tells it.",
                    ),
            )
            .attribute(
                "approval_description",
                Attribute::string().optional().validate(validate::requires(["approval_status"])).describe("Why, for the audit log."),
            )
            .attribute(
                "gate_for",
                Attribute::set(Type::String)
                    .optional()
                    .validate(no_nulls())
                    .describe("The aliases that this version is meant for. A promotion gate that it fails is an error at plan."),
            )
            .attribute("smoke", Attribute::single_nested(smoke()).optional().requires_replace().describe(
                "A golden request that an endpoint asks of this version before it gets any traffic.",
            ))
            .attribute("deletion_policy", shared::deletion_policy(["ARCHIVE", "DELETE", "ABANDON", "PREVENT"], "ARCHIVE"))
            .attribute("tags", shared::tags())
            .attribute("tags_all", shared::tags_all())
            .attribute("artifact_uri", kept(Attribute::string()).describe("Where the artifact lies."))
            .attribute("artifact_digest", kept(Attribute::string()).describe(
                "SHA-256 of the artifact's manifest, `sha256:…`. Known at plan where the source can be read. The artifact of an `image` is the document that names it.",
            ))
            .attribute("artifact_size_bytes", kept(Attribute::number()).describe("The artifact's size in bytes; of an `image` what a machine pulls that has none of its layers, if its registry tells."))
            .attribute("created_at", shared::created_at())
            .attribute("gate_report", kept(Attribute::map(Type::String)).describe(
                "How the gates of the aliases in `gate_for` judge this version, by metric. Known at plan.",
            ))
            .attribute("model_diff", kept(Attribute::map(Type::String)).describe(
                "What differs from the version that `champion` points to; of parameters and lineage, which may be sensitive, only the names. Known at plan.",
            ))
            .single("timeouts", timeouts::block([Operation::Create])),
    )
}

fn image() -> Nested {
    Nested::new()
        .attribute("uri", Attribute::string().required().validate(validate::length(1..=4096)).describe(
            "The image, `REPOSITORY:TAG` or `REPOSITORY@sha256:DIGEST`. A tag is resolved once, when the version is planned: it may move afterwards. Another \
             tag of the same digest in the same repository changes nothing, any other image replaces the version. ECR is asked with the provider's \
             credentials, any other registry with what `docker login` left.",
        ))
        .attribute("digest", Attribute::string().computed().describe("The digest that is the version, `sha256:DIGEST`. Known at plan."))
        .attribute(
            "platforms",
            Attribute::list(Type::String).computed().describe("What it runs on, sorted, such as `linux/amd64`. Known at plan."),
        )
}

fn lineage() -> Nested {
    let part = |what: &str| Attribute::string().optional().describe(what);
    Nested::new()
        .attribute("run_id", part("The training run, such as MLflow's run id."))
        .attribute("git_repo", part("The repository of the training code."))
        .attribute("git_commit", part("The commit of the training code."))
        .attribute(
            "parent_version",
            part("The version that it was trained from, `MODEL/VERSION`."),
        )
        .attribute(
            "datasets",
            Attribute::map(Type::String)
                .optional()
                .validate(no_nulls())
                .describe(
                    "The data sets by role, such as `train`, each with a name, URI or digest.",
                ),
        )
}

fn smoke() -> Nested {
    Nested::new()
        .attribute(
            "inputs",
            Attribute::string()
                .required()
                .validate(validate::json())
                .describe("The body of an inference request of the Open Inference Protocol, JSON."),
        )
        .attribute(
            "expect",
            Attribute::string()
                .optional()
                .validate(validate::json())
                .describe(
                    "What the answer must hold, JSON. A list is compared with the first output's data, an object with a part of \
                     the whole answer: each key must be there, lists must match item by item, numbers within one part in ten \
                     thousand. Without it any answer that is no error passes.",
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
