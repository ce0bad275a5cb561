output "namespaces" {
  description = "Namespace of each of addons by its name, known only when it, and those that it needs, are ready."
  value = merge(
    { for name, release in helm_release.load_balancer_controller : name => release.namespace },
    { for name, release in helm_release.addon : name => release.namespace },
    { for name, release in helm_release.kserve : name => release.namespace },
  )

  depends_on = [
    helm_release.addon,
    helm_release.kserve_runtimes,
    helm_release.load_balancer_controller,
  ]
}

output "roles" {
  description = "Of each of addons that calls AWS, by its name: arn and name of its role, for policies of your own."
  value       = { for name, role in aws_iam_role.this : name => { arn = role.arn, name = role.name } }
}

output "versions" {
  description = "Version of the chart of each of addons by its name."
  value       = { for name, addon in var.addons : name => addon.version if addon != null }
}
