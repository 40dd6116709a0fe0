. "$(dirname "$0")/common.sh"
L=$W/lxc
case $1 in
up)
    rootfs
    mkdir -p "$L"
    printf 'lxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\n' >"$L/default.conf"
    lxc-create -P "$L" -n shop -f "$L/default.conf" -t busybox
    cp "$W/root$BOX" "$L/shop/rootfs/bin/"
    cp "$W/root/work.sh" "$L/shop/rootfs/"
    cp "$W/root/etc/passwd" "$W/root/etc/group" "$L/shop/rootfs/etc/"
    ;;
run)
    lxc-start -P "$L" -n shop
    lxc-attach -P "$L" -n shop -- $BOX sh /work.sh
    lxc-stop -P "$L" -n shop -k
    ;;
down)
    lxc-stop -P "$L" -n shop -k 2>/dev/null || true
    lxc-destroy -P "$L" -n shop
    drop_groups lxc.pivot
    ;;
esac
