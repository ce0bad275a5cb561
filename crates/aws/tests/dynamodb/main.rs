//! Records in DynamoDB, against what speaks its protocol.

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod credentials;
mod faults;
mod network;
mod records;
mod refresh;
