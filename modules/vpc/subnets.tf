locals {
  # Zone by zone a quarter of the VPC; of a quarter the first half is private, the third fourth public, and the seventh eighth isolated.
  # The last eighth stays free. Nothing here depends on how many zones or tiers are in use, so adding one moves no other.
  # `bits` and `block` are cidrsubnet's within a quarter; `ipv6` is the place among the four /64 of a zone.
  _tiers = {
    private  = { bits = 1, block = 0, ipv6 = 0 }
    public   = { bits = 2, block = 2, ipv6 = 1 }
    isolated = { bits = 3, block = 6, ipv6 = 2 }
  }

  _quarters = { for index, zone in var.zones : zone => cidrsubnet(var.cidr, 2, index) }

  _subnets = merge([
    for tier, place in local._tiers : {
      for index, zone in var.zones : "${tier}/${zone}" => {
        tier       = tier
        zone       = zone
        cidr       = cidrsubnet(local._quarters[zone], place.bits, place.block)
        ipv6_block = index * 4 + place.ipv6
      }
    } if contains(var.tiers, tier)
  ]...)

  # A tier that is not in use has no subnets, and its resources have no instances.
  subnets = {
    for tier in keys(local._tiers) : tier => { for subnet in values(local._subnets) : subnet.zone => subnet if subnet.tier == tier }
  }
}

resource "aws_subnet" "public" {
  for_each = local.subnets.public

  vpc_id                          = aws_vpc.this.id
  availability_zone               = each.key
  cidr_block                      = each.value.cidr
  ipv6_cidr_block                 = var.ipv6 ? cidrsubnet(aws_vpc.this.ipv6_cidr_block, 8, each.value.ipv6_block) : null
  assign_ipv6_address_on_creation = var.ipv6
  # Load balancers and NAT gateways bring their own addresses; an instance gets a public one only if it asks.
  map_public_ip_on_launch = false

  tags = merge(var.tags, var.subnet_tags.public, { Name = "${var.name}-public-${each.key}" })
}

resource "aws_subnet" "private" {
  for_each = local.subnets.private

  vpc_id                          = aws_vpc.this.id
  availability_zone               = each.key
  cidr_block                      = each.value.cidr
  ipv6_cidr_block                 = var.ipv6 ? cidrsubnet(aws_vpc.this.ipv6_cidr_block, 8, each.value.ipv6_block) : null
  assign_ipv6_address_on_creation = var.ipv6
  map_public_ip_on_launch         = false

  tags = merge(var.tags, var.subnet_tags.private, { Name = "${var.name}-private-${each.key}" })
}

resource "aws_subnet" "isolated" {
  for_each = local.subnets.isolated

  vpc_id                          = aws_vpc.this.id
  availability_zone               = each.key
  cidr_block                      = each.value.cidr
  ipv6_cidr_block                 = var.ipv6 ? cidrsubnet(aws_vpc.this.ipv6_cidr_block, 8, each.value.ipv6_block) : null
  assign_ipv6_address_on_creation = var.ipv6
  map_public_ip_on_launch         = false

  tags = merge(var.tags, var.subnet_tags.isolated, { Name = "${var.name}-isolated-${each.key}" })
}
