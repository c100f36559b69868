# Completion of limpet for fish.
set -l commands aggregate check explain parse replay test
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a aggregate -d "The aggregator, started by Telegraf"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a check -d "Validate rules files and configurations"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a explain -d "Say which rules take a line"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a parse -d "Print line protocol as JSON"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a replay -d "Run the aggregator on recorded lines"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a test -d "Run unit tests of rules"
for command in aggregate explain replay
    complete -c limpet -n "__fish_seen_subcommand_from $command" -l rules -r -d "Rules files"
end
for command in aggregate parse replay
    complete -c limpet -n "__fish_seen_subcommand_from $command" -l dialect -x -a "telegraf strict"
end
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l config -r -d "Configuration file"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l listen.http -x -d "Take lines over HTTP"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l listen.socket -x -d "Take lines from a stream"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l emit_rate -x -d "Results per second"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l log_level -x -a "error warn info debug"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l stats_file -r -d "Ledger at the end"
complete -c limpet -n "__fish_seen_subcommand_from replay" -l all -d "Lines that pass through, too"
complete -c limpet -n "__fish_seen_subcommand_from replay" -l stats -r -d "Numbers as JSON"
complete -c limpet -n "__fish_seen_subcommand_from check" -l against -r -d "What a reload would do"
complete -c limpet -n "__fish_seen_subcommand_from parse" -l precision -x -a "ns us ms s"
