# Who is at work, and how to end it.

# Sets busy: the folder of the run that is still going on; empty where there is none.
find_busy() {
    busy=''
    for found in results/*.d; do
        if [ -d "$found" ] && [ ! -f "$found/done" ] && lives "$found"; then
            busy=$found
            return 0
        fi
    done
}

# Whether the process that watches a run is the one that was started for it.
lives() {
    read -r its_pid its_start its_boot 2>/dev/null <"$1/pid" || return 1
    read_boot
    [ "$its_boot" = "$boot_id" ] || return 1
    start_of "$its_pid"
    [ -n "$started" ] && [ "$started" = "$its_start" ]
}

need_idle() {
    find_busy
    if [ -z "$busy" ]; then return 0; fi
    its_run=${busy#results/}
    fail BUSY "run ${its_run%.d} is at work" "run_id ${its_run%.d}" "pid $its_pid"
}

# The run that is waited for has ended without a word: killed, or the board was started again.
check_worker() {
    if [ -f "$run/done" ] || lives "$run" || [ -f "$run/done" ]; then return 0; fi
    fail_work RUN_FAILED "run $run_id: what watched it is gone without a result"
}

fail_work() {
    begin
    say "error $1"
    say_file log_tail "$run/log"
    say_text message "$2"
    end
}

# End the run that is at work, if any; sets stopped to its id.
stop_worker() {
    stopped=''
    find_busy
    if [ -z "$busy" ]; then return 0; fi
    stopped=${busy#results/} stopped=${stopped%.d}
    for child in $(children_of "$its_pid"); do kill_group "$child"; done
    kill_group "$its_pid"
    write_file "$busy/cancelled" over
    write_file "$busy/done" over
}

# End the run that is at work; it may be asked for again as if it had never been.
leave_nothing() {
    stop_worker
    if [ -n "$stopped" ]; then drop_tree "results/$stopped.d"; fi
}

# The pids whose parent is $1; `ps` differs too much between systems.
children_of() {
    for entry in /proc/[0-9]*/stat; do
        line=$(cat "$entry" 2>/dev/null) || continue
        # shellcheck disable=SC2086 # fields are wanted
        set -- "$1" ${line##*) }
        if [ "$3" = "$1" ]; then entry=${entry#/proc/} && say "${entry%/stat}"; fi
    done
}

cancel() {
    find_busy
    if [ -n "$run_id" ] && [ "$busy" != "results/$run_id.d" ]; then
        stopped=''
    else
        stop_worker
    fi
    begin
    if [ -n "$stopped" ]; then say "cancelled $stopped"; fi
    end
}

say_work() {
    if [ -f "$run/cancelled" ]; then fail_work RUN_FAILED "run $run_id: cancelled"; fi
    if [ -f "$run/overdue" ]; then fail_work TIMEOUT "run $run_id: killed at its deadline"; fi
    begin
    say "rc $(cat "$run/rc")"
    say_file log "$run/log"
    say_file before "$run/before"
    say_file after "$run/after"
    for folder in "$run"/out/*; do
        for found in "$folder"/*.bin; do
            if [ -f "$found" ]; then say_output "${folder##*/}" "$found"; fi
        done
    done
    end
}

say_output() {
    name=${2##*/}
    if has gzip; then
        pack_file "$2" "$mine/packed"
        say "output $1 gzip ${name%.bin}"
        say_file data "$mine/packed"
    else
        say "output $1 raw ${name%.bin}"
        say_file data "$2"
    fi
}
