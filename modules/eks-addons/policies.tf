# Access points, in the file systems that are named, and only those that the driver made.
data "aws_iam_policy_document" "efs" {
  #checkov:skip=CKV_AWS_356:To describe file systems and zones is not limited to some, as the driver lists them
  for_each = { for name in ["aws_efs_csi_driver"] : name => var.addons.aws_efs_csi_driver if var.addons.aws_efs_csi_driver != null }

  statement {
    sid       = "Describe"
    actions   = ["ec2:DescribeAvailabilityZones", "elasticfilesystem:DescribeAccessPoints", "elasticfilesystem:DescribeFileSystems", "elasticfilesystem:DescribeMountTargets"]
    resources = ["*"]
  }

  statement {
    sid     = "Make"
    actions = ["elasticfilesystem:CreateAccessPoint"]
    resources = length(each.value.file_system_arns) > 0 ? sort(values(each.value.file_system_arns)) : [
      "arn:${data.aws_partition.current.partition}:elasticfilesystem:${local.region}:${local.account}:file-system/*",
    ]

    condition {
      test     = "Null"
      variable = "aws:RequestTag/efs.csi.aws.com/cluster"
      values   = ["false"]
    }
  }

  statement {
    sid       = "TagNew"
    actions   = ["elasticfilesystem:TagResource"]
    resources = ["arn:${data.aws_partition.current.partition}:elasticfilesystem:${local.region}:${local.account}:*"]

    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:CreateAction"
      values   = ["CreateAccessPoint"]
    }
  }

  statement {
    sid       = "DeleteOwn"
    actions   = ["elasticfilesystem:DeleteAccessPoint"]
    resources = ["arn:${data.aws_partition.current.partition}:elasticfilesystem:${local.region}:${local.account}:access-point/*"]

    condition {
      test     = "Null"
      variable = "aws:ResourceTag/efs.csi.aws.com/cluster"
      values   = ["false"]
    }
  }
}

# cert-manager: TXT records of challenges, and nothing else in the zone.
data "aws_iam_policy_document" "challenges" {
  for_each = { for name in ["cert_manager"] : name => var.addons.cert_manager if length(local.challenge_zones) > 0 }

  statement {
    sid       = "Write"
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = sort(values(each.value.zone_arns))

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "route53:ChangeResourceRecordSetsRecordTypes"
      values   = ["TXT"]
    }

    condition {
      test     = "ForAllValues:StringLike"
      variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
      values   = ["_acme-challenge.*"]
    }
  }

  statement {
    sid       = "Read"
    actions   = ["route53:ListResourceRecordSets"]
    resources = sort(values(each.value.zone_arns))
  }

  statement {
    sid       = "Wait"
    actions   = ["route53:GetChange"]
    resources = ["arn:${data.aws_partition.current.partition}:route53:::change/*"]
  }

  statement {
    sid       = "Find"
    actions   = ["route53:ListHostedZonesByName"]
    resources = ["*"]
  }
}

# external-dns
data "aws_iam_policy_document" "records" {
  for_each = { for name in ["external_dns"] : name => var.addons.external_dns if var.addons.external_dns != null }

  statement {
    sid       = "Write"
    actions   = ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets", "route53:ListTagsForResource", "route53:ListTagsForResources"]
    resources = sort(values(each.value.zone_arns))
  }

  statement {
    sid       = "Find"
    actions   = ["route53:ListHostedZones"]
    resources = ["*"]
  }
}

# external-secrets. To list secrets would need all of them, so what a pod asks for is asked for by name.
data "aws_iam_policy_document" "secrets" {
  for_each = { for name in ["external_secrets"] : name => var.addons.external_secrets if var.addons.external_secrets != null }

  dynamic "statement" {
    for_each = length(each.value.secret_arns) > 0 ? ["secrets"] : []
    content {
      sid       = "Secrets"
      actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds"]
      resources = sort(values(each.value.secret_arns))
    }
  }

  dynamic "statement" {
    for_each = length(each.value.parameter_arns) > 0 ? ["parameters"] : []
    content {
      sid       = "Parameters"
      actions   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:ListTagsForResource"]
      resources = sort(values(each.value.parameter_arns))
    }
  }

  dynamic "statement" {
    for_each = length(each.value.kms_key_arns) > 0 ? ["keys"] : []
    content {
      sid       = "Keys"
      actions   = ["kms:Decrypt"]
      resources = sort(values(each.value.kms_key_arns))

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["secretsmanager.*.amazonaws.com*", "ssm.*.amazonaws.com*"]
      }
    }
  }
}
