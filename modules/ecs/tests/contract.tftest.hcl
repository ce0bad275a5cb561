# Every mistake that a user can make is refused at plan, by the variable or the resource at fault.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "an_activation_with_a_dot_in_its_name_is_refused" {
  command = plan
  variables {
    anywhere = { activations = { "plant.1" = { expires = "2025-06-30T12:00:00Z" } } }
  }
  expect_failures = [var.anywhere]
}

run "an_activation_that_ends_at_no_time_is_refused" {
  command = plan
  variables {
    anywhere = { activations = { plant = { expires = "tomorrow" } } }
  }
  expect_failures = [var.anywhere]
}

run "an_activation_for_longer_than_30_days_is_refused" {
  command = plan
  variables {
    anywhere = { activations = { plant = { expires = "2999-01-01T00:00:00Z" } } }
  }
  expect_failures = [var.anywhere]
}

run "an_activation_for_no_machine_is_refused" {
  command = plan
  variables {
    anywhere = { activations = { plant = { expires = "2025-06-30T12:00:00Z", machines = 0 } } }
  }
  expect_failures = [var.anywhere]
}

run "an_activation_for_more_machines_than_systems_manager_takes_is_refused" {
  command = plan
  variables {
    anywhere = { activations = { plant = { expires = "2025-06-30T12:00:00Z", machines = 1001 } } }
  }
  expect_failures = [var.anywhere]
}

run "a_key_of_activations_by_its_alias_is_refused" {
  command = plan
  variables {
    anywhere = { kms_key = { arn = "alias/secrets" } }
  }
  expect_failures = [var.anywhere]
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

run "a_default_on_fargate_beside_instances_is_refused" {
  command = plan
  variables {
    network          = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances        = { cpu = { types = ["m7i.large"], max = 3, } }
    default_strategy = { FARGATE = {}, cpu = {} }
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

run "a_group_with_a_long_name_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { a-name-of-more-than-20 = { types = ["m7i.large"], max = 3, } }
  }
  expect_failures = [var.instances]
}

run "a_provider_whose_name_ecs_keeps_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, } }
    name      = "ecs-serving"
  }
  expect_failures = [var.instances]
}

run "instances_without_a_network_are_refused" {
  command = plan
  variables {
    instances = { cpu = { types = ["m7i.large"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "a_group_whose_least_is_more_than_its_most_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, min = 4 } }
  }
  expect_failures = [var.instances]
}

run "a_group_of_none_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 0 } }
  }
  expect_failures = [var.instances]
}

run "a_group_below_zero_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, min = -1 } }
  }
  expect_failures = [var.instances]
}

run "a_group_without_a_type_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { max = 3 } }
  }
  expect_failures = [var.instances]
}

run "types_beside_attributes_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, attributes = { memory_mib = { min = 8192 }, vcpus = { min = 2 } } } }
  }
  expect_failures = [var.instances]
}

run "a_type_without_a_size_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "a_type_twice_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large", "m7i.large"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "an_ami_of_an_unknown_kind_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, ami = { kind = "windows" } } }
  }
  expect_failures = [var.instances]
}

run "an_ami_by_its_name_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, ami = { id = "al2023-ami-ecs" } } }
  }
  expect_failures = [var.instances]
}

run "a_gpu_without_its_ami_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["g5.xlarge"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "a_training_gpu_without_its_ami_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["p5.48xlarge"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "a_gpu_among_others_without_its_ami_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large", "gr6.4xlarge"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "a_gpu_without_its_ami_by_an_id_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["g6.xlarge"], max = 3, ami = { id = "ami-0a1b2c3d4e5f60718" } } }
  }
  expect_failures = [var.instances]
}

run "the_ami_of_gpus_without_a_gpu_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, ami = { kind = "gpu" } } }
  }
  expect_failures = [var.instances]
}

run "a_gpu_of_amd_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["g4ad.xlarge"], max = 3, ami = { kind = "gpu" } } }
  }
  expect_failures = [var.instances]
}

run "a_gpu_beside_arm_without_an_ami_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["g5g.xlarge"], max = 3, ami = { kind = "gpu" } } }
  }
  expect_failures = [var.instances]
}

run "inferentia_without_its_ami_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["inf2.xlarge"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "the_ami_of_neuron_without_its_chip_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, ami = { kind = "neuron" } } }
  }
  expect_failures = [var.instances]
}

run "graviton_with_the_ami_of_intel_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7g.large"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "graviton_with_disks_and_the_ami_of_intel_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["c8gd.large"], max = 3 } }
  }
  expect_failures = [var.instances]
}

run "intel_with_the_ami_of_graviton_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i-flex.large"], max = 3, ami = { kind = "arm64" } } }
  }
  expect_failures = [var.instances]
}

run "accelerators_without_their_ami_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { attributes = { memory_mib = { min = 8192 }, vcpus = { min = 2 }, accelerators = { min = 1 } }, max = 3 } }
  }
  expect_failures = [var.instances]
}

run "the_ami_of_gpus_for_attributes_without_accelerators_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { attributes = { memory_mib = { min = 8192 }, vcpus = { min = 2 } }, max = 3, ami = { kind = "gpu" } } }
  }
  expect_failures = [var.instances]
}

run "attributes_whose_least_is_more_than_their_most_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { attributes = { memory_mib = { min = 8192 }, vcpus = { min = 8, max = 4 } }, max = 3 } }
  }
  expect_failures = [var.instances]
}

run "attributes_of_no_memory_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { attributes = { memory_mib = { min = 0 }, vcpus = { min = 2 } }, max = 3 } }
  }
  expect_failures = [var.instances]
}

run "a_volume_smaller_than_its_ami_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, root_volume = { gib = 20 } } }
  }
  expect_failures = [var.instances]
}

run "too_few_iops_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, root_volume = { iops = 1000 } } }
  }
  expect_failures = [var.instances]
}

run "more_iops_than_a_volume_of_its_size_has_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, root_volume = { gib = 30, iops = 16000 } } }
  }
  expect_failures = [var.instances]
}

run "throughput_that_iops_do_not_carry_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, root_volume = { throughput_mib = 1000 } } }
  }
  expect_failures = [var.instances]
}

run "a_key_of_volumes_by_its_alias_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, root_volume = { kms_key = { arn = "alias/ebs" } } } }
  }
  expect_failures = [var.instances]
}

run "spot_that_is_none_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, spot = { on_demand_percent = 100 } } }
  }
  expect_failures = [var.instances]
}

run "a_base_on_demand_that_is_the_whole_group_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, spot = { on_demand_base = 3 } } }
  }
  expect_failures = [var.instances]
}

run "a_target_above_100_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, target_percent = 110 } }
  }
  expect_failures = [var.instances]
}

run "more_than_all_healthy_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, refresh = { min_healthy_percent = 110 } } }
  }
  expect_failures = [var.instances]
}

run "a_warm_pool_of_two_types_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large", "m7a.large"], max = 3, warm_pool = {} } }
  }
  expect_failures = [var.instances]
}

run "a_warm_pool_of_spot_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, spot = {}, warm_pool = {} } }
  }
  expect_failures = [var.instances]
}

run "a_warm_pool_that_hibernates_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, warm_pool = { state = "Hibernated" } } }
  }
  expect_failures = [var.instances]
}

run "a_warm_pool_whose_least_is_more_than_its_most_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, warm_pool = { max_prepared = 1, min = 2 } } }
  }
  expect_failures = [var.instances]
}

run "a_client_by_its_range_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, clients = { vpc = "10.20.0.0/16" } } }
  }
  expect_failures = [var.instances]
}

run "more_security_groups_than_an_interface_takes_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, security_group_ids = { g0 = "sg-0", g1 = "sg-1", g2 = "sg-2", g3 = "sg-3", g4 = "sg-4" } } }
  }
  expect_failures = [var.instances]
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

run "subnets_that_are_none_are_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = [] }
    instances = { cpu = { types = ["m7i.large"], max = 3, } }
  }
  expect_failures = [var.network]
}

run "a_subnet_twice_is_refused" {
  command = plan
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0a"] }
    instances = { cpu = { types = ["m7i.large"], max = 3, } }
  }
  expect_failures = [var.network]
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

run "clients_of_a_server_without_a_network_are_refused" {
  command = plan
  variables {
    servers = { fraud = { clients = { alb = "sg-0a1b2c3d4e5f60718" } } }
  }
  expect_failures = [var.servers]
}
