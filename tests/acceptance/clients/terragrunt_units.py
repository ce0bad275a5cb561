#!/usr/bin/env python3
"""Says what Terragrunt would hand to Terraform for a unit of examples/terragrunt; standard library only.

    terragrunt_units.py UNIT COMMAND TERRAFORM <OUTPUTS

UNIT is a directory with a terragrunt.hcl, COMMAND the command that Terragrunt is asked for (plan, apply), OUTPUTS a document
in JSON: the outputs of each dependency that is applied, by its directory. Prints, as JSON, `source`, `inputs`, `generate`
(contents by path), `arguments` (by command), `state` and `dependencies` (directories).

This is no Terragrunt: it knows the blocks, attributes and functions that the example uses, and refuses all others, so that a
word that Terragrunt does not know is not passed over. Expressions are evaluated by Terraform, whose functions Terragrunt has.
Exit status 1: a dependency has no outputs, and COMMAND takes no mocks.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# Of https://terragrunt.gruntwork.io/docs/reference: block to its attributes.
BLOCKS = {
    "dependency": {"config_path", "mock_outputs", "mock_outputs_allowed_terraform_commands"},
    "generate": {"contents", "disable", "if_exists", "path"},
    "include": {"path"},
    "locals": None,
    "remote_state": {"backend", "config", "generate"},
    "terraform": {"extra_arguments", "source"},
    "extra_arguments": {"arguments", "commands"},
}
LABELLED = {"dependency", "generate", "include"}


def entries(text, where):
    """The blocks (type, label, body) and attributes (None, name, expression) at the top level of a text."""
    found, at = [], 0
    opening = re.compile(r'\s*(?:#[^\n]*\s*)*(?:(\w+)(?:\s+"([\w-]+)")?\s*(\{)|(\w+)\s*=(?!=)\s*)')
    while text[at:].strip() and not re.fullmatch(r"(\s|#[^\n]*)*", text[at:]):
        match = opening.match(text, at)
        if not match:
            raise SystemExit(f"{where}: cannot be read from {text[at:at + 60]!r}")
        block, label, brace, name = match.groups()
        end = ending(text, match.end(), 1 if brace else 0)
        body = text[match.end() : end - 1 if brace else end]
        found.append((block, label, body) if brace else (None, name, body.strip()))
        at = end
    return found


def ending(text, at, depth):
    """Where a block's brace is closed, or an attribute's expression ends."""
    block = depth > 0
    while at < len(text):
        heredoc = re.compile(r"<<-?(\w+)\n").match(text, at)
        if heredoc:
            at = re.compile(rf"^\s*{heredoc.group(1)}$", re.MULTILINE).search(text, at).end()
            continue
        character = text[at]
        if character == '"':
            at = re.compile(r'"(?:[^"\\$]|\\.|\$(?!\{)|\$\{(?:[^{}"]|"[^"]*")*\})*"').match(text, at).end()
            continue
        if character == "#":
            at = text.index("\n", at)
            continue
        if character in "{[(":
            depth += 1
        elif character in "}])":
            depth -= 1
            if block and depth == 0:
                return at + 1
        elif character == "\n" and depth == 0:
            return at
        at += 1
    return at


class Unit:
    """A unit, whose configuration is evaluated as Terragrunt does: functions are about the unit, wherever they are written."""

    def __init__(self, directory, terraform):
        self.directory, self.terraform, self.known = Path(directory).resolve(), terraform, {}

    def parent(self, name):
        for place in self.directory.parents:
            if (place / name).is_file():
                return place / name
        raise SystemExit(f"{self.directory}: {name} is not found in the folders above")

    def resolved(self, text):
        """The text, with Terragrunt's functions replaced by what they give."""

        def configuration(match):
            return f"jsondecode({json.dumps(json.dumps({'locals': self.locals_of(self.parent(match.group(1)))}))})"

        text = re.sub(r'read_terragrunt_config\(find_in_parent_folders\("([\w.]+)"\)\)', configuration, text)
        text = re.sub(r'find_in_parent_folders\("([\w.]+)"\)', lambda match: json.dumps(str(self.parent(match.group(1)))), text)
        relative = self.directory.relative_to(self.parent("root.hcl").parent)
        text = text.replace("path_relative_to_include()", json.dumps(str(relative)))
        return text.replace("get_terragrunt_dir()", json.dumps(str(self.directory)))

    def evaluate(self, local, expressions, dependencies=None):
        """Values of expressions in HCL, by name; `local` is the text of the locals that they use."""
        values = "".join(f"    {json.dumps(name)} = {text}\n" for name, text in expressions.items())
        asked = f"output \"values\" {{\n  value = jsonencode({{\n{values}  }})\n}}\n"
        given = json.dumps(json.dumps({name: {"outputs": value} for name, value in (dependencies or {}).items()}))
        text = f"locals {{\n{local}\n}}\nlocals {{\n  given_dependency = jsondecode({given.replace('${', '$${')})\n}}\n{asked}"
        text = re.sub(r"\bdependency\.(?=\w)", "local.given_dependency.", self.resolved(text))
        with tempfile.TemporaryDirectory() as place:
            Path(place, "main.tf").write_text(text)
            ran = subprocess.run(
                [self.terraform, "apply", "-auto-approve", "-input=false", "-no-color"], cwd=place, capture_output=True, text=True,
                env={**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}, check=False,
            )
            if ran.returncode:
                raise SystemExit(f"{self.directory}: {ran.stderr}\n{text}")
            state = json.loads(Path(place, "terraform.tfstate").read_text())
        return json.loads(state["outputs"]["values"]["value"])

    def locals_of(self, file):
        if file not in self.known:
            found = entries(file.read_text(), file)
            if [entry[0] for entry in found] != ["locals"]:
                raise SystemExit(f"{file}: is to have locals alone")
            names = [name for _, name, _ in entries(found[0][2], file)]
            self.known[file] = self.evaluate(found[0][2], {name: f"local.{name}" for name in names})
        return self.known[file]

    def read(self, file, given, command):
        """What a file says: blocks by type and label, and inputs."""
        told, local, wanted = {"dependency": {}, "generate": {}, "include": {}, "inputs": {}}, "", {}
        for block, label, body in entries(file.read_text(), file):
            if block is None:
                if label != "inputs":
                    raise SystemExit(f"{file}: {label} is not an attribute that this knows")
                wanted["inputs"] = body
            elif block not in BLOCKS or (label is None) == (block in LABELLED):
                raise SystemExit(f"{file}: {block} {label or ''} is not a block that this knows")
            elif block == "locals":
                local = body
            else:
                for kind, name, value in entries(body, file):
                    if (kind or name) not in BLOCKS[block]:
                        raise SystemExit(f"{file}: {block} has no {kind or name}")
                    steps = [block, label, kind or name]
                    if not kind:
                        wanted["/".join(filter(None, steps))] = value
                        continue
                    for nested, attribute, text in entries(value, file):
                        if nested or attribute not in BLOCKS[kind]:
                            raise SystemExit(f"{file}: {kind} has no {nested or attribute}")
                        wanted["/".join(filter(None, [*steps, name, attribute]))] = text
        early = {name: text for name, text in wanted.items() if name.startswith(("dependency/", "include/"))}
        for name, value in (self.evaluate(local, early) if early else {}).items():
            block, label, attribute = name.split("/")
            told[block].setdefault(label, {})[attribute] = value
        outputs = {}
        for label, dependency in told["dependency"].items():
            place = str((self.directory / dependency["config_path"]).resolve())
            dependency["config_path"] = place
            outputs[label] = given.get(place)
            if outputs[label] is None:
                if command not in dependency["mock_outputs_allowed_terraform_commands"]:
                    print(f"{place} is a dependency of {self.directory} and has no outputs; {command} takes no mocks", file=sys.stderr)
                    raise SystemExit(1)
                outputs[label] = dependency["mock_outputs"]
        late = {name: text for name, text in wanted.items() if name not in early}
        for name, value in (self.evaluate(local, late, outputs) if late else {}).items():
            steps = name.split("/")
            place = told
            for step in steps[:-1]:
                place = place.setdefault(step, {})
            place[steps[-1]] = value
        return told

    def handed_over(self, given, command):
        own = self.directory / "terragrunt.hcl"
        parts = [self.read(own, given, command)]
        parts = [self.read(Path(include["path"]), given, command) for include in parts[0]["include"].values()] + parts
        whole = {"arguments": {}, "dependencies": [], "generate": {}, "inputs": {}, "source": None, "state": None}
        for part in parts:
            whole["inputs"].update(part["inputs"])
            whole["dependencies"] += [dependency["config_path"] for dependency in part["dependency"].values()]
            whole["source"] = part.get("terraform", {}).get("source", whole["source"])
            whole["state"] = part.get("remote_state", whole["state"])
            for extra in part.get("terraform", {}).get("extra_arguments", {}).values():
                for name in extra["commands"]:
                    whole["arguments"].setdefault(name, []).extend(extra["arguments"])
            for file in part["generate"].values():
                if not file.get("disable"):
                    whole["generate"][file["path"]] = file["contents"]
        return whole


def main(arguments):
    if len(arguments) != 3:
        raise SystemExit(__doc__)
    directory, command, terraform = arguments
    print(json.dumps(Unit(directory, terraform).handed_over(json.load(sys.stdin), command)))


if __name__ == "__main__":
    main(sys.argv[1:])
