"""Runs a command as under an older or stricter kernel: `python poorer_machine.py LACKS COMMAND...`

LACKS is a comma-separated list of names in MACHINES. A seccomp filter refuses the system calls. The command and all
processes that it starts inherit the filter, so the detection of layers meets real refusals.
"""

from __future__ import annotations

import errno
import os
import sys

from autograde.worker import confinement
from autograde.worker.confinement import landlock, seccomp, tree
from autograde.worker.confinement.syscalls import number

ANY = -1
FLAGS = seccomp.NEW_LISTENER
PR_SET_SECCOMP, OPERATION, SECOND = seccomp.PR_SET_SECCOMP, 0, 1
Refusal = tuple[int, int, int, int]
"""number of the system call, index of an argument, its value (or ANY), the error"""


def _call(name: str, error: int, position: int = 0, value: int = ANY) -> Refusal:
    nr = number(name)
    assert nr is not None
    return nr, position, value, error


MACHINES: dict[str, list[Refusal]] = {
    "landlock": [(nr, 0, ANY, errno.ENOSYS) for nr in (landlock.CREATE, landlock.ADD_RULE, landlock.RESTRICT)],
    "listener": [_call("seccomp", errno.EINVAL, SECOND, FLAGS)],
    "seccomp": [_call("seccomp", errno.ENOSYS), _call("prctl", errno.EINVAL, OPERATION, PR_SET_SECCOMP)],
    "namespaces": [_call("unshare", errno.EPERM)],
    "mounts": [_call("mount", errno.EPERM)],
    "proc": [],
}


def filter_of(refusals: list[Refusal]) -> seccomp.Code:
    """A filter that answers each refusal with its error and allows everything else."""
    load, equal, answer = 0x20, 0x15, 0x06
    code: seccomp.Code = []
    for nr, position, value, error in refusals:
        body: seccomp.Code = [(answer, 0, 0, seccomp.ERRNO | error)]
        if value != ANY:
            body = [(load, 0, 0, 16 + 8 * position), (equal, 0, 1, value), *body]
        code += [(load, 0, 0, seccomp.NR), (equal, 0, len(body), nr), *body]
    return [*code, (answer, 0, 0, seccomp.ALLOW)]


if __name__ == "__main__":
    lacks, *command = sys.argv[1:]
    missing = [name for name in lacks.split(",") if name]
    if "proc" in missing:
        confinement.enter_namespaces(tree.NEWNS)
        tree.mount_empty("/proc")
    seccomp.install(filter_of([refusal for name in missing for refusal in MACHINES[name]]))
    os.execvp(command[0], command)
