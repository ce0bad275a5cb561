output "endpoints" {
  description = "Endpoint ids by service: gateway and interface; the security group of the interface ones (null without them)."
  value = {
    gateway           = { for name, endpoint in aws_vpc_endpoint.gateway : name => { id = endpoint.id, prefix_list_id = endpoint.prefix_list_id } }
    interface         = { for name, endpoint in aws_vpc_endpoint.interface : name => { id = endpoint.id } }
    security_group_id = one(values(aws_security_group.endpoints)[*].id)
  }
}

output "flow_logs" {
  description = "Where flow logs go: the log group (null when they go to S3), and the destination's ARN (null without flow logs)."
  value = {
    destination_arn = one(values(aws_flow_log.this)[*].log_destination)
    log_group_name  = one(values(aws_cloudwatch_log_group.flow_logs)[*].name)
  }
}

output "nat_public_ips" {
  description = "Addresses under which private subnets appear on the internet, by zone; for allow-lists of others. Empty without NAT."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}

output "networks" {
  description = "For each tier (public, private, isolated; null for one that is not in use) what the `network` variable of the other modules takes. Known only when routes and endpoints work, so that what starts there can reach what it needs."
  value = {
    for tier, subnets in { isolated = aws_subnet.isolated, private = aws_subnet.private, public = aws_subnet.public } : tier => contains(var.tiers, tier) ? {
      vpc_id                        = aws_vpc.this.id
      subnet_ids                    = [for zone in var.zones : subnets[zone].id]
    } : null
  }

  depends_on = [
    aws_route.private_ipv4,
    aws_route.private_ipv6,
    aws_route.public_ipv4,
    aws_route.public_ipv6,
    aws_route_table_association.isolated,
    aws_route_table_association.private,
    aws_route_table_association.public,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_ingress_rule.endpoints_ipv4,
    aws_vpc_security_group_ingress_rule.endpoints_ipv6,
  ]
}

output "route_table_ids" {
  description = "Route tables by tier and then by zone (the public and the isolated tier have one each, under their own name): for peering and VPN routes."
  value = {
    isolated = { for key, table in aws_route_table.isolated : key => table.id }
    private  = { for zone, table in aws_route_table.private : zone => table.id }
    public   = { for key, table in aws_route_table.public : key => table.id }
  }
}

output "subnets" {
  description = "The address plan: by tier and zone the subnet's id, its IPv4 range, and its IPv6 range (null without IPv6)."
  value = {
    for tier, subnets in { isolated = aws_subnet.isolated, private = aws_subnet.private, public = aws_subnet.public } : tier => {
      for zone, subnet in subnets : zone => { id = subnet.id, cidr = subnet.cidr_block, ipv6_cidr = var.ipv6 ? subnet.ipv6_cidr_block : null }
    }
  }
}

output "vpc" {
  description = "The VPC: id, arn, cidr, ipv6_cidr (null without IPv6)."
  value = {
    id        = aws_vpc.this.id
    arn       = aws_vpc.this.arn
    cidr      = aws_vpc.this.cidr_block
    ipv6_cidr = var.ipv6 ? aws_vpc.this.ipv6_cidr_block : null
  }
}
