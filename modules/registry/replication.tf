# Copies of artifacts in other regions.

locals {
  replication = { for key in ["replicas"] : key => true if length(var.replicas) > 0 }
}

resource "aws_s3_bucket_replication_configuration" "artifacts" {
  for_each = local.replication

  bucket = aws_s3_bucket.artifacts["home"].bucket
  role   = aws_iam_role.replication[each.key].arn

  dynamic "rule" {
    for_each = var.replicas

    content {
      id       = rule.key
      priority = index(keys(var.replicas), rule.key)
      status   = "Enabled"

      filter {}

      # A version that is deleted at home can be had back elsewhere.
      delete_marker_replication {
        status = "Disabled"
      }

      source_selection_criteria {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }

      destination {
        bucket        = aws_s3_bucket.artifacts[rule.key].arn
        storage_class = "STANDARD"

        encryption_configuration {
          replica_kms_key_id = rule.value.kms_key_arn
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.replication, aws_s3_bucket_versioning.artifacts]
}

resource "aws_iam_role" "replication" {
  for_each = local.replication

  name               = "${var.name}-replication-${data.aws_region.current.region}"
  assume_role_policy = data.aws_iam_policy_document.replication_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "replication_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    # The service acts for all accounts; here only for this bucket.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:s3:::${local.buckets["home"].name}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy" "replication" {
  for_each = local.replication

  name   = "replicate"
  role   = aws_iam_role.replication[each.key].name
  policy = data.aws_iam_policy_document.replication.json
}

data "aws_iam_policy_document" "replication" {
  statement {
    sid       = "ListSource"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.artifacts["home"].arn]
  }

  statement {
    sid       = "ReadSource"
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
    resources = ["${aws_s3_bucket.artifacts["home"].arn}/*"]
  }

  statement {
    sid       = "DecryptSource"
    actions   = ["kms:Decrypt"]
    resources = [local.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"]
    }
  }

  dynamic "statement" {
    for_each = var.replicas

    content {
      sid       = "Write${replace(title(replace(statement.key, "-", " ")), " ", "")}"
      actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
      resources = ["${aws_s3_bucket.artifacts[statement.key].arn}/*"]
    }
  }

  dynamic "statement" {
    for_each = var.replicas

    content {
      sid       = "Encrypt${replace(title(replace(statement.key, "-", " ")), " ", "")}"
      actions   = ["kms:Encrypt"]
      resources = [statement.value.kms_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${statement.key}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}
