# Blobs and releases: releases/<id>/ has manifest.json as the host sent it, and `files` with a line
# `sha256 size name` for each of its files, since sh cannot read JSON.

# Sets release: what the link `current` or `previous` points to; empty where it is not sound.
release_at() {
    release=$(readlink "$1" 2>/dev/null) || release=''
    case $release in
    releases/*) release=${release#releases/} ;;
    *) release='' ;;
    esac
    if [ ! -f "releases/$release/files" ]; then release=''; fi
}

# Make sure that the blob $1 of $2 bytes, called $3, is there and intact.
complete_blob() {
    is_hash "$1" && is_number "$2" || bad "$3 has no sha256 and size"
    size_of "blobs/$1"
    if [ -n "$size" ]; then
        hash_of "blobs/$1"
        if [ "$hash" = "$1" ]; then
            [ "$size" = "$2" ] || bad "$3 has $size bytes, not $2"
            return 0
        fi
        discard "blobs/$1" # it was sound when it got its name
    fi
    unpack_of "$1"
    is_hash "$payload" || bad "$3 has a payload that is no sha256"
    part=incoming/${newest_dir#lease/}/$payload.part
    size_of "$part"
    if [ -z "$size" ]; then
        fail HASH_MISMATCH "$3: neither a blob nor a part of it is on the board" "sha256 $1"
    fi
    sync_path "$part"
    case $encoding in
    raw)
        if [ "$size" -lt "$2" ]; then # kept: the host may send the rest
            fail HASH_MISMATCH "$3: $size of $2 bytes arrived" \
                "sha256 $1" "size_bytes $2" "found_bytes $size"
        fi
        blob=$part
        ;;
    zlib)
        need_unzip
        blob=$mine/$1
        unpack_file "$part" "$blob"
        sync_path "$blob"
        ;;
    *) bad "$3: this board does not unpack $encoding" ;;
    esac
    hash_of "$blob"
    if [ "$hash" != "$1" ]; then
        drop "$part"
        drop "$blob"
        fail HASH_MISMATCH "$3: the sha256 of what arrived is $hash, not $1" \
            "sha256 $1" "found_sha256 $hash"
    fi
    size_of "$blob"
    [ "$size" = "$2" ] || bad "$3 has $size bytes, not $2"
    make_dir blobs
    move "$blob" "blobs/$1"
    if [ "$encoding" != raw ]; then drop "$part"; fi
}

# Sets payload and encoding: what the host sent for the blob $1.
unpack_of() {
    payload=$1 encoding=raw
    while read -r its_blob its_encoding its_payload _; do
        if [ "$its_blob" = "$1" ]; then payload=$its_payload encoding=$its_encoding; fi
    done <<LIST
$unpacks
LIST
}

need_unzip() {
    if [ -z "$unzip_tool" ]; then find_unzip; fi
    [ -n "$unzip_tool" ] || fail NO_TOOLS "no gzip, gunzip or zcat: nothing can be unpacked here"
}

# Verify all files of the request and give the release its name, with its manifest, in one step.
stage() {
    is_id "$release_id" || bad "release_id is no name"
    [ -n "$listed" ] && [ -n "$manifest" ] || bad "the request has no manifest"
    while read -r its_hash its_size its_name; do
        complete_blob "$its_hash" "$its_size" "$its_name"
    done <<LIST
$listed
LIST
    complete_others
    folder=releases/$release_id
    if [ -f "$folder/files" ]; then
        [ "$(cat "$folder/files")" = "$listed" ] ||
            bad "release $release_id is on the board with other files"
        settle
        return 0
    fi
    made=$mine/$release_id
    op mkdir "$made"
    write_file "$made/manifest.json" "$manifest"
    write_file "$made/files" "$listed"
    sync_path "$made/manifest.json"
    sync_path "$made/files"
    sync_path "$made"
    make_dir releases
    if [ -d "$folder" ]; then discard "$folder"; fi # without `files`: another agent made it
    move_into "$made" releases
    settle
}

# What was sent and is no file of the release: the inputs it is run with.
complete_others() {
    if [ -z "$unpacks" ]; then return 0; fi
    while read -r other _ _ other_size; do
        case $listed in
        *"$other "*) continue ;;
        esac
        complete_blob "$other" "$other_size" "$other"
    done <<LIST
$unpacks
LIST
}

# What is there may have got its name from a process that was killed before it had synced that.
settle() {
    sync_path blobs
    sync_path releases
    sync_path .
}

# Sets switched.
switch_to() {
    release_at current
    switched=false
    if [ "$release" = "$release_id" ]; then return 0; fi
    if [ -n "$release" ]; then point previous "releases/$release"; fi
    point current "releases/$release_id"
    switched=true
}

rollback() {
    release_at current
    before=$release
    switched=false
    if [ -n "$from" ] && [ "$from" != "$before" ]; then return 0; fi
    release_at previous
    [ -n "$release" ] || fail NO_RELEASE "no release before $before"
    verify_release "$release"
    settle
    # First: after a crash in between, the step back is made.
    point current "releases/$release"
    if [ -n "$before" ]; then point previous "releases/$before"; fi
    if [ "$before" != "$release" ]; then switched=true; fi
}

verify_release() {
    while read -r its_hash its_size its_name; do
        complete_blob "$its_hash" "$its_size" "$its_name"
    done <"releases/$1/files"
}

say_state() {
    for link in current previous; do
        release_at "$link"
        if [ -n "$release" ]; then say "$link $release"; fi
    done
}

end_switched() {
    begin
    say_state
    say "switched $switched"
    end
}
