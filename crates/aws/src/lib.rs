//! The core's ports on AWS: records in DynamoDB, artifacts in S3.
//!
//! [`AwsSettings`] say what a user says about AWS, [`AwsClients`] make the services' clients from
//! them. No type of the AWS SDK is in what this crate offers.

mod clients;
mod credentials;
pub mod dynamodb;
mod fault;
pub mod read_ahead;
mod retry;
pub mod s3;
mod settings;
mod transport;

pub use clients::AwsClients;
pub use retry::Patience;
pub use settings::{
    AssumeRole, AssumeRoleWithWebIdentity, AwsSettings, Endpoints, RetryMode, Secret,
};
