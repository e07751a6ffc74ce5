package tune

import (
	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/vilt"
)

// Nothing leaves the encoder as it is: what is trained lies behind it.
type Nothing struct{}

// Tensors lists nothing.
func (Nothing) Tensors() []*vilt.Tensor { return nil }

// Into does nothing.
func (Nothing) Into(*gorgonia.ExprGraph, *vilt.Options) gorgonia.Nodes { return nil }
