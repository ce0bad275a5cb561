# Every mistake that a user can make is refused at plan, by the variable or the resource at fault.

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

run "a_listener_without_a_certificate_to_redirect_to_is_refused" {
  command = plan
  variables {
    https = null
  }
  expect_failures = [var.http]
}

run "two_listeners_on_one_port_are_refused" {
  command = plan
  variables {
    http = { port = 443 }
  }
  expect_failures = [var.http]
}

run "a_port_beyond_the_last_is_refused" {
  command = plan
  variables {
    http = { port = 70000 }
  }
  expect_failures = [var.http]
}

run "a_tls_port_of_zero_is_refused" {
  command = plan
  variables {
    https = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", port = 0 }
  }
  expect_failures = [var.https]
}

run "a_certificate_that_is_no_arn_is_refused" {
  command = plan
  variables {
    https = { certificate_arn = "example.com" }
  }
  expect_failures = [var.https]
}

run "an_additional_certificate_that_is_no_arn_is_refused" {
  command = plan
  variables {
    https = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", additional_certificate_arns = { other = "x" } }
  }
  expect_failures = [var.https]
}

run "a_policy_without_tls_1_3_is_refused" {
  command = plan
  variables {
    https = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", ssl_policy = "ELBSecurityPolicy-2016-08" }
  }
  expect_failures = [var.https]
}

run "a_policy_with_tls_1_0_is_refused" {
  command = plan
  variables {
    https = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", ssl_policy = "ELBSecurityPolicy-TLS13-1-0-2021-06" }
  }
  expect_failures = [var.https]
}

run "a_reversed_range_of_leased_ports_is_refused" {
  command = plan
  variables {
    leased_ports = { from = 9100, to = 9000 }
  }
  expect_failures = [var.leased_ports]
}

run "leased_ports_below_1024_are_refused" {
  command = plan
  variables {
    leased_ports = { from = 80, to = 9000 }
  }
  expect_failures = [var.leased_ports]
}

run "leased_ports_beyond_the_last_are_refused" {
  command = plan
  variables {
    leased_ports = { from = 9000, to = 70000 }
  }
  expect_failures = [var.leased_ports]
}

run "leased_ports_over_a_listener_are_refused" {
  command = plan
  variables {
    leased_ports = { from = 8000, to = 9000 }
    http         = { port = 8080 }
  }
  expect_failures = [var.leased_ports]
}

run "leased_ports_that_begin_with_the_tls_listener_are_refused" {
  command = plan
  variables {
    leased_ports = { from = 8443, to = 9000 }
    https        = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", port = 8443 }
  }
  expect_failures = [var.leased_ports]
}

run "nobody_as_client_is_refused" {
  command = plan
  variables {
    clients = {}
  }
  expect_failures = [var.clients]
}

run "a_client_that_is_no_range_is_refused" {
  command = plan
  variables {
    clients = { ipv4 = { office = "office" } }
  }
  expect_failures = [var.clients]
}

run "an_ipv4_range_among_those_of_ipv6_is_refused" {
  command = plan
  variables {
    clients = { ipv6 = { office = "10.0.0.0/8" } }
  }
  expect_failures = [var.clients]
}

run "no_target_is_refused" {
  command = plan
  variables {
    targets = {}
  }
  expect_failures = [var.targets]
}

run "a_target_that_is_no_range_is_refused" {
  command = plan
  variables {
    targets = { ipv4 = { vpc = "vpc" } }
  }
  expect_failures = [var.targets]
}

run "a_reversed_range_of_target_ports_is_refused" {
  command = plan
  variables {
    targets = { ipv4 = { vpc = "10.20.0.0/16" }, from_port = 9000, to_port = 8000 }
  }
  expect_failures = [var.targets]
}

run "one_subnet_is_refused" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a"] }
  }
  expect_failures = [var.network]
}

run "a_subnet_named_twice_is_refused" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0a"] }
  }
  expect_failures = [var.network]
}

run "an_unknown_scheme_is_refused" {
  command = plan
  variables {
    scheme = "public"
  }
  expect_failures = [var.scheme]
}

run "an_idle_timeout_beyond_the_longest_is_refused" {
  command = plan
  variables {
    load_balancer = { idle_timeout_seconds = 5000 }
  }
  expect_failures = [var.load_balancer]
}

run "records_kept_for_no_day_are_refused" {
  command = plan
  variables {
    access_logs = { retention_days = 0 }
  }
  expect_failures = [var.access_logs]
}

run "a_folder_that_begins_with_a_slash_is_refused" {
  command = plan
  variables {
    access_logs = { prefix = "/alb" }
  }
  expect_failures = [var.access_logs]
}

run "a_global_web_acl_is_refused" {
  command = plan
  variables {
    waf = { web_acl_arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/edge/1" }
  }
  expect_failures = [var.waf]
}

run "a_name_that_aws_keeps_is_refused" {
  command = plan
  variables {
    name = "internal-serving"
  }
  expect_failures = [var.name]
}

run "a_name_too_long_is_refused" {
  command = plan
  variables {
    name = "a-name-of-more-than-thirty-two-letters"
  }
  expect_failures = [var.name]
}

run "a_reserved_key_of_a_tag_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "ml" }
  }
  expect_failures = [var.tags]
}

run "a_certificate_of_another_region_is_refused" {
  command = plan
  variables {
    https = { certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
  }
  expect_failures = [aws_lb_listener.https]
}

run "an_additional_certificate_of_another_region_is_refused" {
  command = plan
  variables {
    https = {
      certificate_arn             = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
      additional_certificate_arns = { cdn = "arn:aws:acm:us-east-1:123456789012:certificate/2" }
    }
  }
  expect_failures = [aws_lb_listener.https]
}

run "a_public_load_balancer_in_private_subnets_is_refused" {
  command = plan
  variables {
    scheme = "internet-facing"
  }
  override_data {
    target = data.aws_route_table.subnets
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      routes = [{
        carrier_gateway_id         = null
        cidr_block                 = "0.0.0.0/0"
        core_network_arn           = null
        destination_prefix_list_id = null
        egress_only_gateway_id     = null
        gateway_id                 = ""
        instance_id                = null
        ipv6_cidr_block            = null
        local_gateway_id           = null
        nat_gateway_id             = "nat-0a1b2c3d"
        network_interface_id       = null
        transit_gateway_id         = null
        vpc_endpoint_id            = null
        vpc_peering_connection_id  = null
      }]
    }
  }
  expect_failures = [aws_lb.this]
}
