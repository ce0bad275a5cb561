resource "mlops_model" "fraud" {
  name        = "fraud"
  description = "Scores how likely a payment is fraud."
  owner       = "risk-team"
  task        = "classification"

  metrics = {
    auc        = { goal = "maximize", min = 0, max = 1 }
    latency_ms = { goal = "minimize", unit = "ms" }
  }

  promotion {
    gates = {
      auc        = { baseline = "champion", min_delta = 0 }
      latency_ms = { max = 20, on_missing = "warn" }
    }
  }

  tags = { team = "risk" }
}
