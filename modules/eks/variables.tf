variable "access_entries" {
  description = <<-EOT
    Who may use Kubernetes; keys are names of your choice. `principal_arn`: a role or a user of IAM.
    `policies`: access policies of EKS by name, such as AmazonEKSClusterAdminPolicy, each with the namespaces that it holds for; none means the whole cluster.
    `kubernetes_groups`: subjects of your own role bindings. Whoever ran the first apply is no administrator, so one entry must be.
  EOT
  type = map(object({
    kubernetes_groups = optional(list(string), [])
    policies          = optional(map(list(string)), {})
    principal_arn     = string
  }))
  nullable = false

  validation {
    condition     = anytrue([for entry in values(var.access_entries) : length(lookup(entry.policies, "AmazonEKSClusterAdminPolicy", ["none"])) == 0])
    error_message = "None of access_entries administers the whole cluster, so nobody could give access later. Give one of them policies = { AmazonEKSClusterAdminPolicy = [] }."
  }

  validation {
    condition     = alltrue([for entry in values(var.access_entries) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/.+$", entry.principal_arn))])
    error_message = "principal_arn of access_entries is the ARN of a role or a user (arn:aws:iam::ACCOUNT:role/NAME); of a session (sts, assumed-role) take its role's, and the root user is refused by EKS."
  }

  validation {
    condition     = length(distinct(values(var.access_entries)[*].principal_arn)) == length(var.access_entries)
    error_message = "Two of access_entries have one principal_arn. EKS has one entry for each; put their policies and groups together."
  }

  validation {
    condition = alltrue([for policy in flatten([for entry in values(var.access_entries) : keys(entry.policies)]) :
    contains(["AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy"], policy)])
    error_message = "policies of access_entries are AmazonEKSAdminPolicy, AmazonEKSAdminViewPolicy, AmazonEKSClusterAdminPolicy, AmazonEKSEditPolicy and AmazonEKSViewPolicy: access policies of EKS, not policies of IAM. For other rights take kubernetes_groups and a role binding."
  }

  validation {
    condition     = alltrue([for group in flatten([for entry in values(var.access_entries) : entry.kubernetes_groups]) : !can(regex("^(system|eks|aws|amazon|iam):", group))])
    error_message = "kubernetes_groups of access_entries do not begin with system:, eks:, aws:, amazon: or iam:, which EKS refuses. For administrators take policies."
  }

  validation {
    condition     = alltrue([for entry in values(var.access_entries) : length(entry.policies) + length(entry.kubernetes_groups) > 0])
    error_message = "Each of access_entries has policies, kubernetes_groups, or both; without them it may do nothing."
  }
}

variable "addons" {
  description = <<-EOT
    Add-ons of EKS by name. `version`: such as v1.20.4-eksbuild.2; null takes AWS's default for the cluster's version when the add-on is made, and keeps it. `configuration`: of the add-on, in JSON.
    `identities`: of an add-on that calls AWS, by its service account: `policy_arns` and `policies` (documents in JSON), by names of your choice; the module makes the role.
    null has eks-pod-identity-agent, kube-proxy, vpc-cni and, where there are nodes, coredns; with Auto Mode none.
  EOT
  type = map(object({
    configuration = optional(string)
    identities = optional(map(object({
      policies    = optional(map(string), {})
      policy_arns = optional(map(string), {})
    })), {})
    version = optional(string)
  }))
  default = null

  validation {
    condition     = alltrue([for addon in values(coalesce(var.addons, {})) : addon.version == null || can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", addon.version))])
    error_message = "version of addons is whole, such as v1.20.4-eksbuild.2: `aws eks describe-addon-versions --addon-name NAME --kubernetes-version VERSION` lists them."
  }

  validation {
    condition     = alltrue([for addon in values(coalesce(var.addons, {})) : addon.configuration == null || can(keys(jsondecode(addon.configuration)))])
    error_message = "configuration of addons is an object in JSON; write it with jsonencode({ … })."
  }

  validation {
    condition     = var.addons == null || length(var.node_groups) == 0 || length(setsubtract(["coredns", "kube-proxy", "vpc-cni"], keys(coalesce(var.addons, {})))) == 0
    error_message = "addons lacks coredns, kube-proxy or vpc-cni, without which nodes of node_groups are not ready or find no names. Add them, or leave addons out."
  }

  validation {
    condition     = alltrue([for name in keys(coalesce(var.addons, {})) : contains(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"], name)]) || length(var.node_groups) > 0 || var.auto_mode != null
    error_message = "An add-on runs on nodes, and node_groups is empty: it would never be ready. Add a group, or keep to eks-pod-identity-agent, kube-proxy and vpc-cni."
  }

  validation {
    condition     = !contains(keys(coalesce(var.addons, {})), "adot") || contains(keys(coalesce(var.addons, {})), "cert-manager")
    error_message = "The add-on adot needs cert-manager. Add it to addons."
  }

  validation {
    condition = alltrue([for name, account in {
      amazon-cloudwatch-observability = "cloudwatch-agent"
      aws-ebs-csi-driver              = "ebs-csi-controller-sa"
      aws-efs-csi-driver              = "efs-csi-controller-sa"
      aws-mountpoint-s3-csi-driver    = "s3-csi-driver-sa"
      external-dns                    = "external-dns"
    } : !contains(keys(coalesce(var.addons, {})), name) || can(var.addons[name].identities[account])])
    error_message = <<-EOT
      An add-on lacks the role that it calls AWS with: without it volumes stay pending, and records unmade. Give its service account identities: of aws-ebs-csi-driver ebs-csi-controller-sa (policy service-role/AmazonEBSCSIDriverPolicy),
      of aws-efs-csi-driver efs-csi-controller-sa (service-role/AmazonEFSCSIDriverPolicy), of amazon-cloudwatch-observability cloudwatch-agent (CloudWatchAgentServerPolicy), of aws-mountpoint-s3-csi-driver s3-csi-driver-sa and of external-dns external-dns (policies of your own).
    EOT
  }

  validation {
    condition     = alltrue([for addon in values(coalesce(var.addons, {})) : alltrue([for identity in values(addon.identities) : length(identity.policies) + length(identity.policy_arns) > 0])])
    error_message = "Each of identities of addons has policies, policy_arns, or both; without them the role may do nothing."
  }

  validation {
    condition = alltrue(flatten([for addon in values(coalesce(var.addons, {})) : [for identity in values(addon.identities) : concat(
      [for document in values(identity.policies) : can(jsondecode(document).Statement)],
      [for arn in values(identity.policy_arns) : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", arn))],
    )]]))
    error_message = "policies in identities of addons are documents of IAM in JSON, and policy_arns are such as arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy."
  }

  validation {
    condition     = alltrue(flatten([for addon in values(coalesce(var.addons, {})) : [for account in keys(addon.identities) : can(regex("^[a-z0-9][a-z0-9-]{0,23}[a-z0-9]$", account))]]))
    error_message = "Keys of identities of addons are service accounts, such as ebs-csi-controller-sa: 2 to 25 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = length(flatten([for addon in values(coalesce(var.addons, {})) : keys(addon.identities)])) == length(distinct(flatten([for addon in values(coalesce(var.addons, {})) : keys(addon.identities)])))
    error_message = "Two of addons have identities for service accounts of one name, and their roles would have one name too. Give one of them its role through an association of your own."
  }

  validation {
    condition     = alltrue([for addon in values(coalesce(var.addons, {})) : length(addon.identities) == 0]) || contains(keys(coalesce(var.addons, {})), "eks-pod-identity-agent") || var.auto_mode != null
    error_message = "identities of addons need the add-on eks-pod-identity-agent, which hands out the credentials. Add it to addons."
  }

  validation {
    condition     = var.auto_mode == null || length(setintersection(keys(coalesce(var.addons, {})), ["aws-ebs-csi-driver", "coredns", "eks-node-monitoring-agent", "eks-pod-identity-agent", "kube-proxy", "vpc-cni"])) == 0
    error_message = "Auto Mode has aws-ebs-csi-driver, coredns, eks-node-monitoring-agent, eks-pod-identity-agent, kube-proxy and vpc-cni built in. Leave them out of addons."
  }

  validation {
    condition     = try(tonumber(split(".", var.addons["kube-proxy"].version)[1]) <= tonumber(split(".", var.cluster.version)[1]), true)
    error_message = "The add-on kube-proxy is newer than cluster.version. Upgrade the cluster first."
  }
}

variable "auto_mode" {
  description = <<-EOT
    Auto Mode: nodes, their network, load balancers and volumes are EKS's to run. null is none. `node_pools`: those of EKS that are switched on, general-purpose and system; pools of your own are objects of Kubernetes.
    A change to and from null is made in place; add-ons and node_groups that it replaces must go first.
  EOT
  type = object({
    node_pools = optional(list(string), ["general-purpose", "system"])
  })
  default = null

  validation {
    condition     = var.auto_mode == null || length(setsubtract(try(var.auto_mode.node_pools, []), ["general-purpose", "system"])) == 0
    error_message = "node_pools of auto_mode are general-purpose and system. Others are made in Kubernetes, as objects of the kind NodePool."
  }

  validation {
    condition     = var.auto_mode == null || length(var.node_groups) == 0
    error_message = "Auto Mode brings nodes itself, and replaces what those of node_groups need. Leave node_groups out, or auto_mode."
  }
}

variable "cluster" {
  description = <<-EOT
    `version`: of Kubernetes, such as 1.33; up by one minor version at a time. `verify_version`: whether AWS is asked at plan which versions it offers, and which the cluster runs.
    `support_type`: EXTENDED costs more after the standard support; STANDARD is upgraded by AWS at its end. `deletion_protection`: must be switched off, and applied, before a destroy.
    `log_types`: what the control plane records. `kms_key`: a key for secrets; null makes one. A change of it or of `service_ipv4_cidr`, the range of services, replaces the cluster.
    `oidc_provider`: whether IAM believes tokens of the cluster, which roles by IRSA need. `ip_family`: of pods and services, ipv4 or ipv6; ipv6 needs subnets with IPv6, and a change
    replaces the cluster. `hybrid_nodes`: machines of your own as nodes; null is none. `node_ranges` and `pod_ranges`: IPv4 ranges of the machines and of their pods, by names of your choice;
    `roles_anywhere`: they take their role by certificates of this trust anchor; null: by activations of Systems Manager.
  EOT
  type = object({
    deletion_protection = optional(bool, true)
    hybrid_nodes = optional(object({
      node_ranges    = map(string)
      pod_ranges     = optional(map(string), {})
      roles_anywhere = optional(object({ trust_anchor_arn = string }))
    }))
    ip_family         = optional(string, "ipv4")
    kms_key           = optional(object({ arn = string }))
    log_types         = optional(list(string), ["api", "audit", "authenticator", "controllerManager", "scheduler"])
    oidc_provider     = optional(bool, false)
    service_ipv4_cidr = optional(string)
    support_type      = optional(string, "EXTENDED")
    verify_version    = optional(bool, true)
    version           = string
  })
  nullable = false

  validation {
    condition     = can(regex("^1\\.[1-9][0-9]$", var.cluster.version))
    error_message = "cluster.version is a minor version of Kubernetes, such as \"1.33\": in quotes, without v and without a patch."
  }

  validation {
    condition     = contains(["EXTENDED", "STANDARD"], var.cluster.support_type)
    error_message = "cluster.support_type is EXTENDED or STANDARD."
  }

  validation {
    condition     = length(setsubtract(var.cluster.log_types, ["api", "audit", "authenticator", "controllerManager", "scheduler"])) == 0
    error_message = "cluster.log_types are api, audit, authenticator, controllerManager and scheduler."
  }

  validation {
    condition     = var.cluster.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.cluster.kms_key.arn))
    error_message = "cluster.kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }

  validation {
    condition = var.cluster.service_ipv4_cidr == null || (
      can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)[0-9.]+/(1[2-9]|2[0-4])$", var.cluster.service_ipv4_cidr)) &&
      can(cidrnetmask(var.cluster.service_ipv4_cidr))
    )
    error_message = "cluster.service_ipv4_cidr is a private range of /12 to /24, such as 172.20.0.0/16, that overlaps no network which the cluster reaches."
  }

  validation {
    condition     = contains(["ipv4", "ipv6"], var.cluster.ip_family)
    error_message = "cluster.ip_family is ipv4 or ipv6."
  }

  validation {
    condition     = var.cluster.ip_family != "ipv6" || var.cluster.service_ipv4_cidr == null
    error_message = "cluster.service_ipv4_cidr is for clusters of the family ipv4. With ipv6 AWS chooses the range of services; leave it out."
  }

  validation {
    condition     = var.cluster.ip_family != "ipv6" || var.cluster.hybrid_nodes == null
    error_message = "EKS takes hybrid nodes into clusters of the family ipv4 only. Leave cluster.hybrid_nodes out, or set ip_family = \"ipv4\"."
  }

  validation {
    condition     = var.cluster.hybrid_nodes == null || try(length(var.cluster.hybrid_nodes.node_ranges) >= 1 && length(var.cluster.hybrid_nodes.node_ranges) <= 15 && length(var.cluster.hybrid_nodes.pod_ranges) <= 15, false)
    error_message = "cluster.hybrid_nodes has 1 to 15 node_ranges, and up to 15 pod_ranges."
  }

  validation {
    condition = alltrue([for range in try(concat(values(var.cluster.hybrid_nodes.node_ranges), values(var.cluster.hybrid_nodes.pod_ranges)), []) :
    can(cidrnetmask(range)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.)", range))])
    error_message = "node_ranges and pod_ranges of cluster.hybrid_nodes are private IPv4 ranges (RFC 1918 or 100.64.0.0/10), such as 10.80.0.0/16."
  }

  validation {
    # Two ranges overlap where the shorter prefix makes them one.
    condition = alltrue(flatten([
      for ranges in [compact(concat(try(values(var.cluster.hybrid_nodes.node_ranges), []), try(values(var.cluster.hybrid_nodes.pod_ranges), []), [try(var.cluster.service_ipv4_cidr, null)]))] : [
        for i, one in ranges : [
          for j, other in ranges : i >= j || try(
            cidrhost("${split("/", one)[0]}/${min(split("/", one)[1], split("/", other)[1])}", 0) != cidrhost("${split("/", other)[0]}/${min(split("/", one)[1], split("/", other)[1])}", 0), true
          )
        ]
      ] if var.cluster.hybrid_nodes != null
    ]))
    error_message = "Two of node_ranges and pod_ranges of cluster.hybrid_nodes and cluster.service_ipv4_cidr overlap, and packets to one would go to the other. Give each a range of its own."
  }

  validation {
    condition     = try(var.cluster.hybrid_nodes.roles_anywhere, null) == null || can(regex("^arn:[a-z-]+:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/.+$", var.cluster.hybrid_nodes.roles_anywhere.trust_anchor_arn))
    error_message = "trust_anchor_arn of cluster.hybrid_nodes.roles_anywhere is that of a trust anchor (arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID)."
  }
}

variable "endpoint" {
  description = <<-EOT
    Who reaches the Kubernetes API; keys are names of your choice. It always answers inside of the VPC, to the nodes and to `private_ranges` and `private_security_group_ids`.
    `public_ranges`: also on the internet, to these; none closes it. A range shorter than /8 needs `open_to_the_world`.
  EOT
  type = object({
    open_to_the_world          = optional(bool, false)
    private_ranges             = optional(map(string), {})
    private_security_group_ids = optional(map(string), {})
    public_ranges              = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for range in concat(values(var.endpoint.public_ranges), values(var.endpoint.private_ranges)) : can(cidrnetmask(range))])
    error_message = "Each of endpoint.public_ranges and .private_ranges is an IPv4 range, such as 203.0.113.0/24."
  }

  validation {
    condition     = var.endpoint.open_to_the_world || alltrue([for range in values(var.endpoint.public_ranges) : try(tonumber(split("/", range)[1]) >= 8, true)])
    error_message = "endpoint.public_ranges opens the Kubernetes API to the world. Name the ranges of your offices and runners, or say open_to_the_world = true."
  }

  validation {
    condition     = alltrue([for range in values(var.endpoint.public_ranges) : !can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", range))])
    error_message = "A range of endpoint.public_ranges is private, and nobody comes from there over the internet; EKS refuses it. Put it into private_ranges."
  }

  validation {
    condition     = length(var.endpoint.public_ranges) <= 40
    error_message = "endpoint.public_ranges has at most 40 ranges."
  }
}

variable "fargate_profiles" {
  description = <<-EOT
    Pods that run on Fargate; keys are names of your choice. `selectors`: by names of your choice, which pods: those of `namespace`, in which * and ? stand for others, that have all `labels`.
    `subnet_ids`: private ones; null takes those of network. Another selector or subnet replaces a profile, and its pods begin anew.
  EOT
  type = map(object({
    selectors = map(object({
      labels    = optional(map(string), {})
      namespace = string
    }))
    subnet_ids = optional(list(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.fargate_profiles) : can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", name)) && !startswith(name, "eks-")])
    error_message = "Keys of fargate_profiles are 2 to 32 lower-case letters, digits and hyphens; they begin with a letter, and not with eks-, which AWS keeps."
  }

  validation {
    condition     = alltrue([for profile in values(var.fargate_profiles) : length(profile.selectors) >= 1 && length(profile.selectors) <= 5])
    error_message = "Each of fargate_profiles has 1 to 5 selectors. Make another profile for more."
  }

  validation {
    condition = alltrue(flatten([for profile in values(var.fargate_profiles) : [for selector in values(profile.selectors) :
    can(regex("^[a-z0-9*?]([a-z0-9*?-]{0,61}[a-z0-9*?])?$", selector.namespace)) && length(selector.labels) <= 5]]))
    error_message = "A selector of fargate_profiles has a namespace, in which * and ? stand for other characters, and at most 5 labels."
  }

  validation {
    condition     = alltrue([for profile in values(var.fargate_profiles) : profile.subnet_ids == null || try(length(profile.subnet_ids) > 0, false)])
    error_message = "subnet_ids of fargate_profiles has one subnet or more; leave it out for those of network."
  }
}

variable "identities" {
  description = <<-EOT
    Roles of pods; keys are names of your choice. Pods of `service_account` in `namespace` have the rights of `policies` (documents in JSON) and `policy_arns`, both by names of your choice.
    `method`: POD_IDENTITY, or IRSA for what does not know it (older SDKs, Fargate); then the service account is annotated with the ARN of the role, and cluster.oidc_provider is true.
  EOT
  type = map(object({
    method          = optional(string, "POD_IDENTITY")
    namespace       = string
    policies        = optional(map(string), {})
    policy_arns     = optional(map(string), {})
    service_account = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.identities) : can(regex("^[a-z][a-z0-9-]{0,25}[a-z0-9]$", name))])
    error_message = "Keys of identities are 2 to 27 lower-case letters, digits and hyphens; they begin with a letter and end with a letter or a digit."
  }

  validation {
    condition     = alltrue([for identity in values(var.identities) : contains(["IRSA", "POD_IDENTITY"], identity.method)])
    error_message = "method of identities is POD_IDENTITY or IRSA."
  }

  validation {
    condition     = alltrue(flatten([for identity in values(var.identities) : [for name in [identity.namespace, identity.service_account] : can(regex("^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$", name))]]))
    error_message = "namespace and service_account of identities are names in Kubernetes: lower-case letters, digits and hyphens. There are no wildcards; give each service account an entry."
  }

  validation {
    condition     = length(distinct([for identity in values(var.identities) : "${identity.namespace}/${identity.service_account}"])) == length(var.identities)
    error_message = "Two of identities are for one service account, which has one role. Put their policies together."
  }

  validation {
    condition     = alltrue([for identity in values(var.identities) : length(identity.policies) + length(identity.policy_arns) > 0])
    error_message = "Each of identities has policies, policy_arns, or both; without them the role may do nothing."
  }

  validation {
    condition     = alltrue(flatten([for identity in values(var.identities) : [for document in values(identity.policies) : can(jsondecode(document).Statement)]]))
    error_message = "policies of identities are documents of IAM in JSON, such as data.aws_iam_policy_document.NAME.json; for ARNs take policy_arns."
  }

  validation {
    condition     = alltrue(flatten([for identity in values(var.identities) : [for arn in values(identity.policy_arns) : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", arn))]]))
    error_message = "policy_arns of identities are ARNs of policies, such as arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess; for documents take policies."
  }

  validation {
    condition     = alltrue([for identity in values(var.identities) : identity.method != "POD_IDENTITY"]) || var.addons == null || contains(keys(coalesce(var.addons, {})), "eks-pod-identity-agent") || var.auto_mode != null
    error_message = "identities by POD_IDENTITY need the add-on eks-pod-identity-agent, which hands out the credentials. Add it to addons, or leave addons out."
  }

  validation {
    condition     = alltrue([for identity in values(var.identities) : identity.method != "IRSA"]) || var.cluster.oidc_provider
    error_message = "identities by IRSA need a provider that IAM believes. Set cluster.oidc_provider = true."
  }

  validation {
    condition = alltrue([for identity in values(var.identities) : identity.method != "POD_IDENTITY" || !contains(flatten([
      for profile in values(var.fargate_profiles) : [for selector in values(profile.selectors) : selector.namespace if length(selector.labels) == 0]
    ]), identity.namespace)])
    error_message = "One of identities by POD_IDENTITY is for a namespace whose pods fargate_profiles puts on Fargate, where no agent hands out credentials. Set its method = \"IRSA\", with cluster.oidc_provider = true."
  }
}

variable "logging" {
  description = "Log groups made by this module. `retention_days`: how long CloudWatch keeps records. `kms_key_arn`: a key whose policy admits logs.REGION.amazonaws.com; null leaves encryption to CloudWatch's own key."
  type = object({
    kms_key_arn    = optional(string)
    retention_days = optional(number, 365)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.logging.retention_days)
    error_message = "logging.retention_days is one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }

  validation {
    condition     = var.logging.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.logging.kms_key_arn))
    error_message = "logging.kms_key_arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }
}

variable "name" {
  description = "Name of the cluster and beginning of the names of what belongs to it: 3 to 32 lower-case letters, digits and hyphens. A change replaces the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name is 3 to 32 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "network" {
  description = "Where it stands: the VPC, and a subnet in each of two or more zones, for the control plane's interfaces and the nodes; modules/vpc gives it as networks.private."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
  nullable = false

  validation {
    condition     = length(var.network.subnet_ids) >= 2
    error_message = "network.subnet_ids holds two subnets or more, in different zones: EKS refuses fewer."
  }

  validation {
    condition     = length(distinct(var.network.subnet_ids)) == length(var.network.subnet_ids)
    error_message = "network.subnet_ids holds a subnet twice."
  }
}

variable "node_groups" {
  description = <<-EOT
    Managed node groups; keys are names of your choice. `ami_type`: of AL2023 or Bottlerocket; for GPUs one with NVIDIA, for Inferentia and Trainium AL2023_x86_64_NEURON.
    `min_size`, `max_size`; `desired_size`: at the beginning only (null: min_size), later an autoscaler's. `subnet_ids`: null takes those of network. `disk_gib`: encrypted.
    `capacity_type`: ON_DEMAND, SPOT or CAPACITY_BLOCK; `capacity_reservation`: a reservation or block by id. `repair`: whether EKS replaces sick nodes. `max_unavailable_percentage`: during an update.
    `taints` by key, `effect` NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE; null is nvidia.com/gpu=true for GPUs and none for others.
    `version`: of Kubernetes, at most three minor versions behind the cluster's; null is the cluster's. `release_version`: of the AMI; null takes the newest when the version is changed.
  EOT
  type = map(object({
    ami_type                   = optional(string, "AL2023_x86_64_STANDARD")
    capacity_reservation       = optional(object({ id = string }))
    capacity_type              = optional(string, "ON_DEMAND")
    desired_size               = optional(number)
    disk_gib                   = optional(number, 100)
    instance_types             = list(string)
    labels                     = optional(map(string), {})
    max_size                   = number
    max_unavailable_percentage = optional(number, 33)
    min_size                   = optional(number, 1)
    release_version            = optional(string)
    repair                     = optional(bool, true)
    subnet_ids                 = optional(list(string))
    taints                     = optional(map(object({ effect = string, value = optional(string) })))
    version                    = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.node_groups) : can(regex("^[a-z][a-z0-9-]{0,28}[a-z0-9]$", name))])
    error_message = "Keys of node_groups are 2 to 30 lower-case letters, digits and hyphens; they begin with a letter and end with a letter or a digit."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.min_size >= 0 && group.max_size >= 1 && alltrue([for size in [group.min_size, group.max_size, coalesce(group.desired_size, 0)] : floor(size) == size])])
    error_message = "Sizes of node_groups are whole numbers: min_size 0 or more, max_size 1 or more."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.min_size <= group.max_size])
    error_message = "min_size of one of node_groups is larger than its max_size. Exchange them."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.desired_size == null || try(group.desired_size >= group.min_size && group.desired_size <= group.max_size, false)])
    error_message = "desired_size of one of node_groups is not between its min_size and max_size."
  }

  validation {
    condition = alltrue([for group in values(var.node_groups) : contains([
      "AL2023_ARM_64_NVIDIA", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NEURON", "AL2023_x86_64_NVIDIA", "AL2023_x86_64_STANDARD",
      "BOTTLEROCKET_ARM_64", "BOTTLEROCKET_ARM_64_FIPS", "BOTTLEROCKET_ARM_64_NVIDIA", "BOTTLEROCKET_x86_64", "BOTTLEROCKET_x86_64_FIPS", "BOTTLEROCKET_x86_64_NVIDIA",
    ], group.ami_type)])
    error_message = "ami_type of node_groups is of AL2023 or Bottlerocket, such as AL2023_x86_64_STANDARD or AL2023_x86_64_NVIDIA. AL2 has ended, and Windows and custom images are not for model servers."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : length(group.instance_types) > 0 && alltrue([for type in group.instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", type))])])
    error_message = "instance_types of node_groups has one or more types, such as m7i.xlarge."
  }

  validation {
    condition     = alltrue([for type in flatten(values(var.node_groups)[*].instance_types) : !startswith(type, "g4ad.")])
    error_message = "g4ad has GPUs of AMD, for which EKS has no AMI. Take a type with GPUs of NVIDIA, such as g6.xlarge."
  }

  validation {
    condition = alltrue(flatten([for group in values(var.node_groups) : [for type in group.instance_types :
      strcontains(group.ami_type, "_NVIDIA") || !can(regex("^(p[2-9]|g[2-9]|gr[6-9])[a-z]*(-[a-z0-9]+)?\\.", type)) || startswith(type, "g4ad.")
    ]]))
    error_message = "A type of instance_types has GPUs, and the ami_type of its group has no driver for them. Take AL2023_x86_64_NVIDIA or BOTTLEROCKET_x86_64_NVIDIA, or AL2023_ARM_64_NVIDIA for g5g and p6e-gb200."
  }

  validation {
    condition = alltrue(flatten([for group in values(var.node_groups) : [for type in group.instance_types :
      !strcontains(group.ami_type, "_NVIDIA") || can(regex("^(p[2-9]|g[2-9]|gr[6-9])[a-z]*(-[a-z0-9]+)?\\.", type))
    ]]))
    error_message = "ami_type of one of node_groups is for GPUs of NVIDIA, and a type of its instance_types has none. Take AL2023_x86_64_STANDARD, or types with GPUs, in a group of their own."
  }

  validation {
    condition = alltrue(flatten([for group in values(var.node_groups) : [for type in group.instance_types :
      (group.ami_type == "AL2023_x86_64_NEURON") == can(regex("^(inf|trn)[0-9]", type))
    ]]))
    error_message = "Inferentia and Trainium (inf, trn) need ami_type = \"AL2023_x86_64_NEURON\", and nothing else may have it."
  }

  validation {
    condition = alltrue(flatten([for group in values(var.node_groups) : [for type in group.instance_types :
      strcontains(group.ami_type, "_ARM_64") == can(regex("^(a1|[a-z]+[0-9]+g[a-z]*|[a-z0-9]+-gb[0-9]+)\\.", type))
    ]]))
    error_message = "ami_type of one of node_groups is for another processor than a type of its instance_types has: Graviton (m7g, c8g, g5g) and p6e-gb200 need one with ARM_64, others one with x86_64."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : contains(["CAPACITY_BLOCK", "ON_DEMAND", "SPOT"], group.capacity_type)])
    error_message = "capacity_type of node_groups is ON_DEMAND, SPOT or CAPACITY_BLOCK."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.capacity_type != "CAPACITY_BLOCK" || (group.capacity_reservation != null && length(group.instance_types) == 1)])
    error_message = "A group of node_groups with CAPACITY_BLOCK has a capacity_reservation, the block's, and one of instance_types."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.capacity_type != "SPOT" || group.capacity_reservation == null])
    error_message = "A group of node_groups with SPOT cannot have a capacity_reservation, which is for ON_DEMAND and CAPACITY_BLOCK."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.capacity_reservation == null || can(regex("^cr-[0-9a-f]+$", group.capacity_reservation.id))])
    error_message = "capacity_reservation.id of node_groups is that of a reservation, such as cr-0a1b2c3d4e5f60718."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.disk_gib >= 20 && group.disk_gib <= 16384 && floor(group.disk_gib) == group.disk_gib])
    error_message = "disk_gib of node_groups is a whole number from 20 to 16384."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.max_unavailable_percentage >= 1 && group.max_unavailable_percentage <= 100])
    error_message = "max_unavailable_percentage of node_groups is from 1 to 100."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.subnet_ids == null || try(length(group.subnet_ids) > 0, false)])
    error_message = "subnet_ids of node_groups has one subnet or more; leave it out for those of network."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : alltrue([for taint in values(coalesce(group.taints, {})) : contains(["NO_EXECUTE", "NO_SCHEDULE", "PREFER_NO_SCHEDULE"], taint.effect)])])
    error_message = "effect of taints is NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE."
  }

  validation {
    condition = alltrue([for group in values(var.node_groups) : group.version == null || try(
      contains([0, 1, 2, 3], tonumber(split(".", var.cluster.version)[1]) - tonumber(regex("^1\\.([1-9][0-9])$", group.version)[0])), false
    )])
    error_message = "version of node_groups is a minor version of Kubernetes, such as \"1.33\", not newer than cluster.version and at most three behind it."
  }
}

variable "tags" {
  description = "Tags of everything that this module makes. Up to 40; keys that begin with aws: are reserved."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 40 && alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:") && length(key) <= 128])
    error_message = "tags has at most 40 entries, whose keys have at most 128 characters and do not begin with aws:."
  }
}
