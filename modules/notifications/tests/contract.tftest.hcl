# Every mistake that can be seen at plan is refused, by the variable that it is in.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "a_topic_without_a_sound_key_is_refused" {
  command = plan
  variables {
    topics = { Alerts = {} }
  }
  expect_failures = [var.topics]
}

run "no_topic_is_refused" {
  command = plan
  variables {
    topics = {}
  }
  expect_failures = [var.topics]
}

run "an_address_without_a_domain_is_refused" {
  command = plan
  variables {
    topics = { alerts = { emails = { oncall = "oncall" } } }
  }
  expect_failures = [var.topics]
}

run "a_list_of_addresses_is_refused" {
  command = plan
  variables {
    topics = { alerts = { emails = { oncall = "a@example.com,b@example.com" } } }
  }
  expect_failures = [var.topics]
}

run "an_address_with_a_name_is_refused" {
  command = plan
  variables {
    topics = { alerts = { emails = { oncall = "On Call <oncall@example.com>" } } }
  }
  expect_failures = [var.topics]
}

run "an_address_that_stands_twice_is_refused" {
  command = plan
  variables {
    topics = { alerts = { emails = { a = "a@example.com", b = "a@example.com" } } }
  }
  expect_failures = [var.topics]
}

run "an_empty_title_is_refused" {
  command = plan
  variables {
    topics = { alerts = { title = "" } }
  }
  expect_failures = [var.topics]
}

run "a_webhook_without_a_secret_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = null, topics = ["alerts"] } }
  }
  expect_failures = [var.webhooks]
}

run "a_webhook_with_an_empty_secret_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = "", topics = ["alerts"] } }
  }
  expect_failures = [var.webhooks]
}

run "the_address_of_a_webhook_in_the_configuration_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = "https://hooks.example.com/services/T0/B0/x", topics = ["alerts"] } }
  }
  expect_failures = [var.webhooks]
}

run "the_name_of_a_secret_for_its_arn_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = "slack", topics = ["alerts"] } }
  }
  expect_failures = [var.webhooks]
}

run "an_alias_as_the_key_of_a_secret_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack", kms_key = { arn = "alias/slack" }, topics = ["alerts"] } }
  }
  expect_failures = [var.webhooks]
}

run "a_webhook_of_an_unknown_topic_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack", topics = ["page"] } }
  }
  expect_failures = [var.webhooks]
}

run "a_webhook_of_no_topic_is_refused" {
  command = plan
  variables {
    webhooks = { models = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack", topics = [] } }
  }
  expect_failures = [var.webhooks]
}

run "a_webhook_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    webhooks = { "Models!" = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack", topics = ["alerts"] } }
  }
  expect_failures = [var.webhooks]
}

run "the_name_of_a_workspace_is_refused" {
  command = plan
  variables {
    chatbot = { incidents = { workspace_id = "acme", channel_id = "C0A1B2C3D4", topics = ["alerts"] } }
  }
  expect_failures = [var.chatbot]
}

run "the_name_of_a_channel_is_refused" {
  command = plan
  variables {
    chatbot = { incidents = { workspace_id = "T0A1B2C3D4", channel_id = "#incidents", topics = ["alerts"] } }
  }
  expect_failures = [var.chatbot]
}

run "a_channel_of_an_unknown_topic_is_refused" {
  command = plan
  variables {
    chatbot = { incidents = { workspace_id = "T0A1B2C3D4", channel_id = "C0A1B2C3D4", topics = ["page"] } }
  }
  expect_failures = [var.chatbot]
}

run "a_channel_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    chatbot = { "#incidents" = { workspace_id = "T0A1B2C3D4", channel_id = "C0A1B2C3D4", topics = ["alerts"] } }
  }
  expect_failures = [var.chatbot]
}

run "an_unknown_event_is_refused" {
  command = plan
  variables {
    events = { deployments = { kind = "ecs-deployment-started", topic = "alerts" } }
  }
  expect_failures = [var.events]
}

run "objects_of_every_bucket_are_refused" {
  command = plan
  variables {
    events = { artifacts = { kind = "registry-artifact-written", topic = "alerts" } }
  }
  expect_failures = [var.events]
}

run "events_of_a_registry_without_its_stream_are_refused" {
  command = plan
  variables {
    events = { models = { kind = "registry-model-changed", topic = "alerts" } }
  }
  expect_failures = [var.events]
}

run "a_third_reader_of_the_stream_is_refused" {
  command = plan
  variables {
    events          = { for name in ["a", "b", "c"] : name => { kind = "registry-model-changed", topic = "alerts" } }
    registry_stream = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry/stream/2026-01-01T00:00:00.000", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
  expect_failures = [var.events]
}

run "an_event_of_an_unknown_topic_is_refused" {
  command = plan
  variables {
    events = { deployments = { kind = "ecs-deployment-failed", topic = "page" } }
  }
  expect_failures = [var.events]
}

run "an_event_whose_key_is_no_name_is_refused" {
  command = plan
  variables {
    events = { "Deployments of models" = { kind = "ecs-deployment-failed", topic = "alerts" } }
  }
  expect_failures = [var.events]
}

run "a_reversed_window_is_refused" {
  command = plan
  variables {
    quiet_hours = { nights = { times = [{ start = "22:00", end = "07:00" }] } }
  }
  expect_failures = [var.quiet_hours]
}

run "a_window_of_no_length_is_refused" {
  command = plan
  variables {
    quiet_hours = { nights = { times = [{ start = "07:00", end = "07:00" }] } }
  }
  expect_failures = [var.quiet_hours]
}

run "a_malformed_time_is_refused" {
  command = plan
  variables {
    quiet_hours = { nights = { times = [{ start = "7:00", end = "9pm" }] } }
  }
  expect_failures = [var.quiet_hours]
}

run "a_time_beyond_the_day_is_refused" {
  command = plan
  variables {
    quiet_hours = { nights = { times = [{ start = "22:00", end = "24:30" }] } }
  }
  expect_failures = [var.quiet_hours]
}

run "an_unknown_day_is_refused" {
  command = plan
  variables {
    quiet_hours = { weekends = { weekdays = ["sat"] } }
  }
  expect_failures = [var.quiet_hours]
}

run "a_window_that_would_never_end_is_refused" {
  command = plan
  variables {
    quiet_hours = { always = {} }
  }
  expect_failures = [var.quiet_hours]
}

run "an_abbreviated_time_zone_is_refused" {
  command = plan
  variables {
    quiet_hours = { weekends = { weekdays = ["sunday"], time_zone = "+01:00" } }
  }
  expect_failures = [var.quiet_hours]
}

run "a_default_of_an_unknown_topic_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "page" }
  }
  expect_failures = [var.alertmanager]
}

run "a_route_to_an_unknown_topic_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", routes = [{ matchers = ["severity=\"critical\""], topic = "page" }] }
  }
  expect_failures = [var.alertmanager]
}

run "a_route_of_everything_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", routes = [{ matchers = [], topic = "alerts" }] }
  }
  expect_failures = [var.alertmanager]
}

run "a_matcher_without_quotes_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", routes = [{ matchers = ["severity=critical"], topic = "alerts" }] }
  }
  expect_failures = [var.alertmanager]
}

run "unknown_quiet_hours_are_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", routes = [{ matchers = ["severity=\"info\""], quiet_hours = ["nights"], topic = "alerts" }] }
  }
  expect_failures = [var.alertmanager]
}

run "a_group_of_no_label_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", group_by = ["alert name"] }
  }
  expect_failures = [var.alertmanager]
}

run "a_message_repeated_after_more_than_five_days_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", repeat_interval_seconds = 432001 }
  }
  expect_failures = [var.alertmanager]
}

run "a_message_repeated_before_its_group_is_looked_at_is_refused" {
  command = plan
  variables {
    alertmanager = { topic = "alerts", repeat_interval_seconds = 60 }
  }
  expect_failures = [var.alertmanager]
}

run "an_alias_as_the_key_is_refused" {
  command = plan
  variables {
    kms_key = { arn = "alias/aws/sns" }
  }
  expect_failures = [var.kms_key]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables {
    logging = { retention_days = 100 }
  }
  expect_failures = [var.logging]
}

run "an_alias_as_the_key_of_logs_is_refused" {
  command = plan
  variables {
    logging = { kms_key_arn = "alias/logs" }
  }
  expect_failures = [var.logging]
}

run "a_name_in_capitals_is_refused" {
  command = plan
  variables {
    name = "Serving"
  }
  expect_failures = [var.name]
}

run "a_table_for_its_stream_is_refused" {
  command = plan
  variables {
    registry_stream = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
  expect_failures = [var.registry_stream]
}

run "an_alias_as_the_key_of_the_stream_is_refused" {
  command = plan
  variables {
    registry_stream = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry/stream/2026-01-01T00:00:00.000", kms_key_arn = "alias/registry" }
  }
  expect_failures = [var.registry_stream]
}

run "a_reserved_key_of_a_tag_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "ml" }
  }
  expect_failures = [var.tags]
}
