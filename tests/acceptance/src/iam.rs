//! A gate before a part that lets through what an IAM policy allows, as AWS would. The part itself asks for no permission.

mod call;
mod ecs;
mod gate;
mod machines;
mod policy;
mod route53;

pub use gate::Gate;
pub use policy::Policy;
