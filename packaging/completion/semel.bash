# Completion of semel for bash. Held to the command line by tests/integration/cli.
_semel() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'run replay check status offsets state dead-letters verify sql bench version --help --version' -- "$current")
    return
  fi
  case $previous in
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error' -- "$current"); return ;;
    --from | --until)
      [[ $command == replay ]] && mapfile -t COMPREPLY < <(compgen -W 'earliest latest committed' -- "$current")
      return
      ;;
    --to) mapfile -t COMPREPLY < <(compgen -W 'earliest latest' -- "$current"); return ;;
    --state) mapfile -t COMPREPLY < <(compgen -W 'keep empty rewind' -- "$current"); return ;;
    --signal) mapfile -t COMPREPLY < <(compgen -W 'KILL TERM INT STOP' -- "$current"); return ;;
    --baselines) mapfile -t COMPREPLY < <(compgen -W 'all none receiver at-least-once at-most-once' -- "$current"); return ;;
    --json | --html) [[ $command == bench ]] && { mapfile -t COMPREPLY < <(compgen -f -- "$current"); return; } ;;
    --metrics-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --http | --set | --output | --sample | --max-lag | --max-age | --brokers | --dsn | --records | --record-size | --partitions | --kills | --kill-every | --seed | --runs | --rate | --duration | --interval | --stage | --topic | --partition | --after | --into | --name | --replay | --column | --code | --reason | --since | --before | --limit) return ;;
  esac
  local options='--help --set --log-level'
  case $command in
    run) options+=' --output --once --http --metrics-file --fail-on-dead-letters --accept-changed-table' ;;
    replay) options+=' --output --from --until --after --into --name --yes --dry-run --forget' ;;
    check) options+=' --output --show-config --sample --accept-changed-table' ;;
    status) options+=' --output --json --max-lag --max-age --running --replay' ;;
    offsets) options+=' --output --to --state --force --dry-run' ;;
    state) options+=' --output --stage --yes' ;;
    dead-letters) options+=' --output --topic --partition --from --until --column --code --reason --since --before --limit --dry-run --all --overwrite --replay' ;;
    verify) options+=' --output --replay' ;;
    sql) options+=' --output --sample' ;;
    bench)
      options+=' --brokers --dsn --records --record-size --partitions --kills --kill-every --signal --baselines --seed --runs --rate --duration --interval --json --html --keep'
      ;;
    version) options='--help' ;;
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif ((COMP_CWORD == 2)) && [[ $command == bench ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'replay throughput latency' -- "$current")
  elif ((COMP_CWORD == 3)) && [[ $command == offsets ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'show set reset' -- "$current")
  elif ((COMP_CWORD == 3)) && [[ $command == dead-letters ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'list show redrive drop' -- "$current")
  elif ((COMP_CWORD == 3)) && [[ $command == state ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'show checkpoint restore empty' -- "$current")
  elif ((COMP_CWORD == 4)) && [[ $command == state ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
  elif [[ $command != version ]]; then
    mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$current"; compgen -d -- "$current")
  fi
}
complete -o filenames -F _semel semel
