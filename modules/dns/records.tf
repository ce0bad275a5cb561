locals {
  # An alias with IPv6 is two records.
  records = merge(
    { for key, record in var.records : key => merge(record, { key = key }) },
    { for key, record in var.records : "${key}/AAAA" => merge(record, { key = key, type = "AAAA" }) if(record.alias == null ? false : record.alias.ipv6) },
  )
}

resource "aws_route53_record" "this" {
  for_each = local.records

  zone_id         = local.zone_id
  name            = each.value.name == "" ? var.zone.name : "${each.value.name}.${var.zone.name}"
  type            = each.value.type
  ttl             = each.value.alias == null ? each.value.ttl_seconds : null
  records         = each.value.values
  set_identifier  = each.value.routing == null ? null : each.value.key
  health_check_id = each.value.health_check == null ? null : aws_route53_health_check.this[each.value.health_check].id

  dynamic "alias" {
    for_each = each.value.alias == null ? [] : [each.value.alias]
    content {
      name                   = alias.value.dns_name
      zone_id                = alias.value.zone_id
      evaluate_target_health = alias.value.evaluate_target_health
    }
  }

  dynamic "failover_routing_policy" {
    for_each = [for kind in [each.value.routing == null ? null : each.value.routing.failover] : kind if kind != null]
    content {
      type = failover_routing_policy.value
    }
  }

  dynamic "latency_routing_policy" {
    for_each = [for region in [each.value.routing == null ? null : each.value.routing.latency_region] : region if region != null]
    content {
      region = latency_routing_policy.value
    }
  }

  dynamic "weighted_routing_policy" {
    for_each = [for weight in [each.value.routing == null ? null : each.value.routing.weight] : weight if weight != null]
    content {
      weight = weighted_routing_policy.value
    }
  }
}
