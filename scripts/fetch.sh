# Helpers for scripts that fetch pinned files. Sourced by scripts/deps and scripts/models, never run.
#
# Rules: a file is taken through a package client, which takes its host from the machine's own configuration; its sha256
# is checked before anything is unpacked; work happens in a temporary folder and is renamed into place at the end, so an
# interrupted run leaves nothing half done. Nothing that a package contains is run.
# shellcheck shell=sh disable=SC2034  # the scripts that source this use its variables

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache=${KEEL_DEPS_CACHE:-$root/deps/.cache}
export LC_ALL=C

say() { printf '%s\n' "$*" >&2; }

# die WHAT-AND-WHY [WHAT-TO-DO]
die() {
  say "error: $1"
  [ $# -lt 2 ] || say "  $2"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

now() { date +%s; }

sha256_of() {
  if have sha256sum; then sha256sum "$1" | cut -d' ' -f1; else shasum -a 256 "$1" | cut -d' ' -f1; fi
}

# need_disk MEGABYTES WHAT: refuses before a download that cannot fit.
need_disk() {
  mkdir -p "$cache"
  free_mb=$(df -Pk "$cache" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$free_mb" -ge "$1" ] ||
    die "not enough disk for $2: $1 MB needed, $free_mb MB free in $cache." \
      "Free some space, or set KEEL_DEPS_CACHE to a folder on a larger disk, and run this again."
}

# make_temp sets $temp: a folder inside the cache (so that a rename is atomic), removed on exit.
temp=
make_temp() {
  mkdir -p "$cache"
  for stale in "$cache"/.tmp-*; do
    [ -d "$stale" ] || continue
    kill -0 "${stale##*-}" 2>/dev/null || rm -rf "$stale"
  done
  temp=$cache/.tmp-$$
  rm -rf "$temp"
  mkdir "$temp"
}
trap '[ -z "$temp" ] || rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

need_client() {
  case $1 in
    npm) have npm || die "npm is not installed, and $2 is fetched through it." "Run ./dev run, or install npm." ;;
    pip) python3 -m pip --version >/dev/null 2>&1 ||
      die "python3 with pip is not installed, and $2 is fetched through it." \
        "Run ./dev run, or install python3-pip." ;;
    *) die "deps.lock names an unknown client '$1' for $2." ;;
  esac
}

# fetch_package CLIENT PACKAGE VERSION SHA256 FOLDER: leaves FOLDER/package after checking its hash.
fetch_package() {
  need_client "$1" "$2"
  mkdir -p "$5/get"
  case $1 in
    npm) (cd "$5/get" && npm pack "$2@$3" --loglevel=error --ignore-scripts --fetch-retries=2 \
      --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000) >"$5/log" 2>&1 || fetch_failed "$@" ;;
    pip) python3 -m pip download "$2==$3" --no-deps --only-binary=:all: --no-input --quiet \
      --disable-pip-version-check --retries 2 --timeout 20 --dest "$5/get" >"$5/log" 2>&1 || fetch_failed "$@" ;;
  esac
  set -- "$1" "$2" "$3" "$4" "$5" "$5"/get/*
  if [ $# -ne 6 ] || [ ! -f "$6" ]; then die "$1 delivered no single file for $2 $3." "See $5/log."; fi
  actual=$(sha256_of "$6")
  [ "$actual" = "$4" ] || die "$2 $3 from $1 is not the pinned file: its sha256 is
    $actual, deps/ expects
    $4." "Nothing was unpacked. Run it again; if it stays so, do not use this package and report it."
  mv "$6" "$5/package"
}

fetch_failed() {
  tail -n 3 "$5/log" | cut -c1-160 | sed 's/^/    /' >&2
  die "could not fetch $2 $3 through $1 (the client's last words are above)." \
    "Check the network and the client's own settings, then run this again: finished parts are kept."
}
