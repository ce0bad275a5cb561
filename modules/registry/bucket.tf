locals {
  # One for the home region, and one for each replica. Names of buckets are unique in the world.
  buckets = merge(
    { home = { name = "${local.bucket_name}${data.aws_region.current.region}", region = data.aws_region.current.region, kms_key_arn = local.kms_key_arn } },
    { for region, replica in var.replicas : region => { name = "${local.bucket_name}${region}", region = region, kms_key_arn = replica.kms_key_arn } },
  )

  bucket_name = "${var.name}-${data.aws_caller_identity.current.account_id}-"
}

resource "aws_s3_bucket" "artifacts" {
  for_each = local.buckets

  #checkov:skip=CKV_AWS_18:Who reads artifacts is told by CloudTrail's data events, where an account wants to pay for them
  #checkov:skip=CKV_AWS_144:Replication is the variable replicas
  #checkov:skip=CKV2_AWS_62:The registry has events of its own
  bucket              = each.value.name
  force_destroy       = var.artifacts.force_destroy
  object_lock_enabled = var.artifacts.object_lock != null
  region              = each.value.region

  tags = var.tags
}

resource "aws_s3_bucket_versioning" "artifacts" {
  for_each = local.buckets

  bucket = aws_s3_bucket.artifacts[each.key].bucket
  region = each.value.region

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.artifacts[each.key].bucket
  region                  = each.value.region
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "artifacts" {
  for_each = local.buckets

  bucket = aws_s3_bucket.artifacts[each.key].bucket
  region = each.value.region

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artifacts" {
  for_each = local.buckets

  bucket = aws_s3_bucket.artifacts[each.key].bucket
  region = each.value.region

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      kms_master_key_id = each.value.kms_key_arn
      sse_algorithm     = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "artifacts" {
  for_each = local.buckets

  bucket = aws_s3_bucket.artifacts[each.key].bucket
  region = each.value.region

  rule {
    id     = "sweep"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = var.artifacts.abandoned_upload_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = var.artifacts.noncurrent_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.artifacts]
}

resource "aws_s3_bucket_object_lock_configuration" "artifacts" {
  for_each = { for key, bucket in local.buckets : key => bucket if var.artifacts.object_lock != null }

  bucket = aws_s3_bucket.artifacts[each.key].bucket
  region = each.value.region

  rule {
    default_retention {
      days = var.artifacts.object_lock.days
      mode = var.artifacts.object_lock.mode
    }
  }

  depends_on = [aws_s3_bucket_versioning.artifacts]
}

resource "aws_s3_bucket_policy" "artifacts" {
  for_each = local.buckets

  bucket = aws_s3_bucket.artifacts[each.key].bucket
  policy = data.aws_iam_policy_document.tls_only[each.key].json
  region = each.value.region

  depends_on = [aws_s3_bucket_public_access_block.artifacts]
}

data "aws_iam_policy_document" "tls_only" {
  for_each = local.buckets

  statement {
    sid     = "TlsOnly"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      "arn:${data.aws_partition.current.partition}:s3:::${each.value.name}",
      "arn:${data.aws_partition.current.partition}:s3:::${each.value.name}/*",
    ]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
