locals {
  root = dirname(find_in_parent_folders("root.hcl"))
  env  = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
}

terraform {
  source = "${local.root}/../../modules/registry"
}

inputs = {
  repositories = { model-server = {} }
  table        = { deletion_protection = local.env.protected }
}
