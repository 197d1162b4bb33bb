# sh agent.sh KIND WORK_DIR NONCE, the request as `key value` lines on stdin. Every answer is one
# frame on stdout; without a whole frame nothing is said to have happened.

read_request() {
    token='' owner='' ttl_s='' lease_op='' release_id='' manifest='' listed='' unpacks=''
    from='' keep='' dry_run='' run_id='' model='' warmup=0 iterations=1 deadline_s=60
    input_name='' inputs=''
    while IFS= read -r line; do
        value=${line#* }
        case ${line%% *} in
        token) token=$value ;;
        owner) owner=$value ;;
        ttl_s) ttl_s=$value ;;
        op) lease_op=$value ;;
        release_id) release_id=$value ;;
        manifest) manifest=$value ;;
        file) listed=${listed:+$listed
}$value ;;
        unpack) unpacks=${unpacks:+$unpacks
}$value ;;
        from) from=$value ;;
        keep) keep="$keep $value" ;;
        dry_run) dry_run=yes ;;
        run_id) run_id=$value ;;
        model) model=$value ;;
        warmup) warmup=$value ;;
        iterations) iterations=$value ;;
        deadline_s) deadline_s=$value ;;
        input_name) input_name=$value ;;
        input) inputs="$inputs $value" ;;
        end) return 0 ;;
        *) bad "the request has the unknown key ${line%% *}" ;;
        esac
    done
    bad "the request was cut"
}

enter() {
    if [ -d "$work_dir" ]; then
        cd "$work_dir" || fail DISK_FULL "$work_dir cannot be entered"
    elif [ "$kind" = probe ] && [ -z "$owner" ]; then
        cd "$HOME" || cd / || exit 1 # nothing is there, and nothing is made for a look
        work_dir=.
    else
        make_dir "$work_dir"
        cd "$work_dir" || fail DISK_FULL "$work_dir cannot be entered"
    fi
}

answer() {
    case $kind in
    probe) probe ;;
    lease)
        if [ "$lease_op" != look ]; then need_tools; fi
        lease_request
        ;;
    sidecar) say_sidecar ;;
    stage | activate | rollback | gc | benchmark | infer | cancel)
        need_tools
        need_lease
        case $kind in
        stage)
            stage
            switched=false
            end_switched
            ;;
        activate)
            stage
            switch_to
            end_switched
            ;;
        rollback)
            rollback
            end_switched
            ;;
        gc) collect_garbage ;;
        cancel) cancel ;;
        *) work ;;
        esac
        ;;
    *) bad "kind is $kind, which boards without Python do not serve" ;;
    esac
}

LC_ALL=C
export LC_ALL
umask 022
kind=$1 work_dir=$2 nonce=$3 mine='' token=''
root=${ORCH_SYSROOT:-}
root=${root%/}
case $0 in
/*) self=$0 ;;
*) self=$PWD/$0 ;;
esac
find_tools
if [ "$kind" = watch ]; then
    shift 2
    cd "$work_dir" || exit 1
    watch_work "$@"
    exit 0
fi
read_request
enter
answer
