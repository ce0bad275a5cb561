locals {
  hybrid_nodes = { for key in ["nodes"] : key => var.cluster.hybrid_nodes if var.cluster.hybrid_nodes != null }

  _by_certificate = try(var.cluster.hybrid_nodes.roles_anywhere, null) != null

  hybrid_policies = merge([for key in keys(local.hybrid_nodes) : {
    for policy in concat(["AmazonEC2ContainerRegistryPullOnly"], local._by_certificate ? [] : ["AmazonSSMManagedInstanceCore"]) : "${key}/${policy}" => { key = key, policy = policy }
  }]...)
}

# Groups of Kubernetes are EKS's to choose for this type.
resource "aws_eks_access_entry" "hybrid_nodes" {
  for_each = local.hybrid_nodes

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_iam_role.hybrid_node[each.key].arn
  type          = "HYBRID_LINUX"

  tags = var.tags
}

resource "aws_iam_role" "hybrid_node" {
  for_each = local.hybrid_nodes

  name               = "${var.name}-eks-hybrid-node"
  description        = "Machines of one's own that are nodes of the EKS cluster ${var.name}"
  assume_role_policy = local._by_certificate ? data.aws_iam_policy_document.hybrid_trust_certificates.json : data.aws_iam_policy_document.hybrid_trust_activations.json

  tags = var.tags
}

data "aws_iam_policy_document" "hybrid_trust_activations" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ssm.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:*"]
    }
  }
}

data "aws_iam_policy_document" "hybrid_trust_certificates" {
  statement {
    actions = ["sts:SetSourceIdentity", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["rolesanywhere.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [try(var.cluster.hybrid_nodes.roles_anywhere.trust_anchor_arn, "none")]
    }
  }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["rolesanywhere.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [try(var.cluster.hybrid_nodes.roles_anywhere.trust_anchor_arn, "none")]
    }

    # A node is called as its certificate is, and cannot call itself as another.
    condition {
      test     = "StringEquals"
      variable = "sts:RoleSessionName"
      values   = ["$${aws:PrincipalTag/x509Subject/CN}"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "hybrid_node" {
  for_each = local.hybrid_policies

  role       = aws_iam_role.hybrid_node[each.value.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value.policy}"
}

resource "aws_iam_role_policy" "hybrid_node" {
  for_each = local.hybrid_nodes

  name   = "cluster"
  role   = aws_iam_role.hybrid_node[each.key].name
  policy = data.aws_iam_policy_document.hybrid_node.json
}

data "aws_iam_policy_document" "hybrid_node" {
  # What nodeadm looks up.
  statement {
    actions   = ["eks:DescribeCluster", "eks:ListAccessEntries"]
    resources = [local.cluster_arn]
  }

  # What the agent of Pod Identity on a node asks for its pods.
  statement {
    actions   = ["eks-auth:AssumeRoleForPodIdentity"]
    resources = [local.cluster_arn]
  }

  # A machine that leaves takes itself off the list.
  dynamic "statement" {
    for_each = local._by_certificate ? [] : ["ssm:DeregisterManagedInstance"]
    content {
      actions   = [statement.value]
      resources = ["arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:managed-instance/*"]

      condition {
        test     = "StringEquals"
        variable = "ssm:resourceTag/EKSClusterARN"
        values   = [local.cluster_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = local._by_certificate ? [] : ["ssm:DescribeInstanceInformation"]
    content {
      actions   = [statement.value]
      resources = ["*"]
    }
  }
}
