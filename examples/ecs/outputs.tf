output "invoke_url" {
  description = "Where the endpoint answers; the Open Inference Protocol lies under /v2."
  value       = mlops_endpoint.digits.invoke_url
}

output "registered" {
  description = "The version that this configuration registered."
  value       = mlops_model_version.digits.version
}

output "champion" {
  description = "The version that proved itself."
  value       = mlops_model_alias.champion.version
}
