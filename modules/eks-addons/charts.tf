locals {
  region = split(":", var.cluster.arn)[3]

  # Where charts come from, and what of their values is this module's. Those with an identity have its service account here, so that the two agree.
  _charts = {
    aws_efs_csi_driver = {
      repository = "https://kubernetes-sigs.github.io/aws-efs-csi-driver/"
      chart      = "aws-efs-csi-driver"
      namespace  = "kube-system"
      values     = { controller = { serviceAccount = { create = true, name = "efs-csi-controller-sa" } } }
    }
    cert_manager = {
      repository = "https://charts.jetstack.io"
      chart      = "cert-manager"
      namespace  = "cert-manager"
      # Without keep, to uninstall would delete all certificates.
      values = { crds = { enabled = true, keep = true }, serviceAccount = { create = true, name = "cert-manager" } }
    }
    external_dns = {
      repository = "https://kubernetes-sigs.github.io/external-dns/"
      chart      = "external-dns"
      namespace  = "external-dns"
      values = {
        extraArgs      = [for zone in sort(values(local.record_zones)) : "--zone-id-filter=${split("/", zone)[1]}"]
        policy         = try(var.addons.external_dns.policy, null)
        provider       = { name = "aws" }
        registry       = "txt"
        serviceAccount = { create = true, name = "external-dns" }
        sources        = ["service", "ingress"]
        # Whose a record is, where clusters share a zone.
        txtOwnerId = var.cluster.name
      }
    }
    external_secrets = {
      repository = "https://charts.external-secrets.io"
      chart      = "external-secrets"
      namespace  = "external-secrets"
      values     = { installCRDs = true, serviceAccount = { create = true, name = "external-secrets" } }
    }
    ingress_nginx = {
      repository = "https://kubernetes.github.io/ingress-nginx"
      chart      = "ingress-nginx"
      namespace  = "ingress-nginx"
      values = {
        controller = {
          replicaCount = 2
          service = {
            annotations = {
              "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type" = "ip"
              "service.beta.kubernetes.io/aws-load-balancer-scheme"          = try(var.addons.ingress_nginx.scheme, null)
            }
            loadBalancerClass = try(var.addons.ingress_nginx.load_balancer_class, null)
            type              = "LoadBalancer"
          }
        }
      }
    }
    keda = {
      repository = "https://kedacore.github.io/charts"
      chart      = "keda"
      namespace  = "keda"
      values     = { serviceAccount = { operator = { create = true, name = "keda-operator" } } }
    }
    metrics_server = {
      repository = "https://kubernetes-sigs.github.io/metrics-server/"
      chart      = "metrics-server"
      namespace  = "kube-system"
      values     = { podDisruptionBudget = { enabled = true, minAvailable = 1 }, replicas = 2 }
    }
    # Its own rule is the label nvidia.com/gpu.present, which modules/eks gives to nodes with GPUs.
    nvidia_device_plugin = {
      repository = "https://nvidia.github.io/k8s-device-plugin"
      chart      = "nvidia-device-plugin"
      namespace  = "nvidia-device-plugin"
      values     = {}
    }
  }

  charts = { for name, chart in local._charts : name => chart if var.addons[name] != null }

  controller = { for key in ["aws_load_balancer_controller"] : key => var.addons.aws_load_balancer_controller if var.addons.aws_load_balancer_controller != null }
}

# First, and last to go: it is asked about each service that is made, and takes the load balancers away.
resource "helm_release" "load_balancer_controller" {
  for_each = local.controller

  name             = "aws-load-balancer-controller"
  repository       = "https://aws.github.io/eks-charts"
  chart            = "aws-load-balancer-controller"
  version          = each.value.version
  namespace        = "kube-system"
  create_namespace = false
  atomic           = true
  cleanup_on_fail  = true
  max_history      = var.releases.max_history
  timeout          = var.releases.timeout_seconds
  wait             = true

  # Region and VPC are named, since nodes of modules/eks do not answer pods that ask for them.
  values = concat([yamlencode({
    clusterName    = var.cluster.name
    region         = local.region
    serviceAccount = { create = true, name = "aws-load-balancer-controller" }
    vpcId          = each.value.vpc_id
  })], each.value.values)

  depends_on = [
    aws_eks_pod_identity_association.this,
    aws_iam_role_policy.this,
  ]
}

resource "helm_release" "addon" {
  for_each = local.charts

  name             = each.value.chart
  repository       = each.value.repository
  chart            = each.value.chart
  version          = var.addons[each.key].version
  namespace        = each.value.namespace
  create_namespace = each.value.namespace != "kube-system"
  atomic           = true
  cleanup_on_fail  = true
  max_history      = var.releases.max_history
  timeout          = var.releases.timeout_seconds
  wait             = true
  wait_for_jobs    = true

  values = concat([yamlencode(each.value.values)], var.addons[each.key].values)

  depends_on = [
    aws_eks_pod_identity_association.this,
    aws_iam_role_policy.this,
    helm_release.load_balancer_controller,
  ]
}
