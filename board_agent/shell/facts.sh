# What the board tells of itself: texts as they are, which the host reads.

say_fact_file() {
    if [ -r "$root$2" ]; then
        say "text $1"
        say_lines <"$root$2"
    fi
}

say_sensors() {
    say_fact_file temperature /sys/class/thermal/thermal_zone0/temp
    say_fact_file npu_clock /proc/ax_proc/npu/clk
    say_fact_file cpu_governor /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
    # Over a thousand blocks stand before the line that matters.
    if [ -r "$root/proc/ax_proc/mem_cmm_info" ]; then
        say_text cmm "$(grep 'total size=' "$root/proc/ax_proc/mem_cmm_info" 2>/dev/null)"
    fi
    say_npu_load
}

# The NPU counts its load only while it is told to.
say_npu_load() {
    top=$(cat "$root/proc/ax_proc/npu/top" 2>/dev/null) || return 0
    case $top in
    *'not enabled'*)
        { printf 1 >"$root/proc/ax_proc/npu/enable"; } 2>/dev/null || return 0
        top=$(cat "$root/proc/ax_proc/npu/top" 2>/dev/null)
        ;;
    esac
    say_text npu_top "$top"
}

say_facts() {
    for name in uid version chip_type board_id; do say_fact_file "$name" "/proc/ax_proc/$name"; done
    say_fact_file vnpu /proc/ax_proc/npu/vnpu
    say_sensors
    say_text kernel "$(uname -r 2>/dev/null)"
    say_text machine "$(uname -m 2>/dev/null)"
    say_text hostname "$(cat "$(system_file /proc/sys/kernel/hostname)" 2>/dev/null || uname -n)"
    say_text clock "$(date +%s)"
    say_text disk "$(df -Pk . 2>/dev/null || df -k . 2>/dev/null)"
    say_text inodes "$(df -Pi . 2>/dev/null || :)"
    read_now
    read_boot
    say_text uptime "$now_s"
    say_text boot_id "$boot_id"
    find_runner
    say_text runner "$runner"
    say_text library "$(library_folder)"
    if [ -e "$root/etc/orch-simulated-board" ]; then say "simulated"; fi
    if [ -w . ]; then say "writable"; fi
    say_text tools "hash $hash_tool, sync $sync_tool, unzip $unzip_tool, detach $detach_tool"
}

library_folder() {
    for folder in /soc/lib /opt/lib /usr/lib /usr/local/lib /usr/lib/aarch64-linux-gnu; do
        if [ -e "$root$folder/libax_engine.so" ]; then
            say "$root$folder"
            return 0
        fi
    done
}

probe() {
    if [ -n "$owner" ]; then
        need_tools
        acquire
    fi
    find_unzip
    begin
    say_lease
    say_facts
    say_state
    if [ -d releases ]; then
        for found in releases/*; do
            if [ -f "$found/files" ]; then say "release ${found#releases/}"; fi
        done
    fi
    say_listing blob blobs
    if [ -n "$token" ]; then say_listing part "incoming/$(pad "$token")"; fi
    if [ -n "$unzip_tool" ]; then say "encoding zlib"; fi
    end
}

# A line `<kind> <name> <size>` for each file of a folder, the newest first.
say_listing() {
    # shellcheck disable=SC2012 # names are plain
    ls -lnt "$2" 2>/dev/null | while read -r mode _ _ _ bytes rest; do
        case $mode in
        -*) say "$1 ${rest##* } $bytes" ;;
        esac
    done
}
