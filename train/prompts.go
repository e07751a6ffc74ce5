package train

import "github.com/mcil/mcil/train/method"

// promptSettings adds what there is of prompts, of options with their defaults.
func (l LearningOptions) promptSettings(s map[string]any) {
	given := l.Prompts.Given()
	for key, value := range map[string]any{
		method.SettingPromptLength: l.Prompts.Length, method.SettingPromptPool: l.Prompts.Pool, method.SettingPromptTop: l.Prompts.Top,
		method.SettingKeyWeight: l.Prompts.Pull(), method.SettingPromptBlocks: l.Prompts.Blocks, method.SettingBatchwise: l.Prompts.Batchwise,
	} {
		if given[key] {
			s[key] = value
		}
	}
}

// promptsOf are the prompts that settings of a run.json have.
type promptsOf struct {
	Length    int     `json:"prompt_length"`
	Pool      int     `json:"prompt_pool"`
	Top       int     `json:"prompt_top"`
	KeyWeight float64 `json:"key_weight"`
	Blocks    string  `json:"prompt_blocks"`
	Batchwise bool    `json:"batchwise"`
}
