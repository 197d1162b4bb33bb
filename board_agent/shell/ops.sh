# Every change on the board's disk goes through here, and a failed one ends the agent with an error.
# What must not happen after a lease is lost is a rename out of, or into, a folder below
# lease/<token>/: the next holder renames that folder away, so that a belated one fails by itself.

op() {
    said=$("$@" 2>&1 </dev/null) && return 0
    broken "$*" "$said"
}

# Write a text to a file. No redirection: that would make an empty file before anything can fail.
write_file() {
    said=$(printf '%s\n' "$2" | dd of="$1" 2>&1) && return 0
    broken "writing $1" "$said"
}

# Unpack the file $1 to $2; the hash of that is still to be seen.
unpack_file() {
    said=$(unzip_stream <"$1" | dd of="$2" 2>&1) && return 0
    broken "unpacking $1" "$said"
}

pack_file() {
    said=$(gzip -c "$1" | dd of="$2" 2>&1) && return 0
    broken "packing $1" "$said"
}

# With one argument both kinds bring that to the disk; old ones bring everything, which will do.
sync_path() { op "$sync_tool" "$1"; }

sync_dir_of() {
    case $1 in
    */*) sync_path "${1%/*}" ;;
    *) sync_path . ;;
    esac
}

# Make a folder and those above it, durably.
make_dir() {
    if [ -z "$1" ]; then return 0; fi
    if [ ! -d "$1" ]; then
        case $1 in
        */*) make_dir "${1%/*}" ;;
        esac
        said=$(mkdir "$1" 2>&1 </dev/null) || [ -d "$1" ] || broken "mkdir $1" "$said"
    fi
    sync_dir_of "$1" # also where it was there: whoever made it may have been killed before this
}

# Rename a file to a name that is no folder's, durably.
move() {
    op mv -f "$1" "$2"
    sync_dir_of "$2"
    sync_dir_of "$1"
}

# Rename into a folder under the same name: so a symlink replaces a symlink to a folder, where
# `mv` has no -T, instead of ending up in that folder.
move_into() {
    op mv -f "$1" "$2/"
    sync_path "$2"
    sync_dir_of "$1"
}

# Make the symlink $1 point to $2 in one step, from the folder of this process below the lease.
point() {
    op ln -s "$2" "$mine/$1"
    move_into "$mine/$1" .
}

# Remove a file or folder: gone in one step, which a lease that was lost does not survive.
discard() {
    op mv -f "$1" "$mine/trash"
    if [ -d "$mine/trash" ]; then sync_dir_of "$1"; fi # or it may come back with less in it
    op rm -rf "$mine/trash"
}

copy() { op cp "$1" "$2"; }

drop() { op rm -f "$1"; }

drop_tree() { op rm -rf "$1"; }

# Take a lease's number: this is the step that only one of many can do.
take_number() { mkdir "lease/$1" 2>/dev/null; }

# What this process had below the lease; a lost lease has taken it away already.
leave() {
    if [ -n "$mine" ]; then rm -rf "$mine" 2>/dev/null; fi
}

broken() {
    case $2 in
    *"No space left"* | *"uota exceeded"* | *"Read-only file system"*) fail DISK_FULL "$1: $2" ;;
    esac
    if [ -n "$token" ] && ! holds_lease; then stale; fi
    fail INTERNAL "$1: $2"
}
