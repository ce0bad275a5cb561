output "anywhere" {
  description = "role_arn of the machines, and activations by name: id, and secret_arn of the secret that holds activation_id and activation_code as JSON. null without anywhere."
  value = one([for role in values(aws_iam_role.external) : {
    activations = { for name in keys(local.activations) : name => {
      id         = aws_ssm_activation.anywhere[name].id
      secret_arn = aws_secretsmanager_secret.activation[name].arn
    } }
    role_arn = role.arn
  }])

  depends_on = [aws_secretsmanager_secret_version.activation]
}

output "capacity_providers" {
  description = "Name of each capacity provider by its key: FARGATE, FARGATE_SPOT, and those of instances. Known only when the cluster has them."
  value       = local.capacity_providers

  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "cluster" {
  description = "arn and name, for endpoints and for modules/observability. Known only when the cluster has its capacity."
  value = {
    arn  = aws_ecs_cluster.this.arn
    name = aws_ecs_cluster.this.name
  }

  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "exec_log_group" {
  description = "Name of the log group of sessions in tasks; null without exec."
  value       = one(values(aws_cloudwatch_log_group.exec)[*].name)
}

output "instances" {
  description = "By group of instances: autoscaling_group_name (the dimension of its metrics) and security_group_id. Known only when the group exists and may join the cluster."
  value = {
    for name, group in aws_autoscaling_group.instances : name => {
      autoscaling_group_name = group.name
      security_group_id      = aws_security_group.instances[name].id
    }
  }
}

output "servers" {
  description = "By server: execution_role_arn and task_role_arn, which an mlops_endpoint or a task definition takes; security_group_id, which its tasks take (null without a network); log_group, the name of what its execution role may write to, beside the log groups of endpoints in this cluster. Known only when the roles have their policies and the clients are let in."
  value = {
    for name in keys(var.servers) : name => {
      execution_role_arn = aws_iam_role.execution[name].arn
      log_group          = aws_cloudwatch_log_group.servers[name].name
      security_group_id  = var.network == null ? null : aws_security_group.servers[name].id
      task_role_arn      = aws_iam_role.task[name].arn
    }
  }

  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_vpc_security_group_egress_rule.servers_ipv4,
    aws_vpc_security_group_egress_rule.servers_ipv6,
    aws_vpc_security_group_ingress_rule.server_clients,
  ]
}
