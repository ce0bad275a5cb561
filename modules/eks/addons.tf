locals {
  # Auto Mode has all of them built in. coredns would wait for nodes for ever where there are none.
  addons = var.addons != null ? var.addons : {
    for name in concat(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"], length(var.node_groups) > 0 ? ["coredns"] : []) :
    name => { configuration = null, identities = {}, version = null } if var.auto_mode == null
  }

  # A node without a network is not ready, and a group of such nodes fails. What is not listed here waits for nodes to run on.
  _before_nodes = ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"]

  addons_before_nodes = { for name, addon in local.addons : name => addon if contains(local._before_nodes, name) }
  addons_on_nodes     = { for name, addon in local.addons : name => addon if !contains(local._before_nodes, name) }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.addons_before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value.version
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = each.value.identities
    content {
      service_account = pod_identity_association.key
      role_arn        = aws_iam_role.identity["${each.key}/${pod_identity_association.key}"].arn
    }
  }

  tags = var.tags

  depends_on = [
    aws_iam_role_policy.identity,
    aws_iam_role_policy_attachment.identity,
  ]
}

resource "aws_eks_addon" "on_nodes" {
  for_each = local.addons_on_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value.version
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = each.value.identities
    content {
      service_account = pod_identity_association.key
      role_arn        = aws_iam_role.identity["${each.key}/${pod_identity_association.key}"].arn
    }
  }

  tags = var.tags

  # Pods of an add-on that begin before the agent get no rights.
  depends_on = [
    aws_eks_addon.before_nodes,
    aws_eks_access_entry.hybrid_nodes,
    aws_eks_fargate_profile.this,
    aws_eks_node_group.this,
    aws_iam_role_policy.identity,
    aws_iam_role_policy_attachment.identity,
  ]
}
