#!/bin/sh
#SBATCH --job-name=hello
#SBATCH --ntasks=1
#SBATCH --time=00:05:00
# The smallest useful batch script: where am I, when, and as which task?
echo "hello from $(hostname) at $(date -u +%Y-%m-%dT%H:%M:%SZ)"
echo "cluster ${YARD_CLUSTER:-none}, job ${YARD_JOB_NUMBER:-none}, task ${YARD_TASK_INDEX:-0}"
