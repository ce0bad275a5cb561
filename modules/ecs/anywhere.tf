# ECS Anywhere: machines of one's own, which Systems Manager knows by an activation and which then join the cluster (launch type EXTERNAL).

locals {
  anywhere    = { for key in ["anywhere"] : key => var.anywhere if var.anywhere != null }
  activations = merge([for anywhere in values(local.anywhere) : anywhere.activations]...)
}

resource "aws_iam_role" "external" {
  for_each = local.anywhere

  name               = "${var.name}-external"
  description        = "What the agents on machines of ones own may do: be managed, and join ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.external_trust.json

  tags = var.tags
}

data "aws_iam_policy_document" "external_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ssm.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local._arn.ssm}:*"]
    }
  }
}

resource "aws_iam_role_policy" "external" {
  for_each = local.anywhere

  name   = "join"
  role   = aws_iam_role.external[each.key].name
  policy = data.aws_iam_policy_document.agent.json
}

resource "aws_iam_role_policy_attachment" "external" {
  for_each = local.anywhere

  role       = aws_iam_role.external[each.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_ssm_activation" "anywhere" {
  for_each = local.activations

  name               = "${var.name}-${each.key}"
  description        = "Machines ${each.key} of the cluster ${var.name}"
  iam_role           = aws_iam_role.external["anywhere"].name
  expiration_date    = each.value.expires
  registration_limit = each.value.machines

  tags = var.tags

  depends_on = [aws_iam_role_policy.external, aws_iam_role_policy_attachment.external]
}

# The code is read here by who installs a machine; it is in no output.
resource "aws_secretsmanager_secret" "activation" {
  for_each = local.activations

  #checkov:skip=CKV_AWS_149:Secrets Manager encrypts with the key of AWS for it; a customer's key is anywhere.kms_key
  #checkov:skip=CKV2_AWS_57:A code ends by itself, and a new one is a new date in anywhere.activations
  name        = "${var.name}/anywhere/${each.key}"
  description = "activation_id and activation_code for machines ${each.key} of the cluster ${var.name}"
  kms_key_id  = one([for anywhere in values(local.anywhere) : anywhere.kms_key == null ? null : anywhere.kms_key.arn])
  # What it holds ends by itself, and the name is to be free again.
  recovery_window_in_days = 0

  tags = var.tags
}

resource "aws_secretsmanager_secret_version" "activation" {
  for_each = local.activations

  secret_id                = aws_secretsmanager_secret.activation[each.key].id
  secret_string_wo         = jsonencode({ activation_code = aws_ssm_activation.anywhere[each.key].activation_code, activation_id = aws_ssm_activation.anywhere[each.key].id })
  secret_string_wo_version = 1

  # A new activation has a new code, which nothing else here would show.
  lifecycle {
    replace_triggered_by = [aws_ssm_activation.anywhere[each.key]]
  }
}
