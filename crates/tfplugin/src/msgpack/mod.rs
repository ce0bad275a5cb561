//! Values in MessagePack, as the protocol carries them.
//!
//! Both directions are led by a [`Type`](crate::types::Type): an array is a list, a set or a tuple only by it. Unknown is
//! extension 0; extension 12, an unknown of which core knows something, is read as plain unknown.

mod decode;
mod encode;

pub use decode::{MAX_DEPTH, MAX_VALUES, decode};
pub use encode::encode;

#[cfg(test)]
pub(crate) mod tests;
