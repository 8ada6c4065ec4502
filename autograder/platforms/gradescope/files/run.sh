#!/usr/bin/env bash
# Run by Gradescope, as root, for each submission, in a container of its own.
root="${AUTOGRADER_ROOT:-/autograder}"
python="${AUTOGRADER_PYTHON:-$root/venv/bin/python}"
# Seconds: below the container's own limit (10 minutes unless you set another), which would leave no results at all.
deadline="${AUTOGRADER_DEADLINE:-540}"

mkdir -p "$root/results"
chmod 755 "$root" "$root/results" # nobody but us writes the results
# What holds if nothing more comes: no exercise is graded, and that is no zero.
cp "$root/source/unfinished.json" "$root/results/.unfinished" && mv "$root/results/.unfinished" "$root/results/results.json"

cd "$root" || exit 0
# -I, -B: nothing from the submission's folder is imported, and no compiled test is left on the disk.
# One arena: memory that is freed goes back to a container that has little of it.
MALLOC_ARENA_MAX=1 OMP_NUM_THREADS=1 timeout --kill-after=10 "$deadline" \
  "$python" -I -B -m autograder.platforms.gradescope.harness "$root"
status=$?
if [ "$status" -ne 0 ]; then
  echo "autograder: ended early, status $status (124, 137: after $deadline s); see above. Run the autograder again."
fi
exit 0
