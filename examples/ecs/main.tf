# A model file becomes live predictions on Amazon ECS, behind a load balancer that is there already. Give the variables in
# terraform.tfvars, then apply it once for each model, in this order; `make demo-ecs` does so on this machine, with an emulator:
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

provider "mlops" {
  region = var.region
  registry {
    table  = var.registry.table
    bucket = var.registry.bucket
  }
  server_image {
    uri = var.server_image
  }
}

locals {
  _quickstart = "${path.module}/../quickstart"
  _heldout    = jsondecode(file("${local._quickstart}/heldout.json"))

  source = "${local._quickstart}/models/digits-${var.model}.onnx"
  # What the team that trained a model says of it.
  claimed = jsondecode(file("${local._quickstart}/metrics.json"))["digits-${var.model}"]
  # One image of each digit.
  golden = [for digit in range(10) : local._heldout.pixels[index(local._heldout.labels, digit)]]
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
  source   = local.source
  metrics  = { accuracy = local.claimed.accuracy }
  gate_for = ["champion"]

  # Each task asks this before it listens, so a version that answers with an error never gets a request. Called
  # sensitive because plans would show each of 640 numbers on a line of its own.
  smoke = {
    inputs = sensitive(jsonencode({
      inputs = [{ name = "pixels", datatype = "FP32", shape = [10, 64], data = flatten(local.golden) }]
    }))
  }

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
      cpu           = 256
      memory_mb     = 512
    }
  }

  ecs {
    cluster_arn        = var.cluster_arn
    execution_role_arn = var.execution_role_arn
    task_role_arn      = var.task_role_arn
  }
  network {
    subnets         = var.subnets
    security_groups = var.security_groups
  }
  # A listener of its own, on a port of this range that nobody has.
  ingress {
    load_balancer_arn = var.load_balancer_arn
    port_range        = "20000-20099"
  }
  health_check {
    interval          = "5s"
    timeout           = "2s"
    healthy_threshold = 2
  }

  rollout {
    strategy = "CANARY"
    steps = [
      { traffic = 10, bake = "1m" },
      { traffic = 50, bake = "1m" },
      { traffic = 100 },
    ]
    terminate_after = "1m"
  }
}

# Promoted only after the endpoint has proved it.
resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_endpoint.digits.target_versions["main"]
}
