"""Runs the image's command as a container engine would: in namespaces of its own, its root
read-only, as its user, without capabilities. `unshare` starts this with the folders and the image's
configuration as arguments.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
PR_SET_NO_NEW_PRIVS = 38


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def run(root: str, volume: str, config: dict) -> None:
    (inside,) = config["Volumes"]
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    mount("--bind", volume, root + inside)
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-o", "remount,bind,ro", root)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH", b"lo", IFF_UP))

    os.chroot(root)
    os.chdir(config["WorkingDir"])
    user, group = map(int, config["User"].split(":"))
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    environment = dict(variable.split("=", 1) for variable in config["Env"])
    command = config["Entrypoint"]
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
