# What is planned and, where only an apply tells, made.

provider "aws" {
  region = "eu-west-1"
}

variables {
  zone = { name = "models.example.com" }
}

run "the_least_configuration_is_a_public_zone" {
  command = apply

  assert {
    condition     = aws_route53_zone.this["zone"].name == "models.example.com" && length(aws_route53_zone.this["zone"].vpc) == 0
    error_message = "There is no public zone."
  }

  assert {
    condition     = output.zone.id == aws_route53_zone.this["zone"].zone_id && output.certificate == null && length(output.certificate_validation_records) == 0
    error_message = "The zone is not told."
  }
}

run "a_private_zone_is_seen_by_its_vpcs" {
  command = plan
  variables { zone = { name = "models.internal", private_vpc_ids = { main = "vpc-0a1b2c3d", peer = "vpc-1a1b2c3d" } } }

  assert {
    condition     = toset(aws_route53_zone.this["zone"].vpc[*].vpc_id) == toset(["vpc-0a1b2c3d", "vpc-1a1b2c3d"])
    error_message = "A VPC does not see the zone."
  }
}

run "records_of_an_existing_zone_make_no_zone" {
  command = plan
  variables {
    zone = { name = "example.com", existing = { id = "Z0123456789ABCDEFGHIJ" } }
    records = {
      top  = { name = "", alias = { dns_name = "serving-1.eu-west-1.elb.amazonaws.com", zone_id = "Z32O12XQLNTSW2", ipv6 = true } }
      note = { name = "note", type = "TXT", values = ["model=digits"], ttl_seconds = 60 }
    }
  }

  assert {
    condition     = length(aws_route53_zone.this) == 0 && aws_route53_record.this["note"].zone_id == "Z0123456789ABCDEFGHIJ"
    error_message = "The existing zone is not the one that is used."
  }

  assert {
    condition     = aws_route53_record.this["top"].type == "A" && aws_route53_record.this["top/AAAA"].type == "AAAA" && aws_route53_record.this["top/AAAA"].name == "example.com"
    error_message = "An alias with IPv6 is an A and an AAAA record."
  }

  assert {
    condition     = aws_route53_record.this["top"].alias[0].zone_id == "Z32O12XQLNTSW2" && aws_route53_record.this["top"].alias[0].evaluate_target_health && aws_route53_record.this["top"].ttl == null
    error_message = "The alias is not the load balancer's."
  }

  assert {
    condition     = aws_route53_record.this["note"].ttl == 60 && aws_route53_record.this["note"].records == toset(["model=digits"]) && aws_route53_record.this["note"].name == "note.example.com"
    error_message = "The record is not as it was given."
  }
}

run "failover_takes_the_second_when_the_first_fails_its_check" {
  command = apply
  variables {
    health_checks = { primary = { fqdn = "eu.models.example.com", path = "/readyz", search = "ready", interval_seconds = 10, failure_threshold = 2 } }
    records = {
      primary   = { name = "api", values = ["192.0.2.1"], routing = { failover = "PRIMARY" }, health_check = "primary" }
      secondary = { name = "api", values = ["192.0.2.2"], routing = { failover = "SECONDARY" } }
    }
  }

  assert {
    condition     = aws_route53_record.this["primary"].failover_routing_policy[0].type == "PRIMARY" && aws_route53_record.this["secondary"].failover_routing_policy[0].type == "SECONDARY"
    error_message = "The records are not first and second."
  }

  assert {
    condition     = aws_route53_record.this["primary"].health_check_id == output.health_checks.primary && aws_route53_record.this["secondary"].health_check_id == null
    error_message = "The first does not take its check."
  }

  assert {
    condition     = aws_route53_record.this["primary"].set_identifier != aws_route53_record.this["secondary"].set_identifier
    error_message = "Nothing tells the records apart."
  }

  assert {
    condition = (
      aws_route53_health_check.this["primary"].type == "HTTPS_STR_MATCH" && aws_route53_health_check.this["primary"].resource_path == "/readyz" &&
      aws_route53_health_check.this["primary"].search_string == "ready" && aws_route53_health_check.this["primary"].request_interval == 10 &&
      aws_route53_health_check.this["primary"].failure_threshold == 2 && aws_route53_health_check.this["primary"].port == 443
    )
    error_message = "The check is not as it was given."
  }
}

run "latency_and_weight_are_routed" {
  command = plan
  variables {
    records = {
      eu   = { name = "near", values = ["192.0.2.1"], routing = { latency_region = "eu-west-1" } }
      us   = { name = "near", values = ["192.0.2.2"], routing = { latency_region = "us-east-1" } }
      blue = { name = "split", values = ["192.0.2.1"], routing = { weight = 90 } }
      none = { name = "split", values = ["192.0.2.2"], routing = { weight = 0 } }
    }
    health_checks = { tcp = { fqdn = "eu.models.example.com", type = "TCP", port = 9000 } }
  }

  assert {
    condition     = aws_route53_record.this["eu"].latency_routing_policy[0].region == "eu-west-1" && aws_route53_record.this["us"].latency_routing_policy[0].region == "us-east-1"
    error_message = "Clients are not sent to the nearer region."
  }

  assert {
    condition     = aws_route53_record.this["blue"].weighted_routing_policy[0].weight == 90 && aws_route53_record.this["none"].weighted_routing_policy[0].weight == 0
    error_message = "A weight is lost; none is a weight too."
  }

  assert {
    condition     = aws_route53_health_check.this["tcp"].resource_path == null && aws_route53_health_check.this["tcp"].type == "TCP"
    error_message = "A check of TCP asks for a path."
  }
}

run "a_certificate_is_proved_in_the_zone" {
  command = apply
  variables { certificate = { domain_name = "models.example.com", alternative_names = ["*.models.example.com", "api.models.example.com"] } }

  assert {
    condition     = toset(keys(aws_route53_record.validation)) == toset(["models.example.com", "api.models.example.com"])
    error_message = "A name and its wildcard share one record; each other name has its own."
  }

  assert {
    condition     = aws_route53_record.validation["models.example.com"].type == "CNAME" && aws_route53_record.validation["models.example.com"].zone_id == output.zone.id
    error_message = "The proof does not stand in the zone."
  }

  assert {
    condition     = output.certificate.arn == aws_acm_certificate.this["certificate"].arn && length(aws_acm_certificate_validation.this["certificate"].validation_record_fqdns) == 2
    error_message = "The certificate is told before it is issued."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.names == toset(["one", "two"])
    error_message = "Which records there are is unknown at plan."
  }
}
