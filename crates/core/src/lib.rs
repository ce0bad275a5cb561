//! The domain: registry, endpoints, plan, saga, rollout, and the ports they need.
//!
//! It knows no network, no cloud and no Terraform. Adapters implement its ports
//! ([`records::Records`] and the others) and pass its conformance suites.

pub mod artifacts;
pub mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod endpoint;
pub mod error;
pub mod gates;
pub mod images;
pub mod inspect;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
pub mod model_diff;
pub mod names;
pub mod onnx;
pub mod records;
pub mod redact;
pub mod reference;
pub mod registry;
pub mod rollout;
pub mod saga;
pub mod serving;
pub mod signature;
pub mod tags;
pub mod target;
pub mod wildcard;

pub use error::{Class, Error, Result};
