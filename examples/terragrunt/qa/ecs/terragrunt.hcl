include "root" {
  path = find_in_parent_folders("root.hcl")
}

include "unit" {
  path = "${get_terragrunt_dir()}/../../units/ecs.hcl"
}
