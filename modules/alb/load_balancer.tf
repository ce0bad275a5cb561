data "aws_region" "current" {}

# What makes a subnet public is a route to an internet gateway, not its name, and not whether it gives public addresses.
# The list's places are known where the ids are not yet.
data "aws_route_table" "subnets" {
  for_each = var.scheme == "internet-facing" && var.load_balancer.verify_subnets ? { for index, id in var.network.subnet_ids : tostring(index) => id } : {}

  subnet_id = each.value
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_150:On is the default; off, for a destroy, is the user's decision, in load_balancer.deletion_protection
  #checkov:skip=CKV2_AWS_76:The rules of a web ACL are its owner's
  #checkov:skip=CKV2_AWS_28:A web ACL is the user's, in waf; there is none that would suit every model
  #checkov:skip=CKV2_AWS_20:Redirection is the default, and the other way is asked for in http
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.scheme == "internal"
  ip_address_type            = var.load_balancer.ipv6 ? "dualstack" : "ipv4"
  subnets                    = var.network.subnet_ids
  security_groups            = [aws_security_group.this.id]
  idle_timeout               = var.load_balancer.idle_timeout_seconds
  enable_deletion_protection = var.load_balancer.deletion_protection
  # Against smuggled requests.
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"

  dynamic "access_logs" {
    for_each = local.access_logs
    content {
      enabled = true
      bucket  = access_logs.value.bucket == null ? aws_s3_bucket.access_logs[access_logs.key].bucket : access_logs.value.bucket.name
      prefix  = access_logs.value.prefix
    }
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition = alltrue([for table in data.aws_route_table.subnets :
      anytrue([for route in table.routes : startswith(coalesce(route.gateway_id, "-"), "igw-")])])
      error_message = "${var.name} is internet-facing, and a subnet of network.subnet_ids has no route to an internet gateway: no answer would reach a client. Take public subnets (networks.public of modules/vpc), or scheme = \"internal\"."
    }
  }

  # A bucket that does not admit the records yet is refused.
  depends_on = [aws_s3_bucket_policy.access_logs]
}

resource "aws_wafv2_web_acl_association" "this" {
  for_each = var.waf == null ? {} : { waf = var.waf }

  resource_arn = aws_lb.this.arn
  web_acl_arn  = each.value.web_acl_arn
}
