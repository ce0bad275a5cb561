"""Starts ministack with the patches of `ecs` and without containers, on this machine only; says where as `listening on 127.0.0.1:PORT`, and ends with
its standard input.

For tests that ask which calls are made and what becomes of them when one is refused: there are many such calls, and none of them cares what runs.
Refusals, order and names are those of the world with containers (`run_ecs_world.py`). Otherwise here:

- a task runs as soon as it is asked for, has an address that nobody listens on, and is healthy once a load balancer knows its target group;
- a task whose definition sets EXIT_CODE has ended with that status by then, as has the next one, a second later;
- a service whose definition sets UNPLACED starts no task, and says that it cannot place one;
- listeners do not listen.
"""

import asyncio
import sys
import threading
import zlib

import run_ministack


def install(port):
    from ecs import account, balancing, certificates, health, images, machines, quotas, scaling, services
    from ministack.services import alb, ecs

    class Checks(health.Checks):
        """Every target is well that may get requests."""

        def state(self, group, target):
            return health.HEALTHY if group["TargetGroupArn"] in self.users() else health.UNUSED

    ecs._get_docker = lambda: None
    checks = Checks(balancing.users)
    balancing.install(checks.routable)
    services.install("http://192.0.2.1", balancing.users, checks)
    account.install()
    certificates.install()
    quotas.install()
    machines.install()
    scaling.install(balancing.users)
    images.install(f"http://127.0.0.1:{port}")
    alb._ACTION_MAP["DescribeTargetHealth"] = checks.describe
    ecs._task_ip = lambda task: "198.51.%d.%d" % divmod(zlib.crc32(task["taskArn"].encode()) % 65536, 256)
    obey_definitions(ecs, services)


def obey_definitions(ecs, services):
    run = ecs._run_task

    def run_task(data):
        definition = ecs._task_defs[ecs._resolve_td_key(data["taskDefinition"])]
        variables = {one["name"]: one["value"] for one in definition["containerDefinitions"][0].get("environment", [])}
        if "UNPLACED" in variables:
            cluster = ecs._resolve_cluster_name(data["cluster"])
            service = ecs._services[f"{cluster}/{data['group'].removeprefix('service:')}"]
            services.tell(service, "was unable to place a task because no container instance met all of its requirements.")
            return ecs.json_response({"tasks": [], "failures": []})
        before = set(ecs._tasks)
        answer = run(data)
        for arn in set(ecs._tasks) - before if "EXIT_CODE" in variables else ():
            ecs._mark_task_stopped(arn, ecs._tasks[arn], "", "EssentialContainerExited", exit_code=int(variables["EXIT_CODE"]))
        return answer

    ecs._run_task = run_task


def main():
    listener = run_ministack.listen()
    port = listener.getsockname()[1]
    run_ministack.settle(port)
    install(port)

    def end():
        run_ministack.end_with_input()
        run_ministack.os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    asyncio.run(run_ministack.serve(listener))


if __name__ == "__main__":
    sys.exit(main())
