#!/bin/bash
# Boots a Debian kernel of another version under software emulation, with a folder as its root, and prints its console.
#   boot.sh VERSION ROOT CACHE     e.g. boot.sh 6.12 root ~/.cache/kernels
# VERSION is the beginning of a kernel version; of Debian's cloud kernels the newest that begins so is taken.
# ROOT holds an executable /init that ends with `poweroff -f`. CACHE keeps the unpacked packages.
# Ends with 77 and the reason when there is no such kernel to be had.
set -euo pipefail
version=$1 root=$(cd "$2" && pwd)
mkdir -p "$3"
cd "$3"

# Debian names the same kernel also linux-image-VERSION-cloud-amd64-unsigned and -dbg, which end differently.
package=$(apt-cache search --names-only "^linux-image-${version//./\\.}\\..*cloud-amd64\$" 2>/dev/null | cut -d' ' -f1 | sort -V | tail -n 1)
if [ -z "$package" ]; then
    # What is cached serves when the package lists are gone.
    package=$(find . -maxdepth 1 -type d -name "linux-image-$version.*" -printf '%f\n' | sort -V | tail -n 1)
fi
if [ -z "$package" ]; then
    echo "no package linux-image-$version.*-cloud-amd64"
    exit 77
fi
if ! compgen -G "$package/boot/vmlinuz-*" >/dev/null; then
    apt-get download -qq "$package" 2>&1 || { echo "$package cannot be downloaded"; exit 77; }
    dpkg-deb -x "${package}"_*.deb "$package"
    rm "${package}"_*.deb
fi

initrd=$(mktemp)
trap 'rm -f "$initrd"' EXIT
(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$initrd"
# No KVM: it is absent on many machines that build software, and this needs no speed. One thread for both processors: with
# one each, the emulator lets a processor run an instruction that the other is just replacing, and a kernel that switches
# its tracepoints on dies of the int3 that it put there.
timeout "${LIMIT:-300}" qemu-system-x86_64 -accel tcg,thread=single -m 1536 -smp 2 -nographic -no-reboot \
    -kernel "$package"/boot/vmlinuz-* -initrd "$initrd" -append "console=ttyS0 quiet panic=-1" </dev/null
