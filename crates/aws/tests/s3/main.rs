//! Artifacts in S3, against what speaks its protocol.

#[path = "../support/mod.rs"]
mod support;

mod bucket;
mod conformance;
mod download;
mod faults;
mod interrupted;
mod proxy;
mod refusals;
mod removal;
mod source;
mod upload;
mod versions;
