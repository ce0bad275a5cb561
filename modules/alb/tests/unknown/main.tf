# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_vpc" "this" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "public" {
  for_each = { "eu-west-1a" = "10.20.0.0/20", "eu-west-1b" = "10.20.16.0/20" }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
}

resource "aws_security_group" "tasks" {
  vpc_id = aws_vpc.this.id
}

resource "aws_acm_certificate" "this" {
  domain_name       = "models.example.com"
  validation_method = "DNS"
}

resource "aws_s3_bucket" "logs" {
  bucket_prefix = "alb-logs-"
}

module "alb" {
  source = "../.."

  name         = "serving"
  scheme       = "internet-facing"
  network      = { vpc_id = aws_vpc.this.id, subnet_ids = values(aws_subnet.public)[*].id }
  https        = { certificate_arn = aws_acm_certificate.this.arn }
  clients      = { ipv4 = { everybody = "0.0.0.0/0" }, security_group_ids = { tasks = aws_security_group.tasks.id } }
  targets      = { security_group_ids = { tasks = aws_security_group.tasks.id } }
  access_logs  = { bucket = { name = aws_s3_bucket.logs.bucket } }
  leased_ports = { from = 9000, to = 9049 }
}

output "leased_ports" {
  description = "Known before the rest."
  value       = module.alb.leased_ports
}
