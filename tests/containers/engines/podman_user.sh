. "$(dirname "$0")/common.sh"
# podman of a user without rights, as whom it runs: from version 1 of control groups it gets none, so that nothing but
# the program that waits for the container tells of it. The user is made for this, and is logged in as far as files go.
USER_NAME=tracershop
as_user() {
    local id
    id=$(id -u $USER_NAME)
    (
        cd "$W/home"
        export HOME=$W/home XDG_RUNTIME_DIR=/run/user/$id CONTAINERS_CONF=$W/containers.conf
        setpriv --reuid $USER_NAME --regid $USER_NAME --init-groups "$@"
    )
}
IMAGE=localhost/tracer-shop:1
case $1 in
up)
    rootfs
    userdel $USER_NAME 2>/dev/null || true
    # Its own numbers in containers come with it.
    useradd --home-dir "$W/home" --create-home $USER_NAME
    install -d -m 700 -o $USER_NAME "/run/user/$(id -u $USER_NAME)"
    cat >"$W/containers.conf" <<C
[containers]
default_ulimits=["nofile=1024:1024","nproc=4096:4096"]
netns="none"
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
C
    chmod 755 "$W"
    as_user podman import -q --change 'ENV PATH=/bin' "$W/root.tar" $IMAGE
    ;;
run) as_user podman run --rm --name shop --label app=demo $IMAGE $BOX sh /work.sh ;;
down)
    id=$(id -u $USER_NAME) || exit 0
    as_user podman rm -f -t 0 shop 2>/dev/null || true
    pause=$(cat "/run/user/$id/libpod/tmp/pause.pid" 2>/dev/null) && kill "$pause" || true
    wait_for eval "! pgrep -u $USER_NAME"
    # Files of other numbers than its own.
    rm -rf "$W/home" "/run/user/$id"
    userdel $USER_NAME
    ;;
esac
