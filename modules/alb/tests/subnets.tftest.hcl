# Subnets that differ from each other. Terraform alone: OpenTofu overrides all instances of a data source or none, and takes
# subnets.tofutest.hcl instead of this file.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name    = "serving"
  network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
  https   = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  clients = { ipv4 = { office = "203.0.113.0/24" } }
  targets = { ipv4 = { vpc = "10.20.0.0/16" } }
}

run "a_public_load_balancer_with_one_private_subnet_among_others_is_refused" {
  command = plan
  variables {
    scheme = "internet-facing"
  }
  override_data {
    target = data.aws_route_table.subnets["0"]
    values = { routes = [{ cidr_block = "0.0.0.0/0", gateway_id = "igw-0a1b2c3d" }] }
  }
  override_data {
    target = data.aws_route_table.subnets["1"]
    values = { routes = [] }
  }
  expect_failures = [aws_lb.this]
}
