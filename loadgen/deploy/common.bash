# What the scripts of this folder have in common; they source it.

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "error: $*" >&2; exit 2; }

# Takes the words of the run apart: `run`, and `gate` with the thresholds, which are about the whole run and go to the merge.
take_run() {
  run=() gate=()
  while (($#)); do
    case $1 in
      --threshold) (($# > 1)) || fail "--threshold without a value"; gate+=("$1" "$2"); shift 2 ;;
      --threshold=*) gate+=("$1"); shift ;;
      *) run+=("$1"); shift ;;
    esac
  done
}

# Moves FOLDER/N.part to FOLDER/N.json for each of so many segments; names those that have no result.
collect() {
  local folder=$1 segments=$2 index
  missing=()
  for ((index = 1; index <= segments; index++)); do
    # A segment that failed or was interrupted has a result, too; without one it is missing, and the merge says so.
    if [[ -s $folder/$index.part ]]; then
      mv "$folder/$index.part" "$folder/$index.json"
    else
      rm -f "$folder/$index.part"
      missing=(--allow-missing)
      echo "segment $index/$segments has no result" >&2
    fi
  done
}

# Merges what is in the folder, prints it, and exits as the whole run.
merge() {
  local folder=$1 code=0
  "$loadgen" merge "$folder" "${missing[@]}" --out text --out "json=$folder/merged.result" "${gate[@]}" || code=$?
  ((code || ! ${#missing[@]})) || code=1
  exit "$code"
}
