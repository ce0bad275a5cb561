# What an upgrade may be. The cluster is made first, since only a cluster that runs has a version to begin from.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name    = "serving"
  network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
  cluster = { version = "1.33" }
  access_entries = {
    platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
  }
  node_groups = { general = { instance_types = ["m7i.xlarge"], min_size = 2, max_size = 6 } }
}

run "the_cluster_is_made" {
  override_data {
    target = data.aws_eks_cluster_versions.offered
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      cluster_versions = [{
        cluster_type                 = "eks"
        cluster_version              = "1.33"
        default_platform_version     = "eks.1"
        default_version              = true
        end_of_extended_support_date = ""
        end_of_standard_support_date = ""
        kubernetes_patch_version     = ""
        release_date                 = ""
        version_status               = "STANDARD_SUPPORT"
      }]
    }
  }
}

run "an_upgrade_that_skips_a_version_is_refused_at_plan" {
  command = plan
  variables {
    cluster = { version = "1.35" }
  }
  override_data {
    target = data.aws_eks_cluster_versions.offered
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      cluster_versions = [{
        cluster_type                 = "eks"
        cluster_version              = "1.35"
        default_platform_version     = "eks.1"
        default_version              = true
        end_of_extended_support_date = ""
        end_of_standard_support_date = ""
        kubernetes_patch_version     = ""
        release_date                 = ""
        version_status               = "STANDARD_SUPPORT"
      }]
    }
  }
  expect_failures = [output.cluster]
}

run "a_downgrade_is_refused_at_plan" {
  command = plan
  variables {
    cluster = { version = "1.32" }
  }
  override_data {
    target = data.aws_eks_cluster_versions.offered
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      cluster_versions = [{
        cluster_type                 = "eks"
        cluster_version              = "1.32"
        default_platform_version     = "eks.1"
        default_version              = true
        end_of_extended_support_date = ""
        end_of_standard_support_date = ""
        kubernetes_patch_version     = ""
        release_date                 = ""
        version_status               = "STANDARD_SUPPORT"
      }]
    }
  }
  expect_failures = [output.cluster]
}

run "an_upgrade_by_one_version_is_planned_in_place" {
  command = plan
  variables {
    cluster = { version = "1.34" }
  }
  override_data {
    target = data.aws_eks_cluster_versions.offered
    # Every attribute: OpenTofu converts no object to one with more.
    values = {
      cluster_versions = [{
        cluster_type                 = "eks"
        cluster_version              = "1.34"
        default_platform_version     = "eks.1"
        default_version              = true
        end_of_extended_support_date = ""
        end_of_standard_support_date = ""
        kubernetes_patch_version     = ""
        release_date                 = ""
        version_status               = "STANDARD_SUPPORT"
      }]
    }
  }

  assert {
    condition     = aws_eks_cluster.this.version == "1.34" && aws_eks_node_group.this["general"].version == "1.34" && aws_eks_cluster.this.arn == "arn:aws:eks:eu-west-1:123456789012:cluster/serving"
    error_message = "The cluster or its nodes are not upgraded in place."
  }
}
