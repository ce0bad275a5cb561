output "certificate" {
  description = "The certificate's arn and domain_name, or null. With validation = \"zone\" it is known only when the certificate is issued, so that a listener can take it at once."
  value = one([for key, certificate in aws_acm_certificate.this : {
    arn         = var.certificate.validation == "zone" ? aws_acm_certificate_validation.this[key].certificate_arn : certificate.arn
    domain_name = certificate.domain_name
  }])
}

output "certificate_validation_records" {
  description = "The records that prove ownership, by name: name, type (CNAME) and value; for the DNS of others. Empty without a certificate."
  value       = local.validation_records
}

output "health_checks" {
  description = "Ids of the health checks by name: the dimension of their metrics, which are in us-east-1."
  value       = { for name, check in aws_route53_health_check.this : name => check.id }
}

output "records" {
  description = "The full name of each record, by its key."
  value       = { for key in keys(var.records) : key => aws_route53_record.this[key].name }

  depends_on = [aws_route53_record.this]
}

output "zone" {
  description = "The zone's id and name, and its name_servers for the delegation at the parent (empty for an existing zone, which has its own already); null without a zone."
  value = var.zone == null ? null : {
    id           = local.zone_id
    name         = var.zone.name
    name_servers = flatten([for zone in aws_route53_zone.this : zone.name_servers])
  }
}
