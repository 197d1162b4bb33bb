# Garbage: what neither current, previous, the newest staged release, the host nor a worker needs.
# All of it is renamed into the lease's own folder first, releases before their blobs, so that no
# release is ever seen with files missing.

collect_garbage() {
    kept_releases=' ' needed="$keep "
    keep_work
    for link in current previous; do
        release_at "$link"
        keep_release "$release"
    done
    keep_release "$(newest_release)"
    freed=0 removed=''
    for found in releases/*; do
        case $kept_releases in
        *" ${found#releases/} "*) continue ;;
        esac
        if [ -d "$found" ]; then collect releases "$found"; fi
    done
    for found in blobs/*; do
        case $needed in
        *" ${found#blobs/} "*) continue ;;
        esac
        if [ -f "$found" ]; then collect blobs "$found"; fi
    done
    for found in agent/*; do
        if [ -f "$found" ] && [ "${found##*/}" != "${0##*/}" ]; then collect agents "$found"; fi
    done
    for found in incoming/*; do
        if [ -e "$found" ] && [ "$found" != "incoming/${newest_dir#lease/}" ]; then
            collect parts "$found"
        fi
    done
    for found in "incoming/${newest_dir#lease/}"/*; do
        if [ -f "$found" ]; then collect parts "$found"; fi
    done
    collect_results
    begin
    if [ -n "$removed" ]; then printf %s "$removed"; fi
    say "freed $freed"
    end
}

# What the worker that is at work was started with.
keep_work() {
    find_busy
    if [ -z "$busy" ]; then return 0; fi
    while read -r what value; do
        case $what in
        release) keep_release "$value" ;;
        input) needed="$needed$value " ;;
        esac
    done <"$busy/needs"
}

keep_release() {
    if [ -z "$1" ]; then return 0; fi
    kept_releases="$kept_releases$1 "
    while read -r its_hash _; do needed="$needed$its_hash "; done <"releases/$1/files"
}

newest_release() {
    # shellcheck disable=SC2012 # ids are plain names
    newest_one=$(ls -t releases 2>/dev/null | head -n 1)
    if [ -f "releases/$newest_one/files" ]; then say "$newest_one"; fi
}

# Remove $2, which is one of the $1.
collect() {
    weigh "$2"
    freed=$((freed + weight))
    removed="$removed$1 ${2##*/}
"
    if [ -n "$dry_run" ]; then return 0; fi
    discard "$2"
}

weigh() {
    weight=0
    for file in "$1" "$1"/*; do
        size_of "$file"
        weight=$((weight + ${size:-0}))
    done
}

# The newest 50 runs stay.
collect_results() {
    if [ -n "$dry_run" ]; then return 0; fi
    # shellcheck disable=SC2012 # run ids are plain names
    for old in $(ls -t results 2>/dev/null | tail -n +51); do discard "results/$old"; done
}
