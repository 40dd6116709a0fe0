. "$(dirname "$0")/common.sh"
export DOCKER_HOST=unix://$W/docker.sock
case $1 in
up)
    rootfs
    service dockerd --data-root "$W/data" --exec-root "$W/exec" --pidfile "$W/docker.pid" -H "$DOCKER_HOST" \
        --bridge=none --iptables=false
    wait_for docker version
    docker import -c 'ENV PATH=/bin' "$W/root.tar" tracer-shop:1
    ;;
run) docker run --rm --network none --name shop --label app=demo -v "$W:/data:ro" tracer-shop:1 $BOX sh /work.sh ;;
flash) docker run --rm --network none --name "flash$2" tracer-shop:1 $BOX sleep 0.05 ;;
down)
    stop_service
    drop_groups docker
    ;;
esac
