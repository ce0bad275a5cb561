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

resource "aws_subnet" "private" {
  for_each = { "eu-west-1a" = "10.20.0.0/20", "eu-west-1b" = "10.20.16.0/20" }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
}

resource "aws_security_group" "runners" {
  vpc_id = aws_vpc.this.id
}

resource "aws_kms_key" "this" {
  enable_key_rotation = true
}

resource "aws_iam_role" "platform" {
  name_prefix        = "platform-"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_iam_policy" "made" {
  name_prefix = "models-"
  policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.this.arn }] })
}

module "eks" {
  source = "../.."

  name           = "serving"
  network        = { vpc_id = aws_vpc.this.id, subnet_ids = values(aws_subnet.private)[*].id }
  cluster        = { version = "1.33", kms_key = { arn = aws_kms_key.this.arn } }
  endpoint       = { private_security_group_ids = { runners = aws_security_group.runners.id } }
  logging        = { kms_key_arn = aws_kms_key.this.arn }
  access_entries = { platform = { principal_arn = aws_iam_role.platform.arn, policies = { AmazonEKSClusterAdminPolicy = [] } } }
  identities     = { server = { namespace = "models", service_account = "server", policies = { own = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.this.arn }] }) }, policy_arns = { made = aws_iam_policy.made.arn } } }
  node_groups    = { general = { instance_types = ["m7i.xlarge"], max_size = 3, subnet_ids = [aws_subnet.private["eu-west-1a"].id] } }
}

output "log_group_name" {
  description = "Known before the rest."
  value       = module.eks.log_group_name
}
