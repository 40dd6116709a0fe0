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
hold) docker run -d --network none --name shop tracer-shop:1 $BOX sleep 1000 ;;
poke) docker exec "$2" $BOX true ;;
rename) docker rename shop "$2" ;;
flash) docker run --rm --network none --name "flash$2" tracer-shop:1 $BOX sleep 0.05 ;;
down)
    docker rm -f shop newshop 2>/dev/null || true
    stop_service
    drop_groups docker
    ;;
esac
