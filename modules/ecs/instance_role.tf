# What the agent on an instance may do: join this cluster and report on its tasks. Images, logs and secrets are the execution roles' affair.

resource "aws_iam_role" "instances" {
  for_each = local.instances

  name               = "${var.name}-instance"
  description        = "What the agent on instances of ${var.name} may do: join the cluster"
  assume_role_policy = data.aws_iam_policy_document.instances_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "instances_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.${data.aws_partition.current.dns_suffix}"]
    }
  }
}

resource "aws_iam_instance_profile" "instances" {
  for_each = local.instances

  name = "${var.name}-instance"
  role = aws_iam_role.instances[each.key].name

  tags = var.tags
}

resource "aws_iam_role_policy" "instances" {
  for_each = local.instances

  name   = "join"
  role   = aws_iam_role.instances[each.key].name
  policy = data.aws_iam_policy_document.agent.json
}

data "aws_iam_policy_document" "agent" {
  #checkov:skip=CKV_AWS_356:Where an agent is to connect is asked without a resource
  #checkov:skip=CKV_AWS_111:Where an agent is to connect is asked without a resource
  statement {
    sid       = "FindEndpoint"
    actions   = ["ecs:DiscoverPollEndpoint"]
    resources = ["*"]
  }

  statement {
    sid       = "JoinCluster"
    actions   = ["ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:SubmitAttachmentStateChanges", "ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange"]
    resources = ["${local._arn.ecs}:cluster/${var.name}"]
  }

  statement {
    sid       = "TakeTasks"
    actions   = ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"]
    resources = ["${local._arn.ecs}:container-instance/${var.name}/*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["${local._arn.ecs}:cluster/${var.name}"]
    }
  }

  statement {
    sid       = "TagOnJoining"
    actions   = ["ecs:TagResource"]
    resources = ["${local._arn.ecs}:container-instance/${var.name}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RegisterContainerInstance"]
    }
  }
}
