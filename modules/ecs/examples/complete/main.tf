# Spot beside Fargate, behind modules/registry, with servers of two teams, each of which reads its own models.

provider "aws" {
  region = "eu-west-1"
}

module "registry" {
  source = "../../../registry"

  name         = "models-prod"
  repositories = { model-server = {} }
}

module "ecs" {
  source = "../.."

  name             = "serving-prod"
  default_strategy = { FARGATE = { base = 2 }, FARGATE_SPOT = { weight = 3 } }
  exec             = { kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f" } }
  logging          = { retention_days = 90 }
  registry         = module.registry.registry

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
