locals {
  root = dirname(find_in_parent_folders("root.hcl"))
  env  = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
}

terraform {
  source = "${local.root}/model"
}

dependency "registry" {
  config_path = "../registry"

  mock_outputs_allowed_terraform_commands = ["init", "plan", "validate"]
  mock_outputs = {
    mocked   = true
    registry = { bucket = "mock-000000000000-eu-west-1", kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-4000-8000-000000000000", prefix = "", table = "mock" }
  }
}

generate "provider" {
  path      = "terragrunt_provider.tf"
  if_exists = "overwrite_terragrunt"
  contents  = <<-EOF
    provider "mlops" {
      region = "eu-west-1"

    %{if try(dependency.registry.outputs.mocked, false)~}
      # A registry that is a mock cannot be asked, so this is planned against one that is not there: it shows what would be new.
      local {
        path = "./no-registry"
      }
    %{else~}
      registry {
        bucket      = "${dependency.registry.outputs.registry.bucket}"
        kms_key_arn = "${dependency.registry.outputs.registry.kms_key_arn}"
        prefix      = "${dependency.registry.outputs.registry.prefix}"
        table       = "${dependency.registry.outputs.registry.table}"
      }
    %{endif~}
    }
  EOF
}

inputs = {
  mocked = [for name, outputs in { registry = dependency.registry.outputs } : name if try(outputs.mocked, false)]

  # Of this checkout, because Terragrunt runs in a copy of the unit alone. Another path with the same bytes is no change.
  models = { for name, model in local.env.models : name => merge(model, { file = "${local.root}/../quickstart/models/${model.file}" }) }
}
