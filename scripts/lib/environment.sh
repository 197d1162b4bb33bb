# shellcheck shell=bash
# Makes the virtual environment that scripts/demo and scripts/test share. Sourced after shell.sh.

# Where the environment is, as an absolute path. Call it before any cd: ORCH_VENV may be relative.
environment_path() {
  local root=$1 venv=${ORCH_VENV:-$1/.venv}
  [[ $venv == /* ]] || venv=$PWD/$venv
  printf '%s\n' "$venv"
}

# The environment holds at least these extras, at the versions of constraints.txt. Works once;
# the next time a stamp says that nothing changed.
make_environment() {
  local root=$1 venv=$2 extras=$3 key
  if ! key=$(environment_key "$root" "$venv"); then
    make_venv "$venv"
    key=$(environment_key "$root" "$venv") || die "$venv: made, but its python has no pip"
  fi
  case $(cat "$venv/.orch-stamp" 2>/dev/null) in
    "$key $extras" | "$key all,dev") return 0 ;;
  esac
  install_project "$root" "$venv" "$extras"
  printf '%s %s\n' "$key" "$extras" >"$venv/.orch-stamp"
}

# What the installed packages depend on, as one hash; fails when the environment is not usable.
# The root is part of it because the project is installed editable: it points back there.
environment_key() {
  local root=$1 venv=$2
  "$venv/bin/python" -c '
import hashlib, pathlib, sys
import pip
if sys.version_info < (3, 11):
    sys.exit(1)
root = pathlib.Path(sys.argv[1])
key = hashlib.sha256(f"{root}\n{sys.version}\n".encode())
for name in ("constraints.txt", "pyproject.toml"):
    key.update((root / name).read_bytes())
print(key.hexdigest())
' "$root" 2>/dev/null
}

# A fresh, empty environment with pip. Clears what is left of a broken one, and nothing else.
make_venv() {
  local venv=$1 python
  if [[ -e $venv && ! -e $venv/pyvenv.cfg && -n $(ls -A "$venv" 2>/dev/null) ]]; then
    die "$venv: exists and is not a virtual environment; set ORCH_VENV to another folder"
  fi
  python=$(find_python) || exit 2
  say "environment: making $venv with $python"
  if ! has_ensurepip "$python" && can_install_packages; then
    install_packages python3-venv "$(venv_package "$python")" || true
  fi
  if has_ensurepip "$python"; then
    quietly "$python" -m venv --clear "$venv" || die "$venv: could not be made with $python"
  else
    make_venv_without_ensurepip "$venv" "$python"
  fi
}

# Debian's python has no ensurepip until python3-venv is there, but its pip can stand in.
make_venv_without_ensurepip() {
  local venv=$1 python=$2 site
  if ! "$python" -m pip --version >/dev/null 2>&1; then
    die "$python: neither ensurepip nor pip; as root: apt install python3-venv" \
      "$(venv_package "$python")"
  fi
  quietly "$python" -m venv --clear --without-pip "$venv" || die "$venv: could not be made"
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  quietly "$python" -m pip install --no-input --target "$site" pip ||
    die "$venv: pip could not be installed; as root: apt install python3-venv"
}

has_ensurepip() {
  "$1" -c 'import ensurepip' 2>/dev/null
}

# Debian's package for this very interpreter: python3-venv serves only the default one.
venv_package() {
  "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
}

# The interpreter for a new environment. Each candidate is run, for pyenv leaves commands on PATH
# that only say that they are not installed.
find_python() {
  local candidate candidates=(python3.11 python3.12 python3.13 python3)
  [[ -z ${ORCH_PYTHON:-} ]] || candidates=("$ORCH_PYTHON")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  die "no python >= 3.11 found, tried: ${candidates[*]}; set ORCH_PYTHON to one"
}

# pip names hundreds of files; only the ones worth waiting for are shown, the rest is in the log.
install_project() {
  local root=$1 venv=$2 extras=$3 log=$2/install.log
  [[ -w $venv ]] || die "$venv: out of date and not writable for $(id -un); set ORCH_VENV" \
    "to another folder"
  rm -f "$venv/.orch-stamp"
  say "environment: installing .[$extras] into $venv, some minutes the first time"
  if ! PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install \
    --progress-bar off -c "$root/constraints.txt" -e "${root}[$extras]" 2>&1 </dev/null |
    tee "$log" | awk '/Downloading .*[0-9] [MG]B\)/ { print; fflush() }' >&2; then
    tail -n 30 "$log" >&2
    die "environment: pip failed, the whole log is $log"
  fi
}
