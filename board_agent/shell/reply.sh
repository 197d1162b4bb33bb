# A frame is `ORCH-SH/2 begin <nonce>`, lines, and `ORCH-SH/2 end <nonce>`. `bytes <name> <count>` is
# followed by so many bytes and a line feed, `text <name>` by lines that begin with `|`.

begin() { printf '\nORCH-SH/2 begin %s\n' "$nonce"; }

say() { printf '%s\n' "$*"; }

say_file() {
    size_of "$2"
    printf 'bytes %s %s\n' "$1" "${size:-0}"
    if [ -n "$size" ]; then cat "$2"; fi
    printf '\n'
}

say_text() {
    say "text $1"
    say_lines <<TEXT
$2
TEXT
}

# The last line may lack its line feed.
say_lines() {
    while IFS= read -r its_line || [ -n "$its_line" ]; do printf '|%s\n' "$its_line"; done
}

end() {
    leave
    printf 'ORCH-SH/2 end %s\n' "$nonce"
    exit 0
}

# The rest of the arguments are `key value` lines about the error.
fail() {
    begin
    say "error $1"
    fail_text=$2
    shift 2
    for detail in "$@"; do say "detail $detail"; done
    say_text message "$fail_text"
    end
}

bad() { fail BAD_REQUEST "$1"; }
