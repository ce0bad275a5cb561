locals {
  # One network interface in each zone, where the tasks are.
  endpoint_subnets = contains(var.tiers, "private") ? aws_subnet.private : aws_subnet.isolated
  has_interface    = length(var.endpoints.interface) > 0 ? toset(["endpoints"]) : toset([])
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = var.endpoints.gateway

  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  policy            = lookup(var.endpoints.policies, each.key, null)
  route_table_ids = concat(
    values(aws_route_table.public)[*].id,
    values(aws_route_table.private)[*].id,
    values(aws_route_table.isolated)[*].id,
  )

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.endpoints.interface

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${data.aws_region.current.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  policy              = lookup(var.endpoints.policies, each.key, null)
  private_dns_enabled = true
  subnet_ids          = values(local.endpoint_subnets)[*].id
  security_group_ids  = [aws_security_group.endpoints["endpoints"].id]

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_security_group" "endpoints" {
  #checkov:skip=CKV2_AWS_5:The interface endpoints above have it; the check does not know them as something to attach it to
  for_each = local.has_interface

  name        = "${var.name}-endpoints"
  description = "HTTPS from the VPC to the interface endpoints"
  vpc_id      = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_ipv4" {
  for_each = local.has_interface

  security_group_id = aws_security_group.endpoints[each.key].id
  description       = "HTTPS from the VPC"
  cidr_ipv4         = aws_vpc.this.cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_ipv6" {
  for_each = var.ipv6 ? local.has_interface : toset([])

  security_group_id = aws_security_group.endpoints[each.key].id
  description       = "HTTPS from the VPC"
  cidr_ipv6         = aws_vpc.this.ipv6_cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}
