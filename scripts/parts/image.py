"""Writes an image of one program to a tarball that is both an OCI layout and what `docker load` takes, and an SBOM beside it.

The same inputs make the same bytes: times are zero, names are sorted.
"""

import argparse
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "mlops-cli"
USER = 10001
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
EPOCH = "1970-01-01T00:00:00Z"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def entry(name, mode, content=None, owner=0):
    """A file, or a directory if it has no content."""
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid, info.mtime = mode, owner, owner, 0
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.size = 0 if content is None else len(content)
    return info, content


def tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, None if content is None else io.BytesIO(content))
    return out.getvalue()


def layers(binary, certificates):
    """What seldom changes comes first."""
    base = [entry(name, 0o755) for name in ("etc", "etc/ssl", "etc/ssl/certs")]
    base.append(entry(CERTIFICATES, 0o644, certificates))
    # A volume that is mounted there takes over who owns it.
    base += [entry(name, 0o755, owner=USER) for name in ("cache", "models")]
    return [tar(base), tar([entry("mlops", 0o755, binary)])]


def image(binary, certificates, architecture, version):
    """The tarball, and the digest of the image's manifest."""
    blobs = {}

    def add(content, media_type):
        name = digest(content)
        blobs[name] = content
        return {"mediaType": media_type, "digest": name, "size": len(content)}

    plain = layers(binary, certificates)
    packed = [add(gzip.compress(layer, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip") for layer in plain]
    labels = {
        "org.opencontainers.image.title": "mlops",
        "org.opencontainers.image.description": "The model server of mlops_endpoint",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": ["/mlops"],
            "Cmd": ["serve", "--task"],
            "Env": [f"SSL_CERT_FILE=/{CERTIFICATES}"],
            "Volumes": {"/models": {}},
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in plain]},
        "history": [{"created": EPOCH, "created_by": what} for what in ("certificates", "mlops")],
    }
    config = add(document(config), "application/vnd.oci.image.config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": packed,
        "annotations": labels,
    }
    manifest = add(document(manifest), "application/vnd.oci.image.manifest.v1+json")
    name = f"mlops:{version}"
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            manifest
            | {
                "platform": {"architecture": architecture, "os": "linux"},
                "annotations": {"org.opencontainers.image.ref.name": version, "io.containerd.image.name": f"docker.io/library/{name}"},
            }
        ],
    }

    def place(blob):
        return "blobs/sha256/" + blob["digest"].removeprefix("sha256:")

    # For a docker that knows no OCI layouts.
    docker = [{"Config": place(config), "RepoTags": [name], "Layers": [place(layer) for layer in packed]}]
    entries = [entry("blobs", 0o755), entry("blobs/sha256", 0o755)]
    entries += [entry("blobs/sha256/" + name.removeprefix("sha256:"), 0o644, blobs[name]) for name in sorted(blobs)]
    entries.append(entry("index.json", 0o644, document(index)))
    entries.append(entry("manifest.json", 0o644, document(docker)))
    entries.append(entry("oci-layout", 0o644, document({"imageLayoutVersion": "1.0.0"})))
    return tar(entries), manifest["digest"]


def document(content):
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def packages(target):
    """What is compiled into the program, as (name, version): neither what only builds it, nor what only tests it."""
    edges = ["--edges", "normal", "--prefix", "none", "--format", "{p}"]
    lines = cargo("tree", "--locked", "--package", PACKAGE, "--target", target, *edges).splitlines()
    found = {tuple(line.split(" ")[:2]) for line in lines if line}
    return {(name, version.removeprefix("v")) for name, version in found}


def sbom(target, binary, version):
    """CycloneDX 1.5."""
    told = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))["packages"]
    told = {(package["name"], package["version"]): package for package in told}
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in locked}
    components = []
    for name, number in sorted(packages(target)):
        component = {"type": "library", "name": name, "version": number, "bom-ref": f"{name}@{number}"}
        licence = told[name, number]["license"]
        if licence:
            component["licenses"] = [{"expression": licence.replace("/", " OR ")}]
        checksum = checksums[name, number]
        if checksum:
            component["purl"] = f"pkg:cargo/{name}@{number}"
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        components.append(component)
    program = {
        "type": "application",
        "name": "mlops",
        "version": version,
        "bom-ref": "mlops",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(binary).hexdigest()}],
    }
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": program}, "components": components}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for argument in ("binary", "certificates", "target", "architecture", "to"):
        parser.add_argument(f"--{argument}", required=True)
    asked = parser.parse_args()
    binary, certificates = Path(asked.binary).read_bytes(), Path(asked.certificates).read_bytes()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    content, manifest = image(binary, certificates, asked.architecture, version)
    to = Path(asked.to)
    to.mkdir(parents=True, exist_ok=True)
    name = f"mlops-{version}-linux-{asked.architecture}"
    written = to / f"{name}.tar"
    written.write_bytes(content)
    listed = to / f"{name}.cdx.json"
    listed.write_bytes(document(sbom(asked.target, binary, version)))
    print(f"image:  {written} ({len(content) / 1e6:.1f} MB; the program has {len(binary) / 1e6:.1f} MB)")
    print(f"digest: {manifest}")
    print(f"sbom:   {listed}")


main()
