# Inside of the network, for clients of the VPC.

provider "aws" {
  region = "eu-west-1"
}

module "alb" {
  source = "../.."

  name    = "serving"
  network = { vpc_id = "vpc-0a1b2c3d4e5f60718", subnet_ids = ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"] }
  https   = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/6d0e6e60-6d1c-4a3e-9d5c-0f7b2b3f7a11" }
  clients = { ipv4 = { vpc = "10.20.0.0/16" } }
  targets = { ipv4 = { vpc = "10.20.0.0/16" } }
}

output "listener" {
  description = "Where endpoints put their rules."
  value       = module.alb.listeners.https.arn
}
