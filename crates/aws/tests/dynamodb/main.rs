//! Records in DynamoDB, against what speaks its protocol.

#[path = "../support/mod.rs"]
mod support;

/// Its address; a test returns where it cannot be had.
macro_rules! dynamodb_local {
    () => {
        match part::dynamodb_local() {
            Some(part) => part.url.as_str(),
            None => return,
        }
    };
}

mod conformance;
mod credentials;
mod failover;
mod faults;
mod format;
mod network;
mod processes;
mod records;
mod refresh;
mod toxics;
