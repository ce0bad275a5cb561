# What all units have in common: state, the AWS provider, tags, and what keeps mock outputs out of an apply.

locals {
  env    = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
  name   = "mlops-${local.env.environment}"
  region = "eu-west-1"
}

terraform {
  # Tests of a module call it as a part, which a module with a provider configuration of its own cannot be. Only init and validate look at them.
  extra_arguments "without_tests" {
    commands  = ["init", "validate"]
    arguments = ["-test-directory=no-tests"]
  }
}

remote_state {
  backend = "s3"

  generate = {
    path      = "terragrunt_backend.tf"
    if_exists = "overwrite_terragrunt"
  }

  config = {
    bucket       = "acme-terraform-state-${local.env.account_id}"
    key          = "${path_relative_to_include()}/terraform.tfstate"
    region       = local.region
    encrypt      = true
    use_lockfile = true
  }
}

generate "mocks" {
  path      = "terragrunt_mocks.tf"
  if_exists = "overwrite_terragrunt"
  contents  = <<-EOF
    # Terragrunt gives a unit the mock outputs of dependencies that were not applied yet, and a plan that was made
    # with them can be saved and applied later. A plan shall warn then, and an apply shall do nothing.

    variable "mocked" {
      description = "Dependencies whose outputs are mocks."
      type        = set(string)
      default     = []
      nullable    = false
    }

    check "mocked" {
      assert {
        condition     = length(var.mocked) == 0
        error_message = "This is planned with mock outputs of $${join(", ", var.mocked)}, and cannot be applied. Apply what it depends on first, then plan again."
      }
    }

    # What is to be made waits for this, and it fails. Its id is known in an apply only, and each plan replaces it, two of one second too, so that no plan fails.
    resource "terraform_data" "mocked" {
      for_each = toset(length(var.mocked) > 0 ? ["outputs"] : [])

      triggers_replace = uuid()

      lifecycle {
        postcondition {
          condition     = self.id == ""
          error_message = "Nothing is applied: this was planned with mock outputs of $${join(", ", var.mocked)}. Apply what it depends on first, then plan again."
        }
      }
    }
  EOF
}

generate "aws" {
  # Models are not the AWS provider's: units/model.hcl has its own.
  disable   = basename(path_relative_to_include()) == "model"
  path      = "terragrunt_aws.tf"
  if_exists = "overwrite_terragrunt"
  contents  = <<-EOF
    provider "aws" {
      region              = "${local.region}"
      allowed_account_ids = ["${local.env.account_id}"]

      # Null, or with mock outputs unknown until an apply: that is how everything of this provider waits for the refusal in terragrunt_mocks.tf.
      max_retries = one([for refusal in terraform_data.mocked : length(refusal.id)])

      default_tags {
        tags = {
          environment = "${local.env.environment}"
          managed-by  = "terragrunt"
        }
      }
    }
  EOF
}

inputs = {
  name = local.name
}
