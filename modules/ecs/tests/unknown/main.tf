# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_kms_key" "this" {}

resource "aws_dynamodb_table" "this" {
  name         = "registry"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "PK"

  attribute {
    name = "PK"
    type = "S"
  }
}

resource "aws_s3_bucket" "this" {
  bucket_prefix = "registry-"
}

resource "aws_ecr_repository" "this" {
  name = "model-server"
}

resource "aws_secretsmanager_secret" "this" {
  name_prefix = "token-"
}

resource "aws_vpc" "this" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.20.0.0/20"
}

resource "aws_security_group" "load_balancer" {
  vpc_id = aws_vpc.this.id
}

module "ecs" {
  source = "../.."

  network = { vpc_id = aws_vpc.this.id, subnet_ids = [aws_subnet.this.id] }
  instances = {
    gpu = {
      ami         = { kind = "gpu" }
      clients     = { alb = aws_security_group.load_balancer.id }
      max         = 4
      root_volume = { kms_key = { arn = aws_kms_key.this.arn } }
      types       = ["g6.xlarge"]
    }
  }

  anywhere = { activations = { plant = { expires = "2025-06-30T12:00:00Z" } }, kms_key = { arn = aws_kms_key.this.arn } }
  name     = "serving"
  exec     = { kms_key = { arn = aws_kms_key.this.arn } }
  logging  = { kms_key_arn = aws_kms_key.this.arn }
  registry = { bucket = aws_s3_bucket.this.bucket, kms_key_arn = aws_kms_key.this.arn, table = aws_dynamodb_table.this.id }
  servers = {
    fraud = {
      repository_arns     = { server = aws_ecr_repository.this.arn }
      secret_arns         = { token = aws_secretsmanager_secret.this.arn }
      secret_kms_key_arns = { token = aws_kms_key.this.arn }
    }
  }
}

output "log_group" {
  description = "Known before the rest."
  value       = module.ecs.exec_log_group
}
