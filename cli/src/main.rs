//! The mlops command: the verbs of the provider for people and CI.

fn main() {}
