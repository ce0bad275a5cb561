# What is planned and, where only an apply tells, made.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "acme-mlops"
}

run "the_least_configuration_is_protected_encrypted_and_closed" {
  command = apply

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "PK" && aws_dynamodb_table.this.range_key == "SK" && one(aws_dynamodb_table.this.ttl).attribute_name == "expires_at"
    error_message = "The table has not the keys of the provider."
  }

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "The table is not on demand, protected and streamed."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.point_in_time_recovery).enabled && one(aws_dynamodb_table.this.point_in_time_recovery).recovery_period_in_days == 35
    error_message = "The table cannot be restored."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.server_side_encryption).kms_key_arn == aws_kms_key.this["registry"].arn && aws_kms_key.this["registry"].enable_key_rotation
    error_message = "The table is not encrypted with the module's key, which rotates."
  }

  assert {
    condition     = toset(keys(aws_s3_bucket.artifacts)) == toset(["home"]) && output.registry.bucket == "acme-mlops-123456789012-eu-west-1" && aws_s3_bucket.artifacts["home"].region == "eu-west-1"
    error_message = "The bucket is not the one that its name tells."
  }

  assert {
    condition     = aws_s3_bucket_versioning.artifacts["home"].versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.artifacts["home"].restrict_public_buckets
    error_message = "The bucket has no versions, or is open."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.artifacts["home"].rule).apply_server_side_encryption_by_default[0].kms_master_key_id == output.kms_key_arn
    error_message = "The bucket is not encrypted with the module's key."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.artifacts["home"].policy).Statement[0].Effect == "Deny"
    error_message = "The bucket may be reached without TLS."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.artifacts["home"].rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 7
    error_message = "Abandoned uploads stay."
  }

  assert {
    condition     = output.registry.table == "acme-mlops" && output.registry.prefix == "" && output.registry.kms_key_arn == aws_kms_key.this["registry"].arn
    error_message = "The provider's block is not told."
  }

  assert {
    condition     = output.stream == { arn = aws_dynamodb_table.this.stream_arn, kms_key_arn = aws_kms_key.this["registry"].arn } && !aws_s3_bucket.artifacts["home"].force_destroy
    error_message = "The stream is not told, or a destroy would take artifacts along."
  }

  assert {
    condition     = length(aws_s3_bucket_replication_configuration.artifacts) + length(aws_ecr_repository.this) + length(aws_s3_bucket_object_lock_configuration.artifacts) + length(aws_ecr_replication_configuration.this) == 0
    error_message = "Something is made that nobody asked for."
  }
}

run "readers_read_and_write_nothing" {
  command = apply

  assert {
    condition     = toset(keys(output.policies)) == toset(["reader", "publisher", "deployer"])
    error_message = "The three policies are not there."
  }

  assert {
    condition = length([
      for action in flatten([for statement in jsondecode(aws_iam_policy.access["reader"].policy).Statement : statement.Action]) :
      action if can(regex("Put|Update|Delete|Write|Abort|GenerateDataKey|Create|ConditionCheck", action))
    ]) == 0
    error_message = "A reader may write."
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_policy.access["publisher"].policy).Statement : statement if statement.Sid == "WriteArtifacts"]) == 1
    error_message = "A publisher may not upload."
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_policy.access["deployer"].policy).Statement : statement if statement.Sid == "WriteArtifacts"]) == 0
    error_message = "A deployer may upload."
  }
}

run "a_team_is_confined_to_its_names" {
  command = apply

  variables {
    access = { risk = { can = "deploy", models = ["risk-*"], endpoints = ["ecs/prod/risk-*"] }, publisher = { can = "publish", models = ["risk-*"] } }
  }

  assert {
    condition = toset([for statement in jsondecode(aws_iam_policy.access["risk"].policy).Statement : statement if statement.Sid == "WriteRecords"][0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]) == toset([
      "registry", "models#*", "pending", "sessions", "session#*", "model#risk-*", "events#model#risk-*",
      "endpoint#ecs/prod/risk-*", "events#endpoint#ecs/prod/risk-*", "journal#ecs/prod/risk-*", "lease#endpoint ecs/prod/risk-*",
    ])
    error_message = "The team writes beyond its names."
  }

  assert {
    condition = length([
      for pattern in [for statement in jsondecode(aws_iam_policy.access["publisher"].policy).Statement : statement if statement.Sid == "WriteRecords"][0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] :
      pattern if startswith(pattern, "endpoint#") || startswith(pattern, "lease#")
    ]) == 0
    error_message = "A publisher writes endpoints."
  }
}

run "a_sweep_reads_every_model_and_removes_objects_and_nobody_else_does" {
  command = apply

  variables {
    access = {
      deployer  = { can = "deploy" }
      publisher = { can = "publish" }
      sweeper   = { can = "sweep", models = ["risk-*"] }
    }
  }

  assert {
    condition = [
      for name in ["deployer", "publisher", "sweeper"] : length([
        for statement in jsondecode(aws_iam_policy.access[name].policy).Statement : statement if contains(flatten([statement.Action]), "s3:DeleteObject")
      ])
    ] == [0, 0, 1]
    error_message = "Others than a sweeper remove objects, or a sweeper does not."
  }

  assert {
    condition     = contains([for statement in jsondecode(aws_iam_policy.access["sweeper"].policy).Statement : statement if statement.Sid == "ReadRecords"][0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "model#*")
    error_message = "A sweeper does not see which versions name an artifact."
  }

  assert {
    condition = toset([for statement in jsondecode(aws_iam_policy.access["sweeper"].policy).Statement : statement if statement.Sid == "WriteRecords"][0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]) == toset([
      "registry", "models#*", "pending", "sessions", "session#*", "model#risk-*", "events#model#risk-*", "swept", "lease#sweep",
    ])
    error_message = "A sweeper writes beyond its names."
  }

  assert {
    condition     = contains([for statement in jsondecode(aws_iam_policy.access["publisher"].policy).Statement : statement if statement.Sid == "WriteRecords"][0].Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "swept")
    error_message = "A publisher cannot tell that a sweep touched its artifact."
  }
}

run "a_prefix_confines_what_is_read" {
  command = apply

  variables {
    artifacts = { prefix = "ml" }
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_policy.access["reader"].policy).Statement : statement if statement.Sid == "ReadArtifacts"][0].Resource == "${aws_s3_bucket.artifacts["home"].arn}/ml/*"
    error_message = "Objects beyond the prefix may be read."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_policy.access["reader"].policy).Statement : statement if statement.Sid == "ListArtifacts"][0].Condition.StringLike["s3:prefix"] == "ml/*"
    error_message = "Objects beyond the prefix may be listed."
  }
}

run "a_replica_has_table_and_bucket_in_its_region_with_its_key" {
  command = apply

  variables {
    replicas = { eu-central-1 = { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" } }
  }

  assert {
    condition     = one(aws_dynamodb_table.this.replica).region_name == "eu-central-1" && one(aws_dynamodb_table.this.replica).kms_key_arn == "arn:aws:kms:eu-central-1:123456789012:key/1"
    error_message = "The table has no replica."
  }

  assert {
    condition     = aws_s3_bucket.artifacts["eu-central-1"].region == "eu-central-1" && output.replicas["eu-central-1"].bucket == "acme-mlops-123456789012-eu-central-1"
    error_message = "The bucket has no replica."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.artifacts["replicas"].rule[0].destination[0].encryption_configuration[0].replica_kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/1"
    error_message = "Copies are not encrypted with the replica's key."
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_policy.access["reader"].policy).Statement : statement if statement.Sid == "ReadRecords" && length(statement.Resource) == 2]) == 1
    error_message = "The replica of the table may not be read."
  }
}

run "images_are_kept_immutable_scanned_and_replicated" {
  command = apply

  variables {
    repositories      = { "mlops/server" = { keep_images = 20 } }
    image_replication = { regions = ["eu-central-1"] }
  }

  assert {
    condition     = aws_ecr_repository.this["mlops/server"].image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this["mlops/server"].image_scanning_configuration[0].scan_on_push
    error_message = "Tags can be moved, or images are not scanned."
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["mlops/server"].policy).rules[1].selection.countNumber == 20
    error_message = "Old images stay."
  }

  assert {
    condition     = one(aws_ecr_replication_configuration.this["images"].replication_configuration[0].rule[0].destination).region == "eu-central-1"
    error_message = "Images are not replicated."
  }

  assert {
    condition     = output.repositories["mlops/server"].url == aws_ecr_repository.this["mlops/server"].repository_url
    error_message = "The repository is not told."
  }
}

run "locked_objects" {
  command = plan

  variables {
    artifacts = { object_lock = { days = 30 } }
  }

  assert {
    condition     = aws_s3_bucket.artifacts["home"].object_lock_enabled && aws_s3_bucket_object_lock_configuration.artifacts["home"].rule[0].default_retention[0].mode == "GOVERNANCE"
    error_message = "Objects are not locked."
  }
}

run "a_key_that_is_made_in_the_same_run_is_taken" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.table == "acme-mlops"
    error_message = "What is known is not told."
  }
}

run "a_destroy_takes_artifacts_along_where_that_was_asked_for" {
  command = plan
  variables { artifacts = { force_destroy = true } }

  assert {
    condition     = aws_s3_bucket.artifacts["home"].force_destroy
    error_message = "The bucket would stay."
  }
}
