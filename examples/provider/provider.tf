terraform {
  required_providers {
    mlops = {
      source  = "mlops-rs/mlops"
      version = "~> 0.1"
    }
  }
}

# The registry lies in .mlops beside the configuration. No account is needed.
provider "mlops" {}
