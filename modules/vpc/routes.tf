locals {
  nat_zones = { none = [], single = slice(var.zones, 0, 1), per_zone = var.zones }[var.nat]

  # Which gateway a private zone leaves by. The tables are one for each zone in any case, so a change of `nat` moves routes and replaces no table.
  nat_zone_of = { for zone in keys(local.subnets.private) : zone => var.nat == "per_zone" ? zone : var.zones[0] if var.nat != "none" }
}

# Public: one table, since all zones share the gateway.

resource "aws_route_table" "public" {
  for_each = contains(var.tiers, "public") ? toset(["public"]) : toset([])

  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-public" })
}

resource "aws_route" "public_ipv4" {
  for_each = aws_route_table.public

  route_table_id         = each.value.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[each.key].id
}

resource "aws_route" "public_ipv6" {
  for_each = { for key, table in aws_route_table.public : key => table if var.ipv6 }

  route_table_id              = each.value.id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.this[each.key].id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public["public"].id
}

# Private: a table for each zone.

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = merge(var.tags, { Name = "${var.name}-nat-${each.key}" })

  # An address in a VPC without a gateway to the internet is refused.
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })

  depends_on = [aws_route.public_ipv4]
}

resource "aws_route_table" "private" {
  for_each = local.subnets.private

  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-private-${each.key}" })
}

resource "aws_route" "private_ipv4" {
  for_each = local.nat_zone_of

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.value].id
}

resource "aws_route" "private_ipv6" {
  for_each = { for zone, subnet in local.subnets.private : zone => subnet if var.ipv6 }

  route_table_id              = aws_route_table.private[each.key].id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.this["private"].id
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[each.key].id
}

# Isolated: one table without a route, so that gateway endpoints have a place.

resource "aws_route_table" "isolated" {
  for_each = contains(var.tiers, "isolated") ? toset(["isolated"]) : toset([])

  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-isolated" })
}

resource "aws_route_table_association" "isolated" {
  for_each = aws_subnet.isolated

  subnet_id      = each.value.id
  route_table_id = aws_route_table.isolated["isolated"].id
}
