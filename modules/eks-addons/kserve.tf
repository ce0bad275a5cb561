locals {
  kserve = { for key in ["kserve"] : key => var.addons.kserve if var.addons.kserve != null }
}

resource "helm_release" "kserve_crd" {
  for_each = local.kserve

  name             = "kserve-crd"
  repository       = "oci://ghcr.io/kserve/charts"
  chart            = "kserve-crd"
  version          = each.value.version
  namespace        = "kserve"
  create_namespace = true
  atomic           = true
  cleanup_on_fail  = true
  max_history      = var.releases.max_history
  timeout          = var.releases.timeout_seconds
  wait             = true

  # What it asks of others (certificates, load balancers, scaling) is there first, and outlives it.
  depends_on = [
    helm_release.addon,
    helm_release.load_balancer_controller,
  ]
}

resource "helm_release" "kserve" {
  for_each = local.kserve

  name             = "kserve"
  repository       = "oci://ghcr.io/kserve/charts"
  chart            = "kserve-resources"
  version          = each.value.version
  namespace        = helm_release.kserve_crd[each.key].namespace
  create_namespace = false
  atomic           = true
  cleanup_on_fail  = true
  max_history      = var.releases.max_history
  timeout          = var.releases.timeout_seconds
  wait             = true

  # Standard is plain Deployments, without Knative and Istio.
  values = concat([yamlencode({
    kserve = {
      controller = {
        deploymentMode = "Standard"
        gateway = merge(
          { disableIngressCreation = each.value.ingress == null, disableIstioVirtualHost = true },
          { for key, ingress in { ingress = each.value.ingress } : "domain" => ingress.domain if ingress != null },
          { for key, ingress in { ingress = each.value.ingress } : "ingressGateway" => { className = ingress.class } if ingress != null },
        )
      }
    }
  })], each.value.values)
}

# What runs models of each format. The webhook that judges them is the controller's.
resource "helm_release" "kserve_runtimes" {
  for_each = local.kserve

  name             = "kserve-runtime-configs"
  repository       = "oci://ghcr.io/kserve/charts"
  chart            = "kserve-runtime-configs"
  version          = each.value.version
  namespace        = helm_release.kserve[each.key].namespace
  create_namespace = false
  atomic           = true
  cleanup_on_fail  = true
  max_history      = var.releases.max_history
  timeout          = var.releases.timeout_seconds
  wait             = true

  values = [yamlencode({ kserve = { llmisvcConfigs = { enabled = false }, servingruntime = { enabled = true } } })]
}
