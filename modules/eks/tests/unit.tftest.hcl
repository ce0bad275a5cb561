# What is planned and, where only an apply tells, made.

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

run "the_least_configuration_is_private_encrypted_recorded_and_protected" {
  command = apply
  override_data {
    target = data.aws_eks_cluster.current
    values = { version = "1.33" }
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

  assert {
    condition     = one(aws_eks_cluster.this.vpc_config).endpoint_private_access && !one(aws_eks_cluster.this.vpc_config).endpoint_public_access
    error_message = "The endpoint is not private."
  }

  assert {
    condition     = one(aws_eks_cluster.this.access_config).authentication_mode == "API" && !one(aws_eks_cluster.this.access_config).bootstrap_cluster_creator_admin_permissions
    error_message = "Access does not come from access entries alone."
  }

  assert {
    condition     = one(one(aws_eks_cluster.this.encryption_config).provider).key_arn == aws_kms_key.secrets["secrets"].arn && aws_kms_key.secrets["secrets"].enable_key_rotation
    error_message = "Secrets are not encrypted with a key that rotates."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.encryption.policy).Statement[0].Resource == output.kms_key_arn
    error_message = "The cluster may use another key than its own."
  }

  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5 && aws_cloudwatch_log_group.cluster.name == "/aws/eks/serving/cluster" && aws_cloudwatch_log_group.cluster.retention_in_days == 365
    error_message = "The control plane is not recorded for a year."
  }

  assert {
    condition     = aws_eks_cluster.this.deletion_protection && !aws_eks_cluster.this.bootstrap_self_managed_addons
    error_message = "The cluster is not protected, or brings add-ons of its own."
  }

  assert {
    condition     = jsondecode(aws_iam_role.cluster.assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:eks:eu-west-1:123456789012:cluster/serving"
    error_message = "Another cluster may take the role."
  }

  assert {
    condition     = aws_eks_access_policy_association.this["platform/AmazonEKSClusterAdminPolicy"].policy_arn == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" && one(aws_eks_access_policy_association.this["platform/AmazonEKSClusterAdminPolicy"].access_scope).type == "cluster"
    error_message = "The administrator is none."
  }

  assert {
    condition     = toset(keys(output.addons)) == toset(["coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni"]) && keys(aws_eks_addon.on_nodes) == ["coredns"]
    error_message = "The add-ons are not there, or not in their order."
  }

  assert {
    condition     = one(aws_eks_node_group.this["general"].scaling_config).desired_size == 2 && aws_eks_node_group.this["general"].version == "1.33" && length(aws_eks_node_group.this["general"].taint) == 0
    error_message = "The group is not what it was asked to be."
  }

  assert {
    condition     = one(aws_launch_template.node["general"].metadata_options).http_tokens == "required" && one(aws_launch_template.node["general"].metadata_options).http_put_response_hop_limit == 1
    error_message = "Pods reach the role of their node."
  }

  assert {
    condition     = one(one(aws_launch_template.node["general"].block_device_mappings).ebs).encrypted == "true"
    error_message = "Disks of nodes are not encrypted."
  }

  assert {
    condition     = output.cluster.name == "serving" && startswith(output.cluster.endpoint, "https://") && output.cluster.security_group_id != null && output.cluster.certificate_authority != null
    error_message = "Clients are not told what they need."
  }

  assert {
    condition     = output.log_group_name == "/aws/eks/serving/cluster" && output.node_role.name == "serving-eks-node" && output.node_groups["general"].name != null
    error_message = "The outputs are not those of what was made."
  }
}

run "gpu_nodes_are_labelled_and_kept_free_of_other_pods" {
  command = plan
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], max_size = 6 }
      gpu     = { ami_type = "BOTTLEROCKET_x86_64_NVIDIA", instance_types = ["g6.xlarge", "g6e.xlarge"], min_size = 0, desired_size = 1, max_size = 4, disk_gib = 300, labels = { team = "ml" } }
      arm     = { ami_type = "AL2023_ARM_64_NVIDIA", instance_types = ["g5g.xlarge"], max_size = 2, taints = {} }
      neuron  = { ami_type = "AL2023_x86_64_NEURON", instance_types = ["inf2.xlarge"], max_size = 2 }
      big     = { ami_type = "AL2023_x86_64_NVIDIA", capacity_type = "CAPACITY_BLOCK", capacity_reservation = { id = "cr-0a1b2c3d" }, instance_types = ["p5.48xlarge"], min_size = 0, max_size = 2, subnet_ids = ["subnet-0b"] }
    }
  }

  assert {
    condition     = one(aws_eks_node_group.this["gpu"].taint).key == "nvidia.com/gpu" && one(aws_eks_node_group.this["gpu"].taint).effect == "NO_SCHEDULE" && one(aws_eks_node_group.this["gpu"].scaling_config).desired_size == 1
    error_message = "Other pods come onto GPU nodes."
  }

  assert {
    condition     = aws_eks_node_group.this["gpu"].labels == tomap({ "nvidia.com/gpu.present" = "true", team = "ml" }) && length(aws_eks_node_group.this["neuron"].labels) == 0
    error_message = "The labels are not those of the device plugin and of the user."
  }

  assert {
    condition     = length(aws_eks_node_group.this["arm"].taint) == 0
    error_message = "A taint is there that was switched off."
  }

  assert {
    condition     = one(aws_launch_template.node["gpu"].block_device_mappings).device_name == "/dev/xvdb" && one(one(aws_launch_template.node["gpu"].block_device_mappings).ebs).volume_size == 300 && one(aws_launch_template.node["arm"].block_device_mappings).device_name == "/dev/xvda"
    error_message = "The disk for images is not the one that was asked for."
  }

  assert {
    condition     = aws_launch_template.node["big"].instance_type == "p5.48xlarge" && one(aws_launch_template.node["big"].instance_market_options).market_type == "capacity-block" && one(one(aws_launch_template.node["big"].capacity_reservation_specification).capacity_reservation_target).capacity_reservation_id == "cr-0a1b2c3d"
    error_message = "The block is not used."
  }

  assert {
    condition     = aws_eks_node_group.this["big"].subnet_ids == toset(["subnet-0b"]) && aws_eks_node_group.this["gpu"].subnet_ids == toset(["subnet-0a", "subnet-0b"])
    error_message = "A group stands in other subnets than it should."
  }
}

run "the_endpoint_is_opened_to_whom_it_was_opened" {
  command = plan
  variables {
    endpoint = { public_ranges = { all = "0.0.0.0/0" }, open_to_the_world = true, private_ranges = { vpn = "10.99.0.0/16" }, private_security_group_ids = { ci = "sg-0a1b2c3d" } }
    cluster  = { version = "1.33", kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }, deletion_protection = false, support_type = "STANDARD", log_types = ["audit"], service_ipv4_cidr = "172.20.0.0/16", verify_version = false }
    tags     = { team = "ml" }
  }

  assert {
    condition     = one(aws_eks_cluster.this.vpc_config).endpoint_public_access && one(aws_eks_cluster.this.vpc_config).public_access_cidrs == toset(["0.0.0.0/0"])
    error_message = "The endpoint is not public."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["ipv4/vpn"].cidr_ipv4 == "10.99.0.0/16" && aws_vpc_security_group_ingress_rule.clients["ipv4/vpn"].from_port == 443 && aws_vpc_security_group_ingress_rule.clients["group/ci"].referenced_security_group_id == "sg-0a1b2c3d"
    error_message = "Clients in private networks are not admitted."
  }

  assert {
    condition     = length(aws_kms_key.secrets) == 0 && output.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "A key is made that nobody asked for."
  }

  assert {
    condition     = !aws_eks_cluster.this.deletion_protection && one(aws_eks_cluster.this.upgrade_policy).support_type == "STANDARD" && aws_eks_cluster.this.enabled_cluster_log_types == toset(["audit"]) && one(aws_eks_cluster.this.kubernetes_network_config).service_ipv4_cidr == "172.20.0.0/16" && aws_eks_cluster.this.tags["team"] == "ml"
    error_message = "The cluster is not as it was asked for."
  }

  assert {
    condition     = length(data.aws_eks_cluster_versions.offered) == 0 && length(data.aws_eks_cluster.current) == 0
    error_message = "Something is read that was not to be read."
  }
}

run "versions_of_add_ons_are_those_that_were_named" {
  command = plan
  variables {
    addons = {
      coredns        = { version = "v1.12.4-eksbuild.1", configuration = jsonencode({ replicaCount = 3 }) }
      kube-proxy     = { version = "v1.33.5-eksbuild.2" }
      metrics-server = {}
      vpc-cni        = {}
    }
  }

  assert {
    condition     = aws_eks_addon.on_nodes["coredns"].addon_version == "v1.12.4-eksbuild.1" && jsondecode(aws_eks_addon.on_nodes["coredns"].configuration_values).replicaCount == 3 && aws_eks_addon.before_nodes["kube-proxy"].addon_version == "v1.33.5-eksbuild.2"
    error_message = "An add-on is of another version."
  }

  assert {
    condition     = toset(keys(aws_eks_addon.on_nodes)) == toset(["coredns", "metrics-server"]) && toset(keys(aws_eks_addon.before_nodes)) == toset(["kube-proxy", "vpc-cni"])
    error_message = "Add-ons are not in their order."
  }
}

run "access_to_namespaces_is_no_more_than_that" {
  command = plan
  variables {
    access_entries = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
      models   = { principal_arn = "arn:aws:iam::123456789012:role/models", policies = { AmazonEKSEditPolicy = ["models"] }, kubernetes_groups = ["models"] }
    }
  }

  assert {
    condition     = one(aws_eks_access_policy_association.this["models/AmazonEKSEditPolicy"].access_scope).type == "namespace" && one(aws_eks_access_policy_association.this["models/AmazonEKSEditPolicy"].access_scope).namespaces == toset(["models"]) && aws_eks_access_entry.this["models"].kubernetes_groups == toset(["models"])
    error_message = "The entry reaches beyond its namespace."
  }
}

run "a_cluster_without_nodes_has_no_add_on_that_waits_for_them" {
  command = plan
  variables {
    node_groups = {}
  }

  assert {
    condition     = length(aws_eks_addon.on_nodes) == 0 && length(aws_eks_node_group.this) == 0 && length(aws_eks_addon.before_nodes) == 3
    error_message = "An add-on waits for nodes for ever."
  }
}

run "pods_have_roles_of_their_own" {
  command = apply
  override_data {
    target = data.aws_eks_cluster.current
    values = { version = "1.33" }
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
  variables {
    cluster = { version = "1.33", oidc_provider = true }
    identities = {
      server = {
        namespace       = "models"
        service_account = "server"
        policies        = { artifacts = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::artifacts/*" }] }) }
        policy_arns     = { metrics = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy" }
      }
      batch = { method = "IRSA", namespace = "batch", service_account = "runner", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } }
    }
  }

  assert {
    condition     = keys(aws_eks_pod_identity_association.this) == ["server"] && aws_eks_pod_identity_association.this["server"].namespace == "models" && aws_eks_pod_identity_association.this["server"].service_account == "server" && aws_eks_pod_identity_association.this["server"].role_arn == output.identities["server"]
    error_message = "The role is not that of the pods that it was made for."
  }

  assert {
    condition = jsondecode(aws_iam_role.identity["server"].assume_role_policy).Statement[0].Principal.Service == "pods.eks.amazonaws.com" && toset(jsondecode(aws_iam_role.identity["server"].assume_role_policy).Statement[0].Action) == toset(["sts:AssumeRole", "sts:TagSession"]) && jsondecode(aws_iam_role.identity["server"].assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:RequestTag/eks-cluster-arn"            = "arn:aws:eks:eu-west-1:123456789012:cluster/serving"
      "aws:RequestTag/kubernetes-namespace"       = "models"
      "aws:RequestTag/kubernetes-service-account" = "server"
    }
    error_message = "Other pods may take the role."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.identity["server/artifacts"].policy).Statement[0].Action == "s3:GetObject" && aws_iam_role_policy.identity["server/artifacts"].role == "serving-pod-server" && aws_iam_role_policy_attachment.identity["server/metrics"].role == "serving-pod-server"
    error_message = "The role has not the rights that it was given."
  }

  assert {
    condition     = output.oidc.provider_arn == "arn:aws:iam::123456789012:oidc-provider/${output.oidc.issuer}" && one(aws_iam_openid_connect_provider.this["cluster"].client_id_list) == "sts.amazonaws.com"
    error_message = "IAM does not believe the cluster's tokens."
  }

  assert {
    condition = jsondecode(aws_iam_role.identity["batch"].assume_role_policy).Statement[0].Principal.Federated == output.oidc.provider_arn && jsondecode(aws_iam_role.identity["batch"].assume_role_policy).Statement[0].Action == "sts:AssumeRoleWithWebIdentity" && jsondecode(aws_iam_role.identity["batch"].assume_role_policy).Statement[0].Condition.StringEquals == {
      "${output.oidc.issuer}:aud" = "sts.amazonaws.com"
      "${output.oidc.issuer}:sub" = "system:serviceaccount:batch:runner"
    }
    error_message = "Other tokens than the service account's are believed."
  }

  assert {
    condition     = !strcontains(output.oidc.issuer, "https") && output.identities["batch"] == "arn:aws:iam::123456789012:role/serving-pod-batch"
    error_message = "The outputs are not what trust policies and annotations need."
  }
}

run "add_ons_have_the_roles_that_they_need" {
  command = apply
  override_data {
    target = data.aws_eks_cluster.current
    values = { version = "1.33" }
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
  variables {
    addons = {
      aws-ebs-csi-driver     = { identities = { ebs-csi-controller-sa = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }
      coredns                = {}
      eks-pod-identity-agent = {}
      kube-proxy             = {}
      vpc-cni                = { identities = { aws-node = { policy_arns = { cni = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy" } } } }
    }
  }

  assert {
    condition     = one(aws_eks_addon.on_nodes["aws-ebs-csi-driver"].pod_identity_association).service_account == "ebs-csi-controller-sa" && one(aws_eks_addon.on_nodes["aws-ebs-csi-driver"].pod_identity_association).role_arn == aws_iam_role.identity["aws-ebs-csi-driver/ebs-csi-controller-sa"].arn
    error_message = "Volumes stay pending."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.identity["aws-ebs-csi-driver/ebs-csi-controller-sa/ebs"].policy_arn == "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" && jsondecode(aws_iam_role.identity["aws-ebs-csi-driver/ebs-csi-controller-sa"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == "ebs-csi-controller-sa"
    error_message = "The role of the add-on has no rights, or is not its alone."
  }

  assert {
    condition     = one(aws_eks_addon.before_nodes["vpc-cni"].pod_identity_association).role_arn == aws_iam_role.identity["vpc-cni/aws-node"].arn && keys(aws_iam_role_policy_attachment.node) == ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"]
    error_message = "Nodes keep the rights of the network, which has a role of its own."
  }

  assert {
    condition     = length(aws_eks_pod_identity_association.this) == 0 && output.identities == {} && output.oidc.provider_arn == null
    error_message = "Something is made that nobody asked for."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.log_group_name == "/aws/eks/serving/cluster"
    error_message = "What is known is lost."
  }
}

run "pods_that_are_selected_run_on_fargate_with_a_role_of_this_cluster" {
  command = plan
  variables {
    cluster = { version = "1.33", oidc_provider = true }
    fargate_profiles = {
      batch = { selectors = { all = { namespace = "batch-*" }, jobs = { namespace = "models", labels = { kind = "job" } } } }
      dns   = { selectors = { dns = { namespace = "kube-system", labels = { k8s-app = "kube-dns" } } }, subnet_ids = ["subnet-0b"] }
    }
    # Beside Fargate in the same namespace, where only pods with a label are on it.
    identities = { server = { namespace = "models", service_account = "server", policy_arns = { s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" } } }
  }

  assert {
    condition     = toset(aws_eks_fargate_profile.this["batch"].selector[*].namespace) == toset(["batch-*", "models"]) && one([for selector in aws_eks_fargate_profile.this["batch"].selector : selector.labels if selector.namespace == "models"]) == tomap({ kind = "job" })
    error_message = "Other pods run on Fargate."
  }

  assert {
    condition     = aws_eks_fargate_profile.this["batch"].subnet_ids == toset(["subnet-0a", "subnet-0b"]) && aws_eks_fargate_profile.this["dns"].subnet_ids == toset(["subnet-0b"])
    error_message = "A profile has other subnets than it should."
  }

  assert {
    condition     = jsondecode(aws_iam_role.fargate["pods"].assume_role_policy).Statement[0].Principal.Service == "eks-fargate-pods.amazonaws.com" && jsondecode(aws_iam_role.fargate["pods"].assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:eks:eu-west-1:123456789012:fargateprofile/serving/*"
    error_message = "Another cluster may take the role."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.fargate["pods"].policy_arn == "arn:aws:iam::aws:policy/AmazonEKSFargatePodExecutionRolePolicy" && output.fargate.role.name == "serving-eks-fargate"
    error_message = "The role cannot start pods."
  }
}

run "without_profiles_there_is_no_role_for_fargate" {
  command = plan

  assert {
    condition     = length(aws_iam_role.fargate) == 0 && output.fargate.role == null && length(output.fargate.profiles) == 0 && output.hybrid_nodes == null
    error_message = "Something is made that nobody asked for."
  }
}

run "machines_of_ones_own_join_by_activations" {
  command = plan
  variables {
    cluster = { version = "1.33", hybrid_nodes = { node_ranges = { hall = "10.80.0.0/24" }, pod_ranges = { hall = "10.85.0.0/16" } } }
  }

  assert {
    condition     = one(one(aws_eks_cluster.this.remote_network_config).remote_node_networks).cidrs == toset(["10.80.0.0/24"]) && one(one(aws_eks_cluster.this.remote_network_config).remote_pod_networks).cidrs == toset(["10.85.0.0/16"])
    error_message = "The control plane does not find the machines."
  }

  assert {
    condition     = aws_eks_access_entry.hybrid_nodes["nodes"].type == "HYBRID_LINUX" && output.hybrid_nodes.name == "serving-eks-hybrid-node"
    error_message = "The machines are not admitted."
  }

  assert {
    condition     = jsondecode(aws_iam_role.hybrid_node["nodes"].assume_role_policy).Statement[0].Principal.Service == "ssm.amazonaws.com" && jsondecode(aws_iam_role.hybrid_node["nodes"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Activations of others give the role."
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy_attachment.hybrid_node)) == toset(["nodes/AmazonEC2ContainerRegistryPullOnly", "nodes/AmazonSSMManagedInstanceCore"]) && [for statement in jsondecode(aws_iam_role_policy.hybrid_node["nodes"].policy).Statement : statement.Action if statement.Resource == "*"] == ["ssm:DescribeInstanceInformation"]
    error_message = "The role has other rights than it needs."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["hybrid-node/hall"].cidr_ipv4 == "10.80.0.0/24" && aws_vpc_security_group_ingress_rule.clients["hybrid-pod/hall"].cidr_ipv4 == "10.85.0.0/16"
    error_message = "The machines do not reach the endpoint."
  }
}

run "machines_of_ones_own_join_by_certificates" {
  command = plan
  variables {
    cluster = { version = "1.33", hybrid_nodes = { node_ranges = { hall = "10.80.0.0/24" }, roles_anywhere = { trust_anchor_arn = "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f" } } }
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role.hybrid_node["nodes"].assume_role_policy).Statement :
    statement.Principal.Service == "rolesanywhere.amazonaws.com" && statement.Condition.ArnEquals["aws:SourceArn"] == "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f"])
    error_message = "Another anchor's certificates give the role."
  }

  assert {
    condition     = jsondecode(aws_iam_role.hybrid_node["nodes"].assume_role_policy).Statement[1].Condition.StringEquals["sts:RoleSessionName"] == "$${aws:PrincipalTag/x509Subject/CN}"
    error_message = "A machine may call itself as another."
  }

  assert {
    condition     = keys(aws_iam_role_policy_attachment.hybrid_node) == ["nodes/AmazonEC2ContainerRegistryPullOnly"] && length(one(aws_eks_cluster.this.remote_network_config).remote_pod_networks) == 0
    error_message = "The role has rights of activations."
  }
}

run "pods_have_addresses_of_ipv6_and_nodes_may_take_them" {
  command = plan
  variables {
    cluster = { version = "1.33", ip_family = "ipv6" }
  }

  assert {
    condition     = one(aws_eks_cluster.this.kubernetes_network_config).ip_family == "ipv6"
    error_message = "The cluster is of another family."
  }

  assert {
    condition     = contains(flatten([for statement in jsondecode(aws_iam_role_policy.node_ipv6["ipv6"].policy).Statement : statement.Action]), "ec2:AssignIpv6Addresses") && !contains(keys(aws_iam_role_policy_attachment.node), "AmazonEKS_CNI_Policy")
    error_message = "Nodes cannot give pods addresses."
  }
}

run "with_a_role_of_the_network_nodes_take_no_addresses" {
  command = plan
  variables {
    cluster = { version = "1.33", ip_family = "ipv6" }
    addons = {
      coredns                = {}
      eks-pod-identity-agent = {}
      kube-proxy             = {}
      vpc-cni                = { identities = { aws-node = { policies = { ipv6 = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "ec2:AssignIpv6Addresses", Resource = "*" }] }) } } } }
    }
  }

  assert {
    condition     = length(aws_iam_role_policy.node_ipv6) == 0
    error_message = "Nodes have rights that are the network's."
  }
}
