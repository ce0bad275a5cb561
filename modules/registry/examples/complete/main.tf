# Read in a second region, with locked objects, images, and teams that are confined to their names.

provider "aws" {
  region = "eu-west-1"
}

module "registry" {
  source = "../.."

  name = "acme-mlops"

  artifacts = {
    prefix      = "ml"
    object_lock = { days = 365 }
  }

  access = {
    auditor        = { can = "read" }
    risk-publisher = { can = "publish", models = ["risk-*", "fraud"] }
    risk-deployer  = { can = "deploy", models = ["risk-*", "fraud"], endpoints = ["ecs/prod/risk-*"] }
  }

  replicas = {
    eu-central-1 = { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/6d0e6e60-6d1c-4a3e-9d5c-0f7b2b3f7a11" }
  }

  repositories      = { "mlops/server" = {}, "mlops/server-gpu" = { keep_images = 20 } }
  image_replication = { regions = ["eu-central-1"] }
  tags              = { environment = "prod" }
}

output "policies" {
  description = "To attach to roles."
  value       = module.registry.policies
}
