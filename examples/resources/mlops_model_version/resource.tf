resource "mlops_model" "fraud" {
  name    = "fraud"
  metrics = { auc = { goal = "maximize" } }
}

resource "mlops_model_version" "fraud" {
  model    = mlops_model.fraud.name
  source   = "${path.module}/fraud.onnx"
  metrics  = { auc = 0.93 }
  params   = { max_depth = "6" }
  gate_for = ["champion"]

  lineage = {
    git_repo   = "https://example.com/risk/fraud.git"
    git_commit = "4f2c1d9"
    datasets   = { train = "payments-2026-10" }
  }

  # The new version is registered before the old one is archived.
  lifecycle {
    create_before_destroy = true
  }
}
