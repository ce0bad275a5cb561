# What is planned, and what is there after an apply.

provider "aws" {
  region = "eu-west-1"
}

provider "helm" {}

variables {
  name    = "serving"
  cluster = { arn = "arn:aws:eks:eu-west-1:123456789012:cluster/serving", name = "serving" }
  addons  = { metrics_server = {} }
}

run "one_without_aws_has_no_role" {
  command = apply

  assert {
    condition     = helm_release.addon["metrics_server"].atomic && helm_release.addon["metrics_server"].wait && helm_release.addon["metrics_server"].timeout == 600 && helm_release.addon["metrics_server"].max_history == 5
    error_message = "What is not ready stays."
  }

  assert {
    condition     = helm_release.addon["metrics_server"].chart == "metrics-server" && helm_release.addon["metrics_server"].version == "3.13.1" && helm_release.addon["metrics_server"].namespace == "kube-system" && !helm_release.addon["metrics_server"].create_namespace
    error_message = "The chart is not the one that is pinned, or is elsewhere."
  }

  assert {
    condition     = length(helm_release.load_balancer_controller) + length(helm_release.kserve) + length(helm_release.kserve_crd) + length(helm_release.kserve_runtimes) == 0 && keys(helm_release.addon) == ["metrics_server"]
    error_message = "Something is installed that nobody asked for."
  }

  assert {
    condition     = length(aws_iam_role.this) + length(aws_eks_pod_identity_association.this) == 0 && length(output.roles) == 0
    error_message = "There is a role that nothing needs."
  }

  assert {
    condition     = output.namespaces == { metrics_server = "kube-system" } && output.versions == { metrics_server = "3.13.1" }
    error_message = "The outputs are not those of what was installed."
  }
}

run "the_controller_of_load_balancers_may_change_its_own_only" {
  command = apply
  variables {
    addons = { aws_load_balancer_controller = { vpc_id = "vpc-0a1b2c3d", values = [yamlencode({ replicaCount = 3 })] } }
  }

  assert {
    condition = yamldecode(helm_release.load_balancer_controller["aws_load_balancer_controller"].values[0]) == {
      clusterName    = "serving"
      region         = "eu-west-1"
      serviceAccount = { create = true, name = "aws-load-balancer-controller" }
      vpcId          = "vpc-0a1b2c3d"
    } && yamldecode(helm_release.load_balancer_controller["aws_load_balancer_controller"].values[1]).replicaCount == 3
    error_message = "The controller asks its node, which does not answer, or lacks the user's values."
  }

  assert {
    condition     = aws_eks_pod_identity_association.this["aws_load_balancer_controller"].service_account == "aws-load-balancer-controller" && aws_eks_pod_identity_association.this["aws_load_balancer_controller"].namespace == "kube-system" && aws_eks_pod_identity_association.this["aws_load_balancer_controller"].role_arn == output.roles["aws_load_balancer_controller"].arn
    error_message = "The role is not the controller's."
  }

  assert {
    condition = jsondecode(aws_iam_role.this["aws_load_balancer_controller"].assume_role_policy).Statement[0].Principal.Service == "pods.eks.amazonaws.com" && jsondecode(aws_iam_role.this["aws_load_balancer_controller"].assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:RequestTag/eks-cluster-arn"            = "arn:aws:eks:eu-west-1:123456789012:cluster/serving"
      "aws:RequestTag/kubernetes-namespace"       = "kube-system"
      "aws:RequestTag/kubernetes-service-account" = "aws-load-balancer-controller"
    }
    error_message = "Other pods may take the role."
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this["aws_load_balancer_controller/load-balancers"].policy).Statement :
    statement.Condition.StringEquals["aws:ResourceTag/elbv2.k8s.aws/cluster"] == "serving" if contains(["DeleteOwnGroups", "ModifyOwn", "TagOwn", "TagOwnGroups"], statement.Sid)])
    error_message = "It may change load balancers of others."
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this["aws_load_balancer_controller/load-balancers"].policy).Statement :
    contains(["Attach", "CreateOwn", "Describe", "ServiceLinkedRole"], statement.Sid) if statement.Resource == "*"])
    error_message = "A right reaches further than it must."
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this["aws_load_balancer_controller/load-balancers"].policy).Statement :
    statement.Condition.ArnEquals["ec2:Vpc"] == "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0a1b2c3d" if statement.Sid == "Rules"])
    error_message = "It may open security groups of other networks."
  }
}

run "names_and_certificates_are_of_the_zones_that_were_given" {
  command = apply
  variables {
    addons = {
      cert_manager = { zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" } }
      external_dns = { zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ", other = "arn:aws:route53:::hostedzone/Z1123456789ABCDEFGHIJ" } }
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this["cert_manager/challenges"].policy).Statement[0].Resource == "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" && jsondecode(aws_iam_role_policy.this["cert_manager/challenges"].policy).Statement[0].Condition["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsRecordTypes"] == "TXT" && jsondecode(aws_iam_role_policy.this["cert_manager/challenges"].policy).Statement[0].Condition["ForAllValues:StringLike"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"] == "_acme-challenge.*"
    error_message = "cert-manager may write more than challenges, or elsewhere."
  }

  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.this["external_dns/records"].policy).Statement[0].Resource) == toset(["arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ", "arn:aws:route53:::hostedzone/Z1123456789ABCDEFGHIJ"]) && jsondecode(aws_iam_role_policy.this["external_dns/records"].policy).Statement[1].Action == "route53:ListHostedZones"
    error_message = "external-dns may write into other zones."
  }

  assert {
    condition     = yamldecode(helm_release.addon["external_dns"].values[0]).extraArgs == ["--zone-id-filter=Z0123456789ABCDEFGHIJ", "--zone-id-filter=Z1123456789ABCDEFGHIJ"] && yamldecode(helm_release.addon["external_dns"].values[0]).policy == "upsert-only" && yamldecode(helm_release.addon["external_dns"].values[0]).txtOwnerId == "serving"
    error_message = "external-dns looks at other zones, deletes records, or says not whose they are."
  }

  assert {
    condition     = yamldecode(helm_release.addon["cert_manager"].values[0]).crds.keep && helm_release.addon["cert_manager"].create_namespace && aws_eks_pod_identity_association.this["cert_manager"].namespace == helm_release.addon["cert_manager"].namespace
    error_message = "Certificates go with the chart, or its role is elsewhere."
  }
}

run "cert_manager_without_zones_calls_no_aws" {
  command = plan
  variables {
    addons = { cert_manager = {}, keda = {} }
  }

  assert {
    condition     = length(aws_iam_role.this) == 0 && keys(helm_release.addon) == ["cert_manager", "keda"]
    error_message = "There is a role that nothing needs."
  }
}

run "secrets_are_read_by_name_and_decrypted_for_that_alone" {
  command = apply
  variables {
    addons = {
      external_secrets = {
        kms_key_arns   = { secrets = "arn:aws:kms:eu-west-1:123456789012:key/1" }
        parameter_arns = { serving = "arn:aws:ssm:eu-west-1:123456789012:parameter/serving/*" }
        secret_arns    = { serving = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:serving/*" }
      }
    }
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this["external_secrets/secrets"].policy).Statement : statement.Sid => statement.Resource } == {
      Keys       = "arn:aws:kms:eu-west-1:123456789012:key/1"
      Parameters = "arn:aws:ssm:eu-west-1:123456789012:parameter/serving/*"
      Secrets    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:serving/*"
    }
    error_message = "It reads other secrets than those that were given."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this["external_secrets/secrets"].policy).Statement[2].Condition.StringLike["kms:ViaService"] != null
    error_message = "The keys decrypt other things too."
  }
}

run "volumes_are_made_in_the_file_systems_that_were_given" {
  command = apply
  variables {
    addons = {
      aws_efs_csi_driver = { file_system_arns = { models = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0a1b2c3d" } }
      keda               = { policies = { queues = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sqs:GetQueueAttributes", Resource = "arn:aws:sqs:eu-west-1:123456789012:serving" }] }) } }
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this["aws_efs_csi_driver/volumes"].policy).Statement[1].Resource == "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0a1b2c3d" && jsondecode(aws_iam_role_policy.this["aws_efs_csi_driver/volumes"].policy).Statement[3].Condition.Null["aws:ResourceTag/efs.csi.aws.com/cluster"] == "false"
    error_message = "The driver makes access points elsewhere, or deletes those of others."
  }

  assert {
    condition     = yamldecode(helm_release.addon["aws_efs_csi_driver"].values[0]).controller.serviceAccount.name == aws_eks_pod_identity_association.this["aws_efs_csi_driver"].service_account
    error_message = "The driver runs without its role."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this["keda/queues"].policy).Statement[0].Action == "sqs:GetQueueAttributes" && aws_eks_pod_identity_association.this["keda"].service_account == yamldecode(helm_release.addon["keda"].values[0]).serviceAccount.operator.name
    error_message = "Scalers do not read what they were given."
  }
}

run "all_of_them_agree_with_one_another" {
  command = apply
  variables {
    addons = {
      aws_efs_csi_driver           = {}
      aws_load_balancer_controller = { vpc_id = "vpc-0a1b2c3d" }
      cert_manager                 = {}
      external_dns                 = { zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" } }
      external_secrets             = { secret_arns = { serving = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:serving/*" } }
      ingress_nginx                = { scheme = "internet-facing" }
      keda                         = {}
      kserve                       = { ingress = { class = "nginx", domain = "models.example.com" } }
      metrics_server               = {}
      nvidia_device_plugin         = { version = "0.18.2" }
    }
    releases = { timeout_seconds = 900, max_history = 3 }
    tags     = { team = "ml" }
  }

  assert {
    condition     = yamldecode(helm_release.addon["ingress_nginx"].values[0]).controller.service.loadBalancerClass == "service.k8s.aws/nlb" && yamldecode(helm_release.addon["ingress_nginx"].values[0]).controller.service.annotations["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internet-facing"
    error_message = "nginx has another load balancer than it was to have."
  }

  assert {
    condition = yamldecode(helm_release.kserve["kserve"].values[0]).kserve.controller == {
      deploymentMode = "Standard"
      gateway        = { disableIngressCreation = false, disableIstioVirtualHost = true, domain = "models.example.com", ingressGateway = { className = "nginx" } }
    }
    error_message = "KServe needs Knative, or answers under another name."
  }

  assert {
    condition     = helm_release.kserve_crd["kserve"].version == "v0.19.0" && helm_release.kserve["kserve"].version == "v0.19.0" && helm_release.kserve_runtimes["kserve"].version == "v0.19.0" && yamldecode(helm_release.kserve_runtimes["kserve"].values[0]).kserve.servingruntime.enabled
    error_message = "The parts of KServe are of several versions, or without runtimes."
  }

  assert {
    condition     = helm_release.addon["nvidia_device_plugin"].version == "0.18.2" && output.versions["nvidia_device_plugin"] == "0.18.2" && length(output.namespaces) == 10
    error_message = "The version is not the one that was asked for, or one is missing."
  }

  assert {
    condition     = alltrue([for release in concat(values(helm_release.addon), values(helm_release.load_balancer_controller), values(helm_release.kserve), values(helm_release.kserve_crd), values(helm_release.kserve_runtimes)) : release.atomic && release.wait && release.timeout == 900 && release.max_history == 3])
    error_message = "One of them is not waited for."
  }

  assert {
    condition     = keys(output.roles) == ["aws_efs_csi_driver", "aws_load_balancer_controller", "external_dns", "external_secrets"] && alltrue([for role in values(aws_iam_role.this) : role.tags["team"] == "ml"])
    error_message = "A role is missing, is too many, or has no tags."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this["aws_efs_csi_driver/volumes"].policy).Statement[1].Resource == "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/*"
    error_message = "Without file systems the driver is not limited to the account."
  }
}

run "kserve_without_an_ingress_is_inside_of_the_cluster" {
  command = plan
  variables {
    addons  = { kserve = {} }
    cluster = { addons = { cert-manager = "v1.19.1-eksbuild.1" }, arn = "arn:aws:eks:eu-west-1:123456789012:cluster/serving", name = "serving" }
  }

  assert {
    condition     = yamldecode(helm_release.kserve["kserve"].values[0]).kserve.controller.gateway == { disableIngressCreation = true, disableIstioVirtualHost = true }
    error_message = "Models are open to somebody."
  }
}

run "nginx_with_auto_mode_needs_no_controller" {
  command = plan
  variables {
    addons = { ingress_nginx = { load_balancer_class = "eks.amazonaws.com/nlb" } }
  }

  assert {
    condition     = yamldecode(helm_release.addon["ingress_nginx"].values[0]).controller.service.loadBalancerClass == "eks.amazonaws.com/nlb" && length(helm_release.load_balancer_controller) == 0
    error_message = "Auto Mode does not make its load balancer."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.versions["external_dns"] == "1.21.1"
    error_message = "What is known is lost."
  }
}
