data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Whether there is an object decides, not its ARN, which is unknown while the key is made in the same run.
  own_key     = { for key in ["registry"] : key => true if var.kms_key == null }
  kms_key_arn = var.kms_key == null ? one([for key in aws_kms_key.this : key.arn]) : var.kms_key.arn
}

resource "aws_kms_key" "this" {
  for_each = local.own_key

  description         = "Records, artifacts and images of the model registry ${var.name}"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.key.json

  tags = var.tags
}

resource "aws_kms_alias" "this" {
  for_each = local.own_key

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[each.key].key_id
}

# Access is given by IAM policies of this account, as those of `access` do.
data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy speaks of this key only
  #checkov:skip=CKV_AWS_111:A key's policy speaks of this key only
  #checkov:skip=CKV_AWS_356:A key's policy speaks of this key only
  statement {
    sid       = "IamOfThisAccount"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}
