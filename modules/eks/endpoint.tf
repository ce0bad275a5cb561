locals {
  # Clients of the private endpoint, which answers at addresses in the cluster's subnets.
  clients = merge(
    { for name, range in var.endpoint.private_ranges : "ipv4/${name}" => { ipv4 = range, group = null } },
    { for name, group in var.endpoint.private_security_group_ids : "group/${name}" => { ipv4 = null, group = group } },
    # The kubelets of hybrid nodes, and their pods.
    merge([for hybrid in values(local.hybrid_nodes) : merge(
      { for name, range in hybrid.node_ranges : "hybrid-node/${name}" => { ipv4 = range, group = null } },
      { for name, range in hybrid.pod_ranges : "hybrid-pod/${name}" => { ipv4 = range, group = null } },
    )]...),
  )
}

# Beside the group that EKS makes for the control plane and the nodes, whose rules are its own.
resource "aws_security_group" "endpoint" {
  name        = "${var.name}-eks-endpoint"
  description = "Clients of the private endpoint of the EKS cluster ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-eks-endpoint" })
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = local.clients

  security_group_id            = aws_security_group.endpoint.id
  description                  = "Kubernetes API for ${split("/", each.key)[1]}"
  cidr_ipv4                    = each.value.ipv4
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443

  tags = var.tags
}
