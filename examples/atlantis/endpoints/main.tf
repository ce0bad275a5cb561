# A model for each team, served with a canary that is watched, and promoted once the endpoint has proved it.

terraform {
  required_version = ">= 1.11"

  required_providers {
    mlops = {
      source  = "mlops-rs/mlops"
      version = "~> 0.1"
    }
  }
}

# Atlantis checks each pull request out anew, so the implicit registry beside the configuration is refused.
provider "mlops" {
  local {
    path = var.registry
  }
}

resource "mlops_model" "this" {
  for_each = var.endpoints

  name        = each.key
  description = each.value.description
  metrics     = { accuracy = { goal = "maximize" } }
}

resource "mlops_model_version" "this" {
  for_each = var.endpoints

  model   = mlops_model.this[each.key].name
  source  = "${path.module}/models/${each.value.file}"
  metrics = { accuracy = each.value.accuracy }

  lifecycle {
    create_before_destroy = true
  }
}

resource "mlops_endpoint" "this" {
  for_each = var.endpoints

  name = each.key
  variants = {
    main = {
      model         = mlops_model.this[each.key].name
      model_version = mlops_model_version.this[each.key].version
      traffic       = 100
    }
  }

  local {
    port_range = "18080-18999"
  }

  rollout {
    strategy = each.value.strategy
    steps    = each.value.strategy == "CANARY" ? [{ traffic = 10, bake = each.value.bake }, { traffic = 50, bake = each.value.bake }, { traffic = 100 }] : null
    analysis = { errors = { source = "server", query = "error_rate", condition = "result < 0.02" } }
  }
}

resource "mlops_model_alias" "champion" {
  for_each = var.endpoints

  model   = mlops_model.this[each.key].name
  name    = "champion"
  version = mlops_endpoint.this[each.key].target_versions["main"]
}
