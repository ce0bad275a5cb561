# IPv6, with ranges that only an apply tells: in a state of its own.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name  = "serving"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b"]
}

run "ipv6_gives_each_subnet_a_range_and_private_ones_a_way_out_only" {
  command = apply
  variables { ipv6 = true }

  override_resource {
    target = aws_vpc.this
    values = { ipv6_cidr_block = "2a05:d018:1:2300::/56" }
  }

  override_resource {
    target = aws_egress_only_internet_gateway.this
    values = { id = "eigw-0a1b2c3d4e5f60718" }
  }

  assert {
    condition = { for zone, subnet in aws_subnet.private : zone => subnet.ipv6_cidr_block } == {
      "eu-west-1a" = "2a05:d018:1:2300::/64", "eu-west-1b" = "2a05:d018:1:2304::/64"
    }
    error_message = "Each zone has four of the 256 ranges, the first of them private."
  }

  assert {
    condition     = length(distinct([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.isolated)) : subnet.ipv6_cidr_block])) == 6
    error_message = "Two subnets share a range."
  }

  assert {
    condition     = alltrue([for route in aws_route.private_ipv6 : route.egress_only_gateway_id == "eigw-0a1b2c3d4e5f60718"]) && length(aws_route.private_ipv6) == 2
    error_message = "Private subnets reach out over IPv6 by the egress-only gateway, NAT or not."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints_ipv6["endpoints"].cidr_ipv6 == "2a05:d018:1:2300::/56"
    error_message = "Endpoints admit the VPC's own IPv6 range."
  }
}
