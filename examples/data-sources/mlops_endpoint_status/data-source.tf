data "mlops_endpoint_status" "fraud" {
  name = "fraud"
}

check "fraud_is_healthy" {
  assert {
    condition     = data.mlops_endpoint_status.fraud.healthy
    error_message = "The endpoint does not serve what was deployed."
  }
}
