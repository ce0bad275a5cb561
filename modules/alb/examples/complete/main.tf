# On the internet, behind modules/vpc, with a range of ports for leased listeners.

provider "aws" {
  region = "eu-west-1"
}

module "vpc" {
  source = "../../../vpc"

  name  = "serving-prod"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  ipv6  = true
}

module "alb" {
  source = "../.."

  name    = "serving-prod"
  scheme  = "internet-facing"
  network = module.vpc.networks.public

  https = {
    certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/6d0e6e60-6d1c-4a3e-9d5c-0f7b2b3f7a11"
    ssl_policy      = "ELBSecurityPolicy-TLS13-1-3-2021-06"
  }

  clients = {
    ipv4 = { everybody = "0.0.0.0/0" }
    ipv6 = { everybody = "::/0" }
  }

  targets      = { ipv4 = { vpc = module.vpc.vpc.cidr } }
  leased_ports = { from = 9000, to = 9049 }

  access_logs   = { retention_days = 365 }
  load_balancer = { idle_timeout_seconds = 120, ipv6 = true }
  waf           = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/serving/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f" }
  tags          = { environment = "prod" }
}

output "load_balancer" {
  description = "For alias records, and for ingress of endpoints."
  value       = module.alb.load_balancer
}
