output "kms_key_arn" {
  description = "The key of table, bucket and images."
  value       = local.kms_key_arn
}

output "policies" {
  description = "ARNs of the policies, by the names in `access`."
  value       = { for name, policy in aws_iam_policy.access : name => policy.arn }
}

output "registry" {
  description = "table, bucket, prefix, kms_key_arn: what the provider's `registry` block takes. Known when the bucket is closed and encrypted."
  value = {
    bucket      = aws_s3_bucket.artifacts["home"].bucket
    kms_key_arn = local.kms_key_arn
    prefix      = var.artifacts.prefix
    table       = aws_dynamodb_table.this.name
  }

  depends_on = [
    aws_s3_bucket_lifecycle_configuration.artifacts,
    aws_s3_bucket_object_lock_configuration.artifacts,
    aws_s3_bucket_policy.artifacts,
    aws_s3_bucket_server_side_encryption_configuration.artifacts,
    aws_s3_bucket_versioning.artifacts,
  ]
}

output "replicas" {
  description = "By region: bucket, the name of its copy of the artifacts. The table has the same name everywhere. Known when artifacts are replicated."
  value       = { for region in keys(var.replicas) : region => { bucket = aws_s3_bucket.artifacts[region].bucket } }

  depends_on = [aws_dynamodb_table.this, aws_s3_bucket_replication_configuration.artifacts]
}

output "repositories" {
  description = "By name: arn, and url, which images are tagged with."
  value       = { for name, repository in aws_ecr_repository.this : name => { arn = repository.arn, url = repository.repository_url } }

  depends_on = [aws_ecr_lifecycle_policy.this]
}

output "stream" {
  description = "The stream of all changes, as modules/notifications takes it for registry_stream: arn, and kms_key_arn, which it is read with."
  value = {
    arn         = aws_dynamodb_table.this.stream_arn
    kms_key_arn = local.kms_key_arn
  }
}

output "table" {
  description = "arn, name, and stream_arn. The ARN is known only when the table is there, so a provider whose registry block takes it for table waits for the table."
  value = {
    arn        = aws_dynamodb_table.this.arn
    name       = aws_dynamodb_table.this.name
    stream_arn = aws_dynamodb_table.this.stream_arn
  }
}
