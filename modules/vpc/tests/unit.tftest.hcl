# What is planned and, where only an apply tells, made.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name  = "serving"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]
}

run "the_least_configuration_has_three_tiers_and_no_way_to_the_internet_for_tasks" {
  command = plan

  assert {
    condition = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == {
      "eu-west-1a" = "10.20.0.0/19", "eu-west-1b" = "10.20.64.0/19"
    }
    error_message = "Private subnets are the first half of a zone's quarter."
  }

  assert {
    condition = { for zone, subnet in aws_subnet.public : zone => subnet.cidr_block } == {
      "eu-west-1a" = "10.20.32.0/20", "eu-west-1b" = "10.20.96.0/20"
    }
    error_message = "Public subnets are the third fourth of a zone's quarter."
  }

  assert {
    condition = { for zone, subnet in aws_subnet.isolated : zone => subnet.cidr_block } == {
      "eu-west-1a" = "10.20.48.0/21", "eu-west-1b" = "10.20.112.0/21"
    }
    error_message = "Isolated subnets are the seventh eighth of a zone's quarter."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.private_ipv4) == 0 && length(aws_egress_only_internet_gateway.this) == 0
    error_message = "Without NAT nothing leads out of the private subnets."
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.isolated)) : !subnet.map_public_ip_on_launch])
    error_message = "No subnet gives public addresses by itself."
  }

  assert {
    condition     = aws_vpc.this.enable_dns_hostnames && aws_vpc.this.enable_dns_support
    error_message = "Private names of endpoints need both DNS switches."
  }
}

run "tasks_reach_what_they_need_through_endpoints" {
  command = plan

  assert {
    condition = toset([for endpoint in aws_vpc_endpoint.interface : endpoint.service_name]) == toset([
      for name in ["ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "secretsmanager", "sts"] : "com.amazonaws.eu-west-1.${name}"
    ])
    error_message = "An interface endpoint that ECS tasks need is missing."
  }

  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.gateway : endpoint.service_name]) == toset(["com.amazonaws.eu-west-1.dynamodb", "com.amazonaws.eu-west-1.s3"])
    error_message = "Gateway endpoints are those of DynamoDB and S3."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "SDKs find an interface endpoint by its private name."
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.endpoints_ipv4["endpoints"].cidr_ipv4 == "10.20.0.0/16" &&
      aws_vpc_security_group_ingress_rule.endpoints_ipv4["endpoints"].from_port == 443 &&
      aws_vpc_security_group_ingress_rule.endpoints_ipv4["endpoints"].to_port == 443
    )
    error_message = "Endpoints admit HTTPS from the VPC, and only that."
  }
}

run "the_default_security_group_and_route_table_are_closed" {
  command = apply

  assert {
    condition     = length(coalesce(aws_default_security_group.closed.ingress, [])) == 0 && length(coalesce(aws_default_security_group.closed.egress, [])) == 0
    error_message = "The default security group holds a rule."
  }

  assert {
    condition     = length(aws_default_route_table.closed.route) == 0
    error_message = "The default route table holds a route."
  }

  assert {
    condition     = output.networks.private.vpc_id == output.vpc.id && output.networks.private.subnet_ids == [aws_subnet.private["eu-west-1a"].id, aws_subnet.private["eu-west-1b"].id]
    error_message = "networks.private is what other modules take as network."
  }

  assert {
    condition     = toset(flatten([for endpoint in aws_vpc_endpoint.interface : endpoint.subnet_ids])) == toset(values(aws_subnet.private)[*].id)
    error_message = "Interface endpoints stand in the private subnets."
  }

  assert {
    condition     = length(distinct(flatten([for endpoint in aws_vpc_endpoint.gateway : endpoint.route_table_ids]))) == 4
    error_message = "Gateway endpoints are routed in the tables of all tiers: one public, two private, one isolated."
  }
}

run "a_single_nat_gateway_serves_all_private_subnets" {
  command = plan
  variables { nat = "single" }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-west-1a"] && keys(aws_route.private_ipv4) == ["eu-west-1a", "eu-west-1b"]
    error_message = "One gateway, in the first zone, and a route of each zone to it."
  }
}

run "a_nat_gateway_per_zone_serves_its_own_zone" {
  command = apply
  variables { nat = "per_zone" }

  assert {
    condition     = alltrue([for zone in var.zones : aws_route.private_ipv4[zone].nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "A zone's route leads to another zone's gateway."
  }

  assert {
    condition     = alltrue([for zone in var.zones : aws_nat_gateway.this[zone].subnet_id == aws_subnet.public[zone].id])
    error_message = "A gateway stands in its zone's public subnet."
  }

  assert {
    condition     = toset(keys(output.nat_public_ips)) == toset(var.zones)
    error_message = "Each gateway's address is told."
  }
}

run "switching_nat_moves_routes_and_replaces_no_table" {
  command = plan
  variables { nat = "single" }

  assert {
    # An id that is known at plan is that of something that is there.
    condition     = toset(keys(output.route_table_ids.private)) == toset(var.zones) && alltrue([for table in output.route_table_ids.private : startswith(table, "rtb-")])
    error_message = "A private route table would be replaced."
  }

  assert {
    condition     = aws_route.private_ipv4["eu-west-1b"].nat_gateway_id == aws_nat_gateway.this["eu-west-1a"].id
    error_message = "The second zone leaves by the first zone's gateway."
  }
}

run "another_zone_moves_no_subnet" {
  command = plan
  variables {
    nat   = "per_zone"
    zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d"]
  }

  assert {
    condition = { for tier, subnets in output.subnets : tier => [for zone in ["eu-west-1a", "eu-west-1b"] : subnets[zone].cidr if startswith(subnets[zone].id, "subnet-")] } == {
      private  = ["10.20.0.0/19", "10.20.64.0/19"]
      public   = ["10.20.32.0/20", "10.20.96.0/20"]
      isolated = ["10.20.48.0/21", "10.20.112.0/21"]
    }
    error_message = "A subnet that was there would be moved."
  }
}

run "a_tier_left_out_moves_no_other_and_is_null" {
  command = plan
  variables { tiers = ["private"] }

  assert {
    condition     = aws_subnet.private["eu-west-1b"].cidr_block == "10.20.64.0/19" && length(aws_subnet.public) == 0 && length(aws_internet_gateway.this) == 0
    error_message = "Private subnets keep their addresses, and nothing public is made."
  }

  assert {
    condition     = output.networks.public == null && output.networks.isolated == null
    error_message = "A tier that is not in use is null."
  }
}

run "flow_logs_go_to_a_group_with_a_role_of_their_own" {
  command = apply
  variables { logging = { retention_days = 30, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/4f2a" } }

  assert {
    condition     = aws_cloudwatch_log_group.flow_logs["vpc"].retention_in_days == 30 && aws_cloudwatch_log_group.flow_logs["vpc"].kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/4f2a"
    error_message = "The log group is kept and encrypted as logging says."
  }

  assert {
    condition     = jsondecode(aws_iam_role.flow_logs["vpc"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "The service may take the role on behalf of this account only."
  }

  assert {
    condition     = flatten([jsondecode(aws_iam_role_policy.flow_logs["vpc"].policy).Statement[0].Resource]) == ["arn:aws:logs:eu-west-1:123456789012:log-group:/vpc/serving/flow-logs:*"]
    error_message = "The role writes to this log group only."
  }

  assert {
    condition     = aws_flow_log.this["vpc"].traffic_type == "ALL" && aws_flow_log.this["vpc"].iam_role_arn == aws_iam_role.flow_logs["vpc"].arn
    error_message = "All traffic is recorded, by that role."
  }
}

run "flow_logs_to_a_bucket_need_neither_group_nor_role" {
  command = plan
  variables { flow_logs = { bucket = { arn = "arn:aws:s3:::flow/vpc/" }, traffic = "REJECT", aggregation_seconds = 60 } }

  assert {
    condition     = length(aws_cloudwatch_log_group.flow_logs) == 0 && length(aws_iam_role.flow_logs) == 0
    error_message = "A group or a role is made in vain."
  }

  assert {
    condition     = aws_flow_log.this["vpc"].log_destination == "arn:aws:s3:::flow/vpc/" && aws_flow_log.this["vpc"].log_destination_type == "s3" && aws_flow_log.this["vpc"].traffic_type == "REJECT" && aws_flow_log.this["vpc"].max_aggregation_interval == 60
    error_message = "The flow log does not go where it should."
  }
}

run "no_flow_logs_and_no_endpoints_make_nothing" {
  command = plan
  variables {
    flow_logs = null
    endpoints = { gateway = [], interface = [] }
  }

  assert {
    condition     = length(aws_flow_log.this) + length(aws_cloudwatch_log_group.flow_logs) + length(aws_vpc_endpoint.gateway) + length(aws_vpc_endpoint.interface) + length(aws_security_group.endpoints) == 0
    error_message = "Something that was switched off is made."
  }
}

run "tags_reach_everything_and_tiers_have_their_own" {
  command = plan
  variables {
    tags        = { team = "ml" }
    subnet_tags = { isolated = { store = "yes" } }
    endpoints   = { policies = { s3 = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" } }
  }

  assert {
    condition     = aws_vpc.this.tags["team"] == "ml" && aws_subnet.public["eu-west-1a"].tags["team"] == "ml" && aws_vpc_endpoint.gateway["s3"].tags["team"] == "ml"
    error_message = "tags do not reach everything."
  }

  assert {
    condition     = aws_subnet.public["eu-west-1a"].tags["kubernetes.io/role/elb"] == "1" && aws_subnet.isolated["eu-west-1a"].tags["store"] == "yes"
    error_message = "A tier's tags are missing."
  }

  assert {
    condition     = jsondecode(aws_vpc_endpoint.gateway["s3"].policy).Statement == []
    error_message = "A policy reaches its endpoint."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = alltrue([for length in output.network_lengths : length == 2])
    error_message = "The number of subnets is unknown at plan, so that modules behind could not count them."
  }
}
