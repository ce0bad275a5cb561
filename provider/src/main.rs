//! The Terraform provider for shipping machine-learning models. Glue only.

fn main() {}
