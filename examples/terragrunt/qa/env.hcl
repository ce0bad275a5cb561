# What is qa's own.
locals {
  account_id  = "222222222222"
  environment = "qa"
  protected   = false

  cidr  = "10.21.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]

  https = null

  models = {
    digits = { description = "Hand-written digits", file = "digits-v2.onnx", min_accuracy = 0.95, accuracy = 0.981 }
  }
}
