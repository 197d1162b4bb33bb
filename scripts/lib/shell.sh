# shellcheck shell=bash
# What the scripts share: how they speak and how they install Debian packages. Sourced, never run.

# stdout belongs to the result; everything about the way there goes to stderr.
say() {
  printf '%s\n' "$*" >&2
}

die() {
  say "$@"
  exit 2
}

# Run a command in silence; when it fails, show the end of what it printed.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if ((status)); then
    tail -n 30 "$log" >&2
    say "exited with $status: $*"
  fi
  rm -f "$log"
  return "$status"
}

is_root() {
  [[ $(id -u) == 0 ]]
}

can_install_packages() {
  is_root && [[ -e /etc/debian_version ]] && command -v apt-get >/dev/null
}

install_packages() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120)
  say "apt: installing $*"
  # One unreachable source of several must not stop us: the install has the last word.
  quietly "${apt[@]}" update || say "apt: update failed, trying with the lists that are here"
  quietly "${apt[@]}" install -y --no-install-recommends "$@"
}
