locals {
  _ports = {
    for name, ports in {
      http   = var.http == null ? null : { from = var.http.port, to = var.http.port }
      https  = var.https == null ? null : { from = var.https.port, to = var.https.port }
      leased = var.leased_ports
    } : name => ports if ports != null
  }

  _clients = merge(
    { for name, range in var.clients.ipv4 : "ipv4/${name}" => { ipv4 = range, ipv6 = null, list = null, group = null } },
    { for name, range in var.clients.ipv6 : "ipv6/${name}" => { ipv4 = null, ipv6 = range, list = null, group = null } },
    { for name, list in var.clients.prefix_list_ids : "list/${name}" => { ipv4 = null, ipv6 = null, list = list, group = null } },
    { for name, group in var.clients.security_group_ids : "group/${name}" => { ipv4 = null, ipv6 = null, list = null, group = group } },
  )

  # One rule for each client and each listener or range of ports.
  ingress = merge([
    for client_name, client in local._clients : {
      for port_name, ports in local._ports : "${port_name}/${client_name}" => merge(client, ports, { what = port_name })
    }
  ]...)

  egress = merge(
    { for name, range in var.targets.ipv4 : "ipv4/${name}" => { ipv4 = range, group = null } },
    { for name, group in var.targets.security_group_ids : "group/${name}" => { ipv4 = null, group = group } },
  )
}

resource "aws_security_group" "this" {
  name        = "${var.name}-alb"
  description = "Clients of the load balancer ${var.name}, and its way to the targets"
  vpc_id      = var.network.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-alb" })
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = local.ingress

  #checkov:skip=CKV_AWS_260:Port 80 is open to whom clients names, for redirection
  security_group_id            = aws_security_group.this.id
  description                  = "${each.value.what} for ${split("/", each.key)[2]}"
  cidr_ipv4                    = each.value.ipv4
  cidr_ipv6                    = each.value.ipv6
  prefix_list_id               = each.value.list
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.from
  to_port                      = each.value.to

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  for_each = local.egress

  security_group_id            = aws_security_group.this.id
  description                  = "To the targets ${split("/", each.key)[1]}"
  cidr_ipv4                    = each.value.ipv4
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = var.targets.from_port
  to_port                      = var.targets.to_port

  tags = var.tags
}
