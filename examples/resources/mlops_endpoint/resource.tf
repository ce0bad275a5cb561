resource "mlops_model" "fraud" {
  name = "fraud"
}

resource "mlops_model_version" "fraud" {
  model  = mlops_model.fraud.name
  source = "${path.module}/fraud.onnx"

  lifecycle {
    create_before_destroy = true
  }
}

resource "mlops_endpoint" "fraud" {
  name = "fraud"

  variants = {
    main = {
      model         = mlops_model.fraud.name
      model_version = mlops_model_version.fraud.version
      traffic       = 100
    }
  }

  local {
    port_range = "18080-18180"
  }

  rollout {
    strategy = "CANARY"
    steps = [
      { traffic = 10, bake = "1m" },
      { traffic = 50, bake = "1m" },
      { traffic = 100 },
    ]
    analysis = {
      errors  = { source = "server", query = "error_rate", condition = "result < 0.02" }
      latency = { source = "server", query = "latency_p99", condition = "result <= baseline * 1.5", failure_limit = 2 }
    }
  }
}

# Promoted after the endpoint has proved the version.
resource "mlops_model_alias" "champion" {
  model   = mlops_model.fraud.name
  name    = "champion"
  version = mlops_endpoint.fraud.target_versions["main"]
}
