# What is dev's own.
locals {
  account_id  = "111111111111"
  environment = "dev"
  protected   = false

  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]

  https = null

  models = {
    digits = { description = "Hand-written digits", file = "digits-v2.onnx", min_accuracy = 0.9, accuracy = 0.981 }
  }
}
