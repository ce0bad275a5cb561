locals {
  # Roles of one's own pods, and of add-ons, whose associations EKS keeps itself. Keys of the two cannot meet: those of identities have no slash.
  identities = merge(
    { for key, identity in var.identities : key => merge(identity, { name = "pod-${key}" }) },
    merge([for addon, settings in local.addons : {
      for account, identity in settings.identities :
      "${addon}/${account}" => merge(identity, { method = "ADDON", name = "addon-${account}", namespace = null, service_account = account })
    }]...),
  )

  identity_documents = merge([for key, identity in local.identities : {
    for name, document in identity.policies : "${key}/${name}" => { identity = key, name = name, document = document }
  }]...)
  identity_arns = merge([for key, identity in local.identities : {
    for name, arn in identity.policy_arns : "${key}/${name}" => { identity = key, arn = arn }
  }]...)

  # Without its scheme: so IAM names the provider, and the claims of its tokens.
  issuer = trimprefix(one(flatten(aws_eks_cluster.this.identity[*].oidc[*].issuer)), "https://")
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = { for key, identity in local.identities : key => identity if identity.method == "POD_IDENTITY" }

  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.identity[each.key].arn

  tags = var.tags

  # The agent asks for what is there when a pod begins, so pods that this output lets begin find their rights.
  depends_on = [
    aws_eks_addon.before_nodes,
    aws_iam_role_policy.identity,
    aws_iam_role_policy_attachment.identity,
  ]
}

# What IAM believes of tokens of the cluster (IRSA). AWS knows the certificates of EKS, so there is no thumbprint.
resource "aws_iam_openid_connect_provider" "this" {
  for_each = { for key in ["cluster"] : key => true if var.cluster.oidc_provider }

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]

  tags = merge(var.tags, { Name = "${var.name}-eks" })
}

resource "aws_iam_role" "identity" {
  for_each = local.identities

  name               = "${var.name}-${each.value.name}"
  description        = "${each.value.service_account} of ${each.key} in the EKS cluster ${var.name}"
  assume_role_policy = each.value.method == "IRSA" ? data.aws_iam_policy_document.irsa_trust[each.key].json : data.aws_iam_policy_document.pod_trust[each.key].json

  tags = var.tags
}

data "aws_iam_policy_document" "pod_trust" {
  for_each = { for key, identity in local.identities : key => identity if identity.method != "IRSA" }

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    # Whoever may pass the role could associate it with pods of another cluster, or of another team.
    dynamic "condition" {
      for_each = { for tag, value in {
        eks-cluster-arn            = local.cluster_arn
        kubernetes-namespace       = each.value.namespace
        kubernetes-service-account = each.value.service_account
      } : tag => value if value != null }
      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "irsa_trust" {
  for_each = { for key, identity in local.identities : key => identity if identity.method == "IRSA" }

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.this["cluster"].arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${each.value.namespace}:${each.value.service_account}"]
    }
  }
}

resource "aws_iam_role_policy" "identity" {
  for_each = local.identity_documents

  name   = each.value.name
  role   = aws_iam_role.identity[each.value.identity].name
  policy = each.value.document
}

resource "aws_iam_role_policy_attachment" "identity" {
  for_each = local.identity_arns

  role       = aws_iam_role.identity[each.value.identity].name
  policy_arn = each.value.arn
}
