. "$(dirname "$0")/common.sh"
# Without systemd nobody makes the scope that systemd would: the same path by hand, in whatever hierarchies there are.
hierarchies() {
    for dir in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        [ ! -e "$dir/cgroup.procs" ] || echo "$dir"
    done
}
case $1 in
up) rootfs ;;
run)
    (
        # Without a scope nothing but nspawn itself tells of the container.
        [ "$2" = alone ] || for dir in $(hierarchies); do
            mkdir -p "$dir/machine.slice/machine-shop.scope"
            echo $BASHPID >"$dir/machine.slice/machine-shop.scope/cgroup.procs"
        done
        exec systemd-nspawn -q -D "$W/root" --machine=shop --register=no --keep-unit --console=pipe $BOX sh /work.sh \
            </dev/null
    )
    ;;
down)
    for dir in $(hierarchies); do
        [ ! -e "$dir/machine.slice" ] || find "$dir/machine.slice" -depth -type d -exec rmdir {} + || true
    done
    ;;
esac
