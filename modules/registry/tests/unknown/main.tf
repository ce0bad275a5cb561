# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_kms_key" "home" {
  enable_key_rotation = true
}

resource "aws_kms_key" "replica" {
  enable_key_rotation = true
  region              = "eu-central-1"
}

module "registry" {
  source = "../.."

  name     = "acme-mlops"
  kms_key  = { arn = aws_kms_key.home.arn }
  replicas = { eu-central-1 = { kms_key_arn = aws_kms_key.replica.arn } }
}

output "table" {
  description = "Known before the rest."
  value       = module.registry.registry.table
}
