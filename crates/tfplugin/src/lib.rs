//! A thin framework for Terraform providers over plugin protocol 6.
