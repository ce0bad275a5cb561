//! The endpoint saga's steps that are not the target's own and not the rollout.

mod announce;
mod capacity;
mod ensure;
mod health;
mod hold;
mod prove;
mod retire;
mod teardown;
mod unseen;
mod wait;

pub use announce::Announce;
pub use capacity::{Autoscale, AutoscaleInput, HoldCapacity, HoldCapacityInput, Scaled};
pub use ensure::{EnsureInput, EnsureRevisions};
pub use health::{CheckHealth, HealthInput, HealthSince};
pub use hold::{Hold, HoldInput, HoldUntil, Standby};
pub use prove::{Prove, ProveInput};
pub use retire::{Retire, RetireInput, RetireSince};
pub use teardown::{Teardown, TeardownInput};
pub use unseen::{HandOver, HandOverInput, MakeRevisions};
