locals {
  root = dirname(find_in_parent_folders("root.hcl"))
  env  = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
}

terraform {
  source = "${local.root}/../../modules/alb"
}

dependency "vpc" {
  config_path = "../vpc"

  # As the module checks them: a VPC's id, two subnets of different ids, a range.
  mock_outputs_allowed_terraform_commands = ["init", "plan", "validate"]
  mock_outputs = {
    mocked   = true
    networks = { private = { vpc_id = "vpc-00000000", subnet_ids = ["subnet-00000000", "subnet-00000001"] } }
    vpc      = { cidr = local.env.cidr }
  }
}

inputs = {
  mocked = [for name, outputs in { vpc = dependency.vpc.outputs } : name if try(outputs.mocked, false)]

  network       = dependency.vpc.outputs.networks.private
  clients       = { ipv4 = { vpc = dependency.vpc.outputs.vpc.cidr } }
  targets       = { ipv4 = { vpc = dependency.vpc.outputs.vpc.cidr } }
  http          = { redirect = local.env.https != null }
  https         = local.env.https
  load_balancer = { deletion_protection = local.env.protected }
}
