# Many VPCs with generated inputs at once, and their subnets as ranges of numbers, so that a test can compare them
# without the functions by which the module computes them.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "seed" {
  description = "Another seed, other inputs."
  type        = string
}

variable "cases" {
  description = "How many VPCs."
  type        = number
  default     = 24
}

locals {
  hash = [for n in range(var.cases) : sha256("${var.seed}/${n}")]

  inputs = { for n in range(var.cases) : format("%03d", n) => {
    prefix = 16 + parseint(substr(local.hash[n], 0, 4), 16) % 8
    zones  = slice(["eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d"], 0, 2 + parseint(substr(local.hash[n], 4, 4), 16) % 3)
    # A multiple of 512 addresses within 10.0.0.0/8, of which the prefix takes the beginning.
    base = "10.${parseint(substr(local.hash[n], 8, 4), 16) % 256}.${parseint(substr(local.hash[n], 12, 4), 16) % 128 * 2}.0"
  } }
}

module "vpc" {
  source   = "../.."
  for_each = local.inputs

  name      = "case-${each.key}"
  cidr      = "${cidrhost("${each.value.base}/${each.value.prefix}", 0)}/${each.value.prefix}"
  zones     = each.value.zones
  endpoints = { interface = [] }
  flow_logs = null
}

locals {
  # Each range as its first and last number.
  ranges = { for key, input in local.inputs : key => concat(
    [{ tier = "vpc", cidr = module.vpc[key].vpc.cidr }],
    flatten([for tier, subnets in module.vpc[key].subnets : [for subnet in values(subnets) : { tier = tier, cidr = subnet.cidr }]]),
  ) }

  numbers = { for key, ranges in local.ranges : key => [for range in ranges : {
    tier  = range.tier
    cidr  = range.cidr
    first = sum([for place, octet in split(".", split("/", range.cidr)[0]) : tonumber(octet) * pow(256, 3 - place)])
    size  = pow(2, 32 - tonumber(split("/", range.cidr)[1]))
  }] }
}

output "cases" {
  description = "For each case: the input, the range of the VPC and those of its subnets, in the order of their addresses."
  value = { for key, numbers in local.numbers : key => {
    zones  = length(local.inputs[key].zones)
    prefix = local.inputs[key].prefix
    vpc    = one([for range in numbers : range if range.tier == "vpc"])
    subnets = [for first in sort([for range in numbers : format("%010d", range.first) if range.tier != "vpc"]) :
    [for range in numbers : range if range.tier != "vpc" && format("%010d", range.first) == first][0]]
  } }
}
