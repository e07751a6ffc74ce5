package train

import (
	"errors"
	"fmt"
)

// ErrIdle is what a refusal of [Options.Validate] is where an option would be right but for others beside it: it has no
// effect there, or one of them takes its place. Without it the rest is what it was. A value that cannot be is no such thing.
var ErrIdle = errors.New("option without effect")

// idleError says so without words of its own.
type idleError struct{ error }

func (idleError) Is(target error) bool { return target == ErrIdle }
func (e idleError) Unwrap() error      { return e.error }

// Idlef is fmt.Errorf of an error that is [ErrIdle].
func Idlef(format string, args ...any) error { return idleError{fmt.Errorf(format, args...)} }
