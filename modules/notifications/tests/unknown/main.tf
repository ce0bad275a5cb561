# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_secretsmanager_secret" "slack" {
  name = "slack"
}

resource "aws_kms_key" "this" {
  enable_key_rotation = true
}

resource "aws_ecs_cluster" "this" {
  name = "serving"
}

resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "artifacts-"
}

resource "aws_dynamodb_table" "registry" {
  name             = "registry"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "PK"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "PK"
    type = "S"
  }
}

module "notifications" {
  source = "../.."

  name         = "serving"
  kms_key      = { arn = aws_kms_key.this.arn }
  logging      = { kms_key_arn = aws_kms_key.this.arn }
  topics       = { page = { emails = { oncall = "${aws_kms_key.this.key_id}@example.com" } } }
  webhooks     = { models = { secret_arn = aws_secretsmanager_secret.slack.arn, kms_key = { arn = aws_kms_key.this.arn }, topics = ["page"] } }
  events       = { artifacts = { kind = "registry-artifact-written", names = [aws_s3_bucket.artifacts.bucket], topic = "page" }, models = { kind = "registry-model-changed", topic = "page" } }
  alertmanager = { topic = "page" }

  registry_stream = { arn = aws_dynamodb_table.registry.stream_arn, kms_key_arn = aws_kms_key.this.arn }
}

output "kms_key_arn" {
  description = "The key that was given."
  value       = module.notifications.kms_key_arn == aws_kms_key.this.arn
}

output "topics" {
  description = "Keys are known before the rest."
  value       = keys(module.notifications.topics)
}
