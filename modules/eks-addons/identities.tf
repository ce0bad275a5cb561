data "aws_partition" "current" {}

locals {
  # A conditional and not try(), which makes all of a map unknown when one of its values is.
  challenge_zones = var.addons.cert_manager == null ? {} : var.addons.cert_manager.zone_arns
  record_zones    = var.addons.external_dns == null ? {} : var.addons.external_dns.zone_arns
  scaler_policies = var.addons.keda == null ? {} : var.addons.keda.policies

  account = split(":", var.cluster.arn)[4]

  # Of an addon that calls AWS: its service account, and what it may do. Keys of maps decide whether there is one, since ARNs in them may be unknown.
  _identities = {
    aws_efs_csi_driver = {
      namespace       = "kube-system"
      service_account = "efs-csi-controller-sa"
      needed          = var.addons.aws_efs_csi_driver != null
    }
    aws_load_balancer_controller = {
      namespace       = "kube-system"
      service_account = "aws-load-balancer-controller"
      needed          = var.addons.aws_load_balancer_controller != null
    }
    cert_manager = {
      namespace       = "cert-manager"
      service_account = "cert-manager"
      needed          = length(local.challenge_zones) > 0
    }
    external_dns = {
      namespace       = "external-dns"
      service_account = "external-dns"
      needed          = var.addons.external_dns != null
    }
    external_secrets = {
      namespace       = "external-secrets"
      service_account = "external-secrets"
      needed          = var.addons.external_secrets != null
    }
    keda = {
      namespace       = "keda"
      service_account = "keda-operator"
      needed          = length(local.scaler_policies) > 0
    }
  }

  identities = { for name, identity in local._identities : name => identity if identity.needed }

  policies = merge(
    { for name, document in data.aws_iam_policy_document.efs : "${name}/volumes" => { identity = name, name = "volumes", document = document.json } },
    { for name, document in data.aws_iam_policy_document.load_balancers : "${name}/load-balancers" => { identity = name, name = "load-balancers", document = document.json } },
    { for name, document in data.aws_iam_policy_document.challenges : "${name}/challenges" => { identity = name, name = "challenges", document = document.json } },
    { for name, document in data.aws_iam_policy_document.records : "${name}/records" => { identity = name, name = "records", document = document.json } },
    { for name, document in data.aws_iam_policy_document.secrets : "${name}/secrets" => { identity = name, name = "secrets", document = document.json } },
    { for name, document in local.scaler_policies : "keda/${name}" => { identity = "keda", name = name, document = document } },
  )
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.identities

  cluster_name    = var.cluster.name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn

  tags = var.tags
}

resource "aws_iam_role" "this" {
  for_each = local.identities

  name               = "${var.name}-${replace(each.key, "_", "-")}"
  description        = "${each.value.service_account} in the EKS cluster ${var.cluster.name}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json

  tags = var.tags
}

data "aws_iam_policy_document" "trust" {
  for_each = local.identities

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    # Whoever may pass the role could associate it with pods of another cluster, or of another team.
    dynamic "condition" {
      for_each = {
        eks-cluster-arn            = var.cluster.arn
        kubernetes-namespace       = each.value.namespace
        kubernetes-service-account = each.value.service_account
      }
      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.value.name
  role   = aws_iam_role.this[each.value.identity].name
  policy = each.value.document
}
