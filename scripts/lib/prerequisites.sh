# shellcheck shell=bash
# What the tests need from the machine: a Docker engine, SSH servers, debootstrap.
# Sourced after shell.sh.

missing=()
export ORCH_TEST_MISSING=
engine_pid=
engine_log=

# Install and start what can be; what cannot be is said, and named in ORCH_TEST_MISSING, by which
# the tests' fixtures skip, or fail under CI=true.
provide_prerequisites() {
  local packages status=0
  read -ra packages <<<"$(missing_packages)"
  if ((${#packages[@]})) && can_install_packages; then
    install_packages "${packages[@]}" || status=1
  fi
  start_engine || status=1
  prepare_sshd
  find_missing
  return "$status"
}

has() {
  command -v "$1" >/dev/null
}

# The client waits for ever on a socket that nobody reads.
engine_answers() {
  has docker && timeout 20 docker info >/dev/null 2>&1
}

missing_packages() {
  local packages=()
  engine_answers || { has docker && has dockerd; } || packages+=(docker.io)
  has sshd || packages+=(openssh-server)
  has dropbear || packages+=(dropbear-bin)
  has debootstrap || packages+=(debootstrap)
  has tc || packages+=(iproute2)
  has iptables || packages+=(iptables)
  has busybox || packages+=(busybox)
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
  has chromium || packages+=(chromium)
  printf '%s ' "${packages[@]}"
}

# Start an engine only where none answers and it is ours to start. A session of its own keeps
# Ctrl-C from it, so that the tests can still remove their containers.
start_engine() {
  if engine_answers || [[ -n ${DOCKER_HOST:-} ]] || ! is_root || ! has dockerd; then
    return 0
  fi
  engine_log=$(mktemp -t orch-dockerd.XXXXXX)
  say "docker: starting dockerd, log in $engine_log"
  setsid dockerd --storage-driver overlay2 >"$engine_log" 2>&1 </dev/null &
  engine_pid=$!
  wait_for_engine 60 || {
    tail -n 15 "$engine_log" >&2
    say "docker: dockerd does not answer"
    return 1
  }
}

wait_for_engine() {
  local deadline=$((SECONDS + $1))
  until engine_answers; do
    if ((SECONDS >= deadline)) || ! kill -0 "$engine_pid" 2>/dev/null; then
      return 1
    fi
    sleep 0.5
  done
}

# Stop the engine that this script started, and no other. dockerd gives containers 15 s.
stop_engine() {
  [[ -n $engine_pid ]] || return 0
  local deadline=$((SECONDS + 40))
  kill "$engine_pid" 2>/dev/null || return 0
  while kill -0 "$engine_pid" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      say "docker: dockerd (pid $engine_pid) is still stopping, log in $engine_log"
      return 0
    fi
    sleep 0.2
  done
  rm -f "$engine_log"
}

# sshd run by root insists on this folder, which only its service would make.
prepare_sshd() {
  if is_root && has sshd; then
    mkdir -p /run/sshd || say "sshd: /run/sshd could not be made"
  fi
}

find_missing() {
  engine_answers || miss docker "docker info fails for $(id -un); package docker.io"
  has sshd || miss sshd "package openssh-server"
  has dropbear || miss dropbear "package dropbear-bin"
  has debootstrap || miss debootstrap "package debootstrap"
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || miss postgresql "package postgresql"
  has chromium || miss chromium "package chromium"
  { has tc && has iptables; } || miss faults "packages iproute2 and iptables"
}

# Say what is missing and what that means, and name it to the tests.
miss() {
  local name=$1 why=$2 effect=skipped
  [[ ${CI:-} != true ]] || effect='failed, because CI=true'
  missing+=("$name")
  ORCH_TEST_MISSING=$(IFS=, && printf '%s' "${missing[*]}")
  say "missing: $name ($why): the tests that need it are $effect, pytest names each"
}

# The base of the images takes root to make; only root has no excuse for being without.
build_images() {
  scripts/build-images && return 0
  miss images "scripts/build-images failed"
  ! is_root
}
