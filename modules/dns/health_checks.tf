resource "aws_route53_health_check" "this" {
  for_each = var.health_checks

  type              = each.value.search == null ? each.value.type : "${each.value.type}_STR_MATCH"
  fqdn              = each.value.fqdn
  port              = each.value.port
  resource_path     = each.value.type == "TCP" ? null : each.value.path
  search_string     = each.value.search
  request_interval  = each.value.interval_seconds
  failure_threshold = each.value.failure_threshold
  enable_sni        = each.value.type == "HTTPS" ? true : null

  tags = merge(var.tags, { Name = each.key })
}
