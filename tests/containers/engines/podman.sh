. "$(dirname "$0")/common.sh"
# The limits that podman wants need more rights than root has on some machines; no network leaves nothing behind.
[ -e "$W/containers.conf" ] || cat >"$W/containers.conf" <<X
[containers]
default_ulimits=["nofile=1024:1024","nproc=4096:4096"]
netns="none"
[engine]
runtime="${2:-runc}"
cgroup_manager="cgroupfs"
events_logger="file"
X
export CONTAINERS_CONF=$W/containers.conf
IMAGE=localhost/tracer-shop:1
# What a run before left behind is replaced: --rm removes a container only after it has ended, and a run may be cut.
NAMED="--replace --name shop"
# Version 2 of control groups may be without the controller of pids.
[ -z "$V2" ] || LIMIT="--pids-limit 0"
case $1 in
up)
    rootfs
    podman import -q --change 'ENV PATH=/bin' "$W/root.tar" $IMAGE
    ;;
run) podman run --rm $NAMED --label app=demo -v "$W:/data:ro" $LIMIT $IMAGE $BOX sh /work.sh ;;
pod)
    podman pod create --replace --name shoppod --infra=true
    podman run --rm --pod shoppod $NAMED --label app=demo $IMAGE $BOX sh /work.sh
    podman pod rm -f -t 0 shoppod
    ;;
hold) podman run -d $NAMED --label app=demo $LIMIT $IMAGE $BOX sleep 1000 ;;
poke) podman exec "$2" $BOX true ;;
rename) podman rename shop "$2" ;;
release) podman rm -f -t 0 shop ;;
flash) podman run --rm --name "flash$2" $LIMIT $IMAGE $BOX sleep 0.05 ;;
down)
    podman rm -f -t 0 shop newshop 2>/dev/null || true
    podman pod rm -f -t 0 shoppod 2>/dev/null || true
    # A container that is still being removed keeps its image for a moment.
    ! podman image exists $IMAGE || wait_for podman image rm -f $IMAGE
    drop_groups libpod_parent/conmon
    ;;
esac
