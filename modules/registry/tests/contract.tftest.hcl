# Every mistake that a user can make is refused at plan, by the variable or the resource at fault.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "acme-mlops"
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Acme"
  }
  expect_failures = [var.name]
}

run "a_name_too_long_for_the_bucket_is_refused" {
  command = plan
  variables {
    name = "acme-mlops-registry-of-the-whole-company"
  }
  expect_failures = [var.name]
}

run "an_unknown_kind_of_access_is_refused" {
  command = plan
  variables {
    access = { team = { can = "admin" } }
  }
  expect_failures = [var.access]
}

run "access_to_no_model_is_refused" {
  command = plan
  variables {
    access = { team = { can = "read", models = [] } }
  }
  expect_failures = [var.access]
}

run "a_pattern_that_no_model_can_have_is_refused" {
  command = plan
  variables {
    access = { team = { can = "read", models = ["Risk/*"] } }
  }
  expect_failures = [var.access]
}

run "a_pattern_that_no_endpoint_can_have_is_refused" {
  command = plan
  variables {
    access = { team = { can = "deploy", endpoints = ["# *"] } }
  }
  expect_failures = [var.access]
}

run "a_policy_with_an_illegal_name_is_refused" {
  command = plan
  variables {
    access = { "Team 1" = { can = "read" } }
  }
  expect_failures = [var.access]
}

run "a_prefix_with_a_slash_at_its_end_is_refused" {
  command = plan
  variables {
    artifacts = { prefix = "ml/" }
  }
  expect_failures = [var.artifacts]
}

run "an_upload_that_is_abandoned_at_once_is_refused" {
  command = plan
  variables {
    artifacts = { abandoned_upload_days = 0 }
  }
  expect_failures = [var.artifacts]
}

run "half_a_day_of_old_objects_is_refused" {
  command = plan
  variables {
    artifacts = { noncurrent_days = 0.5 }
  }
  expect_failures = [var.artifacts]
}

run "an_unknown_lock_is_refused" {
  command = plan
  variables {
    artifacts = { object_lock = { days = 1, mode = "LEGAL" } }
  }
  expect_failures = [var.artifacts]
}

run "a_lock_for_no_day_is_refused" {
  command = plan
  variables {
    artifacts = { object_lock = { days = 0 } }
  }
  expect_failures = [var.artifacts]
}

run "an_alias_for_a_key_is_refused" {
  command = plan
  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/mlops" }
  }
  expect_failures = [var.kms_key]
}

run "a_replica_in_the_home_region_is_refused" {
  command = plan
  variables {
    replicas = { eu-west-1 = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" } }
  }
  expect_failures = [aws_dynamodb_table.this]
}

run "a_replica_with_the_key_of_another_region_is_refused" {
  command = plan
  variables {
    replicas = { eu-central-1 = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" } }
  }
  expect_failures = [var.replicas]
}

run "a_replica_in_a_zone_is_refused" {
  command = plan
  variables {
    replicas = { eu-central-1a = { kms_key_arn = "arn:aws:kms:eu-central-1a:123456789012:key/1" } }
  }
  expect_failures = [var.replicas]
}

run "a_repository_with_an_illegal_name_is_refused" {
  command = plan
  variables {
    repositories = { "MLOps" = {} }
  }
  expect_failures = [var.repositories]
}

run "a_repository_that_keeps_nothing_is_refused" {
  command = plan
  variables {
    repositories = { server = { keep_images = 0 } }
  }
  expect_failures = [var.repositories]
}

run "images_replicated_to_where_they_are_are_refused" {
  command = plan
  variables {
    repositories      = { server = {} }
    image_replication = { regions = ["eu-west-1"] }
  }
  expect_failures = [aws_ecr_replication_configuration.this]
}

run "images_replicated_nowhere_are_refused" {
  command = plan
  variables {
    repositories      = { server = {} }
    image_replication = { regions = [] }
  }
  expect_failures = [var.image_replication]
}

run "replication_without_images_is_refused" {
  command = plan
  variables {
    image_replication = { regions = ["eu-central-1"] }
  }
  expect_failures = [var.image_replication]
}

run "a_table_that_is_restored_to_last_year_is_refused" {
  command = plan
  variables {
    table = { recovery_days = 365 }
  }
  expect_failures = [var.table]
}

run "a_reserved_tag_is_refused" {
  command = plan
  variables {
    tags = { "aws:x" = "y" }
  }
  expect_failures = [var.tags]
}
