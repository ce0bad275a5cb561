# Every mistake that a user can make is refused at plan, by the variable or the resource at fault.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "insights_of_an_unknown_kind_are_refused" {
  command = plan
  variables {
    cluster = { container_insights = "on" }
  }
  expect_failures = [var.cluster]
}

run "fargate_of_an_unknown_kind_is_refused" {
  command = plan
  variables {
    cluster          = { fargate = ["FARGATE_ARM"] }
    default_strategy = {}
  }
  expect_failures = [var.cluster]
}

run "a_default_that_the_cluster_has_not_is_refused" {
  command = plan
  variables {
    default_strategy = { gpu = {} }
  }
  expect_failures = [var.default_strategy]
}

run "a_default_on_fargate_without_fargate_is_refused" {
  command = plan
  variables {
    cluster = { fargate = ["FARGATE_SPOT"] }
  }
  expect_failures = [var.default_strategy]
}

run "a_weight_above_1000_is_refused" {
  command = plan
  variables {
    default_strategy = { FARGATE = { weight = 1001 } }
  }
  expect_failures = [var.default_strategy]
}

run "a_base_below_zero_is_refused" {
  command = plan
  variables {
    default_strategy = { FARGATE = { base = -1 } }
  }
  expect_failures = [var.default_strategy]
}

run "a_share_of_half_a_task_is_refused" {
  command = plan
  variables {
    default_strategy = { FARGATE = { base = 0.5 } }
  }
  expect_failures = [var.default_strategy]
}

run "two_bases_are_refused" {
  command = plan
  variables {
    default_strategy = { FARGATE = { base = 1 }, FARGATE_SPOT = { base = 1 } }
  }
  expect_failures = [var.default_strategy]
}

run "a_strategy_that_places_nothing_is_refused" {
  command = plan
  variables {
    default_strategy = { FARGATE = { base = 1, weight = 0 } }
  }
  expect_failures = [var.default_strategy]
}

run "a_key_of_sessions_by_its_alias_is_refused" {
  command = plan
  variables {
    exec = { kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/exec" } }
  }
  expect_failures = [var.exec]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables {
    logging = { retention_days = 100 }
  }
  expect_failures = [var.logging]
}

run "a_key_of_logs_by_its_id_is_refused" {
  command = plan
  variables {
    logging = { kms_key_arn = "1234abcd-12ab-34cd-56ef-1234567890ab" }
  }
  expect_failures = [var.logging]
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Serving"
  }
  expect_failures = [var.name]
}

run "a_name_that_is_too_long_is_refused" {
  command = plan
  variables {
    name = "serving-with-a-name-that-is-too-long"
  }
  expect_failures = [var.name]
}

run "a_bucket_by_its_arn_is_refused" {
  command = plan
  variables {
    registry = { bucket = "arn:aws:s3:::models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1", table = "registry" }
  }
  expect_failures = [var.registry]
}

run "a_table_by_its_arn_is_refused" {
  command = plan
  variables {
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1", table = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry" }
  }
  expect_failures = [var.registry]
}

run "a_key_of_the_registry_by_its_alias_is_refused" {
  command = plan
  variables {
    registry = { bucket = "models", kms_key_arn = "alias/registry", table = "registry" }
  }
  expect_failures = [var.registry]
}

run "a_prefix_that_ends_with_a_slash_is_refused" {
  command = plan
  variables {
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1", prefix = "prod/", table = "registry" }
  }
  expect_failures = [var.registry]
}

run "a_zone_for_a_region_is_refused" {
  command = plan
  variables {
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1", region = "eu-west-1a", table = "registry" }
  }
  expect_failures = [var.registry]
}

run "a_server_with_a_dot_in_its_name_is_refused" {
  command = plan
  variables {
    servers = { "fraud.v2" = {} }
  }
  expect_failures = [var.servers]
}

run "a_server_with_too_long_a_name_is_refused" {
  command = plan
  variables {
    servers = { a-name-of-more-than-20 = {} }
  }
  expect_failures = [var.servers]
}

run "models_without_a_registry_are_refused" {
  command = plan
  variables {
    servers = { fraud = { models = ["fraud"] } }
  }
  expect_failures = [var.servers]
}

run "models_that_are_none_are_refused" {
  command = plan
  variables {
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1", table = "registry" }
    servers  = { fraud = { models = [] } }
  }
  expect_failures = [var.servers]
}

run "a_model_that_is_no_pattern_is_refused" {
  command = plan
  variables {
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1", table = "registry" }
    servers  = { fraud = { models = ["fraud#8"] } }
  }
  expect_failures = [var.servers]
}

run "a_repository_by_its_url_is_refused" {
  command = plan
  variables {
    servers = { fraud = { repository_arns = { server = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/server" } } }
  }
  expect_failures = [var.servers]
}

run "all_repositories_are_refused" {
  command = plan
  variables {
    servers = { fraud = { repository_arns = { all = "arn:aws:ecr:eu-west-1:123456789012:repository/*" } } }
  }
  expect_failures = [var.servers]
}

run "a_secret_by_its_value_is_refused" {
  command = plan
  variables {
    servers = { fraud = { secret_arns = { token = "hunter2" } } }
  }
  expect_failures = [var.servers]
}

run "all_secrets_are_refused" {
  command = plan
  variables {
    servers = { fraud = { secret_arns = { all = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*" } } }
  }
  expect_failures = [var.servers]
}

run "a_key_within_a_secret_is_refused" {
  command = plan
  variables {
    servers = { fraud = { secret_arns = { token = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf:password::" } } }
  }
  expect_failures = [var.servers]
}

run "a_parameter_by_its_name_is_refused" {
  command = plan
  variables {
    servers = { fraud = { parameter_arns = { level = "/fraud/level" } } }
  }
  expect_failures = [var.servers]
}

run "a_key_of_secrets_by_its_alias_is_refused" {
  command = plan
  variables {
    servers = { fraud = { secret_arns = { token = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf" }, secret_kms_key_arns = { token = "alias/secrets" } } }
  }
  expect_failures = [var.servers]
}

run "a_key_for_no_secret_is_refused" {
  command = plan
  variables {
    servers = { fraud = { secret_kms_key_arns = { token = "arn:aws:kms:eu-west-1:123456789012:key/1" } } }
  }
  expect_failures = [var.servers]
}

run "reserved_tags_are_refused" {
  command = plan
  variables {
    tags = { "aws:team" = "ml" }
  }
  expect_failures = [var.tags]
}
