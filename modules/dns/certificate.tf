locals {
  _certificate = { for key in ["certificate"] : key => var.certificate if var.certificate != null }
  _validated   = { for key, certificate in local._certificate : key => certificate if certificate.validation == "zone" }

  # A name and its wildcard are proved by one record, so the names without the wildcard's star are the keys: known at plan, where the records are not.
  _names = toset([for name in flatten([for certificate in local._certificate : concat([certificate.domain_name], tolist(certificate.alternative_names))]) : trimprefix(name, "*.")])

  # Several options prove one name; each of them is the same record.
  validation_records = { for name in local._names : name => [
    for option in flatten([for certificate in aws_acm_certificate.this : tolist(certificate.domain_validation_options)]) : {
      name  = option.resource_record_name
      type  = option.resource_record_type
      value = option.resource_record_value
    } if trimprefix(option.domain_name, "*.") == name
  ][0] }
}

resource "aws_acm_certificate" "this" {
  for_each = local._certificate

  domain_name               = each.value.domain_name
  subject_alternative_names = each.value.alternative_names
  key_algorithm             = each.value.key_algorithm
  validation_method         = "DNS"

  tags = var.tags

  # A listener keeps the old one until it has the new one.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  for_each = length(local._validated) > 0 ? local._names : toset([])

  zone_id         = local.zone_id
  name            = local.validation_records[each.key].name
  type            = local.validation_records[each.key].type
  records         = [local.validation_records[each.key].value]
  ttl             = 60
  allow_overwrite = true # a certificate for the same name in another region is proved by the same record
}

resource "aws_acm_certificate_validation" "this" {
  for_each = local._validated

  certificate_arn         = aws_acm_certificate.this[each.key].arn
  validation_record_fqdns = values(aws_route53_record.validation)[*].fqdn
}
