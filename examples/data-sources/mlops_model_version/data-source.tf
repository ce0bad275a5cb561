# What an alias points to, whoever moved it.
data "mlops_model_version" "champion" {
  model = "fraud"
  alias = "champion"
}

# The best version that is neither archived nor rejected.
data "mlops_model_version" "best" {
  model  = "fraud"
  select = { metric = "auc", order = "maximize" }
}
