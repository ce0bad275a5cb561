"""Where a blob of an image lies, and that it is there."""

import asyncio
import json
import unittest

from ministack.services import ecr

from ecs import images

BLOB = b'{"os": "linux", "architecture": "arm64"}'


def setUpModule():
    images.install("http://127.0.0.1:4566")


def ask(operation, **data):
    headers = {"x-amz-target": f"AmazonEC2ContainerRegistry_V20150921.{operation}"}
    status, _, body = asyncio.run(ecr.handle_request("POST", "/", headers, json.dumps(data).encode(), {}))
    return status, json.loads(body)


class Images(unittest.TestCase):
    def setUp(self):
        ecr.reset()
        ask("CreateRepository", repositoryName="a/own")

    def test_a_blob_lies_where_its_address_says(self):
        digest = ecr._content_digest(BLOB)
        ecr._v2_start_blob_upload("a/own", {"digest": digest}, BLOB)
        status, answer = ask("GetDownloadUrlForLayer", repositoryName="a/own", layerDigest=digest)
        self.assertEqual((status, answer["layerDigest"]), (200, digest))
        path = answer["downloadUrl"].removeprefix("http://127.0.0.1:4566")
        status, _, body = asyncio.run(ecr.handle_registry_request("GET", path, {}, b"", {}))
        self.assertEqual((status, body), (200, BLOB))

    def test_a_repository_that_is_not_there_is_refused(self):
        status, answer = ask("GetDownloadUrlForLayer", repositoryName="b", layerDigest="sha256:0")
        self.assertEqual((status, answer["__type"]), (400, "RepositoryNotFoundException"))


if __name__ == "__main__":
    unittest.main()
