//! The core's ports in memory, for tests: of the core itself, and as the reference that the
//! conformance suites compare adapters with.

mod artifacts;
mod clock;
mod records;
mod sessions;

pub use artifacts::MemoryArtifacts;
pub use clock::ManualClock;
pub use records::MemoryRecords;
pub use sessions::MemorySessions;

#[cfg(test)]
mod tests;
