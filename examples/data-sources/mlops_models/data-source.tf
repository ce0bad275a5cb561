data "mlops_models" "risk" {
  tags = { team = "risk" }
}

output "names" {
  value = data.mlops_models.risk.names
}
