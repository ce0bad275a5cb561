"""Starts moto on this machine only, on a port that the system gives, tells which, and ends with its standard input."""

import logging
import os
import threading

from moto.elbv2.exceptions import DuplicateListenerError
from moto.elbv2.models import ELBv2Backend, FakeAction
from moto.server import ThreadedMotoServer

at_once = threading.Lock()


def refuse_taken_ports(create):
    """moto looks for the port among ARNs and so takes every one. The service refuses a port that is taken, and answers a
    request equal to an earlier one with what that made."""

    def create_listener(self, load_balancer_arn, protocol, port, actions, **rest):
        balancer = self.load_balancers.get(load_balancer_arn)
        for listener in balancer.listeners.values() if balancer else ():
            if str(listener.port) == str(port):
                asked = [FakeAction(dict(action)).data for action in actions]
                made = [action.data for action in listener.default_actions]
                if (listener.protocol, made) == (protocol, asked):
                    return listener
                raise DuplicateListenerError()
        return create(
            self, load_balancer_arn=load_balancer_arn, protocol=protocol, port=port, actions=actions, **rest
        )

    return create_listener


def one_at_a_time(create):
    """moto looks for a name or a number first and takes it then: of two requests at once, both would have it."""

    def locked(*args, **kwargs):
        with at_once:
            return create(*args, **kwargs)

    return locked


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ELBv2Backend.create_listener = refuse_taken_ports(ELBv2Backend.create_listener)
    for name in ("create_listener", "create_rule", "create_target_group"):
        setattr(ELBv2Backend, name, one_at_a_time(getattr(ELBv2Backend, name)))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    while os.read(0, 4096):
        pass
    os._exit(0)


main()
