# Amazon Managed Grafana, with a role that reads the workspace of Prometheus and metrics of CloudWatch, and nothing else.

locals {
  grafana = { for key, workspace in { workspace = var.grafana.workspace } : key => workspace if workspace != null }

  grafana_groups = merge([for key, workspace in local.grafana : workspace.groups]...)
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_grafana_workspace" "this" {
  for_each = local.grafana

  name                     = var.name
  description              = "Dashboards of model endpoints of ${var.name}"
  account_access_type      = "CURRENT_ACCOUNT"
  authentication_providers = each.value.authentication
  permission_type          = "CUSTOMER_MANAGED"
  role_arn                 = aws_iam_role.grafana[each.key].arn
  grafana_version          = each.value.version
  configuration            = jsonencode({ plugins = { pluginAdminEnabled = false }, unifiedAlerting = { enabled = true } })

  dynamic "network_access_control" {
    for_each = each.value.reachable_from[*]
    content {
      prefix_list_ids = network_access_control.value.prefix_list_ids
      vpce_ids        = network_access_control.value.vpc_endpoint_ids
    }
  }

  tags = var.tags
}

resource "aws_grafana_role_association" "this" {
  for_each = local.grafana_groups

  role         = each.key
  group_ids    = each.value
  workspace_id = aws_grafana_workspace.this["workspace"].id
}

data "aws_iam_policy_document" "grafana_trust" {
  for_each = local.grafana

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["grafana.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    # The workspace's own ARN is known only when the role is there.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:grafana:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:/workspaces/*"]
    }
  }
}

resource "aws_iam_role" "grafana" {
  for_each = local.grafana

  name               = "${var.name}-grafana"
  description        = "What Grafana of ${var.name} may read"
  assume_role_policy = data.aws_iam_policy_document.grafana_trust[each.key].json

  tags = var.tags
}

resource "aws_iam_role_policy" "grafana" {
  for_each = local.grafana

  name   = "read"
  role   = aws_iam_role.grafana[each.key].name
  policy = data.aws_iam_policy_document.grafana[each.key].json
}

data "aws_iam_policy_document" "grafana" {
  for_each = local.grafana

  #checkov:skip=CKV_AWS_356:Metrics and alarms of CloudWatch are read by name, and have no ARN to be confined to
  dynamic "statement" {
    for_each = local.managed

    content {
      sid       = "ReadSamples"
      actions   = ["aps:DescribeWorkspace", "aps:GetLabels", "aps:GetMetricMetadata", "aps:GetSeries", "aps:QueryMetrics"]
      resources = [local.workspace_arn]
    }
  }

  statement {
    sid       = "ReadMetrics"
    actions   = ["cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmsForMetric", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
    resources = ["*"]
  }
}
