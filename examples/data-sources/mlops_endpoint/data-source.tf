data "mlops_endpoint" "fraud" {
  name = "fraud"
}

output "url" {
  value = data.mlops_endpoint.fraud.invoke_url
}
