# One for each group of instances, and one for each server: tasks with addresses of their own (awsvpc) are not reached through that of an instance.

resource "aws_security_group" "instances" {
  for_each = var.instances

  #checkov:skip=CKV2_AWS_5:Attached by the launch template of its group
  name        = "${var.name}-${each.key}"
  description = "Instances ${each.key} of the cluster ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = local.clients

  security_group_id            = aws_security_group.instances[each.value.group].id
  description                  = "Ports that ECS assigns to containers, for ${split("/", each.key)[1]}"
  referenced_security_group_id = each.value.id
  ip_protocol                  = "tcp"
  from_port                    = 32768
  to_port                      = 65535

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "instances_ipv4" {
  for_each = var.instances

  security_group_id = aws_security_group.instances[each.key].id
  description       = "APIs of AWS and registries of images"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "instances_ipv6" {
  for_each = var.instances

  security_group_id = aws_security_group.instances[each.key].id
  description       = "APIs of AWS and registries of images"
  cidr_ipv6         = "::/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

locals {
  # Objects decide what there is; their values may be known only after an apply.
  placed_servers = { for name, server in var.servers : name => server if var.network != null }

  server_clients = merge([
    for name, server in local.placed_servers : { for client, id in server.clients : "${name}/${client}" => { id = id, server = name } }
  ]...)
}

resource "aws_security_group" "servers" {
  for_each = local.placed_servers

  #checkov:skip=CKV2_AWS_5:Tasks take it, and whatever starts them
  name        = "${var.name}-${each.key}-server"
  description = "Tasks of the model server ${each.key} in the cluster ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}-server" })
}

resource "aws_vpc_security_group_ingress_rule" "server_clients" {
  for_each = local.server_clients

  security_group_id            = aws_security_group.servers[each.value.server].id
  description                  = "The port of the model server, for ${split("/", each.key)[1]}"
  referenced_security_group_id = each.value.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "servers_ipv4" {
  for_each = local.placed_servers

  security_group_id = aws_security_group.servers[each.key].id
  description       = "APIs of AWS, registries of images, artifacts"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "servers_ipv6" {
  for_each = local.placed_servers

  security_group_id = aws_security_group.servers[each.key].id
  description       = "APIs of AWS, registries of images, artifacts"
  cidr_ipv6         = "::/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}
