output "access_logs_bucket" {
  description = "Name of the bucket that access logs go to; null without access logs."
  value       = one([for key, logs in local.access_logs : logs.bucket == null ? aws_s3_bucket.access_logs[key].bucket : logs.bucket.name])
}

output "leased_ports" {
  description = "The range that is open for leased listeners (from, to), or null."
  value       = var.leased_ports

  depends_on = [aws_vpc_security_group_ingress_rule.clients]
}

output "listeners" {
  description = "http and https: arn and port of each, null where there is none. Known only when the security group admits clients and reaches targets."
  value = {
    http  = one([for listener in aws_lb_listener.http : { arn = listener.arn, port = listener.port }])
    https = one([for listener in aws_lb_listener.https : { arn = listener.arn, port = listener.port }])
  }

  depends_on = [
    aws_lb_listener_certificate.additional,
    aws_vpc_security_group_egress_rule.targets,
    aws_vpc_security_group_ingress_rule.clients,
    aws_wafv2_web_acl_association.this,
  ]
}

output "load_balancer" {
  description = "arn; arn_suffix (the dimension of its metrics); dns_name and zone_id (for alias records of modules/dns); name."
  value = {
    arn        = aws_lb.this.arn
    arn_suffix = aws_lb.this.arn_suffix
    dns_name   = aws_lb.this.dns_name
    name       = aws_lb.this.name
    zone_id    = aws_lb.this.zone_id
  }
}

output "security_group_id" {
  description = "The load balancer's security group: what tasks admit requests from."
  value       = aws_security_group.this.id
}
