# Fargate with Spot, instances with GPUs, behind modules/vpc and modules/registry, with servers of two teams, each of which reads its own models.

provider "aws" {
  region = "eu-west-1"
}

module "registry" {
  source = "../../../registry"

  name         = "models-prod"
  repositories = { model-server = {} }
}

module "vpc" {
  source = "../../../vpc"

  name  = "serving-prod"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]
}

module "ecs" {
  source = "../.."

  name             = "serving-prod"
  default_strategy = { FARGATE = { base = 2 }, FARGATE_SPOT = { weight = 3 } }
  exec             = { kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f" } }
  logging          = { retention_days = 90 }
  network          = module.vpc.networks.private
  registry         = module.registry.registry

  instances = {
    # Ready within seconds: two wait beside those that work.
    cpu = {
      max       = 10
      min       = 2
      refresh   = {}
      types     = ["m7i.2xlarge"]
      warm_pool = { max_prepared = 6, min = 2 }
    }

    # Whatever has one GPU and enough memory, mostly Spot.
    gpu = {
      ami         = { kind = "gpu" }
      attributes  = { accelerators = { max = 1 }, memory_mib = { min = 16384 }, vcpus = { max = 16, min = 4 } }
      max         = 8
      root_volume = { gib = 200, iops = 6000, throughput_mib = 500 }
      spot        = { on_demand_base = 1 }
    }
  }

  # Machines of a plant. The date is renewed when more of them are to be registered.
  anywhere = { activations = { plant = { expires = "2025-06-30T12:00:00Z", machines = 5 } } }

  servers = {
    fraud = {
      models          = ["fraud-*"]
      repository_arns = { server = module.registry.repositories["model-server"].arn }
      secret_arns     = { token = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:fraud/token-AbCdEf" }
    }
    search = {
      models          = ["ranking", "search-*"]
      repository_arns = { server = module.registry.repositories["model-server"].arn }
    }
  }

  tags = { environment = "prod" }
}

output "cluster" {
  description = "For endpoints, and for modules/observability."
  value       = module.ecs.cluster
}
