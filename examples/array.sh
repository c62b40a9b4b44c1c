#!/bin/sh
#SBATCH --job-name=squares
#SBATCH --array=1-20%5
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=00:05:00
#SBATCH --output=squares-%A_%a.out
# Twenty tasks, at most five at once over all clusters; each sees its own index and the count of all of them.
index=$SLURM_ARRAY_TASK_ID
echo "task $index of $SLURM_ARRAY_TASK_COUNT on $(hostname): $index squared is $((index * index))"
