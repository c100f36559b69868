#compdef limpet
# Completion of limpet for zsh.
_limpet() {
  local -a commands
  commands=(
    'aggregate:the aggregator, started by Telegraf'
    'check:validate rules files and configurations'
    'explain:say which rules take a line'
    'parse:print line protocol as JSON'
    'replay:run the aggregator on recorded lines'
    'test:run unit tests of rules'
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  case $words[2] in
    aggregate)
      _arguments '--config[configuration file]:file:_files' '*--rules[rules files]:glob:_files' '--listen.http[HTTP listener]:address:' \
        '--listen.socket[stream listener]:socket:' '--listen.insecure[allow other addresses than loopback]:bool:(true false)' \
        '--emit_rate[results per second]:lines:' '--stdin[where lines come from]:word:(lines none)' '--dialect[what is valid]:word:(telegraf strict)' \
        '--pod[name of this process]:name:' '--metrics_interval[self-metrics as lines]:time:' '--log_level[level]:word:(error warn info debug)' \
        '--on_stop[open windows at the end]:word:(flush)' '--stats_file[ledger at the end]:file:_files' ;;
    check) _arguments '--against[what a reload would do]:old:_files' '*:file:_files' ;;
    explain) _arguments '*--rules[rules files]:glob:_files' '--all[every rule]' '*:line:' ;;
    parse) _arguments '--dialect[what is valid]:word:(telegraf strict)' '--precision[unit]:unit:(ns us ms s)' '--default-time[ns]:ns:' '*:file:_files' ;;
    replay) _arguments '*--rules[rules files]:glob:_files' '--all[lines that pass through, too]' '--stats[numbers as JSON]:file:_files' '*:file:_files' ;;
    test) _arguments '--quiet[failures only]' '*:file:_files' ;;
  esac
}
_limpet "$@"
