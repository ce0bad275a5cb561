# Sourced by the other scripts: finds the tools that a task needs, or puts them there.
#
#   need_rust        cargo, a new enough rustc, and a C compiler
#   need_musl        what builds a static program for this machine; sets MUSL to the target
#   need_ca_certificates
#                    the certificates that programs trust; sets CA_CERTIFICATES to the file
#   need_terraform   sets and exports TF: terraform, else tofu, else a pinned OpenTofu in .tools/
#   need_opentofu_built
#                    an OpenTofu built from source in .tools/, for the tests of the second engine; sets OPENTOFU_BUILT to it
#   need_dynamodb_local, need_ministack, need_moto, need_versitygw
#                    stand-ins for AWS in .tools/, for tests; set DYNAMODB_LOCAL, MINISTACK (exported, too), MOTO and VERSITYGW to their directories
#   need_dockerd     what runs containers, for tests of ECS; puts it on the PATH
#   need_toxiproxy   a bad network, for tests; sets TOXIPROXY to its directory
#   need_amtool, need_promtool, need_prometheus
#                    what checks configuration of Alertmanager and rules of Prometheus, and what evaluates them; set and export
#                    AMTOOL, PROMTOOL and PROMETHEUS
#   need_grafana_types
#                    what checks dashboards of Grafana: types of its schemas, and their compiler; sets and exports GRAFANA_TYPES
#   need_checkov, need_tflint
#                    what judges modules; set CHECKOV to the directory of one, and TFLINT to the other
#   need_conftest, need_helm
#                    what judges plans by policies, and what renders charts; set and export CONFTEST and HELM
#
# Nothing outside the checkout is touched, but for the Rust toolchain, which rustup keeps in the home directory.

TOOLS="$ROOT/.tools"
RUST_MINOR=95
TERRAFORM_MINOR=11

# The release that is fetched where neither Terraform nor OpenTofu is there, with the checksums of its SHA256SUMS file.
OPENTOFU=1.12.6
opentofu_checksum() {
    case "$1" in
        linux_amd64) echo 5dc43da4f750f33873dc25e94587128709e819e544b7be9016b255316153c3a8 ;;
        linux_arm64) echo e573979ba68a17fe7b881752051a694a7efcd970e39521f6a25775197861ed4d ;;
        darwin_amd64) echo 166388e5feed47e107e11721b6366bf91d21e47eccbced75f3cbe0c7184ffd9b ;;
        darwin_arm64) echo e083ee43790ab9e19ad66d9933e24a7244a1412e1d5728f37999ae2163fdac95 ;;
        *) return 1 ;;
    esac
}

say() { printf '%s\n' "$*" >&2; }

# Ends the script: what is missing, and the exact thing to do about it.
missing() {
    say "missing: $1"
    say "to do:   $2"
    exit 3
}

fetch() { # URL FILE
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget --quiet --output-document="$2" "$1"
    else
        missing "curl or wget" "install curl (Debian, Ubuntu: apt-get install curl)"
    fi
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

platform() {
    local os arch
    os=$(uname -s | tr '[:upper:]' '[:lower:]')
    case "$(uname -m)" in
        x86_64 | amd64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) arch=$(uname -m) ;;
    esac
    echo "${os}_${arch}"
}

need_rust() {
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    if ! command -v cargo >/dev/null; then
        say "installing the Rust toolchain with rustup"
        mkdir -p "$TOOLS"
        if ! fetch https://static.rust-lang.org/rustup/rustup-init.sh "$TOOLS/rustup-init.sh" \
            || ! sh "$TOOLS/rustup-init.sh" -y --quiet --no-modify-path --profile minimal --component rustfmt --component clippy; then
            missing "cargo, and rustup could not be installed" "install Rust 1.$RUST_MINOR or newer (https://rustup.rs) and put cargo on the PATH"
        fi
        export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    local minor
    minor=$(rustc --version | sed -nE 's/^rustc 1\.([0-9]+)\..*/\1/p')
    if [ "${minor:-0}" -lt "$RUST_MINOR" ]; then
        missing "Rust 1.$RUST_MINOR or newer ($(rustc --version) is there)" "run: rustup update stable"
    fi
    # SQLite and the TLS library have C parts.
    command -v cc >/dev/null || missing "a C compiler" "Debian, Ubuntu: apt-get install build-essential; macOS: xcode-select --install"
}

need_musl() {
    local arch
    arch=$(uname -m)
    [ "$(uname -s)" = Linux ] || missing "Linux (to build an image)" "build the image on Linux"
    MUSL="$arch-unknown-linux-musl"
    # SQLite and the TLS library have C parts.
    command -v musl-gcc >/dev/null || missing "musl-gcc (to build a static program)" "Debian, Ubuntu: apt-get install musl-tools"
    export "CC_${arch}_unknown_linux_musl=musl-gcc"
    if [ -d "$(rustc --print sysroot)/lib/rustlib/$MUSL" ]; then return; fi
    say "installing Rust's standard library for $MUSL"
    if ! command -v rustup >/dev/null || ! rustup target add "$MUSL" >&2; then
        missing "Rust's standard library for $MUSL" "run: rustup target add $MUSL"
    fi
}

need_ca_certificates() {
    CA_CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
    [ -s "$CA_CERTIFICATES" ] || missing "$CA_CERTIFICATES" "Debian, Ubuntu: apt-get install ca-certificates"
}

# Whether a Terraform or OpenTofu answers and is new enough.
new_enough() {
    local minor
    minor=$("$1" version 2>/dev/null | sed -nE 's/^(Terraform|OpenTofu) v1\.([0-9]+)\..*/\2/p' | head -n 1)
    [ "${minor:-0}" -ge "$TERRAFORM_MINOR" ]
}

need_terraform() {
    local name program
    if [ -n "${TF:-}" ]; then
        new_enough "$TF" || missing "$TF (set in TF) of version 1.$TERRAFORM_MINOR or newer" "unset TF, or point it to a newer terraform or tofu"
        export TF
        return
    fi
    for name in terraform tofu "$TOOLS/tofu"; do
        # The program: a script may have a function of that name, which asks TF.
        program=$(type -P "$name") || continue
        if new_enough "$program"; then
            export TF="$program"
            return
        fi
    done
    install_opentofu
    TF="$TOOLS/tofu"
    export TF
}

install_opentofu() {
    local platform expected archive url by_hand
    by_hand="install Terraform (https://developer.hashicorp.com/terraform/install) or OpenTofu (https://opentofu.org/docs/intro/install), 1.$TERRAFORM_MINOR or newer"
    platform=$(platform)
    expected=$(opentofu_checksum "$platform") || missing "terraform or tofu, and none is known for $platform" "$by_hand"
    command -v unzip >/dev/null || missing "unzip (to unpack OpenTofu)" "Debian, Ubuntu: apt-get install unzip; or $by_hand"
    archive="$TOOLS/tofu_${OPENTOFU}_$platform.zip"
    url="https://github.com/opentofu/opentofu/releases/download/v$OPENTOFU/$(basename "$archive")"
    mkdir -p "$TOOLS"
    say "fetching OpenTofu $OPENTOFU"
    fetch "$url" "$archive" || missing "terraform or tofu, and $url cannot be fetched" "$by_hand"
    if [ "$(sha256 "$archive")" != "$expected" ]; then
        rm -f "$archive"
        missing "an OpenTofu that can be trusted: $url is not the release that is pinned" "$by_hand"
    fi
    unzip -q -o "$archive" tofu -d "$TOOLS" && rm -f "$archive"
    new_enough "$TOOLS/tofu" || missing "an OpenTofu that runs here: $TOOLS/tofu does not" "$by_hand"
}

# The same release, for machines that have Terraform but must try both; Go checks what it fetches against go.sum.
need_opentofu_built() {
    local made pinned="$ROOT/scripts/parts/opentofu"
    # Other dependencies make another program.
    OPENTOFU_BUILT="$TOOLS/opentofu-$(sha256 "$pinned/go.sum" | cut -c 1-12)/tofu"
    if [ -x "$OPENTOFU_BUILT" ]; then return; fi
    command -v go >/dev/null || missing "Go (to build OpenTofu)" "install Go 1.26.6 or newer (https://go.dev/doc/install)"
    mkdir -p "$TOOLS"
    made=$(mktemp -d "$TOOLS/.opentofu-XXXXXX")
    say "building OpenTofu $OPENTOFU, which takes minutes"
    # As it is built for its releases: a development version would not meet what `required_version` asks.
    if ! CGO_ENABLED=0 go -C "$pinned" build -mod=readonly -trimpath -o "$made/tofu" \
        -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" github.com/opentofu/opentofu/cmd/tofu >&2; then
        rm -rf "$made"
        missing "OpenTofu, which Go cannot fetch and build" "let this machine reach a Go module proxy"
    fi
    if ! "$made/tofu" version | grep -qx "OpenTofu v$OPENTOFU"; then
        rm -rf "$made"
        missing "OpenTofu $OPENTOFU: $pinned/go.mod pins another" "let both name the same version"
    fi
    place "$made" "$(basename "$(dirname "$OPENTOFU_BUILT")")"
}

# What stands in .tools/NAME is whole: it is made under another name, and moved when it is done.
place() { # MADE NAME
    if [ -d "$TOOLS/$2" ]; then rm -rf "$1"; else mv "$1" "$TOOLS/$2"; fi
}

# DynamoDB Local, of this version and with this checksum. Maven checks those of what it needs.
DYNAMODB_LOCAL_VERSION=2.6.1
DYNAMODB_LOCAL_CHECKSUM=a28d8b4919999b7dee6ffa9fd4e9a08744460657a9bd3e3499e3aad00e1f2cc4

need_dynamodb_local() {
    local made jar parts="$ROOT/scripts/parts"
    DYNAMODB_LOCAL="$TOOLS/dynamodb-local-$DYNAMODB_LOCAL_VERSION"
    if [ -d "$DYNAMODB_LOCAL" ]; then return; fi
    if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
        missing "a Java Development Kit 17 or newer, or Maven (for DynamoDB Local)" "Debian, Ubuntu: apt-get install openjdk-17-jdk-headless maven"
    fi
    mkdir -p "$TOOLS"
    made=$(mktemp -d "$TOOLS/.dynamodb-local-XXXXXX")
    say "fetching DynamoDB Local $DYNAMODB_LOCAL_VERSION"
    mvn --batch-mode --quiet -Dstyle.color=never --file "$parts/dynamodb-local.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$made" >&2 \
        || { rm -rf "$made"; missing "DynamoDB Local, which Maven cannot fetch" "let this machine reach a Maven repository"; }
    jar="$made/DynamoDBLocal-$DYNAMODB_LOCAL_VERSION.jar"
    if [ "$(sha256 "$jar")" != "$DYNAMODB_LOCAL_CHECKSUM" ]; then
        rm -rf "$made"
        missing "a DynamoDB Local that can be trusted: Maven's is not the one that is pinned" "check the Maven repository that this machine uses"
    fi
    javac -cp "$made/*" -d "$made/classes" "$parts/DynamoDbLocal.java" >&2 || { rm -rf "$made"; return 1; }
    place "$made" "$(basename "$DYNAMODB_LOCAL")"
}

need_ministack() {
    python_packages ministack
    export MINISTACK="$FETCHED"
}

need_moto() {
    python_packages moto
    MOTO="$FETCHED"
}

# The packages of scripts/parts/NAME.txt, in an environment of their own. Sets FETCHED to its directory.
python_packages() { # NAME
    local made requirements="$ROOT/scripts/parts/$1.txt"
    # The pinned files name the directory: others make another one.
    FETCHED="$TOOLS/$1-$(sha256 "$requirements" | cut -c 1-12)"
    if [ -d "$FETCHED" ]; then return; fi
    command -v python3 >/dev/null && python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
        || missing "Python 3.10 or newer with venv (for $1)" "Debian, Ubuntu: apt-get install python3 python3-venv"
    mkdir -p "$TOOLS"
    made=$(mktemp -d "$TOOLS/.$1-XXXXXX")
    say "fetching $1"
    if ! python3 -m venv "$made" || ! "$made/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements" >&2; then
        rm -rf "$made"
        missing "$1, which pip cannot fetch" "let this machine reach a Python package index"
    fi
    # Its python finds the packages wherever the directory lies.
    place "$made" "$(basename "$FETCHED")"
}

# The machine's own, else Debian's packages, unpacked and not installed: nothing is started, and nothing lies outside of .tools/. A release of Debian
# has one version of each, which apt checks by its signature: that is as far as this can be pinned.
need_dockerd() {
    local made package unpacked="$TOOLS/dockerd"
    if [ ! -d "$unpacked" ]; then
        if command -v dockerd >/dev/null && command -v containerd >/dev/null && command -v runc >/dev/null; then return; fi
        command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || missing "dockerd" "install Docker Engine (https://docs.docker.com/engine/install)"
        mkdir -p "$TOOLS"
        made=$(mktemp -d "$TOOLS/.dockerd-XXXXXX")
        say "fetching dockerd"
        if [ "$(id -u)" = 0 ] && ! apt-cache show docker.io >/dev/null 2>&1; then apt-get -qq update >&2 || true; fi
        # The last one is a library of dockerd that a small machine may not have; not every release needs it.
        for package in docker.io containerd runc libdevmapper1.02.1; do
            (cd "$made" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package" >&2) || [ "$package" = libdevmapper1.02.1 ] || {
                rm -rf "$made"
                missing "dockerd, which apt cannot fetch" "Debian, Ubuntu: apt-get update && apt-get install --no-install-recommends docker.io"
            }
        done
        for package in "$made"/*.deb; do dpkg-deb -x "$package" "$made" && rm "$package"; done
        place "$made" dockerd
    fi
    export PATH="$PATH:$unpacked/usr/sbin:$unpacked/usr/bin"
    for package in "$unpacked"/{usr/lib,lib}/*-linux-gnu; do
        if [ -d "$package" ]; then export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$package"; fi
    done
}

# versitygw, of this version; Go checks what it fetches against its checksum database.
VERSITYGW_VERSION=1.8.0

need_versitygw() {
    go_program versitygw "github.com/versity/versitygw/cmd/versitygw" "$VERSITYGW_VERSION"
    VERSITYGW="$BUILT"
}

# Toxiproxy, which makes a network slow and unreliable.
TOXIPROXY_VERSION=2.12.0

need_toxiproxy() {
    go_program toxiproxy "github.com/Shopify/toxiproxy/v2/cmd/server" "$TOXIPROXY_VERSION"
    TOXIPROXY="$BUILT"
}

# A program that Go fetches and builds. Sets BUILT to its directory.
go_program() { # NAME PACKAGE VERSION [and what to say of it]
    local made
    BUILT="$TOOLS/$1-$3"
    if [ -x "$BUILT/$1" ]; then return; fi
    command -v go >/dev/null || missing "Go (to build $1)" "install Go 1.25 or newer (Debian, Ubuntu: apt-get install golang)"
    mkdir -p "$TOOLS"
    made=$(mktemp -d "$TOOLS/.$1-XXXXXX")
    say "building $1 $3${4:-}"
    if ! GOBIN="$made" go install "$2@v$3" >&2; then
        rm -rf "$made"
        missing "$1, which Go cannot fetch and build" "let this machine reach a Go module proxy"
    fi
    # Go calls a program as the last part of its package.
    if [ ! -e "$made/$1" ]; then mv "$made/${2##*/}" "$made/$1"; fi
    place "$made" "$1-$3"
}

# amtool, promtool and Prometheus, of these versions; Go checks what it fetches against its checksum database.
ALERTMANAGER_VERSION=0.34.2
PROMETHEUS_VERSION=0.313.5

need_amtool() {
    go_program amtool "github.com/prometheus/alertmanager/cmd/amtool" "$ALERTMANAGER_VERSION"
    export AMTOOL="$BUILT/amtool"
}

need_promtool() { build_prometheus promtool && export PROMTOOL="$BUILT"; }
need_prometheus() { build_prometheus prometheus && export PROMETHEUS="$BUILT"; }

# Its go.mod replaces modules, so `go install` refuses it: it is built where Go puts the source, and of all that finds targets in clouds with that for AWS only.
build_prometheus() { # COMMAND
    local made source
    BUILT="$TOOLS/$1-$PROMETHEUS_VERSION-aws/$1"
    if [ -x "$BUILT" ]; then return; fi
    command -v go >/dev/null || missing "Go (to build $1)" "install Go 1.25 or newer (Debian, Ubuntu: apt-get install golang)"
    mkdir -p "$TOOLS"
    made=$(mktemp -d "$TOOLS/.$1-XXXXXX")
    say "building $1 $PROMETHEUS_VERSION"
    source=$(cd "$made" && go mod download -json "github.com/prometheus/prometheus@v$PROMETHEUS_VERSION" | sed -nE 's/^.*"Dir": "(.*)".*$/\1/p')
    if [ -z "$source" ] || ! GOWORK=off go -C "$source" build -mod=readonly -trimpath -tags remove_all_sd,enable_aws_sd -o "$made/$1" "./cmd/$1" >&2; then
        rm -rf "$made"
        missing "$1, which Go cannot fetch and build" "let this machine reach a Go module proxy"
    fi
    place "$made" "$1-$PROMETHEUS_VERSION-aws"
}

# The types of Grafana's schemas. npm checks what it fetches against package-lock.json, and runs none of it.
need_grafana_types() {
    local made pinned="$ROOT/scripts/parts/grafana"
    GRAFANA_TYPES="$TOOLS/grafana-types-$(sha256 "$pinned/package-lock.json" | cut -c 1-12)"
    export GRAFANA_TYPES
    if [ -d "$GRAFANA_TYPES" ]; then return; fi
    command -v npm >/dev/null || missing "Node.js 18 or newer with npm (for the types of Grafana)" "Debian, Ubuntu: apt-get install nodejs npm"
    mkdir -p "$TOOLS"
    made=$(mktemp -d "$TOOLS/.grafana-types-XXXXXX")
    say "fetching the types of Grafana"
    if ! cp "$pinned"/package*.json "$made" || ! npm ci --prefix "$made" --ignore-scripts --no-audit --no-fund --silent >&2; then
        rm -rf "$made"
        missing "the types of Grafana, which npm cannot fetch" "let this machine reach a registry of npm"
    fi
    place "$made" "$(basename "$GRAFANA_TYPES")"
}

# What judges modules. checkov is 290 MB of Python; Go checks what it fetches of tflint against its checksum database.
TFLINT_VERSION=0.64.0

need_checkov() {
    python_packages checkov
    CHECKOV="$FETCHED"
}

need_tflint() {
    go_program tflint "github.com/terraform-linters/tflint" "$TFLINT_VERSION" ", which takes minutes"
    TFLINT="$BUILT/tflint"
}

# Both take minutes to build, so only tests that are long ask for them.
CONFTEST_VERSION=0.69.0
HELM_VERSION=4.3.1

need_conftest() {
    go_program conftest "github.com/open-policy-agent/conftest" "$CONFTEST_VERSION" ", which takes minutes"
    export CONFTEST="$BUILT/conftest"
}

need_helm() {
    go_program helm "helm.sh/helm/v4/cmd/helm" "$HELM_VERSION" ", which takes minutes"
    export HELM="$BUILT/helm"
}

# Puts a built provider where `init -plugin-dir` finds it, for Terraform's default host and for OpenTofu's.
install_provider() { # BINARY DIRECTORY
    place_provider "$1" "$2" mlops-rs/mlops 0.1.0
}

# Puts the stub there as each of the providers that it can be, one file with many names.
install_stub() { # BINARY DIRECTORY
    local stripped="$2/.stub" name version
    mkdir -p "$2"
    strip -S -o "$stripped" "$1" 2>/dev/null || cp "$1" "$stripped"
    "$stripped" --list | while read -r name version; do
        place_provider "$stripped" "$2" "hashicorp/$name" "$version" link
    done
    rm -f "$stripped"
}

place_provider() { # BINARY DIRECTORY NAMESPACE/NAME VERSION [link]
    local host place
    for host in registry.terraform.io registry.opentofu.org; do
        place="$2/$host/$3/$4/$(platform)"
        mkdir -p "$place"
        # Under another name first: a running provider cannot be written over.
        # Terraform hashes it at every command, so it goes without the debug information that makes up most of it.
        if [ -n "${5:-}" ]; then
            ln -f "$1" "$place/.new"
        else
            strip -S -o "$place/.new" "$1" 2>/dev/null || cp "$1" "$place/.new"
        fi
        mv -f "$place/.new" "$place/terraform-provider-${3##*/}_v$4"
    done
}
