package vilt

import (
	"fmt"
	"strings"
)

// Merged is w with gamma and beta of each of [Places] multiplied into the map or norm that the place follows: each row of
// its weight by its channel's gamma, and gamma·bias + beta in the place of its bias. All other tensors are shared with w, and
// those of a place without a pair.
func (w *Weights) Merged(pair func(place string) (gamma, beta []float32)) *Weights {
	var changed []*Tensor
	for _, p := range Places(w.Config) {
		gamma, beta := pair(p.Name)
		if gamma == nil {
			continue
		}
		name := followed(p.Name)
		weight, bias := w.get(name+".weight"), w.get(name+".bias")
		scaled := &Tensor{Name: weight.Name, Shape: weight.Shape, Data: make([]float32, len(weight.Data))}
		shifted := &Tensor{Name: bias.Name, Shape: bias.Shape, Data: make([]float32, len(bias.Data))}
		columns := len(weight.Data) / p.Width // 1 of a norm
		for o := range p.Width {
			for i, v := range weight.Data[o*columns : (o+1)*columns] {
				scaled.Data[o*columns+i] = gamma[o] * v
			}
			// in float64: a product and a sum rounded once
			shifted.Data[o] = float32(float64(gamma[o])*float64(bias.Data[o]) + float64(beta[o]))
		}
		changed = append(changed, scaled, shifted)
	}
	return w.with(w.Config, changed...)
}

// followed is the name, without .weight or .bias, of what the place follows.
func followed(place string) string {
	switch place {
	case "patch":
		return "embeddings.patch_embeddings.projection"
	case "norm":
		return "layernorm"
	}
	block, step, _ := strings.Cut(strings.TrimPrefix(place, "block."), ".")
	name, ok := map[string]string{
		"norm1": "layernorm_before", "qkv": strings.TrimSuffix(qkvWeight, ".weight"), "proj": "attention.output.dense",
		"norm2": "layernorm_after", "fc1": "intermediate.dense", "fc2": "output.dense",
	}[step]
	if !ok {
		panic("vilt: no place " + place)
	}
	return fmt.Sprintf("encoder.layer.%s.%s", block, name)
}
