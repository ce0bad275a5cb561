# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_kms_key" "logs" {
  description = "Log groups"
}

resource "aws_s3_bucket" "logs" {
  bucket_prefix = "flow-logs-"
}

module "to_bucket" {
  source = "../.."

  name      = "bucket"
  cidr      = "10.20.0.0/16"
  zones     = ["eu-west-1a", "eu-west-1b"]
  flow_logs = { bucket = { arn = aws_s3_bucket.logs.arn } }
}

module "to_group" {
  source = "../.."

  name    = "group"
  cidr    = "10.30.0.0/16"
  zones   = ["eu-west-1a", "eu-west-1b"]
  logging = { kms_key_arn = aws_kms_key.logs.arn }
  tags    = { key = aws_kms_key.logs.key_id }
}

output "network_lengths" {
  description = "How many subnets there are is known before the subnets are."
  value       = [length(module.to_bucket.networks.private.subnet_ids), length(module.to_group.networks.private.subnet_ids)]
}
