. "$(dirname "$0")/common.sh"
# The bundle of a container of CRI-O, with the annotations that it writes, under the control group that it asks for;
# and one that docker would start with systemd's driver.
ID=cafe000000000000000000000000000000000000000000000000000000000007
POD=11112222_3333_4444_5555_666677778888
case $2 in
crio) GROUP=/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod$POD.slice/crio-$ID.scope ;;
*) GROUP=/system.slice/docker-$ID.scope ;;
esac
case $1 in
up)
    rootfs
    mkdir -p "$W/bundle"
    cp -a "$W/root" "$W/bundle/rootfs"
    cd "$W/bundle"
    runc spec
    python3 - "$GROUP" "$BOX" <<'P'
import json, sys
config = json.load(open("config.json"))
config["process"].update(terminal=False, args=[sys.argv[2], "sh", "/work.sh"])
config["process"].pop("rlimits", None)
config["linux"]["cgroupsPath"] = sys.argv[1]
config["linux"].pop("resources", None)
if "crio" in sys.argv[1]:
    config["annotations"] = {
        "io.kubernetes.cri-o.ContainerType": "container",
        "io.kubernetes.cri-o.ImageName": "localhost/tracer-shop:1",
        "io.kubernetes.container.name": "shop",
        "io.kubernetes.pod.name": "shoppod",
        "io.kubernetes.pod.namespace": "prod",
        "io.kubernetes.pod.uid": "11112222-3333-4444-5555-666677778888",
    }
json.dump(config, open("config.json", "w"))
P
    ;;
run)
    cd "$W/bundle"
    runc run $ID </dev/null
    ;;
down)
    runc delete -f $ID 2>/dev/null || true
    drop_groups "${GROUP#/}" "$(dirname "${GROUP#/}")"
    ;;
esac
