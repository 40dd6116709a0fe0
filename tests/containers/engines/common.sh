# What the scripts of the engines share. Each is run as `bash ENGINE.sh up|run|down` with W, a scratch directory; `run`
# starts one container called shop from the image of `rootfs`, waits for its end and removes it.
set -e
W=${W:?a scratch directory}
BOX=/bin/busyboxshop

# A root directory with a program of a name that nothing else has, users of its own and something to do.
rootfs() {
    [ ! -e "$W/root" ] || return 0
    mkdir -p "$W"/root/{bin,etc,proc,sys,dev,tmp,root,run,usr/bin,usr/lib,var/cache}
    cp /bin/busybox "$W/root$BOX"
    ln -s busyboxshop "$W/root/bin/busybox"
    ln -s busybox "$W/root/bin/sh"
    echo 'shopkeeper:x:0:0:shop:/root:/bin/sh' >"$W/root/etc/passwd"
    echo 'shopgroup:x:0:' >"$W/root/etc/group"
    echo ID=shop >"$W/root/etc/os-release"
    echo 12 >"$W/root/var/cache/stock"
    cat >"$W/root/work.sh" <<'WORK'
B=/bin/busyboxshop
i=0
while [ $i -lt 12 ]; do
    i=$((i + 1))
    $B cat /etc/passwd /var/cache/stock >/dev/null
    $B grep -q 12 /var/cache/stock
    ($B true)
    $B nc -w 1 127.0.0.1 9 </dev/null 2>/dev/null
    $B sleep 0.1
done
true
WORK
    tar -C "$W/root" -cf "$W/root.tar" .
}

# `wait_for COMMAND…` repeats it until it succeeds, for at most 20 s.
wait_for() {
    for _ in $(seq 200); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    echo "never succeeded: $*" >&2
    return 1
}

# A service that goes on when the script ends; `down` stops it by its number.
service() {
    "$@" >>"$W/service.log" 2>&1 </dev/null &
    echo $! >"$W/service.pid"
}

stop_service() {
    local pid
    pid=$(cat "$W/service.pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    wait_for eval "! kill -0 $pid"
}

# `drop_groups PATH…` removes control groups that engines leave behind, with their parents; those in use stay.
drop_groups() {
    local top path
    for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
        for path; do
            [ ! -e "$top/$path" ] || (cd "$top" && rmdir -p "$path" 2>/dev/null) || true
        done
    done
}
