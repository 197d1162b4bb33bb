# lease/<token>/holder: `owner boot_id heartbeat_s ttl_s`. The highest number is the lease; it is
# kept for ever, so that numbers only go up.

# Sets newest: the highest number without zeros in front, 0 where there was never a lease.
find_newest() {
    for newest_dir in lease/[0-9]*; do newest=${newest_dir#lease/}; done
    newest=${newest#"${newest%%[!0]*}"}
    is_number "$newest" || newest=0
}

pad() { printf %020d "$1"; }

# Sets holder_owner, holder_age and holder_ttl of the newest lease; owner is empty where it is free.
find_holder() {
    find_newest
    holder_owner='' holder_age=0 holder_ttl=0 holder_foreign=false
    if read -r holder_owner holder_boot holder_beat holder_ttl 2>/dev/null <"$newest_dir/holder"; then
        read_now
        read_boot
        holder_ttl=${holder_ttl%%.*}
        if ! is_number "$holder_beat" || ! is_number "$holder_ttl"; then
            holder_owner=''
            return 0
        fi
        holder_age=$((now_s - holder_beat))
        if [ "$holder_boot" != "$boot_id" ] || [ "$holder_age" -gt "$holder_ttl" ]; then
            holder_owner=''
        fi
    fi
}

# Another fleet tool's lock, which is live while its heartbeat is younger than half an hour.
find_foreign() {
    foreign=$root/tmp/magnetar-lease/lock
    if [ ! -e "$foreign" ]; then return 1; fi
    beat=$(date -r "$foreign" +%s 2>/dev/null || stat -c %Y "$foreign" 2>/dev/null) || beat=''
    # Where its age cannot be told it counts as live: nothing of another's is broken on a guess.
    age=0
    if [ -n "$beat" ]; then age=$(($(date +%s) - beat)); fi
    [ "$age" -lt 1800 ] || return 1
    newest=0 holder_owner=magnetar holder_age=$age holder_ttl=1800 holder_foreign=true
}

say_holder() { say "holder $newest $holder_owner $holder_age $holder_ttl $holder_foreign"; }

# Sets token, or leaves it empty and the holder in holder_…
acquire() {
    is_owner "$owner"
    token=''
    find_holder
    if [ -n "$holder_owner" ] && [ "$holder_owner" != "$owner" ]; then return 0; fi
    if [ -z "$holder_owner" ] && find_foreign; then return 0; fi
    make_dir lease
    taken=$((newest + 1))
    taken_dir=lease/$(pad "$taken")
    take_number "${taken_dir#lease/}" || {
        find_holder
        holder_owner=${holder_owner:-unknown}
        return 0
    }
    token=$taken
    write_holder
    sync_path lease
    find_newest
    # A number that another had and left is no lease: the newest one is.
    if [ "$newest" = "$token" ]; then inherit; fi
    find_newest
    if [ "$newest" != "$token" ]; then
        token=''
        find_holder
        holder_owner=${holder_owner:-unknown}
    fi
}

# Free the board whoever has it; the numbers go on.
break_lease() {
    make_dir lease
    find_newest
    taken=$((newest + 1))
    taken_dir=lease/$(pad "$taken")
    take_number "${taken_dir#lease/}" || fail LEASED "lease: another has just taken it"
    sync_path lease
    inherit
}

# Take what older leases left. Their folders are renamed away first: from then on none of their
# holders can finish anything. Parts are copied, for a file may still be open for writing there.
inherit() {
    leave_nothing
    for lower in lease/[0-9]*; do
        is_lower "${lower#lease/}" || continue
        op mv -f "$lower" "$taken_dir/old-${lower#lease/}"
        drop_tree "$taken_dir/old-${lower#lease/}"
    done
    inbox=incoming/${taken_dir#lease/}
    make_dir "$inbox"
    for lower in incoming/[0-9]*; do
        is_lower "${lower#incoming/}" || continue
        op mv -f "$lower" "$taken_dir/parts"
        for part in "$taken_dir/parts"/*.part; do
            if [ -f "$part" ]; then copy "$part" "$inbox/${part##*/}"; fi
        done
        drop_tree "$taken_dir/parts"
    done
}

is_lower() { is_number "$1" && [ "$1" -lt "$taken" ]; }

write_holder() {
    read_now
    read_boot
    folder=lease/$(pad "$token")
    write_file "$folder/holder.$$" "$owner $boot_id $now_s $ttl_s"
    op mv -f "$folder/holder.$$" "$folder/holder"
}

holds_lease() {
    find_holder
    [ "$newest" = "$token" ] && [ -n "$holder_owner" ]
}

stale() {
    find_newest
    fail STALE_TOKEN "token $token: the lease is gone, the newest is $newest" "newest $newest"
}

# The gate before every change; sets mine, the folder of this process below the lease.
need_lease() {
    is_number "$token" || fail STALE_TOKEN "the request has no token"
    holds_lease || stale
    mine=$newest_dir/$$
    if [ -e "$mine" ]; then drop_tree "$mine"; fi # of a process that was killed
    op mkdir "$mine"
}

is_owner() {
    case $1 in
    '' | *[!!-~]*) bad "owner is no word of plain letters" ;;
    esac
    is_number "$ttl_s" || bad "ttl_s is no number of whole seconds"
}

lease_request() {
    case $lease_op in
    acquire)
        acquire
        if [ -z "$token" ]; then
            fail LEASED "held by $holder_owner for $holder_age s of $holder_ttl s" \
                "holder $newest $holder_owner $holder_age $holder_ttl $holder_foreign"
        fi
        ;;
    renew)
        is_number "$token" && holds_lease || stale
        is_owner "$owner"
        write_holder
        ;;
    release)
        find_newest # releasing twice is once
        [ "$newest" = "$token" ] || stale
        drop "$newest_dir/holder"
        leave_nothing
        token=''
        ;;
    break)
        token=''
        break_lease
        ;;
    look) token='' ;;
    *) bad "op is none of acquire, renew, release, break, look" ;;
    esac
    begin
    say_lease
    end
}

say_lease() {
    if [ -n "$token" ]; then
        say "lease $token"
        return 0
    fi
    find_holder
    if [ -z "$holder_owner" ]; then find_foreign || :; fi
    if [ -n "$holder_owner" ]; then say_holder; fi
}
