//! Why the stub cannot start.

/// What is wrong with how the stub was started, or with a file that is built into it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StubError {
    /// The program's name or the environment names a provider without facts.
    #[error(
        "there are no facts about a provider named {name:?}; known are {known}. Name the program terraform-provider-NAME, or set TFPLUGIN_STUB_PROVIDER"
    )]
    UnknownProvider {
        /// The name.
        name: String,
        /// The names that would do.
        known: String,
    },
    /// A facts file is broken.
    #[error(
        "the facts about {name} cannot be read; write them anew with tests/stub/facts/generate"
    )]
    Facts {
        /// The provider.
        name: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// A facts file names something that makes no schema.
    #[error("the facts about {subject} make no schema: {problem}")]
    Schema {
        /// The type and attribute.
        subject: String,
        /// What is wrong.
        problem: String,
    },
}
