# Which capacity the cluster has, and which of it a service takes that names none.

locals {
  capacity_providers = merge(
    { for name in var.cluster.fargate : name => name },
    { for name, provider in aws_ecs_capacity_provider.instances : name => provider.name },
  )
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = values(local.capacity_providers)

  dynamic "default_capacity_provider_strategy" {
    for_each = var.default_strategy

    content {
      # A key that names nothing was refused by the variable.
      capacity_provider = local.capacity_providers[default_capacity_provider_strategy.key]
      base              = default_capacity_provider_strategy.value.base
      weight            = default_capacity_provider_strategy.value.weight
    }
  }
}
