# Sourced by the scripts beside it: messages, packages, the Swift toolchain, the Python environment.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
export SWIFT_DETERMINISTIC_HASHING=1     # keeps SwiftPM from rebuilding modules whose traits come out in another order
PEERS=$ROOT/.build/peers                 # Debian's log daemons, unpacked: see need_peers

say()  { printf '\033[1m%s\033[0m\n' "$*" | { if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }; }
fail() { printf 'weir: %s\n' "$*" >&2; exit 1; }

# What a build needs, and what the tests need besides.
BUILD_PACKAGES=(git pkg-config binutils gcc g++ libc6-dev libre2-dev zlib1g-dev liblz4-dev libzstd-dev libsqlite3-dev libldap-dev libpq-dev
                libcurl4-openssl-dev)
TEST_PACKAGES=(python3 python3-venv curl bsdutils openssl strace iproute2 xfsprogs e2fsprogs util-linux nginx-light haproxy
               prometheus chromium rabbitmq-server redis-server slapd ldap-utils postgresql-15 samba samba-ad-provision samba-dsdb-modules
               samba-vfs-modules ldb-tools)
# rsyslog and syslog-ng may not be installed side by side, and a test must not replace the log daemon of the machine it runs on.
# So both are unpacked under .build/peers; only the libraries they need are installed.
PEER_LIBRARIES=(libestr0 libfastjson4 liblognorm5 libuuid1 libsystemd0 libcap2 libglib2.0-0 libivykis0 libjson-c5 libnet1
                libpcre3 libssl3 libwrap0 libcurl4)
PEER_PACKAGES=(rsyslog rsyslog-elasticsearch syslog-ng-core syslog-ng-mod-http)
OMHTTP_PACKAGES=(dpkg-dev pkg-config make gcc libc6-dev zlib1g-dev)
BENCH_PACKAGES=(python3 gcc libc6-dev)

# as_root COMMAND…: runs it as root, by sudo where needed.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo -- "$@"
    else return 126; fi
}

# missing PACKAGE…: prints those that are not installed.
missing() {
    local p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

apt_lists_fresh=
refresh_lists() {
    [ -n "$apt_lists_fresh" ] && return
    as_root apt-get -q -q -o DPkg::Lock::Timeout=300 update
    apt_lists_fresh=yes
}

# need_packages WHAT PACKAGE…: installs the missing ones, starts none of their services.
need_packages() {
    local what=$1 wanted
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "This is not Debian: $what needs $*, by their Debian names. Going on with what is here."
        return
    fi
    wanted=$(missing "$@")
    [ -z "$wanted" ] && return
    # shellcheck disable=SC2086
    set -- $wanted
    say "Installing for $what: $*"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail "these Debian packages are missing: $*
      You are not root and there is no sudo. As root, run:  apt-get install --no-install-recommends $*"
    fi
    refresh_lists
    local guard=/usr/sbin/policy-rc.d made=
    if [ ! -e $guard ]; then              # 101: "not allowed"; Debian's own way to keep packages from starting services
        printf '#!/bin/sh\nexit 101\n' | as_root tee $guard >/dev/null
        as_root chmod 755 $guard
        made=yes
    fi
    local status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >"$ROOT/.build/apt.log" 2>&1 </dev/null || status=$?
    [ -n "$made" ] && as_root rm -f $guard
    [ $status = 0 ] || { tail -20 "$ROOT/.build/apt.log" >&2; fail "apt-get could not install: $*"; }
}

# need_peers: unpacks rsyslog and syslog-ng under .build/peers.
need_peers() {
    need_packages "the log daemons that the tests talk to" "${PEER_LIBRARIES[@]}"
    [ -x "$PEERS/usr/sbin/rsyslogd" ] && [ -x "$PEERS/usr/sbin/syslog-ng" ] && return
    command -v apt-get >/dev/null || return 0
    say "Unpacking ${PEER_PACKAGES[*]} (not installed, not started)"
    rm -rf "$PEERS.new"
    mkdir -p "$PEERS.new/deb"
    (
        cd "$PEERS.new/deb"
        apt-get -q -q download "${PEER_PACKAGES[@]}" 2>/dev/null || { refresh_lists; apt-get -q -q download "${PEER_PACKAGES[@]}"; }
        for deb in *.deb; do dpkg -x "$deb" ..; done
    ) || fail "could not unpack ${PEER_PACKAGES[*]}"
    rm -rf "$PEERS.new/deb" "$PEERS"
    mv "$PEERS.new" "$PEERS"
}

# need_omhttp: the one module of rsyslog that the tests want and Debian does not package, built once from Debian's source.
need_omhttp() {
    command -v apt-get >/dev/null || return 0
    [ -z "$(find "$PEERS/usr/lib" -name omhttp.so)" ] || return 0
    need_packages "rsyslog's omhttp" "${OMHTTP_PACKAGES[@]}"
    say "Building rsyslog's omhttp, which Debian does not package: a minute, once"
    timeout --kill-after=10 180 scripts/omhttp >.build/omhttp.log 2>&1 ||
        say "OMHTTP COULD NOT BE BUILT, so its test is skipped: $(tail -1 .build/omhttp.log)"
}

# need_swift: a toolchain of 6.3 or newer.
need_swift() {
    command -v swift >/dev/null || fail "there is no Swift toolchain: install Swift 6.3 for Debian 12 and put its usr/bin on PATH."
    local version
    version=$(swift --version 2>/dev/null | grep -oE 'Swift version [0-9]+\.[0-9]+' | grep -oE '[0-9]+\.[0-9]+' | head -1)
    if [ "$(printf '%s\n6.3\n' "${version:-0.0}" | sort -V | head -1)" != 6.3 ]; then
        fail "Swift ${version:-(unknown)} is too old: Weir needs Swift 6.3."
    fi
}

# need_python: .venv with the pinned packages of scripts/requirements.txt.
need_python() {
    local stamp=.venv/requirements.txt
    cmp -s scripts/requirements.txt $stamp && [ -x .venv/bin/pytest ] && return
    say "Preparing .venv for the tests"
    rm -rf .venv
    /usr/bin/python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt ||
        fail "could not install scripts/requirements.txt into .venv"
    cp scripts/requirements.txt $stamp
}

# need_pycti: .venv-pycti6 and .venv-pycti7, in which the tests run real OpenCTI connectors; without them those tests are skipped.
need_pycti() {
    local version wanted
    need_packages "pycti" libmagic1
    for version in 6 7; do
        wanted=scripts/requirements-pycti$version.txt
        cmp -s "$wanted" ".venv-pycti$version/requirements.txt" && continue
        say "Preparing .venv-pycti$version for the tests of connectors"
        rm -rf ".venv-pycti$version"
        /usr/bin/python3 -m venv ".venv-pycti$version"
        if ".venv-pycti$version/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >.build/pycti.log 2>&1; then
            cp "$wanted" ".venv-pycti$version/requirements.txt"
        else
            rm -rf ".venv-pycti$version"
            say "PYCTI $version COULD NOT BE INSTALLED, so its tests are skipped: $(tail -1 .build/pycti.log)"
        fi
    done
}

# with_progress LOG COMMAND…: runs it, its output in LOG, and shows how far SwiftPM says it is.
with_progress() {
    local log=$1 pid status=0 began=$SECONDS last=-30 step
    shift
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    trap 'kill '"$pid"' 2>/dev/null; exit 130' INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        step=$(tail -c 4096 "$log" | tr '\r' '\n' | grep -oE '^\[[0-9]+/[0-9]+\]' | tail -1 || true)
        if [ -t 1 ]; then
            printf '\r  %s %d min %02d s ' "${step:-fetching packages}" $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60))
        elif [ $((SECONDS - last)) -ge 30 ]; then
            last=$SECONDS
            printf '  %s after %d s\n' "${step:-fetching packages}" $((SECONDS - began))
        fi
        sleep 1
    done
    wait "$pid" || status=$?
    trap - INT TERM
    [ -t 1 ] && printf '\r\033[K'
    printf '  done after %d s\n' $((SECONDS - began))
    return $status
}

# build WHAT MINUTES ARGUMENT…: swift build, with its errors shown when it fails.
build() {
    local what=$1 minutes=$2
    shift 2
    if [ -d .build/checkouts ] && [ -d ".build/$what" ]; then
        say "Building ($what): what changed since last time"
    else
        say "Building ($what): the first time takes about $minutes minutes on two cores, later ones take seconds"
    fi
    mkdir -p .build
    if ! with_progress ".build/build-$what.log" swift build "$@"; then
        grep -E 'error:|fatal' ".build/build-$what.log" | sort -u | head -40 >&2 || true
        tail -20 ".build/build-$what.log" >&2
        fail "the build failed; all of its output is in .build/build-$what.log"
    fi
}
