"""What the kubelet does for a pod of one container: cri.py SOCKET IMAGE. Messages of runtime.v1 are written by hand, so
that no generated code is needed: a message is a list of (field number, value)."""
import sys
import time

import grpc


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def message(*fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def labels(number, entries):
    return [(number, message((1, key), (2, value))) for key, value in entries.items()]


def field(data, wanted):
    """The first field of this number in a message, as bytes or as a number."""
    at = 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = read()
        if key & 7 == 0:
            value = read()
        else:
            size = read()
            value = data[at : at + size]
            at += size
        if key >> 3 == wanted:
            return value
    return b"" if wanted == 1 else 0


socket, image = sys.argv[1:]
channel = grpc.insecure_channel("unix://" + socket, options=[("grpc.default_authority", "localhost")])


def call(method, request):
    plain = dict(request_serializer=bytes, response_deserializer=bytes)
    return channel.unary_unary("/runtime.v1.RuntimeService/" + method, **plain)(request, timeout=30)


UID = "11112222-3333-4444-5555-666677778888"
POD = {"io.kubernetes.pod.name": "shoppod", "io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.uid": UID}
# The network of the node (2), and a pid namespace for each container (1).
security = message((2, message((1, message((1, 2), (2, 1))))))
context = message((1, message((1, 2), (2, 1))))
sandbox_config = message(
    (1, message((1, "shoppod"), (2, UID), (3, "prod"))),
    (3, "/var/log/pods"),
    *labels(6, {**POD, "app": "demo"}),
    (8, message((1, "/kubepods/burstable/pod" + UID), (2, context))),
)
sandbox = field(call("RunPodSandbox", message((1, sandbox_config))), 1).decode()
config = message(
    (1, message((1, "shop"))),
    (2, message((1, image))),
    (3, "/bin/busyboxshop"),
    (3, "sh"),
    (3, "/work.sh"),
    *labels(9, {**POD, "io.kubernetes.container.name": "shop"}),
    (11, "shop.log"),
    (15, message((2, message((3, message((1, 2), (2, 1))))))),
)
container = field(call("CreateContainer", message((1, sandbox), (2, config), (3, sandbox_config))), 1).decode()
call("StartContainer", message((1, container)))
# 2: CONTAINER_EXITED.
while field(field(call("ContainerStatus", message((1, container))), 1), 3) != 2:
    time.sleep(0.1)
call("RemoveContainer", message((1, container)))
call("StopPodSandbox", message((1, sandbox)))
call("RemovePodSandbox", message((1, sandbox)))
