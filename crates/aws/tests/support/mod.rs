//! What the tests of the crate share: real parts to run against, and a proxy that counts and fails.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own share"
)]

pub mod part;
pub mod proxy;
pub mod table;

/// Says that a test cannot run here; the test returns then and counts as skipped.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    let name = name.rsplit("::").next().unwrap_or(name);
    println!("SKIP {name}: {reason}");
}
