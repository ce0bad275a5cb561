# Values that only an apply knows, where the module takes values of other resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
    helm = {
      source = "hashicorp/helm"
    }
  }
}

resource "aws_vpc" "this" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_route53_zone" "this" {
  name = "models.example.com"
}

resource "aws_efs_file_system" "this" {
  encrypted = true
}

resource "aws_secretsmanager_secret" "this" {
  name_prefix = "serving-"
}

resource "aws_kms_key" "this" {
  enable_key_rotation = true
}

resource "aws_eks_cluster" "this" {
  name     = "serving"
  role_arn = "arn:aws:iam::123456789012:role/cluster"

  vpc_config {
    subnet_ids = ["subnet-0a", "subnet-0b"]
  }
}

module "addons" {
  source = "../.."

  name    = "serving"
  cluster = { arn = aws_eks_cluster.this.arn, name = aws_eks_cluster.this.name }
  addons = {
    aws_efs_csi_driver           = { file_system_arns = { models = aws_efs_file_system.this.arn } }
    aws_load_balancer_controller = { vpc_id = aws_vpc.this.id }
    cert_manager                 = { zone_arns = { models = aws_route53_zone.this.arn } }
    external_dns                 = { zone_arns = { models = aws_route53_zone.this.arn } }
    external_secrets             = { secret_arns = { model = aws_secretsmanager_secret.this.arn }, kms_key_arns = { own = aws_kms_key.this.arn } }
  }
}

output "versions" {
  description = "Known before the rest."
  value       = module.addons.versions
}
