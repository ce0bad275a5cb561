terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.20, < 7.0"
    }
    mlops = {
      source  = "mlops-rs/mlops"
      version = "~> 0.1"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { stack = var.name }
  }
}

# The table is named by its ARN, which is not known before there is a table: so this provider waits for the registry, and one
# apply makes both.
provider "mlops" {
  region = var.region

  registry {
    table       = module.registry.table.arn
    bucket      = module.registry.registry.bucket
    kms_key_arn = module.registry.kms_key_arn
  }

  server_image {
    uri = var.server_image.uri
  }

  default_tags {
    tags = { stack = var.name }
  }
}
