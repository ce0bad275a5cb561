# Models, their versions and their aliases, and what endpoints remember.

module "registry" {
  source = "../../../modules/registry"

  name      = var.name
  artifacts = { force_destroy = !var.protected }
  table     = { deletion_protection = var.protected }
}
