output "alertmanager" {
  description = "config: of an Alertmanager in a cluster, whose role may publish to the topics; definition: the same for aws_prometheus_alert_manager_definition of Amazon Managed Prometheus. null without alertmanager. Known only when the topics admit their publishers."
  value = var.alertmanager == null ? null : {
    config     = local.alertmanager_config
    definition = yamlencode({ alertmanager_config = local.alertmanager_config })
  }

  depends_on = [aws_sns_topic_policy.this]
}

output "kms_key_arn" {
  description = "The key of the topics: a role that publishes needs kms:Decrypt and kms:GenerateDataKey* for it."
  value       = var.kms_key == null ? one([for key in aws_kms_key.topics : key.arn]) : var.kms_key.arn
}

output "topics" {
  description = "ARN of each topic by its key, for actions of alarms. Known only when the topics admit their publishers."
  value       = { for name, topic in aws_sns_topic.this : name => topic.arn }

  depends_on = [aws_sns_topic_policy.this]
}
