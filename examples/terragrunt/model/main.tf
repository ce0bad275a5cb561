# Models of one environment, in its registry: each with one version, which is the champion once its gates have passed.

terraform {
  required_version = ">= 1.11"

  required_providers {
    mlops = {
      source  = "mlops-rs/mlops"
      version = "~> 0.1"
    }
  }
}

resource "mlops_model" "this" {
  for_each = var.models

  name        = each.key
  description = each.value.description
  task        = "classification"
  metrics     = { accuracy = { goal = "maximize" } }
  tags        = { environment = var.name }

  promotion {
    gates = { accuracy = { min = each.value.min_accuracy } }
  }

  # Of terragrunt_mocks.tf: nothing is made from a plan with mock outputs.
  depends_on = [terraform_data.mocked]
}

resource "mlops_model_version" "this" {
  for_each = var.models

  model    = mlops_model.this[each.key].name
  source   = each.value.file
  metrics  = { accuracy = each.value.accuracy }
  gate_for = ["champion"]

  lifecycle {
    create_before_destroy = true
  }
}

resource "mlops_model_alias" "champion" {
  for_each = var.models

  model   = mlops_model.this[each.key].name
  name    = "champion"
  version = mlops_model_version.this[each.key].version
}
