data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  _minor = try(tonumber(split(".", var.cluster.version)[1]), 0)

  # Within the service's own account of the cluster: what may assume its roles.
  cluster_arn = "arn:${data.aws_partition.current.partition}:eks:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:cluster/${var.name}"

  # Versions in standard and in extended support. What does not look like a version says nothing about ours.
  offered_versions = distinct([
    for offered in flatten([for answer in data.aws_eks_cluster_versions.offered : answer.cluster_versions[*].cluster_version]) : offered
    if can(regex("^1\\.[0-9]+$", offered))
  ])

  # Through a local on purpose: a data source that names a resource is not read at plan while a change of the resource is planned.
  running_cluster = aws_eks_cluster.this.id
  running_version = one([for cluster in data.aws_eks_cluster.current : cluster.version])

  cluster_policies = concat(["AmazonEKSClusterPolicy"], var.auto_mode == null ? [] : [
    "AmazonEKSBlockStoragePolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
  ])
}

# Asked rather than written down: a list in here would refuse each new version until the module's next release.
data "aws_eks_cluster_versions" "offered" {
  for_each = { for key in ["versions"] : key => true if var.cluster.verify_version }
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_37:All types are the default; fewer are the user's decision, in cluster.log_types
  #checkov:skip=CKV_AWS_38:Ranges of the whole world are refused unless endpoint.open_to_the_world says so
  #checkov:skip=CKV_AWS_39:The public endpoint is closed unless endpoint.public_ranges opens it to someone
  name                = var.name
  role_arn            = aws_iam_role.cluster.arn
  version             = var.cluster.version
  deletion_protection = var.cluster.deletion_protection
  # Add-ons are this module's; a cluster that brings its own is replaced when that is changed.
  bootstrap_self_managed_addons = false
  enabled_cluster_log_types     = var.cluster.log_types

  access_config {
    authentication_mode = "API"
    # Who may administer stands in access_entries, and not with whoever ran the first apply.
    bootstrap_cluster_creator_admin_permissions = false
  }

  # Auto Mode is three switches of which EKS takes all or none; left out, they would stay as they are when it is to end.
  compute_config {
    enabled       = var.auto_mode != null
    node_pools    = local.node_pools
    node_role_arn = length(local.node_pools) > 0 ? aws_iam_role.node.arn : null
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = local.kms_key_arn
    }
  }

  kubernetes_network_config {
    ip_family         = var.cluster.ip_family
    service_ipv4_cidr = var.cluster.service_ipv4_cidr

    elastic_load_balancing {
      enabled = var.auto_mode != null
    }
  }

  dynamic "remote_network_config" {
    for_each = local.hybrid_nodes
    content {
      remote_node_networks {
        cidrs = values(remote_network_config.value.node_ranges)
      }

      dynamic "remote_pod_networks" {
        for_each = length(remote_network_config.value.pod_ranges) > 0 ? [values(remote_network_config.value.pod_ranges)] : []
        content {
          cidrs = remote_pod_networks.value
        }
      }
    }
  }

  storage_config {
    block_storage {
      enabled = var.auto_mode != null
    }
  }

  upgrade_policy {
    support_type = var.cluster.support_type
  }

  vpc_config {
    subnet_ids              = var.network.subnet_ids
    security_group_ids      = [aws_security_group.endpoint.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.endpoint.public_ranges) > 0
    public_access_cidrs     = length(var.endpoint.public_ranges) > 0 ? values(var.endpoint.public_ranges) : null
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length(local.offered_versions) == 0 || contains(local.offered_versions, var.cluster.version)
      error_message = "cluster.version is ${var.cluster.version}, which EKS does not offer in ${data.aws_region.current.region}. It offers ${join(", ", local.offered_versions)}."
    }
  }

  depends_on = [
    # A group that the cluster makes itself keeps its records for ever.
    aws_cloudwatch_log_group.cluster,
    aws_iam_role_policy.encryption,
    aws_iam_role_policy_attachment.cluster,
    aws_iam_role_policy_attachment.node,
  ]
}

# The cluster as it runs, before a change of its version is begun. Its id is unknown until it is made, and so long nothing is read at plan.
# What it must be is a precondition of the output: with a condition of its own, it would be read after the change.
data "aws_eks_cluster" "current" {
  for_each = { for key in ["cluster"] : key => true if var.cluster.verify_version }

  name = local.running_cluster
}

resource "aws_cloudwatch_log_group" "cluster" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-eks-cluster"
  description        = "The control plane of the EKS cluster ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.cluster_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "cluster_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }

    # The service acts for many accounts; only on behalf of this cluster may it take the role.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.cluster_arn]
    }
  }
}

resource "aws_iam_role_policy_attachment" "cluster" {
  for_each = toset(local.cluster_policies)

  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}
