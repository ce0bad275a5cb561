# What tflint asks of modules: every rule that it has built in. It has no plugin here, so it needs no network.

plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Files are named after what is in them, so there is no main.tf.
rule "terraform_standard_module_structure" {
  enabled = false
}

rule "terraform_naming_convention" {
  enabled = true

  # A local value that is used in one file alone begins with an underscore.
  locals {
    custom = "^_?[a-z][a-z0-9]*(_[a-z0-9]+)*$"
  }
}
