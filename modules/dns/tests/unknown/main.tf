# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_route53_zone" "this" {
  name = "example.com"
}

resource "aws_eip" "this" {
  domain = "vpc"
}

resource "aws_lb" "this" {
  subnets = ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"]
}

module "dns" {
  source = "../.."

  zone = { name = "example.com", existing = { id = aws_route53_zone.this.zone_id } }
  records = {
    one = { name = "one", alias = { dns_name = aws_lb.this.dns_name, zone_id = aws_lb.this.zone_id } }
    two = { name = "two", values = [aws_eip.this.public_ip] }
  }
  certificate = { domain_name = "example.com", alternative_names = ["*.example.com"] }
}

output "names" {
  description = "Known before the rest."
  value       = toset(keys(module.dns.records))
}
