# What ECS does to start Prometheus, and what Prometheus asks: which tasks there are in one cluster. It writes to one workspace.

data "aws_iam_policy_document" "scrapers_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    # ECS tells no cluster here.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:*"]
    }
  }
}

resource "aws_iam_role" "scraper_execution" {
  for_each = local.scrapers

  name               = "${var.name}-${each.key}-scraper-execution"
  description        = "What ECS does to start Prometheus of ${var.name}: its image, its log"
  assume_role_policy = data.aws_iam_policy_document.scrapers_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "scraper_execution" {
  for_each = local.scrapers

  name   = "start"
  role   = aws_iam_role.scraper_execution[each.key].name
  policy = data.aws_iam_policy_document.scraper_execution[each.key].json
}

data "aws_iam_policy_document" "scraper_execution" {
  for_each = local.scrapers

  #checkov:skip=CKV_AWS_356:A token for all repositories is the only one that ECR gives
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.scrapers[each.key].arn}:*"]
  }

  dynamic "statement" {
    for_each = each.value.repository[*]

    content {
      sid       = "PullImages"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = each.value.repository[*]

    content {
      sid       = "SignInToImages"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_role" "scrapers" {
  for_each = local.scrapers

  name               = "${var.name}-${each.key}-scraper"
  description        = "What Prometheus of ${var.name} asks and writes"
  assume_role_policy = data.aws_iam_policy_document.scrapers_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "scrapers" {
  for_each = local.scrapers

  name   = "scrape"
  role   = aws_iam_role.scrapers[each.key].name
  policy = data.aws_iam_policy_document.scrapers[each.key].json
}

data "aws_iam_policy_document" "scrapers" {
  for_each = local.scrapers

  #checkov:skip=CKV_AWS_356:ECS lists by a condition on the cluster, and EC2 describes addresses and instances of the whole account only
  statement {
    sid       = "WriteSamples"
    actions   = ["aps:RemoteWrite"]
    resources = [local.workspace_arn]
  }

  statement {
    sid     = "WhatRunsInTheCluster"
    actions = ["ecs:DescribeClusters", "ecs:DescribeContainerInstances", "ecs:DescribeServices", "ecs:DescribeTasks"]

    resources = concat([each.value.cluster.arn], [for kind in ["container-instance", "service", "task"] :
    "${replace(each.value.cluster.arn, ":cluster/", ":${kind}/")}/*"])
  }

  statement {
    sid       = "ListedInTheCluster"
    actions   = ["ecs:ListServices", "ecs:ListTasks"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [each.value.cluster.arn]
    }
  }

  statement {
    sid       = "Addresses"
    actions   = ["ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces"]
    resources = ["*"]
  }
}
