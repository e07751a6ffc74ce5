package main

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/mcil/mcil/dataset"
)

// shardFlags choose one share of the pictures. Shares are dealt by a hash of the ID, so they do not depend on one another,
// nor on what else is in the source.
type shardFlags struct {
	Shard  string `placeholder:"i/n" help:"Only the i-th of n shares (from 0), dealt by a hash of the ID. auto: by the environment of a job array: JOB_COMPLETION_INDEX (Kubernetes, with --shards) or SLURM_ARRAY_TASK_ID with SLURM_ARRAY_TASK_COUNT, _MIN and _STEP (Slurm)."`
	Shards int    `placeholder:"n" help:"Number of shares where the environment tells only which one this is. Means --shard=auto."`
}

// share is the i-th of n; the zero value is everything.
type share struct{ i, n uint32 }

func (s share) String() string { return fmt.Sprintf("%d/%d", s.i, s.n) }

// selects is nil where everything is selected.
func (s share) selects() func(dataset.Entry) bool {
	if s.n <= 1 {
		return nil
	}
	return func(e dataset.Entry) bool {
		h := fnv.New32a()
		h.Write([]byte(e.ID))
		return h.Sum32()%s.n == s.i
	}
}

// share is what the flags ask for. getenv is os.Getenv.
func (f *shardFlags) share(getenv func(string) string) (share, error) {
	var s share
	switch {
	case f.Shards < 0 || f.Shards > 1<<30:
		return s, fmt.Errorf("--shards=%d: choose 1 or more", f.Shards)
	case f.Shard == "auto" || f.Shard == "" && f.Shards > 0:
		return f.fromJob(getenv)
	case f.Shard == "":
		return s, nil
	}
	if _, err := fmt.Sscanf(f.Shard, "%d/%d", &s.i, &s.n); err != nil || s.i >= s.n || s.String() != f.Shard {
		return s, fmt.Errorf("--shard %s: must be i/n with i from 0 to n-1, such as 0/4, or auto", f.Shard)
	}
	if f.Shards > 0 && uint32(f.Shards) != s.n {
		return s, fmt.Errorf("--shard=%s and --shards=%d: give one of them", f.Shard, f.Shards)
	}
	return s, nil
}

// fromJob reads the environment of a job array.
func (f *shardFlags) fromJob(getenv func(string) string) (share, error) {
	if index := getenv("JOB_COMPLETION_INDEX"); index != "" {
		if f.Shards == 0 {
			return share{}, errors.New("--shard=auto: JOB_COMPLETION_INDEX says which share this is, and not of how many: give --shards, the Job's completions")
		}
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= f.Shards {
			return share{}, fmt.Errorf("--shard=auto: JOB_COMPLETION_INDEX=%s: is not from 0 to %d, as --shards=%d has it", index, f.Shards-1, f.Shards)
		}
		return share{uint32(i), uint32(f.Shards)}, nil
	}
	task := getenv("SLURM_ARRAY_TASK_ID")
	if task == "" {
		return share{}, errors.New("--shard=auto: neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set: give --shard=i/n")
	}
	var numbers [4]int
	for k, v := range []struct{ name, otherwise string }{
		{"SLURM_ARRAY_TASK_ID", ""}, {"SLURM_ARRAY_TASK_MIN", "0"}, {"SLURM_ARRAY_TASK_STEP", "1"}, {"SLURM_ARRAY_TASK_COUNT", strconv.Itoa(f.Shards)},
	} {
		n, err := strconv.Atoi(cmp.Or(getenv(v.name), v.otherwise))
		if err != nil || n < 0 {
			return share{}, fmt.Errorf("--shard=auto: %s=%s: is no number from 0 on", v.name, getenv(v.name))
		}
		numbers[k] = n
	}
	id, first, step, n := numbers[0], numbers[1], max(1, numbers[2]), numbers[3]
	switch {
	case n == 0:
		return share{}, errors.New("--shard=auto: SLURM_ARRAY_TASK_COUNT is not set: give --shards, the number of tasks")
	case f.Shards > 0 && f.Shards != n:
		return share{}, fmt.Errorf("--shards=%d: the job array has %d tasks (SLURM_ARRAY_TASK_COUNT): leave it out", f.Shards, n)
	case id < first || (id-first)%step != 0 || (id-first)/step >= n || n > 1<<30:
		return share{}, fmt.Errorf("--shard=auto: SLURM_ARRAY_TASK_ID=%d is not among %d tasks from %d on in steps of %d: number the array without gaps, or give --shard=i/n", id, n, first, step)
	}
	return share{uint32((id - first) / step), uint32(n)}, nil
}
