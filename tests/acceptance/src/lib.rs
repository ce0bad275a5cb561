//! Real terraform against the built provider and real parts.
