# A model file becomes live predictions on this machine. Apply it once for each model, in this order, or run `make demo`:
#
#   terraform apply -var model=v1     the first model goes live
#   terraform apply -var model=v2     a better one takes over under traffic, step by step
#   terraform plan  -var model=v3a    a worse one is refused before anything happens
#   terraform apply -var model=v3b    one that fails on real inputs is caught and rolled back

terraform {
  required_version = ">= 1.11"
  required_providers {
    mlops = {
      source  = "mlops-rs/mlops"
      version = "~> 0.1"
    }
  }
}

# Nothing to configure: the registry lies in .mlops beside this file.
provider "mlops" {}

locals {
  # What the team that trained a model says of it.
  claimed = jsondecode(file("${path.module}/metrics.json"))["digits-${var.model}"]
}

resource "mlops_model" "digits" {
  name        = "digits"
  description = "Tells which digit a handwritten 8 x 8 image shows."
  task        = "classification"
  metrics     = { accuracy = { goal = "maximize" } }

  promotion {
    # A version becomes champion only if it is at least as accurate as the champion.
    gates = { accuracy = { baseline = "champion", min_delta = 0 } }
  }
}

resource "mlops_model_version" "digits" {
  model    = mlops_model.digits.name
  source   = "${path.module}/models/digits-${var.model}.onnx"
  metrics  = { accuracy = local.claimed.accuracy }
  gate_for = ["champion"]

  lifecycle {
    create_before_destroy = true
  }
}

resource "mlops_endpoint" "digits" {
  name = "digits"
  variants = {
    main = {
      model         = mlops_model.digits.name
      model_version = mlops_model_version.digits.version
      traffic       = 100
    }
  }

  local {
    port_range = "18080-18180"
  }

  rollout {
    strategy = "CANARY"
    steps = [
      { traffic = 10, bake = "5s" },
      { traffic = 50, bake = "5s" },
      { traffic = 100 },
    ]
    analysis = {
      errors = { source = "server", query = "error_rate", condition = "result < 0.02" }
    }
  }
}

# Promoted only after the endpoint has proved it.
resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_endpoint.digits.target_versions["main"]
}
