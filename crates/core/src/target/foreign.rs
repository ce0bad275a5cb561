//! What runs on a target and is no endpoint's, in the words of one.

use super::Server;
use crate::endpoint::spec::EndpointSpec;

/// A service that somebody else made, described so that an endpoint can take it over. Nothing of it was changed to learn this.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    /// The endpoint that would be like it: one variant, which runs an image as it was written. What the target does not know of it, such as a role that
    /// it does not have, is empty.
    pub spec: EndpointSpec,
    /// Where it is and what it is made of, in a document of the target's own. [`Target::satisfies`](super::Target::satisfies) tells whether an endpoint can
    /// take it over where it is; [`ProvisionRequest::takes_over`](super::ProvisionRequest::takes_over) does so.
    pub server: Server,
    /// What of it no endpoint says, and a revision of the endpoint will be without, for people.
    pub left_behind: Vec<String>,
}
