use crate::private::PrivateState;
use crate::value::Value;

/// What [`Resource::plan`](super::Resource::plan) is asked.
#[derive(Clone, Debug)]
pub struct PlanRequest<S> {
    /// What the user wrote, write-only values included.
    pub config: S,
    /// What the state says; `None` if the resource is to be created.
    pub prior: Option<S>,
    /// What the framework would plan: the configuration, with defaults, prior values, and unknown where
    /// a computed value may change.
    pub proposed: S,
    /// The paths whose change replaces the resource, as the schema's plan modifiers found them.
    pub requires_replace: Vec<crate::path::Path>,
    /// Private state as it was stored with the prior state.
    pub private: PrivateState,
}

impl<S: PartialEq> PlanRequest<S> {
    /// Whether the resource is to be created, be it new or the second half of a replacement.
    pub fn is_create(&self) -> bool {
        self.prior.is_none()
    }

    /// Whether the framework would plan no change at all.
    pub fn is_no_op(&self) -> bool {
        self.prior.as_ref() == Some(&self.proposed)
    }
}

/// What [`Resource::plan_destroy`](super::Resource::plan_destroy) is asked.
#[derive(Clone, Debug)]
pub struct PlanDestroyRequest<S> {
    /// What is to be destroyed.
    pub prior: S,
    /// Private state.
    pub private: PrivateState,
}

/// What [`Resource::create`](super::Resource::create) is asked.
#[derive(Clone, Debug)]
pub struct CreateRequest<S> {
    /// What the user wrote, write-only values included. Wholly known.
    pub config: S,
    /// What was planned: its known values are promises, its unknown ones are to be filled in.
    pub planned: S,
    /// Private state as the plan left it.
    pub private: PrivateState,
}

/// What [`Resource::update`](super::Resource::update) is asked.
#[derive(Clone, Debug)]
pub struct UpdateRequest<S> {
    /// What the user wrote, write-only values included. Wholly known.
    pub config: S,
    /// What the state says.
    pub prior: S,
    /// What was planned: its known values are promises, its unknown ones are to be filled in.
    pub planned: S,
    /// Private state as the plan left it.
    pub private: PrivateState,
}

/// What [`Resource::delete`](super::Resource::delete) is asked.
#[derive(Clone, Debug)]
pub struct DeleteRequest<S> {
    /// What is to be deleted.
    pub prior: S,
    /// Private state.
    pub private: PrivateState,
}

/// What [`Resource::read`](super::Resource::read) is asked.
#[derive(Clone, Debug)]
pub struct ReadRequest<S> {
    /// What the state says.
    pub state: S,
    /// Private state.
    pub private: PrivateState,
}

/// What [`ImportState::import_state`](super::ImportState::import_state) is asked.
#[derive(Clone, Debug)]
pub enum ImportRequest {
    /// Import by id, in the resource's own format.
    Id(String),
    /// Import by identity (Terraform 1.12 and later): an object of the identity schema's type.
    Identity(Value),
}

impl ImportRequest {
    /// The id, if the import is by id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Identity(_) => None,
        }
    }
}

/// What [`MoveState::move_state`](super::MoveState::move_state) is asked.
#[derive(Debug)]
pub struct MoveRequest<'a> {
    /// The address of the provider that the state comes from, with its registry's host.
    pub source_provider: &'a str,
    /// The resource type that the state is of.
    pub source_type: &'a str,
    /// The schema version of the state.
    pub source_version: u64,
    /// The state.
    pub source: &'a super::RawState,
    /// The private state's bytes; their form is the source provider's own.
    pub source_private: &'a [u8],
}
