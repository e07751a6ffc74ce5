package train

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// holdPatience is how long a run waits for a process that is about to end: who killed it may start the next one at once.
const holdPatience = 2 * time.Second

// holdRun keeps other processes out of a run folder, which it makes where it is absent, until release is called. Two that
// wrote the same phases would spoil them.
func holdRun(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", dir, err)
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if err = schemas.Lock(f, dir); !errors.Is(err, schemas.ErrLocked) || time.Since(began) > holdPatience {
			break
		}
	}
	switch {
	case errors.Is(err, schemas.ErrLocked):
		err = fmt.Errorf("run %s: another mcil train is at work on it: wait for it, or give another --out: %w", dir, dataset.ErrRefused)
	case err != nil:
		err = fmt.Errorf("run %s: %w", dir, err)
	default:
		return f.Close, nil
	}
	return nil, errors.Join(err, f.Close())
}
