# Completion of limpet for fish.
set -l commands aggregate check drain explain inspect parse replay shard status test
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a aggregate -d "The aggregator, started by Telegraf"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a check -d "Validate rules files and configurations"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a explain -d "Say which rules take a line"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a inspect -d "Print assignments and reports as text"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a parse -d "Print line protocol as JSON"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a replay -d "Run the aggregator on recorded lines"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a test -d "Run unit tests of rules"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a drain -d "Hand off everything that an aggregator owns"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a shard -d "The sharder: assigns keys to aggregators"
complete -c limpet -n "not __fish_seen_subcommand_from $commands" -f -a status -d "Print a cluster"
for command in aggregate explain replay
    complete -c limpet -n "__fish_seen_subcommand_from $command" -l rules -r -d "Rules files"
end
for command in aggregate parse replay
    complete -c limpet -n "__fish_seen_subcommand_from $command" -l dialect -x -a "telegraf strict"
end
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l listen.http -x -d "Take lines over HTTP"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l listen.socket -x -d "Take lines from a stream"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l listen.insecure -d "Allow other addresses than loopback"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l emit_rate -x -d "Results per second"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l on_stop -x -a flush -d "Open windows at the end"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l stdin -x -a "lines none" -d "Where lines come from"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l pod -x -d "Name of this process"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l metrics_interval -x -d "Self-metrics as lines"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l log_level -x -a "error warn info debug"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l stats_file -r -d "Ledger at the end"
complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l assignment.unowned -x -a drop -d "Lines of other owners"
for key in pod zone host revision weight
    complete -c limpet -n "__fish_seen_subcommand_from aggregate" -l assignment.$key -x -d "What the report says of this pod"
end
complete -c limpet -n "__fish_seen_subcommand_from replay" -l all -d "Lines that pass through, too"
complete -c limpet -n "__fish_seen_subcommand_from replay" -l stats -r -d "Numbers as JSON"
complete -c limpet -n "__fish_seen_subcommand_from explain" -l all -d "Every rule that does not take the line"
complete -c limpet -n "__fish_seen_subcommand_from explain" -l assignment -r -d "Whose each key is, by this file or directory"
complete -c limpet -n "__fish_seen_subcommand_from check" -l against -r -d "What a reload would do"
complete -c limpet -n "__fish_seen_subcommand_from parse" -l precision -x -a "ns us ms s"
complete -c limpet -n "__fish_seen_subcommand_from parse" -l default-time -x -d "Of lines without a timestamp, ns"
complete -c limpet -n "__fish_seen_subcommand_from test" -s q -l quiet -d "Failures only"
for command in aggregate drain shard status
    complete -c limpet -n "__fish_seen_subcommand_from $command" -l assignment.directory -r -d "Directory that the cluster shares"
    complete -c limpet -n "__fish_seen_subcommand_from $command" -l config -r -d "Configuration file"
end
complete -c limpet -n "__fish_seen_subcommand_from drain" -l pod -x -d "Which aggregator"
complete -c limpet -n "__fish_seen_subcommand_from drain" -l timeout -x -d "How long to wait"
complete -c limpet -n "__fish_seen_subcommand_from status" -l json -d "As JSON"
complete -c limpet -n "__fish_seen_subcommand_from status" -l watch -d "Again every 2 s"
complete -c limpet -n "__fish_seen_subcommand_from shard" -l assignment.cluster -x -d "Name of the cluster"
complete -c limpet -n "__fish_seen_subcommand_from shard" -l listen.http -x -d "Status page, API, metrics"
complete -c limpet -n "__fish_seen_subcommand_from shard" -l listen.insecure -d "Allow other addresses than loopback"
complete -c limpet -n "__fish_seen_subcommand_from shard" -l dead_after -x -d "Silence after which a pod is dead"
complete -c limpet -n "__fish_seen_subcommand_from shard" -l log_level -x -a "error warn info debug"
for key in tolerance round round_budget hour_budget cooldown cutover_delay hold carousel standbys slices_per_pod dead_share
    complete -c limpet -n "__fish_seen_subcommand_from shard" -l planner.$key -x -d "Planner"
end
