# Who may do what. Records of a model, an endpoint or a lease lie in partitions that begin with its kind and its name, so that a team
# can be confined to its names (dynamodb:LeadingKeys).

locals {
  # What every program reads: the registry's identity, the index of models, and who works with it now.
  common_partitions = ["registry", "models#*", "pending", "sessions", "session#*"]

  access = {
    for name, access in var.access : name => {
      can = access.can
      readable = concat(
        local.common_partitions,
        # A sweep removes what no version of any model names.
        [for pattern in access.can == "sweep" ? ["*"] : access.models : "model#${pattern}"],
        [for pattern in access.models : "events#model#${pattern}"],
        # Whether a version is served by an endpoint is asked before it is deleted.
        ["endpoint#*", "events#endpoint#*", "journal#*", "lease#*"],
        contains(["publish", "sweep"], access.can) ? ["swept"] : [],
      )
      writable = concat(
        access.can == "read" ? [] : local.common_partitions,
        # A deployment binds a version, which keeps it from being deleted: that is written beside the version.
        access.can == "read" ? [] : [for pattern in access.models : "model#${pattern}"],
        access.can == "read" ? [] : [for pattern in access.models : "events#model#${pattern}"],
        # A registration and a sweep of one artifact meet there.
        contains(["publish", "sweep"], access.can) ? ["swept"] : [],
        access.can == "sweep" ? ["lease#sweep"] : [],
        access.can != "deploy" ? [] : flatten([for pattern in access.endpoints : ["endpoint#${pattern}", "events#endpoint#${pattern}", "journal#${pattern}", "lease#endpoint ${pattern}"]]),
      )
    }
  }

  artifacts_arn = "${aws_s3_bucket.artifacts["home"].arn}/${var.artifacts.prefix == "" ? "" : "${var.artifacts.prefix}/"}*"
  table_arns    = concat([aws_dynamodb_table.this.arn], [for region in keys(var.replicas) : replace(aws_dynamodb_table.this.arn, ":${data.aws_region.current.region}:", ":${region}:")])
}

resource "aws_iam_policy" "access" {
  for_each = local.access

  name        = "${var.name}-${each.key}"
  description = "To ${each.value.can} models of the registry ${var.name}"
  policy      = data.aws_iam_policy_document.access[each.key].json

  tags = var.tags
}

data "aws_iam_policy_document" "access" {
  for_each = local.access

  #checkov:skip=CKV_AWS_356:A token for all repositories is the only one that ECR gives
  statement {
    sid       = "ReadRecords"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
    resources = local.table_arns

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = each.value.readable
    }
  }

  dynamic "statement" {
    for_each = each.value.can == "read" ? [] : ["write"]

    content {
      sid       = "WriteRecords"
      actions   = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"]
      resources = [aws_dynamodb_table.this.arn]

      condition {
        test     = "ForAllValues:StringLike"
        variable = "dynamodb:LeadingKeys"
        values   = each.value.writable
      }
    }
  }

  statement {
    sid       = "ReadArtifacts"
    actions   = ["s3:GetObject"]
    resources = [local.artifacts_arn]
  }

  # Without it S3 answers that access is denied where an object is missing.
  statement {
    sid       = "ListArtifacts"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.artifacts["home"].arn]

    dynamic "condition" {
      for_each = var.artifacts.prefix == "" ? [] : [var.artifacts.prefix]

      content {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["${condition.value}/*"]
      }
    }
  }

  # By its bucket alone: the call knows no condition by prefix.
  dynamic "statement" {
    for_each = contains(["publish", "sweep"], each.value.can) ? ["write"] : []

    content {
      sid       = "FindUploads"
      actions   = ["s3:ListBucketMultipartUploads"]
      resources = [aws_s3_bucket.artifacts["home"].arn]
    }
  }

  dynamic "statement" {
    for_each = each.value.can == "publish" ? ["write"] : []

    content {
      sid       = "WriteArtifacts"
      actions   = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
      resources = [local.artifacts_arn]
    }
  }

  # Objects of a bucket with versions become noncurrent: what removes them for good is the bucket's lifecycle.
  dynamic "statement" {
    for_each = each.value.can == "sweep" ? ["remove"] : []

    content {
      sid       = "RemoveArtifacts"
      actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts"]
      resources = [local.artifacts_arn]
    }
  }

  statement {
    sid       = "UseKey"
    actions   = concat(["kms:Decrypt"], each.value.can == "publish" ? ["kms:GenerateDataKey"] : [])
    resources = [local.kms_key_arn]

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["dynamodb.*.${data.aws_partition.current.dns_suffix}", "s3.*.${data.aws_partition.current.dns_suffix}"]
    }
  }

  dynamic "statement" {
    for_each = length(var.repositories) == 0 ? [] : ["images"]

    content {
      sid = each.value.can == "publish" ? "PushImages" : "PullImages"
      actions = concat(
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"],
        each.value.can == "publish" ? ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"] : [],
      )
      resources = [for repository in aws_ecr_repository.this : repository.arn]
    }
  }

  dynamic "statement" {
    for_each = length(var.repositories) == 0 ? [] : ["images"]

    content {
      sid       = "SignInToImages"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }
}
