# Dual stack over three zones, out through a gateway in each, with flow logs in a bucket of the security team.

provider "aws" {
  region = "eu-west-1"
}

module "vpc" {
  source = "../.."

  name  = "serving-prod"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  nat   = "per_zone"
  ipv6  = true

  reserved_cidrs = {
    office = "192.168.0.0/16"
    qa     = "10.10.0.0/16"
  }

  endpoints = {
    policies = {
      s3 = data.aws_iam_policy_document.s3.json
    }
  }

  flow_logs = {
    traffic             = "REJECT"
    aggregation_seconds = 60
    bucket              = { arn = "arn:aws:s3:::security-flow-logs/serving-prod/" }
  }

  subnet_tags = {
    private = { "karpenter.sh/discovery" = "serving-prod", "kubernetes.io/role/internal-elb" = "1" }
  }

  tags = { environment = "prod" }
}

# Reads what it likes, for image layers lie in buckets of AWS; writes only to this account's buckets.
data "aws_iam_policy_document" "s3" {
  #checkov:skip=CKV_AWS_108:The policy of an endpoint gives nobody a right; it confines those that callers have
  #checkov:skip=CKV_AWS_356:The policy of an endpoint gives nobody a right; it confines those that callers have
  statement {
    actions   = ["s3:Get*", "s3:List*"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  statement {
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject*", "s3:PutObject*"]
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "s3:ResourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_caller_identity" "current" {}

output "plan_of_addresses" {
  description = "Which subnet has which range."
  value       = module.vpc.subnets
}
