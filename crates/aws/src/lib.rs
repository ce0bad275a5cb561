//! The core's ports on AWS: records in DynamoDB, artifacts in S3, endpoints on ECS behind
//! Elastic Load Balancing.
//!
//! [`AwsSettings`] say what a user says about AWS, [`AwsClients`] make the services' clients from
//! them. No type of the AWS SDK is in what this crate offers.

mod clients;
mod cloudwatch;
mod credentials;
pub mod dynamodb;
pub mod ecs;
mod elb;
mod fault;
pub mod images;
mod once;
mod preflight;
mod query;
pub mod read_ahead;
mod retry;
mod route53;
pub mod s3;
mod settings;
mod transport;

#[cfg(test)]
extern crate self as mlops_aws;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use clients::AwsClients;
pub use retry::Patience;
pub use settings::{
    AssumeRole, AssumeRoleWithWebIdentity, AwsSettings, Endpoints, RetryMode, Secret,
};
