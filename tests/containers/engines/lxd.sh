. "$(dirname "$0")/common.sh"
export LXD_DIR=$W/lxd
case $1 in
up)
    rootfs
    mkdir -p "$LXD_DIR" "$W/image/rootfs"
    service lxd --group root
    wait_for lxc query /1.0
    lxc storage create shop dir
    cp -a "$W/root/." "$W/image/rootfs"
    mkdir -p "$W/image/rootfs/sbin"
    ln -s $BOX "$W/image/rootfs/sbin/init"
    echo '::sysinit:/bin/true' >"$W/image/rootfs/etc/inittab"
    printf 'architecture: x86_64\ncreation_date: 1700000000\nproperties: {os: shop}\n' >"$W/image/metadata.yaml"
    tar -C "$W/image" -cf "$W/image.tar" .
    lxc image import "$W/image.tar" --alias tracer-shop
    # The range of user ids that a container without rights needs is not everywhere.
    lxc init tracer-shop shop -s shop -c security.privileged=true
    ;;
run)
    lxc start shop
    lxc exec shop -- $BOX sh /work.sh
    lxc stop -f shop
    ;;
down)
    lxc delete -f shop 2>/dev/null || true
    lxc image delete tracer-shop 2>/dev/null || true
    lxc storage delete shop 2>/dev/null || true
    stop_service
    umount -R "$LXD_DIR"/* 2>/dev/null || true
    drop_groups lxc.pivot
    ;;
esac
