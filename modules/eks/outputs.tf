output "addons" {
  description = "Version of each add-on by its name."
  value       = { for name, addon in merge(aws_eks_addon.before_nodes, aws_eks_addon.on_nodes) : name => addon.addon_version }
}

output "cluster" {
  description = "arn; certificate_authority (PEM, in base64), endpoint and name for clients of Kubernetes; security_group_id, which EKS makes for the control plane and the nodes; version. Known only when the access entries, the nodes and the add-ons are there."
  value = {
    arn                   = aws_eks_cluster.this.arn
    certificate_authority = one(aws_eks_cluster.this.certificate_authority[*].data)
    endpoint              = aws_eks_cluster.this.endpoint
    name                  = aws_eks_cluster.this.name
    security_group_id     = one(aws_eks_cluster.this.vpc_config[*].cluster_security_group_id)
    version               = aws_eks_cluster.this.version
  }

  precondition {
    condition     = local.running_version == null || contains([0, 1], try(local._minor - tonumber(split(".", local.running_version)[1]), 0))
    error_message = "The cluster ${var.name} runs ${coalesce(local.running_version, "nothing")}, and cluster.version is ${var.cluster.version}. EKS goes up one minor version at a time, and not down: apply each version between them in turn."
  }

  # On a destroy, what talks to Kubernetes goes before the access that it needs.
  depends_on = [
    aws_eks_access_policy_association.this,
    aws_eks_addon.before_nodes,
    aws_eks_access_entry.hybrid_nodes,
    aws_eks_addon.on_nodes,
    aws_eks_fargate_profile.this,
    aws_eks_node_group.this,
    aws_eks_pod_identity_association.this,
    aws_vpc_security_group_ingress_rule.clients,
  ]
}

output "fargate" {
  description = "role: arn and name of the role that Fargate starts pods with, for policies of your own such as those of logs; null without profiles. profiles: arn of each by its key."
  value = {
    profiles = { for name, profile in aws_eks_fargate_profile.this : name => profile.arn }
    role     = one([for role in aws_iam_role.fargate : { arn = role.arn, name = role.name }])
  }
}

output "hybrid_nodes" {
  description = "arn and name of the role that machines of your own take, for activations of Systems Manager or a profile of IAM Roles Anywhere. Known only when the cluster admits it; null without hybrid nodes."
  value       = one([for role in aws_iam_role.hybrid_node : { arn = role.arn, name = role.name }])

  depends_on = [
    aws_eks_access_entry.hybrid_nodes,
    aws_iam_role_policy.hybrid_node,
    aws_iam_role_policy_attachment.hybrid_node,
  ]
}

output "identities" {
  description = "ARN of the role of each of identities by its key. Of one by IRSA it is what the service account's annotation eks.amazonaws.com/role-arn says. Known only when pods that begin have its rights."
  value       = { for key in keys(var.identities) : key => aws_iam_role.identity[key].arn }

  depends_on = [
    aws_eks_pod_identity_association.this,
    aws_iam_role_policy.identity,
    aws_iam_role_policy_attachment.identity,
  ]
}

output "kms_key_arn" {
  description = "The key of the cluster's secrets."
  value       = local.kms_key_arn
}

output "log_group_name" {
  description = "Where the control plane's records are."
  value       = aws_cloudwatch_log_group.cluster.name
}

output "node_groups" {
  description = "Of each of node_groups by its key: arn, autoscaling_group_names and name."
  value = {
    for name, group in aws_eks_node_group.this : name => {
      arn                     = group.arn
      autoscaling_group_names = flatten(group.resources[*].autoscaling_groups[*].name)
      name                    = group.node_group_name
    }
  }
}

output "node_role" {
  description = "arn and name of the role of the nodes, for policies of your own."
  value       = { arn = aws_iam_role.node.arn, name = aws_iam_role.node.name }
}

output "oidc" {
  description = "For roles of your own by IRSA: issuer, without https://, whose claims issuer:sub (system:serviceaccount:NAMESPACE:SERVICE_ACCOUNT) and issuer:aud (sts.amazonaws.com) a trust policy tests, and provider_arn, which is null without cluster.oidc_provider."
  value = {
    issuer       = local.issuer
    provider_arn = one([for provider in aws_iam_openid_connect_provider.this : provider.arn])
  }
}
