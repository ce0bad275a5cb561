# Every mistake that a user can make is refused at plan, by the variable at fault.

provider "aws" {
  region = "eu-west-1"
}

provider "helm" {}

variables {
  name = "serving"
  cluster = {
    addons = { eks-pod-identity-agent = "v1.3.9-eksbuild.3" }
    arn    = "arn:aws:eks:eu-west-1:123456789012:cluster/serving"
    name   = "serving"
  }
  addons = { metrics_server = {} }
}

run "nothing_to_install_is_refused" {
  command = plan
  variables {
    addons = {}
  }
  expect_failures = [var.addons]
}

run "a_range_of_versions_is_refused" {
  command = plan
  variables {
    addons = { metrics_server = { version = "~> 3.13" } }
  }
  expect_failures = [var.addons]
}

run "values_that_are_no_map_are_refused" {
  command = plan
  variables {
    addons = { metrics_server = { values = ["- replicas"] } }
  }
  expect_failures = [var.addons]
}

run "a_network_by_its_name_is_refused" {
  command = plan
  variables {
    addons = { aws_load_balancer_controller = { vpc_id = "serving" } }
  }
  expect_failures = [var.addons]
}

run "a_file_system_by_its_id_is_refused" {
  command = plan
  variables {
    addons = { aws_efs_csi_driver = { file_system_arns = { models = "fs-0a1b2c3d" } } }
  }
  expect_failures = [var.addons]
}

run "a_zone_by_its_id_is_refused" {
  command = plan
  variables {
    addons = { external_dns = { zone_arns = { models = "Z0123456789ABCDEFGHIJ" } } }
  }
  expect_failures = [var.addons]
}

run "all_zones_for_challenges_are_refused" {
  command = plan
  variables {
    addons = { cert_manager = { zone_arns = { all = "arn:aws:route53:::hostedzone/*" } } }
  }
  expect_failures = [var.addons]
}

run "external_dns_without_zones_is_refused" {
  command = plan
  variables {
    addons = { external_dns = { zone_arns = {} } }
  }
  expect_failures = [var.addons]
}

run "an_unknown_policy_of_records_is_refused" {
  command = plan
  variables {
    addons = { external_dns = { policy = "delete", zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" } } }
  }
  expect_failures = [var.addons]
}

run "external_secrets_without_secrets_is_refused" {
  command = plan
  variables {
    addons = { external_secrets = {} }
  }
  expect_failures = [var.addons]
}

run "all_secrets_of_an_account_are_refused" {
  command = plan
  variables {
    addons = { external_secrets = { secret_arns = { all = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*" } } }
  }
  expect_failures = [var.addons]
}

run "all_parameters_of_an_account_are_refused" {
  command = plan
  variables {
    addons = { external_secrets = { parameter_arns = { all = "arn:aws:ssm:eu-west-1:123456789012:parameter/*" } } }
  }
  expect_failures = [var.addons]
}

run "an_alias_as_key_of_secrets_is_refused" {
  command = plan
  variables {
    addons = { external_secrets = { secret_arns = { one = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:one" }, kms_key_arns = { one = "arn:aws:kms:eu-west-1:123456789012:alias/one" } } }
  }
  expect_failures = [var.addons]
}

run "an_unknown_scheme_is_refused" {
  command = plan
  variables {
    addons = { aws_load_balancer_controller = { vpc_id = "vpc-0a1b2c3d" }, ingress_nginx = { scheme = "public" } }
  }
  expect_failures = [var.addons]
}

run "nginx_without_what_makes_its_load_balancer_is_refused" {
  command = plan
  variables {
    addons = { ingress_nginx = {} }
  }
  expect_failures = [var.addons]
}

run "a_policy_of_scalers_that_is_none_is_refused" {
  command = plan
  variables {
    addons = { keda = { policies = { queues = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess" } } }
  }
  expect_failures = [var.addons]
}

run "kserve_without_certificates_is_refused" {
  command = plan
  variables {
    addons = { kserve = {} }
  }
  expect_failures = [var.addons]
}

run "kserve_behind_an_nginx_that_is_not_there_is_refused" {
  command = plan
  variables {
    addons = { cert_manager = {}, kserve = { ingress = { class = "nginx", domain = "models.example.com" } } }
  }
  expect_failures = [var.addons]
}

run "kserve_behind_a_controller_that_is_not_there_is_refused" {
  command = plan
  variables {
    addons = { cert_manager = {}, kserve = { ingress = { class = "alb", domain = "models.example.com" } } }
  }
  expect_failures = [var.addons]
}

run "a_domain_that_is_none_is_refused" {
  command = plan
  variables {
    addons = { cert_manager = {}, kserve = { ingress = { class = "traefik", domain = "https://models.example.com" } } }
  }
  expect_failures = [var.addons]
}

run "credentials_without_the_agent_are_refused" {
  command = plan
  variables {
    addons  = { aws_load_balancer_controller = { vpc_id = "vpc-0a1b2c3d" } }
    cluster = { addons = { vpc-cni = "v1.20.4-eksbuild.1" }, arn = "arn:aws:eks:eu-west-1:123456789012:cluster/serving", name = "serving" }
  }
  expect_failures = [var.addons]
}

run "credentials_for_challenges_without_the_agent_are_refused" {
  command = plan
  variables {
    addons  = { cert_manager = { zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" } } }
    cluster = { addons = {}, arn = "arn:aws:eks:eu-west-1:123456789012:cluster/serving", name = "serving" }
  }
  expect_failures = [var.addons]
}

run "what_eks_has_installed_already_is_refused" {
  command = plan
  variables {
    cluster = { addons = { metrics-server = "v0.8.0-eksbuild.3" }, arn = "arn:aws:eks:eu-west-1:123456789012:cluster/serving", name = "serving" }
  }
  expect_failures = [var.addons]
}

run "a_cluster_by_its_name_alone_is_refused" {
  command = plan
  variables {
    cluster = { arn = "serving", name = "serving" }
  }
  expect_failures = [var.cluster]
}

run "the_arn_of_another_cluster_is_refused" {
  command = plan
  variables {
    cluster = { arn = "arn:aws:eks:eu-west-1:123456789012:cluster/other", name = "serving" }
  }
  expect_failures = [var.cluster]
}

run "a_name_too_long_is_refused" {
  command = plan
  variables {
    name = "a-name-of-more-than-thirty-two-letters"
  }
  expect_failures = [var.name]
}

run "no_time_to_become_ready_is_refused" {
  command = plan
  variables {
    releases = { timeout_seconds = 5 }
  }
  expect_failures = [var.releases]
}

run "a_history_without_end_is_refused" {
  command = plan
  variables {
    releases = { max_history = 0 }
  }
  expect_failures = [var.releases]
}

run "a_tag_of_aws_is_refused" {
  command = plan
  variables {
    tags = { "aws:owner" = "me" }
  }
  expect_failures = [var.tags]
}
