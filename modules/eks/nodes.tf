locals {
  _nvidia = { for name, group in var.node_groups : name => strcontains(group.ami_type, "_NVIDIA") }

  node_groups = {
    for name, group in var.node_groups : name => merge(group, {
      desired_size = group.desired_size == null ? group.min_size : group.desired_size
      # What the NVIDIA device plugin and its chart look for; pods without a need of a GPU stay off nodes that are dear.
      labels = merge(local._nvidia[name] ? { "nvidia.com/gpu.present" = "true" } : {}, group.labels)
      taints = merge(
        { for key, taint in { "nvidia.com/gpu" = { effect = "NO_SCHEDULE", value = "true" } } : key => taint if local._nvidia[name] && group.taints == null },
        group.taints,
      )
      # Bottlerocket keeps images and volumes on a disk of their own.
      device  = startswith(group.ami_type, "BOTTLEROCKET_") ? "/dev/xvdb" : "/dev/xvda"
      version = group.version == null ? var.cluster.version : group.version
    })
  }

  # Of Auto Mode, in which the same role is that of its nodes.
  node_pools = var.auto_mode == null ? [] : var.auto_mode.node_pools

  # The network's rights are its own where vpc-cni has a role.
  _network_by_nodes = var.auto_mode == null && !can(local.addons["vpc-cni"].identities["aws-node"])

  node_policies = concat(
    ["AmazonEC2ContainerRegistryPullOnly"],
    var.auto_mode == null ? ["AmazonEKSWorkerNodePolicy"] : ["AmazonEKSWorkerNodeMinimalPolicy"],
    local._network_by_nodes && var.cluster.ip_family == "ipv4" ? ["AmazonEKS_CNI_Policy"] : [],
  )
}

resource "aws_eks_node_group" "this" {
  for_each = local.node_groups

  cluster_name = aws_eks_cluster.this.name
  # With a suffix, so that where a group must be replaced the new one stands before the old one goes.
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = each.value.subnet_ids == null ? var.network.subnet_ids : each.value.subnet_ids
  ami_type               = each.value.ami_type
  capacity_type          = each.value.capacity_type
  # Of a capacity block the launch template names it.
  instance_types  = each.value.capacity_type == "CAPACITY_BLOCK" ? null : each.value.instance_types
  labels          = each.value.labels
  version         = each.value.version
  release_version = each.value.release_version

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = tostring(aws_launch_template.node[each.key].latest_version)
  }

  node_repair_config {
    enabled = each.value.repair
  }

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.desired_size
  }

  dynamic "taint" {
    for_each = each.value.taints
    content {
      key    = taint.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  update_config {
    max_unavailable_percentage = each.value.max_unavailable_percentage
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
    # The autoscaler's, once the group is there.
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [
    aws_eks_addon.before_nodes,
    aws_iam_role_policy.node_ipv6,
    aws_iam_role_policy_attachment.node,
  ]
}

resource "aws_launch_template" "node" {
  for_each = local.node_groups

  name_prefix   = "${var.name}-${each.key}-"
  description   = "Nodes of the group ${each.key} of the EKS cluster ${var.name}"
  instance_type = each.value.capacity_type == "CAPACITY_BLOCK" ? each.value.instance_types[0] : null

  block_device_mappings {
    device_name = each.value.device

    ebs {
      delete_on_termination = "true"
      encrypted             = "true"
      volume_size           = each.value.disk_gib
      volume_type           = "gp3"
    }
  }

  dynamic "capacity_reservation_specification" {
    for_each = each.value.capacity_reservation == null ? [] : [each.value.capacity_reservation]
    content {
      capacity_reservation_target {
        capacity_reservation_id = capacity_reservation_specification.value.id
      }
    }
  }

  dynamic "instance_market_options" {
    for_each = each.value.capacity_type == "CAPACITY_BLOCK" ? ["capacity-block"] : []
    content {
      market_type = instance_market_options.value
    }
  }

  # One hop: pods reach the node's role only if they share its network.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])
    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.name}-${each.key}" })
    }
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-eks-node"
  description        = "Nodes of the EKS cluster ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.node_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "node_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# Addresses of IPv6 are the network's to take, and there is no policy of AWS for it.
data "aws_iam_policy_document" "node_ipv6" {
  #checkov:skip=CKV_AWS_111:A node takes addresses for interfaces whose ids nobody knows before; AWS's own policy for IPv4 is as wide
  #checkov:skip=CKV_AWS_356:A node takes addresses for interfaces whose ids nobody knows before; AWS's own policy for IPv4 is as wide
  statement {
    actions   = ["ec2:AssignIpv6Addresses", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeNetworkInterfaces", "ec2:DescribeTags"]
    resources = ["*"]
  }

  statement {
    actions   = ["ec2:CreateTags"]
    resources = ["arn:${data.aws_partition.current.partition}:ec2:*:*:network-interface/*"]
  }
}

resource "aws_iam_role_policy" "node_ipv6" {
  for_each = { for key in ["ipv6"] : key => true if var.cluster.ip_family == "ipv6" && local._network_by_nodes }

  name   = "ipv6"
  role   = aws_iam_role.node.name
  policy = data.aws_iam_policy_document.node_ipv6.json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(local.node_policies)

  role       = aws_iam_role.node.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}
