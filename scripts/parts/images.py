"""Makes images from scratch, without a registry to build on, and puts them into a world (run_ecs_world.py).

    images.py WORLD NAME fixture            the server of `fixture`, which behaves as its environment says
    images.py WORLD NAME PROGRAM            a program of this machine and the libraries that it loads, found by ldd

WORLD is what the world says as JSON. The entry point is `/` and the program's name. --command is what it is started with, as JSON; --user is who
it runs as, and owns the directories of --directory, and those of --volume, which declares them as well; --with is a file of this machine that it
finds, too. Prints the image by its digest, `REGISTRY/NAME@sha256:…`, which any task of the world can pull.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
REGION = "eu-west-1"


def fixture(directory):
    """The fixture, built: one static file."""
    built = Path(directory) / "fixture"
    subprocess.run(
        ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(built), "."], cwd=HERE / "fixture", env={**os.environ, "CGO_ENABLED": "0"}, check=True
    )
    return built


def stripped(program, directory):
    """The program without what only a debugger reads, which is most of one that is built for tests."""
    out = Path(directory) / Path(program).name
    done = subprocess.run(["strip", "-S", "-o", str(out), str(program)], capture_output=True)
    return out if done.returncode == 0 else Path(program)


def libraries(program):
    """The files that it loads, where it looks for them."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    if done.returncode:
        return []  # static
    missing = re.findall(r"(\S+) => not found", done.stdout)
    if missing:
        raise SystemExit(f"{program} needs {', '.join(missing)}, which is not here")
    return sorted(set(re.findall(r"(/\S+) \(0x", done.stdout)))


def root(program, user, directories, files):
    """A root file system as a tar archive: the program, its libraries, a /tmp, directories of the user's, and further files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, mode, owner in [("tmp", 0o1777, 0), *((path.lstrip("/"), 0o755, user) for path in directories)]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(entry)
        for path, name in [(program, program.name), *((path, path.lstrip("/")) for path in [*libraries(program), *files])]:
            entry = tar.gettarinfo(os.path.realpath(path), name)
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            with open(path, "rb") as file:
                tar.addfile(entry, file)
    return archive.getvalue()


def make_repository(world, name):
    credential = f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/ecr/aws4_request, SignedHeaders=host, Signature=none"
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.CreateRepository",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": credential,
    }
    asked = urllib.request.Request(world["endpoint"], json.dumps({"repositoryName": name}).encode(), headers)
    try:
        urllib.request.urlopen(asked, timeout=60).close()
    except urllib.error.HTTPError as error:
        if b"RepositoryAlreadyExists" not in error.read():
            raise


def put(world, method, path, body, content_type):
    """A call of the registry."""
    asked = urllib.request.Request(world["endpoint"] + path, body, {"Content-Type": content_type}, method=method)
    urllib.request.urlopen(asked, timeout=600).close()


def put_blob(world, name, blob):
    """Its digest."""
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    put(world, "POST", f"/v2/{name}/blobs/uploads/?digest={digest}", blob, "application/octet-stream")
    return digest


def push(world, name, program, command, user, volumes, directories, files):
    """Puts the image into the world's registry; its reference by digest."""
    make_repository(world, name)
    layer = root(program, user, [*volumes, *directories], files)
    # Not packed: it would take half a minute to pack a program that is built for tests, and is unpacked at once.
    layer_digest = put_blob(world, name, layer)
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "Entrypoint": [f"/{program.name}"],
            "Cmd": command,
            "User": f"{user}:{user}" if user else "",
            "Volumes": {path: {} for path in volumes},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }
    config = json.dumps(config).encode()
    of_docker = "application/vnd.docker"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{of_docker}.distribution.manifest.v2+json",
        "config": {"mediaType": f"{of_docker}.container.image.v1+json", "size": len(config), "digest": put_blob(world, name, config)},
        "layers": [{"mediaType": f"{of_docker}.image.rootfs.diff.tar", "size": len(layer), "digest": layer_digest}],
    }
    manifest = json.dumps(manifest).encode()
    put(world, "PUT", f"/v2/{name}/manifests/latest", manifest, f"{of_docker}.distribution.manifest.v2+json")
    return f"{world['containers'].removeprefix('http://')}/{name}@sha256:{hashlib.sha256(manifest).hexdigest()}"


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("world", type=json.loads)
    asked.add_argument("name")
    asked.add_argument("program")
    asked.add_argument("--command", type=json.loads, default=[])
    asked.add_argument("--user", type=int, default=0)
    asked.add_argument("--volume", action="append", default=[])
    asked.add_argument("--directory", action="append", default=[])
    asked.add_argument("--with", action="append", default=[], dest="files")
    asked = asked.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        program = fixture(directory) if asked.program == "fixture" else stripped(asked.program, directory)
        print(push(asked.world, asked.name, program, asked.command, asked.user, asked.volume, asked.directory, asked.files))


if __name__ == "__main__":
    main()
