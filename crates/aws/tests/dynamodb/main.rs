//! Records in DynamoDB, against what speaks its protocol.

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod credentials;
mod failover;
mod faults;
mod network;
mod processes;
mod records;
mod refresh;
mod toxics;
