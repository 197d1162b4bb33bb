# What this board's busybox or coreutils can do, looked at and never guessed.

has() { command -v "$1" >/dev/null 2>&1; }

# Sets hash_tool, sync_tool, unzip_tool and detach_tool; each is empty where there is none.
find_tools() {
    hash_tool='' sync_tool='' unzip_tool='' detach_tool=''
    if has sha256sum; then
        hash_tool=sha256sum
    elif has busybox && busybox sha256sum /dev/null >/dev/null 2>&1; then
        hash_tool='busybox sha256sum'
    elif has openssl; then
        hash_tool='openssl dgst -sha256 -r'
    fi
    if has sync; then sync_tool=sync; elif has fsync; then sync_tool=fsync; fi
    if has setsid; then detach_tool='setsid'; elif has nohup; then detach_tool='nohup'; fi
}

# Looked at only where it is asked for: it takes a process.
find_unzip() {
    for unzip_tool in 'gzip -dc' 'gunzip -c' 'zcat' ''; do
        if [ -z "$unzip_tool" ]; then return; fi
        has "${unzip_tool%% *}" || continue
        # What a deflated "a" is as zlib writes it.
        if [ "$(printf '\170\234\113\004\000\000\142\000\142' | unzip_stream)" = a ]; then return; fi
    done
}

# zlib from stdin to stdout. The two bytes of its head pass for the last two of a gzip head; its
# tail does not pass for gzip's, so the return code says nothing: the hash of what came out does.
unzip_stream() {
    # shellcheck disable=SC2086 # a command with its options
    { printf '\037\213\010\000\000\000\000\000'; cat; } | $unzip_tool 2>/dev/null
}

need_tools() {
    if [ -z "$hash_tool" ]; then
        fail NO_TOOLS "no sha256sum, busybox sha256sum or openssl: files cannot be verified here"
    fi
    if [ -z "$sync_tool" ]; then
        fail NO_TOOLS "no sync or fsync: files cannot be brought to the disk here"
    fi
    for tool in mv ln mkdir rm cp dd ls cat; do
        has "$tool" || fail NO_TOOLS "no $tool on the PATH $PATH"
    done
}

# Sets hash.
hash_of() {
    # shellcheck disable=SC2086 # a command with its options
    hash=$($hash_tool "$1" 2>/dev/null) || hash=''
    hash=${hash%% *}
}

# Sets size; empty where there is no regular file. `stat` and `wc -c` are missing or slow on some.
size_of() {
    size=''
    if [ ! -f "$1" ]; then return 0; fi
    # shellcheck disable=SC2046 # fields are wanted
    set -- $(ls -lnL "$1" 2>/dev/null)
    size=${5-}
}

# Sets now_s: seconds since the board was started, which no wrong date touches.
read_now() {
    read -r now_s _ <"$(system_file /proc/uptime)"
    now_s=${now_s%%.*}
}

read_boot() { read -r boot_id <"$(system_file /proc/sys/kernel/random/boot_id)"; }

# A simulated board has its own files below another root, and the machine's where it has none.
system_file() {
    if [ -e "$root$1" ]; then printf %s "$root$1"; else printf %s "$1"; fi
}

pause() { sleep 0.1 2>/dev/null || sleep 1; }

# Sets started: when a process was started, in ticks; empty where it runs no more.
start_of() {
    started=''
    stat_line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # fields are wanted; they follow the name, which may hold anything
    set -- ${stat_line##*) }
    case $1 in
    Z | X) ;;
    *) started=${20} ;;
    esac
}

is_id() {
    case $1 in
    '' | .* | *[!A-Za-z0-9._-]*) return 1 ;;
    esac
    [ ${#1} -le 200 ]
}

is_hash() {
    case $1 in
    *[!0-9a-f]*) return 1 ;;
    esac
    [ ${#1} -eq 64 ]
}

is_number() {
    case $1 in
    '' | *[!0-9]*) return 1 ;;
    esac
}
