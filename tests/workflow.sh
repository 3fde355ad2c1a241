#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# workflow.sh - do .github/workflows/ci.yml and the README's example for other CIs call what is there?
#
# GitHub is not asked. Each `run` is taken as bash would get it: it must be bash, and call scripts with
# options that their opening comments tell of. And the gate for speed must let pass what is in doubt, and
# say so, and nothing else that is not well.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

root=$here/..
workflow=$root/.github/workflows/ci.yml

# The runs of a workflow, each ended by a NUL: with the matrix's values in it, and x for other expressions.
runs() {
  /usr/bin/python3 -B - "$1" <<'END'
import itertools, re, sys, yaml
with open(sys.argv[1], encoding="utf-8") as file:
    jobs = yaml.safe_load(file)["jobs"]
for job in jobs.values():
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    rows = matrix.pop("include", [{}])
    if matrix:
        rows = [dict(zip(matrix, row)) for row in itertools.product(*matrix.values())]
    for step, row in itertools.product(job["steps"], rows):
        if "run" in step:
            value = lambda match: str(row[match[2]]) if match[2] else "x"
            run = re.sub(r"\$\{\{ *(matrix\.(\w+)|[^}]*?) *\}\}", value, step["run"])
            print(run, end="\0")
END
}

# Every run is bash, and there are some.
is_bash() {
  local run none=1
  while IFS= read -r -d '' run; do
    none=0
    bash -n <<<"$run" || { echo "$run" && return 1; }
  done < <(runs "$1")
  return $none
}

# Each call is of a script that is there, with options, and values of theirs, that its opening comment has.
calls_what_is_there() {
  local run script words word part comment none=1
  while IFS= read -r -d '' run; do
    while read -r script words; do
      none=0
      [[ -x $root/$script ]] || { echo "no $script" && return 1; }
      comment=$(sed '/^#/!q' "$root/$script")
      for word in $words; do
        [[ $word == --* ]] || continue
        for part in ${word/=/ }; do
          grep -qE -e "(^|[^a-z-])$part([^a-z-]|$)" <<<"$comment" || { echo "$script: nothing of $part" && return 1; }
        done
      done
    done < <(grep -oE '\bscripts/[a-z]+( [^|&;>]*)?' <<<"$run")
  done < <(runs "$1")
  return $none
}

# The README's example of a workflow is its only YAML.
readme_calls_what_is_there() {
  # shellcheck disable=SC2016
  sed -n '/^```yaml$/,/^```$/{//!p}' "$root/README.md" >"$scratch/readme.yml"
  is_bash "$scratch/readme.yml"
  calls_what_is_there "$scratch/readme.yml"
}

# the_gate STATUS EXPECTED LINES: the step about speed, where scripts/regress ends with STATUS, ends with
# EXPECTED and writes so many lines into the job's summary.
the_gate() {
  local run folder status=0 found=0
  folder=$(mktemp -d -p "$scratch")
  mkdir "$folder/scripts"
  printf '#!/bin/sh\nexit %d\n' "$1" >"$folder/scripts/regress"
  chmod +x "$folder/scripts/regress"
  : >"$folder/summary"
  while IFS= read -r -d '' run; do
    [[ $run == *'--only speed'* ]] || continue
    found=$((found + 1))
    # As GitHub runs it where `shell: bash` is said.
    (cd "$folder" && BASE=x GITHUB_STEP_SUMMARY=$folder/summary bash --noprofile --norc -eo pipefail -c "$run") || status=$?
  done < <(runs "$workflow")
  cat "$folder/summary"
  [[ $found -eq 1 && $status -eq $2 && $(grep -c . "$folder/summary") -eq $3 ]]
}

check each_run_of_the_workflow_is_bash is_bash "$workflow"
check the_workflow_calls_scripts_with_options_that_they_have calls_what_is_there "$workflow"
check so_does_the_example_in_the_readme readme_calls_what_is_there
check speed_that_is_no_loss_passes_without_a_word the_gate 0 0 0
check a_loss_of_speed_fails the_gate 1 1 0
check doubt_about_speed_passes_and_the_summary_says_so the_gate 2 0 1
check a_gate_that_breaks_fails the_gate 127 127 0
tally
