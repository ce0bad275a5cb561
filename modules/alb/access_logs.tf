locals {
  access_logs = { for key in ["alb"] : key => var.access_logs if var.access_logs != null }

  # An object decides, not a name: of a bucket made in the same run the name is unknown, and so is whether it is null.
  access_logs_bucket = { for key, logs in local.access_logs : key => logs if logs.bucket == null }

  # Names of buckets are unique in the world. A load balancer's is unique in its account and region; the whole fits into 63 characters.
  access_logs_name = "${var.name}-${substr(sha256("alb-logs/${data.aws_caller_identity.current.account_id}/${data.aws_region.current.region}"), 0, 16)}-alb-logs"
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_s3_bucket" "access_logs" {
  for_each = local.access_logs_bucket

  #checkov:skip=CKV_AWS_18:These are logs; logging access to them would not end
  #checkov:skip=CKV_AWS_21:A record is written once and never changed, so that versions would keep nothing but deleted records
  #checkov:skip=CKV_AWS_144:Records of requests are kept where the requests are
  #checkov:skip=CKV_AWS_145:Load balancers write to buckets encrypted with SSE-S3 only
  #checkov:skip=CKV2_AWS_62:Nobody waits for a record
  bucket        = local.access_logs_name
  force_destroy = each.value.force_destroy

  tags = var.tags
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  for_each = local.access_logs_bucket

  bucket                  = aws_s3_bucket.access_logs[each.key].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "access_logs" {
  for_each = local.access_logs_bucket

  bucket = aws_s3_bucket.access_logs[each.key].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  for_each = local.access_logs_bucket

  bucket = aws_s3_bucket.access_logs[each.key].bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  for_each = local.access_logs_bucket

  bucket = aws_s3_bucket.access_logs[each.key].bucket

  rule {
    id     = "end"
    status = "Enabled"

    filter {}

    expiration {
      days = each.value.retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  for_each = local.access_logs_bucket

  bucket = aws_s3_bucket.access_logs[each.key].bucket
  policy = data.aws_iam_policy_document.access_logs[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.access_logs]
}

data "aws_iam_policy_document" "access_logs" {
  for_each = local.access_logs_bucket

  statement {
    sid       = "WriteRecords"
    actions   = ["s3:PutObject"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${local.access_logs_name}/${each.value.prefix == "" ? "" : "${each.value.prefix}/"}AWSLogs/${data.aws_caller_identity.current.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }

    # The service writes for all accounts; here only for load balancers of this one.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:elasticloadbalancing:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:loadbalancer/*"]
    }
  }

  statement {
    sid     = "TlsOnly"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      "arn:${data.aws_partition.current.partition}:s3:::${local.access_logs_name}",
      "arn:${data.aws_partition.current.partition}:s3:::${local.access_logs_name}/*",
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
