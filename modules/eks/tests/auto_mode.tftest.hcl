# Auto Mode, in a state of its own: a cluster with nodes and add-ons is moved in two steps, of which these are not the first.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name    = "serving"
  network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
  cluster = { version = "1.33" }
  access_entries = {
    platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
  }
  node_groups = { general = { instance_types = ["m7i.xlarge"], min_size = 2, max_size = 6 } }
}

run "auto_mode_switches_all_three_on_and_brings_no_add_ons" {
  command = plan
  variables {
    auto_mode   = {}
    node_groups = {}
    identities  = { server = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }

  assert {
    condition     = one(aws_eks_cluster.this.compute_config).enabled && one(one(aws_eks_cluster.this.kubernetes_network_config).elastic_load_balancing).enabled && one(one(aws_eks_cluster.this.storage_config).block_storage).enabled
    error_message = "EKS refuses a part of Auto Mode."
  }

  assert {
    condition     = one(aws_eks_cluster.this.compute_config).node_pools == toset(["general-purpose", "system"]) && keys(aws_iam_role_policy_attachment.node) == ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"]
    error_message = "There are no nodes, or they may do more than they need."
  }

  assert {
    condition     = length(aws_iam_role_policy_attachment.cluster) == 5 && length(aws_eks_addon.before_nodes) + length(aws_eks_addon.on_nodes) == 0 && keys(aws_eks_pod_identity_association.this) == ["server"]
    error_message = "The cluster may not run nodes, or has what Auto Mode replaces."
  }
}

run "auto_mode_without_pools_of_eks_names_no_role" {
  command = plan
  variables {
    auto_mode   = { node_pools = [] }
    node_groups = {}
  }

  assert {
    condition     = one(aws_eks_cluster.this.compute_config).enabled && one(aws_eks_cluster.this.compute_config).node_role_arn == null
    error_message = "EKS refuses a role without pools."
  }
}

run "without_auto_mode_all_three_are_off" {
  command = plan

  assert {
    condition     = !one(aws_eks_cluster.this.compute_config).enabled && !one(one(aws_eks_cluster.this.kubernetes_network_config).elastic_load_balancing).enabled && !one(one(aws_eks_cluster.this.storage_config).block_storage).enabled && keys(aws_iam_role_policy_attachment.cluster) == ["AmazonEKSClusterPolicy"]
    error_message = "A part of Auto Mode is on, or stays on."
  }
}
