#compdef limpet
# Completion of limpet for zsh.
_limpet() {
  local -a commands
  commands=(
    'aggregate:the aggregator, started by Telegraf'
    'check:validate rules files and configurations'
    'drain:hand off everything that an aggregator owns'
    'explain:say which rules take a line, and whose its keys are'
    'inspect:print assignments and reports as text'
    'parse:print line protocol as JSON'
    'replay:run the aggregator on recorded lines'
    'shard:the sharder, assigns keys to aggregators'
    'status:print a cluster'
    'test:run unit tests of rules'
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words  # to _arguments the command is the program
  ((CURRENT--))
  case $words[1] in
    aggregate)
      _arguments '--config[configuration file]:file:_files' '*--rules[rules files]:glob:_files' '--listen.http[HTTP listener]:address:' \
        '--listen.socket[stream listener]:socket:' '--listen.insecure[allow other addresses than loopback]:bool:(true false)' \
        '--emit_rate[results per second]:lines:' '--stdin[where lines come from]:word:(lines none)' '--dialect[what is valid]:word:(telegraf strict)' \
        '--pod[name of this process]:name:' '--metrics_interval[self-metrics as lines]:time:' '--log_level[level]:word:(error warn info debug)' \
        '--on_stop[open windows at the end]:word:(flush)' '--stats_file[ledger at the end]:file:_files' \
        '--assignment.directory[directory of the cluster]:directory:_files -/' '--assignment.unowned[lines of other owners]:word:(drop)' \
        '--assignment.'{pod,zone,host,revision,weight}'[what the report says of this pod]:value:' ;;
    check) _arguments '--against[what a reload would do]:old:_files' '*:file:_files' ;;
    drain) _arguments '--assignment.directory[directory of the cluster]:directory:_files -/' '--config[configuration file]:file:_files' '--pod[which]:name:' '--timeout[how long to wait]:time:' ;;
    explain) _arguments '*--rules[rules files]:glob:_files' '--assignment[whose each key is]:file or directory:_files' '--all[every rule]' '*:line:' ;;
    inspect) _arguments '*:file:_files' ;;
    parse) _arguments '--dialect[what is valid]:word:(telegraf strict)' '--precision[unit]:unit:(ns us ms s)' '--default-time[ns]:ns:' '*:file:_files' ;;
    replay) _arguments '*--rules[rules files]:glob:_files' '--all[lines that pass through, too]' '--stats[numbers as JSON]:file:_files' '--dialect[what is valid]:word:(telegraf strict)' '*:file:_files' ;;
    shard)
      _arguments '--config[configuration file]:file:_files' '--assignment.directory[directory of the cluster]:directory:_files -/' \
        '--assignment.cluster[name of the cluster]:name:' '--listen.http[status page, API, metrics]:address:' \
        '--listen.insecure[allow other addresses than loopback]:bool:(true false)' '--dead_after[silence after which a pod is dead]:time:' \
        '--log_level[level]:word:(error warn info debug)' \
        '--planner.'{tolerance,round,round_budget,hour_budget,cooldown,cutover_delay,hold,carousel,standbys,slices_per_pod,dead_share}'[planner]:value:' ;;
    status) _arguments '--assignment.directory[directory of the cluster]:directory:_files -/' '--config[configuration file]:file:_files' '--json[as JSON]' '--watch[again every 2 s]' ;;
    test) _arguments '--quiet[failures only]' '*:file:_files' ;;
  esac
}
_limpet "$@"
