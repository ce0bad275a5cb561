locals {
  # One role for all profiles, and none where there is no profile.
  _fargate = { for key in ["pods"] : key => true if length(var.fargate_profiles) > 0 }
}

resource "aws_eks_fargate_profile" "this" {
  for_each = var.fargate_profiles

  cluster_name           = aws_eks_cluster.this.name
  fargate_profile_name   = each.key
  pod_execution_role_arn = aws_iam_role.fargate["pods"].arn
  subnet_ids             = each.value.subnet_ids == null ? var.network.subnet_ids : each.value.subnet_ids

  dynamic "selector" {
    for_each = each.value.selectors
    content {
      namespace = selector.value.namespace
      labels    = selector.value.labels
    }
  }

  tags = var.tags

  depends_on = [
    aws_iam_role_policy_attachment.fargate,
  ]
}

resource "aws_iam_role" "fargate" {
  for_each = local._fargate

  name               = "${var.name}-eks-fargate"
  description        = "Starts pods of the EKS cluster ${var.name} on Fargate"
  assume_role_policy = data.aws_iam_policy_document.fargate_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "fargate_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["eks-fargate-pods.amazonaws.com"]
    }

    # The service acts for many clusters; only on behalf of profiles of this one may it take the role.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:eks:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:fargateprofile/${var.name}/*"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "fargate" {
  for_each = local._fargate

  role       = aws_iam_role.fargate[each.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKSFargatePodExecutionRolePolicy"
}
