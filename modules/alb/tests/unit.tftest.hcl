# What is planned and, where only an apply tells, made.

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

run "the_least_configuration_is_internal_protected_and_has_tls" {
  command = apply

  assert {
    condition     = aws_lb.this.internal && aws_lb.this.enable_deletion_protection && aws_lb.this.drop_invalid_header_fields
    error_message = "The load balancer is not internal, protected and strict."
  }

  assert {
    condition     = aws_lb_listener.https["https"].port == 443 && aws_lb_listener.https["https"].protocol == "HTTPS" && aws_lb_listener.https["https"].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    error_message = "The TLS listener has not TLS 1.3 on port 443."
  }

  assert {
    condition     = aws_lb_listener.https["https"].default_action[0].fixed_response[0].status_code == "404"
    error_message = "A request that no rule takes reaches something."
  }

  assert {
    condition     = aws_lb_listener.http["http"].default_action[0].redirect[0].port == "443" && aws_lb_listener.http["http"].default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "Clear text is not redirected."
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.clients)) == toset(["http/ipv4/office", "https/ipv4/office"])
    error_message = "Rules for clients are not one for each listener."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.targets["ipv4/vpc"].cidr_ipv4 == "10.20.0.0/16" &&
      aws_vpc_security_group_egress_rule.targets["ipv4/vpc"].from_port == 1024 &&
      aws_vpc_security_group_egress_rule.targets["ipv4/vpc"].to_port == 65535
    )
    error_message = "The way to the targets is not the one that was named."
  }

  assert {
    condition     = output.listeners.https.arn == aws_lb_listener.https["https"].arn && output.listeners.http.port == 80 && output.leased_ports == null
    error_message = "The listeners are not told."
  }

  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 0 && length(data.aws_route_table.subnets) == 0
    error_message = "Something is made or read that nobody asked for."
  }
}

run "access_logs_go_to_a_closed_bucket_that_admits_load_balancers_of_this_account" {
  command = apply

  assert {
    condition     = aws_lb.this.access_logs[0].bucket == output.access_logs_bucket && aws_lb.this.access_logs[0].enabled
    error_message = "Requests are not recorded."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.access_logs["alb"].block_public_policy && aws_s3_bucket_public_access_block.access_logs["alb"].restrict_public_buckets
    error_message = "The bucket is not closed to the public."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.access_logs["alb"].policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/*"
    error_message = "Load balancers of other accounts may write."
  }

  assert {
    condition     = endswith(jsondecode(aws_s3_bucket_policy.access_logs["alb"].policy).Statement[0].Resource, "/alb/AWSLogs/123456789012/*")
    error_message = "Records may be written elsewhere than they are."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.access_logs["alb"].policy).Statement[1].Effect == "Deny"
    error_message = "The bucket may be reached without TLS."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.access_logs["alb"].rule[0].expiration[0].days == 90
    error_message = "Records do not end."
  }

  assert {
    condition     = length(output.access_logs_bucket) <= 63
    error_message = "The bucket's name is too long."
  }
}

run "a_destroy_takes_access_logs_along_where_that_was_asked_for" {
  command = plan
  variables { access_logs = { force_destroy = true } }

  assert {
    condition     = aws_s3_bucket.access_logs["alb"].force_destroy
    error_message = "The bucket would stay."
  }
}

run "access_logs_to_a_bucket_of_others_make_none" {
  command = plan
  variables { access_logs = { bucket = { name = "logs-of-security" }, prefix = "serving" } }

  assert {
    condition     = length(aws_s3_bucket.access_logs) == 0 && aws_lb.this.access_logs[0].bucket == "logs-of-security" && aws_lb.this.access_logs[0].prefix == "serving"
    error_message = "Records do not go where they should."
  }
}

run "no_access_logs_make_no_bucket" {
  command = plan
  variables { access_logs = null }

  assert {
    condition     = length(aws_s3_bucket.access_logs) == 0 && length(aws_lb.this.access_logs) == 0 && output.access_logs_bucket == null
    error_message = "Something is recorded."
  }
}

run "leased_ports_are_opened_to_every_client_by_rules" {
  command = plan
  variables {
    leased_ports = { from = 9000, to = 9049 }
    clients = {
      ipv4               = { office = "203.0.113.0/24" }
      ipv6               = { office = "2001:db8::/32" }
      prefix_list_ids    = { cloudfront = "pl-0a1b2c3d" }
      security_group_ids = { gateway = "sg-0a1b2c3d" }
    }
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 12 && aws_vpc_security_group_ingress_rule.clients["leased/group/gateway"].referenced_security_group_id == "sg-0a1b2c3d"
    error_message = "Rules are not one for each client and each of http, https and leased."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["leased/ipv6/office"].from_port == 9000 && aws_vpc_security_group_ingress_rule.clients["leased/ipv6/office"].to_port == 9049 && aws_vpc_security_group_ingress_rule.clients["leased/ipv6/office"].cidr_ipv6 == "2001:db8::/32"
    error_message = "The range is not opened as it was given."
  }

  assert {
    condition     = output.leased_ports.from == 9000 && output.leased_ports.to == 9049
    error_message = "The range is not told."
  }
}

run "an_internet_facing_load_balancer_stands_in_public_subnets" {
  command = plan
  variables {
    scheme        = "internet-facing"
    load_balancer = { ipv6 = true, idle_timeout_seconds = 300, deletion_protection = false }
    waf           = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/edge/1" }
    tags          = { team = "ml" }
  }

  override_data {
    target = data.aws_route_table.subnets
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      routes = [{
        carrier_gateway_id         = null
        cidr_block                 = "10.20.0.0/16"
        core_network_arn           = null
        destination_prefix_list_id = null
        egress_only_gateway_id     = null
        gateway_id                 = "local"
        instance_id                = null
        ipv6_cidr_block            = null
        local_gateway_id           = null
        nat_gateway_id             = null
        network_interface_id       = null
        transit_gateway_id         = null
        vpc_endpoint_id            = null
        vpc_peering_connection_id  = null
        }, {
        carrier_gateway_id         = null
        cidr_block                 = "0.0.0.0/0"
        core_network_arn           = null
        destination_prefix_list_id = null
        egress_only_gateway_id     = null
        gateway_id                 = "igw-0a1b2c3d"
        instance_id                = null
        ipv6_cidr_block            = null
        local_gateway_id           = null
        nat_gateway_id             = null
        network_interface_id       = null
        transit_gateway_id         = null
        vpc_endpoint_id            = null
        vpc_peering_connection_id  = null
      }]
    }
  }

  assert {
    condition     = !aws_lb.this.internal && aws_lb.this.ip_address_type == "dualstack" && aws_lb.this.idle_timeout == 300 && !aws_lb.this.enable_deletion_protection && aws_lb.this.tags["team"] == "ml"
    error_message = "The load balancer is not as it was asked for."
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this["waf"].web_acl_arn == "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/edge/1"
    error_message = "The web ACL is not associated."
  }

  assert {
    condition     = toset([for table in data.aws_route_table.subnets : table.subnet_id]) == toset(["subnet-0a", "subnet-0b"])
    error_message = "A subnet is not looked at."
  }
}

run "subnets_are_not_looked_at_when_told_so" {
  command = plan
  variables {
    scheme        = "internet-facing"
    load_balancer = { verify_subnets = false }
  }

  assert {
    condition     = length(data.aws_route_table.subnets) == 0
    error_message = "Route tables are read."
  }
}

run "additional_certificates_and_clear_text_serve" {
  command = plan
  variables {
    http = { port = 8080, redirect = false }
    https = {
      certificate_arn             = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
      additional_certificate_arns = { other = "arn:aws:acm:eu-west-1:123456789012:certificate/2" }
      port                        = 8443
      ssl_policy                  = "ELBSecurityPolicy-TLS13-1-3-2021-06"
    }
  }

  assert {
    condition     = aws_lb_listener_certificate.additional["other"].certificate_arn == "arn:aws:acm:eu-west-1:123456789012:certificate/2"
    error_message = "The second certificate is not there."
  }

  assert {
    condition     = aws_lb_listener.http["http"].port == 8080 && aws_lb_listener.http["http"].default_action[0].type == "fixed-response" && aws_lb_listener.https["https"].port == 8443
    error_message = "The listeners are not as they were asked for."
  }
}

run "a_load_balancer_may_serve_tls_only" {
  command = plan
  variables { http = null }

  assert {
    condition     = length(aws_lb_listener.http) == 0 && output.listeners.http == null && keys(aws_vpc_security_group_ingress_rule.clients) == ["https/ipv4/office"]
    error_message = "A listener in clear text, or its port, is open."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.leased_ports.from == 9000
    error_message = "What is known is lost."
  }
}
