# Clients reach the load balancer, the load balancer reaches the tasks, and the tasks reach AWS through endpoints: nothing else is open.

module "vpc" {
  source = "../../../modules/vpc"

  name  = var.name
  cidr  = "10.20.0.0/16"
  zones = [for letter in var.zones : "${var.region}${letter}"]

  # The last two are Prometheus': where it writes, and whom it asks for addresses.
  endpoints = { interface = ["ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "secretsmanager", "sts", "aps-workspaces", "ec2"] }
}

module "alb" {
  source = "../../../modules/alb"

  name          = var.name
  scheme        = "internet-facing"
  network       = module.vpc.networks.public
  https         = { certificate_arn = module.dns.certificate.arn }
  clients       = { ipv4 = var.clients }
  targets       = { from_port = 8080, to_port = 8080, security_group_ids = { digits = module.ecs.servers["digits"].security_group_id } }
  load_balancer = { deletion_protection = var.protected }
  access_logs   = { force_destroy = !var.protected }
}

module "dns" {
  source = "../../../modules/dns"

  zone        = { name = var.domain }
  certificate = { domain_name = "*.${var.domain}" }
  records     = { endpoints = { name = "*", alias = module.alb.load_balancer } }
}
