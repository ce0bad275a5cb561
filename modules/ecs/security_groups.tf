# One for each group of instances. Tasks with addresses of their own (awsvpc) have groups of their own.

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
