# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# What the scripts share.  Sourced, never run.  Sets `top` (the checkout) and goes there.

set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

# Debian packages: for the kernel and the ISO, for the host programs, to run, and what the tests need more.
packages_kernel=(gcc libc6-dev binutils cmake ninja-build nasm gzip console-setup-linux grub-common grub-pc-bin
                 grub-efi-amd64-bin xorriso mtools faketime)
packages_host=(libcmocka-dev)
packages_qemu=(qemu-system-x86 ovmf python3)
packages_bochs=(bochs bochs-x bochsbios vgabios python3)
packages_tests=(clang libclang-rt-14-dev python3 python3-pexpect gdb shellcheck xvfb xdotool x11-apps socat spin)

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# need PACKAGE...: installs the Debian packages among these that are missing.  Asks apt only when one is.
need()
{
    local package missing=()
    command -v dpkg-query >/dev/null || { need_commands; return; }
    for package; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0

    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || fail "these Debian packages are missing, and there is no sudo: ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing Debian packages: ${missing[*]}"
    if [[ -z ${apt_is_fresh:-} ]]; then
        "${as_root[@]}" apt-get update -q >&2 || say "warning: apt-get update failed; going on with the lists there are"
        apt_is_fresh=yes
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        "${missing[@]}" >&2 || fail "apt-get could not install: ${missing[*]}"
}

# Without dpkg nothing can be installed; at least say early what will be missed.
need_commands()
{
    local name
    for name in gcc cmake ninja nasm grub-mkrescue grub-file xorriso mformat; do
        command -v "$name" >/dev/null || fail "$name is missing, and this is no Debian to install it on"
    done
}

# build_preset PRESET [TARGET...]: configures when needed and builds.
build_preset()
{
    local preset=$1
    shift
    cmake --preset "$preset" >"$top/build/$preset.configure.log" 2>&1 \
        || { cat "$top/build/$preset.configure.log" >&2; fail "cmake --preset $preset"; }
    cmake --build --preset "$preset" ${1:+--target "$@"} || fail "the $preset build"
}

# Builds build/tessera.elf, build/tessera.iso and build/host/tessera-map.
build_all()
{
    need "${packages_kernel[@]}" "${packages_host[@]}"
    mkdir -p build
    build_preset kernel
    build_preset host tessera-map
}

# fuzz_targets: the names of the fuzz targets, one a line.
fuzz_targets() { find tests/fuzz -name 'fuzz_*.c' -printf '%f\n' | sed -E 's/^fuzz_(.*)\.c$/\1/' | sort; }

# fuzz_run TARGET SECONDS NEW ARTIFACTS [OPTION...]: runs a target of the fuzz preset with libFuzzer, from the inputs that
# are kept and those in the folder NEW, where it leaves what it finds.  An input that breaks something is left as
# ARTIFACTS-crash-*, and makes it fail.
fuzz_run()
{
    local target=$1 seconds=$2 new=$3 artifacts=$4 max_len=2048
    shift 4
    case $target in
        mm) max_len=400 ;;      # some hundred calls
        multiboot2) max_len=4096 ;;
    esac
    mkdir -p "$new"
    # cmocka's assertions abort, so that the fuzzer sees them; a small quarantine keeps the process small.
    CMOCKA_TEST_ABORT=1 ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=6 \
        "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=$max_len -timeout=20 \
        -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$artifacts-" "$@" "$new" "tests/fuzz/corpus/$target"
}
