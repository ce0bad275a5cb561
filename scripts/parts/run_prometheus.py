"""Starts Prometheus on this machine only, with nothing to scrape yet, and ends it with its standard input. Others may write to it."""

import json
import pathlib
import sys
import tempfile

import listening


def main(program):
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        work = pathlib.Path(name)
        configuration = work / "prometheus.json"
        # JSON is YAML.
        configuration.write_text(json.dumps({"scrape_configs": []}))
        print(json.dumps({"configuration": str(configuration), "program": program}), flush=True)

        def command(port):
            return [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={work / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-lifecycle",
                "--web.enable-remote-write-receiver",
                "--log.level=error",
            ]

        listening.run(command, {})


main(sys.argv[1])
