# A certificate whose proof stands in somebody else's DNS: in a state without the zone of the other tests.

provider "aws" {
  region = "eu-west-1"
}

run "a_certificate_for_foreign_dns_gives_its_records" {
  command = apply
  variables {
    zone        = null
    certificate = { domain_name = "models.example.org", validation = "foreign", key_algorithm = "RSA_2048" }
  }

  assert {
    condition     = length(aws_route53_record.validation) == 0 && length(aws_acm_certificate_validation.this) == 0 && length(aws_route53_zone.this) == 0
    error_message = "Something is put into a zone, or waited for."
  }

  assert {
    condition     = output.certificate_validation_records["models.example.org"].type == "CNAME" && output.certificate_validation_records["models.example.org"].value != ""
    error_message = "The records are not told."
  }

  assert {
    condition     = output.zone == null && aws_acm_certificate.this["certificate"].key_algorithm == "RSA_2048" && output.certificate.arn == aws_acm_certificate.this["certificate"].arn
    error_message = "The certificate is not as it was asked for."
  }
}
