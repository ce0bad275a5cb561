# The one front door. Every target sets up what it needs on a machine that has nothing yet.
.PHONY: help demo demo-down demo-aws demo-ecs test test-full test-modules modules-real check-modules check docs bench image

help:
	@echo 'make demo        serve a real model, update it under traffic, watch a bad version roll back'
	@echo 'make demo-down   take the demo down again'
	@echo 'make demo-aws    the same with the registry in DynamoDB and S3, on an emulator; takes itself down'
	@echo 'make demo-ecs    the same with the endpoint on ECS: real containers, on an emulator; takes itself down (Linux, superuser)'
	@echo 'make test        all tests (under 40 minutes on a fresh machine with 2 cores)'
	@echo 'make test-full   with the tests that take long'
	@echo 'make test-modules  the modules against stand-ins for their providers (MODULES="vpc alb" for some of them)'
	@echo 'make modules-real  init and validate of the modules with the providers of the registry'
	@echo 'make check-modules  tflint and checkov on the modules, helm on their charts'
	@echo 'make check       format, lints, documentation, arrows, licences'
	@echo 'make docs        write docs/resources and docs/data-sources anew from the schemas and examples'
	@echo 'make bench       measure against peers, side by side'
	@echo 'make image       build the container image of the model server (Linux; needs no container runtime)'

demo:
	@examples/quickstart/demo

demo-down:
	@examples/quickstart/demo-down

demo-aws:
	@examples/quickstart/demo-aws

demo-ecs:
	@examples/ecs/demo

test:
	@scripts/test

test-full:
	@scripts/test --full

test-modules:
	@scripts/test-modules $(MODULES)

modules-real:
	@scripts/test-modules --real $(MODULES)

check-modules:
	@scripts/check-modules

check:
	@scripts/check

docs:
	@scripts/docs

bench:
	@scripts/bench $(BENCH)

image:
	@scripts/image
