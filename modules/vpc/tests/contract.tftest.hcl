# Every mistake that a user can make is refused at plan, by the variable at fault.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name  = "serving"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]
}

run "a_cidr_that_is_no_range_is_refused" {
  command = plan
  variables { cidr = "10.20.0.0" }
  expect_failures = [var.cidr]
}

run "a_cidr_too_small_for_isolated_subnets_is_refused" {
  command = plan
  variables { cidr = "10.20.0.0/24" }
  expect_failures = [var.cidr]
}

run "a_cidr_larger_than_a_vpc_may_be_is_refused" {
  command = plan
  variables { cidr = "10.0.0.0/15" }
  expect_failures = [var.cidr]
}

run "a_cidr_with_bits_behind_its_prefix_is_refused" {
  command = plan
  variables { cidr = "10.20.1.0/16" }
  expect_failures = [var.cidr]
}

run "a_cidr_inside_a_reserved_one_is_refused" {
  command = plan
  variables { reserved_cidrs = { office = "10.0.0.0/8" } }
  expect_failures = [var.reserved_cidrs]
}

run "a_cidr_around_a_reserved_one_is_refused" {
  command = plan
  variables { reserved_cidrs = { qa = "10.20.200.0/24", other = "172.16.0.0/12" } }
  expect_failures = [var.reserved_cidrs]
}

run "a_reserved_cidr_that_is_no_range_is_refused" {
  command = plan
  variables { reserved_cidrs = { office = "everything" } }
  expect_failures = [var.reserved_cidrs]
}

run "one_zone_is_refused" {
  command = plan
  variables { zones = ["eu-west-1a"] }
  expect_failures = [var.zones]
}

run "five_zones_are_refused" {
  command = plan
  variables { zones = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e"] }
  expect_failures = [var.zones]
}

run "a_zone_named_twice_is_refused" {
  command = plan
  variables { zones = ["eu-west-1a", "eu-west-1a"] }
  expect_failures = [var.zones]
}

run "a_zone_id_for_a_name_is_refused" {
  command = plan
  variables { zones = ["euw1-az1", "euw1-az2"] }
  expect_failures = [var.zones]
}

run "zones_of_two_regions_are_refused" {
  command = plan
  variables { zones = ["eu-west-1a", "eu-central-1b"] }
  expect_failures = [var.zones]
}

run "zones_of_another_region_than_the_providers_are_refused" {
  command = plan
  variables { zones = ["us-east-1a", "us-east-1b"] }
  expect_failures = [aws_vpc.this]
}

run "a_nat_of_an_unknown_kind_is_refused" {
  command = plan
  variables { nat = "instance" }
  expect_failures = [var.nat]
}

run "nat_without_public_subnets_is_refused" {
  command = plan
  variables {
    nat   = "single"
    tiers = ["private", "isolated"]
  }
  expect_failures = [var.nat]
}

run "nat_without_private_subnets_is_refused" {
  command = plan
  variables {
    nat   = "per_zone"
    tiers = ["public", "isolated"]
  }
  expect_failures = [var.nat]
}

run "an_unknown_tier_is_refused" {
  command = plan
  variables { tiers = ["private", "database"] }
  expect_failures = [var.tiers]
}

run "a_vpc_without_tiers_is_refused" {
  command = plan
  variables {
    tiers     = []
    endpoints = { interface = [] }
  }
  expect_failures = [var.tiers]
}

run "an_unknown_gateway_endpoint_is_refused" {
  command = plan
  variables { endpoints = { gateway = ["sqs"] } }
  expect_failures = [var.endpoints]
}

run "a_whole_service_name_for_an_interface_endpoint_is_refused" {
  command = plan
  variables { endpoints = { interface = ["com.amazonaws.eu-west-1.sts"] } }
  expect_failures = [var.endpoints]
}

run "a_service_with_both_kinds_of_endpoint_is_refused" {
  command = plan
  variables { endpoints = { interface = ["s3"] } }
  expect_failures = [var.endpoints]
}

run "interface_endpoints_with_public_subnets_only_are_refused" {
  command = plan
  variables { tiers = ["public"] }
  expect_failures = [var.endpoints]
}

run "a_policy_for_an_endpoint_that_is_not_there_is_refused" {
  command = plan
  variables { endpoints = { policies = { sqs = "{\"Statement\":[]}" } } }
  expect_failures = [var.endpoints]
}

run "a_policy_that_is_not_json_is_refused" {
  command = plan
  variables { endpoints = { policies = { s3 = "allow" } } }
  expect_failures = [var.endpoints]
}

run "an_aggregation_that_flow_logs_do_not_know_is_refused" {
  command = plan
  variables { flow_logs = { aggregation_seconds = 300 } }
  expect_failures = [var.flow_logs]
}

run "a_kind_of_traffic_that_flow_logs_do_not_know_is_refused" {
  command = plan
  variables { flow_logs = { traffic = "DENY" } }
  expect_failures = [var.flow_logs]
}

run "flow_logs_to_something_else_than_a_bucket_are_refused" {
  command = plan
  variables { flow_logs = { bucket = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:flow" } } }
  expect_failures = [var.flow_logs]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables { logging = { retention_days = 100 } }
  expect_failures = [var.logging]
}

run "an_alias_for_a_key_is_refused" {
  command = plan
  variables { logging = { kms_key_arn = "alias/logs" } }
  expect_failures = [var.logging]
}

run "a_name_that_resources_could_not_bear_is_refused" {
  command = plan
  variables { name = "Serving_VPC" }
  expect_failures = [var.name]
}

run "a_reserved_key_of_a_tag_is_refused" {
  command = plan
  variables { tags = { "aws:owner" = "ml" } }
  expect_failures = [var.tags]
}

run "a_reserved_key_of_a_subnets_tag_is_refused" {
  command = plan
  variables { subnet_tags = { private = { "aws:owner" = "ml" } } }
  expect_failures = [var.subnet_tags]
}
