# The layout is the provider's; it makes no index and asks for none.
resource "aws_dynamodb_table" "this" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.table.deletion_protection
  hash_key                    = "PK"
  range_key                   = "SK"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "PK"
    type = "S"
  }

  attribute {
    name = "SK"
    type = "S"
  }

  # Only events have it.
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled                 = true
    recovery_period_in_days = var.table.recovery_days
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = local.kms_key_arn
  }

  dynamic "replica" {
    for_each = var.replicas

    content {
      region_name                 = replica.key
      deletion_protection_enabled = var.table.deletion_protection
      kms_key_arn                 = replica.value.kms_key_arn
      point_in_time_recovery      = true
      propagate_tags              = true
    }
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = !contains(keys(var.replicas), data.aws_region.current.region)
      error_message = "replicas names ${data.aws_region.current.region}, which is the home region of this registry. Take it out, or make the registry in another region."
    }
  }
}
