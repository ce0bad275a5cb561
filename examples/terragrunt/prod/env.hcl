# What is prod's own.
locals {
  account_id  = "333333333333"
  environment = "prod"
  protected   = true

  cidr  = "10.22.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]

  https = { certificate_arn = "arn:aws:acm:eu-west-1:333333333333:certificate/0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f" }

  models = {
    digits = { description = "Hand-written digits", file = "digits-v1.onnx", min_accuracy = 0.95, accuracy = 0.962 }
  }
}
