. "$(dirname "$0")/common.sh"
export CONTAINERD_ADDRESS=$W/containerd.sock
IMAGE=docker.io/library/tracer-shop:1
HERE=$(dirname "$0")
# Version 2 of control groups may be without the controllers that limits need.
[ -z "$V2" ] || SHARES="--cpu-shares 0"
case $1 in
up)
    rootfs
    cat >"$W/config.toml" <<X
version = 2
root = "$W/lib"
state = "$W/state"
[grpc]
  address = "$CONTAINERD_ADDRESS"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/tracer-pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "$W/net.d"
X
    if [ -n "$V2" ]; then
        cat >"$W/runc" <<X
#!/usr/bin/python3
import json, os, sys
if "--bundle" in sys.argv:
    path = sys.argv[sys.argv.index("--bundle") + 1] + "/config.json"
    config = json.load(open(path))
    config["linux"].pop("resources", None)
    json.dump(config, open(path, "w"))
os.execvp("runc", ["runc", *sys.argv[1:]])
X
        chmod +x "$W/runc"
        cat >>"$W/config.toml" <<X
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "$W/runc"
X
    fi
    service containerd -c "$W/config.toml"
    wait_for ctr version
    python3 "$HERE/image.py" "$W/root.tar" $IMAGE "$W/shop.tar"
    python3 "$HERE/image.py" "$W/root.tar" docker.io/library/tracer-pause:1 "$W/pause.tar" /bin/busybox sleep 100000
    for space in default k8s.io; do ctr -n $space image import "$W/shop.tar"; done
    ctr -n k8s.io image import "$W/pause.tar"
    ;;
run) ctr run --rm $SHARES --label app=demo $IMAGE shop $BOX sh /work.sh ;;
pod) /usr/bin/python3 "$HERE/cri.py" "$CONTAINERD_ADDRESS" $IMAGE ;;
down)
    for space in default k8s.io; do
        for task in $(ctr -n $space task ls -q); do ctr -n $space task kill -s KILL "$task" || true; done
        wait_for eval "! ctr -n $space task ls | grep -q RUNNING"
        for container in $(ctr -n $space container ls -q); do
            ctr -n $space task rm "$container" || true
            ctr -n $space container rm "$container" || true
        done
    done
    stop_service
    umount "$W"/state/io.containerd.grpc.v1.cri/sandboxes/*/shm 2>/dev/null || true
    umount "$W"/state/io.containerd.runtime.v2.task/*/*/rootfs 2>/dev/null || true
    drop_groups default kubepods/burstable/pod11112222-3333-4444-5555-666677778888
    ;;
esac
