# Instances of EC2: for each group a launch template, an Auto Scaling group and a capacity provider, by which ECS sizes the group.

locals {
  # What all groups share exists when there is one.
  instances = length(var.instances) == 0 ? {} : { instances = var.network }

  # The newest AMI that AWS makes for ECS, resolved when an instance is launched: no plan changes because there is a new one.
  _amis = {
    arm64  = "arm64/"
    gpu    = "gpu/"
    neuron = "inf/"
    x86_64 = ""
  }

  _accelerators = {
    arm64  = { cpu = ["amazon-web-services"], manufacturers = null, types = null }
    gpu    = { cpu = ["amd", "intel"], manufacturers = ["nvidia"], types = ["gpu"] }
    neuron = { cpu = ["amd", "intel"], manufacturers = ["amazon-web-services"], types = ["inference"] }
    x86_64 = { cpu = ["amd", "intel"], manufacturers = null, types = null }
  }

  groups = {
    for name, group in var.instances : name => merge(group, {
      accelerators = local._accelerators[group.ami.kind]
      image        = group.ami.id == null ? "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/${local._amis[group.ami.kind]}recommended/image_id" : group.ami.id
      # One type on demand takes no policy of mixed instances, with which there could be no warm pool.
      mixed = group.attributes != null || group.spot != null || length(group.types) > 1
      # Tasks have roles of their own, and reach no credentials of the instance.
      settings = merge(
        {
          ECS_AWSVPC_BLOCK_IMDS                     = "true"
          ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE = "true"
          ECS_ENABLE_TASK_IAM_ROLE                  = "true"
          ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST     = "true"
        },
        group.ami.kind == "gpu" ? { ECS_ENABLE_GPU_SUPPORT = "true" } : {},
        group.spot != null ? { ECS_ENABLE_SPOT_INSTANCE_DRAINING = "true" } : {},
        # An instance in the pool would take tasks and be stopped with them.
        group.warm_pool != null ? { ECS_WARM_POOLS_CHECK = "true" } : {},
      )
    })
  }

  user_data = {
    for name, group in local.groups : name => base64encode(join("\n", concat(
      ["#!/bin/bash", "cat >>/etc/ecs/ecs.config <<'END'", "ECS_CLUSTER=${aws_ecs_cluster.this.name}"],
      [for setting, value in group.settings : "${setting}=${value}"],
      ["END", ""],
    )))
  }

  clients = merge([
    for group_name, group in var.instances : { for client_name, id in group.clients : "${group_name}/${client_name}" => { group = group_name, id = id } }
  ]...)
}

resource "aws_launch_template" "instances" {
  for_each = local.groups

  name          = "${var.name}-${each.key}"
  description   = "Instances ${each.key} of the cluster ${var.name}"
  image_id      = each.value.image
  instance_type = each.value.mixed ? null : each.value.types[0]
  # Groups name the version that they take.
  update_default_version = true
  vpc_security_group_ids = concat([aws_security_group.instances[each.key].id], values(each.value.security_group_ids))

  user_data = local.user_data[each.key]

  iam_instance_profile {
    arn = aws_iam_instance_profile.instances["instances"].arn
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      delete_on_termination = true
      encrypted             = true
      iops                  = each.value.root_volume.iops
      kms_key_id            = each.value.root_volume.kms_key == null ? null : each.value.root_volume.kms_key.arn
      throughput            = each.value.root_volume.throughput_mib
      volume_size           = each.value.root_volume.gib
      volume_type           = "gp3"
    }
  }

  # One hop: containers behind the instance's own bridge do not reach its credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_put_response_hop_limit = 1
    http_tokens                 = "required"
  }

  # Instances get theirs from the group.
  dynamic "tag_specifications" {
    for_each = length(var.tags) == 0 ? [] : ["volume"]

    content {
      resource_type = tag_specifications.value
      tags          = var.tags
    }
  }

  tags = var.tags
}

resource "aws_autoscaling_group" "instances" {
  for_each = local.groups

  name                = "${var.name}-${each.key}"
  max_size            = each.value.max
  min_size            = each.value.min
  vpc_zone_identifier = var.network.subnet_ids
  health_check_type   = "EC2"
  # ECS takes the protection from an instance when no task runs there.
  protect_from_scale_in = each.value.termination_protection
  enabled_metrics       = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize", "GroupTotalInstances"]
  # How many there are is ECS's affair; an apply does not wait for it.
  wait_for_capacity_timeout = "0"

  dynamic "launch_template" {
    for_each = each.value.mixed ? [] : ["one"]

    content {
      id      = aws_launch_template.instances[each.key].id
      version = aws_launch_template.instances[each.key].latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = each.value.mixed ? ["mixed"] : []

    content {
      instances_distribution {
        # A list of types is in the order of preference; attributes have none.
        on_demand_allocation_strategy            = each.value.attributes == null ? "prioritized" : "lowest-price"
        on_demand_base_capacity                  = each.value.spot == null ? 0 : each.value.spot.on_demand_base
        on_demand_percentage_above_base_capacity = each.value.spot == null ? 100 : each.value.spot.on_demand_percent
        spot_allocation_strategy                 = "price-capacity-optimized"
      }

      launch_template {
        launch_template_specification {
          launch_template_id = aws_launch_template.instances[each.key].id
          version            = aws_launch_template.instances[each.key].latest_version
        }

        dynamic "override" {
          for_each = each.value.types

          content {
            instance_type = override.value
          }
        }

        dynamic "override" {
          for_each = each.value.attributes == null ? [] : [each.value.attributes]

          content {
            instance_requirements {
              accelerator_manufacturers = each.value.accelerators.manufacturers
              accelerator_types         = each.value.accelerators.types
              bare_metal                = "excluded"
              burstable_performance     = "excluded"
              cpu_manufacturers         = each.value.accelerators.cpu
              excluded_instance_types   = override.value.excluded_types
              instance_generations      = ["current"]

              accelerator_count {
                max = override.value.accelerators == null ? 0 : override.value.accelerators.max
                min = override.value.accelerators == null ? null : override.value.accelerators.min
              }

              memory_mib {
                max = override.value.memory_mib.max
                min = override.value.memory_mib.min
              }

              vcpu_count {
                max = override.value.vcpus.max
                min = override.value.vcpus.min
              }
            }
          }
        }
      }
    }
  }

  dynamic "instance_refresh" {
    for_each = each.value.refresh == null ? [] : [each.value.refresh]

    content {
      strategy = "Rolling"

      preferences {
        # New instances come first where all are to stay; the two may be 100 apart at most.
        max_healthy_percentage = max(100, instance_refresh.value.min_healthy_percent + 10)
        min_healthy_percentage = instance_refresh.value.min_healthy_percent
        # Their tasks are moved first: the capacity provider drains them.
        scale_in_protected_instances = "Refresh"
      }
    }
  }

  dynamic "warm_pool" {
    for_each = each.value.warm_pool == null ? [] : [each.value.warm_pool]

    content {
      max_group_prepared_capacity = warm_pool.value.max_prepared
      min_size                    = warm_pool.value.min
      pool_state                  = warm_pool.value.state

      # ECS takes no instance back into the pool.
      instance_reuse_policy {
        reuse_on_scale_in = false
      }
    }
  }

  # Without the first ECS would add it, and each plan would take it away.
  dynamic "tag" {
    for_each = merge(var.tags, { AmazonECSManaged = "", Name = "${var.name}-${each.key}" })

    content {
      key                 = tag.key
      propagate_at_launch = true
      value               = tag.value
    }
  }

  # An instance that may not register would be of no use.
  depends_on = [
    aws_iam_role_policy.instances,
    aws_vpc_security_group_egress_rule.instances_ipv4,
    aws_vpc_security_group_egress_rule.instances_ipv6,
  ]
}

resource "aws_ecs_capacity_provider" "instances" {
  for_each = local.groups

  name = "${var.name}-${each.key}"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.instances[each.key].arn
    managed_draining               = "ENABLED"
    managed_termination_protection = each.value.termination_protection ? "ENABLED" : "DISABLED"

    managed_scaling {
      status          = "ENABLED"
      target_capacity = each.value.target_percent
    }
  }

  tags = var.tags
}
