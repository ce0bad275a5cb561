# Every mistake that a user can make is refused at plan, by the variable or the resource at fault.

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

run "nobody_as_administrator_is_refused" {
  command = plan
  variables {
    access_entries = { reader = { principal_arn = "arn:aws:iam::123456789012:role/reader", policies = { AmazonEKSViewPolicy = [] } } }
  }
  expect_failures = [var.access_entries]
}

run "an_administrator_of_a_namespace_only_is_refused" {
  command = plan
  variables {
    access_entries = { platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = ["models"] } } }
  }
  expect_failures = [var.access_entries]
}

run "a_session_as_principal_is_refused" {
  command = plan
  variables {
    access_entries = { platform = { principal_arn = "arn:aws:sts::123456789012:assumed-role/platform/me", policies = { AmazonEKSClusterAdminPolicy = [] } } }
  }
  expect_failures = [var.access_entries]
}

run "a_principal_named_twice_is_refused" {
  command = plan
  variables {
    access_entries = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
      again    = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSViewPolicy = [] } }
    }
  }
  expect_failures = [var.access_entries]
}

run "a_policy_of_iam_is_refused" {
  command = plan
  variables {
    access_entries = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
      other    = { principal_arn = "arn:aws:iam::123456789012:role/other", policies = { AmazonEKSClusterPolicy = [] } }
    }
  }
  expect_failures = [var.access_entries]
}

run "a_group_that_kubernetes_keeps_is_refused" {
  command = plan
  variables {
    access_entries = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
      other    = { principal_arn = "arn:aws:iam::123456789012:role/other", kubernetes_groups = ["system:masters"] }
    }
  }
  expect_failures = [var.access_entries]
}

run "an_entry_without_rights_is_refused" {
  command = plan
  variables {
    access_entries = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
      other    = { principal_arn = "arn:aws:iam::123456789012:role/other" }
    }
  }
  expect_failures = [var.access_entries]
}

run "a_version_of_an_add_on_without_its_build_is_refused" {
  command = plan
  variables {
    addons = { coredns = {}, kube-proxy = {}, vpc-cni = { version = "1.20.4" } }
  }
  expect_failures = [var.addons]
}

run "a_configuration_that_is_no_json_is_refused" {
  command = plan
  variables {
    addons = { coredns = { configuration = "replicaCount: 3" }, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "nodes_without_a_network_are_refused" {
  command = plan
  variables {
    addons = { coredns = {}, kube-proxy = {} }
  }
  expect_failures = [var.addons]
}

run "an_add_on_without_nodes_is_refused" {
  command = plan
  variables {
    addons      = { coredns = {} }
    node_groups = {}
  }
  expect_failures = [var.addons]
}

run "an_add_on_without_the_one_that_it_needs_is_refused" {
  command = plan
  variables {
    addons = { adot = {}, coredns = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "a_kube_proxy_newer_than_the_cluster_is_refused" {
  command = plan
  variables {
    addons = { coredns = {}, kube-proxy = { version = "v1.34.1-eksbuild.2" }, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "an_add_on_without_the_role_that_it_needs_is_refused" {
  command = plan
  variables {
    addons = { aws-ebs-csi-driver = {}, coredns = {}, eks-pod-identity-agent = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "a_role_for_another_service_account_of_an_add_on_is_refused" {
  command = plan
  variables {
    addons = { aws-efs-csi-driver = { identities = { ebs-csi-controller-sa = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }, coredns = {}, eks-pod-identity-agent = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "a_role_of_an_add_on_without_rights_is_refused" {
  command = plan
  variables {
    addons = { aws-ebs-csi-driver = { identities = { ebs-csi-controller-sa = {} } }, coredns = {}, eks-pod-identity-agent = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "a_policy_of_an_add_on_by_its_name_is_refused" {
  command = plan
  variables {
    addons = { aws-ebs-csi-driver = { identities = { ebs-csi-controller-sa = { policy_arns = { ebs = "AmazonEBSCSIDriverPolicy" } } } }, coredns = {}, eks-pod-identity-agent = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "a_service_account_of_an_add_on_too_long_for_a_role_is_refused" {
  command = plan
  variables {
    addons = { adot-like = { identities = { a-service-account-of-more-than-25 = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }, coredns = {}, eks-pod-identity-agent = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "roles_of_two_add_ons_of_one_name_are_refused" {
  command = plan
  variables {
    addons = { one = { identities = { agent = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }, two = { identities = { agent = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }, coredns = {}, eks-pod-identity-agent = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "a_role_of_an_add_on_without_the_agent_is_refused" {
  command = plan
  variables {
    addons = { aws-ebs-csi-driver = { identities = { ebs-csi-controller-sa = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }, coredns = {}, kube-proxy = {}, vpc-cni = {} }
  }
  expect_failures = [var.addons]
}

run "an_add_on_that_auto_mode_has_built_in_is_refused" {
  command = plan
  variables {
    addons      = { coredns = {} }
    auto_mode   = {}
    node_groups = {}
  }
  expect_failures = [var.addons]
}

run "a_pool_that_eks_does_not_have_is_refused" {
  command = plan
  variables {
    auto_mode   = { node_pools = ["gpu"] }
    node_groups = {}
  }
  expect_failures = [var.auto_mode]
}

run "auto_mode_beside_node_groups_is_refused" {
  command = plan
  variables {
    auto_mode = {}
  }
  expect_failures = [var.auto_mode]
}

run "a_name_of_an_identity_too_long_is_refused" {
  command = plan
  variables {
    identities = { a-name-of-more-than-27-letters = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "an_unknown_method_of_identities_is_refused" {
  command = plan
  variables {
    identities = { server = { method = "KIAM", namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "a_wildcard_as_service_account_is_refused" {
  command = plan
  variables {
    identities = { server = { namespace = "models", service_account = "*", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "a_service_account_with_two_roles_is_refused" {
  command = plan
  variables {
    identities = { one = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } }, two = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "an_identity_without_rights_is_refused" {
  command = plan
  variables {
    identities = { server = { namespace = "models", service_account = "server" } }
  }
  expect_failures = [var.identities]
}

run "an_arn_where_a_document_belongs_is_refused" {
  command = plan
  variables {
    identities = { server = { namespace = "models", service_account = "server", policies = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "a_role_where_a_policy_belongs_is_refused" {
  command = plan
  variables {
    identities = { server = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::123456789012:role/server" } } }
  }
  expect_failures = [var.identities]
}

run "pod_identities_without_the_agent_are_refused" {
  command = plan
  variables {
    addons     = { coredns = {}, kube-proxy = {}, vpc-cni = {} }
    identities = { server = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "irsa_without_a_provider_is_refused" {
  command = plan
  variables {
    identities = { server = { method = "IRSA", namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "a_version_with_a_patch_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33.5" }
  }
  expect_failures = [var.cluster]
}

run "an_unknown_support_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", support_type = "PREMIUM" }
  }
  expect_failures = [var.cluster]
}

run "an_unknown_type_of_logs_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", log_types = ["kubelet"] }
  }
  expect_failures = [var.cluster]
}

run "an_alias_as_key_of_secrets_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/secrets" } }
  }
  expect_failures = [var.cluster]
}

run "a_public_range_of_services_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", service_ipv4_cidr = "8.0.0.0/16" }
  }
  expect_failures = [var.cluster]
}

run "a_range_of_services_too_small_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", service_ipv4_cidr = "172.20.0.0/28" }
  }
  expect_failures = [var.cluster]
}

run "an_endpoint_open_to_the_world_without_saying_so_is_refused" {
  command = plan
  variables {
    endpoint = { public_ranges = { all = "0.0.0.0/0" } }
  }
  expect_failures = [var.endpoint]
}

run "half_of_the_world_is_refused_as_well" {
  command = plan
  variables {
    endpoint = { public_ranges = { lower = "0.0.0.0/1", upper = "128.0.0.0/1" } }
  }
  expect_failures = [var.endpoint]
}

run "a_range_that_is_none_is_refused" {
  command = plan
  variables {
    endpoint = { private_ranges = { office = "office" } }
  }
  expect_failures = [var.endpoint]
}

run "a_private_range_on_the_internet_is_refused" {
  command = plan
  variables {
    endpoint = { public_ranges = { vpn = "10.99.0.0/16" } }
  }
  expect_failures = [var.endpoint]
}

run "more_public_ranges_than_eks_takes_are_refused" {
  command = plan
  variables {
    endpoint = { public_ranges = { for n in range(41) : tostring(n) => "203.0.113.${n}/32" } }
  }
  expect_failures = [var.endpoint]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables {
    logging = { retention_days = 100 }
  }
  expect_failures = [var.logging]
}

run "an_alias_as_key_of_logs_is_refused" {
  command = plan
  variables {
    logging = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/logs" }
  }
  expect_failures = [var.logging]
}

run "a_name_too_long_is_refused" {
  command = plan
  variables {
    name = "a-name-of-more-than-thirty-two-letters"
  }
  expect_failures = [var.name]
}

run "one_subnet_is_refused" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a"] }
  }
  expect_failures = [var.network]
}

run "a_subnet_named_twice_is_refused" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0a"] }
  }
  expect_failures = [var.network]
}

run "a_name_of_a_group_in_capitals_is_refused" {
  command = plan
  variables {
    node_groups = { General = { instance_types = ["m7i.xlarge"], max_size = 6 } }
  }
  expect_failures = [var.node_groups]
}

run "a_group_of_at_most_no_node_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], min_size = 0, max_size = 0 } }
  }
  expect_failures = [var.node_groups]
}

run "a_minimum_over_the_maximum_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], min_size = 5, max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "a_desired_size_under_the_minimum_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], min_size = 2, desired_size = 1, max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "a_desired_size_over_the_maximum_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], desired_size = 4, max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "an_image_of_al2_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, ami_type = "AL2_x86_64" } }
  }
  expect_failures = [var.node_groups]
}

run "no_type_of_instance_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = [], max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "a_gpu_without_an_image_for_gpus_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["g6.xlarge"], max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "a_newer_gpu_without_an_image_for_gpus_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["p6-b200.48xlarge"], max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "a_gpu_of_amd_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["g4ad.xlarge"], max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "an_image_for_gpus_without_one_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, ami_type = "AL2023_x86_64_NVIDIA" } }
  }
  expect_failures = [var.node_groups]
}

run "inferentia_without_its_image_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["inf2.xlarge"], max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "graviton_with_an_image_for_x86_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7g.xlarge"], max_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "x86_with_an_image_for_graviton_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, ami_type = "AL2023_ARM_64_STANDARD" } }
  }
  expect_failures = [var.node_groups]
}

run "an_unknown_type_of_capacity_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, capacity_type = "RESERVED" } }
  }
  expect_failures = [var.node_groups]
}

run "a_capacity_block_without_its_reservation_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["p5.48xlarge"], max_size = 3, ami_type = "AL2023_x86_64_NVIDIA", capacity_type = "CAPACITY_BLOCK" } }
  }
  expect_failures = [var.node_groups]
}

run "a_reservation_for_spot_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, capacity_type = "SPOT", capacity_reservation = { id = "cr-0a1b2c3d" } } }
  }
  expect_failures = [var.node_groups]
}

run "a_reservation_that_is_no_id_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, capacity_reservation = { id = "my-reservation" } } }
  }
  expect_failures = [var.node_groups]
}

run "a_disk_too_small_for_the_image_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, disk_gib = 8 } }
  }
  expect_failures = [var.node_groups]
}

run "an_update_of_no_node_at_a_time_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, max_unavailable_percentage = 0 } }
  }
  expect_failures = [var.node_groups]
}

run "a_group_without_subnets_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, subnet_ids = [] } }
  }
  expect_failures = [var.node_groups]
}

run "an_unknown_effect_of_a_taint_is_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, taints = { team = { effect = "NoSchedule" } } } }
  }
  expect_failures = [var.node_groups]
}

run "nodes_newer_than_the_cluster_are_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, version = "1.34" } }
  }
  expect_failures = [var.node_groups]
}

run "nodes_four_versions_behind_the_cluster_are_refused" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7i.xlarge"], max_size = 3, version = "1.29" } }
  }
  expect_failures = [var.node_groups]
}

run "a_reserved_key_of_a_tag_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "ml" }
  }
  expect_failures = [var.tags]
}

run "a_version_that_eks_does_not_offer_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.99" }
  }
  override_data {
    target = data.aws_eks_cluster_versions.offered
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      cluster_versions = [{
        cluster_type                 = "eks"
        cluster_version              = "1.33"
        default_platform_version     = "eks.1"
        default_version              = true
        end_of_extended_support_date = ""
        end_of_standard_support_date = ""
        kubernetes_patch_version     = ""
        release_date                 = ""
        version_status               = "STANDARD_SUPPORT"
      }]
    }
  }
  expect_failures = [aws_eks_cluster.this]
}

run "fargate_profiles_have_names_that_aws_takes" {
  command = plan
  variables {
    fargate_profiles = { eks-own = { selectors = { all = { namespace = "batch" } } } }
  }
  expect_failures = [var.fargate_profiles]
}

run "fargate_profiles_without_selectors_are_refused" {
  command = plan
  variables {
    fargate_profiles = { batch = { selectors = {} } }
  }
  expect_failures = [var.fargate_profiles]
}

run "selectors_of_fargate_have_namespaces" {
  command = plan
  variables {
    fargate_profiles = { batch = { selectors = { all = { namespace = "Batch_" } } } }
  }
  expect_failures = [var.fargate_profiles]
}

run "fargate_profiles_in_no_subnets_are_refused" {
  command = plan
  variables {
    fargate_profiles = { batch = { selectors = { all = { namespace = "batch" } }, subnet_ids = [] } }
  }
  expect_failures = [var.fargate_profiles]
}

run "identities_by_pod_identity_on_fargate_are_refused" {
  command = plan
  variables {
    fargate_profiles = { batch = { selectors = { all = { namespace = "batch" } } } }
    identities       = { runner = { namespace = "batch", service_account = "runner", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }
  expect_failures = [var.identities]
}

run "another_family_of_addresses_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", ip_family = "dualstack" }
  }
  expect_failures = [var.cluster]
}

run "a_range_of_services_beside_ipv6_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", ip_family = "ipv6", service_ipv4_cidr = "172.20.0.0/16" }
  }
  expect_failures = [var.cluster]
}

run "hybrid_nodes_beside_ipv6_are_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", ip_family = "ipv6", hybrid_nodes = { node_ranges = { hall = "10.80.0.0/24" } } }
  }
  expect_failures = [var.cluster]
}

run "hybrid_nodes_that_are_nowhere_are_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", hybrid_nodes = { node_ranges = {} } }
  }
  expect_failures = [var.cluster]
}

run "hybrid_nodes_with_public_addresses_are_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", hybrid_nodes = { node_ranges = { hall = "203.0.113.0/24" } } }
  }
  expect_failures = [var.cluster]
}

run "ranges_of_hybrid_nodes_that_overlap_are_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", hybrid_nodes = { node_ranges = { hall = "10.80.4.0/24" }, pod_ranges = { hall = "10.80.0.0/16" } } }
  }
  expect_failures = [var.cluster]
}

run "services_in_a_range_of_hybrid_pods_are_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", service_ipv4_cidr = "10.85.0.0/16", hybrid_nodes = { node_ranges = { hall = "10.80.4.0/24" }, pod_ranges = { hall = "10.85.8.0/22" } } }
  }
  expect_failures = [var.cluster]
}

run "an_anchor_that_is_none_is_refused" {
  command = plan
  variables {
    cluster = { version = "1.33", hybrid_nodes = { node_ranges = { hall = "10.80.0.0/24" }, roles_anywhere = { trust_anchor_arn = "arn:aws:iam::123456789012:role/anchor" } } }
  }
  expect_failures = [var.cluster]
}
