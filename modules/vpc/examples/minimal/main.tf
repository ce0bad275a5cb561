# Tasks in private subnets of two zones, which reach AWS through endpoints and nothing else.

provider "aws" {
  region = "eu-west-1"
}

module "vpc" {
  source = "../.."

  name  = "serving"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]
}

output "private" {
  description = "What the network variable of the other modules takes."
  value       = module.vpc.networks.private
}
