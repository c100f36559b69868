# Completion of limpet for bash.
_limpet() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} flags
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "aggregate check drain explain inspect parse replay shard status test --help --version" -- "$current")
    return
  fi
  case $previous in
    --dialect) mapfile -t COMPREPLY < <(compgen -W "telegraf strict" -- "$current"); return ;;
    --precision) mapfile -t COMPREPLY < <(compgen -W "ns us ms s" -- "$current"); return ;;
    --log_level) mapfile -t COMPREPLY < <(compgen -W "error warn info debug" -- "$current"); return ;;
    --assignment.unowned) mapfile -t COMPREPLY < <(compgen -W "drop" -- "$current"); return ;;
    --stdin) mapfile -t COMPREPLY < <(compgen -W "lines none" -- "$current"); return ;;
  esac
  case $command in
    aggregate) flags="--config --rules --listen.http --listen.socket --listen.insecure --emit_rate --on_stop --stdin --dialect --pod --metrics_interval --log_level --stats_file --assignment.directory --assignment.unowned --assignment.pod --assignment.zone --assignment.host --assignment.revision --assignment.weight" ;;
    check) flags="--against" ;;
    drain) flags="--assignment.directory --config --pod --timeout" ;;
    explain) flags="--rules --assignment --all" ;;
    parse) flags="--dialect --precision --default-time" ;;
    replay) flags="--rules --all --stats --dialect" ;;
    shard) flags="--config --assignment.directory --assignment.cluster --listen.http --listen.insecure --dead_after --log_level --planner.tolerance --planner.round --planner.round_budget --planner.hour_budget --planner.cooldown --planner.cutover_delay --planner.hold --planner.carousel --planner.standbys --planner.slices_per_pod --planner.dead_share" ;;
    status) flags="--assignment.directory --config --json --watch" ;;
    test) flags="--quiet" ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags --help" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _limpet limpet
