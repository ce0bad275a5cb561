locals {
  # An object decides, not an ARN: of a key made in the same run that is unknown.
  made_key = { for key in ["secrets"] : key => true if var.cluster.kms_key == null }

  kms_key_arn = var.cluster.kms_key == null ? aws_kms_key.secrets["secrets"].arn : var.cluster.kms_key.arn
}

resource "aws_kms_key" "secrets" {
  for_each = local.made_key

  description             = "Secrets of the EKS cluster ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json

  tags = var.tags
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy gives the account the right to administer the key, or nobody has it
  #checkov:skip=CKV_AWS_111:A key's policy is about the key that it belongs to
  #checkov:skip=CKV_AWS_356:A key's policy is about the key that it belongs to
  statement {
    sid       = "Administration"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}

resource "aws_iam_role_policy" "encryption" {
  name   = "encryption"
  role   = aws_iam_role.cluster.name
  policy = data.aws_iam_policy_document.encryption.json
}

data "aws_iam_policy_document" "encryption" {
  statement {
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"]
    resources = [local.kms_key_arn]
  }
}
