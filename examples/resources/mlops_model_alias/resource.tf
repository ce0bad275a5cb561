resource "mlops_model" "fraud" {
  name = "fraud"
}

resource "mlops_model_version" "fraud" {
  model  = mlops_model.fraud.name
  source = "${path.module}/fraud.onnx"
}

# Terraform owns where it points.
resource "mlops_model_alias" "champion" {
  model   = mlops_model.fraud.name
  name    = "champion"
  version = mlops_model_version.fraud.version
}

# A pipeline moves it later; Terraform owns the alias and its rules only.
resource "mlops_model_alias" "candidate" {
  model           = mlops_model.fraud.name
  name            = "candidate"
  initial_version = mlops_model_version.fraud.version
}
