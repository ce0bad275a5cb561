# Every mistake that a user can make is refused at plan, by the variable at fault.

provider "aws" {
  region = "eu-west-1"
}

variables {
  zone = { name = "models.example.com" }
}

run "a_certificate_for_a_name_with_a_dot_at_its_end_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "models.example.com." }
  }
  expect_failures = [var.certificate]
}

run "a_certificate_for_a_name_beyond_64_characters_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "a-very-long-name-for-a-model-which-nobody.would-type-by-hand.models.example.com" }
  }
  expect_failures = [var.certificate]
}

run "a_validation_of_an_unknown_kind_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "models.example.com", validation = "EMAIL" }
  }
  expect_failures = [var.certificate]
}

run "a_key_that_load_balancers_do_not_take_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "models.example.com", key_algorithm = "RSA_1024" }
  }
  expect_failures = [var.certificate]
}

run "a_validation_in_a_zone_that_is_not_there_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "models.example.com" }
    zone        = null
  }
  expect_failures = [var.certificate]
}

run "a_certificate_for_a_name_outside_of_the_zone_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "models.example.com", alternative_names = ["models.example.org"] }
  }
  expect_failures = [var.certificate]
}

run "a_certificate_proved_in_a_private_zone_is_refused" {
  command = plan
  variables {
    certificate = { domain_name = "models.example.com" }
    zone        = { name = "models.example.com", private_vpc_ids = { main = "vpc-0a1b2c3d" } }
  }
  expect_failures = [var.certificate]
}

run "a_check_of_an_unknown_type_is_refused" {
  command = plan
  variables {
    health_checks = { one = { fqdn = "models.example.com", type = "ICMP" } }
  }
  expect_failures = [var.health_checks]
}

run "a_check_every_minute_is_refused" {
  command = plan
  variables {
    health_checks = { one = { fqdn = "models.example.com", interval_seconds = 60 } }
  }
  expect_failures = [var.health_checks]
}

run "a_check_that_fails_after_no_answer_is_refused" {
  command = plan
  variables {
    health_checks = { one = { fqdn = "models.example.com", failure_threshold = 0 } }
  }
  expect_failures = [var.health_checks]
}

run "a_check_of_a_port_beyond_the_last_is_refused" {
  command = plan
  variables {
    health_checks = { one = { fqdn = "models.example.com", port = 70000 } }
  }
  expect_failures = [var.health_checks]
}

run "a_check_of_a_path_without_a_slash_is_refused" {
  command = plan
  variables {
    health_checks = { one = { fqdn = "models.example.com", path = "healthz" } }
  }
  expect_failures = [var.health_checks]
}

run "a_search_in_the_answer_of_tcp_is_refused" {
  command = plan
  variables {
    health_checks = { one = { fqdn = "models.example.com", type = "TCP", search = "ok" } }
  }
  expect_failures = [var.health_checks]
}

run "records_without_a_zone_are_refused" {
  command = plan
  variables {
    zone    = null
    records = { one = { name = "models", values = ["192.0.2.1"] } }
  }
  expect_failures = [var.records]
}

run "a_record_without_alias_and_values_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", ttl_seconds = 60 } }
  }
  expect_failures = [var.records]
}

run "a_record_with_alias_and_values_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], alias = { dns_name = "lb", zone_id = "Z1" } } }
  }
  expect_failures = [var.records]
}

run "a_record_of_an_unknown_type_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], type = "PTR" } }
  }
  expect_failures = [var.records]
}

run "a_cname_that_is_an_alias_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", type = "CNAME", alias = { dns_name = "lb", zone_id = "Z1" } } }
  }
  expect_failures = [var.records]
}

run "a_cname_at_the_top_is_refused" {
  command = plan
  variables {
    records = { one = { name = "", type = "CNAME", values = ["lb.example.com"] } }
  }
  expect_failures = [var.records]
}

run "a_ttl_beyond_a_week_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], ttl_seconds = 1000000 } }
  }
  expect_failures = [var.records]
}

run "a_record_with_its_full_name_is_refused" {
  command = plan
  variables {
    records = { one = { name = "a.models.example.com", values = ["192.0.2.1"] } }
  }
  expect_failures = [var.records]
}

run "a_health_check_that_is_not_there_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], health_check = "none" } }
  }
  expect_failures = [var.records]
}

run "two_kinds_of_routing_in_one_record_are_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], routing = { weight = 1, latency_region = "eu-west-1" } } }
  }
  expect_failures = [var.records]
}

run "routing_of_no_kind_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], routing = {} } }
  }
  expect_failures = [var.records]
}

run "a_third_in_a_failover_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], routing = { failover = "TERTIARY" } } }
  }
  expect_failures = [var.records]
}

run "a_weight_beyond_255_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], routing = { weight = 256 } } }
  }
  expect_failures = [var.records]
}

run "a_primary_that_never_fails_is_refused" {
  command = plan
  variables {
    records = { one = { name = "models", values = ["192.0.2.1"], routing = { failover = "PRIMARY" } } }
  }
  expect_failures = [var.records]
}

run "two_simple_records_of_one_name_are_refused" {
  command = plan
  variables {
    records = { one = { name = "a", values = ["192.0.2.1"] }, two = { name = "a", values = ["192.0.2.2"] } }
  }
  expect_failures = [var.records]
}

run "two_kinds_of_routing_under_one_name_are_refused" {
  command = plan
  variables {
    records = { one = { name = "a", values = ["192.0.2.1"], routing = { weight = 1 } }, two = { name = "a", values = ["192.0.2.2"], routing = { latency_region = "eu-west-1" } } }
  }
  expect_failures = [var.records]
}

run "two_records_for_one_region_are_refused" {
  command = plan
  variables {
    records = { one = { name = "a", values = ["192.0.2.1"], routing = { latency_region = "eu-west-1" } }, two = { name = "a", values = ["192.0.2.2"], routing = { latency_region = "eu-west-1" } } }
  }
  expect_failures = [var.records]
}

run "a_zone_with_a_dot_at_its_end_is_refused" {
  command = plan
  variables {
    zone = { name = "models.example.com." }
  }
  expect_failures = [var.zone]
}

run "vpcs_for_an_existing_zone_are_refused" {
  command = plan
  variables {
    zone = { name = "models.example.com", existing = { id = "Z0A" }, private_vpc_ids = { main = "vpc-0a1b2c3d" } }
  }
  expect_failures = [var.zone]
}

run "a_reserved_key_of_a_tag_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "ml" }
  }
  expect_failures = [var.tags]
}
