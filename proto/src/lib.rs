//! Terraform plugin protocol 6: the protocol file and the code generated from it.
