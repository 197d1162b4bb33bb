# Runs of the model by ax_run_model, detached from whoever asked: results/<run_id>.d/ has
#   request   tells the same request from another under the same run_id
#   needs     the release and the inputs that must stay meanwhile
#   pid       `pid start_ticks boot_id` of the process that watches the tool; it leads a session
#   in/ out/  folders of tensors, one per image
#   log rc    what the tool printed, and how it ended
#   before after   sensors
#   done      it is over; `cancelled` and `overdue` say why

# Sets runner: the vendor's tool, which is on no PATH in a session without a login.
find_runner() {
    for runner in "$root/opt/bin/ax_run_model" "$root/soc/bin/ax_run_model" ''; do
        if [ -x "$runner" ]; then return 0; fi
    done
}

work() {
    is_id "$run_id" || bad "run_id is no name"
    is_number "$deadline_s" || bad "deadline_s is no number of whole seconds"
    is_number "$warmup" && is_number "$iterations" || bad "warmup or iterations is no number"
    find_model
    for input in $inputs; do complete_blob "$input" "$(size_any "$input")" "input $input"; done
    find_runner
    [ -n "$runner" ] || fail NO_RUNTIME "neither /opt/bin nor /soc/bin has an ax_run_model"
    [ -n "$detach_tool" ] || fail NO_TOOLS "no setsid or nohup: a run would end with the connection"
    asked="$kind $model_hash $warmup $iterations $inputs"
    run=results/$run_id.d
    if [ ! -f "$run/request" ] || [ "$(cat "$run/request")" != "$asked" ]; then
        need_idle
        start_work
    else
        check_worker
    fi
    looks=0
    until [ -f "$run/done" ]; do
        looks=$((looks + 1))
        # Seldom once it takes long: looking costs the CPU that the run is measured on.
        if [ "$looks" -lt 20 ]; then pause; else sleep 1; fi
        check_worker
    done
    say_work
}

# Sets model_hash: of the request's model in the release it names, or in the current one.
find_model() {
    if [ -z "$release_id" ]; then
        release_at current
        release_id=$release
    fi
    [ -n "$release_id" ] && [ -f "releases/$release_id/files" ] ||
        fail NO_RELEASE "no release is activated, or it is not on the board"
    model_hash=''
    while read -r its_hash its_size its_name; do
        if [ "$its_name" = "$model" ]; then model_hash=$its_hash model_size=$its_size; fi
    done <"releases/$release_id/files"
    [ -n "$model_hash" ] || bad "release $release_id has no $model"
    size_of "blobs/$model_hash"
    [ "$size" = "$model_size" ] ||
        fail HASH_MISMATCH "$model: its blob is gone or cut: activate again" "sha256 $model_hash"
}

# What the host must know before it can ask for work: the model's sidecar, and the inputs' sizes.
say_sidecar() {
    find_model
    sidecar=''
    while read -r its_hash _ its_name; do
        if [ "$its_name" = "${model%.*}.json" ]; then sidecar=$its_hash; fi
    done <"releases/$release_id/files"
    [ -n "$sidecar" ] || bad "release $release_id has no ${model%.*}.json"
    find_newest
    begin
    say_file sidecar "blobs/$sidecar"
    for input in $inputs; do say "input $input $(size_any "$input")"; done
    if [ -e "$root/etc/orch-simulated-board" ]; then say "simulated"; fi
    end
}

size_any() {
    size_of "blobs/$1"
    if [ -z "$size" ]; then size_of "incoming/${newest_dir#lease/}/$1.part"; fi
    say "${size:-0}"
}

# Prepared below the lease and renamed from there: a belated holder starts nothing.
start_work() {
    made=$mine/$run_id.d
    for folder in "$made" "$made/in" "$made/out"; do op mkdir "$folder"; done
    at=0 needs="release $release_id" list=''
    for input in $inputs; do
        needs="$needs
input $input"
        list="${list:+$list
}$at"
        op mkdir "$made/in/$at"
        op mkdir "$made/out/$at"
        if [ "$kind" = infer ]; then op ln -s "$PWD/blobs/$input" "$made/in/$at/$input_name.bin"; fi
        at=$((at + 1))
    done
    write_file "$made/request" "$asked"
    write_file "$made/needs" "$needs"
    write_file "$made/list.txt" "$list"
    make_dir results
    if [ -d "$run" ]; then discard "$run"; fi
    op mv -f "$made" results/
    # Nothing of the session stays open in it, or sshd would wait for its end.
    $detach_tool sh "$self" watch "$PWD" "$token" "$run" "$kind" "$runner" \
        "$PWD/blobs/$model_hash" "$warmup" "$iterations" "$deadline_s" </dev/null >/dev/null 2>&1 &
    write_file "$run/pid.$$" "$! $(started_now $!)"
    op mv -f "$run/pid.$$" "$run/pid"
}

started_now() {
    start_of "$1"
    read_boot
    say "$started $boot_id"
}

# The watching process: runs the tool, and kills all of its session when its time is over.
watch_work() {
    token=$1 run=$2 kind=$3 tool=$4 model=$5 warmup=$6 iterations=$7 deadline_s=$8
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        if [ -f "$run/pid" ]; then break; fi # with it, whoever looks can find and stop this
        pause
    done
    if [ ! -f "$run/pid" ] || ! holds_lease; then exit 0; fi
    save_sensors "$run/before"
    case $kind in
    benchmark) set -- -w "$warmup" -r "$iterations" ;;
    *)
        set -- -i "$run/in/" -o "$run/out/" -l "$run/list.txt"
        case $("$tool" --help 2>&1 </dev/null) in # old tools go by tensors' numbers unless told
        *use-tensor-name*) set -- "$@" --inputs-is-folder --outputs-is-folder --use-tensor-name ;;
        esac
        ;;
    esac
    libraries=$root/soc/lib:$root/opt/lib:$root/usr/lib:$root/usr/local/lib
    LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    own_group "$tool" -m "$model" "$@" </dev/null >"$run/log" 2>&1 &
    tool_pid=$!
    (
        read_now
        ends_s=$((now_s + deadline_s))
        while read_now && [ "$now_s" -lt "$ends_s" ]; do sleep 1; done
        : >"$run/overdue"
        kill_group "$tool_pid"
    ) &
    watch_pid=$!
    wait "$tool_pid"
    rc=$?
    kill "$watch_pid" 2>/dev/null
    save_sensors "$run/after"
    write_file "$run/rc" "$rc"
    finish "$run"
}

own_group() {
    if [ "$detach_tool" = setsid ]; then exec setsid "$@"; fi
    exec "$@"
}

kill_group() { kill -9 "-$1" 2>/dev/null || kill -9 "$1" 2>/dev/null || :; }

save_sensors() { write_file "$1" "$(say_sensors)"; }

# The name `done` is given last: who sees it sees all the rest.
finish() {
    sync_path "$1"
    write_file "$1/done" over
}
