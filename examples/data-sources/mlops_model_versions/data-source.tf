data "mlops_model_versions" "live" {
  model  = "fraud"
  status = "active"
}

output "numbers" {
  value = data.mlops_model_versions.live.versions[*].version
}
