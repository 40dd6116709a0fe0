"""Makes an image that containerd imports from the tar of a root directory: image.py ROOT.tar NAME OUT.tar [COMMAND…]."""
import hashlib
import io
import json
import sys
import tarfile

root, name, out, *command = sys.argv[1:]
layer = open(root, "rb").read()
digest = hashlib.sha256(layer).hexdigest()
config = json.dumps({
    "architecture": "amd64",
    "os": "linux",
    "config": {"Env": ["PATH=/bin"], "Cmd": command or ["/bin/sh"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
}).encode()
config_name = hashlib.sha256(config).hexdigest() + ".json"
manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
with tarfile.open(out, "w") as archive:
    for member, data in ((config_name, config), ("layer.tar", layer), ("manifest.json", manifest)):
        info = tarfile.TarInfo(member)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
