# A model, one version of it, the endpoint that serves the version, and the alias that follows what the endpoint has proved.

resource "mlops_model" "digits" {
  name        = "digits"
  description = "Tells which digit a handwritten 8 x 8 image shows."
  task        = "classification"

  # A destroy takes the model out of the registry before it takes the registry away.
  depends_on = [module.registry]
}

resource "mlops_model_version" "digits" {
  model  = mlops_model.digits.name
  source = "${path.module}/../../quickstart/models/digits-v2.onnx"

  lifecycle {
    create_before_destroy = true
  }
}

resource "mlops_endpoint" "digits" {
  name = "digits"

  variants = {
    main = {
      model         = mlops_model.digits.name
      model_version = mlops_model_version.digits.version
      traffic       = 100
    }
  }

  ecs {
    cluster_arn        = module.ecs.cluster.arn
    execution_role_arn = module.ecs.servers["digits"].execution_role_arn
    task_role_arn      = module.ecs.servers["digits"].task_role_arn
  }

  network {
    subnets         = module.vpc.networks.private.subnet_ids
    security_groups = [module.ecs.servers["digits"].security_group_id]
  }

  # A rule of the listener that has the certificate. The record for all names of the zone leads here.
  ingress {
    listener_arn = module.alb.listeners.https.arn
    host_headers = ["digits.${module.dns.zone.name}"]
  }

  health_check {
    interval          = "5s"
    timeout           = "2s"
    healthy_threshold = 2
  }

  rollout {
    strategy = "CANARY"
    steps    = [{ traffic = 10, bake = "5m" }, { traffic = 50, bake = "5m" }, { traffic = 100 }]
  }
}

# Promoted after the endpoint has proved the version.
resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_endpoint.digits.target_versions["main"]
}
