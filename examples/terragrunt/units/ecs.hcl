locals {
  root = dirname(find_in_parent_folders("root.hcl"))
  env  = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
}

terraform {
  source = "${local.root}/../../modules/ecs"
}

dependency "registry" {
  config_path = "../registry"

  # As the module checks them: ARNs of a key and of a repository.
  mock_outputs_allowed_terraform_commands = ["init", "plan", "validate"]
  mock_outputs = {
    mocked = true
    registry = {
      bucket      = "mock-000000000000-eu-west-1"
      kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-4000-8000-000000000000"
      prefix      = ""
      table       = "mock"
    }
    repositories = { model-server = { arn = "arn:aws:ecr:eu-west-1:000000000000:repository/model-server" } }
  }
}

inputs = {
  mocked = [for name, outputs in { registry = dependency.registry.outputs } : name if try(outputs.mocked, false)]

  registry = dependency.registry.outputs.registry
  servers = {
    digits = { models = keys(local.env.models), repository_arns = { server = dependency.registry.outputs.repositories["model-server"].arn } }
  }
}
