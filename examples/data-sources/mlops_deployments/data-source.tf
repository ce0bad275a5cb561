data "mlops_deployments" "fraud" {
  name = "fraud"
}

output "last" {
  value = one(slice(data.mlops_deployments.fraud.deployments, 0, 1))
}
