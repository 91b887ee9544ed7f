# Shared by the scripts; sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# have FILE_OR_COMMAND: a command on the PATH (or where only root's PATH looks), or a file.
have() {
    case $1 in
        /*) [ -e "$1" ] ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
    esac
}

# need WHAT PACKAGE [WHAT PACKAGE]...: installs Debian's package where WHAT is missing. Daemons that
# come with a package are not started.
need() {
    local missing=() guard=/usr/sbin/policy-rc.d log
    while [ $# -gt 0 ]; do
        have "$1" || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    have apt-get || die "please install: ${missing[*]}"
    [ "$(id -u)" = 0 ] || die "please install: sudo apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    log=$(mktemp)
    if [ ! -e $guard ]; then
        printf '#!/bin/sh\nexit 101\n' > $guard
        chmod 755 $guard
    else
        guard=
    fi
    case " ${missing[*]} " in
        *' postfix '*) echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections ;;
    esac
    export DEBIAN_FRONTEND=noninteractive
    install() { apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; }
    if ! install && ! { apt-get update >>"$log" 2>&1 && install; }; then
        [ -z "$guard" ] || rm -f $guard
        tail -20 "$log" >&2
        die "could not install ${missing[*]}"
    fi
    [ -z "$guard" ] || rm -f $guard
    rm -f "$log"
}

# free_port FIRST: the first port of loopback from FIRST on where nobody listens.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    say "$port"
}
