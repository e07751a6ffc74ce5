package vilt

import (
	"slices"
	"strings"
)

// The original release (dandelin/ViLT) names its parts as timm does and keeps query, key and value as one map of three times
// the width. The values are the same ones; only the models' layer_norm_eps differ (1e-6 there, 1e-12 in config.json).

// isOriginal says whether names are those of the original release.
func isOriginal(found []stored) bool {
	return slices.ContainsFunc(found, func(s stored) bool { return strings.HasPrefix(s.name, "transformer.") })
}

// fromOriginal gives tensors of the original release the names of transformers' ViltModel; others keep theirs.
func fromOriginal(found []stored) (out []stored) {
	for _, s := range found {
		layer, kind, joined := strings.Cut(s.name, ".attn.qkv.")
		layer, block := strings.CutPrefix(layer, "transformer.blocks.")
		if !joined || !block || len(s.shape) == 0 || s.shape[0]%3 != 0 {
			s.name = originalName(s.name)
			out = append(out, s)
			continue
		}
		for i, part := range []string{"query", "key", "value"} {
			p := s
			p.name = "encoder.layer." + layer + ".attention.attention." + part + "." + kind
			p.shape = slices.Clone(s.shape)
			p.shape[0] /= 3
			p.bytes /= 3
			p.at += i * p.bytes
			out = append(out, p)
		}
	}
	return out
}

func originalName(name string) string {
	for _, r := range []struct{ from, to string }{
		{"text_embeddings.", "embeddings.text_embeddings."},
		{"token_type_embeddings.", "embeddings.token_type_embeddings."},
		{"transformer.cls_token", "embeddings.cls_token"},
		{"transformer.pos_embed", "embeddings.position_embeddings"},
		{"transformer.patch_embed.proj.", "embeddings.patch_embeddings.projection."},
		{"transformer.norm.", "layernorm."},
	} {
		if rest, ok := strings.CutPrefix(name, r.from); ok {
			return r.to + rest
		}
	}
	block, ok := strings.CutPrefix(name, "transformer.blocks.")
	layer, step, inside := strings.Cut(block, ".")
	if !ok || !inside {
		return name
	}
	for _, r := range []struct{ from, to string }{
		{"norm1.", "layernorm_before."}, {"norm2.", "layernorm_after."}, {"attn.proj.", "attention.output.dense."},
		{"mlp.fc1.", "intermediate.dense."}, {"mlp.fc2.", "output.dense."},
	} {
		if rest, ok := strings.CutPrefix(step, r.from); ok {
			return "encoder.layer." + layer + "." + r.to + rest
		}
	}
	return name
}
