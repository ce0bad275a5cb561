data "aws_region" "current" {}

resource "aws_vpc" "this" {
  cidr_block                       = var.cidr
  assign_generated_ipv6_cidr_block = var.ipv6 ? true : null
  enable_dns_support               = true
  enable_dns_hostnames             = true # private names of interface endpoints need it

  tags = merge(var.tags, { Name = var.name })

  lifecycle {
    precondition {
      condition     = alltrue([for zone in var.zones : startswith(zone, data.aws_region.current.region)])
      error_message = "zones (${join(", ", var.zones)}) are not of ${data.aws_region.current.region}, the region of the aws provider that this module was given."
    }
  }
}

# What nobody chose must not carry traffic: the VPC's own security group and route table stay, and are emptied.

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_default_route_table" "closed" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  route                  = []

  tags = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_internet_gateway" "this" {
  for_each = contains(var.tiers, "public") ? toset(["public"]) : toset([])

  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_egress_only_internet_gateway" "this" {
  for_each = var.ipv6 && contains(var.tiers, "private") ? toset(["private"]) : toset([])

  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = var.name })
}
