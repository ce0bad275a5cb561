# Nothing: see subnets.tftest.hcl, instead of which OpenTofu takes this file.
