# Sourced by demo and demo-down: Terraform with nothing of the user's settings, and the builds that they need.

# Where the configuration lies, and the provider for it; demo-aws and the demo on ECS have their own.
DEMO="${DEMO:-$HERE}"
TARGET="${CARGO_TARGET_DIR:-$ROOT/target}"
PLUGINS="${PLUGINS:-$TARGET/demo/plugins}"
DIGITS="$TARGET/debug/digits"

# The user's mirrors, overrides, workspace and extra arguments are for the user's own work.
unset TF_WORKSPACE TF_DATA_DIR TF_CLI_ARGS TF_LOG TF_VAR_model
unset "${!TF_CLI_ARGS_@}"
export TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1
# Colours are for people.
[ -t 1 ] || export TF_CLI_ARGS_plan=-no-color TF_CLI_ARGS_apply=-no-color TF_CLI_ARGS_init=-no-color TF_CLI_ARGS_destroy=-no-color

build_demo() { # further packages, as cargo takes them
    [ -n "${MLOPS_PREBUILT:-}" ] || (cd "$ROOT" && cargo build --quiet -p terraform-provider-mlops -p mlops-acceptance "$@" --bins)
    install_provider "$TARGET/debug/terraform-provider-mlops" "$PLUGINS"
}
