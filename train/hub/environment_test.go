package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvironment: the table's expectations are what huggingface_hub 2.4.0 makes of the same variables.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "my-token")
	for file, content := range map[string]string{token: " hf_path\r\n", filepath.Join(dir, "token"): "hf_home\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		env  map[string]string
		want Options
	}{
		{nil, Options{Cache: "/home/u/.cache/huggingface/hub"}},
		{map[string]string{"XDG_CACHE_HOME": "/x"}, Options{Cache: "/x/huggingface/hub"}},
		{map[string]string{"XDG_CACHE_HOME": "/x", "HF_HOME": "/hf"}, Options{Cache: "/hf/hub"}},
		{map[string]string{"HF_HOME": "~/hf"}, Options{Cache: "/home/u/hf/hub"}},
		{map[string]string{"HF_HOME": "$DISK/hf", "DISK": "/d"}, Options{Cache: "/d/hf/hub"}},
		{map[string]string{"HF_HOME": "/$NONE/hf"}, Options{Cache: "/$NONE/hf/hub"}},
		{map[string]string{"HF_HOME": "/hf", "HUGGINGFACE_HUB_CACHE": "/old"}, Options{Cache: "/old"}},
		{map[string]string{"HF_HOME": "/hf", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "${DISK}/new", "DISK": "/d"}, Options{Cache: "/d/new"}},
		{map[string]string{"HF_ENDPOINT": "http://mirror/"}, Options{Cache: "/home/u/.cache/huggingface/hub", Endpoint: "http://mirror/"}},
		{map[string]string{"HF_HOME": "/hf", "HF_HUB_OFFLINE": "1"}, Options{Cache: "/hf/hub", Offline: "HF_HUB_OFFLINE"}},
		{map[string]string{"HF_HOME": "/hf", "HF_HUB_OFFLINE": "yes"}, Options{Cache: "/hf/hub", Offline: "HF_HUB_OFFLINE"}},
		{map[string]string{"HF_HOME": "/hf", "TRANSFORMERS_OFFLINE": "true"}, Options{Cache: "/hf/hub", Offline: "TRANSFORMERS_OFFLINE"}},
		{map[string]string{"HF_HOME": "/hf", "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}, Options{Cache: "/hf/hub"}},
		{map[string]string{"HF_HOME": dir}, Options{Cache: dir + "/hub", Token: "hf_home"}},
		{map[string]string{"HF_HOME": dir, "HF_TOKEN_PATH": token}, Options{Cache: dir + "/hub", Token: "hf_path"}},
		{map[string]string{"HF_HOME": dir, "HF_TOKEN_PATH": "/none"}, Options{Cache: dir + "/hub"}},
		{map[string]string{"HF_HOME": dir, "HF_TOKEN_PATH": token, "HF_TOKEN": "hf_env\n", "HUGGING_FACE_HUB_TOKEN": "hf_old"}, Options{Cache: dir + "/hub", Token: "hf_env"}},
		{map[string]string{"HF_HOME": dir, "HUGGING_FACE_HUB_TOKEN": "hf_old"}, Options{Cache: dir + "/hub", Token: "hf_old"}},
		{map[string]string{"HF_HOME": dir, "HF_TOKEN": "hf_env", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, Options{Cache: dir + "/hub"}},
	} {
		got, err := Environment(func(name string) string {
			if v, ok := c.env[name]; ok || name != "HOME" {
				return v
			}
			return "/home/u"
		})
		if err != nil || got.Cache != c.want.Cache || got.Endpoint != c.want.Endpoint || got.Token != c.want.Token || got.Offline != c.want.Offline {
			t.Errorf("%v: %+v (%v), want %+v", c.env, got, err, c.want)
		}
	}
	for _, bad := range []string{"hf_a b", "hf_\x00secret", "hf_ü"} {
		_, err := Environment(func(name string) string { return map[string]string{"HF_HOME": "/hf", "HF_TOKEN": bad}[name] })
		if err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("token %q: %v", bad, err)
		}
	}
}
