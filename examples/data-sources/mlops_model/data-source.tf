data "mlops_model" "fraud" {
  name = "fraud"
}

output "champion" {
  value = data.mlops_model.fraud.aliases["champion"]
}
